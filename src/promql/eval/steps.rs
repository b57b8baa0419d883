//! Evaluation at many moments: subqueries and range queries (`subqueryTimeRange`, `rangeEval` in `promql/engine.go`).

use super::labels::{SetId, SetMap};
use super::over_time::Window;
use super::{EvalError, Evaluated, Run, SAME_LABELSET, Sample};
use crate::promql::ast::{Expr, Subquery, Type};
use crate::promql::value::MatrixSeries;
use crate::time::Timestamp;
use crate::tsdb::{Queryable, Rows, SeriesId, Table};

/// A series of a range vector under evaluation: what a subquery makes.
#[derive(Debug, Default)]
pub(super) struct Points {
    pub(super) times: Vec<Timestamp>,
    pub(super) values: Vec<f64>,
}

impl Points {
    /// The samples of a series in a window of its target.
    pub(super) fn read(&mut self, table: &Table<'_>, series: SeriesId, window: &Rows) {
        let column = table.column(series);
        let rows = column.within(window);
        self.times.clear();
        self.values.clear();
        if !column.has_holes(&rows) {
            self.times.extend_from_slice(table.times(&rows));
            self.values.extend(rows.map(|row| column.value(row)));
            return;
        }
        for (at, value) in column.samples(&rows) {
            self.times.push(at);
            self.values.push(value);
        }
    }

    pub(super) fn window(&self) -> Window<'_> {
        Window {
            times: &self.times,
            values: &self.values,
        }
    }
}

impl<Q: Queryable> Run<'_, Q> {
    /// What a subquery makes: its expression at every multiple of the step in its window.
    pub(super) fn subquery(
        &mut self,
        expr: &Expr,
        subquery: &Subquery,
        t: i64,
    ) -> Evaluated<Vec<(SetId, bool, Points)>> {
        let options = &self.plan.options;
        let step = subquery
            .step_ms
            .unwrap_or(options.default_subquery_step.as_millis())
            .max(1);
        let end = self.moment(&subquery.when, t);
        let from = end.saturating_sub(subquery.range_ms);
        // The first multiple of the step in the window; i64 division cuts towards zero, as Go's does.
        let mut start = step.saturating_mul(from / step);
        let outside = if options.left_open() {
            start <= from
        } else {
            start < from
        };
        if outside {
            start = start.saturating_add(step);
        }
        self.spend(1, expr)?;
        let many_steps = std::mem::replace(&mut self.many_steps, start != end);
        let series = self.series_over(&subquery.expr, start, end, step);
        self.many_steps = many_steps;
        series
    }

    /// An expression at each step, put together to series; in the order in which they first appear.
    pub(super) fn series_over(
        &mut self,
        expr: &Expr,
        start: i64,
        end: i64,
        step: i64,
    ) -> Evaluated<Vec<(SetId, bool, Points)>> {
        let scalar = expr.value_type() == Type::Scalar;
        if matches!(expr.value_type(), Type::Matrix | Type::String) {
            return Err(EvalError::new(
                format!(
                    "invalid expression type \"{}\" for range query, must be scalar or instant vector",
                    expr.value_type()
                ),
                &expr.span,
            ));
        }
        let mut series: Vec<(SetId, bool, Points)> = Vec::new();
        let mut positions: SetMap<usize> = SetMap::default();
        let mut t = start;
        while t <= end {
            let at = Timestamp::from_millis(t);
            let samples = if scalar {
                let value = self.scalar(expr, t)?;
                let mut samples = self.buffer();
                samples.push(Sample::plain(value));
                samples
            } else {
                self.vector(expr, t)?
            };
            for sample in &samples {
                let position = positions.get(sample.set).unwrap_or(series.len());
                if position == series.len() {
                    positions.insert(sample.set, position);
                    series.push((sample.set, sample.drop_name, Points::default()));
                }
                let points = &mut series[position].2;
                if points.times.last() == Some(&at) {
                    return Err(EvalError::new(SAME_LABELSET, &expr.span));
                }
                points.times.push(at);
                points.values.push(sample.value);
            }
            self.recycle(samples);
            let Some(next) = t.checked_add(step) else {
                break;
            };
            t = next;
        }
        Ok(series)
    }

    /// The same for a matrix, where series whose labels become equal are merged unless they have a moment in common
    /// (`mergeSeriesWithSameLabelset`).
    pub(super) fn named_matrix(
        &mut self,
        series: Vec<(SetId, bool, Points)>,
        expr: &Expr,
    ) -> Evaluated<Vec<MatrixSeries>> {
        let delayed = self.plan.options.delayed_name_removal;
        let mut merged: Vec<(SetId, Vec<(Timestamp, f64)>)> = Vec::new();
        let mut positions: SetMap<usize> = SetMap::default();
        for (set, drop_name, points) in series {
            let set = if delayed && drop_name {
                self.table.without_name(set)
            } else {
                set
            };
            let samples = points.times.into_iter().zip(points.values);
            match positions.get(set) {
                Some(position) => merged[position].1.extend(samples),
                None => {
                    positions.insert(set, merged.len());
                    merged.push((set, samples.collect()));
                }
            }
        }
        for (_, samples) in &mut merged {
            samples.sort_by_key(|(at, _)| *at);
            if samples.windows(2).any(|pair| pair[0].0 == pair[1].0) {
                return Err(EvalError::new(SAME_LABELSET, &expr.span));
            }
        }
        let named = |(set, samples)| MatrixSeries {
            labels: self.table[set].clone(),
            samples,
        };
        Ok(merged.into_iter().map(named).collect())
    }
}
