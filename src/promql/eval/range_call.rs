//! Calls of functions that take a range vector: from the window to the series in it, and to one element for each.

use super::absent::labels_matched_exactly;
use super::labels::SetId;
use super::over_time::{Applied, keeps_name};
use super::selector::{Selected, Selection, might_be_no_counter};
use super::steps::Points;
use super::{EvalError, Evaluated, NodeMemory, Run, Sample};
use crate::promql::ast::{Expr, ExprKind, Selector, Subquery, When};
use crate::promql::function::Function;
use crate::tsdb::Queryable;

/// A range vector as an argument: a range selector, or a subquery.
enum RangeArgument<'a> {
    Selector(&'a Selector),
    Subquery(&'a Subquery),
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
        let mut scalars = Vec::new();
        let mut range = None;
        for arg in args {
            let arg = arg.unwrapped();
            match range_argument(arg) {
                Some(found) => range = Some((arg, found)),
                None => scalars.push(self.scalar(arg, t)?),
            }
        }
        let Some((range, (argument, when, range_ms))) = range else {
            unreachable!("checked: {function:?} has a range vector");
        };
        let plan = self.plan;
        let end = self.moment(&when, t);
        let mut applied = Applied::new(function, &scalars, t, end, range_ms, &plan.options)
            .map_err(|message| EvalError::new(message, &expr.span))?;
        let samples = match argument {
            RangeArgument::Selector(selector) => {
                let mut selection = self.selection(range.id, selector);
                let open = plan.options.left_open();
                selection.look_at(self.storage, end.saturating_sub(range_ms), end, open);
                let samples = self.apply_to_selection(expr, range, &selection, &mut applied);
                self.remember(range.id, NodeMemory::Selection(selection));
                samples?
            }
            RangeArgument::Subquery(subquery) => {
                let series = self.subquery(range, subquery, t)?;
                self.apply_to_points(expr, range, &series, &mut applied)?
            }
        };
        match (function, scalars.first()) {
            (Function::AbsentOverTime, _) => Ok(self.absent_over_time(range, samples)),
            (Function::QuantileOverTime, Some(q)) if !samples.is_empty() => {
                self.check_quantile(*q, &args[0]);
                Ok(samples)
            }
            _ => Ok(samples),
        }
    }

    /// Applies a function to the series of a range selector.
    fn apply_to_selection(
        &mut self,
        expr: &Expr,
        range: &Expr,
        selection: &Selection,
        applied: &mut Applied<'_>,
    ) -> Evaluated<Vec<Sample>> {
        self.spend(selection.cells(), expr)?;
        let storage = self.storage;
        let keep_name = keeps_name(applied.function);
        let delayed = self.plan.options.delayed_name_removal;
        let mut scratch = Points::default();
        let mut met = vec![false; selection.no_counters.len()];
        let mut samples = self.buffer();
        let mut push = |series: &Selected, value: Option<f64>| {
            let Some(value) = value else {
                return;
            };
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
                met[name as usize] = true;
            }
        };
        for run in selection.series.chunk_by(|a, b| a.target == b.target) {
            let table = storage.table(run[0].id.target());
            let rows = &selection.rows[run[0].target as usize];
            // What canaries live on has a loop of its own, which reads no more of a window than it needs.
            if let Some(extrapolation) = applied.extrapolation() {
                extrapolation.of_run(&table, rows, run, &mut scratch, &mut push);
                continue;
            }
            for series in run {
                scratch.read(&table, series.id, rows);
                let window = scratch.window();
                if !window.values.is_empty() {
                    push(series, applied.of(&window));
                }
            }
        }
        if applied.expects_counters() {
            for (name, met) in selection.no_counters.iter().zip(met) {
                if met {
                    self.remark_no_counter(name, range);
                }
            }
        }
        if !keep_name && !delayed && !selection.unnamed_distinct {
            self.refuse_duplicates(&samples, expr)?;
        }
        Ok(samples)
    }

    /// Applies a function to what a subquery made.
    fn apply_to_points(
        &mut self,
        expr: &Expr,
        range: &Expr,
        series: &[(SetId, bool, Points)],
        applied: &mut Applied<'_>,
    ) -> Evaluated<Vec<Sample>> {
        let keep_name = keeps_name(applied.function);
        let mut samples = self.buffer();
        for (set, drop_name, points) in series {
            if let Some(value) = applied.of(&points.window()) {
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
        if applied.expects_counters() {
            for sample in &samples {
                let name = self.table[sample.set].metric_name().to_owned();
                if might_be_no_counter(&name) {
                    self.remark_no_counter(&name, range);
                }
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
}

/// What a range vector is made of, its modifiers, and its range in milliseconds.
fn range_argument(arg: &Expr) -> Option<(RangeArgument<'_>, When, i64)> {
    match &arg.kind {
        ExprKind::Range { selector, range_ms } => {
            Some((RangeArgument::Selector(selector), selector.when, *range_ms))
        }
        ExprKind::Subquery(subquery) => Some((
            RangeArgument::Subquery(subquery),
            subquery.when,
            subquery.range_ms,
        )),
        _ => None,
    }
}
