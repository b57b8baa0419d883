//! Rows of `horizontal_test.go` that are whole reconciles.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{BehaviourRow, NOW, PodRow, ToleranceRow, aged, cpu_readiness, seconds};
use crate::k8s::deployment::Condition;
use crate::k8s::{HorizontalPodAutoscaler, ObjectReference, Quantity};
use crate::sim::hpa::normalize::{LegacyLimit, Recommendation};
use crate::sim::hpa::spec::MetricIdentifier;
use crate::sim::hpa::{
    HpaController, HpaSettings, MetricError, MetricsClient, PodValue, PodView, ScaleTarget,
};
use crate::sim::metrics_server::{ContainerUsage, PodMetrics};
use crate::verify::recording::Case;

/// A row of `reconcile`.
#[derive(Deserialize)]
pub(super) struct Row {
    pub(super) name: String,
    min: i32,
    max: i32,
    spec_replicas: i32,
    status_replicas: i32,
    metrics: Vec<MetricRow>,
    levels: Vec<i64>,
    pods: Vec<LevelledPod>,
    extra_levels: Vec<Level>,
    behaviour: Option<BehaviourRow>,
    recommendations: Option<Vec<RecommendationRow>>,
    tolerance: ToleranceRow,
    cpu_initialization_period_s: i32,
    initial_readiness_delay_s: i32,
    downscale_stabilization_window_s: i32,
    metric_timestamp_age_s: Option<i32>,
    metric_window_s: i32,
    scale_up_limit_factor: f64,
    scale_up_limit_minimum: f64,
    gates: Gates,
    initial_conditions: Vec<(String, String, String)>,
    expected_desired_replicas: i32,
    expected_scale_updated: bool,
    expected_action: String,
    expected_error_label: String,
    expected_conditions: Option<Vec<ExpectedCondition>>,
}

#[derive(Deserialize)]
struct MetricRow {
    kind: Kind,
    resource: Option<String>,
    container: Option<String>,
    value: Option<i64>,
    #[serde(default)]
    fetch_error: bool,
}

#[derive(Clone, Copy, Deserialize)]
enum Kind {
    #[serde(rename = "Resource.Utilization")]
    Resource,
    #[serde(rename = "ContainerResource.Utilization")]
    ContainerResource,
    #[serde(rename = "Pods.AverageValue")]
    Pods,
    #[serde(rename = "Object.Value")]
    ObjectValue,
    #[serde(rename = "Object.AverageValue")]
    ObjectAverage,
    #[serde(rename = "External.Value")]
    ExternalValue,
    #[serde(rename = "External.AverageValue")]
    ExternalAverage,
    Invalid,
}

#[derive(Deserialize)]
struct LevelledPod {
    #[serde(flatten)]
    pod: PodRow,
    level: Option<i64>,
    container_request: i64,
    missing: bool,
}

#[derive(Deserialize)]
struct Level {
    name: String,
    level: i64,
}

#[derive(Deserialize)]
struct RecommendationRow {
    replicas: i32,
    age_s: i32,
}

#[derive(Deserialize)]
struct Gates {
    #[serde(rename = "HPAScaleToZero")]
    scale_to_zero: bool,
    #[serde(rename = "HPAConfigurableTolerance")]
    configurable_tolerance: bool,
}

#[derive(Debug, PartialEq, Deserialize)]
struct ExpectedCondition {
    #[serde(rename = "type")]
    kind: String,
    status: String,
    reason: String,
}

impl Row {
    pub(super) fn check(&self, case: &mut Case) {
        let mut controller = HpaController::new(self.settings());
        controller.memory_mut().recommendations = self.recommendations.as_ref().map(|rows| {
            let remembered = rows.iter().map(|r| Recommendation {
                replicas: r.replicas,
                at: aged(Some(r.age_s)),
            });
            remembered.collect()
        });
        let view = |p: &LevelledPod| {
            let request = Some(p.container_request);
            p.pod
                .view("cpu", &[("container1", request), ("container2", request)])
        };
        let pods: Vec<PodView> = self.pods.iter().map(view).collect();
        let target = ScaleTarget {
            spec_replicas: self.spec_replicas,
            status_replicas: self.status_replicas,
            pods: &pods,
            shared: false,
        };
        let mut hpa = self.hpa();
        let decision = controller.reconcile(&mut hpa, Some(target), &mut Client(self), NOW);

        let (from, to) = (
            self.spec_replicas,
            decision.scale_to.unwrap_or(self.spec_replicas),
        );
        let action = match to - from {
            0 => "none",
            1.. => "scale_up",
            _ => "scale_down",
        };
        let label = match &decision.failed {
            None => "none",
            Some(failure) if failure.reason == "InvalidMetricSourceType" => "spec",
            Some(_) => "internal",
        };
        case.compare("desired replicas", &self.expected_desired_replicas, &to);
        let updated = decision.scale_to.is_some();
        case.compare("scale updated", &self.expected_scale_updated, &updated);
        case.compare("action", &self.expected_action.as_str(), &action);
        case.compare("error", &self.expected_error_label.as_str(), &label);
        if let Some(expected) = &self.expected_conditions {
            let got = hpa
                .status
                .conditions
                .into_iter()
                .map(|c| ExpectedCondition {
                    kind: c.kind,
                    status: c.status,
                    reason: c.reason,
                });
            case.compare("conditions", expected, &got.collect());
        }
    }

