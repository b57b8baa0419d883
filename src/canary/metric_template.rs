//! MetricTemplates (`pkg/apis/flagger/v1beta1/metric.go`).

use serde::{Deserialize, Serialize};

use crate::k8s::ObjectMeta;

/// A MetricTemplate.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MetricTemplate {
    /// Metadata.
    pub metadata: ObjectMeta,
    /// What is asked, and whom.
    pub spec: MetricTemplateSpec,
}

/// `spec`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MetricTemplateSpec {
    /// Whom.
    pub provider: MetricProvider,
    /// What: Go template text.
    pub query: String,
}

/// `spec.provider`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MetricProvider {
    /// `prometheus` and the like.
    #[serde(rename = "type")]
    pub kind: String,
    /// URL.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub address: String,
    /// Credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretRef>,
    /// No certificate check.
    pub insecure_skip_verify: bool,
}

/// A Secret by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SecretRef {
    /// Name.
    pub name: String,
}
