//! `[cluster.nodes]`: how many nodes, and what pods may request of each.

use serde_json::Value;

use super::Reading;
use crate::diagnostic::Diagnostic;
use crate::k8s::{Deployment, Quantity};
use crate::scenario::model::{ClusterTiming, NodePool};
use crate::scenario::schema::NodeKeys;

/// Pods that a kubelet takes unless told otherwise (`maxPods`).
const KUBELET_MAX_PODS: u32 = 110;

impl Reading<'_> {
    /// The nodes as they were written, checked.
    pub(super) fn nodes(&self, keys: &NodeKeys) -> Result<NodePool, Diagnostic> {
        let count = |key: &str, count: Option<u32>, default: u32| {
            let pointer = format!("/cluster/nodes/{key}");
            let key = format!("cluster.nodes.{key}");
            self.count(&pointer, &key, count.unwrap_or(default))
        };
        let quantity = |key: &str, text: &Option<String>, example: &str| {
            let Some(text) = text else {
                return Ok(None);
            };
            match Quantity::parse(text) {
                Some(quantity) if quantity.milli_value() > 0 => Ok(Some(quantity)),
                _ => Err(self
                    .refuse(
                        &format!("/cluster/nodes/{key}"),
                        format!(
                            "`cluster.nodes.{key}` must be a quantity above 0, not \"{}\"",
                            text.escape_debug()
                        ),
                    )
                    .help(format!("write it as Kubernetes does: \"{example}\""))),
            }
        };
        Ok(NodePool {
            count: count("count", keys.count, 1)?,
            cpu_millis: quantity("cpu", &keys.cpu, "4")?.map(Quantity::milli_value),
            memory_bytes: quantity("memory", &keys.memory, "16Gi")?.map(Quantity::value),
            pods: count("pods", keys.pods, KUBELET_MAX_PODS)?,
        })
    }

    /// A pod that fits on no empty node would stay Pending for ever, and with it the whole run.
    pub(super) fn pod_fits(
        &self,
        cluster: &ClusterTiming,
        deployment: &Deployment,
    ) -> Result<(), Diagnostic> {
        let Some(nodes) = &cluster.nodes else {
            return Ok(());
        };
        let requests = |resource: &str| -> i64 {
            let containers = deployment.spec.template.json().pointer("/spec/containers");
            let containers = containers.and_then(Value::as_array).into_iter().flatten();
            let quantities = containers
                .filter_map(|c| Quantity::read(c.pointer("/resources/requests")?.get(resource)?));
            quantities.map(Quantity::milli_value).sum()
        };
        let memory_millis = nodes.memory_bytes.map(|bytes| bytes.saturating_mul(1000));
        for (resource, room) in [("cpu", nodes.cpu_millis), ("memory", memory_millis)] {
            if room.is_some_and(|room| requests(resource) > room) {
                return Err(self
                    .refuse(
                        &format!("/cluster/nodes/{resource}"),
                        format!(
                            "a pod of the Deployment `{}` requests more {resource} than a node has",
                            deployment.metadata.name
                        ),
                    )
                    .help(
                        "it would never be scheduled: enlarge the nodes, or lower the requests",
                    ));
            }
        }
        Ok(())
    }
}
