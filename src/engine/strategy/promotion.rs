//! The promotion: copying the spec, moving traffic back, taking the canary down; and what happens when the primary
//! does not come up.
//!
//! Follows `runPromotionTrafficShift`, `shouldSkipAnalysis`, `handleFailedPromotion` and the Finalising step of
//! `advanceCanary` in `pkg/controller/scheduler.go`.

use super::Strategy;
use crate::canary::Phase;
use crate::engine::autoscaler::{self, Existing};
use crate::engine::context::{Context, Failure};
use crate::engine::dialect::Provider;
use crate::engine::event::{Gauge, Severity};
use crate::engine::router::{Router, Routes};
use crate::engine::status::Synced;
use crate::engine::weights::TOTAL_WEIGHT;
use crate::engine::{Decision, alert, gates, primary, scaling, status, weights};

/// Copies the canary's spec to the primary, which then rolls.
pub(crate) fn copy(cx: &mut Context<'_>, provider: Provider) -> Result<Decision, Failure> {
    tell_copying(cx);
    primary::promote(cx, provider)?;
    status::set_phase(cx, Phase::Promoting)?;
    Ok(Decision::Promoting)
}

/// Phase Promoting: moves traffic back to the primary, at once or in steps.
pub(crate) fn shift_back(
    cx: &mut Context<'_>,
    provider: Provider,
    router: &dyn Router,
    now: Routes,
) -> Result<Decision, Failure> {
    autoscaler::reconcile(cx, Existing::Update)?;
    let step = cx.analysis.step_weight_promotion;
    if provider == Provider::Kubernetes {
        status::set_phase(cx, Phase::Finalising)?;
    } else if step == 0 {
        cx.normal("Routing all traffic to primary");
        router.set_routes(cx, Routes::PRIMARY)?;
        cx.gauge_weight(Routes::PRIMARY);
        status::set_phase(cx, Phase::Finalising)?;
    } else if now.canary > 0 {
        let next = weights::shift_back(step, now);
        router.set_routes(cx, next)?;
        cx.gauge_weight(next);
        cx.normal(format!(
            "Advance {} primary weight {}",
            cx.canary(),
            next.primary
        ));
        if next.primary == TOTAL_WEIGHT {
            status::set_phase(cx, Phase::Finalising)?;
        } else {
            status::set_weight(cx, next.canary, None)?;
        }
    } else {
        // The routes are back and the phase is not: nothing ever moves it.
        return Ok(Decision::Idle);
    }
    Ok(Decision::ShiftedToPrimary)
}

/// Phase Finalising: takes the canary's pods down.
pub(crate) fn finalise(cx: &mut Context<'_>) -> Result<Decision, Failure> {
    scaling::to_zero(cx)?;
    status::set_phase(cx, Phase::Succeeded)?;
    succeeded(
        cx,
        "completed",
        format!("Promotion completed! Scaling down {}", cx.target()),
        "Canary analysis completed successfully, promotion finished.",
    );
    Ok(Decision::Succeeded)
}

/// `skipAnalysis`: copies and finishes in one tick, without waiting for the primary to roll.
pub(crate) fn skip(
    cx: &mut Context<'_>,
    provider: Provider,
    router: &dyn Router,
) -> Result<Decision, Failure> {
    router.set_routes(cx, Routes::PRIMARY)?;
    cx.gauge_weight(Routes::PRIMARY);
    tell_copying(cx);
    primary::promote(cx, provider)?;
    autoscaler::reconcile(cx, Existing::Update)?;
    scaling::to_zero(cx)?;
    status::set_phase(cx, Phase::Succeeded)?;
    succeeded(
        cx,
        "skipped",
        format!(
            "Promotion completed! Canary analysis was skipped for {}",
            cx.target()
        ),
        "Canary analysis was skipped, promotion finished.",
    );
    Ok(Decision::Succeeded)
}

/// The primary cannot come up: the canary is the only healthy copy, so it gets all traffic and keeps its pods.
pub(crate) fn fail(
    cx: &mut Context<'_>,
    router: &dyn Router,
    cause: &Failure,
) -> Result<Decision, Failure> {
    cx.warning(format!(
        "Promotion of {} failed, primary not ready: {cause}",
        cx.target()
    ));
    let alert = format!("Promotion failed, primary not ready: {cause}");
    alert::tell(cx, Severity::Error, alert);
    router.set_routes(cx, Routes::CANARY)?;
    cx.gauge_weight(Routes::CANARY);
    let synced = Synced {
        canary_weight: TOTAL_WEIGHT,
        ..Synced::phase(Phase::Failed)
    };
    if let Err(error) = status::sync(cx, synced) {
        cx.log(error.message);
        return Ok(Decision::Blocked);
    }
    super::rollback::tell_failed(cx);
    Ok(Decision::PromotionFailed)
}

fn tell_copying(cx: &mut Context<'_>) {
    cx.normal(format!(
        "Copying {} template spec to {}.{}",
        cx.target(),
        cx.primary_name(),
        cx.namespace
    ));
}

fn succeeded(cx: &mut Context<'_>, analysis: &str, event: String, alert: &str) {
    cx.gauge_status(Phase::Succeeded);
    cx.gauge(Gauge::Success {
        strategy: Strategy::of(&cx.analysis).as_str().to_owned(),
        status: analysis.to_owned(),
    });
    cx.in_phase(Phase::Succeeded, |cx| {
        gates::post_rollout(cx, Phase::Succeeded);
        cx.normal(event);
        alert::tell(cx, Severity::Info, alert);
    });
}
