//! Many runs of one scenario, each with a seed of its own, side by side on all cores.
//!
//! A run depends on nothing but the scenario and its seed, and runs come back in the order of their seeds, so threads
//! change nothing but the time it takes. What is kept of a run ([`Run`]) is whole numbers: written down and read again,
//! it is the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::record::{Outcome, Record, RequestTotals};
use crate::scenario::Scenario;
use crate::sim::{Compiled, Runner};
use crate::time::{Span, Timestamp};

/// What is kept of one run. Times are milliseconds where it is written down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Its seed: `rollcast simulate --seed` tells its story.
    pub seed: u64,
    /// How it ended.
    pub outcome: Outcome,
    /// When promotion (the copy) or rollback was decided.
    pub decided_at: Option<Timestamp>,
    /// When the phase became Succeeded or Failed.
    pub finished_at: Option<Timestamp>,
    /// The metric whose check failed last before a rollback was decided; `None` where no check had failed.
    pub decided_by: Option<String>,
    /// Requests from time zero on.
    pub requests: RequestTotals,
    /// 99 % of the requests were at most so slow, in microseconds; `None` without requests.
    pub latency_p99_us: Option<u64>,
    /// How long the run went on after time zero.
    pub lasted: Span,
    /// Requests of all users, and the failed ones of them, from time zero on, by bins of [`bin`].
    pub bins: Vec<(u64, u64)>,
}

impl Run {
    /// What is kept of a record.
    pub fn of(record: &Record, bin: Span) -> Run {
        Run {
            seed: record.seed,
            outcome: record.outcome,
            decided_at: record.decided_at,
            finished_at: record.finished_at,
            decided_by: decided_by(record),
            requests: record.requests,
            latency_p99_us: (record.requests.total > 0)
                .then_some((record.latency.p99_ms * 1000.0).round() as u64),
            lasted: record.ended_at - Timestamp::ZERO,
            bins: bins(record, bin),
        }
    }
}

/// Width of the bins in which a run's requests are kept: a whole number of seconds, about 180 of them to the horizon.
pub fn bin(scenario: &Scenario) -> Span {
    const BINS: i64 = 180;
    let seconds = scenario.run.horizon.as_millis() / 1000;
    Span::from_secs((seconds / BINS).max(1))
}

/// The seed of the run with this index: neighbours of the scenario's own, which has index 0.
pub fn seed(scenario: &Scenario, index: u64) -> u64 {
    scenario.run.seed.wrapping_add(index)
}

/// One run, start to horizon.
pub fn run(scenario: &Arc<Scenario>, seed: u64) -> Run {
    let compiled = Compiled::new(Arc::clone(scenario));
    Run::of(&compiled.runner().outline(seed), bin(scenario))
}

/// Seeds that a thread takes on together.
const SEEDS_AT_A_TIME: usize = 8;

/// How runs are spread and watched.
pub struct Batch<'a> {
    /// Where they run.
    pub threads: &'a Threads,
    /// Asked before each run: `true` ends the batch early.
    pub stop: &'a AtomicBool,
    /// Told after each run, on whatever thread.
    pub done: &'a (dyn Fn() + Sync),
}

/// Threads that runs are spread over, started once for all batches.
#[derive(Debug)]
pub struct Threads(rayon::ThreadPool);

impl Threads {
    /// So many; `None` is one a core.
    pub fn start(threads: Option<usize>) -> Result<Threads, NoThreads> {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads.unwrap_or(0))
            .build()?;
        Ok(Threads(pool))
    }

    /// Does something whose parallel parts run on these threads.
    pub fn install<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        self.0.install(work)
    }
}

/// Threads could not be started.
#[derive(Debug, thiserror::Error)]
#[error("threads cannot be started: {0}")]
pub struct NoThreads(#[from] rayon::ThreadPoolBuildError);

impl Batch<'_> {
    /// Runs these seeds; those before the first that was not run where it was ended early.
    pub fn run(&self, scenario: &Arc<Scenario>, seeds: &[u64]) -> Vec<Run> {
        let compiled = Compiled::new(Arc::clone(scenario));
        let bin = bin(scenario);
        let one = |runner: &mut Runner<'_>, seed: &u64| {
            if self.stop.load(Ordering::Relaxed) {
                return None;
            }
            let run = Run::of(&runner.outline(*seed), bin);
            (self.done)();
            Some(run)
        };
        // A few seeds at a time to a thread: runs differ in length, and what a runner has learnt serves its next run.
        let runs: Vec<Option<Run>> = self.threads.0.install(|| {
            let seeds = seeds.par_iter().with_max_len(SEEDS_AT_A_TIME);
            seeds.map_init(|| compiled.runner(), one).collect()
        });
        runs.into_iter().map_while(|run| run).collect()
    }
}

fn decided_by(record: &Record) -> Option<String> {
    let decided = record
        .decided_at
        .filter(|_| record.outcome == Outcome::RolledBack)?;
    let judged = record
        .ticks
        .iter()
        .rev()
        .filter(|tick| (Timestamp::ZERO..=decided).contains(&tick.at));
    let failed = |tick: &crate::record::TickRecord| {
        let mut queries = tick.queries.iter();
        queries
            .find(|query| !query.passed)
            .map(|query| query.metric.clone())
    };
    judged.into_iter().find_map(failed)
}

fn bins(record: &Record, bin: Span) -> Vec<(u64, u64)> {
    let width = (bin.as_millis() / 1000).max(1);
    let seconds = record.traffic.iter().filter(|second| second.at_s >= 0);
    let mut bins: Vec<(u64, u64)> = Vec::new();
    for second in seconds {
        let at = usize::try_from(second.at_s / width).unwrap_or(0);
        if bins.len() <= at {
            bins.resize(at + 1, (0, 0));
        }
        bins[at].0 += second.requests;
        bins[at].1 += second.failed;
    }
    bins
}
