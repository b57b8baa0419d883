//! Pods as the HPA controller sees them: readiness and requests.
//!
//! Follows `calculateRequests` in `pkg/controller/podautoscaler/replica_calculator.go` of Kubernetes v1.36.3.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::metrics::MetricError;
use crate::k8s::{PodTemplate, Quantity};
use crate::sim::pods::{Pod, PodPhase, ReadyCondition};
use crate::time::Timestamp;

/// A pod that the target's selector matches.
#[derive(Clone, Debug, PartialEq)]
pub struct PodView {
    /// Name.
    pub name: String,
    /// `status.phase`.
    pub phase: PodPhase,
    /// Whether it was deleted and is still there.
    pub terminating: bool,
    /// `status.startTime`.
    pub start_time: Option<Timestamp>,
    /// The condition Ready.
    pub ready: Option<ReadyCondition>,
    /// What it requests.
    pub requests: Arc<PodRequests>,
}

impl PodView {
    /// A pod as it is. `requests` are those of its template.
    pub fn of(pod: &Pod, requests: &Arc<PodRequests>) -> Self {
        PodView {
            name: pod.name.clone(),
            phase: pod.phase,
            terminating: pod.is_terminating(),
            start_time: pod.start_time,
            ready: pod.ready,
            requests: Arc::clone(requests),
        }
    }
}

/// Resource requests of a pod, in milli-units by resource name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PodRequests {
    /// `spec.resources.requests`: the pod as a whole.
    pub pod: BTreeMap<String, i64>,
    /// The containers, in order.
    pub containers: Vec<ContainerRequests>,
    /// Init containers that stay (`restartPolicy: Always`), in order.
    pub sidecars: Vec<ContainerRequests>,
}

/// Requests of one container.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ContainerRequests {
    /// The container's name.
    pub name: String,
    /// In milli-units by resource name.
    pub requests: BTreeMap<String, i64>,
}

impl PodRequests {
    /// Requests of a pod made from this template.
    pub fn of_template(template: &PodTemplate) -> Self {
        let spec = &template.0["spec"];
        let list = |key: &str| spec[key].as_array().map_or(&[][..], Vec::as_slice);
        let container = |c: &Value| ContainerRequests {
            name: c["name"].as_str().unwrap_or_default().to_owned(),
            requests: millis(&c["resources"]["requests"]),
        };
        PodRequests {
            pod: millis(&spec["resources"]["requests"]),
            containers: list("containers").iter().map(container).collect(),
            sidecars: list("initContainers")
                .iter()
                .filter(|c| c["restartPolicy"] == "Always")
                .map(container)
                .collect(),
        }
    }

    /// The request of one resource: the pod's own where it has one, else the sum over containers and sidecars;
    /// with `container` that container's alone.
    pub fn of(
        &self,
        pod: &str,
        resource: &str,
        container: Option<&str>,
    ) -> Result<i64, MetricError> {
        if let (None, Some(request)) = (container, self.pod.get(resource)) {
            return Ok(*request);
        }
        let mut total = None;
        for c in self.containers.iter().chain(&self.sidecars) {
            if container.is_some_and(|wanted| wanted != c.name) {
                continue;
            }
            let Some(request) = c.requests.get(resource) else {
                return Err(MetricError(format!(
                    "missing request for {resource} in container {} of Pod {pod}",
                    c.name
                )));
            };
            total = Some(request.saturating_add(total.unwrap_or(0)));
        }
        match (total, container) {
            (None, Some(name)) => Err(MetricError(format!(
                "container {name} not found in Pod {pod}"
            ))),
            (total, _) => Ok(total.unwrap_or(0)),
        }
    }
}

fn millis(map: &Value) -> BTreeMap<String, i64> {
    let quantities = Quantity::read_map(map).into_iter();
    quantities.map(|(k, q)| (k, q.milli_value())).collect()
}
