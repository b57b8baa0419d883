//! Candidates run with releases, side by side on all cores.
//!
//! An arm is one candidate with one release. Arms whose worlds are the same until the new version is pushed share their
//! warm-ups ([`Compiled::warm_up_key`]): for each seed it is simulated once, and each arm goes on from a copy.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::sim::{Brief, Compiled, briefs};
use crate::study::monte_carlo::Threads;

/// Arms that one thread takes from a warm-up at a time: many enough to be worth it, few enough to share out.
const TOGETHER: usize = 16;

/// A candidate with a release, ready to run.
#[derive(Clone, Debug)]
pub struct Arm {
    compiled: Compiled,
    /// SHA-256 of what its warm-up depends on.
    warm_up: [u8; 32],
}

impl Arm {
    /// Compiles it.
    pub fn new(compiled: Compiled) -> Arm {
        Arm {
            warm_up: Sha256::digest(compiled.warm_up_key()).into(),
            compiled,
        }
    }
}

/// How arms are run.
pub struct Crew<'a> {
    /// Where.
    pub threads: &'a Threads,
    /// Asked before each warm-up: `true` ends it all.
    pub stop: &'a AtomicBool,
    /// Told after each warm-up's runs how many they were, on whatever thread.
    pub done: &'a (dyn Fn(u64) + Sync),
}

impl Crew<'_> {
    /// The runs of arms on the seeds of these indices: by arm, then index. `None` where it was ended.
    pub fn run(
        &self,
        arms: &[&Arm],
        first_seed: u64,
        indices: Range<u64>,
    ) -> Option<Vec<Vec<Brief>>> {
        let mut by_warm_up: BTreeMap<[u8; 32], Vec<usize>> = BTreeMap::new();
        for (at, arm) in arms.iter().enumerate() {
            by_warm_up.entry(arm.warm_up).or_default().push(at);
        }
        let groups: Vec<&[usize]> = by_warm_up
            .values()
            .flat_map(|group| group.chunks(TOGETHER))
            .collect();
        let tasks: Vec<(u64, &[usize])> = indices
            .flat_map(|index| groups.iter().map(move |group| (index, *group)))
            .collect();
        let one = |(index, group): &(u64, &[usize])| {
            if self.stop.load(Ordering::Relaxed) {
                return None;
            }
            let of: Vec<&Compiled> = group.iter().map(|arm| &arms[*arm].compiled).collect();
            let runs = briefs(&of, first_seed.wrapping_add(*index));
            (self.done)(group.len() as u64);
            Some(runs)
        };
        let found: Option<Vec<Vec<Brief>>> = self
            .threads
            .install(|| tasks.par_iter().with_max_len(1).map(one).collect());
        let mut runs: Vec<Vec<Brief>> = vec![Vec::new(); arms.len()];
        for ((_, group), found) in tasks.iter().zip(found?) {
            for (arm, run) in group.iter().zip(found) {
                runs[*arm].push(run);
            }
        }
        Some(runs)
    }
}
