//! A study in parts, made on several machines: each part is a file, and all parts together are the whole, byte for byte.
//!
//! A part holds a block of the runs' indices. Whole numbers only, so that what is read is what was written; a digest of
//! the effective scenario keeps apart what does not belong together.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::forecast::{Forecast, Subject};
use super::monte_carlo::Run;

/// Version of the file's shape.
pub const SHARD_VERSION: u32 = 1;

/// Which part of how many: `2/8` is the third of eight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// From 0.
    pub index: u64,
    /// How many there are.
    pub of: u64,
}

impl Part {
    /// Reads `i/n`, with 0 <= i < n.
    pub fn parse(text: &str) -> Option<Part> {
        let (index, of) = text.split_once('/')?;
        let (index, of) = (index.trim().parse().ok()?, of.trim().parse().ok()?);
        (index < of).then_some(Part { index, of })
    }

    /// The indices of its runs: neighbours, and no two parts differ by more than one in number.
    pub fn indices(self, runs: u64) -> Range<u64> {
        let start = |index: u64| {
            let product = u128::from(index) * u128::from(runs) / u128::from(self.of);
            u64::try_from(product).unwrap_or(u64::MAX)
        };
        start(self.index)..start(self.index + 1)
    }
}

/// The runs of one part, as its file holds them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shard {
    /// Version of this shape.
    pub shard_version: u32,
    /// Version of rollcast.
    pub rollcast_version: String,
    /// What was run.
    pub subject: Subject,
    /// Runs of all parts.
    pub planned: u64,
    /// Which part this is.
    pub part: Part,
    /// Its runs, in the order of their seeds.
    pub runs: Vec<Run>,
}

/// Why parts are no whole. The numbers are places in the list of parts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// There are none.
    #[error("there is nothing to merge")]
    Nothing,
    /// Written by a program that writes them in another way.
    #[error("it was written by rollcast {version}, whose parts differ from ours")]
    Version {
        /// Which.
        at: usize,
        /// The version that wrote it.
        version: String,
    },
    /// Of another study.
    #[error("it belongs to another study: its {what} is not that of the first part")]
    Foreign {
        /// Which.
        at: usize,
        /// What differs.
        what: &'static str,
    },
    /// Given twice.
    #[error("part {index} is given twice")]
    Twice {
        /// The second of them.
        at: usize,
        /// The part's number.
        index: u64,
    },
    /// Not all of its runs are there.
    #[error("part {index} has {found} of its {planned} runs: it was ended early")]
    Short {
        /// Which.
        at: usize,
        /// The part's number.
        index: u64,
        /// Runs in it.
        found: u64,
        /// Runs that belong to it.
        planned: u64,
    },
    /// Not all parts are there.
    #[error("part {} missing: there are {of}, numbered from 0", list(.missing))]
    Missing {
        /// Numbers of those that are not, the first few.
        missing: Vec<u64>,
        /// How many there are.
        of: u64,
    },
}

/// Missing parts that a message names.
const LISTED: usize = 5;

fn list(numbers: &[u64]) -> String {
    let few: Vec<String> = numbers.iter().take(LISTED).map(u64::to_string).collect();
    let more = if numbers.len() > LISTED { ", ..." } else { "" };
    let are = if numbers.len() == 1 { "is" } else { "are" };
    format!("{}{more} {are}", few.join(", "))
}

/// Joins all parts of a study, given in any order.
pub fn merge(shards: Vec<Shard>) -> Result<Forecast, MergeError> {
    let first = shards.first().ok_or(MergeError::Nothing)?;
    let (subject, planned, of) = (first.subject.clone(), first.planned, first.part.of);
    let mut parts: BTreeMap<u64, Vec<Run>> = BTreeMap::new();
    for (at, shard) in shards.into_iter().enumerate() {
        if shard.shard_version != SHARD_VERSION {
            let version = shard.rollcast_version;
            return Err(MergeError::Version { at, version });
        }
        let differs = [
            (shard.subject.first_seed != subject.first_seed, "seed"),
            (shard.subject.digest != subject.digest, "scenario"),
            (shard.subject.objective != subject.objective, "objective"),
            (shard.planned != planned, "number of runs"),
            (
                shard.part.of != of || shard.part.index >= of,
                "number of parts",
            ),
        ];
        if let Some((_, what)) = differs.into_iter().find(|(differs, _)| *differs) {
            return Err(MergeError::Foreign { at, what });
        }
        let index = shard.part.index;
        let belonging = shard.part.indices(planned);
        let (found, expected) = (shard.runs.len() as u64, belonging.end - belonging.start);
        if found != expected {
            let planned = expected;
            return Err(MergeError::Short {
                at,
                index,
                found,
                planned,
            });
        }
        if parts.insert(index, shard.runs).is_some() {
            return Err(MergeError::Twice { at, index });
        }
    }
    let absent = (0..of).filter(|index| !parts.contains_key(index));
    let missing: Vec<u64> = absent.take(LISTED + 1).collect();
    if !missing.is_empty() {
        return Err(MergeError::Missing { missing, of });
    }
    Ok(Forecast {
        subject,
        planned,
        runs: parts.into_values().flatten().collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_written_zero_based() {
        for (text, part) in [
            ("0/1", Some((0, 1))),
            ("7/8", Some((7, 8))),
            ("8/8", None),
            ("0/0", None),
            ("1", None),
            ("-1/2", None),
            ("a/b", None),
        ] {
            let found = Part::parse(text).map(|part| (part.index, part.of));
            assert_eq!(found, part, "{text}");
        }
    }

    #[test]
    fn the_parts_hold_every_index_once() {
        for runs in [0, 1, 7, 100, 10_001] {
            for of in [1, 2, 3, 8, 13] {
                let parts = (0..of).map(|index| Part { index, of }.indices(runs));
                let all: Vec<u64> = parts.clone().flatten().collect();
                assert_eq!(all, (0..runs).collect::<Vec<_>>(), "{runs} in {of}");
                let sizes = parts.map(|part| part.end - part.start);
                let (least, most) = (sizes.clone().min().unwrap(), sizes.max().unwrap());
                assert!(most - least <= 1, "{runs} in {of}");
            }
        }
    }
}
