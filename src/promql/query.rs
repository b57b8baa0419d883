//! A compiled query, and what can be known of it without evaluating it.

use std::ops::Range;
use std::sync::Arc;

use super::ast::{At, Expr, ExprKind, Selector, When};
use super::error::{EvalError, ParseError};
use super::eval::Evaluator;
use super::value::{Answer, MatrixSeries};
use super::{Options, check, parser};
use crate::time::{Span, Timestamp};
use crate::tsdb::{Matcher, Queryable};

/// A query that has been parsed and checked. A clone shares all of it.
#[derive(Clone, Debug)]
pub struct Query {
    plan: Arc<Plan>,
}

/// What evaluation needs; never changes.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) text: String,
    pub(super) expr: Expr,
    /// How many nodes the tree has; each has a number below this.
    pub(super) nodes: usize,
    pub(super) options: Options,
    selectors: Vec<SelectorUse>,
}

/// One selector of a query, and which samples it can ask for.
#[derive(Clone, Debug)]
pub struct SelectorUse {
    /// The conditions on its series.
    pub matchers: Vec<Matcher>,
    /// The range in brackets, for a range selector.
    pub range: Option<Span>,
    /// How far before the evaluation it looks at most: its range or the lookback, its offset, and the ranges and offsets of
    /// subqueries around it. `None` where `@` ties it to a moment of its own.
    pub reach: Option<Span>,
    /// Where it stands in the text, in bytes.
    pub span: Range<usize>,
    window: Window,
}

/// Where a selector looks, from the outermost subquery inwards.
#[derive(Clone, Debug)]
struct Window {
    subqueries: Vec<(When, i64)>,
    when: When,
    /// Range, or the lookback.
    length_ms: i64,
}

/// The samples one selector saw.
#[derive(Clone, Debug, PartialEq)]
pub struct SeenSelector {
    /// Which of the query's selectors: an index into [`Query::selectors`].
    pub selector: usize,
    /// Its series that had samples in the window, with those samples; no stale markers.
    pub series: Vec<MatrixSeries>,
}

impl Query {
    /// Parses and checks a query.
    ///
    /// # Errors
    /// What is wrong with the text, with its place.
    pub fn compile(text: &str, options: &Options) -> Result<Query, ParseError> {
        let (expr, nodes) = parser::parse(text, options.version)?;
        check::check(&expr)?;
        let mut selectors = Vec::new();
        collect_selectors(&expr, options, &mut Vec::new(), &mut selectors);
        let plan = Plan {
            text: text.to_owned(),
            expr,
            nodes,
            options: options.clone(),
            selectors,
        };
        Ok(Query {
            plan: Arc::new(plan),
        })
    }

    pub(super) fn of(plan: Arc<Plan>) -> Query {
        Query { plan }
    }

    /// The query's text.
    pub fn text(&self) -> &str {
        &self.plan.text
    }

    /// What it was compiled for.
    pub fn options(&self) -> &Options {
        &self.plan.options
    }

    /// An evaluator of this query. Whoever asks more than once keeps it.
    pub fn evaluator(&self) -> Evaluator {
        Evaluator::new(Arc::clone(&self.plan))
    }

    /// The value at one moment.
    ///
    /// # Errors
    /// As [`Evaluator::instant`].
    pub fn instant<Q: Queryable>(&self, storage: &Q, at: Timestamp) -> Result<Answer, EvalError> {
        self.evaluator().instant(storage, at)
    }

    /// The values from `start` to `end`, a `step` apart.
    ///
    /// # Errors
    /// As [`Evaluator::range`].
    pub fn range<Q: Queryable>(
        &self,
        storage: &Q,
        start: Timestamp,
        end: Timestamp,
        step: Span,
    ) -> Result<Answer, EvalError> {
        self.evaluator().range(storage, start, end, step)
    }

    /// Every selector of the query, in the order they stand in its text: a series that none of them matches can be
    /// dropped at the scrape.
    pub fn selectors(&self) -> &[SelectorUse] {
        &self.plan.selectors
    }

    /// The places of everything that is computed on the way, the innermost first and the whole last: calls, aggregations,
    /// operations. Selectors, numbers and parentheses compute nothing.
    pub fn parts(&self) -> Vec<Range<usize>> {
        let mut parts = Vec::new();
        collect_parts(&self.plan.expr, &mut parts);
        parts
    }

