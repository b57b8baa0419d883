//! `absent`: a vector where there is none.

use super::{Evaluated, Run, Sample};
use crate::promql::ast::{Expr, ExprKind};
use crate::tsdb::{Labels, LabelsBuilder, METRIC_NAME, MatchOp, Queryable};

impl<Q: Queryable> Run<'_, Q> {
    /// 1 where the argument has no element, labelled with what its selector asks for.
    pub(super) fn absent(&mut self, arg: &Expr, t: i64) -> Evaluated<Vec<Sample>> {
        let mut samples = self.vector(arg, t)?;
        let present = !samples.is_empty();
        samples.clear();
        if !present {
            let set = self.table.intern(labels_matched_exactly(arg.unwrapped()));
            samples.push(Sample {
                set,
                ..Sample::plain(1.0)
            });
        }
        Ok(samples)
    }
}

/// The labels a bare selector fixes with `=` (`createLabelsForAbsentFunction`). One that is matched twice, or otherwise too,
/// is not fixed; that even two equal conditions count as such is upstream's history.
pub(super) fn labels_matched_exactly(expr: &Expr) -> Labels {
    let (ExprKind::Selector(selector) | ExprKind::Range { selector, .. }) = &expr.kind else {
        return Labels::empty();
    };
    let mut labels = LabelsBuilder::default();
    let mut met: Vec<&str> = Vec::new();
    for matcher in selector
        .matchers
        .iter()
        .filter(|matcher| matcher.name() != METRIC_NAME)
    {
        if matcher.op() == MatchOp::Equal && !met.contains(&matcher.name()) {
            labels.set(matcher.name(), matcher.value());
            met.push(matcher.name());
        } else {
            labels.remove(matcher.name());
        }
    }
    labels.build()
}