    fn settings(&self) -> HpaSettings {
        HpaSettings {
            // The rows set the flag to the same in both directions; what differs comes with `behaviour`.
            tolerance: self.tolerance.tolerance().up,
            downscale_stabilization: seconds(self.downscale_stabilization_window_s),
            cpu_readiness: cpu_readiness(
                self.cpu_initialization_period_s,
                self.initial_readiness_delay_s,
            ),
            scale_to_zero: self.gates.scale_to_zero,
            legacy_limit: LegacyLimit {
                factor: self.scale_up_limit_factor,
                minimum: self.scale_up_limit_minimum,
            },
            ..HpaSettings::default()
        }
    }

    fn hpa(&self) -> HorizontalPodAutoscaler {
        let mut hpa = HorizontalPodAutoscaler::default();
        hpa.spec.min_replicas = Some(self.min);
        hpa.spec.max_replicas = self.max;
        hpa.spec.metrics = self.metrics.iter().map(MetricRow::json).collect();
        hpa.spec.behavior = match &self.behaviour {
            None => Value::Null,
            Some(behaviour) => behaviour.json(self.gates.configurable_tolerance),
        };
        let initial = self.initial_conditions.iter();
        hpa.status.conditions = initial
            .map(|(kind, status, reason)| Condition {
                kind: kind.clone(),
                status: status.clone(),
                reason: reason.clone(),
                ..Condition::default()
            })
            .collect();
        hpa
    }

    /// Levels by pod name, those of unknown pods included.
    fn levels_by_pod(&self) -> impl Iterator<Item = (&str, i64)> {
        let measured = self.pods.iter().filter(|p| !p.missing);
        let own = measured.filter_map(|p| Some((p.pod.name.as_str(), p.level?)));
        let extra = self.extra_levels.iter().map(|l| (l.name.as_str(), l.level));
        own.chain(extra)
    }
}

impl MetricRow {
    /// As a manifest would write it. An External metric that cannot be fetched is told by its name.
    fn json(&self) -> Value {
        let millis = self.value.map(|v| Quantity::from_millis(v).to_string());
        let metric = json!({ "name": if self.fetch_error { UNAVAILABLE } else { "qps" } });
        let utilization = json!({ "averageUtilization": self.value });
        let value = json!({ "value": millis });
        let average = json!({ "averageValue": millis });
        match self.kind {
            Kind::Resource => json!({ "type": "Resource", "resource": {
                "name": self.resource, "target": utilization,
            }}),
            Kind::ContainerResource => json!({ "type": "ContainerResource", "containerResource": {
                "name": self.resource, "container": self.container, "target": utilization,
            }}),
            Kind::Pods => json!({ "type": "Pods", "pods": { "metric": metric, "target": average }}),
            Kind::ObjectValue => {
                json!({ "type": "Object", "object": { "metric": metric, "target": value }})
            }
            Kind::ObjectAverage => {
                json!({ "type": "Object", "object": { "metric": metric, "target": average }})
            }
            Kind::ExternalValue => {
                json!({ "type": "External", "external": { "metric": metric, "target": value }})
            }
            Kind::ExternalAverage => {
                json!({ "type": "External", "external": { "metric": metric, "target": average }})
            }
            Kind::Invalid => json!({ "type": "CheddarCheese" }),
        }
    }
}

const UNAVAILABLE: &str = "unavailable";

/// Answers with the row's levels.
struct Client<'a>(&'a Row);

impl MetricsClient for Client<'_> {
    /// Each of the two containers uses half a level, truncated.
    fn resource(&mut self) -> Result<Vec<(Arc<str>, PodMetrics)>, MetricError> {
        let row = self.0;
        let metrics = row.levels_by_pod().map(|(pod, level)| {
            let usage = ContainerUsage {
                cpu: Some(Quantity::from_millis(level / 2)),
                memory: None,
            };
            let containers = ["container1", "container2"].map(|c| (c.into(), usage));
            let metrics = PodMetrics {
                timestamp: aged(row.metric_timestamp_age_s),
                window: seconds(row.metric_window_s),
                containers: containers.into(),
            };
            (pod.into(), metrics)
        });
        Ok(metrics.collect())
    }

    fn pods(&mut self, _: &MetricIdentifier) -> Result<Vec<PodValue>, MetricError> {
        let row = self.0;
        let values = row.levels_by_pod().map(|(pod, level)| PodValue {
            pod: pod.into(),
            timestamp: aged(row.metric_timestamp_age_s),
            window: Some(seconds(row.metric_window_s)),
            value: Quantity::from_millis(level),
        });
        Ok(values.collect())
    }

    fn object(
        &mut self,
        _: &MetricIdentifier,
        _: &ObjectReference,
    ) -> Result<Quantity, MetricError> {
        let level = self.0.levels.first().copied().unwrap_or_default();
        Ok(Quantity::from_millis(level))
    }

    fn external(&mut self, metric: &MetricIdentifier) -> Result<Vec<Quantity>, MetricError> {
        if metric.name == UNAVAILABLE {
            return Err(MetricError("the test's API has no such metric".to_owned()));
        }
        let levels = self.0.levels.iter();
        Ok(levels.map(|l| Quantity::from_millis(*l)).collect())
    }
}
