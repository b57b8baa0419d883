//! Functions of range vectors: each makes one value of the samples a series has in a window (`promql/functions.go`).

use super::kahan::Kahan;
use super::maths::quantile;
use super::rate::{Extrapolation, Growth, of_last_two};
use crate::promql::Options;
use crate::promql::function::Function;
use crate::time::Timestamp;

/// The samples of one series in a window; at least one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window<'a> {
    pub(super) times: &'a [Timestamp],
    pub(super) values: &'a [f64],
}

/// Compensated addition.
type Plus = fn(Kahan, f64) -> Kahan;

/// A function with its other arguments, ready to be applied to each series.
pub(super) struct Applied<'a> {
    pub(super) function: Function,
    /// For the functions that extrapolate.
    extrapolation: Option<Extrapolation>,
    /// The arguments of type scalar, in order.
    scalars: [f64; 2],
    now: Timestamp,
    options: &'a Options,
    /// For sorting, reused.
    sorted: Vec<f64>,
}

impl<'a> Applied<'a> {
    /// The function at work; `scalars` are its other arguments, in order.
    ///
    /// # Errors
    /// When one of these makes no sense.
    pub(super) fn new(
        function: Function,
        scalars: &[f64],
        now_ms: i64,
        end_ms: i64,
        range_ms: i64,
        options: &'a Options,
    ) -> Result<Applied<'a>, String> {
        let growth = match function {
            Function::Rate => Some(Growth::Rate),
            Function::Increase => Some(Growth::Increase),
            Function::Delta => Some(Growth::Delta),
            _ => None,
        };
        let scalar = |i: usize| scalars.get(i).copied().unwrap_or_default();
        let applied = Applied {
            function,
            extrapolation: growth
                .map(|growth| Extrapolation::new(growth, end_ms, range_ms, options)),
            scalars: [scalar(0), scalar(1)],
            now: Timestamp::from_millis(now_ms),
            options,
            sorted: Vec::new(),
        };
        applied.check().map(|()| applied)
    }

    /// The extrapolation, where the function is one.
    pub(super) fn extrapolation(&self) -> Option<&Extrapolation> {
        self.extrapolation.as_ref()
    }

    /// How the version adds with compensation.
    fn plus(&self) -> Plus {
        if self.options.compensates() {
            Kahan::plus
        } else {
            Kahan::plus_before_v3
        }
    }

    /// Whether the function is meant for counters alone.
    pub(super) fn expects_counters(&self) -> bool {
        matches!(self.function, Function::Rate | Function::Increase)
    }

    /// Whether the other arguments make sense.
    fn check(&self) -> Result<(), String> {
        if self.function != Function::HoltWinters {
            return Ok(());
        }
        for (what, factor) in [("smoothing", self.scalars[0]), ("trend", self.scalars[1])] {
            if factor <= 0.0 || factor >= 1.0 {
                let letter = &what[..1];
                return Err(format!(
                    "invalid {what} factor. Expected: 0 < {letter}f < 1, got: {factor:.6}"
                ));
            }
        }
        Ok(())
    }

    /// The value for a series' samples in the window, of which there is at least one.
    pub(super) fn of(&mut self, window: &Window<'_>) -> Option<f64> {
        let values = window.values;
        Some(match self.function {
            Function::Rate | Function::Increase | Function::Delta => {
                return self.extrapolation.as_ref()?.of(window);
            }
            Function::Irate => return of_last_two(window, true),
            Function::Idelta => return of_last_two(window, false),
            Function::AvgOverTime => average(values, self.options),
            Function::SumOverTime => {
                let sum = values.iter().copied().fold(Kahan::default(), Kahan::plus);
                if sum.sum.is_infinite() {
                    sum.sum
                } else {
                    sum.total()
                }
            }
            Function::CountOverTime => values.len() as f64,
            Function::FirstOverTime => values[0],
            Function::LastOverTime => values[values.len() - 1],
            Function::PresentOverTime | Function::AbsentOverTime => 1.0,
            Function::MaxOverTime => extreme(values, |value, best| value > best),
            Function::MinOverTime => extreme(values, |value, best| value < best),
            Function::StddevOverTime => variance(values, self.plus()).sqrt(),
            Function::StdvarOverTime => variance(values, self.plus()),
            Function::QuantileOverTime => {
                self.sorted.clear();
                self.sorted.extend_from_slice(values);
                quantile(self.scalars[0], &mut self.sorted, self.options)
            }
            Function::Changes => {
                let differ =
                    |pair: &&[f64]| pair[0] != pair[1] && !(pair[0].is_nan() && pair[1].is_nan());
                values.windows(2).filter(differ).count() as f64
            }
            Function::Resets => values.windows(2).filter(|pair| pair[1] < pair[0]).count() as f64,
            Function::Deriv => {
                let (slope, _) =
                    (values.len() > 1).then(|| regression(window, window.times[0], self.plus()))?;
                slope
            }
            Function::PredictLinear => {
                let (slope, intercept) =
                    (values.len() > 1).then(|| regression(window, self.now, self.plus()))?;
                slope * self.scalars[0] + intercept
            }
            Function::HoltWinters => return holt_winters(values, self.scalars),
            other => unreachable!("{other:?} takes no range vector"),
        })
    }
}

