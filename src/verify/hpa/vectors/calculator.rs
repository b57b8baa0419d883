//! Rows of `replica_calculator_test.go`: proposals, grouping of pods, requests.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Deserialize;

use super::{NOW, Phase, PodRow, ToleranceRow, aged, cpu_readiness, seconds};
use crate::k8s::{ObjectReference, Quantity};
use crate::sim::hpa::metrics::{self, PodMetric};
use crate::sim::hpa::replicas::{Proposal, Scene, Tolerance};
use crate::sim::hpa::spec::MetricIdentifier;
use crate::sim::hpa::{MetricError, MetricsClient, PodValue, PodView};
use crate::sim::metrics_server::{ContainerUsage, PodMetrics};
use crate::sim::pods::requests::{ContainerRequests, PodRequests};
use crate::sim::pods::{ConditionStatus, ReadyCondition};
use crate::verify::recording::Case;

/// A row of `replica_calculator`.
#[derive(Deserialize)]
pub(super) struct ReplicasRow {
    pub(super) name: String,
    function: Function,
    current_replicas: i32,
    target: Target,
    container: Option<String>,
    tolerance: ToleranceRow,
    cpu_initialization_period_s: i32,
    initial_readiness_delay_s: i32,
    metric_timestamp_age_s: Option<i32>,
    metric_window_s: i32,
    pods: Vec<MeasuredPod>,
    extra_metrics: Vec<ExtraMetric>,
    metric_values: Option<Vec<i64>>,
    expected_replicas: Option<i32>,
    expected_utilization: Option<i32>,
    expected_raw_value: Option<i64>,
    expected_usage: Option<i64>,
    expected_error: Option<String>,
}

#[derive(Clone, Copy, Deserialize)]
enum Function {
    #[serde(rename = "GetResourceReplicas")]
    Resource,
    #[serde(rename = "GetMetricReplicas")]
    Pods,
    #[serde(rename = "GetObjectMetricReplicas")]
    ObjectValue,
    #[serde(rename = "GetObjectPerPodMetricReplicas")]
    ObjectAverage,
    #[serde(rename = "GetExternalMetricReplicas")]
    ExternalValue,
    #[serde(rename = "GetExternalPerPodMetricReplicas")]
    ExternalAverage,
}

#[derive(Deserialize)]
struct Target {
    resource: Option<String>,
    value: i64,
}

#[derive(Deserialize)]
struct MeasuredPod {
    #[serde(flatten)]
    pod: PodRow,
    usage: Option<i64>,
    request: Option<i64>,
    missing: Option<bool>,
}

#[derive(Deserialize)]
struct ExtraMetric {
    name: String,
    usage: i64,
}

impl ReplicasRow {
    pub(super) fn check(&self, case: &mut Case) {
        match (self.propose(), &self.expected_error) {
            (Ok(proposal), None) => {
                let replicas = Some(proposal.replicas);
                case.compare("replicas", &self.expected_replicas, &replicas);
                if self.expected_utilization.is_some() {
                    let got = &proposal.utilization;
                    case.compare("utilization", &self.expected_utilization, got);
                }
                for expected in [self.expected_raw_value, self.expected_usage] {
                    if expected.is_some() {
                        case.compare("value", &expected, &Some(proposal.value));
                    }
                }
            }
            (Err(error), Some(part)) if error.0.contains(part) => {}
            (got, expected) => {
                case.differs("outcome", format!("error {expected:?}"), format!("{got:?}"));
            }
        }
    }

