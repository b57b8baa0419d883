//! Annotations: what there is to remark about an evaluation that succeeds (`util/annotations`).

use std::ops::Range;

use super::Run;
use super::histogram::Forced;
use super::maths::shortest;
use crate::promql::ast::Expr;
use crate::promql::value::{Annotation, Severity};

/// An annotation, and what of it only the end of the evaluation knows.
pub(super) struct Remark {
    annotation: Annotation,
    forced: Option<Forced>,
}

impl<Q> Run<'_, Q> {
    pub(super) fn info(&mut self, message: impl Into<String>, span: &Range<usize>) {
        self.remark(Severity::Info, message.into(), span, None);
    }

    pub(super) fn warn(&mut self, message: impl Into<String>, span: &Range<usize>) {
        self.remark(Severity::Warning, message.into(), span, None);
    }

    /// Remarks on a quantile, the value of `arg`, that is none.
    pub(super) fn check_quantile(&mut self, q: f64, arg: &Expr) {
        if !(0.0..=1.0).contains(&q) {
            let q = shortest(q);
            self.warn(
                format!("quantile value should be between 0 and 1, got {q}"),
                &arg.unwrapped().span,
            );
        }
    }

    /// Notes a remark, once for each text.
    pub(super) fn remark(
        &mut self,
        severity: Severity,
        message: String,
        span: &Range<usize>,
        forced: Option<Forced>,
    ) {
        if !self.plan.options.annotates() {
            return;
        }
        let same = |remark: &&mut Remark| {
            remark.annotation.severity == severity && remark.annotation.message == message
        };
        if let Some(known) = self.annotations.iter_mut().find(same) {
            if let (Some(known), Some(new)) = (&mut known.forced, forced) {
                known.merge(new);
            }
            return;
        }
        self.annotations.push(Remark {
            annotation: Annotation {
                severity,
                message,
                span: span.clone(),
            },
            forced,
        });
    }

    /// The remarks made, as the answer carries them.
    pub(super) fn remarks(self) -> Vec<Annotation> {
        let finish = |remark: Remark| {
            let mut annotation = remark.annotation;
            if let Some(forced) = remark.forced {
                annotation.message.push_str(&forced.to_string());
            }
            annotation
        };
        self.annotations.into_iter().map(finish).collect()
    }
}
