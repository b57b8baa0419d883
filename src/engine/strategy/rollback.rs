//! The rollback: all traffic to the primary, the canary's pods down (`rollback` in `pkg/controller/scheduler.go`).

use super::Strategy;
use crate::canary::Phase;
use crate::engine::context::{Context, Failure};
use crate::engine::event::{Gauge, Severity};
use crate::engine::router::{Router, Routes};
use crate::engine::status::Synced;
use crate::engine::{Decision, alert, gates, scaling, status};

/// Rolls back. What fails leaves the phase as it is, so the next tick tries again, alert included.
pub(crate) fn roll_back(cx: &mut Context<'_>, router: &dyn Router) -> Result<Decision, Failure> {
    let failed_checks = cx.status.failed_checks;
    if failed_checks >= cx.rules.failure_limit {
        cx.warning(format!(
            "Rolling back {} failed checks threshold reached {failed_checks}",
            cx.canary()
        ));
        let alert = format!("Failed checks threshold reached {failed_checks}");
        alert::tell(cx, Severity::Error, alert);
    }
    router.set_routes(cx, Routes::PRIMARY)?;
    cx.in_phase(Phase::Failed, |cx| {
        cx.warning(format!("Canary failed! Scaling down {}", cx.canary()));
    });
    cx.gauge_weight(Routes::PRIMARY);
    scaling::to_zero(cx)?;
    if let Err(error) = status::sync(cx, Synced::phase(Phase::Failed)) {
        cx.log(error.message);
        return Ok(Decision::Blocked);
    }
    tell_failed(cx);
    Ok(Decision::RolledBack)
}

/// Gauges and hooks of a failed run.
pub(crate) fn tell_failed(cx: &mut Context<'_>) {
    cx.gauge_status(Phase::Failed);
    cx.gauge(Gauge::Failure {
        strategy: Strategy::of(&cx.analysis).as_str().to_owned(),
        status: "completed".to_owned(),
    });
    gates::post_rollout(cx, Phase::Failed);
}
