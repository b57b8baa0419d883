//! One tick of the controller, in Flagger's order. The only place that branches on the phase.
//!
//! Follows `advanceCanary` and the functions it is made of in `pkg/controller/scheduler.go`. Left out: targets other than
//! Deployments, providers other than those of [`Provider`], and the AppMesh and Knative detours.

use std::rc::Rc;

use super::autoscaler::{self, Existing};
use super::configs::Mentions;
use super::context::{Context, Failure};
use super::dialect::Provider;
use super::event::{Notice, Severity};
use super::object::ObjectRef;
use super::router::{self, Router, Routes};
use super::status::{self, Synced};
use super::strategy::{self, Step, promotion, rollback::roll_back};
use super::{
    Decision, Settings, Ticked, World, alert, analysis, gates, primary, readiness, revision,
    scaling, services,
};
use crate::canary::{Canary, Phase};
use crate::time::Timestamp;

/// Runs one tick of the controller for one Canary.
///
/// Everything that a tick knows comes from `world` and `now`; what it decides is written to `world`, told to it, and
/// summed up in the returned value.
pub fn tick(
    canary: &ObjectRef,
    settings: &Settings,
    now: Timestamp,
    world: &mut impl World,
) -> Ticked {
    let snapshot = match world.read(canary).map(|found| found.map(Canary::try_from)) {
        Ok(Some(Ok(canary))) => canary,
        _ => {
            world.tell(Notice::Log(format!("Canary {canary} not found")));
            return Ticked::default();
        }
    };
    let mut cx = Context::new(snapshot, settings, now, world);
    let phase_before = cx.status.phase;
    let decision = advance(&mut cx).unwrap_or_else(|failure| {
        cx.warning(failure.message);
        Decision::Blocked
    });
    Ticked {
        phase_before,
        phase_after: cx.phase_written,
        checks: cx.checks,
        decision,
    }
}

/// The tick. A failure is told as a Warning and ends it.
fn advance(cx: &mut Context<'_>) -> Result<Decision, Failure> {
    if cx.spec.suspend {
        cx.normal("skipping canary run as object is suspended");
        return Ok(Decision::Idle);
    }
    let provider = cx.provider()?;
    let router = router::of(provider);
    let (settings, spec) = (cx.settings, Rc::clone(&cx.spec));
    let (label, ports) = cx.look_at_target(|target| {
        let label = primary::selector_label(target, settings);
        (label, services::ports(&spec, target))
    })?;
    let label = label?;
    services::reconcile_workloads(cx, &label, &ports)?;

    let initializing = matches!(cx.status.phase, Phase::Unset | Phase::Initializing);
    if initializing && !cx.skip_analysis {
        match analysis::check_availability(cx) {
            Ok(()) => cx.normal("all the metrics providers are available!"),
            Err(error) => cx.warning(format!("Error checking metric providers: {error}")),
        }
    }
    if let Err(failure) = primary::initialize(cx, &label) {
        cx.warning(&*failure.message);
        return end_or_roll_back(cx, router, &failure);
    }
    autoscaler::reconcile(cx, Existing::Keep)?;
    services::reconcile_apex(cx, &label, &ports)?;
    if initializing {
        scaling::to_zero(cx).map_err(|e| {
            let target = format!("{} {}", cx.spec.target_ref.kind, cx.target());
            e.context(format_args!("scaling down canary {target} failed"))
        })?;
    }
    router.reconcile(cx)?;
    if initializing {
        become_initialized(cx)?;
    }

    if !should_advance(cx)? {
        cx.gauge_status(cx.status.phase);
        return Ok(if initializing {
            Decision::Initialized
        } else {
            Decision::Idle
        });
    }
    if !cx.skip_analysis
        && let Err(failure) = primary::check_ready(cx)
    {
        cx.warning(&*failure.message);
        let promoting = matches!(cx.status.phase, Phase::Promoting | Phase::Finalising);
        if promoting && !failure.retriable {
            return promotion::fail(cx, router, &failure);
        }
        return end_or_roll_back(cx, router, &failure);
    }
    let routes = router.routes(cx)?;
    cx.gauge_weight(routes);

    cx.gauge_status(cx.status.phase);
    match cx.status.phase {
        Phase::Progressing | Phase::WaitingPromotion => {
            // In a running analysis the errors of this test are passed over.
            if has_revision_changed(cx).unwrap_or(false) {
                return restart(cx, router);
            }
        }
        Phase::Promoting | Phase::Finalising => {}
        _ => return start(cx, provider),
    }
    if let Err(failure) = check_canary_ready(cx) {
        cx.warning(&*failure.message);
        return end_or_roll_back(cx, router, &failure);
    }
    if cx.skip_analysis {
        return promotion::skip(cx, provider, router);
    }
    match cx.status.phase {
        Phase::Promoting => return promotion::shift_back(cx, provider, router, routes),
        Phase::Finalising => return promotion::finalise(cx),
        _ => {}
    }

    if gates::rollback(cx) {
        cx.warning(format!(
            "Rolling back {} manual webhook invoked",
            cx.canary()
        ));
        alert::tell(cx, Severity::Warn, "Rolling back manual webhook invoked");
        return roll_back(cx, router);
    }
    // In Flagger's own reading this comes one tick after the check that failed last.
    if cx.status.failed_checks >= cx.rules.failure_limit {
        return roll_back(cx, router);
    }
    let untouched =
        routes.canary == 0 && cx.status.iterations == 0 && !(cx.analysis.mirror && routes.mirrored);
    let passed = if untouched {
        cx.normal(format!("Starting canary analysis for {}", cx.target()));
        gates::pre_rollout(cx)
    } else {
        analysis::run(cx, provider)
    };
    if !passed {
        return count_failed_check(cx, router);
    }
    if provider == Provider::Kubernetes {
        fall_back_to_iterations(cx);
    }
    strategy::advance(
        cx,
        Step {
            provider,
            router,
            routes,
            checked: !untouched,
        },
    )
}

