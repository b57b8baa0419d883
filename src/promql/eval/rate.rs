//! How fast a series grows: `rate`, `increase`, `delta`, `irate`, `idelta` (`extrapolatedRate` and `instantValue` in
//! `promql/functions.go`).

use super::over_time::Window;
use super::selector::Selected;
use super::steps::Points;
use crate::promql::{Options, Version};
use crate::time::Timestamp;
use crate::tsdb::{Rows, Table};

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
}

/// When a series' samples in the window were taken, and what follows from that alone.
struct Spacing {
    /// Seconds from the first sample to the last, and between samples on average.
    sampled: f64,
    average: f64,
    /// Seconds from the window's start to the first sample; how many of them are extrapolated over, as far as spacing decides.
    to_first: f64,
    to_start: f64,
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
        }
    }

    /// The growth over the window, if it holds two samples.
    pub(super) fn of(&self, window: &Window<'_>) -> Option<f64> {
        let [first, .., last] = window.values else {
            return None;
        };
        let mut result = last - first;
        if self.growth != Growth::Delta {
            for pair in window.values.windows(2) {
                if pair[1] < pair[0] {
                    result += pair[0];
                }
            }
        }
        let spacing = self.spacing(window.times);
        Some(result * self.factor_for(*first, result, &spacing))
    }

    /// The growth of series of one target, read from the store: where a series rose through the whole window two cells and the
    /// target's spacing are enough, where it fell the cells before, and only where samples are missing all of them.
    pub(super) fn of_run(
        &self,
        table: &Table<'_>,
        rows: &Rows,
        run: &[Selected],
        scratch: &mut Points,
        push: &mut impl FnMut(&Selected, Option<f64>),
    ) {
        if rows.len() < 2 {
            return;
        }
        let (first_row, last_row) = (table.row(rows.start), table.row(rows.end - 1));
        let spacing = self.spacing(table.times(rows));
        for series in run {
            let slot = series.id.slot();
            if table.rises_through(series.id, rows) {
                let first = first_row[slot];
                let result = last_row[slot] - first;
                push(
                    series,
                    Some(result * self.factor_for(first, result, &spacing)),
                );
                continue;
            }
            let column = table.column(series.id);
            let own = column.within(rows);
            if own.len() < 2 {
                continue;
            }
            if column.has_holes(&own) {
                scratch.read(table, series.id, &own);
                push(series, self.of(&scratch.window()));
                continue;
            }
            let first = column.value(own.start);
            let mut result = column.value(own.end - 1) - first;
            if self.growth != Growth::Delta {
                for row in column.falls(&own) {
                    result += column.value(*row as usize - 1);
                }
            }
            let factor = if own == *rows {
                self.factor_for(first, result, &spacing)
            } else {
                self.factor_for(first, result, &self.spacing(table.times(&own)))
            };
            push(series, Some(result * factor));
        }
    }

    /// What the growth of a series is multiplied by that began at `first` and grew by `result`.
    #[inline]
    fn factor_for(&self, first: f64, result: f64, spacing: &Spacing) -> f64 {
        // A counter cannot have been below zero: its line is not drawn back beyond the point where it crosses zero. Where it
        // began above what it grew by, that point lies at least as far back as the samples reach forward, and needs no
        // working out if that is farther than the window.
        let limited = self.growth != Growth::Delta && result > 0.0 && first >= 0.0;
        if !limited || first >= result && spacing.to_first <= spacing.sampled {
            return spacing.factor;
        }
        let to_zero = spacing.sampled * (first / result);
        if self.zero_limit_first && to_zero < spacing.to_first {
            self.factor(spacing.bounded(to_zero), spacing)
        } else if !self.zero_limit_first && to_zero < spacing.to_start {
            self.factor(to_zero, spacing)
        } else {
            spacing.factor
        }
    }

    /// The spacing of at least two samples.
    fn spacing(&self, times: &[Timestamp]) -> Spacing {
        let (first_ms, last_ms) = (times[0].as_millis(), times[times.len() - 1].as_millis());
        let sampled = seconds(last_ms - first_ms);
        let mut spacing = Spacing {
            sampled,
            average: sampled / (times.len() - 1) as f64,
            to_first: seconds(first_ms - self.start_ms),
            to_start: 0.0,
            to_end: 0.0,
            factor: 0.0,
        };
        spacing.to_start = spacing.bounded(spacing.to_first);
        spacing.to_end = spacing.bounded(seconds(self.end_ms - last_ms));
        spacing.factor = self.factor(spacing.to_start, &spacing);
        spacing
    }

    fn factor(&self, to_start: f64, spacing: &Spacing) -> f64 {
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

    /// Confirmed with Prometheus 2.42's promtool.
    #[test]
    fn a_series_that_starts_in_the_window_shows_the_order_of_the_two_limits() {
        let times = [30, 45, 60].map(Timestamp::from_secs);
        let window = Window {
            times: &times,
            values: &[6.0, 12.0, 18.0],
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
        };
        let of =
            |growth| Extrapolation::new(growth, 60_000, 45_000, &Options::default()).of(&window);
        assert_eq!(of(Growth::Increase), Some(20.0));
        assert_eq!(of(Growth::Delta), Some(0.0));
        assert_eq!(of_last_two(&window, true), Some(5.0 / 15.0));
    }
}
