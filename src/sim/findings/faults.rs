//! Faults that the scenario put in, so that nobody takes them for the release's.

use super::{Case, finding};
use crate::record::{Finding, Outcome};
use crate::scenario::{Fault, FaultKind, Workload};
use crate::time::{Span, Timestamp};

/// What was put in and when, and whether the rollout was decided under its effect.
pub(super) fn injected(case: &Case<'_>) -> Option<Finding> {
    let faults = &case.scenario.chaos;
    if faults.is_empty() {
        return None;
    }
    let zero = case.scenario.run.horizon - (case.record.ended_at - Timestamp::ZERO);
    let told: Vec<String> = faults.iter().map(|fault| told(fault, zero)).collect();
    let deciding = case.record.decided_at.and_then(|decided| {
        // A check sees the minute before it.
        let decided = decided - Timestamp::ZERO + zero;
        let seen = |fault: &&Fault| {
            let end = fault.end.or(happens_once(fault).then_some(fault.start));
            fault.start <= decided && end.is_none_or(|end| end >= decided - Span::from_secs(60))
        };
        faults.iter().find(seen)
    });
    let verdict = match (case.record.outcome, deciding) {
        (Outcome::RolledBack, Some(fault))
            if fault.workload.is_none() && fault.version.is_none() =>
        {
            format!(
                " The rollback came under `{}`, which strikes both versions: the release need not be at fault. A query that sets the \
             canary against the primary would tell.",
                fault.kind.key()
            )
        }
        (Outcome::RolledBack, Some(fault)) => {
            format!(" The rollback came under `{}`.", fault.kind.key())
        }
        _ => String::new(),
    };
    finding(
        "faults-injected",
        format!("The scenario put in: {}.{verdict}", told.join("; ")),
    )
}

fn happens_once(fault: &Fault) -> bool {
    matches!(
        fault.kind,
        FaultKind::PodKill(_) | FaultKind::Reload | FaultKind::IngressRestart
    )
}

fn told(fault: &Fault, zero: Span) -> String {
    let clock = |at: Span| (Timestamp::ZERO + (at - zero)).clock();
    let whom = match (&fault.version, fault.workload) {
        (Some(version), _) => format!(" on {version}"),
        (None, Some(Workload::Primary)) => " on the primary".to_owned(),
        (None, Some(Workload::Canary)) => " on the canary".to_owned(),
        (None, None) => String::new(),
    };
    let until = match fault.end {
        Some(end) => format!("from {} to {}", clock(fault.start), clock(end)),
        None if happens_once(fault) => format!("at {}", clock(fault.start)),
        None => format!("from {} on", clock(fault.start)),
    };
    format!("`{}`{whom} {until}", fault.kind.key())
}
