//! `[cluster]`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::scenario::units::Time;

/// `[cluster]`: how pods and controllers behave beyond what the manifests say.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::scenario) struct ClusterKeys {
    /// From a pod's deletion to the moment the last router has dropped it. Default: "2s".
    pub(in crate::scenario) endpoint_removal: Option<Time>,
    /// From a pod's readiness to its first request. Default: "1s".
    pub(in crate::scenario) endpoint_addition: Option<Time>,
    /// Time between two reconciles of the HPA controller. Default: "15s".
    pub(in crate::scenario) hpa_sync: Option<Time>,
    /// Time between two samples of metrics-server. Default: "15s".
    pub(in crate::scenario) metrics_resolution: Option<Time>,
    /// Nodes that are all alike. A pod that fits on none stays Pending. Default: one node without limits.
    pub(in crate::scenario) nodes: Option<NodeKeys>,
}

/// `[cluster.nodes]`: nodes that are all alike; what is not said is without limit.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::scenario) struct NodeKeys {
    /// How many. Default: 1.
    #[schemars(range(min = 1, max = 10_000))]
    pub(in crate::scenario) count: Option<u32>,
    /// CPU that pods may request of each, as Kubernetes writes it: "4", "3920m".
    pub(in crate::scenario) cpu: Option<String>,
    /// Memory that pods may request of each, as Kubernetes writes it: "16Gi".
    pub(in crate::scenario) memory: Option<String>,
    /// Pods that each takes. Default: 110, the kubelet's own.
    #[schemars(range(min = 1, max = 10_000))]
    pub(in crate::scenario) pods: Option<u32>,
}
