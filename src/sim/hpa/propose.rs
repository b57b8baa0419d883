//! One metric at a time: its proposal, the value to report, or why there is none.
//!
//! Follows `computeReplicasForMetric` and the `computeStatusFor...` functions in
//! `pkg/controller/podautoscaler/horizontal.go` of Kubernetes v1.36.3.

use serde_json::{Value, json};

use super::metrics::{self, MetricError, MetricsClient};
use super::replicas::{Proposal, Scene};
use super::spec::{MetricSource, MetricSpec, MetricTarget};
use crate::k8s::Quantity;

/// A metric that proposes a size.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Proposed {
    pub replicas: i32,
    /// What the metric is called in messages.
    pub name: String,
    /// Its entry of `status.currentMetrics`.
    pub status: Value,
}

/// A metric that does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedMetric {
    /// Reason of `ScalingActive`.
    pub reason: &'static str,
    /// Its message.
    pub message: String,
}

/// Evaluates one metric.
pub(super) fn propose(
    spec: &MetricSpec,
    scene: &Scene,
    status_replicas: i32,
    client: &mut impl MetricsClient,
) -> Result<Proposed, FailedMetric> {
    let target = spec.target;
    match &spec.source {
        MetricSource::Resource { name, container } => {
            let container = container.as_deref();
            let reason = match container {
                None => "FailedGetResourceMetric",
                Some(_) => "FailedGetContainerResourceMetric",
            };
            resource(name, container, target, scene, client).map_err(failed(
                reason,
                format!("failed to get {name} resource metric value"),
            ))
        }
        MetricSource::Pods(metric) => metrics::pods_metrics(client, metric)
            .and_then(|values| {
                let target = target.average_value.ok_or_else(|| no_target("pods"))?;
                scene.by_average(values, false, target)
            })
            .map(|proposal| Proposed {
                replicas: proposal.replicas,
                name: format!("pods metric {}", metric.name),
                status: json!({ "type": "Pods", "pods": {
                    "metric": metric.json(),
                    "current": { "averageValue": decimal(proposal.value) },
                }}),
            })
            .map_err(failed(
                "FailedGetPodsMetric",
                format!("failed to get pods metric value {}", metric.name),
            )),
        MetricSource::Object { metric, described } => client
            .object(metric, described)
            .and_then(|value| {
                let value = value.milli_value();
                value_or_average(value, target, "object", scene, status_replicas)
            })
            .map(|(proposal, current)| Proposed {
                replicas: proposal.replicas,
                name: format!("{} metric {}", described.kind, metric.name),
                status: json!({ "type": "Object", "object": {
                    "metric": metric.json(),
                    "describedObject": described,
                    "current": current,
                }}),
            })
            .map_err(failed(
                "FailedGetObjectMetric",
                format!("failed to get object metric value {}", metric.name),
            )),
        MetricSource::External(metric) => metrics::external_metric(client, metric)
            .and_then(|value| value_or_average(value, target, "external", scene, status_replicas))
            .map(|(proposal, current)| Proposed {
                replicas: proposal.replicas,
                name: format!("external metric {}", metric.name),
                status: json!({ "type": "External", "external": {
                    "metric": metric.json(),
                    "current": current,
                }}),
            })
            .map_err(failed(
                "FailedGetExternalMetric",
                format!("failed to get external metric value {}", metric.name),
            )),
        MetricSource::Unknown(kind) => Err(FailedMetric {
            reason: "InvalidMetricSourceType",
            message: format!("unknown metric source type \"{kind}\""),
        }),
    }
}

fn resource(
    name: &str,
    container: Option<&str>,
    target: MetricTarget,
    scene: &Scene,
    client: &mut impl MetricsClient,
) -> Result<Proposed, MetricError> {
    let kind = match container {
        None => "resource",
        Some(_) => "container resource",
    };
    let values = metrics::resource_metrics(client, name, container)?;
    let (proposal, unit) = match target {
        MetricTarget {
            average_value: Some(target),
            ..
        } => (scene.by_average(values, name == "cpu", target)?, ""),
        MetricTarget {
            average_utilization: Some(target),
            ..
        } => (
            scene.by_utilization(values, name, container, target)?,
            " utilization (percentage of request)",
        ),
        _ => return Err(no_target(kind)),
    };
    let mut current = json!({ "averageValue": amount(name, proposal.value) });
    if let Some(percent) = proposal.utilization {
        current["averageUtilization"] = percent.into();
    }
    let status = match container {
        None => json!({ "type": "Resource", "resource": { "name": name, "current": current } }),
        Some(container) => json!({ "type": "ContainerResource", "containerResource": {
            "name": name, "container": container, "current": current,
        }}),
    };
    Ok(Proposed {
        replicas: proposal.replicas,
        name: format!("{name} {kind}{unit}"),
        status,
    })
}

/// A single number held against a value, or shared out among the pods.
fn value_or_average(
    value: i64,
    target: MetricTarget,
    kind: &str,
    scene: &Scene,
    status_replicas: i32,
) -> Result<(Proposal, Value), MetricError> {
    match target {
        MetricTarget {
            average_value: Some(target),
            ..
        } => {
            let proposal = scene.per_pod(value, target, status_replicas);
            Ok((proposal, json!({ "averageValue": decimal(proposal.value) })))
        }
        MetricTarget {
            value: Some(target),
            ..
        } => {
            let proposal = scene.by_value(value, target)?;
            Ok((proposal, json!({ "value": decimal(proposal.value) })))
        }
        _ => Err(no_target(kind)),
    }
}

fn no_target(kind: &str) -> MetricError {
    MetricError::new(format!(
        "invalid {kind} metric source: it sets no target that this type knows"
    ))
}

fn failed(reason: &'static str, what: String) -> impl FnOnce(MetricError) -> FailedMetric {
    move |error| FailedMetric {
        reason,
        message: format!("{what}: {error}"),
    }
}

fn decimal(millis: i64) -> String {
    Quantity::from_millis(millis).to_string()
}

fn amount(resource: &str, millis: i64) -> String {
    match resource {
        "memory" => Quantity::from_millis(millis).binary(),
        _ => decimal(millis),
    }
}
