//! `spec` of a Canary (`pkg/apis/flagger/v1beta1/canary.go`). Absent values stay absent; Flagger's defaults are in the getters.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::k8s::ObjectReference;
use crate::time::Span;

/// `spec`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CanarySpec {
    /// Overrides the controller's `-mesh-provider`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub provider: String,
    /// Overrides the controller's `-metrics-server`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub metrics_server: String,
    /// The workload.
    pub target_ref: ObjectReference,
    /// Its HPA.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub autoscaler_ref: Option<AutoscalerRef>,
    /// The Ingress that the nginx provider clones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ingress_ref: Option<ObjectReference>,
    /// For `{{ route }}` in metric templates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route_ref: Option<ObjectReference>,
    /// Services and routing.
    pub service: CanaryService,
    /// The analysis; absent means skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub analysis: Option<Analysis>,
    /// Seconds until an unready workload ends the rollout; absent means 600.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress_deadline_seconds: Option<i32>,
    /// Promote without analysis.
    pub skip_analysis: bool,
    /// Do nothing.
    pub suspend: bool,
    /// Hand the replicas back to the target when the Canary is deleted.
    pub revert_on_deletion: bool,
}

impl CanarySpec {
    /// Name of the apex Service (`GetServiceNames`).
    pub fn apex_service(&self) -> &str {
        if self.service.name.is_empty() {
            &self.target_ref.name
        } else {
            &self.service.name
        }
    }

    /// Name of the Service in front of the primary.
    pub fn primary_service(&self) -> String {
        format!("{}-primary", self.apex_service())
    }

    /// Name of the Service in front of the canary.
    pub fn canary_service(&self) -> String {
        format!("{}-canary", self.apex_service())
    }

    /// Seconds until an unready workload ends the rollout (`GetProgressDeadlineSeconds`).
    pub fn progress_deadline(&self) -> i64 {
        self.progress_deadline_seconds.map_or(600, i64::from)
    }
}

/// `spec.autoscalerRef`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AutoscalerRef {
    /// API group and version.
    pub api_version: String,
    /// `HorizontalPodAutoscaler` or `ScaledObject`.
    pub kind: String,
    /// Name.
    pub name: String,
    /// Bounds of the primary's own HPA.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub primary_scaler_replicas: Option<ScalerReplicas>,
}

/// `primaryScalerReplicas`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ScalerReplicas {
    /// Lower bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_replicas: Option<i32>,
    /// Upper bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_replicas: Option<i32>,
}

/// `spec.service`. What only the Gateway API router copies stays as written.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CanaryService {
    /// Apex name; absent means the target's.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Port of the Services.
    pub port: i32,
    /// Its name; absent means `http`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub port_name: String,
    /// Port of the pods, number or name.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub target_port: Value,
    /// `http`, `grpc` and the like.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub app_protocol: String,
    /// `spec.trafficDistribution` of the Services.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub traffic_distribution: String,
    /// Also serve the containers' other ports.
    pub port_discovery: bool,
    /// `clusterIP: None`.
    pub headless: bool,
    /// Gateways that the HTTPRoute hangs on.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub gateway_refs: Value,
    /// Host names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
    /// Request matches.
    #[serde(rename = "match", skip_serializing_if = "Value::is_null")]
    pub matches: Value,
    /// Rewrites.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub rewrite: Value,
    /// Header changes.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub headers: Value,
    /// Request timeout.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub timeout: String,
    /// Backend timeout.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub backend_timeout: String,
    /// Mirrors.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub mirror: Value,
    /// CORS.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub cors_policy: Value,
    /// Labels and annotations of the apex Service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub apex: Option<CustomMetadata>,
    /// Labels and annotations of the primary Service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub primary: Option<CustomMetadata>,
    /// Labels and annotations of the canary Service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub canary: Option<CustomMetadata>,
    /// Keys that Flagger leaves alone on Services it made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unmanaged_metadata: Option<UnmanagedMetadata>,
}

/// `service.unmanagedMetadata`: keys only.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct UnmanagedMetadata {
    /// Annotations.
    pub annotations: Vec<String>,
    /// Labels.
    pub labels: Vec<String>,
}

