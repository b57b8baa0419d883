//! Which failure rates an analysis can see: the probability of a rollback as a function of the share of requests that the
//! new version fails.
//!
//! Two numbers say most of it: the smallest rate that is caught as often as wanted (the minimum detectable failure rate),
//! and the one from which releases are rolled back more often than wanted, which is where false rollbacks start. All rates
//! meet the same seeds. Between two rates the curve is taken to be straight over the logarithm of the rate.

use std::ops::Range;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::Outcome;
use crate::sim::Brief;
use crate::study::stats::{Z95, wilson};

use super::forecast::Spread;
use super::tune::Traffic;

/// Version of the shape of [`Power`].
pub const POWER_VERSION: u32 = 1;

/// Rates that are tried first.
const FIRST: [f64; 12] = [
    0.0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0,
];
/// Times that the intervals around what is looked for are divided, and into how many parts.
const PASSES: usize = 2;
const PARTS: usize = 4;

/// What an analysis can see. Shares are fractions, times (keys ending in `_s`) seconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "rollcast power")]
pub struct Power {
    /// Version of this shape.
    pub power_version: u32,
    /// Version of rollcast.
    pub rollcast_version: String,
    /// Name of the scenario.
    pub scenario: String,
    /// `<canary>.<namespace>`.
    pub canary: String,
    /// The version whose failures are varied.
    pub version: String,
    /// Seed of the first run of every rate; each other has the next one.
    pub first_seed: u64,
    /// Runs of each rate.
    pub runs: u64,
    /// How requests were simulated.
    pub traffic: Traffic,
    /// What the analysis asks for, as it is written: `request-success-rate at least 99`.
    pub bounds: Vec<String>,
    /// The curve, by rate.
    pub points: Vec<Point>,
    /// The smallest rate that is rolled back as often as wanted; null where none is.
    pub detectable: Option<Crossing>,
    /// The share that is wanted.
    pub power: f64,
    /// The rate from which releases are rolled back more often than wanted; null where none is.
    pub false_from: Option<Crossing>,
    /// The share that is too much.
    pub false_share: f64,
    /// Where one half is rolled back.
    pub even: Option<Crossing>,
}

/// A failure rate and what comes of it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Point {
    /// Share of its requests that the version fails.
    pub failure_rate: f64,
    /// Runs that were rolled back.
    pub rolled_back: u64,
    /// Their share.
    pub p: f64,
    /// Lower end of its 95 % interval (Wilson's).
    pub lo: f64,
    /// Upper end.
    pub hi: f64,
    /// Median time to the rollback.
    pub decided_s: Option<f64>,
}

/// A rate at which the curve reaches a share.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Crossing {
    /// The rate; 0 where it is reached without any failure.
    pub failure_rate: f64,
    /// Where the upper ends of the intervals reach the share.
    pub lo: f64,
    /// Where the lower ends do; null where they do not.
    pub hi: Option<f64>,
}

/// Runs a version that fails this share of its requests, on the seeds of these indices.
pub trait Bench {
    /// Why it could not.
    type Error;

    /// The runs, by rate.
    fn runs(&mut self, rates: &[f64], indices: Range<u64>) -> Result<Vec<Vec<Brief>>, Self::Error>;
}

/// The curve: rates spread over all of it, and closer where it passes the given shares.
pub fn curve<B: Bench>(bench: &mut B, runs: u64, shares: &[f64]) -> Result<Vec<Point>, B::Error> {
    let mut points = measured(bench, &FIRST, runs)?;
    for _ in 0..PASSES {
        let mut rates: Vec<f64> = shares
            .iter()
            .filter_map(|share| around(&points, *share))
            .flat_map(|(low, high)| between(low, high))
            .collect();
        rates.sort_by(f64::total_cmp);
        rates.dedup();
        points.extend(measured(bench, &rates, runs)?);
        points.sort_by(|a, b| a.failure_rate.total_cmp(&b.failure_rate));
    }
    Ok(points)
}

/// The rate from which on the curve stays at or above a share.
pub fn crossing(points: &[Point], share: f64) -> Option<Crossing> {
    let reached = |of: fn(&Point) -> f64| reached(points, share, of);
    Some(Crossing {
        failure_rate: reached(|point| point.p)?,
        lo: reached(|point| point.hi)?,
        hi: reached(|point| point.lo),
    })
}

fn reached(points: &[Point], share: f64, of: fn(&Point) -> f64) -> Option<f64> {
    let Some(below) = points.iter().rposition(|point| of(point) < share) else {
        return Some(points.first()?.failure_rate);
    };
    let (low, high) = (points[below], points.get(below + 1)?);
    let part = (share - of(&low)) / (of(high) - of(&low));
    let (from, to) = (low.failure_rate, high.failure_rate);
    Some(if from > 0.0 {
        from * libm::exp(part * libm::log(to / from))
    } else {
        from + part * (to - from)
    })
}

