//! The two readings of a Canary, and the providers.

use serde::{Deserialize, Serialize};

/// How thresholds are read. Both are parameters of one state machine.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Rules {
    /// Flagger v1.44.0, exactly.
    #[default]
    Flagger,
    /// The load-harness runbook's reading: `threshold` successful checks promote, one failed check rolls back at once.
    Runbook,
}

/// What realises a weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub enum Provider {
    /// ingress-nginx: the canary Ingress' weight annotation.
    #[serde(rename = "nginx")]
    Nginx,
    /// No routing at all (Flagger's own reading).
    #[serde(rename = "kubernetes")]
    Kubernetes,
    /// Gateway API HTTPRoutes.
    #[serde(rename = "gatewayapi:v1")]
    GatewayApiV1,
    /// Ours: a weight is realised by replica counts.
    #[serde(rename = "pod-scaling")]
    PodScaling,
}

impl Rules {
    /// As scenarios write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Rules::Flagger => "flagger",
            Rules::Runbook => "runbook",
        }
    }
}

impl Provider {
    /// As scenarios and Canaries write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Provider::Nginx => "nginx",
            Provider::Kubernetes => "kubernetes",
            Provider::GatewayApiV1 => "gatewayapi:v1",
            Provider::PodScaling => "pod-scaling",
        }
    }

    /// Reads the name.
    pub fn parse(name: &str) -> Option<Provider> {
        [
            Provider::Nginx,
            Provider::Kubernetes,
            Provider::GatewayApiV1,
            Provider::PodScaling,
        ]
        .into_iter()
        .find(|p| p.as_str() == name)
    }
}
