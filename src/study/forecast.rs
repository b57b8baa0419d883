//! What many runs come to: how sure each outcome is, when it is decided and by what, and what users pay.
//!
//! Shares have Wilson intervals, quantiles have intervals of order statistics: both at 95 %, for the randomness of the
//! runs alone. How well the scenario is like the cluster is another question.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::canary::{Provider, Rules};
use crate::record::{Outcome, RequestTotals};
use crate::time::{Span, Timestamp};

use super::monte_carlo::Run;
use super::stats::Z95;
use super::stats::quantile::{Quantile, quantile};
use super::stats::wilson::{self, Share};

/// All outcomes, in the order in which they are shown.
pub const OUTCOMES: [Outcome; 5] = [
    Outcome::Promoted,
    Outcome::RolledBack,
    Outcome::PromotionFailed,
    Outcome::Undecided,
    Outcome::NotStarted,
];

/// Many runs, and what they are runs of.
#[derive(Clone, Debug, PartialEq)]
pub struct Forecast {
    /// What was run.
    pub subject: Subject,
    /// How many runs were asked for; more than there are where someone ended it early.
    pub planned: u64,
    /// The runs, in the order of their seeds.
    pub runs: Vec<Run>,
}

/// What was run: as much of a scenario as a forecast shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Subject {
    /// Name of the scenario.
    pub scenario: String,
    /// Its title; may be empty.
    pub title: String,
    /// `<canary>.<namespace>`.
    pub canary: String,
    /// How thresholds were read.
    pub rules: Rules,
    /// What realised the weights.
    pub provider: Option<Provider>,
    /// The analysis interval, in milliseconds.
    pub interval: Span,
    /// Seed of the run with index 0.
    pub first_seed: u64,
    /// Width of the bins of [`Run::bins`], in milliseconds.
    pub bin: Span,
    /// What the error budget is counted against.
    pub objective: Option<Objective>,
    /// What simulates it once, but for the seed.
    pub command: String,
    /// SHA-256 of the effective scenario: runs with another do not belong together.
    pub digest: String,
}

/// How often something was so, among how many runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Counted {
    /// So many runs.
    pub count: u64,
    /// Their share with its interval.
    pub share: Share,
}

/// A list of values as their mean and quantiles.
#[derive(Clone, Debug, PartialEq)]
pub struct Spread {
    /// How many values there are.
    pub count: u64,
    /// Their mean.
    pub mean: f64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
    /// At 5, 25, 50, 75 and 95 %.
    pub quantiles: [Quantile<f64>; 5],
}

/// Where the quantiles of a [`Spread`] are.
pub const QUANTILES: [f64; 5] = [0.05, 0.25, 0.5, 0.75, 0.95];

impl Spread {
    /// Of values in any order; `None` of none.
    pub fn of(values: impl Iterator<Item = f64>) -> Option<Spread> {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let quantiles: Option<Vec<_>> = QUANTILES.iter().map(|q| quantile(&values, *q)).collect();
        Some(Spread {
            count: values.len() as u64,
            mean: values.iter().sum::<f64>() / values.len() as f64,
            min,
            max,
            quantiles: quantiles?.try_into().ok()?,
        })
    }

    /// The middle one.
    pub fn median(&self) -> f64 {
        self.quantiles[2].value
    }
}

/// Runs with these outcomes, in the order of [`OUTCOMES`].
pub fn outcomes(runs: &[Run]) -> [(Outcome, Counted); 5] {
    OUTCOMES.map(|outcome| {
        let count = runs.iter().filter(|run| run.outcome == outcome).count() as u64;
        (outcome, counted(count, runs.len() as u64))
    })
}

/// The widest interval of any outcome.
pub fn widest(runs: &[Run]) -> f64 {
    let widths = outcomes(runs).map(|(_, counted)| counted.share.width());
    widths.into_iter().fold(0.0, f64::max)
}

/// What decided the rollbacks: a metric's name, or `None` where no check had failed (the progress deadline, a webhook);
/// the most frequent first.
pub fn deciders(runs: &[Run]) -> Vec<(Option<String>, Counted)> {
    let mut counts: BTreeMap<Option<&str>, u64> = BTreeMap::new();
    let mut all = 0;
    for run in runs.iter().filter(|run| run.outcome == Outcome::RolledBack) {
        *counts.entry(run.decided_by.as_deref()).or_default() += 1;
        all += 1;
    }
    let mut deciders: Vec<_> = counts
        .into_iter()
        .map(|(name, count)| (name.map(str::to_owned), counted(count, all)))
        .collect();
    deciders.sort_by_key(|(_, counted)| std::cmp::Reverse(counted.count));
    deciders
}