/// The neighbouring rates between which the curve passes a share for the last time.
fn around(points: &[Point], share: f64) -> Option<(f64, f64)> {
    let below = points.iter().rposition(|point| point.p < share)?;
    let above = points.get(below + 1)?;
    Some((points[below].failure_rate, above.failure_rate))
}

/// Rates that divide an interval, evenly in their logarithms where it does not begin with none; of at most five digits.
fn between(low: f64, high: f64) -> impl Iterator<Item = f64> {
    (1..PARTS).filter_map(move |part| {
        let part = part as f64 / PARTS as f64;
        let rate = if low > 0.0 {
            low * libm::exp(part * libm::log(high / low))
        } else {
            low + part * (high - low)
        };
        let rate = (rate * 1e5).round() / 1e5;
        (rate > low && rate < high).then_some(rate)
    })
}

fn measured<B: Bench>(bench: &mut B, rates: &[f64], runs: u64) -> Result<Vec<Point>, B::Error> {
    let found = bench.runs(rates, 0..runs)?;
    let points = rates.iter().zip(found);
    Ok(points.map(|(rate, runs)| point(*rate, &runs)).collect())
}

fn point(failure_rate: f64, runs: &[Brief]) -> Point {
    let back = || runs.iter().filter(|run| run.outcome == Outcome::RolledBack);
    let rolled_back = back().count() as u64;
    let share = wilson::interval(rolled_back, runs.len() as u64, Z95);
    let decided = back().filter_map(|run| Some(run.decided_at?.as_secs_f64()));
    Point {
        failure_rate,
        rolled_back,
        p: share.p,
        lo: share.lo,
        hi: share.hi,
        decided_s: Spread::of(decided).map(|spread| spread.median()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::RequestTotals;
    use crate::time::Span;

    /// Rolled back by the first so many of the seeds: a rate of r is caught in r / (r + half) of the runs.
    struct Law(f64);

    impl Bench for Law {
        type Error = std::convert::Infallible;

        fn runs(
            &mut self,
            rates: &[f64],
            indices: Range<u64>,
        ) -> Result<Vec<Vec<Brief>>, Self::Error> {
            let all = (indices.end - indices.start) as f64;
            let of = |rate: &f64| {
                let back = (rate / (rate + self.0) * all).round() as u64;
                let run = |index: u64| Brief {
                    outcome: if index < back {
                        Outcome::RolledBack
                    } else {
                        Outcome::Promoted
                    },
                    decided_at: None,
                    finished_at: None,
                    requests: RequestTotals::default(),
                    lasted: Span::ZERO,
                };
                indices.clone().map(run).collect()
            };
            Ok(rates.iter().map(of).collect())
        }
    }

    #[test]
    fn the_curve_is_closest_where_it_passes_what_is_looked_for() {
        let mut law = Law(0.01);
        let Ok(points) = curve(&mut law, 10_000, &[0.05, 0.95]);
        // r / (r + 0.01) is 0.05 at 0.000526, 0.5 at 0.01 and 0.95 at 0.19.
        for (share, rate, tolerance) in [
            (0.05, 0.000_526, 0.03),
            (0.5, 0.01, 0.02),
            (0.95, 0.19, 0.01),
        ] {
            let found = crossing(&points, share).unwrap();
            let off = (found.failure_rate / rate - 1.0).abs();
            assert!(off < tolerance, "{share}: {found:?}");
            let hi = found.hi.unwrap();
            assert!(
                found.lo < found.failure_rate && found.failure_rate < hi,
                "{found:?}"
            );
        }
        let rates: Vec<f64> = points.iter().map(|point| point.failure_rate).collect();
        assert!(rates.is_sorted_by(|a, b| a < b), "{rates:?}");
        let near = |low: f64, high: f64| rates.iter().filter(|r| (low..high).contains(*r)).count();
        assert!(near(0.18, 0.2) >= 2 && near(0.02, 0.05) == 1, "{rates:?}");
    }

    #[test]
    fn what_is_never_reached_has_no_rate_and_what_is_always_there_has_none_either() {
        let mut law = Law(0.5);
        let Ok(points) = curve(&mut law, 1000, &[0.95]);
        assert_eq!(crossing(&points, 0.95), None);
        let mut law = Law(0.0);
        let Ok(mut points) = curve(&mut law, 1000, &[0.95]);
        points.remove(0);
        let first = points[0].failure_rate;
        assert_eq!(crossing(&points, 0.5).unwrap().failure_rate, first);
    }
}
