//! `candidates.csv`: a row for each candidate, number 0 being the scenario as it stands. Times in seconds, shares as
//! fractions, an empty cell where there is nothing.

use crate::report::csv::{number, table};
use crate::study::tune::{Fate, Tuned};

use super::words::runs;

/// The table.
pub(super) fn candidates(tuned: &Tuned) -> csv::Result<Vec<u8>> {
    let mut header: Vec<String> = [
        "candidate",
        "fate",
        "runs_each",
        "meets_targets",
        "on_front",
    ]
    .map(str::to_owned)
    .into();
    header.extend(tuned.knobs.iter().map(|knob| knob.name.clone()));
    header.extend(
        [
            "false_rollback",
            "missed_regression",
            "failed_requests",
            "error_budget",
            "rollout_s",
            "detection_s",
        ]
        .map(str::to_owned),
    );
    let rows = tuned.candidates.iter().enumerate().map(|(at, candidate)| {
        let fate = match candidate.fate {
            Fate::Finalist => "finalist".to_owned(),
            Fate::Hopeless { round, .. } => format!("hopeless in round {round}"),
            Fate::Outranked { round, .. } => format!("outranked in round {round}"),
        };
        let merits = &candidate.merits;
        let mut row = vec![
            at.to_string(),
            fate,
            runs(candidate).to_string(),
            candidate.meets_all().to_string(),
            tuned.front.contains(&at).to_string(),
        ];
        row.extend((0..tuned.knobs.len()).map(|knob| {
            let setting = candidate.settings.get(knob);
            setting.map(|set| set.value.clone()).unwrap_or_default()
        }));
        row.extend([
            number(merits.false_rollback),
            number(merits.missed_regression),
            number(merits.failed_requests),
            number(merits.error_budget),
            merits.rollout_s.map(number).unwrap_or_default(),
            merits.detection_s.map(number).unwrap_or_default(),
        ]);
        row
    });
    table(header, rows)
}
