//! What a check found, in the words that all its forms share.

use serde_json::Value;

use super::{BaselineUse, Ran};
use crate::report::words::{self, comparison, count, latency};
use crate::study::check::{Change, Compared};
use crate::study::expectation::ExpectationResult;
use crate::study::sample::Sample;
use crate::study::shift::{self, Figure, SIGNIFICANCE, Shift};
use crate::time::Timestamp;

pub use crate::study::shift::Level;

/// Longest value that is shown whole.
const SHOWN: usize = 40;
/// Characters of a long value that are shown on each side of what differs.
const AROUND: usize = 12;

/// `expected outcome promoted, found rolled-back (at 1:30)`.
pub(super) fn unmet(result: &ExpectationResult) -> String {
    let ExpectationResult {
        key,
        expected,
        found,
        at,
        ..
    } = result;
    let moment = match at {
        Some(at) if !matches!(*key, "decided_by" | "not_before" | "weights") => {
            format!(", at {}", at.clock())
        }
        _ => String::new(),
    };
    let said = match *key {
        "decided_by" if found == "undecided" => {
            format!("expected a decision by {expected}, found none")
        }
        "decided_by" => format!("expected a decision by {expected}, found it at {found}"),
        "not_before" => format!("expected no decision before {expected}, found it at {found}"),
        "max_failed_requests" => {
            format!("expected at most {expected} failed requests, found {found}")
        }
        "max_p99" => format!("expected a p99 of at most {expected}, found {found}"),
        "weights" => format!("expected a weight of {expected}, found {found}"),
        "events" => format!("expected an event with {expected}, found {found}"),
        "no_events" => format!("expected no event with {expected}, found {found}"),
        "probabilities" => format!("expected {expected}, found {found}"),
        other => format!(
            "expected {} {expected}, found {found}",
            other.replace('_', " ")
        ),
    };
    said + &moment
}

/// The check that made the first run end as it did: `request-success-rate 63.31 < 99 at 1:00`.
pub(super) fn deciding(ran: &Ran) -> Option<String> {
    let check = ran.deciding.as_ref()?;
    let value = comparison(check);
    Some(format!(
        "{} {value} at {}",
        words::metric(check),
        check.at.clock()
    ))
}

/// What is compared.
pub(super) fn figure(figure: Figure) -> String {
    match figure {
        Figure::Probability(outcome) => format!("P({})", outcome.as_str()),
        Figure::DecidedAt => "decided".to_owned(),
        Figure::FinishedAt => "finished".to_owned(),
        Figure::FailedRequests => "failed requests".to_owned(),
        Figure::CanaryRequests => "canary's requests".to_owned(),
        Figure::LatencyP99 => "p99 latency".to_owned(),
    }
}

/// A sample in one figure: a share, or the median with the quantiles at 5 and 95 % where they differ from it.
pub(super) fn level(of: Figure, level: Level) -> String {
    match level {
        Level::Share(count, runs) => words::share(count, runs),
        Level::Spread(None) => "none".to_owned(),
        Level::Spread(Some([low, median, high])) => {
            let shown = |value| unit(of, value);
            match (shown(low), shown(median), shown(high)) {
                (low, median, high) if low == median && median == high => median,
                (low, median, high) => format!("{median} ({low} to {high})"),
            }
        }
    }
}

fn unit(figure: Figure, value: u64) -> String {
    match figure {
        Figure::DecidedAt | Figure::FinishedAt => {
            Timestamp::from_millis(i64::try_from(value).unwrap_or(i64::MAX)).clock()
        }
        Figure::LatencyP99 => latency(value as f64 / 1000.0),
        _ => count(value),
    }
}

/// How unlikely a shift is by chance: `p < 1e-9`, `p = 2e-5`.
pub(super) fn chance(shift: &Shift) -> String {
    if shift.corrected < 1e-9 {
        "p < 1e-9".to_owned()
    } else if shift.corrected < SIGNIFICANCE {
        format!("p = {:.0e}", shift.corrected)
    } else {
        format!("p = {:.2}", shift.corrected)
    }
}

/// Outcome shares of a sample, the most frequent first: `promoted 97.0%, rolled-back 3.00%`.
pub(super) fn outcomes(sample: &Sample) -> String {
    let mut outcomes: Vec<_> = sample.outcomes.iter().collect();
    outcomes.sort_by_key(|(outcome, count)| (std::cmp::Reverse(**count), **outcome));
    let shares: Vec<String> = outcomes
        .iter()
        .map(|(outcome, count)| match **count == sample.runs {
            true => outcome.as_str().to_owned(),
            false => format!(
                "{} {}",
                outcome.as_str(),
                words::share(**count, sample.runs)
            ),
        })
        .collect();
    shares.join(", ")
}

