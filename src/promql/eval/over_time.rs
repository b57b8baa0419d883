//! Functions of range vectors: each makes one value of the samples a series has in a window (`promql/functions.go`).

use super::absent::labels_matched_exactly;
use super::kahan::Kahan;
use super::maths::{quantile, shortest};
use super::rate::{Extrapolation, Growth, of_last_two};
use super::selector::{Selection, might_be_no_counter};
use super::{EvalError, Evaluated, NodeMemory, Points, Run, Sample, SetId};
use crate::promql::Options;
use crate::promql::ast::{Expr, ExprKind};
use crate::promql::function::Function;
use crate::time::Timestamp;
use crate::tsdb::Queryable;

/// The samples of one series in a window; at least one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window<'a> {
    pub(super) times: &'a [Timestamp],
    pub(super) values: &'a [f64],
    /// Known to hold no sample smaller than the one before it.
    pub(super) never_falls: bool,
}

/// A function with its other arguments, ready to be applied to each series.
struct Applied<'a> {
    function: Function,
    extrapolation: Extrapolation,
    /// The arguments of type scalar, in order.
    scalars: [f64; 2],
    now: Timestamp,
    options: &'a Options,
    /// For sorting, reused.
    sorted: Vec<f64>,
}

impl<Q: Queryable> Run<'_, Q> {
    /// A call of a function that takes a range vector.
    pub(super) fn range_call(
        &mut self,
        expr: &Expr,
        function: Function,
        args: &[Expr],
        t: i64,
    ) -> Evaluated<Vec<Sample>> {
        let mut scalars = [0.0; 2];
        let mut range = None;
        let mut next = scalars.iter_mut();
        for arg in args {
            let arg = arg.unwrapped();
            match &arg.kind {
                ExprKind::Range { .. } | ExprKind::Subquery(_) => range = Some(arg),
                _ => {
                    let value = self.scalar(arg, t)?;
                    if let Some(slot) = next.next() {
                        *slot = value;
                    }
                }
            }
        }
        let Some(range) = range else {
            unreachable!("checked: a range vector is a range selector or a subquery");
        };
        let plan = self.plan;
        let (when, range_ms) = match &range.kind {
            ExprKind::Range { selector, range_ms } => (&selector.when, *range_ms),
            ExprKind::Subquery(subquery) => (&subquery.when, subquery.range_ms),
            _ => unreachable!("one of the two, see above"),
        };
        let end = self.moment(when, t);
        let growth = match function {
            Function::Rate => Growth::Rate,
            Function::Increase => Growth::Increase,
            _ => Growth::Delta,
        };
        let mut applied = Applied {
            function,
            extrapolation: Extrapolation::new(growth, end, range_ms, &plan.options),
            scalars,
            now: Timestamp::from_millis(t),
            options: &plan.options,
            sorted: Vec::new(),
        };
        applied
            .check()
            .map_err(|message| EvalError::new(message, &expr.span))?;
        let samples = match &range.kind {
            ExprKind::Range { selector, .. } => {
                let mut selection = self.selection(range.id, selector);
                let open = plan.options.left_open();
                selection.look_at(self.storage, end.saturating_sub(range_ms), end, open);
                let samples = match function {
                    // The functions that canaries live on have a loop of their own.
                    Function::Rate | Function::Increase | Function::Delta => {
                        let extrapolation = &mut applied.extrapolation;
                        self.apply_to_selection(expr, function, &mut selection, |window| {
                            extrapolation.of(window)
                        })
                    }
                    _ => self.apply_to_selection(expr, function, &mut selection, |window| {
                        applied.of(window)
                    }),
                };
                if matches!(function, Function::Rate | Function::Increase) {
                    for (name, met) in &selection.no_counters {
                        if *met {
                            self.remark_no_counter(name, range);
                        }
                    }
                }
                self.remember(range.id, NodeMemory::Selection(selection));
                samples?
            }
            ExprKind::Subquery(subquery) => {
                let series = self.subquery(range, subquery, t)?;
                let samples = self.apply_to_points(expr, &series, &mut applied)?;
                if matches!(function, Function::Rate | Function::Increase) {
                    for sample in &samples {
                        let name = self.table[sample.set].metric_name().to_owned();
                        if might_be_no_counter(&name) {
                            self.remark_no_counter(&name, range);
                        }
                    }
                }
                samples
            }
            _ => unreachable!("one of the two, see above"),
        };
        if function == Function::QuantileOverTime
            && !samples.is_empty()
            && !(0.0..=1.0).contains(&scalars[0])
        {
            self.warn_of_quantile(scalars[0], &args[0].unwrapped().span);
        }
        if function == Function::AbsentOverTime {
            return Ok(self.absent_over_time(range, samples));
        }
        Ok(samples)
    }

    /// Applies a function to the series of a range selector.
    fn apply_to_selection(
        &mut self,
        expr: &Expr,
        function: Function,
        selection: &mut Selection,
        mut apply: impl FnMut(&Window<'_>) -> Option<f64>,
    ) -> Evaluated<Vec<Sample>> {
        let storage = self.storage;
        let keep_name = keeps_name(function);
        let delayed = self.plan.options.delayed_name_removal;
        let mut scratch = Points::default();
        let mut read = 0;
        let mut samples = self.buffer();
        for (_, met) in &mut selection.no_counters {
            *met = false;
        }
        for series in &selection.series {
            let column = storage.column(series.id);
            let target = series.target as usize;
            let rows = column.within(&selection.rows[target]);
            if rows.is_empty() {
                continue;
            }
            read += rows.len();
            let times = storage.times(selection.targets[target], rows.clone());
            let window = if column.holes(&rows).is_empty() {
                Window {
                    times,
                    values: column.values(&rows),
                    never_falls: column.never_falls(&rows),
                }
            } else {
                scratch.times.clear();
                scratch.values.clear();
                for (row, value) in column.samples(&rows) {
                    scratch.times.push(times[row - rows.start]);
                    scratch.values.push(value);
                }
                scratch.window(column.never_falls(&rows))
            };
            if window.values.is_empty() {
                continue;
            }
            if let Some(value) = apply(&window) {
                samples.push(Sample {
                    set: if keep_name || delayed {
                        series.set
                    } else {
                        series.unnamed
                    },
                    drop_name: !keep_name,
                    value,
                });
                if let Some(name) = series.no_counter {
                    selection.no_counters[name as usize].1 = true;
                }
            }
        }
        self.spend(read as u64, expr)?;
        if !keep_name && !delayed && !selection.unnamed_distinct {
            self.refuse_duplicates(&samples, expr)?;
        }
        Ok(samples)
    }

    /// Applies a function to what a subquery made.
    fn apply_to_points(
        &mut self,
        expr: &Expr,
        series: &[(SetId, bool, Points)],
        applied: &mut Applied<'_>,
    ) -> Evaluated<Vec<Sample>> {
        let keep_name = keeps_name(applied.function);
        let mut samples = self.buffer();
        for (set, drop_name, points) in series {
            if let Some(value) = applied.of(&points.window(false)) {
                let mut sample = Sample {
                    set: *set,
                    drop_name: *drop_name,
                    value,
                };
                if !keep_name || *drop_name {
                    self.drop_name(&mut sample);
                }
                samples.push(sample);
            }
        }
        if !self.plan.options.delayed_name_removal {
            self.refuse_duplicates(&samples, expr)?;
        }
        Ok(samples)
    }

    fn remark_no_counter(&mut self, name: &str, range: &Expr) {
        self.info(
            format!("metric might not be a counter, name does not end in _total/_sum/_count/_bucket: {name:?}"),
            &range.span,
        );
    }

    /// Turns what is there into what is missing.
    fn absent_over_time(&mut self, range: &Expr, mut samples: Vec<Sample>) -> Vec<Sample> {
        let present = !samples.is_empty();
        samples.clear();
        if !present {
            let set = self.table.intern(labels_matched_exactly(range));
            samples.push(Sample {
                set,
                drop_name: true,
                value: 1.0,
            });
        }
        samples
    }

    pub(super) fn warn_of_quantile(&mut self, q: f64, span: &std::ops::Range<usize>) {
        let q = shortest(q);
        self.warn(
            format!("quantile value should be between 0 and 1, got {q}"),
            span,
        );
    }
}

