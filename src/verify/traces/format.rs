//! A Flagger trace, as its file writes it: one JSON object a line. Unknown keys are errors, since they could not be compared.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::canary::{AlertProvider, MetricTemplate, Phase};
use crate::k8s::{ConfigMap, Deployment, HorizontalPodAutoscaler, Ingress, Secret};

/// One recorded rollout.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Trace {
    pub(super) id: String,
    #[allow(dead_code, reason = "for people who read the file")]
    title: String,
    pub(super) flagger: String,
    pub(super) mesh_provider: String,
    #[serde(default)]
    pub(super) flags: Flags,
    /// Kept as written too, since merge patches apply to that.
    pub(super) canary: Value,
    pub(super) metric_templates: Vec<MetricTemplate>,
    pub(super) configmaps: Vec<ConfigMap>,
    pub(super) secrets: Vec<Secret>,
    #[serde(default)]
    pub(super) alert_providers: Vec<AlertProvider>,
    pub(super) deployment: Deployment,
    pub(super) hpa: Option<HorizontalPodAutoscaler>,
    pub(super) ingress: Option<Ingress>,
    pub(super) ticks: Vec<Tick>,
}

/// Flags of the controller that differ from their defaults.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Flags {
    pub(super) event_webhook: Option<String>,
    pub(super) cluster_name: Option<String>,
    pub(super) enable_config_tracking: Option<bool>,
}

/// One tick: what happened before it, what the world answers, and what Flagger did.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tick {
    pub(super) k: i64,
    pub(super) before: Vec<Change>,
    pub(super) metrics_world: BTreeMap<String, Answer>,
    pub(super) webhooks_world: BTreeMap<String, u16>,
    pub(super) prometheus: Vec<Asked>,
    pub(super) webhooks: Vec<Called>,
    pub(super) expect: Expect,
}

/// A change of the world between two ticks.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Change {
    SetImage(String),
    Restart(String),
    SetConfigmap(ConfigMap),
    SetSecret(Secret),
    SetIngress(Ingress),
    SetHpa(HorizontalPodAutoscaler),
    SetMetricTemplate(MetricTemplate),
    CreateDeployment(Deployment),
    MergeCanarySpec(Value),
    DeploymentStatus(StatusChange),
    SetReplicas(ReplicasChange),
    SetIngressAnnotations(AnnotationsChange),
    HttprouteStatus(RouteStatusChange),
    Delete(Named),
}

/// A new status of a Deployment.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StatusChange {
    pub(super) name: String,
    pub(super) observed_generation_behind: bool,
    pub(super) replicas: i32,
    pub(super) updated: i32,
    pub(super) ready: i32,
    pub(super) available: i32,
    pub(super) conditions: Vec<AgedCondition>,
}

/// A condition whose age counts back from the tick.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AgedCondition {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) status: String,
    pub(super) reason: String,
    pub(super) last_update_age_s: i64,
}

/// Another writer of `spec.replicas`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReplicasChange {
    pub(super) name: String,
    pub(super) replicas: i32,
}

/// Annotations edited by hand.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AnnotationsChange {
    pub(super) name: String,
    pub(super) annotations: BTreeMap<String, String>,
}

/// What every parent says of the HTTPRoute.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RouteStatusChange {
    pub(super) accepted: String,
    pub(super) observed_generation_behind: bool,
}

/// An object by kind and name.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Named {
    pub(super) kind: String,
    pub(super) name: String,
}

/// What Prometheus answers.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(untagged)]
pub(super) enum Answer {
    /// One sample.
    Value { value: String },
    /// Several samples.
    Series { series: Vec<String> },
    /// A vector without samples.
    Empty { empty: bool },
    /// An HTTP error.
    Status { http_status: u16, body: String },
    /// 200 with this body.
    Raw { raw: String },
}

/// A query and its answer.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    pub(super) query: String,
    pub(super) answer: Answer,
}

/// One attempt of a webhook call.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Called {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) path: String,
    pub(super) payload: Value,
    pub(super) http_status: u16,
}

/// What Flagger did.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Expect {
    pub(super) events: Vec<Told>,
    pub(super) alerts: Vec<Alerted>,
    pub(super) status: Status,
    pub(super) routes: RoutesRead,
    pub(super) replicas: Replicas,
    pub(super) primary_image: Option<String>,
    pub(super) ingress_annotations: Option<BTreeMap<String, String>>,
    pub(super) primary_hpa: Option<PrimaryHpa>,
    /// Absent in traces without configs.
    pub(super) primary_configs: Option<BTreeMap<String, BTreeMap<String, String>>>,
    pub(super) gauges: Gauges,
}

/// An event.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Told {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) reason: String,
    pub(super) message: String,
}

/// An alert delivery.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Alerted {
    pub(super) severity: String,
    pub(super) message: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) fields: Vec<Field>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) provider: Option<String>,
}

/// A field of an alert.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) value: String,
}

/// The Canary's status.
#[derive(Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Status {
    pub(super) phase: Phase,
    pub(super) canary_weight: i64,
    pub(super) failed_checks: i64,
    pub(super) iterations: i64,
    pub(super) conditions: Vec<StatusCondition>,
    #[serde(rename = "applied_revision")]
    pub(super) applied_revision: Option<String>,
    #[serde(rename = "promoted_revision")]
    pub(super) promoted_revision: Option<String>,
    #[serde(rename = "tracked_configs", default)]
    pub(super) tracked_configs: BTreeMap<String, String>,
}

/// A condition, without its times.
#[derive(Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StatusCondition {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) status: String,
    pub(super) reason: String,
    pub(super) message: String,
}

/// What the router reads after the tick.
#[derive(Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RoutesRead {
    pub(super) error: Option<String>,
    pub(super) primary: Option<i64>,
    pub(super) canary: Option<i64>,
    pub(super) mirrored: Option<bool>,
}

/// `spec.replicas`; null if the Deployment is missing.
#[derive(Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Replicas {
    pub(super) target: Option<i32>,
    pub(super) primary: Option<i32>,
}

/// The primary's HPA.
#[derive(Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PrimaryHpa {
    pub(super) min: Option<i32>,
    pub(super) max: i32,
    pub(super) target: String,
    #[serde(default)]
    pub(super) metrics: Value,
    #[serde(default)]
    pub(super) behavior: Value,
}

/// The controller's own metrics; null until first set.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Gauges {
    pub(super) status: Option<i64>,
    pub(super) weight_primary: Option<i64>,
    pub(super) weight_canary: Option<i64>,
    pub(super) successes: BTreeMap<String, u64>,
    pub(super) failures: BTreeMap<String, u64>,
}