/// After a failure that has been told: waits, or rolls back where waiting cannot help.
fn end_or_roll_back(
    cx: &mut Context<'_>,
    router: &dyn Router,
    failure: &Failure,
) -> Result<Decision, Failure> {
    if failure.retriable {
        Ok(Decision::Blocked)
    } else {
        roll_back(cx, router)
    }
}

/// The primary is ready for the first rollout (`setPhaseInitialized`).
fn become_initialized(cx: &mut Context<'_>) -> Result<(), Failure> {
    let canary = cx.canary();
    cx.status.phase = Phase::Initialized;
    status::sync(cx, Synced::phase(Phase::Initialized))
        .map_err(|e| e.context(format_args!("failed to sync canary {canary} status")))?;
    let written = cx
        .read_status()
        .map_err(|e| Failure::new(format!("failed to get canary {canary}: {e}")))?;
    cx.status.last_applied_spec = written.last_applied_spec;
    cx.status.tracked_configs = written.tracked_configs;
    cx.gauge_status(Phase::Initialized);
    cx.normal(format!("Initialization done! {canary}"));
    let message = format!(
        "New {} detected, initialization completed.",
        cx.spec.target_ref.kind
    );
    alert::tell_with_details(cx, Severity::Info, message);
    Ok(())
}

/// Whether there is anything to do beyond reconciling: a run is on, or the target or its configs are new.
fn should_advance(cx: &mut Context<'_>) -> Result<bool, Failure> {
    match cx.status.phase {
        Phase::Progressing
        | Phase::Waiting
        | Phase::WaitingPromotion
        | Phase::Promoting
        | Phase::Finalising => return Ok(true),
        Phase::Failed => {
            // Moves lastAppliedSpec on, in the API but not in the snapshot: a revision that shows up while the
            // rest of this tick fails is never seen again.
            let synced = Synced {
                phase: cx.status.phase,
                canary_weight: cx.status.canary_weight,
                failed_checks: cx.status.failed_checks,
                iterations: cx.status.iterations,
            };
            if let Err(error) = status::sync(cx, synced) {
                cx.log(&*error.message);
                return Err(error);
            }
        }
        _ => {}
    }
    has_revision_changed(cx)
}

