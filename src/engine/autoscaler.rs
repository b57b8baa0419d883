//! The primary's own HorizontalPodAutoscaler, made from the target's.
//!
//! Follows `pkg/canary/hpa_reconciler.go`. Pausing and resuming the target's scaler are no-ops for an HPA; KEDA's ScaledObjects are
//! not modelled and left alone.

use std::rc::Rc;

use super::Write;
use super::context::{Context, Failure, GetError};
use super::object::Kind;
use super::primary::without_toolkit;
use crate::canary::spec::AutoscalerRef;
use crate::k8s::{HorizontalPodAutoscaler, HpaSpec, ObjectMeta, ObjectReference};

/// What to do with a primary HPA that exists already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Existing {
    /// Leave it.
    Keep,
    /// Bring it in line with the target's HPA.
    Update,
}

/// Makes the primary's HPA if it is missing; a missing source ends the tick.
pub(crate) fn reconcile(cx: &mut Context<'_>, existing: Existing) -> Result<(), Failure> {
    let spec = Rc::clone(&cx.spec);
    let Some(scaler) = &spec.autoscaler_ref else {
        return Ok(());
    };
    if scaler.kind != "HorizontalPodAutoscaler" {
        return Ok(());
    }
    let reference = cx.local(Kind::HorizontalPodAutoscaler, &*scaler.name);
    let primary = cx.local(
        Kind::HorizontalPodAutoscaler,
        format!("{}-primary", scaler.name),
    );
    let missing_source = |e: GetError| {
        Failure::new(format!(
            "HorizontalPodAutoscaler {reference} get query error: {e}"
        ))
    };
    if existing == Existing::Keep {
        cx.look(&reference, |_: &HorizontalPodAutoscaler| ())
            .map_err(missing_source)?;
        if cx.look(&primary, |_: &HorizontalPodAutoscaler| ()).is_ok() {
            return Ok(());
        }
    }
    let source: HorizontalPodAutoscaler = cx.get(&reference).map_err(missing_source)?;
    let wanted = primary_spec(&source.spec, cx.primary_name(), scaler);
    match cx.get::<HorizontalPodAutoscaler>(&primary) {
        Err(GetError::NotFound(_)) => {
            let hpa = HorizontalPodAutoscaler {
                metadata: ObjectMeta {
                    name: primary.name.clone(),
                    namespace: primary.namespace.clone(),
                    labels: without_toolkit(&source.metadata.labels),
                    owner: Some(cx.as_owner()),
                    ..ObjectMeta::default()
                },
                spec: wanted,
                ..HorizontalPodAutoscaler::default()
            };
            cx.write(Write::Create(hpa.into())).map_err(|e| {
                Failure::new(format!(
                    "creating HorizontalPodAutoscaler v2 {primary} failed: {e}"
                ))
            })
        }
        Err(GetError::Failed(e)) => Err(Failure::new(format!(
            "HorizontalPodAutoscaler v2 {primary} get query failed: {e}"
        ))),
        Ok(mut hpa) if differs(&hpa, &source, &wanted) => {
            // Labels and annotations count as a difference, but Flagger never gets to write them.
            hpa.spec = HpaSpec {
                scale_target_ref: hpa.spec.scale_target_ref,
                ..wanted
            };
            cx.write(Write::Update(hpa.into())).map_err(|e| {
                Failure::new(format!(
                    "updating HorizontalPodAutoscaler v2 {primary} failed: {e}"
                ))
            })
        }
        Ok(_) => Ok(()),
    }
}

fn primary_spec(source: &HpaSpec, primary_name: String, scaler: &AutoscalerRef) -> HpaSpec {
    let replicas = scaler.primary_scaler_replicas.clone().unwrap_or_default();
    HpaSpec {
        scale_target_ref: ObjectReference {
            name: primary_name,
            ..source.scale_target_ref.clone()
        },
        min_replicas: replicas.min_replicas.or(source.min_replicas),
        max_replicas: replicas.max_replicas.unwrap_or(source.max_replicas),
        metrics: source.metrics.clone(),
        behavior: source.behavior.clone(),
    }
}

fn differs(
    primary: &HorizontalPodAutoscaler,
    source: &HorizontalPodAutoscaler,
    wanted: &HpaSpec,
) -> bool {
    let min = |spec: &HpaSpec| spec.min_replicas.unwrap_or(1);
    primary.spec.metrics != wanted.metrics
        || primary.spec.behavior != wanted.behavior
        || primary.metadata.labels != source.metadata.labels
        || primary.metadata.annotations != source.metadata.annotations
        || min(&primary.spec) != min(wanted)
        || primary.spec.max_replicas != wanted.max_replicas
}
