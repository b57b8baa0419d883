//! What the request path of a scenario is built from: traffic, workloads, ingress or Gateway, faults and the manifests'
//! annotations.

use super::clock::nanos;
use super::exporter::source_ingress;
use super::faults::{fault_times, faults_kill, moments, with_bursts};
use super::ingress::{Affinity, BATCH_LIMIT, GROUPS};
use super::kubelets::containers_end;
use super::label_sets::label_sets;
use super::load_tests;
use super::requests::{ClassPlan, PathPlan};
use super::routing::Entry;
use super::service::ServicePlan;
use crate::engine::Settings;
use crate::scenario::{FaultKind, RatePoint, Scenario, TrafficModel};
use crate::time::Span;

/// The request path of a scenario. Nobody scrapes yet.
pub(super) fn path_plan(scenario: &Scenario, entry: Entry) -> PathPlan {
    let mut traffic = scenario.traffic.clone();
    traffic.rate = with_bursts(&traffic.rate, &scenario.chaos);
    if entry == Entry::NoRule {
        traffic.clients = None;
        traffic.rate = vec![RatePoint {
            at: Span::ZERO,
            per_second: 0.0,
        }];
    }
    let mut plan = PathPlan::new(
        &traffic,
        scenario.versions.values(),
        &scenario.ingress,
        entry == Entry::Recorded,
    );
    let fault_times: Vec<_> = fault_times(scenario).cloned().collect();
    if !fault_times.is_empty() {
        let versions = scenario.versions.values();
        plan.service = ServicePlan::new(versions, &traffic.classes, &fault_times);
    }
    plan.kills = containers_end(scenario) || faults_kill(scenario);
    plan.counts_loads = load_tests::are_recorded(scenario);
    let manifests = &scenario.manifests;
    let ingress = source_ingress(&manifests.canary, &manifests.ingresses);
    let (sets, of_classes) = label_sets(scenario, ingress);
    plan.classes = ClassPlan::new(&traffic.classes, &of_classes);
    plan.ingress.groups = (sets.len() * GROUPS) as u8;
    plan.ingress.reloads = moments(scenario, &FaultKind::Reload).map(nanos).collect();
    plan.ingress.restarts = moments(scenario, &FaultKind::IngressRestart)
        .map(nanos)
        .collect();
    let annotation = |suffix: &str| {
        let prefix = Settings::default().ingress_annotations_prefix;
        let annotations = &ingress?.metadata.annotations;
        annotations.get(&format!("{prefix}/{suffix}")).cloned()
    };
    plan.ingress.affinity = match annotation("affinity").as_deref() {
        Some("cookie") if annotation("affinity-canary-behavior").as_deref() == Some("legacy") => {
            Affinity::Legacy
        }
        Some("cookie") => Affinity::Sticky,
        _ => Affinity::None,
    };
    // Half of the limit in the mean: no worker's batch is full by chance.
    let highest = traffic.rate.iter().map(|point| point.per_second);
    let per_flush = highest.fold(0.0, f64::max) * scenario.ingress.flush_interval.as_secs_f64()
        / f64::from(plan.ingress.all_workers());
    plan.ingress.batch_limit = (per_flush > f64::from(BATCH_LIMIT) / 2.0).then_some(BATCH_LIMIT);
    if scenario.gateway.is_some() {
        plan.ingress = plan.ingress.behind_gateway();
        plan.counts_loads = false;
    }
    if scenario.run.traffic_model == TrafficModel::Aggregate {
        plan = plan.aggregated();
    }
    plan
}
