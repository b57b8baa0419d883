//! Blue/green: analysis for a number of iterations, optionally on mirrored traffic, then all traffic to the canary for
//! one analysis more, then the promotion (`runBlueGreen`).

use super::{Step, iterations_wanted, promotion};
use crate::engine::context::{Context, Failure};
use crate::engine::dialect::Provider;
use crate::engine::router::Routes;
use crate::engine::{Decision, gates, status};

pub(crate) fn advance(cx: &mut Context<'_>, step: Step<'_>) -> Result<Decision, Failure> {
    let (done, wanted) = (cx.status.iterations, iterations_wanted(cx));
    let routed = step.provider != Provider::Kubernetes;
    if wanted > done {
        if routed && cx.analysis.mirror && !step.routes.mirrored {
            if let Err(error) = step.router.set_routes(cx, Routes::MIRRORED) {
                cx.warning(error.message);
            }
            cx.log("Start traffic mirroring");
        }
        status::set_iterations(cx, done + 1)?;
        cx.normal(format!(
            "Advance {} canary iteration {}/{wanted}",
            cx.canary(),
            done + 1
        ));
        return Ok(Decision::Advanced);
    }
    // Asked both before the switch and before the copy.
    if !gates::confirm_promotion(cx) {
        return Ok(Decision::Waiting);
    }
    if wanted < done {
        return promotion::copy(cx, step.provider);
    }
    if routed {
        cx.normal(if cx.analysis.mirror {
            "Stop traffic mirroring and route all traffic to canary"
        } else {
            "Routing all traffic to canary"
        });
        step.router.set_routes(cx, Routes::CANARY)?;
        cx.gauge_weight(Routes::CANARY);
    }
    status::set_iterations(cx, done + 1)?;
    Ok(Decision::Advanced)
}
