//! What a change of scenarios or manifests makes of rollouts: both sides run on the same seeds, so that they meet the same
//! traffic, and every figure is a mean of differences seed by seed.

use std::sync::Arc;

use crate::record::Outcome;
use crate::scenario::Scenario;
use crate::scenario::configuration::{Change, Configuration};

use super::check::Story;
use super::forecast::OUTCOMES;
use super::monte_carlo::{self, Batch, Run};
use super::stats::paired::{self, Difference};
use crate::sim;

/// One scenario before and after.
#[derive(Clone, Debug)]
pub struct Pair {
    /// What the scenario and its manifests say otherwise.
    pub changes: Vec<Change>,
    /// Runs of both, seed by seed.
    pub runs: [Vec<Run>; 2],
    /// The run with the first seed of both.
    pub stories: [Story; 2],
    /// The figures, in the order in which they are shown.
    pub figures: Vec<PairedFigure>,
}

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Share of the runs that ended so, a fraction.
    Probability(Outcome),
    /// From the tick that detects the new revision to the decision, seconds, of runs decided on both sides.
    Decided,
    /// From there to the rollback, seconds, of runs rolled back on both sides.
    Detection,
    /// From there to the end of the rollout, seconds, of runs over on both sides.
    Finished,
    /// Failed requests of users.
    FailedRequests,
    /// Requests that the canary served.
    CanaryRequests,
    /// The slowest of the fastest 99 % of the requests, milliseconds.
    LatencyP99,
}

/// One figure of both sides.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PairedFigure {
    /// Which.
    pub what: What,
    /// Mean on each side, of the runs that have the figure there; `None` where none has.
    pub means: [Option<f64>; 2],
    /// The difference, of the runs that have it on both sides.
    pub difference: Option<Difference>,
}

impl Pair {
    /// Whether anything differs, in what was run or in what came of it.
    pub fn differs(&self) -> bool {
        !self.changes.is_empty() || self.runs[0] != self.runs[1]
    }
}

/// Runs both sides so many times on the seeds of the first. `None` where it was ended early.
pub fn pair(
    before: &Arc<Scenario>,
    after: &Arc<Scenario>,
    runs: u64,
    batch: &Batch<'_>,
) -> Option<Pair> {
    let seeds: Vec<u64> = (0..runs)
        .map(|index| monte_carlo::seed(before, index))
        .collect();
    let made = [before, after].map(|scenario| batch.run(scenario, &seeds));
    if made.iter().any(|made| made.len() < seeds.len()) {
        return None;
    }
    let stories = [before, after].map(|scenario| {
        let mut scenario = Scenario::clone(scenario);
        scenario.run.seed = before.run.seed;
        Story::of(&sim::simulate(&scenario))
    });
    Some(Pair {
        changes: Configuration::of(before).changes(&Configuration::of(after)),
        figures: figures(&made[0], &made[1]),
        runs: made,
        stories,
    })
}

fn figures(before: &[Run], after: &[Run]) -> Vec<PairedFigure> {
    let met = OUTCOMES.into_iter().filter(|outcome| {
        before
            .iter()
            .chain(after)
            .any(|run| run.outcome == *outcome)
    });
    let figures = [
        What::Decided,
        What::Detection,
        What::Finished,
        What::FailedRequests,
        What::CanaryRequests,
        What::LatencyP99,
    ];
    met.map(What::Probability)
        .chain(figures)
        .filter_map(|what| figure(what, before, after))
        .collect()
}

/// `None` where no run of either side has it.
fn figure(what: What, before: &[Run], after: &[Run]) -> Option<PairedFigure> {
    let means = [before, after].map(|runs| {
        let values: Vec<f64> = runs.iter().filter_map(|run| value(what, run)).collect();
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    });
    let pairs = before.iter().zip(after);
    let differences: Vec<f64> = pairs
        .filter_map(|(before, after)| Some(value(what, after)? - value(what, before)?))
        .collect();
    means.iter().any(Option::is_some).then(|| PairedFigure {
        what,
        means,
        difference: paired::difference(&differences),
    })
}

fn value(what: What, run: &Run) -> Option<f64> {
    let seconds = |at: crate::time::Timestamp| at.as_secs_f64();
    match what {
        What::Probability(outcome) => Some(f64::from(u8::from(run.outcome == outcome))),
        What::Decided => run.decided_at.map(seconds),
        What::Detection if run.outcome == Outcome::RolledBack => run.decided_at.map(seconds),
        What::Detection => None,
        What::Finished => run.finished_at.map(seconds),
        What::FailedRequests => Some(run.requests.failed as f64),
        What::CanaryRequests => Some(run.requests.canary as f64),
        What::LatencyP99 => run.latency_p99_us.map(|us| us as f64 / 1000.0),
    }
}
