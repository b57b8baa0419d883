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
#[derive(Clone, Debug)]
pub(super) struct Extrapolation {
    growth: Growth,
    start_ms: i64,
    end_ms: i64,
    range_seconds: f64,
    /// Before 2.51 the zero limit came before the extrapolation threshold.
    zero_limit_first: bool,
    /// Of the series before this one: those of one target nearly always have the same.
    spacing: Spacing,
}

/// When a series' samples in the window were taken, and what follows from that alone.
#[derive(Clone, Debug, Default)]
struct Spacing {
    first_ms: i64,
    last_ms: i64,
    /// 0 before the first series.
    samples: usize,
    /// Seconds from the first sample to the last.
    sampled: f64,
    /// Seconds between samples on average.
    average: f64,
    /// Seconds from the window's start to the first sample, as far as they are extrapolated over, and before that was decided.
    to_start: f64,
    to_start_raw: f64,
    to_end: f64,
    /// What the growth between the samples is multiplied by.
    factor: f64,
}

impl Extrapolation {
    pub(super) fn new(growth: Growth, end_ms: i64, range_ms: i64, options: &Options) -> Self {
        Extrapolation {
            growth,
            start_ms: end_ms.saturating_sub(range_ms),
            end_ms,
            range_seconds: seconds(range_ms),
            zero_limit_first: options.version == Version::V2_42,
            spacing: Spacing::default(),
        }
    }

    /// The growth over the window, if it holds two samples.
    #[inline]
    pub(super) fn of(&mut self, window: &Window<'_>) -> Option<f64> {
        let values = window.values;
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
        self.look_at_times(window);
        let spacing = &self.spacing;
        let mut factor = spacing.factor;
        // A counter cannot have been below zero: its line is not drawn back beyond the point where it crosses zero. That
        // point lies before the samples' own length back where the counter began above what it grew by, and needs no
        // working out there.
        let limited = counter && result > 0.0 && *first >= 0.0;
        if limited && !(*first >= result && spacing.to_start_raw <= spacing.sampled) {
            let to_zero = spacing.sampled * (first / result);
            if self.zero_limit_first && to_zero < spacing.to_start_raw {
                factor = self.factor(spacing.bounded(to_zero));
            } else if !self.zero_limit_first && to_zero < spacing.to_start {
                factor = self.factor(to_zero);
            }
        }
        Some(result * factor)
    }

    /// Works out the spacing, unless it is that of the series before.
    #[inline]
    fn look_at_times(&mut self, window: &Window<'_>) {
        let samples = window.times.len();
        let first_ms = window.times[0].as_millis();
        let last_ms = window.times[samples - 1].as_millis();
        let known = &self.spacing;
        if known.samples == samples && known.first_ms == first_ms && known.last_ms == last_ms {
            return;
        }
        let sampled = seconds(last_ms - first_ms);
        let mut spacing = Spacing {
            first_ms,
            last_ms,
            samples,
            sampled,
            average: sampled / (samples - 1) as f64,
            to_start_raw: seconds(first_ms - self.start_ms),
            ..Spacing::default()
        };
        spacing.to_start = spacing.bounded(spacing.to_start_raw);
        spacing.to_end = spacing.bounded(seconds(self.end_ms - last_ms));
        self.spacing = spacing;
        self.spacing.factor = self.factor(self.spacing.to_start);
    }

    fn factor(&self, to_start: f64) -> f64 {
        let spacing = &self.spacing;
        let factor = (spacing.sampled + to_start + spacing.to_end) / spacing.sampled;
        match self.growth {
            Growth::Rate => factor / self.range_seconds,
            Growth::Increase | Growth::Delta => factor,
        }
    }
}

impl Spacing {
    /// Samples that begin or end farther from the edge than their spacing suggests are extrapolated by half a spacing.
    fn bounded(&self, distance: f64) -> f64 {
        if distance >= self.average * 1.1 {
            self.average / 2.0
        } else {
            distance
        }
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