/// Functions that pick a sample keep its series' name.
pub(super) fn keeps_name(function: Function) -> bool {
    matches!(function, Function::LastOverTime | Function::FirstOverTime)
}

/// The largest or smallest value; anything beats NaN.
fn extreme(values: &[f64], beats: impl Fn(f64, f64) -> bool) -> f64 {
    let better = |best: f64, value: &f64| {
        if beats(*value, best) || best.is_nan() {
            *value
        } else {
            best
        }
    };
    values.iter().fold(values[0], better)
}

/// The mean: of the sum as long as that does not overflow, incremental from there on.
fn average(values: &[f64], options: &Options) -> f64 {
    if !options.compensates() {
        return average_before_v3(values);
    }
    let mut sum = Kahan::of(values[0]);
    for (i, value) in values.iter().enumerate().skip(1) {
        let next = sum.plus(*value);
        if next.sum.is_infinite() {
            return incremental_mean(sum, i as f64, &values[i..]);
        }
        sum = next;
    }
    let count = values.len() as f64;
    sum.sum / count + sum.compensation / count
}

/// Goes on from the sum of `count` values, one value at a time.
fn incremental_mean(sum: Kahan, count: f64, rest: &[f64]) -> f64 {
    let mut mean = Kahan {
        sum: sum.sum / count,
        compensation: sum.compensation / count,
    };
    let mut count = count;
    for value in rest {
        count += 1.0;
        let weight = (count - 1.0) / count;
        let scaled = Kahan {
            sum: weight * mean.sum,
            compensation: weight * mean.compensation,
        };
        mean = scaled.plus(value / count);
    }
    mean.total()
}

/// The mean as 2.x works it out: incremental from the start.
fn average_before_v3(values: &[f64]) -> f64 {
    let mut mean = Kahan::default();
    let mut count = 0.0;
    for value in values {
        count += 1.0;
        if mean.sum.is_infinite() {
            let same = value.is_infinite() && (mean.sum > 0.0) == (*value > 0.0);
            if same || value.is_finite() {
                continue;
            }
        }
        mean = mean.plus(value / count - mean.sum / count);
    }
    if mean.sum.is_infinite() {
        mean.sum
    } else {
        mean.total()
    }
}

/// Welford's algorithm, compensated.
fn variance(values: &[f64], plus: Plus) -> f64 {
    let mut count = 0.0;
    let (mut mean, mut squares) = (Kahan::default(), Kahan::default());
    for value in values {
        count += 1.0;
        let delta = value - mean.total();
        mean = plus(mean, delta / count);
        squares = plus(squares, delta * (value - mean.total()));
    }
    squares.total() / count
}

/// Slope and value at a moment of the least-squares line through the samples.
fn regression(window: &Window<'_>, at: Timestamp, plus: Plus) -> (f64, f64) {
    let first = window.values[0];
    if window.values.iter().all(|value| *value == first) {
        return if first.is_infinite() {
            (f64::NAN, f64::NAN)
        } else {
            (0.0, first)
        };
    }
    let (mut xs, mut ys) = (Kahan::default(), Kahan::default());
    let (mut products, mut squares) = (Kahan::default(), Kahan::default());
    for (time, y) in window.times.iter().zip(window.values) {
        let x = (time.as_millis() - at.as_millis()) as f64 / 1e3;
        xs = plus(xs, x);
        ys = plus(ys, *y);
        products = plus(products, x * y);
        squares = plus(squares, x * x);
    }
    let n = window.values.len() as f64;
    let (x, y) = (xs.total(), ys.total());
    let covariance = products.total() - x * y / n;
    let spread = squares.total() - x * x / n;
    let slope = covariance / spread;
    (slope, y / n - slope * x / n)
}

/// Double exponential smoothing, which 2.x calls Holt-Winters.
fn holt_winters(values: &[f64], [smoothing, trend]: [f64; 2]) -> Option<f64> {
    if values.len() < 2 {
        return None;
    }
    let (mut before, mut smoothed) = (0.0, values[0]);
    let mut slope = values[1] - values[0];
    for (i, value) in values.iter().enumerate().skip(1) {
        if i > 1 {
            slope = trend * (smoothed - before) + (1.0 - trend) * slope;
        }
        let next = smoothing * value + (1.0 - smoothing) * (smoothed + slope);
        (before, smoothed) = (smoothed, next);
    }
    Some(smoothed)
}
