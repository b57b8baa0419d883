//! What the two readings of a Canary differ in, as parameters of the one state machine.

use crate::canary::Analysis;
pub(crate) use crate::canary::{Provider, Rules};

/// What a dialect makes of an analysis: the parameters of the one state machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DialectRules {
    /// Failed checks of a run that end it.
    pub(crate) failure_limit: i64,
    /// The limit is tested in the tick in which a check fails, not in the next one.
    pub(crate) ends_at_once: bool,
    /// Passed checks in a row that a promotion needs. One failure ends a run, so they are all the run's passes;
    /// the status keeps their number in `iterations`, which the weights strategy leaves unused otherwise.
    pub(crate) passes_needed: i64,
    /// Passed checks are counted.
    pub(crate) counts_passes: bool,
    /// All traffic goes to the canary before its spec is copied to the primary.
    pub(crate) shifts_before_copying: bool,
    /// A metric with a templateRef is evaluated by its template alone.
    pub(crate) template_alone: bool,
    /// Broken bounds are told by metric name, value and bound.
    pub(crate) plain_faults: bool,
}

impl Rules {
    pub(crate) fn parameters(self, analysis: &Analysis) -> DialectRules {
        let runbook = self == Rules::Runbook;
        DialectRules {
            failure_limit: if runbook { 1 } else { analysis.threshold() },
            ends_at_once: runbook,
            passes_needed: if runbook { analysis.threshold() } else { 0 },
            counts_passes: runbook,
            shifts_before_copying: runbook,
            template_alone: runbook,
            plain_faults: runbook,
        }
    }
}
