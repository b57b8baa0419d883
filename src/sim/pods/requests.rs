//! What a pod asks for: resource requests and limits, read from its template.
//!
//! Follows `pkg/api/v1/resource/helpers.go` of Kubernetes v1.36 as far as pods without classic init containers go:
//! those would raise a pod's request while it starts.

use std::collections::BTreeMap;

use serde_json::Value;
use thiserror::Error;

use crate::k8s::{PodTemplate, Quantity};

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

/// Why a pod has no request of a resource that could be added up.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RequestError {
    /// A container does not say.
    #[error("missing request for {resource} in container {container} of Pod {pod}")]
    Missing {
        /// The resource.
        resource: String,
        /// The container.
        container: String,
        /// The pod.
        pod: String,
    },
    /// There is no such container.
    #[error("container {container} not found in Pod {pod}")]
    NoContainer {
        /// The container asked for.
        container: String,
        /// The pod.
        pod: String,
    },
}

impl PodRequests {
    /// Requests of a pod made from this template.
    pub fn of_template(template: &PodTemplate) -> Self {
        let spec = &template.json()["spec"];
        let list = |key: &str| spec[key].as_array().map_or(&[][..], Vec::as_slice);
        let container = |c: &Value| ContainerRequests {
            name: c["name"].as_str().unwrap_or_default().to_owned(),
            requests: millis(&c["resources"]["requests"]),
        };
        let stays = |c: &&Value| c["restartPolicy"] == "Always";
        PodRequests {
            pod: millis(&spec["resources"]["requests"]),
            containers: list("containers").iter().map(container).collect(),
            sidecars: list("initContainers")
                .iter()
                .filter(stays)
                .map(container)
                .collect(),
        }
    }

    /// The request of one resource as the HPA counts it: the pod's own where it has one, else the sum over containers
    /// and sidecars, each of which must say; with `container` that container's alone.
    pub fn of(
        &self,
        pod: &str,
        resource: &str,
        container: Option<&str>,
    ) -> Result<i64, RequestError> {
        if let (None, Some(request)) = (container, self.pod.get(resource)) {
            return Ok(*request);
        }
        let mut total = None;
        for c in self.containers.iter().chain(&self.sidecars) {
            if container.is_some_and(|wanted| wanted != c.name) {
                continue;
            }
            let Some(request) = c.requests.get(resource) else {
                return Err(RequestError::Missing {
                    resource: resource.to_owned(),
                    container: c.name.clone(),
                    pod: pod.to_owned(),
                });
            };
            total = Some(request.saturating_add(total.unwrap_or(0)));
        }
        match (total, container) {
            (None, Some(container)) => Err(RequestError::NoContainer {
                container: container.to_owned(),
                pod: pod.to_owned(),
            }),
            (total, _) => Ok(total.unwrap_or(0)),
        }
    }

    /// The request of one resource as the scheduler counts it: a container that does not say asks for nothing.
    pub fn scheduled(&self, resource: &str) -> i64 {
        let of_containers = || {
            let all = self.containers.iter().chain(&self.sidecars);
            let requests = all.filter_map(|c| c.requests.get(resource));
            requests.fold(0, |sum: i64, r| sum.saturating_add(*r))
        };
        self.pod
            .get(resource)
            .copied()
            .unwrap_or_else(of_containers)
    }
}

/// `limits.memory` of the first container, in bytes; beyond it the kernel kills the container.
pub fn memory_limit(template: &PodTemplate) -> Option<i64> {
    let limit = template
        .json()
        .pointer("/spec/containers/0/resources/limits/memory")?;
    Some(Quantity::read(limit)?.value())
}

/// A map of quantities in milli-units; what is none is left out.
pub(crate) fn millis(map: &Value) -> BTreeMap<String, i64> {
    let quantities = Quantity::read_map(map).into_iter();
    quantities.map(|(k, q)| (k, q.milli_value())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn requests_add_up_over_containers_and_sidecars() {
        let template = PodTemplate::from(json!({ "spec": {
            "initContainers": [
                { "name": "migrate", "resources": { "requests": { "cpu": "2" } } },
                { "name": "proxy", "restartPolicy": "Always",
                  "resources": { "requests": { "cpu": "50m" } } },
            ],
            "containers": [{ "name": "app", "resources": {
                "requests": { "cpu": 0.2, "memory": "64Mi" }, "limits": { "memory": "128Mi" },
            }}],
        }}));
        let requests = PodRequests::of_template(&template);
        assert_eq!(requests.of("p", "cpu", None), Ok(250));
        assert_eq!(requests.of("p", "cpu", Some("app")), Ok(200));
        assert!(
            requests.of("p", "memory", None).is_err(),
            "the proxy does not say"
        );
        assert_eq!(requests.scheduled("memory"), 64 * 1024 * 1024 * 1000);
        assert_eq!(memory_limit(&template), Some(128 * 1024 * 1024));
    }
}
