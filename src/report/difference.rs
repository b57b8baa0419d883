//! What differs between two runs of one world on one seed: under two readings of the thresholds, or two providers.

use crate::canary::{Phase, Rules};
use crate::record::{Outcome, Record, TickRecord};
use crate::time::Timestamp;

use super::providers;
use super::words::{count, counted};

/// What sets two runs apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Between {
    /// How thresholds are read.
    Rules,
    /// What realises a weight.
    Providers,
}

impl Between {
    /// What two runs are compared by: their rules, unless those are the same and the providers are not.
    pub fn of(first: &Record, second: &Record) -> Between {
        if first.rules == second.rules && first.provider != second.provider {
            Between::Providers
        } else {
            Between::Rules
        }
    }

    /// `under runbook rules`, `under gatewayapi:v1`.
    fn under(self, record: &Record) -> String {
        match self {
            Between::Rules => format!("under {} rules", record.rules.as_str()),
            Between::Providers => format!("under {}", providers::name(record)),
        }
    }
}

/// The difference in sentences.
pub fn difference(first: &Record, second: &Record) -> String {
    let between = Between::of(first, second);
    let mut sentences = match between {
        Between::Rules => vec![readings(first, second)],
        Between::Providers => providers::readings(first, second),
    };
    sentences.push(outcomes(first, second, between));
    sentences.extend(parting(first, second, between));
    if between == Between::Providers {
        sentences.extend(providers::values(first, second));
    }
    sentences.extend(harm(first, second, between));
    sentences.join(" ")
}

fn readings(first: &Record, second: &Record) -> String {
    if first.rules == second.rules {
        return format!("Both follow {} rules.", first.rules.as_str());
    }
    let flagger = "Flagger counts failed checks up to the threshold and rolls back on the tick after the last of them, \
                   and checks a metric called request-success-rate or request-duration by its own query as well";
    let runbook = "the runbook rolls back on the first failed check, at once, and takes the threshold as the passed checks \
                   that a promotion needs";
    match first.rules {
        Rules::Flagger => format!("{flagger}; {runbook}."),
        Rules::Runbook => {
            format!(
                "The runbook{}; {flagger}.",
                runbook.trim_start_matches("the runbook")
            )
        }
    }
}

fn outcomes(first: &Record, second: &Record, between: Between) -> String {
    let under = |record: &Record| between.under(record);
    let ending = |record: &Record| match (ends(record.outcome), record.decided_at) {
        (ends, Some(at)) => format!("{ends} at {}", at.clock()),
        (ends, None) => ends.to_owned(),
    };
    if first.outcome != second.outcome {
        return format!(
            "So the release {} {}, and {} {}.",
            ending(first),
            under(first),
            ending(second),
            under(second)
        );
    }
    match (first.decided_at, second.decided_at) {
        (Some(a), Some(b)) if a == b => {
            format!(
                "Here it makes no difference: the release {} either way.",
                ending(first)
            )
        }
        (Some(a), Some(b)) => {
            let (earlier, later, gap) = if a < b {
                (first, second, b - a)
            } else {
                (second, first, a - b)
            };
            format!(
                "Either way the release {}: at {} {}, {gap} later {}.",
                ends(first.outcome),
                a.min(b).clock(),
                under(earlier),
                under(later)
            )
        }
        _ => format!("Either way the release {}.", ends(first.outcome)),
    }
}

fn ends(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Promoted => "is promoted",
        Outcome::RolledBack => "is rolled back",
        Outcome::PromotionFailed => "fails while it is promoted",
        Outcome::Undecided => "stays undecided",
        Outcome::NotStarted => "is not started",
    }
}

/// Where the two part: the first tick of both that leaves them in different states.
fn parting(first: &Record, second: &Record, between: Between) -> Option<String> {
    let (a, b) = first
        .ticks
        .iter()
        .filter(|tick| tick.at >= Timestamp::ZERO)
        .filter_map(|a| Some((a, second.ticks.iter().find(|b| b.at == a.at)?)))
        .find(|(a, b)| state(a) != state(b))?;
    let shown = |record: &Record, tick: &TickRecord| {
        format!(
            "{} {}/{} {}",
            tick.phase,
            tick.primary_weight,
            tick.canary_weight,
            between.under(record)
        )
    };
    Some(format!(
        "They part at {}: {}, {}.",
        a.at.clock(),
        shown(first, a),
        shown(second, b)
    ))
}

fn state(tick: &TickRecord) -> (Phase, i64, i64) {
    (tick.phase, tick.primary_weight, tick.canary_weight)
}

fn harm(first: &Record, second: &Record, between: Between) -> Option<String> {
    let (a, b) = (first.requests, second.requests);
    (a != b).then(|| {
        format!(
            "Users get {} and the canary serves {} {}; {} and {} {}.",
            counted(a.failed, "failed request"),
            counted(a.canary, "request"),
            between.under(first),
            count(b.failed),
            count(b.canary),
            between.under(second)
        )
    })
}
