//! The target's replicas before and after a run.
//!
//! Follows `ScaleToZero` and `ScaleFromZero` in `pkg/canary/deployment_controller.go`. Of KEDA's ScaledObjects only the
//! reference is known: their `minReplicaCount` is not looked up.

use std::rc::Rc;

use super::Write;
use super::context::{Context, Failure};
use super::object::Kind;
use crate::k8s::HorizontalPodAutoscaler;

/// Takes the target's pods down.
pub(crate) fn to_zero(cx: &mut Context<'_>) -> Result<(), Failure> {
    cx.target_deployment()?;
    scale_target(cx, 0)
        .map_err(|e| e.context(format_args!("deployment {} patch query error", cx.target())))
}

/// Brings the target's pods up: its own replicas if it has some, else the primary's, or with an HPA its minimum.
pub(crate) fn from_zero(cx: &mut Context<'_>) -> Result<(), Failure> {
    let spec = Rc::clone(&cx.spec);
    let target = cx.target_deployment()?;
    let own = target.spec.replicas.filter(|n| *n > 0);
    let replicas = match (own, &spec.autoscaler_ref) {
        (Some(own), _) => own,
        (None, None) => {
            let primary = cx.deployment(&cx.primary_name())?;
            primary.spec.replicas.filter(|n| *n > 0).unwrap_or(1)
        }
        (None, Some(scaler)) if scaler.kind == "HorizontalPodAutoscaler" => {
            let reference = cx.local(Kind::HorizontalPodAutoscaler, &*scaler.name);
            let hpa = cx.get::<HorizontalPodAutoscaler>(&reference).ok();
            hpa.and_then(|hpa| hpa.spec.min_replicas)
                .unwrap_or(1)
                .max(1)
        }
        (None, Some(_)) => 1,
    };
    scale_target(cx, replicas).map_err(|e| {
        e.context(format_args!(
            "scaling up {} to {replicas} failed",
            cx.target()
        ))
    })
}

/// Gives the target so many replicas.
pub(crate) fn target_to(cx: &mut Context<'_>, replicas: i32) -> Result<(), Failure> {
    scale_target(cx, replicas)
        .map_err(|e| e.context(format_args!("scaling {} to {replicas} failed", cx.target())))
}

fn scale_target(cx: &mut Context<'_>, replicas: i32) -> Result<(), Failure> {
    let deployment = cx.local(Kind::Deployment, &*cx.spec.target_ref.name);
    cx.write(Write::Scale {
        deployment,
        replicas,
    })
    .map_err(|e| Failure::new(e.to_string()))
}
