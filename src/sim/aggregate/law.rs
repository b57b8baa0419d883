//! How likely a pod's answer is of which status and falls into which bucket.

use std::sync::Arc;

use crate::sim::ingress::{BUCKET_BOUNDS, BUCKETS};
use crate::sim::sampling::{TableIx, Tables};

/// One distribution of service times, as the ingress' histogram sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Times {
    /// Probability of each bucket.
    pub(super) buckets: [f64; BUCKETS],
    /// Mean and variance in milliseconds inside each bucket.
    pub(super) mean_ms: [f64; BUCKETS],
    pub(super) variance: [f64; BUCKETS],
}

/// All versions' service times, of requests that succeed and of those that fail.
#[derive(Clone, Debug)]
pub(in crate::sim) struct Laws(Arc<[[Times; 2]]>);

impl Laws {
    pub(super) fn of(&self, version: u32) -> &[Times; 2] {
        &self.0[version as usize]
    }
}

/// Reads the buckets of all versions off their tables.
pub(in crate::sim) fn laws(tables: &Tables, versions: &[[TableIx; 2]]) -> Laws {
    let times = |both: &[TableIx; 2]| both.map(|table| Times::of(tables, table));
    Laws(versions.iter().map(times).collect())
}

impl Times {
    fn of(tables: &Tables, table: TableIx) -> Times {
        let mut times = Times::default();
        let mut squares = [0.0; BUCKETS];
        for (weight, left, right) in tables.pieces(table) {
            let (left, right) = (left / 1e6, right / 1e6);
            let middle = (left + right) / 2.0;
            let mut below = 0.0;
            for (bucket, square) in squares.iter_mut().enumerate() {
                let upto = match BUCKET_BOUNDS.get(bucket) {
                    Some(bound) => reported_below(bound * 1000.0, left, right),
                    None => 1.0,
                };
                let part = weight * (upto - below);
                below = upto;
                times.buckets[bucket] += part;
                times.mean_ms[bucket] += part * middle;
                *square += part * middle * middle;
            }
        }
        for ((mean, square), (variance, share)) in (times.mean_ms.iter_mut().zip(squares))
            .zip(times.variance.iter_mut().zip(times.buckets))
        {
            if share > 0.0 {
                *mean /= share;
                *variance = (square / share - *mean * *mean).max(0.0);
            }
        }
        times
    }
}

/// Share of the times between two, evenly spread, that nginx reports as at most `bound` whole milliseconds.
///
/// It reports the difference of two clock readings that are each cut off: a time x as its whole part, or one more as often as
/// its fraction says. So all up to the bound are below it, and of those up to a millisecond more a falling share.
fn reported_below(bound: f64, left: f64, right: f64) -> f64 {
    if right - left < 1e-9 {
        return (bound + 1.0 - left).clamp(0.0, 1.0);
    }
    // Integral of that share from minus infinity, up to a constant.
    let integral = |x: f64| {
        let past = (x - bound).clamp(0.0, 1.0);
        x.min(bound) + past - past * past / 2.0
    };
    ((integral(right) - integral(left)) / (right - left)).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Distribution;

    #[test]
    fn buckets_add_up_and_a_time_on_a_bound_is_reported_below_it() {
        let distributions = [
            Distribution::Constant { ns: 25_000_000 },
            Distribution::Constant { ns: 25_400_000 },
            Distribution::Lognormal {
                median_ns: 20_000_000,
                sigma: 0.5,
            },
            Distribution::Exponential {
                mean_ns: 20_000_000,
            },
        ];
        let (tables, indices) = Tables::compile(&distributions);
        let times: Vec<Times> = indices
            .iter()
            .map(|table| Times::of(&tables, *table))
            .collect();
        for times in &times {
            let all: f64 = times.buckets.iter().sum();
            assert!((all - 1.0).abs() < 1e-6, "{all}");
        }
        assert!((times[0].buckets[2] - 1.0).abs() < 1e-6);
        assert!((times[1].buckets[2] - 0.6).abs() < 1e-6, "{:?}", times[1]);
        let mean: f64 = (times[3].buckets.iter().zip(times[3].mean_ms))
            .map(|(share, mean)| share * mean)
            .sum();
        assert!((mean - 20.0).abs() < 0.01, "{mean}");
    }
}