    /// How far before the moment of evaluation the oldest sample can lie that may matter; `None` when `@` names a moment of
    /// its own, which may be arbitrarily old. A store that keeps this and one scrape interval loses nothing.
    pub fn longest_reach(&self) -> Option<Span> {
        self.selectors()
            .iter()
            .map(|selector| selector.reach)
            .try_fold(Span::ZERO, |longest, reach| Some(longest.max(reach?)))
    }

    /// The raw samples an evaluation at `at` can see, per selector and series. For a selector inside a subquery these are the
    /// samples of all its steps.
    pub fn samples_seen<Q: Queryable>(&self, storage: &Q, at: Timestamp) -> Vec<SeenSelector> {
        let open = self.plan.options.left_open();
        let seen = |(selector, used): (usize, &SelectorUse)| {
            let (from, to) = used.window.bounds(at);
            let series = storage
                .select(&used.matchers)
                .into_iter()
                .map(|id| {
                    let table = storage.table(id.target());
                    let column = table.column(id);
                    let rows = column.within(&table.rows(from, to, open));
                    let samples = column.samples(&rows).collect();
                    MatrixSeries {
                        labels: storage.labels(id).clone(),
                        samples,
                    }
                })
                .filter(|series| !series.samples.is_empty())
                .collect();
            SeenSelector { selector, series }
        };
        self.selectors().iter().enumerate().map(seen).collect()
    }
}

impl Window {
    /// The oldest and newest moment it sees when evaluated at `at`.
    fn bounds(&self, at: Timestamp) -> (Timestamp, Timestamp) {
        let (mut from, mut to) = (at.as_millis(), at.as_millis());
        let enclosing = self.subqueries.iter().copied();
        for (when, length) in enclosing.chain([(self.when, self.length_ms)]) {
            match when.at {
                Some(At::Time(fixed)) => (from, to) = (fixed, fixed),
                Some(At::Start | At::End) => (from, to) = (at.as_millis(), at.as_millis()),
                None => {}
            }
            from = from.saturating_sub(when.offset_ms).saturating_sub(length);
            to = to.saturating_sub(when.offset_ms);
        }
        (Timestamp::from_millis(from), Timestamp::from_millis(to))
    }

    fn reach(&self) -> Option<Span> {
        let enclosing = self.subqueries.iter().copied();
        let mut reach: i64 = 0;
        for (when, length) in enclosing.chain([(self.when, self.length_ms)]) {
            if when.at.is_some() {
                return None;
            }
            reach = reach.saturating_add(when.offset_ms).saturating_add(length);
        }
        Some(Span::from_millis(reach.max(0)))
    }
}

/// Lists what is computed below `expr`, and `expr` itself where it computes something.
fn collect_parts(expr: &Expr, out: &mut Vec<Range<usize>>) {
    for child in expr.children() {
        collect_parts(child, out);
    }
    if matches!(
        expr.kind,
        ExprKind::Unary { .. }
            | ExprKind::Binary(_)
            | ExprKind::Aggregate(_)
            | ExprKind::Call { .. }
    ) {
        out.push(expr.span.clone());
    }
}

/// Lists the selectors below `expr`; `subqueries` are those around it.
fn collect_selectors(
    expr: &Expr,
    options: &Options,
    subqueries: &mut Vec<(When, i64)>,
    out: &mut Vec<SelectorUse>,
) {
    let mut push = |selector: &Selector, range_ms: Option<i64>| {
        let window = Window {
            subqueries: subqueries.clone(),
            when: selector.when,
            length_ms: range_ms.unwrap_or(options.lookback.as_millis()),
        };
        out.push(SelectorUse {
            matchers: selector.matchers.clone(),
            range: range_ms.map(Span::from_millis),
            reach: window.reach(),
            span: expr.span.clone(),
            window,
        });
    };
    match &expr.kind {
        ExprKind::Selector(selector) => push(selector, None),
        ExprKind::Range { selector, range_ms } => push(selector, Some(*range_ms)),
        ExprKind::Subquery(subquery) => {
            subqueries.push((subquery.when, subquery.range_ms));
            collect_selectors(&subquery.expr, options, subqueries, out);
            subqueries.pop();
        }
        _ => {
            let mut children = expr.children();
            children.sort_by_key(|child| child.span.start);
            for child in children {
                collect_selectors(child, options, subqueries, out);
            }
        }
    }
}
