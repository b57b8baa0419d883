//! Progressive traffic: one weight step per passed analysis, then the promotion (`runCanary`).

use super::{Step, promotion};
use crate::canary::Phase;
use crate::engine::context::{Context, Failure};
use crate::engine::router::Routes;
use crate::engine::{Decision, gates, status, weights};

pub(crate) fn advance(cx: &mut Context<'_>, step: Step<'_>) -> Result<Decision, Failure> {
    let now = step.routes;
    if weights::next_step(&cx.analysis, now.canary) <= 0 {
        return Ok(Decision::Idle);
    }
    // The gate is asked on the promoting tick too; phases past Progressing other than WaitingPromotion do not get here.
    let gated = !now.mirrored && cx.status.phase != Phase::WaitingPromotion;
    if gated && !gates::confirm_traffic_increase(cx) {
        return Ok(Decision::Waiting);
    }
    let passes = cx.rules.counts_passes.then(|| {
        // The status keeps the run's passed checks in `iterations`.
        cx.status.iterations.max(0) + i64::from(step.checked)
    });

    if now.canary < weights::max_weight(&cx.analysis) {
        let next = weights::advance(&cx.analysis, now);
        step.router.set_routes(cx, next)?;
        status::set_weight(cx, next.canary, passes)?;
        cx.gauge_weight(next);
        cx.normal(format!(
            "Advance {} canary weight {}",
            cx.canary(),
            next.canary
        ));
        return Ok(Decision::Advanced);
    }

    if let Some(passes) = passes.filter(|passes| *passes < cx.rules.passes_needed) {
        status::set_iterations(cx, passes)?;
        return Ok(Decision::Waiting);
    }
    if !gates::confirm_promotion(cx) {
        return Ok(Decision::Waiting);
    }
    if cx.rules.shifts_before_copying {
        step.router.set_routes(cx, Routes::CANARY)?;
        status::set_weight(cx, Routes::CANARY.canary, passes)?;
        cx.gauge_weight(Routes::CANARY);
    }
    promotion::copy(cx, step.provider)
}