    fn propose(&self) -> Result<Proposal, MetricError> {
        let resource = self.target.resource.as_deref().unwrap_or_default();
        let container = self.container.as_deref();
        let view = |p: &MeasuredPod| {
            let name = container.unwrap_or("container1");
            p.pod.view(resource, &[(name, p.request)])
        };
        let pods: Vec<PodView> = self.pods.iter().map(view).collect();
        let scene = Scene {
            current: self.current_replicas,
            pods: &pods,
            tolerance: self.tolerance.tolerance(),
            readiness: cpu_readiness(
                self.cpu_initialization_period_s,
                self.initial_readiness_delay_s,
            ),
            now: NOW,
        };
        let target = self.target.value;
        match self.function {
            Function::Resource => {
                let values = metrics::resource_metrics(&mut Client(self), resource, container)?;
                scene.by_utilization(values, resource, container, target as i32)
            }
            Function::Pods => {
                let metric = MetricIdentifier::default();
                let values = metrics::pods_metrics(&mut Client(self), &metric)?;
                scene.by_average(values, false, target)
            }
            Function::ObjectValue | Function::ExternalValue => scene.by_value(self.total(), target),
            Function::ObjectAverage | Function::ExternalAverage => {
                Ok(scene.per_pod(self.total(), target, self.current_replicas))
            }
        }
    }

    fn total(&self) -> i64 {
        metrics::sum(self.metric_values.iter().flatten().copied())
    }

    /// Usage by pod, or the metric's values in the order of the pods.
    fn usage(&self) -> Vec<(&str, i64)> {
        if let Some(values) = &self.metric_values {
            let names = self.pods.iter().map(|p| p.pod.name.as_str());
            return names.zip(values.iter().copied()).collect();
        }
        let measured = self.pods.iter().filter(|p| p.missing != Some(true));
        let own = measured.filter_map(|p| Some((p.pod.name.as_str(), p.usage?)));
        let extra = self
            .extra_metrics
            .iter()
            .map(|m| (m.name.as_str(), m.usage));
        own.chain(extra).collect()
    }
}

/// Answers with the row's usage.
struct Client<'a>(&'a ReplicasRow);

impl MetricsClient for Client<'_> {
    fn resource(&mut self) -> Result<Vec<(Arc<str>, PodMetrics)>, MetricError> {
        let row = self.0;
        let name = row.container.as_deref().unwrap_or("container1");
        let usage = row.usage().into_iter().map(|(pod, millis)| {
            let usage = Some(Quantity::from_millis(millis));
            let containers = vec![(
                name.into(),
                ContainerUsage {
                    cpu: usage,
                    memory: usage,
                },
            )];
            let metrics = PodMetrics {
                timestamp: aged(row.metric_timestamp_age_s),
                window: seconds(row.metric_window_s),
                containers,
            };
            (pod.into(), metrics)
        });
        Ok(usage.collect())
    }

    fn pods(&mut self, _: &MetricIdentifier) -> Result<Vec<PodValue>, MetricError> {
        let row = self.0;
        let values = row.usage().into_iter().map(|(pod, millis)| PodValue {
            pod: pod.into(),
            timestamp: aged(row.metric_timestamp_age_s),
            window: Some(seconds(row.metric_window_s)),
            value: Quantity::from_millis(millis),
        });
        Ok(values.collect())
    }

    fn object(
        &mut self,
        _: &MetricIdentifier,
        _: &ObjectReference,
    ) -> Result<Quantity, MetricError> {
        Ok(Quantity::from_millis(self.0.total()))
    }

    fn external(&mut self, _: &MetricIdentifier) -> Result<Vec<Quantity>, MetricError> {
        let values = self.0.metric_values.iter().flatten();
        Ok(values.map(|v| Quantity::from_millis(*v)).collect())
    }
}

/// A row of `group_pods`.
#[derive(Deserialize)]
pub(super) struct GroupRow {
    pub(super) name: String,
    resource: String,
    cpu_initialization_period_s: i32,
    initial_readiness_delay_s: i32,
    pods: Vec<GroupedPod>,
    expected_ready_count: i32,
    expected_unready: BTreeSet<String>,
    expected_missing: BTreeSet<String>,
    expected_ignored: BTreeSet<String>,
}

#[derive(Deserialize)]
struct GroupedPod {
    name: String,
    phase: Phase,
    deleted: bool,
    has_start_time: bool,
    start_age_s: Option<i32>,
    ready_condition: Option<Ready>,
    ready_transition_age_s: Option<i32>,
    metric_timestamp_age_s: Option<i32>,
    metric_window_s: Option<i32>,
    missing: bool,
}