/// Labels and annotations of a generated Service.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CustomMetadata {
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    pub annotations: BTreeMap<String, String>,
}

/// `spec.analysis`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Analysis {
    /// Time between ticks, as written (see [`Analysis::interval`]).
    pub interval: String,
    /// Failed checks allowed.
    pub threshold: i64,
    /// Passes of an A/B or blue/green analysis.
    pub iterations: i64,
    /// Percent added per step.
    pub step_weight: i64,
    /// Percents, one per step.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub step_weights: Vec<i64>,
    /// Percent at which the promotion starts.
    pub max_weight: i64,
    /// Percent per promotion step; 0 means all at once.
    pub step_weight_promotion: i64,
    /// Mirror traffic before shifting it.
    pub mirror: bool,
    /// Ignored by the providers modelled here.
    pub mirror_weight: i64,
    /// A/B conditions, as written.
    #[serde(rename = "match", skip_serializing_if = "Vec::is_empty")]
    pub matches: Vec<Value>,
    /// Percent of the primary's pods that must be available; absent means 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub primary_ready_threshold: Option<i64>,
    /// Percent of the canary's pods that must be available; absent means 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub canary_ready_threshold: Option<i64>,
    /// What is measured.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<Metric>,
    /// What is called.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub webhooks: Vec<Webhook>,
    /// Who is told.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub alerts: Vec<AlertRef>,
    /// Sticky sessions (Gateway API only), as written.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub session_affinity: Value,
}

impl Analysis {
    /// Time between ticks: absent or unreadable means 60 s, below 10 s means 10 s (`GetAnalysisInterval`).
    pub fn interval(&self) -> Span {
        let given = Span::parse_go(&self.interval).unwrap_or(Span::from_secs(60));
        given.max(Span::from_secs(10))
    }

    /// Failed checks allowed: at least 1 (`GetAnalysisThreshold`).
    pub fn threshold(&self) -> i64 {
        if self.threshold > 0 {
            self.threshold
        } else {
            1
        }
    }

    /// Percent of the primary's pods that must be available (`GetAnalysisPrimaryReadyThreshold`).
    pub fn primary_ready_threshold(&self) -> i64 {
        self.primary_ready_threshold.unwrap_or(100)
    }

    /// Percent of the canary's pods that must be available (`GetAnalysisCanaryReadyThreshold`).
    pub fn canary_ready_threshold(&self) -> i64 {
        self.canary_ready_threshold.unwrap_or(100)
    }
}

/// One entry of `analysis.metrics`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Metric {
    /// Its name; two names are builtin checks.
    pub name: String,
    /// The metric window, `{{ interval }}` in queries.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub interval: String,
    /// One bound; its direction depends on the metric.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    /// Both bounds; wins over `threshold`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold_range: Option<ThresholdRange>,
    /// Inline query.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub query: String,
    /// A MetricTemplate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template_ref: Option<NamespacedRef>,
    /// `{{ variables.key }}`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub template_variables: BTreeMap<String, String>,
}

/// `thresholdRange`; both ends are inclusive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ThresholdRange {
    /// Values below fail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// Values above fail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
}

/// A name and, optionally, a namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NamespacedRef {
    /// Name.
    pub name: String,
    /// Namespace; empty means the Canary's.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
}

/// One entry of `analysis.webhooks`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Webhook {
    /// `rollout` (also when empty), `pre-rollout`, `confirm-promotion`, ...
    #[serde(rename = "type")]
    pub kind: String,
    /// Its name in messages.
    pub name: String,
    /// Where it is.
    pub url: String,
    /// No alert while it blocks.
    pub mute_alert: bool,
    /// Per attempt, as written; empty means 10s.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub timeout: String,
    /// Sent along.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<BTreeMap<String, String>>,
    /// Attempts after the first.
    pub retries: i64,
    /// No certificate check.
    #[serde(rename = "disableTLS")]
    pub disable_tls: bool,
}

/// One entry of `analysis.alerts`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AlertRef {
    /// Its name.
    pub name: String,
    /// `info`, `warn`, `error`; empty receives nothing.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub severity: String,
    /// Who is told.
    pub provider_ref: NamespacedRef,
}
