//! Provider `pod-scaling`, ours: no mesh; a weight is realised by replica counts.
//!
//! Primary and canary share a pool of pods; requests spread evenly over all that are ready, so a weight of 10 % is one pod in
//! ten. The router owns both replica counts during an analysis. Weight and pool are noted on the target Deployment, whose
//! metadata is not part of its revision, so that they can be read back.
//!
//! The pool is what the primary's HPA wants, or without one the primary's replicas when the analysis began.

use super::{Router, Routes};
use crate::canary::Phase;
use crate::engine::Write;
use crate::engine::context::{Context, Failure};
use crate::engine::go;
use crate::engine::object::Kind;
use crate::engine::weights::TOTAL_WEIGHT;
use crate::k8s::{Deployment, HorizontalPodAutoscaler};

/// The weight last set, on the target Deployment.
pub const WEIGHT_ANNOTATION: &str = "rollcast.dev/canary-weight";

/// The pool that the weight was last realised with, on the target Deployment.
pub const TOTAL_ANNOTATION: &str = "rollcast.dev/total-pods";

/// How a pool of pods is split at a weight: (primary, canary). The canary gets the nearest whole share, half a pod
/// counting as one, at least one pod at any weight above zero, and never more than there are.
pub fn split(canary_weight: i64, total: i32) -> (i32, i32) {
    let total = total.max(0);
    if canary_weight <= 0 {
        return (total, 0);
    }
    let weight = canary_weight.min(TOTAL_WEIGHT);
    let share = (2 * weight * i64::from(total) + TOTAL_WEIGHT) / (2 * TOTAL_WEIGHT);
    let canary = (share as i32).clamp(1.min(total), total);
    (total - canary, canary)
}

/// The weight noted on a target Deployment; 0 where there is none that can be read.
pub fn requested_weight(target: &Deployment) -> i64 {
    noted_weight(target).unwrap_or(0)
}

pub(crate) struct PodScaling;

impl Router for PodScaling {
    fn reconcile(&self, _: &mut Context<'_>) -> Result<(), Failure> {
        Ok(())
    }

    fn routes(&self, cx: &mut Context<'_>) -> Result<Routes, Failure> {
        let canary = cx.look_at_target(noted_weight)??;
        Ok(Routes {
            primary: TOTAL_WEIGHT - canary,
            canary,
            mirrored: false,
        })
    }

    fn set_routes(&self, cx: &mut Context<'_>, routes: Routes) -> Result<(), Failure> {
        let mut target = cx.target_deployment()?;
        let primary = cx.primary_name();
        let primary = cx.look_at_deployment(&primary, |primary| primary.spec.replicas)?;
        let total = pool(cx, &target, primary);
        let (primary_pods, canary_pods) = split(routes.canary, total);
        // While the promotion moves traffic back, the canary's pods are what serves: they go once the primary is ready.
        let keeps_canary = routes.canary == 0 && cx.status.phase == Phase::Promoting;

        let annotations = &mut target.metadata.annotations;
        annotations.insert(WEIGHT_ANNOTATION.to_owned(), routes.canary.to_string());
        annotations.insert(TOTAL_ANNOTATION.to_owned(), total.to_string());
        if !keeps_canary {
            target.spec.replicas = Some(canary_pods);
        }
        let target_name = cx.target();
        cx.write(Write::Update(target.into()))
            .map_err(|e| Failure::new(format!("deployment {target_name} update error: {e}")))?;
        if primary != Some(primary_pods) {
            let deployment = cx.local(Kind::Deployment, cx.primary_name());
            cx.write(Write::Scale {
                deployment: deployment.clone(),
                replicas: primary_pods,
            })
            .map_err(|e| Failure::new(format!("deployment {deployment} scale error: {e}")))?;
        }
        Ok(())
    }
}

fn noted_weight(target: &Deployment) -> Result<i64, Failure> {
    match target.metadata.annotations.get(WEIGHT_ANNOTATION) {
        None => Ok(0),
        Some(text) => go::atoi(text)
            .map_err(|e| Failure::new(format!("failed to convert {text} to int: {e}"))),
    }
}

/// The pods that primary and canary have together; `primary` are those wanted of the primary alone.
fn pool(cx: &mut Context<'_>, target: &Deployment, primary: Option<i32>) -> i32 {
    let scaler = cx.spec.autoscaler_ref.as_ref();
    if let Some(name) = scaler.map(|s| format!("{}-primary", s.name)) {
        let reference = cx.local(Kind::HorizontalPodAutoscaler, name);
        let wanted = |hpa: &HorizontalPodAutoscaler| match hpa.status.desired_replicas {
            desired if desired > 0 => desired,
            _ => hpa.spec.min_replicas.unwrap_or(1),
        };
        if let Ok(wanted) = cx.look(&reference, wanted) {
            return wanted;
        }
    }
    let noted = target.metadata.annotations.get(TOTAL_ANNOTATION);
    let noted = noted.and_then(|text| text.parse().ok());
    match (noted_weight(target), noted) {
        // Pods are away from the primary: what was noted then is the pool.
        (Ok(weight), Some(total)) if weight > 0 => total,
        _ => primary.unwrap_or(1).max(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weight_is_the_nearest_whole_share_and_never_nothing() {
        for (weight, total, expected) in [
            (0, 10, (10, 0)),
            (10, 10, (9, 1)),
            (50, 10, (5, 5)),
            (100, 10, (0, 10)),
            (10, 2, (1, 1)),
            (10, 1, (0, 1)),
            (25, 10, (7, 3)),
            (24, 10, (8, 2)),
            (50, 3, (1, 2)),
            (1, 1000, (990, 10)),
            (150, 4, (0, 4)),
            (-5, 4, (4, 0)),
            (10, 0, (0, 0)),
            (100, i32::MAX, (0, i32::MAX)),
        ] {
            assert_eq!(split(weight, total), expected, "{weight} % of {total}");
        }
    }
}
