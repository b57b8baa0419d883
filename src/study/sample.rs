//! What is kept of many runs of one scenario so that others can be compared with them: how they ended, and a few figures of
//! each, sorted. Whole numbers only, and small enough to be committed.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserializer, Error};
use serde::{Deserialize, Serialize, Serializer};

use crate::record::Outcome;
use crate::time::Timestamp;

use super::monte_carlo::Run;

/// Runs of one scenario.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// Seed of the first, each other having the next one.
    pub first_seed: u64,
    /// How many there are.
    pub runs: u64,
    /// How many ended how.
    pub outcomes: BTreeMap<Outcome, u64>,
    /// When promotion or rollback was decided, of those that were, in milliseconds.
    pub decided_at_ms: Sorted,
    /// When they were over, of those that were, in milliseconds.
    pub finished_at_ms: Sorted,
    /// Failed requests of users.
    pub failed_requests: Sorted,
    /// Requests that the canary served.
    pub canary_requests: Sorted,
    /// 99 % of a run's requests were at most so slow, in microseconds.
    pub latency_p99_us: Sorted,
}

impl Sample {
    /// Of these runs, in the order of their seeds.
    pub fn of(runs: &[Run]) -> Sample {
        let ms = |at: Timestamp| u64::try_from(at.as_millis()).unwrap_or(0);
        let mut outcomes = BTreeMap::new();
        for run in runs {
            *outcomes.entry(run.outcome).or_default() += 1;
        }
        let figure = |of: &dyn Fn(&Run) -> Option<u64>| Sorted::of(runs.iter().filter_map(of));
        Sample {
            first_seed: runs.first().map_or(0, |run| run.seed),
            runs: runs.len() as u64,
            outcomes,
            decided_at_ms: figure(&|run| run.decided_at.map(ms)),
            finished_at_ms: figure(&|run| run.finished_at.map(ms)),
            failed_requests: figure(&|run| Some(run.requests.failed)),
            canary_requests: figure(&|run| Some(run.requests.canary)),
            latency_p99_us: figure(&|run| run.latency_p99_us),
        }
    }

    /// How many ended so.
    pub fn count(&self, outcome: Outcome) -> u64 {
        self.outcomes.get(&outcome).copied().unwrap_or(0)
    }
}

/// Values in ascending order. Written down as one line, equal ones once: `60000x97 90000x3`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sorted(Vec<u64>);

impl Sorted {
    /// Of values in any order.
    pub fn of(values: impl Iterator<Item = u64>) -> Sorted {
        let mut values: Vec<u64> = values.collect();
        values.sort_unstable();
        Sorted(values)
    }

    /// The values.
    pub fn values(&self) -> &[u64] {
        &self.0
    }

    fn parse(text: &str) -> Option<Sorted> {
        /// More are no study that anybody made, but a file that somebody else wrote.
        const MOST: usize = 10_000_000;
        let mut values = Vec::new();
        for word in text.split_whitespace() {
            let (value, times): (u64, usize) = match word.split_once('x') {
                Some((value, times)) => (value.parse().ok()?, times.parse().ok()?),
                None => (word.parse().ok()?, 1),
            };
            if times > MOST - values.len() {
                return None;
            }
            values.extend(std::iter::repeat_n(value, times));
        }
        values.is_sorted().then_some(Sorted(values))
    }
}

impl fmt::Display for Sorted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, same) in self.0.chunk_by(|a, b| a == b).enumerate() {
            let gap = if index == 0 { "" } else { " " };
            match same.len() {
                1 => write!(f, "{gap}{}", same[0])?,
                times => write!(f, "{gap}{}x{times}", same[0])?,
            }
        }
        Ok(())
    }
}

impl Serialize for Sorted {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Sorted {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Sorted::parse(&text).ok_or_else(|| {
            D::Error::custom("values must be in ascending order, as \"60000x97 90000x3\"")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_once_and_read_back() {
        let sorted = Sorted::of([90, 60, 60, 5, 60].into_iter());
        assert_eq!(sorted.to_string(), "5 60x3 90");
        assert_eq!(Sorted::parse("5 60x3 90"), Some(sorted));
        assert_eq!(Sorted::parse(""), Some(Sorted::default()));
        for wrong in ["60 5", "x3", "5x", "a", "-1", "1x99999999999"] {
            assert_eq!(Sorted::parse(wrong), None, "{wrong}");
        }
    }
}
