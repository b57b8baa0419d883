//! What `check` finds of a scenario: its expectations held against runs, and the runs held against recorded ones.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::record::{CheckRow, Outcome, Record};
use crate::scenario::Scenario;
use crate::scenario::configuration::Configuration;
use crate::sim;
use crate::time::Timestamp;

pub use crate::scenario::configuration::Change;

use super::baseline::Recorded;
use super::expectation::{ExpectationResult, evaluate, evaluate_runs, runs_wanted};
use super::monte_carlo::{self, Batch, Run};
use super::sample::Sample;
use super::shift::{self, Shift};

/// One run in a few numbers: how it ended, and the canary's weight over time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Story {
    /// How it ended.
    pub outcome: Outcome,
    /// When that was decided, in milliseconds.
    #[serde(rename = "decided_at_ms")]
    pub decided_at: Option<Timestamp>,
    /// Percent requested for the canary, each from its time on. Written down as one line of milliseconds and percent:
    /// `0=0 30000=10 60000=0`.
    #[serde(with = "weights")]
    pub weights: Vec<(Timestamp, i64)>,
}

mod weights {
    use serde::de::{Deserialize, Deserializer, Error};
    use serde::ser::Serializer;

    use crate::time::Timestamp;

    pub(super) fn serialize<S: Serializer>(
        weights: &[(Timestamp, i64)],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let words = weights.iter();
        let words: Vec<String> = words
            .map(|(at, weight)| format!("{}={weight}", at.as_millis()))
            .collect();
        serializer.serialize_str(&words.join(" "))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<(Timestamp, i64)>, D::Error> {
        let text = String::deserialize(deserializer)?;
        let weight = |word: &str| {
            let (at, weight) = word.split_once('=')?;
            Some((
                Timestamp::from_millis(at.parse().ok()?),
                weight.parse().ok()?,
            ))
        };
        let weights = text.split_whitespace().map(weight).collect::<Option<_>>();
        weights.ok_or_else(|| D::Error::custom("weights must be as \"0=0 30000=10\""))
    }
}

impl Default for Story {
    fn default() -> Self {
        Story {
            outcome: Outcome::NotStarted,
            decided_at: None,
            weights: Vec::new(),
        }
    }
}

impl Story {
    /// The story of a run.
    pub fn of(record: &Record) -> Story {
        let mut weights: Vec<(Timestamp, i64)> = Vec::new();
        for tick in record
            .ticks
            .iter()
            .filter(|tick| tick.at >= Timestamp::ZERO)
        {
            if weights
                .last()
                .is_none_or(|(_, weight)| *weight != tick.canary_weight)
            {
                weights.push((tick.at, tick.canary_weight));
            }
        }
        Story {
            outcome: record.outcome,
            decided_at: record.decided_at,
            weights,
        }
    }
}

/// A scenario that was run.
#[derive(Clone, Debug)]
pub struct Examined {
    /// What was run.
    pub scenario: Arc<Scenario>,
    /// What it says, value by value.
    pub configuration: Configuration,
    /// What it expects, and whether that held.
    pub expectations: Vec<ExpectationResult>,
    /// The run with the first seed.
    pub story: Story,
    /// The last check that failed before that run was decided.
    pub deciding: Option<CheckRow>,
    /// All runs.
    pub sample: Sample,
    /// The runs themselves, in the order of their seeds.
    pub runs: Vec<Run>,
}

/// What recorded runs say of those that were made now.
#[derive(Clone, Debug)]
pub struct Compared {
    /// The recorded ones.
    pub before: Recorded,
    /// Everything that was compared.
    pub shifts: Vec<Shift>,
    /// What the scenario and its manifests say otherwise now.
    pub changes: Vec<Change>,
}

impl Compared {
    /// The differences that count.
    pub fn counting(&self) -> impl Iterator<Item = &Shift> {
        self.shifts.iter().filter(|shift| shift.counts())
    }
}

/// Runs a scenario so many times, or more often where an expectation asks for it, and holds its expectations against the
/// runs. `None` where it was ended early.
pub fn examine(scenario: &Arc<Scenario>, runs: u64, batch: &Batch<'_>) -> Option<Examined> {
    let expect = scenario.expect.clone().unwrap_or_default();
    let wanted = runs.max(runs_wanted(&expect)).max(1);
    let seeds: Vec<u64> = (0..wanted)
        .map(|index| monte_carlo::seed(scenario, index))
        .collect();
    let made = batch.run(scenario, &seeds);
    if (made.len() as u64) < wanted {
        return None;
    }
    let record = sim::simulate(scenario);
    let mut expectations = evaluate(&expect, &record);
    expectations.extend(evaluate_runs(&expect, &made));
    let kept = usize::try_from(runs.max(1))
        .unwrap_or(usize::MAX)
        .min(made.len());
    Some(Examined {
        configuration: Configuration::of(scenario),
        scenario: Arc::clone(scenario),
        expectations,
        story: Story::of(&record),
        deciding: deciding(&record),
        sample: Sample::of(&made[..kept]),
        runs: made,
    })
}

/// Holds it against its record. The probabilities of the shifts are not corrected yet: that takes those of all scenarios.
pub fn compare(examined: &Examined, before: &Recorded) -> Compared {
    Compared {
        shifts: shift::compare(&before.sample, &examined.sample),
        changes: before.configuration.changes(&examined.configuration),
        before: before.clone(),
    }
}

/// The last failed check before the decision; of a run that was promoted there is none to tell.
fn deciding(record: &Record) -> Option<CheckRow> {
    let decided = record
        .decided_at
        .filter(|_| record.outcome == Outcome::RolledBack)?;
    let rows = record.timeline.iter().flat_map(|row| &row.checks);
    rows.filter(|check| !check.passed && check.at <= decided)
        .max_by_key(|check| check.at)
        .cloned()
}
