//! Aggregations: `sum by (...)` and its kin (`aggregation`, `aggregationK` and `aggregationCountValues` in
//! `promql/engine.go`).

use super::kahan::Kahan;
use super::labels::{LabelTable, Memo, SetId};
use super::maths::{quantile, sort_as_go};
use super::{EvalError, Evaluated, NodeMemory, Run, Sample, string_of};
use crate::promql::ast::{Aggregate, AggregateOp, Expr};
use crate::promql::{Options, Version};
use crate::tsdb::{METRIC_NAME, Queryable};

/// What an aggregation remembers: the group of each label set, and space for the groups' values.
#[derive(Debug, Default)]
pub(super) struct Groups {
    /// Into `labels` and `values`.
    of: Memo<u32>,
    labels: Vec<SetId>,
    by_labels: Memo<u32>,
    values: Vec<Accumulator>,
    /// The groups met in this evaluation, in the order they first came.
    met: Vec<usize>,
}

/// A group's value in the making.
#[derive(Clone, Copy, Debug, Default)]
struct Accumulator {
    met: bool,
    drop_name: bool,
    count: f64,
    /// The running sum, extreme or squared deviation.
    value: Kahan,
    mean: f64,
    /// The sum overflowed: from here on `value` is the mean itself.
    incremental: bool,
}

impl Groups {
    #[inline]
    fn group_of(&mut self, set: SetId, aggregate: &Aggregate, table: &mut LabelTable) -> usize {
        match self.of.get(set) {
            Some(group) => group as usize,
            None => self.new_member(set, aggregate, table),
        }
    }

    #[cold]
    fn new_member(&mut self, set: SetId, aggregate: &Aggregate, table: &mut LabelTable) -> usize {
        let labels = grouped(set, aggregate, table);
        let next = self.labels.len() as u32;
        let group = self.by_labels.get_or(labels, || next);
        if group == next {
            self.labels.push(labels);
            self.values.push(Accumulator::default());
        }
        self.of.set(set, group);
        group as usize
    }
}

/// The labels of a set's group.
fn grouped(set: SetId, aggregate: &Aggregate, table: &mut LabelTable) -> SetId {
    let named = |name: &str| aggregate.labels.iter().any(|label| label == name);
    let labels = if aggregate.without {
        table[set].filter(|name| name != METRIC_NAME && !named(name))
    } else {
        table[set].filter(named)
    };
    table.intern(labels)
}

