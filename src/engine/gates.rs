//! The hooks of each type in turn: when they are asked, and what their answers let happen.
//!
//! Follows `pkg/controller/scheduler_hooks.go`. Hooks of one type run in list order and stop at the first that decides;
//! those before it are asked again in every tick, and say so in every tick.

use std::rc::Rc;

use super::alert;
use super::context::Context;
use super::event::Severity;
use super::status;
use crate::canary::{Phase, Webhook};

/// `confirm-rollout`, before the canary is scaled up. A closed gate puts the Canary into Waiting, once.
pub(crate) fn confirm_rollout(cx: &mut Context<'_>) -> bool {
    for_each(cx, "confirm-rollout", |cx, hook| {
        if cx.call_hook(hook, cx.status.phase).is_ok() {
            cx.normal(format!("Confirm-rollout check {} passed", hook.name));
            return true;
        }
        if cx.status.phase != Phase::Waiting {
            if let Err(error) = status::set_phase(cx, Phase::Waiting) {
                cx.log(error.message);
            }
            cx.warning(format!(
                "Halt {} advancement waiting for approval {}",
                cx.canary(),
                hook.name
            ));
            if !hook.mute_alert {
                alert::tell(cx, Severity::Warn, "Canary is waiting for approval.");
            }
        }
        false
    })
}

/// `pre-rollout`, before the first traffic.
pub(crate) fn pre_rollout(cx: &mut Context<'_>) -> bool {
    for_each(cx, "pre-rollout", |cx, hook| {
        match cx.call_hook(hook, Phase::Progressing) {
            Ok(()) => {
                cx.normal(format!("Pre-rollout check {} passed", hook.name));
                true
            }
            Err(error) => {
                cx.warning(format!(
                    "Halt {} advancement pre-rollout check {} failed {error}",
                    cx.canary(),
                    hook.name
                ));
                false
            }
        }
    })
}

/// `rollout` hooks and those without a type, before the metrics. Passing is silent.
pub(crate) fn rollout(cx: &mut Context<'_>) -> bool {
    let analysis = Rc::clone(&cx.analysis);
    for hook in &analysis.webhooks {
        if !matches!(hook.kind.as_str(), "" | "rollout") {
            continue;
        }
        if let Err(error) = cx.call_hook(hook, Phase::Progressing) {
            cx.warning(format!(
                "Halt {} advancement external check {} failed {error}",
                cx.canary(),
                hook.name
            ));
            return false;
        }
    }
    true
}

/// `confirm-traffic-increase`, before each step. A closed gate says so in every tick.
pub(crate) fn confirm_traffic_increase(cx: &mut Context<'_>) -> bool {
    for_each(cx, "confirm-traffic-increase", |cx, hook| {
        if cx.call_hook(hook, Phase::Progressing).is_ok() {
            cx.normal(format!(
                "Confirm-traffic-increase check {} passed",
                hook.name
            ));
            return true;
        }
        cx.warning(format!(
            "Halt {} advancement waiting for traffic increase approval {}",
            cx.canary(),
            hook.name
        ));
        if !hook.mute_alert {
            alert::tell(
                cx,
                Severity::Warn,
                "Canary traffic increase is waiting for approval.",
            );
        }
        false
    })
}

/// `confirm-promotion`. A closed gate puts the Canary into WaitingPromotion, once; while it waits, iterations are put
/// back by one, so that analyses by iterations ask again every second tick.
pub(crate) fn confirm_promotion(cx: &mut Context<'_>) -> bool {
    for_each(cx, "confirm-promotion", |cx, hook| {
        if cx.call_hook(hook, Phase::Progressing).is_ok() {
            cx.normal(format!("Confirm-promotion check {} passed", hook.name));
            return true;
        }
        if cx.status.phase != Phase::WaitingPromotion {
            if let Err(error) = status::set_phase(cx, Phase::WaitingPromotion) {
                cx.log(error.message);
            }
            cx.warning(format!(
                "Halt {} advancement waiting for promotion approval {}",
                cx.canary(),
                hook.name
            ));
            if !hook.mute_alert {
                alert::tell(
                    cx,
                    Severity::Warn,
                    "Canary promotion is waiting for approval.",
                );
            }
        } else if !cx.iterations_are_passes()
            && let Err(error) = status::set_iterations(cx, cx.analysis.iterations - 1)
        {
            cx.warning(error.message);
        }
        false
    })
}

/// `rollback`: true if one of them wants the run rolled back. Those after it are not asked.
pub(crate) fn rollback(cx: &mut Context<'_>) -> bool {
    !for_each(cx, "rollback", |cx, hook| {
        let quiet = cx.call_hook(hook, cx.status.phase).is_err();
        if quiet {
            cx.normal(format!(
                "Rollback hook {} not signaling a rollback",
                hook.name
            ));
        } else {
            cx.warning(format!("Rollback check {} passed", hook.name));
        }
        quiet
    })
}

/// `post-rollout`, once the outcome has been written. Failures change nothing but end the round.
pub(crate) fn post_rollout(cx: &mut Context<'_>, outcome: Phase) {
    for_each(cx, "post-rollout", |cx, hook| {
        match cx.call_hook(hook, outcome) {
            Ok(()) => {
                cx.normal(format!("Post-rollout check {} passed", hook.name));
                true
            }
            Err(error) => {
                cx.warning(format!("Post-rollout hook {} failed {error}", hook.name));
                false
            }
        }
    });
}

/// Runs the hooks of a type until one answers false; true if none did.
fn for_each(
    cx: &mut Context<'_>,
    kind: &str,
    mut ask: impl FnMut(&mut Context<'_>, &Webhook) -> bool,
) -> bool {
    let analysis = Rc::clone(&cx.analysis);
    let mut hooks = analysis.webhooks.iter().filter(|hook| hook.kind == kind);
    hooks.all(|hook| ask(cx, hook))
}
