//! `gateway.networking.k8s.io/v1` HTTPRoutes, spec and status opaque.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::meta::ObjectMeta;

/// An HTTPRoute.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HttpRoute {
    /// Metadata.
    pub metadata: ObjectMeta,
    /// Parents, hostnames, rules.
    pub spec: Value,
    /// What the gateways say of it.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub status: Value,
}
