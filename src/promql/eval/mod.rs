//! The evaluator (`promql/engine.go`, `evaluator.eval`).
//!
//! Upstream evaluates node by node, each over all steps; here each step walks the whole tree. The answers are the same, and an
//! instant query, which is all a canary asks, is one walk.

mod absent;
mod aggregate;
mod binary;
mod histogram;
mod kahan;
mod label_functions;
mod labels;
mod maths;
mod over_time;
mod range_call;
mod rate;
mod remarks;
mod selector;
mod steps;
mod time_functions;

use std::sync::Arc;

use super::ast::{At, Expr, ExprKind, Type, When};
use super::error::EvalError;
use super::function::Function;
use super::query::{Plan, Query};
use super::value::{Answer, Value, VectorSample};
use super::{Options, Version};
use crate::time::{Span, Timestamp};
use crate::tsdb::Queryable;

use labels::{LabelTable, SetId};
use remarks::Remark;
use selector::Selection;
use steps::Points;

/// Above this many label sets an evaluator forgets what it knows: `count_values` can make new ones without end.
const MAX_LABEL_SETS: usize = 1 << 18;

/// How many steps a range query may have, as the HTTP API allows.
const MAX_STEPS: i64 = 11_000;

/// Upstream's word on two elements with equal labels in one vector.
const SAME_LABELSET: &str = "vector cannot contain metrics with the same labelset";

type Evaluated<T> = Result<T, EvalError>;

/// Evaluates one query, again and again, and remembers what does not change between evaluations: which series the selectors
/// chose (until the store makes new ones) and what every node makes of their labels. Clones remember nothing.
#[derive(Debug)]
pub struct Evaluator {
    plan: Arc<Plan>,
    memory: Memory,
}

/// What is kept from one evaluation to the next. None of it changes an answer.
#[derive(Debug)]
struct Memory {
    table: LabelTable,
    nodes: Vec<NodeMemory>,
    /// Buffers for vectors.
    pool: Vec<Vec<Sample>>,
}

/// What a node remembers.
#[derive(Debug, Default)]
enum NodeMemory {
    #[default]
    Nothing,
    Selection(Box<Selection>),
    Aggregate(Box<aggregate::Groups>),
    Matching(Box<binary::Signatures>),
    Buckets(Box<histogram::BucketLabels>),
    Relabelled(Box<label_functions::Relabelled>),
}

/// An element of an instant vector under evaluation.
#[derive(Clone, Copy, Debug)]
struct Sample {
    set: SetId,
    /// The name goes at the end (delayed name removal).
    drop_name: bool,
    value: f64,
}

/// One evaluation under way.
struct Run<'a, Q> {
    storage: &'a Q,
    plan: &'a Plan,
    table: &'a mut LabelTable,
    nodes: &'a mut [NodeMemory],
    pool: &'a mut Vec<Vec<Sample>>,
    annotations: Vec<Remark>,
    /// First and last step of the query, for `@ start()` and `@ end()`.
    start: i64,
    end: i64,
    /// Whether the steps under way are more than one: upstream then looks for equal labels where it otherwise leaves it to the end.
    many_steps: bool,
    work: u64,
}

impl Clone for Evaluator {
    fn clone(&self) -> Self {
        Evaluator::new(Arc::clone(&self.plan))
    }
}

impl Evaluator {
    pub(super) fn new(plan: Arc<Plan>) -> Self {
        let memory = Memory::new(plan.nodes);
        Evaluator { plan, memory }
    }

    /// What it evaluates.
    pub fn query(&self) -> Query {
        Query::of(Arc::clone(&self.plan))
    }

    /// The value at one moment. The store need not be the one asked before.
    ///
    /// # Errors
    /// What Prometheus refuses to evaluate (many-to-many matches, equal label sets), or too much work.
    pub fn instant<Q: Queryable>(&mut self, storage: &Q, at: Timestamp) -> Evaluated<Answer> {
        let plan = Arc::clone(&self.plan);
        let t = at.as_millis();
        let mut run = self.memory.begin(storage, &plan, t, t);
        let value = run.answer(&plan.expr, t)?;
        Ok(Answer {
            value,
            annotations: run.remarks(),
        })
    }

    /// The values from `start` to `end`, a `step` apart, as a matrix sorted by labels.
    ///
    /// # Errors
    /// As [`instant`](Self::instant); also when the step is not positive or the steps are more than 11 000.
    pub fn range<Q: Queryable>(
        &mut self,
        storage: &Q,
        start: Timestamp,
        end: Timestamp,
        step: Span,
    ) -> Evaluated<Answer> {
        let plan = Arc::clone(&self.plan);
        let (start, end, step) = (start.as_millis(), end.as_millis(), step.as_millis());
        if step <= 0 {
            return Err(EvalError::new(
                "zero or negative query resolution step widths are not accepted",
                &plan.expr.span,
            ));
        }
        if end.saturating_sub(start) / step >= MAX_STEPS {
            return Err(EvalError::new(
                "exceeded maximum resolution of 11,000 points per timeseries",
                &plan.expr.span,
            ));
        }
        let mut run = self.memory.begin(storage, &plan, start, end);
        run.many_steps = start != end;
        let series = run.series_over(&plan.expr, start, end, step)?;
        let mut series = run.named_matrix(series, &plan.expr)?;
        series.sort_by(|a, b| a.labels.cmp(&b.labels));
        Ok(Answer {
            value: Value::Matrix(series),
            annotations: run.remarks(),
        })
    }
}