/// When it was decided.
pub(super) fn decided(sample: &Sample) -> String {
    let spread = shift::spread(&sample.decided_at_ms);
    level(Figure::DecidedAt, Level::Spread(spread))
}

/// One figure of a sample, where it is no share.
pub(super) fn of_sample(figure: Figure, sample: &Sample) -> String {
    let values = match figure {
        Figure::DecidedAt => &sample.decided_at_ms,
        Figure::FinishedAt => &sample.finished_at_ms,
        Figure::FailedRequests => &sample.failed_requests,
        Figure::CanaryRequests => &sample.canary_requests,
        Figure::LatencyP99 => &sample.latency_p99_us,
        Figure::Probability(outcome) => {
            return words::share(sample.count(outcome), sample.runs);
        }
    };
    level(figure, Level::Spread(shift::spread(values)))
}

/// `Canary load-harness: spec.analysis.threshold 3 → 5`.
pub fn change(change: &Change) -> String {
    let Change {
        part,
        path,
        before,
        after,
    } = change;
    let (before, after) = values(before.as_ref(), after.as_ref());
    format!("{part}: {path} {before} → {after}")
}

/// Where nothing of the scenario or its manifests differs, what else may be the reason.
pub(super) fn unchanged(baseline: &BaselineUse) -> String {
    let ours = env!("CARGO_PKG_VERSION");
    match baseline {
        BaselineUse::Compared(_, recorded) if recorded != ours => format!(
            "nothing in the scenario or its manifests; the baseline was recorded by rollcast {recorded}, and this is {ours}"
        ),
        _ => "nothing in the scenario or its manifests: what rollcast makes of them did, or the seeds are others".to_owned(),
    }
}

/// Shifts of a comparison that are worth a line: those that count, or all that differ.
pub(super) fn shown(compared: &Compared, all: bool) -> Vec<&Shift> {
    let shifts = compared.shifts.iter();
    shifts
        .filter(|shift| shift.counts() || (all && shift.before != shift.after))
        .collect()
}

fn values(before: Option<&Value>, after: Option<&Value>) -> (String, String) {
    let [first, second] = [before, after].map(|value| match value {
        None => "(not there)".to_owned(),
        Some(Value::String(text)) => text.split_whitespace().collect::<Vec<_>>().join(" "),
        Some(other) => other.to_string(),
    });
    differing(&first, &second)
}

/// Two texts as they are where they are short, else what differs of them with a little of what is around it.
pub fn differing(first: &str, second: &str) -> (String, String) {
    let [one, other] = [first, second].map(|text| text.chars().collect::<Vec<char>>());
    if one.len().max(other.len()) <= SHOWN {
        return (first.to_owned(), second.to_owned());
    }
    let alike = |a: &mut dyn Iterator<Item = &char>, b: &mut dyn Iterator<Item = &char>| {
        a.zip(b).take_while(|(a, b)| a == b).count()
    };
    let start = alike(&mut one.iter(), &mut other.iter());
    let left = one.len().min(other.len()) - start;
    let end = alike(&mut one.iter().rev(), &mut other.iter().rev()).min(left);
    let part = |text: &[char]| {
        let from = start.saturating_sub(AROUND);
        let to = (text.len() - end + AROUND).min(text.len());
        let to = to.min(from + 2 * SHOWN);
        let middle: String = text[from..to].iter().collect();
        let before = if from > 0 { "…" } else { "" };
        let after = if to < text.len() { "…" } else { "" };
        format!("{before}{middle}{after}")
    };
    (part(&one), part(&other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_long_texts_what_differs_is_shown() {
        let query = |window: &str| {
            format!(
                "sum(rate(nginx_ingress_controller_requests{{ingress=\"web\"}}[{window}])) * 100"
            )
        };
        let (before, after) = differing(&query("1m"), &query("5m"));
        assert_eq!(before, "…ress=\"web\"}[1m])) * 100");
        assert_eq!(after, "…ress=\"web\"}[5m])) * 100");
        assert_eq!(differing("3", "5"), ("3".to_owned(), "5".to_owned()));
        // One is the other's beginning.
        let long = "a".repeat(50);
        let (_, after) = differing(&long, &format!("{long}b"));
        assert!(after.ends_with('b'), "{after}");
    }
}