impl<Q: Queryable> Run<'_, Q> {
    pub(super) fn aggregate(
        &mut self,
        expr: &Expr,
        aggregate: &Aggregate,
        t: i64,
    ) -> Evaluated<Vec<Sample>> {
        use AggregateOp::*;
        if aggregate.op == CountValues {
            return self.count_values(expr, aggregate, t);
        }
        let param = match &aggregate.param {
            Some(param) => self.scalar(param, t)?,
            None => 0.0,
        };
        let samples = self.vector(&aggregate.expr, t)?;
        let mut groups = match self.recall(expr.id) {
            NodeMemory::Aggregate(groups) => groups,
            _ => Box::default(),
        };
        let result = match aggregate.op {
            Topk | Bottomk => self.first_k(expr, aggregate, param, &samples, &mut groups),
            Quantile => Ok(self.quantiles(aggregate, param, &samples, &mut groups)),
            _ => Ok(self.reduce(aggregate, &samples, &mut groups)),
        };
        self.remember(expr.id, NodeMemory::Aggregate(groups));
        self.recycle(samples);
        result
    }

    /// The aggregations that need one value per group at a time.
    fn reduce(
        &mut self,
        aggregate: &Aggregate,
        samples: &[Sample],
        groups: &mut Groups,
    ) -> Vec<Sample> {
        let options = &self.plan.options;
        groups.met.clear();
        for sample in samples {
            let group = groups.group_of(sample.set, aggregate, self.table);
            let value = &mut groups.values[group];
            if value.met {
                value.add(aggregate.op, sample.value, options);
                value.drop_name |= sample.drop_name;
            } else {
                *value = Accumulator::begin(aggregate.op, sample.value, options);
                value.drop_name = sample.drop_name;
                groups.met.push(group);
            }
        }
        let mut result = self.buffer();
        for group in &groups.met {
            let value = &mut groups.values[*group];
            value.met = false;
            result.push(Sample {
                set: groups.labels[*group],
                drop_name: value.drop_name,
                value: value.finish(aggregate.op, options),
            });
        }
        result
    }

    /// `quantile`, which needs all of a group's values.
    fn quantiles(
        &mut self,
        aggregate: &Aggregate,
        q: f64,
        samples: &[Sample],
        groups: &mut Groups,
    ) -> Vec<Sample> {
        if let Some(param) = &aggregate.param {
            self.check_quantile(q, param);
        }
        let mut result = self.buffer();
        for (group, members) in self.in_groups(aggregate, samples, groups) {
            let mut values: Vec<f64> = members.iter().map(|sample| sample.value).collect();
            result.push(Sample {
                set: groups.labels[group],
                drop_name: members.iter().any(|sample| sample.drop_name),
                value: quantile(q, &mut values, &self.plan.options),
            });
        }
        result
    }

    /// `topk` and `bottomk`: the k most extreme elements of each group, whole.
    fn first_k(
        &mut self,
        expr: &Expr,
        aggregate: &Aggregate,
        k: f64,
        samples: &[Sample],
        groups: &mut Groups,
    ) -> Evaluated<Vec<Sample>> {
        let mut result = self.buffer();
        let old = self.plan.options.version != Version::V3;
        if k < 1.0 && !(old && k <= i64::MIN as f64) {
            return Ok(result);
        }
        if k.is_nan() && !old {
            return Err(EvalError::new("Parameter value is NaN", &expr.span));
        }
        if k.is_nan() || k >= i64::MAX as f64 || k <= i64::MIN as f64 {
            let k = super::maths::shortest(k);
            return Err(EvalError::new(
                format!("Scalar value {k} overflows int64"),
                &expr.span,
            ));
        }
        let k = (k as usize).min(samples.len());
        let top = aggregate.op == AggregateOp::Topk;
        // The heap has the element that is to go next at its root; NaN goes first.
        let less = |a: &Sample, b: &Sample| {
            a.value.is_nan()
                || if top {
                    a.value < b.value
                } else {
                    a.value > b.value
                }
        };
        for (_, members) in self.in_groups(aggregate, samples, groups) {
            let mut heap: Vec<Sample> = Vec::with_capacity(k);
            for sample in members {
                if heap.len() < k {
                    heap.push(sample);
                    sift_up(&mut heap, less);
                } else if less(&heap[0], &sample) && !(sample.value.is_nan()) {
                    heap[0] = sample;
                    sift_down(&mut heap, less);
                }
            }
            sort_as_go(&mut heap, |a, b| less(b, a));
            result.append(&mut heap);
        }
        Ok(result)
    }

    /// The elements of each group, groups in the order they first come.
    fn in_groups(
        &mut self,
        aggregate: &Aggregate,
        samples: &[Sample],
        groups: &mut Groups,
    ) -> Vec<(usize, Vec<Sample>)> {
        let mut found: Vec<(usize, Vec<Sample>)> = Vec::new();
        let mut positions = vec![usize::MAX; groups.labels.len()];
        for sample in samples {
            let group = groups.group_of(sample.set, aggregate, self.table);
            positions.resize(groups.labels.len(), usize::MAX);
            if positions[group] == usize::MAX {
                positions[group] = found.len();
                found.push((group, Vec::new()));
            }
            found[positions[group]].1.push(*sample);
        }
        found
    }

    /// `count_values`: groups by value as well, which becomes a label.
    fn count_values(
        &mut self,
        expr: &Expr,
        aggregate: &Aggregate,
        t: i64,
    ) -> Evaluated<Vec<Sample>> {
        let Some(param) = &aggregate.param else {
            unreachable!("checked: count_values has a label");
        };
        let text = string_of(param);
        let label = match text.as_str() {
            Some(label) if is_label_name(label, &self.plan.options) => label,
            _ => {
                return Err(EvalError::new(
                    format!("invalid label name {}", text.quoted()),
                    &param.span,
                ));
            }
        };
        let samples = self.vector(&aggregate.expr, t)?;
        let mut result = self.buffer();
        let mut positions = super::labels::SetMap::default();
        for sample in &samples {
            let mut labels = self.table[sample.set].to_builder();
            labels.set(label, &go_fixed(sample.value));
            let labels = labels.build();
            let named = |name: &str| aggregate.labels.iter().any(|label| label == name);
            let labels = if aggregate.without {
                labels.filter(|name| name != METRIC_NAME && !named(name))
            } else {
                labels.filter(|name| name == label || named(name))
            };
            let set = self.table.intern(labels);
            match positions.get(set) {
                Some(position) => {
                    let counted: &mut Sample = &mut result[position];
                    counted.value += 1.0;
                }
                None => {
                    positions.insert(set, result.len());
                    result.push(Sample {
                        set,
                        drop_name: false,
                        value: 1.0,
                    });
                }
            }
        }
        self.recycle(samples);
        self.refuse_duplicates(&result, expr)?;
        Ok(result)
    }
}

