//! Selectors: from matchers to series, once per set of series in the store, and from series to samples
//! (`vectorSelectorSingle` and `matrixIterSlice` in `promql/engine.go`).

use super::labels::SetId;
use super::{Evaluated, NodeMemory, Points, Run, Sample};
use crate::promql::ast::{Expr, Selector};
use crate::time::Timestamp;
use crate::tsdb::{Queryable, Rows, SeriesId, TargetId, is_stale};

/// The series a selector chose.
#[derive(Debug, Default)]
pub(super) struct Selection {
    /// Of the store they were chosen from.
    fingerprint: Option<u64>,
    pub(super) series: Vec<Selected>,
    /// The targets the series belong to, each once, and how many of the series do.
    targets: Vec<(TargetId, usize)>,
    /// Per target, the rows of the window under evaluation.
    pub(super) rows: Vec<Rows>,
    /// Whether the series stay distinct without their names.
    pub(super) unnamed_distinct: bool,
    /// Metric names that do not look like a counter's, each once.
    pub(super) no_counters: Vec<String>,
}

/// One of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Selected {
    pub(super) id: SeriesId,
    pub(super) set: SetId,
    /// The set without its metric name.
    pub(super) unnamed: SetId,
    /// Which of the selection's targets.
    pub(super) target: u32,
    /// Which of `no_counters` the series' name is, if it is one.
    pub(super) no_counter: Option<u32>,
}

impl Selection {
    /// The position of a name among `no_counters`.
    fn no_counter(&mut self, name: &str) -> u32 {
        let known = self.no_counters.iter().position(|known| known == name);
        let position = known.unwrap_or_else(|| {
            self.no_counters.push(name.to_owned());
            self.no_counters.len() - 1
        });
        position as u32
    }

    /// How many cells the windows have.
    pub(super) fn cells(&self) -> u64 {
        let cells = |(rows, (_, series)): (&Rows, &(TargetId, usize))| rows.len() * series;
        self.rows
            .iter()
            .zip(&self.targets)
            .map(cells)
            .sum::<usize>() as u64
    }

    /// Finds the windows' rows, for all series at once.
    pub(super) fn look_at<Q: Queryable>(&mut self, storage: &Q, from: i64, to: i64, open: bool) {
        let (from, to) = (Timestamp::from_millis(from), Timestamp::from_millis(to));
        let rows = |(target, _): &(TargetId, usize)| storage.table(*target).rows(from, to, open);
        self.rows.clear();
        self.rows.extend(self.targets.iter().map(rows));
    }
}

impl<Q: Queryable> Run<'_, Q> {
    /// The selection of a selector node, chosen anew only when the store has other series than last time. It goes back with
    /// [`remember`](Run::remember).
    pub(super) fn selection(&mut self, node: usize, selector: &Selector) -> Box<Selection> {
        let fingerprint = self.storage.fingerprint();
        let mut selection = match self.recall(node) {
            NodeMemory::Selection(selection) => selection,
            _ => Box::default(),
        };
        if selection.fingerprint == Some(fingerprint) {
            return selection;
        }
        selection.fingerprint = Some(fingerprint);
        selection.series.clear();
        selection.targets.clear();
        selection.no_counters.clear();
        for id in self.storage.select(&selector.matchers) {
            let target = id.target();
            let known = selection
                .targets
                .iter()
                .rposition(|(known, _)| *known == target);
            let target = known.unwrap_or_else(|| {
                selection.targets.push((target, 0));
                selection.targets.len() - 1
            });
            selection.targets[target].1 += 1;
            let name = self.storage.labels(id).metric_name();
            let no_counter = might_be_no_counter(name).then(|| selection.no_counter(name));
            let set = self.table.intern(self.storage.labels(id).clone());
            let unnamed = self.table.without_name(set);
            selection.series.push(Selected {
                id,
                set,
                unnamed,
                target: target as u32,
                no_counter,
            });
        }
        let unnamed = selection.series.iter().map(|series| series.unnamed);
        selection.unnamed_distinct = !self.table.has_duplicates(unnamed);
        selection
    }

    /// The newest sample of each series that is neither stale nor older than the lookback; `value` makes the result of a
    /// sample's time and value.
    pub(super) fn instant_selector(
        &mut self,
        node: usize,
        selector: &Selector,
        t: i64,
        value: impl Fn(Timestamp, f64) -> f64,
    ) -> Vec<Sample> {
        let moment = self.moment(&selector.when, t);
        let lookback = self.plan.options.lookback.as_millis();
        let open = self.plan.options.left_open();
        let mut selection = self.selection(node, selector);
        selection.look_at(self.storage, moment.saturating_sub(lookback), moment, open);
        let mut samples = self.buffer();
        for series in &selection.series {
            let rows = &selection.rows[series.target as usize];
            let table = self.storage.table(series.id.target());
            let Some((at, newest)) = table.column(series.id).last_in(rows) else {
                continue;
            };
            if is_stale(newest) {
                continue;
            }
            samples.push(Sample {
                set: series.set,
                drop_name: false,
                value: value(at, newest),
            });
        }
        self.remember(node, NodeMemory::Selection(selection));
        samples
    }

    /// A range selector that stands alone: all samples in its window.
    pub(super) fn range_selector(
        &mut self,
        expr: &Expr,
        selector: &Selector,
        range_ms: i64,
        t: i64,
    ) -> Evaluated<Vec<(SetId, bool, Points)>> {
        let to = self.moment(&selector.when, t);
        let open = self.plan.options.left_open();
        let mut selection = self.selection(expr.id, selector);
        selection.look_at(self.storage, to.saturating_sub(range_ms), to, open);
        self.spend(selection.cells(), expr)?;
        let mut found = Vec::new();
        for series in &selection.series {
            let table = self.storage.table(series.id.target());
            let mut points = Points::default();
            points.read(&table, series.id, &selection.rows[series.target as usize]);
            if !points.values.is_empty() {
                found.push((series.set, false, points));
            }
        }
        self.remember(expr.id, NodeMemory::Selection(selection));
        Ok(found)
    }
}

/// Whether a metric's name has none of the endings that counters' names have.
pub(super) fn might_be_no_counter(name: &str) -> bool {
    let counters = ["_total", "_sum", "_count", "_bucket"];
    !name.is_empty() && !counters.iter().any(|suffix| name.ends_with(suffix))
}