/// Seconds from detection to the decision, of the runs for which `of` holds.
pub fn decided_at(runs: &[Run], of: impl Fn(Outcome) -> bool) -> Option<Spread> {
    let decided = runs.iter().filter(|run| of(run.outcome));
    Spread::of(decided.filter_map(|run| run.decided_at).map(seconds))
}

/// Seconds from detection to the end of a promotion.
pub fn promoted_at(runs: &[Run]) -> Option<Spread> {
    let promoted = runs.iter().filter(|run| run.outcome == Outcome::Promoted);
    Spread::of(promoted.filter_map(|run| run.finished_at).map(seconds))
}

/// A number of each run.
pub fn each(runs: &[Run], value: impl Fn(&Run) -> Option<f64>) -> Option<Spread> {
    Spread::of(runs.iter().filter_map(value))
}

/// A service level objective, and the time over which its error budget is meant to last.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Objective {
    /// Requests of a million that may fail.
    pub failures_per_million: u32,
    /// The time over which that is counted.
    pub period: Span,
}

/// Share of the error budget that a run used up: its failed requests, of those that the objective allows in its period at
/// the run's mean rate. `None` without requests.
pub fn budget(run: &Run, objective: Objective) -> Option<f64> {
    budget_of(run.requests, run.lasted, objective)
}

/// The same of requests that came within a time.
pub fn budget_of(requests: RequestTotals, lasted: Span, objective: Objective) -> Option<f64> {
    let lasted = lasted.as_secs_f64();
    if requests.total == 0 || lasted <= 0.0 {
        return None;
    }
    let rate = requests.total as f64 / lasted;
    let share = f64::from(objective.failures_per_million) / 1e6;
    let allowed = share * rate * objective.period.as_secs_f64();
    Some(requests.failed as f64 / allowed)
}

/// A run worth a second look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tail {
    /// Most failed requests.
    Worst,
    /// Decided last.
    Slowest,
    /// Decided first.
    Fastest,
    /// The first of the rarest outcome, where there are several.
    Rarest,
}

impl Tail {
    /// All of them.
    pub const ALL: [Tail; 4] = [Tail::Worst, Tail::Slowest, Tail::Fastest, Tail::Rarest];

    /// As the command line writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Tail::Worst => "worst",
            Tail::Slowest => "slowest",
            Tail::Fastest => "fastest",
            Tail::Rarest => "rarest",
        }
    }
}

/// The run at that end; of several the one with the lowest index.
pub fn tail(runs: &[Run], which: Tail) -> Option<&Run> {
    // `max_by_key` takes the last of equals and `min_by_key` the first: hence the reversal.
    match which {
        Tail::Worst => runs.iter().rev().max_by_key(|run| run.requests.failed),
        Tail::Slowest => {
            let decided = runs.iter().rev().filter(|run| run.decided_at.is_some());
            decided.max_by_key(|run| run.decided_at)
        }
        Tail::Fastest => {
            let decided = runs.iter().filter(|run| run.decided_at.is_some());
            decided.min_by_key(|run| run.decided_at)
        }
        Tail::Rarest => {
            let met = outcomes(runs);
            let mut met = met.iter().filter(|(_, counted)| counted.count > 0);
            let (rarest, _) = met.clone().min_by_key(|(_, counted)| counted.count)?;
            met.nth(1)?;
            runs.iter().find(|run| run.outcome == *rarest)
        }
    }
}

/// Quantiles of the users' success rate over time, bin by bin, over the runs that had requests in it.
pub fn fan(runs: &[Run]) -> Vec<Option<[f64; 5]>> {
    let longest = runs.iter().map(|run| run.bins.len()).max().unwrap_or(0);
    let rate = |(requests, failed): (u64, u64)| {
        (requests > 0).then(|| 1.0 - failed.min(requests) as f64 / requests as f64)
    };
    (0..longest)
        .map(|at| {
            let bins = runs.iter().filter_map(|run| run.bins.get(at).copied());
            let spread = Spread::of(bins.filter_map(rate))?;
            Some(spread.quantiles.map(|quantile| quantile.value))
        })
        .collect()
}

fn counted(count: u64, of: u64) -> Counted {
    Counted {
        count,
        share: wilson::interval(count, of, Z95),
    }
}

fn seconds(at: Timestamp) -> f64 {
    at.as_secs_f64()
}
