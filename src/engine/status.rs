//! The writers of a Canary's status: each sets its own fields and leaves the rest as the API has it.
//!
//! Follows `pkg/canary/status.go` and `deployment_status.go`. A writer starts from the tick's snapshot; once the snapshot is out of
//! date (after the tick's first write, or on a conflict) it starts from the status as it is by then, as Flagger's retry does.

use std::rc::Rc;

use super::configs::Mentions;
use super::context::{Context, Failure};
use super::object::Kind;
use super::revision;
use super::{Write, WriteError};
use crate::canary::{CanaryStatus, Phase};
use crate::k8s::Condition;
use crate::time::Timestamp;

/// Attempts of one write (`retry.DefaultBackoff`).
const ATTEMPTS: u32 = 4;

/// What [`sync`] sets besides the hashes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Synced {
    pub(crate) phase: Phase,
    pub(crate) canary_weight: i64,
    pub(crate) failed_checks: i64,
    pub(crate) iterations: i64,
}

impl Synced {
    /// This phase, all counters at zero.
    pub(crate) fn phase(phase: Phase) -> Self {
        Synced {
            phase,
            ..Synced::default()
        }
    }
}

/// `SyncStatus`: phase and counters, and with them the hash of the target's present template and its configs.
pub(crate) fn sync(cx: &mut Context<'_>, synced: Synced) -> Result<(), Failure> {
    let settings = cx.settings;
    let (hash, mentions) = cx.look_at_target(|target| {
        let hash = revision::template_hash(&target.spec.template);
        (hash, Mentions::of(target, settings))
    })?;
    let configs = mentions
        .resolve(cx)
        .map_err(|e| e.context(format_args!("GetConfigRefs failed")))?;
    let tracked = configs.checksums(settings);
    let spec = Rc::clone(&cx.spec);
    let now = cx.now;
    update(cx, |status| {
        status.phase = synced.phase;
        status.canary_weight = synced.canary_weight;
        status.failed_checks = synced.failed_checks;
        status.iterations = synced.iterations;
        status.last_applied_spec.clone_from(&hash);
        if synced.phase == Phase::Initialized {
            status.last_promoted_spec.clone_from(&hash);
        }
        status.tracked_configs.clone_from(&tracked);
        set_promoted_condition(status, &spec.target_ref.kind, now);
    })
}

/// `SetStatusPhase`: the phase; outside a running analysis it also clears weight and iterations.
pub(crate) fn set_phase(cx: &mut Context<'_>, phase: Phase) -> Result<(), Failure> {
    let spec = Rc::clone(&cx.spec);
    let now = cx.now;
    let iterations_wanted = cx.analysis.iterations;
    // A closed gate does not undo passed checks.
    let keep_passes = cx.iterations_are_passes();
    update(cx, |status| {
        status.phase = phase;
        match phase {
            Phase::Progressing | Phase::Waiting | Phase::Promoting => {}
            Phase::WaitingPromotion => {
                status.canary_weight = 0;
                if !keep_passes {
                    status.iterations = iterations_wanted - 1;
                }
            }
            _ => {
                status.canary_weight = 0;
                status.iterations = 0;
            }
        }
        if matches!(phase, Phase::Initialized | Phase::Succeeded) {
            status.last_promoted_spec = status.last_applied_spec.clone();
        }
        set_promoted_condition(status, &spec.target_ref.kind, now);
    })
}

/// `SetStatusFailedChecks`.
pub(crate) fn set_failed_checks(cx: &mut Context<'_>, count: i64) -> Result<(), Failure> {
    update(cx, |status| status.failed_checks = count)
}

/// `SetStatusIterations`.
pub(crate) fn set_iterations(cx: &mut Context<'_>, count: i64) -> Result<(), Failure> {
    update(cx, |status| status.iterations = count)
}

/// `SetStatusWeight`; in the runbook's reading together with the number of passed checks.
pub(crate) fn set_weight(
    cx: &mut Context<'_>,
    canary_weight: i64,
    passes: Option<i64>,
) -> Result<(), Failure> {
    update(cx, |status| {
        status.canary_weight = canary_weight;
        if let Some(passes) = passes {
            status.iterations = passes;
        }
    })
}

fn update(cx: &mut Context<'_>, change: impl Fn(&mut CanaryStatus)) -> Result<(), Failure> {
    let canary = cx.local(Kind::Canary, &*cx.name);
    let failed = |error: String| Failure::new(format!("failed after retries: {error}"));
    let mut conflict = WriteError::Conflict;
    for _ in 0..ATTEMPTS {
        let mut status = if cx.outdated {
            cx.read_status()
                .map_err(|e| failed(format!("canary {} get query failed: {e}", cx.canary())))?
        } else {
            cx.status.clone()
        };
        change(&mut status);
        status.last_transition_time = Some(cx.now);
        let phase = status.phase;
        cx.outdated = true;
        match cx.write(Write::CanaryStatus {
            canary: canary.clone(),
            status,
        }) {
            Ok(()) => {
                cx.phase_written = phase;
                return Ok(());
            }
            Err(WriteError::Conflict) => {}
            Err(error) => {
                conflict = error;
                break;
            }
        }
    }
    Err(failed(format!(
        "updating canary {} status failed: {conflict}",
        cx.canary()
    )))
}

/// `MakeStatusConditions`: one condition, type Promoted, whose reason is the phase; left alone if neither status
/// nor reason change. `kind` is the target's.
pub fn set_promoted_condition(status: &mut CanaryStatus, kind: &str, now: Timestamp) {
    let (value, message) = promoted(status.phase, kind);
    let current = status.conditions.iter().find(|c| c.kind == "Promoted");
    if current.is_some_and(|c| c.status == value && c.reason == status.phase.as_str()) {
        return;
    }
    let since = current
        .filter(|c| c.status == value)
        .and_then(|c| c.last_transition_time);
    status.conditions = vec![Condition {
        kind: "Promoted".to_owned(),
        status: value.to_owned(),
        reason: status.phase.as_str().to_owned(),
        message,
        last_update_time: Some(now),
        last_transition_time: since.or(Some(now)),
    }];
}

/// What the condition says in a phase.
fn promoted(phase: Phase, kind: &str) -> (&'static str, String) {
    match phase {
        Phase::Initialized => ("True", format!("{kind} initialization completed.")),
        Phase::Waiting | Phase::WaitingPromotion => ("Unknown", "Waiting for approval.".to_owned()),
        Phase::Progressing => (
            "Unknown",
            "New revision detected, progressing canary analysis.".to_owned(),
        ),
        Phase::Promoting => (
            "Unknown",
            "Canary analysis completed, starting primary rolling update.".to_owned(),
        ),
        Phase::Finalising => (
            "Unknown",
            "Canary analysis completed, routing all traffic to primary.".to_owned(),
        ),
        Phase::Succeeded => (
            "True",
            "Canary analysis completed successfully, promotion finished.".to_owned(),
        ),
        Phase::Failed => (
            "False",
            format!("Canary analysis failed, {kind} scaled to zero."),
        ),
        Phase::Unset | Phase::Initializing | Phase::Terminating | Phase::Terminated => (
            "Unknown",
            format!("New {kind} detected, starting initialization."),
        ),
    }
}
