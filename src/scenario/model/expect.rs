//! `[expect]`: what a run, or many, are held against. Times count from the tick that detects the new revision.

use serde::{Serialize, Serializer};

use crate::canary::Phase;
use crate::time::Span;

/// `[expect]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Expect {
    /// How it ends: `promoted`, `rolled-back`, `promotion-failed`, `undecided`, `not-started`.
    pub outcome: Option<String>,
    /// Decided at this time or before.
    pub decided_by: Option<Span>,
    /// Not decided before this time.
    pub not_before: Option<Span>,
    /// At most so many failed requests reach users.
    pub max_failed_requests: Option<u64>,
    /// 99 % of requests are at most so slow.
    pub max_p99: Option<Span>,
    /// Phases the Canary goes through in this order, others between them or not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub phases: Vec<Phase>,
    /// The canary's weight at some times, in their order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub weights: Vec<WeightAt>,
    /// Texts of which each is found in an event.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<EventPattern>,
    /// Texts that no event has.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub no_events: Vec<EventPattern>,
    /// Bounds on shares of many runs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub probabilities: Vec<ProbabilityBound>,
}

/// The canary's weight at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct WeightAt {
    /// When; what a tick at that very time sets counts.
    pub at: Span,
    /// Percent requested for it.
    pub canary: i64,
}

/// A part of an event's message; `*` stands for any text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct EventPattern(pub String);

impl EventPattern {
    /// Whether a message has such a part.
    pub fn is_in(&self, message: &str) -> bool {
        let mut rest = message;
        self.0.split('*').all(|piece| match rest.find(piece) {
            Some(at) => {
                rest = &rest[at + piece.len()..];
                true
            }
            None => false,
        })
    }
}

/// `P(rolled-back by 1m30s) >= 0.99 of 200 runs`.
#[derive(Clone, Debug, PartialEq)]
pub struct ProbabilityBound {
    /// The outcome that is counted, as in [`Expect::outcome`].
    pub outcome: String,
    /// Counted only where it was decided at this time or before.
    pub by: Option<Span>,
    /// On which side of `share` the runs' share is to be.
    pub side: Side,
    /// The bound, a fraction.
    pub share: f64,
    /// So many runs, seeds from the scenario's own on.
    pub runs: u64,
}

/// A side of a bound, the bound itself included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// `>=`
    AtLeast,
    /// `<=`
    AtMost,
}

impl Side {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Side::AtLeast => ">=",
            Side::AtMost => "<=",
        }
    }
}

impl ProbabilityBound {
    /// What is counted, as it is written: `P(rolled-back by 1m30s)`.
    pub fn counted(&self) -> String {
        match self.by {
            Some(by) => format!("P({} by {by})", self.outcome),
            None => format!("P({})", self.outcome),
        }
    }

    /// The bound, as it is written: `>= 0.99 of 200 runs`.
    pub fn bound(&self) -> String {
        format!(
            "{} {} of {} runs",
            self.side.as_str(),
            self.share,
            self.runs
        )
    }

    /// Whether so many of so many runs keep it.
    pub fn holds(&self, count: u64, runs: u64) -> bool {
        // A share is a quotient and the bound a decimal fraction: 57 of 60 are 0.95.
        const ROUNDING: f64 = 1e-9;
        let share = count as f64 / runs.max(1) as f64;
        match self.side {
            Side::AtLeast => share >= self.share - ROUNDING,
            Side::AtMost => share <= self.share + ROUNDING,
        }
    }
}

impl Serialize for ProbabilityBound {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{} {}", self.counted(), self.bound()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_found_anywhere_in_a_message_its_parts_in_order() {
        for (pattern, found) in [
            ("Halt advancement", true),
            ("advancement * 63.31", true),
            ("Halt*request-success-rate*< 99", true),
            ("*", true),
            ("63.31*Halt", false),
            ("halt", false),
            // The same letters are not taken twice.
            ("99*99", false),
        ] {
            let message = "Halt advancement podinfo.test request-success-rate 63.31 < 99";
            assert_eq!(
                EventPattern(pattern.to_owned()).is_in(message),
                found,
                "{pattern}"
            );
        }
    }
}
