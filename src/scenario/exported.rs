//! What the simulated Prometheus has of a scenario's world: names of metrics, and the labels their series carry.
//!
//! For whoever tells a user why a query finds nothing: names and labels alone, no values. That the world's exporters agree is
//! held by a test (`tests/scenarios/metrics.rs`). Left out: what recording rules make of them, whose labels are those of an
//! expression.

use std::collections::BTreeSet;

use super::model::{Attribution, PodDiscovery, Scenario, SyntheticKind};
use crate::canary::Provider;

/// Labels of each series of ingress-nginx, besides those that a scrape may rename (`internal/ingress/metric/collectors/socket.go`).
const OF_NGINX: [&str; 7] = [
    "controller_class",
    "controller_namespace",
    "controller_pod",
    "ingress",
    "method",
    "path",
    "status",
];
/// Labels of the controller's target under a ServiceMonitor.
const OF_TARGET: [&str; 7] = [
    "container",
    "endpoint",
    "instance",
    "job",
    "namespace",
    "pod",
    "service",
];
/// Labels that the exporter and the target both have.
const RENAMED: [&str; 2] = ["exported_namespace", "exported_service"];
const SUFFIXES: [&str; 3] = ["_bucket", "_sum", "_count"];

/// A metric.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// Its name.
    pub name: String,
    /// Every label that some series of it carries.
    pub labels: BTreeSet<String>,
    /// Who exports it, in words.
    pub by: &'static str,
}

/// Everything that is exported, in a fixed order.
pub fn exported(scenario: &Scenario) -> Vec<Exported> {
    let mut all = Vec::new();
    if scenario.provider_in_force() != Provider::GatewayApiV1 {
        of_ingress(scenario, &mut all);
    }
    of_pods(scenario, &mut all);
    of_scenario(scenario, &mut all);
    all
}

fn of_ingress(scenario: &Scenario, all: &mut Vec<Exported>) {
    let mut labels: BTreeSet<String> = names(&OF_NGINX);
    labels.extend(names(&OF_TARGET));
    if !scenario.prometheus.honor_labels {
        labels.extend(names(&RENAMED));
    }
    if scenario.ingress.attribution == Attribution::Shared {
        labels.insert("canary".to_owned());
    }
    if scenario.ingress.proxy.metrics_per_host {
        labels.insert("host".to_owned());
    }
    let by = "the ingress controller";
    all.push(Exported {
        name: "nginx_ingress_controller_requests".to_owned(),
        labels: labels.clone(),
        by,
    });
    for family in ["request", "response"] {
        let name = format!("nginx_ingress_controller_{family}_duration_seconds");
        histogram(&name, &labels, by, all);
    }
}

fn of_pods(scenario: &Scenario, all: &mut Vec<Exported>) {
    let Some(discovery) = scenario.prometheus.pod_discovery else {
        return;
    };
    let of_target = pod_labels(scenario, discovery);
    let by = "pods";
    for metrics in scenario.metrics.values() {
        let mut labels = of_target.clone();
        labels.extend(metrics.labels.keys().cloned());
        if !metrics.status_label.is_empty() {
            labels.insert(metrics.status_label.clone());
        }
        if !metrics.requests.is_empty() {
            all.push(Exported {
                name: metrics.requests.clone(),
                labels: labels.clone(),
                by,
            });
        }
        if !metrics.duration.is_empty() {
            histogram(&metrics.duration, &labels, by, all);
        }
    }
}

fn of_scenario(scenario: &Scenario, all: &mut Vec<Exported>) {
    for series in &scenario.prometheus.series {
        let mut labels = match (series.own_target, scenario.prometheus.pod_discovery) {
            (true, _) => names(&["instance", "job"]),
            (false, Some(discovery)) => pod_labels(scenario, discovery),
            (false, None) => continue,
        };
        labels.extend(series.labels.keys().cloned());
        let by = "the scenario";
        match series.kind {
            SyntheticKind::Histogram { .. } => histogram(&series.name, &labels, by, all),
            _ => all.push(Exported {
                name: series.name.clone(),
                labels,
                by,
            }),
        }
    }
}

fn pod_labels(scenario: &Scenario, discovery: PodDiscovery) -> BTreeSet<String> {
    let mut labels = names(&["instance", "job"]);
    match discovery {
        PodDiscovery::Annotations | PodDiscovery::None => {
            let template = &scenario.manifests.deployment.spec.template;
            labels.extend(template.labels().keys().map(|name| sanitised(name)));
            labels.extend(names(&[
                "kubernetes_namespace",
                "kubernetes_pod_name",
                "pod_template_hash",
            ]));
        }
        PodDiscovery::PodMonitor | PodDiscovery::ServiceMonitor => {
            labels.extend(names(&["container", "endpoint", "namespace", "pod"]));
            if discovery == PodDiscovery::ServiceMonitor {
                labels.insert("service".to_owned());
            }
        }
    }
    labels
}

fn histogram(name: &str, labels: &BTreeSet<String>, by: &'static str, all: &mut Vec<Exported>) {
    for suffix in SUFFIXES {
        let mut labels = labels.clone();
        if suffix == "_bucket" {
            labels.insert("le".to_owned());
        }
        all.push(Exported {
            name: format!("{name}{suffix}"),
            labels,
            by,
        });
    }
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// A Kubernetes label as a Prometheus label (`SanitizeLabelName` in `util/strutil/strconv.go`).
pub fn sanitised(name: &str) -> String {
    name.chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect()
}
