//! One tick held against what Flagger did in it.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::format::{Expect, PrimaryHpa, Replicas, RoutesRead, Status, StatusCondition, Tick};
use super::world::TraceWorld;
use crate::canary::Canary;
use crate::engine::{Kind, Object, ObjectRef, Settings, router};
use crate::k8s::Deployment;

/// Annotations of the canary Ingress that traces keep.
const INGRESS_PREFIX: &str = "nginx.ingress.kubernetes.io/";

/// A field that differs.
pub(super) struct Difference {
    pub(super) field: &'static str,
    pub(super) expected: Value,
    pub(super) got: Value,
}

/// Every field in which the world after the tick is not what the trace says.
pub(super) fn differences(
    recorded: &Tick,
    world: &mut TraceWorld<'_>,
    settings: &Settings,
) -> Vec<Difference> {
    let Expect {
        events,
        alerts,
        status,
        routes,
        replicas,
        primary_image,
        ingress_annotations,
        primary_hpa,
        primary_configs,
        gauges,
    } = &recorded.expect;
    let mut found = Differences::default();
    let heard = std::mem::take(&mut world.heard);
    found.compare("events", events, &heard.events);
    found.compare("alerts", alerts, &heard.alerts);
    found.compare("prometheus", &recorded.prometheus, &heard.asked);
    found.compare("webhooks", &recorded.webhooks, &heard.called);
    found.compare("gauges", gauges, &world.gauges);
    found.compare("routes", routes, &routes_read(world, settings));

    let Some(Object::Canary(canary)) = world.cluster.get(&world.canary) else {
        unreachable!("neither traces nor the engine delete the Canary");
    };
    found.compare("status", status, &status_of(world, canary));
    let primary = world.local(
        Kind::Deployment,
        &format!("{}-primary", canary.spec.target_ref.name),
    );
    let primary = deployment(world, &primary);
    let spec_replicas = |d: &Deployment| d.spec.replicas;
    found.compare(
        "replicas",
        replicas,
        &Replicas {
            target: deployment(world, &world.target).and_then(spec_replicas),
            primary: primary.and_then(spec_replicas),
        },
    );
    let image = primary
        .and_then(|d| d.spec.template.image())
        .map(str::to_owned);
    found.compare("primary_image", primary_image, &image);
    found.compare(
        "ingress_annotations",
        ingress_annotations,
        &canary_annotations(world, canary),
    );
    found.compare("primary_hpa", primary_hpa, &primary_hpa_of(world, canary));
    if primary_configs.is_some() {
        found.compare("primary_configs", primary_configs, &Some(copies(world)));
    }
    found.0
}

#[derive(Default)]
struct Differences(Vec<Difference>);

impl Differences {
    fn compare<T: PartialEq + Serialize>(&mut self, field: &'static str, expected: &T, got: &T) {
        if expected != got {
            self.0.push(Difference {
                field,
                expected: json(expected),
                got: json(got),
            });
        }
    }
}

fn json(value: &impl Serialize) -> Value {
    serde_json::to_value(value).expect("what traces hold is JSON")
}

fn deployment<'w>(world: &'w TraceWorld<'_>, reference: &ObjectRef) -> Option<&'w Deployment> {
    match world.cluster.get(reference)? {
        Object::Deployment(deployment) => Some(deployment),
        _ => None,
    }
}

fn routes_read(world: &mut TraceWorld<'_>, settings: &Settings) -> RoutesRead {
    let (canary, now) = (world.canary.clone(), world.now);
    let (error, routes) = match router::read(&canary, settings, now, world) {
        Ok(routes) => (None, Some(routes)),
        Err(unreadable) => (Some(unreadable.message), unreadable.routes),
    };
    RoutesRead {
        error,
        primary: routes.map(|r| r.primary),
        canary: routes.map(|r| r.canary),
        mirrored: routes.map(|r| r.mirrored),
    }
}

fn status_of(world: &TraceWorld<'_>, canary: &Canary) -> Status {
    let status = &canary.status;
    let condition = |c: &crate::k8s::Condition| StatusCondition {
        kind: c.kind.clone(),
        status: c.status.clone(),
        reason: c.reason.clone(),
        message: c.message.clone(),
    };
    Status {
        phase: status.phase,
        canary_weight: status.canary_weight,
        failed_checks: status.failed_checks,
        iterations: status.iterations,
        conditions: status.conditions.iter().map(condition).collect(),
        applied_revision: world.revision(&status.last_applied_spec),
        promoted_revision: world.revision(&status.last_promoted_spec),
        tracked_configs: status.tracked_configs.clone().unwrap_or_default(),
    }
}

fn canary_annotations(world: &TraceWorld<'_>, canary: &Canary) -> Option<BTreeMap<String, String>> {
    let source = canary.spec.ingress_ref.as_ref()?;
    let reference = world.local(Kind::Ingress, &format!("{}-canary", source.name));
    let annotations = &world.cluster.get(&reference)?.metadata().annotations;
    let kept = annotations
        .iter()
        .filter(|(key, _)| key.starts_with(INGRESS_PREFIX));
    Some(kept.map(|(k, v)| (k.clone(), v.clone())).collect())
}

fn primary_hpa_of(world: &TraceWorld<'_>, canary: &Canary) -> Option<PrimaryHpa> {
    let scaler = canary.spec.autoscaler_ref.as_ref()?;
    let name = format!("{}-primary", scaler.name);
    let reference = world.local(Kind::HorizontalPodAutoscaler, &name);
    let Some(Object::HorizontalPodAutoscaler(hpa)) = world.cluster.get(&reference) else {
        return None;
    };
    Some(PrimaryHpa {
        min: hpa.spec.min_replicas,
        max: hpa.spec.max_replicas,
        target: hpa.spec.scale_target_ref.name.clone(),
        metrics: hpa.spec.metrics.clone(),
        behavior: hpa.spec.behavior.clone(),
    })
}

/// The data of every config whose name ends in `-primary`.
fn copies(world: &TraceWorld<'_>) -> BTreeMap<String, BTreeMap<String, String>> {
    let data = |object: &Object| match object {
        Object::ConfigMap(config) => Some((
            format!("configmap/{}", config.metadata.name),
            config.data.clone(),
        )),
        Object::Secret(secret) => Some((
            format!("secret/{}", secret.metadata.name),
            secret.data.clone(),
        )),
        _ => None,
    };
    let copies = world.cluster.iter().filter_map(data);
    copies
        .filter(|(name, _)| name.ends_with("-primary"))
        .collect()
}