impl Points {
    fn window(&self, never_falls: bool) -> Window<'_> {
        Window {
            times: &self.times,
            values: &self.values,
            never_falls,
        }
    }
}

impl Applied<'_> {
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

    #[inline]
    fn of(&mut self, window: &Window<'_>) -> Option<f64> {
        let values = window.values;
        Some(match self.function {
            Function::Rate | Function::Increase | Function::Delta => {
                return self.extrapolation.of(window);
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
            Function::StddevOverTime => variance(values).sqrt(),
            Function::StdvarOverTime => variance(values),
            Function::QuantileOverTime => {
                self.sorted.clear();
                self.sorted.extend_from_slice(values);
                quantile(self.scalars[0], &mut self.sorted)
            }
            Function::Changes => {
                let differ =
                    |pair: &&[f64]| pair[0] != pair[1] && !(pair[0].is_nan() && pair[1].is_nan());
                values.windows(2).filter(differ).count() as f64
            }
            Function::Resets => values.windows(2).filter(|pair| pair[1] < pair[0]).count() as f64,
            Function::Deriv => {
                let (slope, _) = (values.len() > 1).then(|| regression(window, window.times[0]))?;
                slope
            }
            Function::PredictLinear => {
                let (slope, intercept) =
                    (values.len() > 1).then(|| regression(window, self.now))?;
                slope * self.scalars[0] + intercept
            }
            Function::HoltWinters => return holt_winters(values, self.scalars),
            other => unreachable!("{other:?} takes no range vector"),
        })
    }
}

/// Functions that pick a sample keep its series' name.
fn keeps_name(function: Function) -> bool {
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
fn variance(values: &[f64]) -> f64 {
    let mut count = 0.0;
    let (mut mean, mut squares) = (Kahan::default(), Kahan::default());
    for value in values {
        count += 1.0;
        let delta = value - mean.total();
        mean = mean.plus(delta / count);
        squares = squares.plus(delta * (value - mean.total()));
    }
    squares.total() / count
}

/// Slope and value at a moment of the least-squares line through the samples.
fn regression(window: &Window<'_>, at: Timestamp) -> (f64, f64) {
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
        xs = xs.plus(x);
        ys = ys.plus(*y);
        products = products.plus(x * y);
        squares = squares.plus(x * x);
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
