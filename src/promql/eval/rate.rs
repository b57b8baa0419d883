//! How fast a series grows: `rate`, `increase`, `delta`, `irate`, `idelta` (`extrapolatedRate` and `instantValue` in
//! `promql/functions.go`).

use super::over_time::Window;
use crate::promql::{Options, Version};

/// Which of the three extrapolating functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Growth {
    Rate,
    Increase,
    Delta,
}

/// A function and the window it extrapolates to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extrapolation {
    growth: Growth,
    start_ms: i64,
    end_ms: i64,
    range_seconds: f64,
    /// Before 2.51 the zero limit came before the extrapolation threshold.
    zero_limit_first: bool,
}

impl Extrapolation {
    pub(super) fn new(growth: Growth, end_ms: i64, range_ms: i64, options: &Options) -> Self {
        Extrapolation {
            growth,
            start_ms: end_ms.saturating_sub(range_ms),
            end_ms,
            range_seconds: seconds(range_ms),
            zero_limit_first: options.version == Version::V2_42,
        }
    }

    /// The growth over the window, if it holds two samples.
    #[inline]
    pub(super) fn of(&self, window: &Window<'_>) -> Option<f64> {
        let (times, values) = (window.times, window.values);
        let [first, .., last] = values else {
            return None;
        };
        let counter = self.growth != Growth::Delta;
        let mut result = last - first;
        if counter && !window.never_falls {
            for pair in values.windows(2) {
                if pair[1] < pair[0] {
                    result += pair[0];
                }
            }
        }
        let first_ms = times[0].as_millis();
        let last_ms = times[times.len() - 1].as_millis();
        let mut to_start = seconds(first_ms - self.start_ms);
        let mut to_end = seconds(self.end_ms - last_ms);
        let sampled = seconds(last_ms - first_ms);
        let average = sampled / (values.len() - 1) as f64;
        let threshold = average * 1.1;
        // A counter cannot have been below zero: its line is not drawn back beyond the point where it crosses zero.
        let zero_limited = |to_start: f64| {
            if counter && result > 0.0 && *first >= 0.0 {
                let to_zero = sampled * (first / result);
                if to_zero < to_start {
                    to_zero
                } else {
                    to_start
                }
            } else {
                to_start
            }
        };
        // Samples that begin or end farther from the edge than their spacing suggests: half a spacing is assumed.
        let bounded = |distance: f64| {
            if distance >= threshold {
                average / 2.0
            } else {
                distance
            }
        };
        to_start = if self.zero_limit_first {
            bounded(zero_limited(to_start))
        } else {
            zero_limited(bounded(to_start))
        };
        to_end = bounded(to_end);
        let mut factor = (sampled + to_start + to_end) / sampled;
        if self.growth == Growth::Rate {
            factor /= self.range_seconds;
        }
        Some(result * factor)
    }
}

/// `irate` (per second, a fall counts from zero) or `idelta`: the last two samples.
pub(super) fn of_last_two(window: &Window<'_>, per_second: bool) -> Option<f64> {
    let n = window.values.len();
    let [.., before, last] = window.values else {
        return None;
    };
    let between = window.times[n - 1] - window.times[n - 2];
    let fell = last < before;
    let growth = if per_second && fell {
        *last
    } else {
        last - before
    };
    Some(if per_second {
        growth / seconds(between.as_millis())
    } else {
        growth
    })
}

fn seconds(ms: i64) -> f64 {
    ms as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    /// Confirmed with Prometheus 2.42's promtool.
    #[test]
    fn a_series_that_starts_in_the_window_shows_the_order_of_the_two_limits() {
        let times = [30, 45, 60].map(Timestamp::from_secs);
        let window = Window {
            times: &times,
            values: &[6.0, 12.0, 18.0],
            never_falls: true,
        };
        for (version, expected) in [
            (Version::V2_42, 0.36666666666666664),
            (Version::V2_53, 0.31666666666666665),
            (Version::V3, 0.31666666666666665),
        ] {
            let options = Options {
                version,
                ..Options::default()
            };
            let rate = Extrapolation::new(Growth::Rate, 70_000, 60_000, &options).of(&window);
            assert!(
                (rate.unwrap() - expected).abs() < 1e-15,
                "{version:?}: {rate:?}"
            );
        }
    }

    #[test]
    fn a_fall_adds_what_was_there_before_it() {
        let times = [15, 30, 45, 60].map(Timestamp::from_secs);
        let window = Window {
            times: &times,
            values: &[10.0, 20.0, 5.0, 10.0],
            never_falls: false,
        };
        let of =
            |growth| Extrapolation::new(growth, 60_000, 45_000, &Options::default()).of(&window);
        assert_eq!(of(Growth::Increase), Some(20.0));
        assert_eq!(of(Growth::Delta), Some(0.0));
        assert_eq!(of_last_two(&window, true), Some(5.0 / 15.0));
    }
}
