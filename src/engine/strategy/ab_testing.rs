//! A/B testing: matching requests go to the canary for a number of iterations, then the promotion (`runAB`).

use super::{Step, iterations_wanted, promotion};
use crate::engine::context::{Context, Failure};
use crate::engine::router::Routes;
use crate::engine::{Decision, gates, status};

pub(crate) fn advance(cx: &mut Context<'_>, step: Step<'_>) -> Result<Decision, Failure> {
    let (done, wanted) = (cx.status.iterations, iterations_wanted(cx));
    if wanted > done {
        step.router.set_routes(cx, Routes::CANARY)?;
        cx.gauge_weight(Routes::CANARY);
        status::set_iterations(cx, done + 1)?;
        cx.normal(format!(
            "Advance {} canary iteration {}/{wanted}",
            cx.canary(),
            done + 1
        ));
        return Ok(Decision::Advanced);
    }
    if !gates::confirm_promotion(cx) {
        return Ok(Decision::Waiting);
    }
    // Iterations lowered below what is done already: neither this nor any later tick promotes.
    if wanted != done {
        return Ok(Decision::Idle);
    }
    promotion::copy(cx, step.provider)
}
