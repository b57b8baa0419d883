//! The summary that `predict --format json` prints and `forecast.json` holds. Its keys are a contract, committed as
//! `schema/forecast.schema.json`. Times are seconds, shares fractions; what no run has is null.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema};
use serde::Serialize;

use crate::canary::{Provider, Rules};
use crate::record::Outcome;
use crate::study::forecast::{self, Counted, Forecast, Spread, Tail};

/// Many runs in short.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "rollcast forecast of many runs")]
pub struct Summary<'a> {
    /// Name of the scenario.
    pub scenario: &'a str,
    /// `<canary>.<namespace>`.
    pub canary: &'a str,
    /// How thresholds were read.
    pub rules: Rules,
    /// What realised the weights.
    pub provider: Option<Provider>,
    /// Seed of the first run; each other has the next one.
    pub first_seed: u64,
    /// How many there are.
    pub runs: u64,
    /// How many were asked for.
    pub planned: u64,
    /// How the runs ended: every outcome, by its name.
    pub outcomes: BTreeMap<&'static str, Share>,
    /// From the detection of the new revision to the decision, of all runs that were decided.
    pub decided_at_s: Option<Times>,
    /// The same of the runs that were rolled back.
    pub rolled_back_at_s: Option<Times>,
    /// From the detection to the end of the promotion, of the runs that were promoted.
    pub promoted_at_s: Option<Times>,
    /// Whose check failed last before the rollback, among the runs that were rolled back; the key is empty where no check
    /// had failed.
    pub decided_by: BTreeMap<String, Share>,
    /// Requests of a run, from time zero to its end.
    pub requests: Requests,
    /// 99 % of a run's requests were at most so slow.
    pub latency_p99_ms: Option<Values>,
    /// Share of the error budget that a run used up; null where no objective was given.
    pub error_budget: Option<Budget>,
    /// Seeds of runs worth a second look.
    pub tails: BTreeMap<&'static str, u64>,
}

/// How often something was so.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
pub struct Share {
    /// Runs.
    pub count: u64,
    /// Their share.
    pub p: f64,
    /// Lower end of its 95 % interval (Wilson's).
    pub lo: f64,
    /// Upper end.
    pub hi: f64,
}

/// Times, as quantiles with 95 % intervals of order statistics.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Times {
    /// How many.
    pub count: u64,
    /// Mean.
    pub mean: f64,
    /// The smallest.
    pub min: f64,
    /// 5 % are at most this.
    pub p05: f64,
    /// A quarter.
    pub p25: f64,
    /// Half.
    pub p50: f64,
    /// Three quarters.
    pub p75: f64,
    /// 95 %.
    pub p95: f64,
    /// The largest.
    pub max: f64,
    /// Both ends of each quantile's interval; null where there are too few runs for one.
    pub intervals: BTreeMap<&'static str, [Option<f64>; 2]>,
}

/// A number of each run.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Values {
    /// Mean.
    pub mean: f64,
    /// 5 % are at most this.
    pub p05: f64,
    /// Half.
    pub p50: f64,
    /// 95 %.
    pub p95: f64,
    /// The largest.
    pub max: f64,
}

/// Requests of a run.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Requests {
    /// All.
    pub total: Option<Values>,
    /// Failed.
    pub failed: Option<Values>,
    /// Served by the canary's pods (exposure).
    pub canary: Option<Values>,
    /// Of these, failed.
    pub canary_failed: Option<Values>,
}

/// An error budget.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Budget {
    /// The objective: share of requests that must not fail.
    pub objective: f64,
    /// The time that the budget is meant to last.
    pub period_s: f64,
    /// Share of it used up by one run; above 1 it is overdrawn.
    pub used: Option<Values>,
}

const NAMES: [&str; 5] = ["p05", "p25", "p50", "p75", "p95"];

/// The summary of a forecast.
pub fn summary(forecast: &Forecast) -> Summary<'_> {
    let (subject, runs) = (&forecast.subject, &forecast.runs);
    let requests = |value: fn(&crate::record::RequestTotals) -> u64| {
        values(forecast::each(
            runs,
            |run| Some(value(&run.requests) as f64),
        ))
    };
    let rolled_back = |outcome| outcome == Outcome::RolledBack;
    let tail = |tail: Tail| Some((tail.as_str(), forecast::tail(runs, tail)?.seed));
    Summary {
        scenario: &subject.scenario,
        canary: &subject.canary,
        rules: subject.rules,
        provider: subject.provider,
        first_seed: subject.first_seed,
        runs: runs.len() as u64,
        planned: forecast.planned,
        outcomes: forecast::outcomes(runs)
            .into_iter()
            .map(|(outcome, counted)| (outcome.as_str(), share(counted)))
            .collect(),
        decided_at_s: forecast::decided_at(runs, |_| true).map(times),
        rolled_back_at_s: forecast::decided_at(runs, rolled_back).map(times),
        promoted_at_s: forecast::promoted_at(runs).map(times),
        decided_by: forecast::deciders(runs)
            .into_iter()
            .map(|(metric, counted)| (metric.unwrap_or_default(), share(counted)))
            .collect(),
        requests: Requests {
            total: requests(|r| r.total),
            failed: requests(|r| r.failed),
            canary: requests(|r| r.canary),
            canary_failed: requests(|r| r.canary_failed),
        },
        latency_p99_ms: values(forecast::each(runs, |run| {
            run.latency_p99_us.map(|us| us as f64 / 1000.0)
        })),
        error_budget: subject.objective.map(|objective| Budget {
            objective: 1.0 - f64::from(objective.failures_per_million) / 1e6,
            period_s: objective.period.as_secs_f64(),
            used: values(forecast::each(runs, |run| forecast::budget(run, objective))),
        }),
        tails: Tail::ALL.into_iter().filter_map(tail).collect(),
    }
}

/// The summary as it is printed: indented, a line break at the end.
pub fn render(forecast: &Forecast) -> serde_json::Result<String> {
    let mut text = serde_json::to_string_pretty(&summary(forecast))?;
    text.push('\n');
    Ok(text)
}

/// The JSON Schema of [`Summary`].
pub fn schema() -> Schema {
    schemars::schema_for!(Summary<'static>)
}

fn share(counted: Counted) -> Share {
    Share {
        count: counted.count,
        p: counted.share.p,
        lo: counted.share.lo,
        hi: counted.share.hi,
    }
}

fn times(spread: Spread) -> Times {
    let [p05, p25, p50, p75, p95] = spread.quantiles.map(|quantile| quantile.value);
    let intervals = spread.quantiles.map(|quantile| [quantile.lo, quantile.hi]);
    Times {
        count: spread.count,
        mean: spread.mean,
        min: spread.min,
        p05,
        p25,
        p50,
        p75,
        p95,
        max: spread.max,
        intervals: NAMES.into_iter().zip(intervals).collect(),
    }
}

fn values(spread: Option<Spread>) -> Option<Values> {
    let spread = spread?;
    Some(Values {
        mean: spread.mean,
        p05: spread.quantiles[0].value,
        p50: spread.median(),
        p95: spread.quantiles[4].value,
        max: spread.max,
    })
}
