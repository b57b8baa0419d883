//! The timeline in the runbook's table shape, extended by the share of requests the canary really got and by each check
//! with its value against its bound.

use crate::record::{CheckRow, Outcome, Record, TimelineRow};
use crate::report::checks::{Round, rounds};
use crate::report::words::{comparison, metric};

use super::WIDTH;
use super::layout::{ends, fit, len, wrap};
use super::palette::{Colour, Palette};

/// Rounds of checks shown on one row; of more, the first and the last are shown.
pub(super) const ROUNDS_SHOWN: usize = 6;

/// Appends the table.
pub(super) fn table(record: &Record, palette: Palette, out: &mut String) {
    let rule = format!("{}\n", "─".repeat(WIDTH));
    *out += &rule;
    if record.timeline.is_empty() {
        *out += "(no weight was ever set)\n";
    }
    let columns = Columns::of(record);
    for row in &record.timeline {
        let mut lead = columns.lead(row);
        let room = WIDTH - len(&lead);
        for line in remarks(record, row, palette, room) {
            *out += &lead;
            *out += &line;
            *out += "\n";
            lead = columns.empty.clone();
        }
    }
    *out += &rule;
}

/// `ROLLBACK` and `PROMOTED`, the runbook's words for the row on which it was decided, and one for what it does not know.
pub(super) fn decision_word(record: &Record, row: &TimelineRow) -> Option<(&'static str, Colour)> {
    let here = Some(row.at);
    match record.outcome {
        Outcome::Promoted if record.decided_at == here => Some(("PROMOTED", Colour::Good)),
        Outcome::RolledBack if record.decided_at == here => Some(("ROLLBACK", Colour::Bad)),
        Outcome::PromotionFailed if record.finished_at == here => {
            Some(("PROMOTION FAILED", Colour::Bad))
        }
        _ => None,
    }
}

/// The cells before the remarks.
struct Columns {
    time: usize,
    empty: String,
}

impl Columns {
    fn of(record: &Record) -> Self {
        let time = record
            .timeline
            .iter()
            .map(|row| row.at.clock().len() + 1)
            .fold(7, usize::max);
        Columns {
            time,
            empty: format!("{:time$}│{:16}│{:15}│{:13}│ ", "", "", "", ""),
        }
    }

    fn lead(&self, row: &TimelineRow) -> String {
        let time = self.time;
        let share = row.canary_share.map_or_else(
            || "no requests".to_owned(),
            |share| format!("got {:.1}%", 100.0 * share),
        );
        format!(
            "{:time$}│ Primary: {:6}│ Canary: {:6}│ {:12}│ ",
            row.at.clock(),
            format!("{}%", row.primary_weight),
            format!("{}%", row.canary_weight),
            share,
        )
    }
}

/// The lines beside a row: what happened, then what judged the weight.
fn remarks(record: &Record, row: &TimelineRow, palette: Palette, room: usize) -> Vec<String> {
    let mut lines = Vec::new();
    match (decision_word(record, row), &row.note) {
        (Some((word, colour)), _) => lines.push(palette.paint(colour, &format!("({word})"))),
        (None, Some(note)) => lines.extend(wrap(&format!("({note})"), room, " ")),
        (None, None) => {}
    }
    let rounds: Vec<Round> = rounds(row).collect();
    let (first, hidden, last) = ends(&rounds, ROUNDS_SHOWN);
    lines.extend(
        first
            .iter()
            .flat_map(|round| round_lines(round, palette, room)),
    );
    lines.extend(left_out(hidden).map(|line| palette.dim(&line)));
    lines.extend(
        last.iter()
            .flat_map(|round| round_lines(round, palette, room)),
    );
    if lines.is_empty() {
        lines.push("(not checked)".to_owned());
    }
    lines
}

/// A line for rounds that are not shown.
pub(super) fn left_out(hidden: &[Round]) -> Option<String> {
    let failed = hidden.iter().filter(|round| !round.passed()).count();
    (!hidden.is_empty()).then(|| format!("... {} more, {failed} of them failed", hidden.len()))
}

fn round_lines(round: &Round, palette: Palette, room: usize) -> Vec<String> {
    let passed = round.passed();
    let word = palette.passed(passed, if passed { "PASS" } else { "FAIL" });
    let mut lines = vec![format!("metrics check at {}: {word}", round.at.clock())];
    lines.extend(
        round
            .checks
            .iter()
            .map(|check| check_line(check, palette, room)),
    );
    lines
}

/// `  request-success-rate 70.21 < 99 ✗`: the name gives way where the line is too long.
fn check_line(check: &CheckRow, palette: Palette, room: usize) -> String {
    let comparison = comparison(check);
    let mark = if check.passed { "✓" } else { "✗" };
    let name = fit(&metric(check), room.saturating_sub(len(&comparison) + 5));
    let text = format!("{name} {comparison}");
    if check.passed {
        format!("  {text} {}", palette.passed(true, mark))
    } else {
        format!("  {}", palette.passed(false, &format!("{text} {mark}")))
    }
}