impl Memory {
    fn new(nodes: usize) -> Self {
        Memory {
            table: LabelTable::new(),
            nodes: std::iter::repeat_with(NodeMemory::default)
                .take(nodes)
                .collect(),
            pool: Vec::new(),
        }
    }

    fn begin<'a, Q: Queryable>(
        &'a mut self,
        storage: &'a Q,
        plan: &'a Plan,
        start: i64,
        end: i64,
    ) -> Run<'a, Q> {
        if self.table.len() > MAX_LABEL_SETS {
            *self = Memory::new(plan.nodes);
        }
        Run {
            storage,
            plan,
            table: &mut self.table,
            nodes: &mut self.nodes,
            pool: &mut self.pool,
            annotations: Vec::new(),
            start,
            end,
            many_steps: false,
            work: 0,
        }
    }
}

impl<Q: Queryable> Run<'_, Q> {
    /// The value of a query of any type.
    fn answer(&mut self, expr: &Expr, t: i64) -> Evaluated<Value> {
        let timestamp = Timestamp::from_millis(t);
        Ok(match expr.value_type() {
            Type::Scalar => Value::Scalar(self.scalar(expr, t)?),
            Type::String => Value::String(string_of(expr).lossy()),
            Type::Vector => {
                let samples = self.vector(expr, t)?;
                let samples = self.with_names_dropped(samples, expr)?;
                let answer = samples
                    .iter()
                    .map(|sample| VectorSample {
                        labels: self.table[sample.set].clone(),
                        timestamp,
                        value: sample.value,
                    })
                    .collect();
                self.recycle(samples);
                Value::Vector(answer)
            }
            Type::Matrix => {
                let series = self.matrix(expr, t)?;
                let mut series = self.named_matrix(series, expr)?;
                series.sort_by(|a, b| a.labels.cmp(&b.labels));
                Value::Matrix(series)
            }
        })
    }

    /// An expression of type scalar.
    fn scalar(&mut self, expr: &Expr, t: i64) -> Evaluated<f64> {
        self.spend(1, expr)?;
        Ok(match &expr.kind {
            ExprKind::Number(value) => *value,
            ExprKind::Paren(inner) => self.scalar(inner, t)?,
            ExprKind::Unary { negate, operand } => {
                let value = self.scalar(operand, t)?;
                if *negate { -value } else { value }
            }
            ExprKind::Binary(binary) => {
                let left = self.scalar(&binary.left, t)?;
                let right = self.scalar(&binary.right, t)?;
                binary::scalars(binary.op, left, right)
            }
            ExprKind::Call { function, args, .. } => match function {
                Function::Time => t as f64 / 1000.0,
                Function::Pi => std::f64::consts::PI,
                Function::Scalar => {
                    let samples = self.vector(&args[0], t)?;
                    let value = match samples.as_slice() {
                        [only] => only.value,
                        _ => f64::NAN,
                    };
                    self.recycle(samples);
                    value
                }
                other => unreachable!("{other:?} is no function to a scalar"),
            },
            other => unreachable!("checked as a scalar: {other:?}"),
        })
    }

    /// An expression of type instant vector.
    fn vector(&mut self, expr: &Expr, t: i64) -> Evaluated<Vec<Sample>> {
        self.spend(1, expr)?;
        let samples = match &expr.kind {
            ExprKind::Paren(inner) => self.vector(inner, t)?,
            ExprKind::Selector(selector) => {
                self.instant_selector(expr.id, selector, t, |_, value| value)
            }
            ExprKind::Unary { negate, operand } => {
                let samples = self.vector(operand, t)?;
                if *negate {
                    self.negated(samples, expr)?
                } else {
                    samples
                }
            }
            ExprKind::Binary(binary) => self.binary(expr, binary, t)?,
            ExprKind::Aggregate(aggregate) => self.aggregate(expr, aggregate, t)?,
            ExprKind::Call { function, args, .. } => self.call(expr, *function, args, t)?,
            other => unreachable!("checked as an instant vector: {other:?}"),
        };
        self.spend(samples.len() as u64, expr)?;
        Ok(samples)
    }

    /// An expression of type range vector that stands alone.
    fn matrix(&mut self, expr: &Expr, t: i64) -> Evaluated<Vec<(SetId, bool, Points)>> {
        match &expr.kind {
            ExprKind::Paren(inner) => self.matrix(inner, t),
            ExprKind::Range { selector, range_ms } => {
                self.range_selector(expr, selector, *range_ms, t)
            }
            ExprKind::Subquery(subquery) => self.subquery(expr, subquery, t),
            other => unreachable!("checked as a range vector: {other:?}"),
        }
    }

    fn call(
        &mut self,
        expr: &Expr,
        function: Function,
        args: &[Expr],
        t: i64,
    ) -> Evaluated<Vec<Sample>> {
        if function.takes_range() {
            return self.range_call(expr, function, args, t);
        }
        match function {
            Function::Vector => {
                let value = self.scalar(&args[0], t)?;
                let mut samples = self.buffer();
                samples.push(Sample::plain(value));
                Ok(samples)
            }
            Function::Absent => self.absent(&args[0], t),
            Function::Timestamp => self.timestamp(expr, &args[0], t),
            Function::HistogramQuantile => self.histogram_quantile(expr, args, t),
            Function::HistogramFraction => self.histogram_fraction(expr, args, t),
            Function::LabelReplace => self.label_replace(expr, args, t),
            Function::LabelJoin => self.label_join(expr, args, t),
            Function::Sort | Function::SortDesc => self.sort(expr, function, &args[0], t),
            Function::NativeHistogramOnly => {
                let samples = self.vector(&args[0], t)?;
                self.recycle(samples);
                Ok(self.buffer())
            }
            _ => self.map_call(expr, function, args, t),
        }
    }

    /// The moment a selector or subquery looks at.
    fn moment(&self, when: &When, t: i64) -> i64 {
        let at = match when.at {
            None => t,
            Some(At::Time(fixed)) => fixed,
            Some(At::Start) => self.start,
            Some(At::End) => self.end,
        };
        at.saturating_sub(when.offset_ms)
    }

    fn negated(&mut self, mut samples: Vec<Sample>, expr: &Expr) -> Evaluated<Vec<Sample>> {
        for sample in &mut samples {
            sample.value = -sample.value;
            self.drop_name(sample);
        }
        self.refuse_duplicates(&samples, expr)?;
        Ok(samples)
    }

    /// Takes a sample's name away: now, or with delayed removal at the end.
    fn drop_name(&mut self, sample: &mut Sample) {
        sample.drop_name = true;
        if !self.plan.options.delayed_name_removal {
            sample.set = self.table.without_name(sample.set);
        }
    }

    /// Fails where two elements have equal labels, unless that is left to the end.
    fn refuse_duplicates(&mut self, samples: &[Sample], expr: &Expr) -> Evaluated<()> {
        if self.plan.options.delayed_name_removal && !self.many_steps {
            return Ok(());
        }
        if self
            .table
            .has_duplicates(samples.iter().map(|sample| sample.set))
        {
            return Err(EvalError::new(SAME_LABELSET, &expr.span));
        }
        Ok(())
    }

    /// The end of delayed name removal (`cleanupMetricLabels`).
    fn with_names_dropped(
        &mut self,
        mut samples: Vec<Sample>,
        expr: &Expr,
    ) -> Evaluated<Vec<Sample>> {
        if !self.plan.options.delayed_name_removal {
            return Ok(samples);
        }
        for sample in samples.iter_mut().filter(|sample| sample.drop_name) {
            sample.set = self.table.without_name(sample.set);
        }
        if self
            .table
            .has_duplicates(samples.iter().map(|sample| sample.set))
        {
            return Err(EvalError::new(SAME_LABELSET, &expr.span));
        }
        Ok(samples)
    }

    fn buffer(&mut self) -> Vec<Sample> {
        self.pool.pop().unwrap_or_default()
    }

    fn recycle(&mut self, mut samples: Vec<Sample>) {
        samples.clear();
        self.pool.push(samples);
    }

    /// Takes a node's memory out, so that it can be used beside the rest of the run; it is put back with
    /// [`remember`](Self::remember).
    fn recall(&mut self, node: usize) -> NodeMemory {
        std::mem::take(&mut self.nodes[node])
    }

    fn remember(&mut self, node: usize, memory: NodeMemory) {
        self.nodes[node] = memory;
    }

    fn spend(&mut self, work: u64, expr: &Expr) -> Evaluated<()> {
        self.work += work;
        if self.work > self.plan.options.max_work {
            return Err(EvalError::new(
                "query processing would load too many samples into memory in query execution",
                &expr.span,
            ));
        }
        Ok(())
    }
}

impl Sample {
    /// A value without labels.
    fn plain(value: f64) -> Self {
        Sample {
            set: SetId::EMPTY,
            drop_name: false,
            value,
        }
    }
}

impl Options {
    /// Whether windows leave out a sample at their very left edge.
    pub(super) fn left_open(&self) -> bool {
        self.version == Version::V3
    }

    /// Whether sums carry a compensation for rounding (since 2.54).
    fn compensates(&self) -> bool {
        self.version == Version::V3
    }

    /// Whether a quantile that falls on a sample is that sample, and not a blend that an infinity beside it spoils.
    fn ranks_exactly(&self) -> bool {
        self.version == Version::V3
    }

    /// Whether answers carry annotations.
    fn annotates(&self) -> bool {
        self.version != Version::V2_42
    }
}

/// The string literal that an expression of type string is, parentheses aside.
fn string_of(expr: &Expr) -> &super::ast::Text {
    match &expr.unwrapped().kind {
        ExprKind::String(text) => text,
        other => unreachable!("checked as a string: {other:?}"),
    }
}