impl Accumulator {
    fn begin(op: AggregateOp, value: f64, options: &Options) -> Self {
        let first = match op {
            AggregateOp::Group => 1.0,
            AggregateOp::Stddev | AggregateOp::Stdvar => {
                if options.compensates() && !value.is_finite() {
                    f64::NAN
                } else {
                    0.0
                }
            }
            _ => value,
        };
        Accumulator {
            met: true,
            drop_name: false,
            count: 1.0,
            value: Kahan::of(first),
            mean: value,
            incremental: false,
        }
    }

    #[inline]
    fn add(&mut self, op: AggregateOp, value: f64, options: &Options) {
        match op {
            AggregateOp::Sum if options.compensates() => self.value = self.value.plus(value),
            AggregateOp::Sum => self.value.sum += value,
            AggregateOp::Avg if options.compensates() => self.add_to_mean(value),
            AggregateOp::Avg => self.add_to_mean_before_v3(value),
            AggregateOp::Max if self.value.sum < value || self.value.sum.is_nan() => {
                self.value.sum = value;
            }
            AggregateOp::Min if self.value.sum > value || self.value.sum.is_nan() => {
                self.value.sum = value;
            }
            AggregateOp::Count => self.count += 1.0,
            AggregateOp::Stddev | AggregateOp::Stdvar => {
                self.count += 1.0;
                let delta = value - self.mean;
                self.mean += delta / self.count;
                self.value.sum += delta * (value - self.mean);
            }
            _ => {}
        }
    }

    fn add_to_mean(&mut self, value: f64) {
        self.count += 1.0;
        if !self.incremental {
            let next = self.value.plus(value);
            if !next.sum.is_infinite() {
                self.value = next;
                return;
            }
            self.incremental = true;
            let before = self.count - 1.0;
            self.value.sum /= before;
            self.value.compensation /= before;
        }
        let weight = (self.count - 1.0) / self.count;
        self.value.sum *= weight;
        self.value.compensation *= weight;
        self.value = self.value.plus(value / self.count);
    }

    fn add_to_mean_before_v3(&mut self, value: f64) {
        self.count += 1.0;
        if self.mean.is_infinite() {
            let same = value.is_infinite() && (self.mean > 0.0) == (value > 0.0);
            if same || value.is_finite() {
                return;
            }
        }
        self.mean += value / self.count - self.mean / self.count;
    }

    fn finish(&self, op: AggregateOp, options: &Options) -> f64 {
        match op {
            AggregateOp::Count => self.count,
            AggregateOp::Avg if !options.compensates() => self.mean,
            AggregateOp::Avg if self.incremental => self.value.total(),
            AggregateOp::Avg => self.value.sum / self.count + self.value.compensation / self.count,
            AggregateOp::Stdvar => self.value.sum / self.count,
            AggregateOp::Stddev => (self.value.sum / self.count).sqrt(),
            AggregateOp::Sum => self.value.total(),
            _ => self.value.sum,
        }
    }
}

/// Restores a heap whose last element is new (Go's `container/heap`).
fn sift_up<T>(heap: &mut [T], less: impl Fn(&T, &T) -> bool) {
    let mut child = heap.len() - 1;
    while child > 0 {
        let parent = (child - 1) / 2;
        if !less(&heap[child], &heap[parent]) {
            break;
        }
        heap.swap(parent, child);
        child = parent;
    }
}

/// Restores a heap whose root is new.
fn sift_down<T>(heap: &mut [T], less: impl Fn(&T, &T) -> bool) {
    let mut parent = 0;
    loop {
        let left = 2 * parent + 1;
        if left >= heap.len() {
            break;
        }
        let right = left + 1;
        let child = if right < heap.len() && less(&heap[right], &heap[left]) {
            right
        } else {
            left
        };
        if !less(&heap[child], &heap[parent]) {
            break;
        }
        heap.swap(parent, child);
        parent = child;
    }
}

/// Whether a text may be a label's name: since 3 anything but nothing, before that letters, digits and underscores.
pub(super) fn is_label_name(name: &str, options: &Options) -> bool {
    let legacy = |c: char| c.is_ascii_alphanumeric() || c == '_';
    match options.version {
        Version::V3 => !name.is_empty(),
        _ => {
            !name.is_empty()
                && !name.starts_with(|c: char| c.is_ascii_digit())
                && name.chars().all(legacy)
        }
    }
}

/// A float as Go's `FormatFloat(value, 'f', -1, 64)` writes it.
fn go_fixed(value: f64) -> String {
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    format!("{value}")
}