/// Whether the target's template or its configs are others than the snapshot's status says.
fn has_revision_changed(cx: &mut Context<'_>) -> Result<bool, Failure> {
    let settings = cx.settings;
    let (hash, mentions) = cx.look_at_target(|target| {
        let hash = revision::template_hash(&target.spec.template);
        (hash, Mentions::of(target, settings))
    })?;
    Ok(revision::has_changed(&cx.status, &hash) || mentions.have_changed(cx)?)
}

/// Something new was seen: asks the gate and scales the canary up (`checkCanaryStatus`).
fn start(cx: &mut Context<'_>, provider: Provider) -> Result<Decision, Failure> {
    match cx.read_status() {
        Ok(status) => cx.renew(status),
        Err(error) => {
            cx.log(error.to_string());
            return Ok(Decision::Blocked);
        }
    }
    if !gates::confirm_rollout(cx) {
        return Ok(Decision::Waiting);
    }
    cx.in_phase(Phase::Progressing, |cx| {
        cx.normal(format!("New revision detected! Scaling up {}", cx.target()));
        let message = "New revision detected, progressing canary analysis.";
        alert::tell_with_details(cx, Severity::Info, message);
    });
    // Under pod scaling the first weight brings the first pods.
    if provider != Provider::PodScaling {
        scaling::from_zero(cx)?;
    }
    if let Err(error) = status::sync(cx, Synced::phase(Phase::Progressing)) {
        cx.log(error.message);
        return Ok(Decision::Blocked);
    }
    cx.gauge_status(Phase::Progressing);
    Ok(Decision::Detected)
}

/// Another revision during the analysis: back to the start, without asking the gate again.
fn restart(cx: &mut Context<'_>, router: &dyn Router) -> Result<Decision, Failure> {
    cx.normal(format!(
        "New revision detected! Restarting analysis for {}",
        cx.target()
    ));
    router.set_routes(cx, Routes::PRIMARY)?;
    status::sync(cx, Synced::phase(Phase::Progressing))?;
    Ok(Decision::Restarted)
}

/// `IsCanaryReady`.
pub(super) fn check_canary_ready(cx: &mut Context<'_>) -> Result<(), Failure> {
    let deadline = cx.spec.progress_deadline();
    let threshold = cx.analysis.canary_ready_threshold();
    let now = cx.now;
    let ready = cx.look_at_target(|target| readiness::check(target, deadline, threshold, now))?;
    ready.map_err(|e| Failure {
        message: format!("canary deployment {} not ready: {}", cx.target(), e.reason),
        retriable: e.retriable,
    })
}

/// One failed check more, whatever failed and however much of it.
fn count_failed_check(cx: &mut Context<'_>, router: &dyn Router) -> Result<Decision, Failure> {
    let failed_checks = cx.status.failed_checks + 1;
    status::set_failed_checks(cx, failed_checks)?;
    if cx.rules.ends_at_once && failed_checks >= cx.rules.failure_limit {
        cx.status.failed_checks = failed_checks;
        return roll_back(cx, router);
    }
    Ok(Decision::Halted)
}

/// Without a router only iterations are left; what the Canary asks for beyond that is dropped for this tick, and said
/// so in every passing tick.
fn fall_back_to_iterations(cx: &mut Context<'_>) {
    if !cx.analysis.matches.is_empty() {
        cx.warning("A/B testing is not supported when using the kubernetes provider");
        Rc::make_mut(&mut cx.analysis).matches.clear();
    }
    if cx.analysis.iterations < 1 {
        cx.warning("Progressive traffic is not supported when using the kubernetes provider");
        cx.warning("Setting canaryAnalysis.iterations: 10");
        Rc::make_mut(&mut cx.analysis).iterations = 10;
    }
}