#[derive(Clone, Copy, Deserialize)]
enum Ready {
    True,
    False,
    Unknown,
}

impl GroupRow {
    pub(super) fn check(&self, case: &mut Case) {
        let pods: Vec<PodView> = self.pods.iter().map(GroupedPod::view).collect();
        let measured = self.pods.iter().filter(|p| !p.missing).map(|p| {
            let metric = PodMetric {
                timestamp: aged(p.metric_timestamp_age_s),
                window: seconds(p.metric_window_s.unwrap_or(0)),
                value: 1,
            };
            (p.name.as_str().into(), metric)
        });
        let metrics: BTreeMap<Arc<str>, PodMetric> = measured.collect();
        let scene = Scene {
            current: 0,
            pods: &pods,
            tolerance: Tolerance { down: 0.0, up: 0.0 },
            readiness: cpu_readiness(
                self.cpu_initialization_period_s,
                self.initial_readiness_delay_s,
            ),
            now: NOW,
        };
        let groups = scene.group(&metrics, self.resource == "cpu");
        let owned = |names: &BTreeSet<&str>| names.iter().map(|n| (*n).to_owned()).collect();
        case.compare("ready count", &self.expected_ready_count, &groups.ready);
        case.compare("unready", &self.expected_unready, &owned(&groups.unready));
        case.compare("missing", &self.expected_missing, &owned(&groups.missing));
        case.compare("ignored", &self.expected_ignored, &owned(&groups.ignored));
    }
}

impl GroupedPod {
    fn view(&self) -> PodView {
        let last_transition = aged(self.ready_transition_age_s);
        PodView {
            name: self.name.as_str().into(),
            phase: self.phase.phase(),
            terminating: self.deleted,
            start_time: self.has_start_time.then(|| aged(self.start_age_s)),
            ready: self.ready_condition.map(|status| ReadyCondition {
                status: match status {
                    Ready::True => ConditionStatus::True,
                    Ready::False => ConditionStatus::False,
                    Ready::Unknown => ConditionStatus::Unknown,
                },
                last_transition,
            }),
            requests: Arc::default(),
        }
    }
}

/// A row of `calculate_requests`. All are of one pod, `test-pod`, and the resource cpu.
#[derive(Deserialize)]
pub(super) struct RequestsRow {
    pub(super) name: String,
    pod_level_resources_gate: bool,
    pod_level_request_milli: Option<i64>,
    container: Option<String>,
    containers: Vec<ContainerRow>,
    init_containers: Vec<ContainerRow>,
    expected_request_milli: Option<i64>,
    expected_error: Option<String>,
}

#[derive(Deserialize)]
struct ContainerRow {
    name: String,
    request_milli: Option<i64>,
    #[serde(default)]
    restart_policy_always: bool,
}

impl RequestsRow {
    pub(super) fn check(&self, case: &mut Case) {
        let cpu = |millis: Option<i64>| millis.map(|m| ("cpu".to_owned(), m)).into_iter().collect();
        let container = |c: &ContainerRow| ContainerRequests {
            name: c.name.clone(),
            requests: cpu(c.request_milli),
        };
        let pod_level = self
            .pod_level_request_milli
            .filter(|_| self.pod_level_resources_gate);
        let sidecars = self
            .init_containers
            .iter()
            .filter(|c| c.restart_policy_always);
        let requests = PodRequests {
            pod: cpu(pod_level),
            containers: self.containers.iter().map(container).collect(),
            sidecars: sidecars.map(container).collect(),
        };
        match (
            requests.of("test-pod", "cpu", self.container.as_deref()),
            &self.expected_error,
        ) {
            (Ok(request), None) => {
                case.compare("request", &self.expected_request_milli, &Some(request));
            }
            (Err(error), Some(part)) if error.to_string().contains(part) => {}
            (got, expected) => {
                case.differs("outcome", format!("error {expected:?}"), format!("{got:?}"));
            }
        }
    }
}
