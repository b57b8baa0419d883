//! The scenario file as it is written: every key, its type and its documentation; a file for each table.
//!
//! These types are what the file is read into and what its JSON Schema is made from. They hold what was said and nothing else;
//! `effective` fills in what was not. The comments on fields are the users' documentation.

mod chaos;
mod cluster;
mod events;
mod expect;
mod gateway;
mod ingress;
mod metrics;
mod object;
mod pipeline;
mod prometheus;
mod shapes;
mod traffic;
mod versions;
mod webhooks;

pub(super) use chaos::ChaosKeys;
pub(super) use cluster::{ClusterKeys, NodeKeys};
pub(super) use events::{ConfigKeys, EventKeys};
pub(super) use expect::ExpectKeys;
pub(super) use gateway::GatewayKeys;
pub(super) use ingress::IngressKeys;
pub(super) use metrics::{Exporter, MetricsKeys, SeriesKeys, SeriesType};
pub(super) use object::Object;
pub(super) use pipeline::{PipelineKeys, StageKeys};
pub(super) use prometheus::{PrometheusKeys, PrometheusVersion, RuleKeys};
pub(super) use shapes::{
    DistributionKeys, DistributionShape, Exponential, Gamma, Lognormal, MixturePart, Uniform,
};
pub(super) use traffic::{
    Burst, ClassKeys, Diurnal, OnOff, Point, Ramp, RateKeys, RateShape, TrafficKeys,
};
pub(super) use versions::{ClassTimesKeys, ImagePullKeys, PullTime, VersionKeys, WarmUpKeys};
pub(super) use webhooks::{HookOutcomeName, WebhookKeys};

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::model::TrafficModel;
use super::units::Time;
use crate::canary::{Provider, Rules};

/// A scenario of rollcast: one rollout to simulate.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "rollcast scenario")]
pub(super) struct File {
    /// One line for people. Default: the scenario's name.
    pub(super) title: Option<String>,
    /// Kubernetes manifests, as paths relative to this file. `*` and `?` stand for parts of a name, `**` for folders of any depth.
    pub(super) manifests: Vec<String>,
    /// How thresholds are read. `flagger` (default): as Flagger v1.44 does. `runbook`: `threshold` successful checks promote, one failed check rolls back at once.
    #[schemars(with = "Option<String>", extend("enum" = ["flagger", "runbook", null]))]
    pub(super) rules: Option<Rules>,
    /// What realises a weight; wins over the Canary's `spec.provider` and `flagger.mesh_provider`. `pod-scaling` is rollcast's own: weights by replica counts.
    #[schemars(with = "Option<String>", extend("enum" = ["nginx", "kubernetes", "gatewayapi:v1", "pod-scaling", null]))]
    pub(super) provider: Option<Provider>,
    /// The version that runs before the first push. Default: `v1` where there is one, else the only version.
    pub(super) initial_version: Option<String>,
    /// Seed and length of the run.
    pub(super) run: RunKeys,
    /// Flags of the Flagger controller.
    pub(super) flagger: FlaggerKeys,
    /// What users send.
    pub(super) traffic: TrafficKeys,
    /// The ingress controller.
    pub(super) ingress: IngressKeys,
    /// The Gateway, where the provider is `gatewayapi:v1`.
    pub(super) gateway: GatewayKeys,
    /// Prometheus.
    pub(super) prometheus: PrometheusKeys,
    /// Timing of pods and controllers.
    pub(super) cluster: ClusterKeys,
    /// The workload behind a pod template, by a name that events refer to.
    pub(super) versions: BTreeMap<String, VersionKeys>,
    /// From a commit to the cluster: CI and Flux. An empty table is a pipeline of defaults.
    pub(super) pipeline: Option<PipelineKeys>,
    /// What happens during the run.
    pub(super) events: Vec<EventKeys>,
    /// Faults that are put in on purpose.
    pub(super) chaos: Vec<ChaosKeys>,
    /// How the Canary's webhooks answer, by the name each has there. What is not scripted answers 200 at once.
    pub(super) webhooks: BTreeMap<String, WebhookKeys>,
    /// What `simulate` and `check` hold the run against.
    pub(super) expect: Option<ExpectKeys>,
    /// Fields of the Canary, in its own spelling, laid over the manifest's: tables are merged, an element of a list is named by its `name` or its index, anything else is replaced. Without a Canary manifest this is the Canary. Among several Canaries `metadata.name` chooses.
    pub(super) canary: Option<Object>,
    /// Fields of the Deployment that the Canary targets, laid over the manifest's like `canary`.
    pub(super) deployment: Option<Object>,
    /// Fields of the HorizontalPodAutoscaler that the Canary names, laid over the manifest's like `canary`.
    pub(super) hpa: Option<Object>,
    /// MetricTemplates by name, laid over the manifests' like `canary`.
    pub(super) metric_templates: BTreeMap<String, Object>,
    /// Ingresses by name, laid over the manifests' like `canary`. (The table `ingress` is the controller.)
    pub(super) ingresses: BTreeMap<String, Object>,
    /// Services by name, laid over the manifests' like `canary`.
    pub(super) services: BTreeMap<String, Object>,
}

/// `[run]`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RunKeys {
    /// Seed of every random stream. Default: 1.
    pub(super) seed: Option<u64>,
    /// Simulated time after the scenario's zero at which the run ends. Default: "15m"; at most "24h".
    pub(super) horizon: Option<Time>,
    /// Simulated time before the scenario's zero, in which Flagger initialises and counters fill; a whole number of analysis intervals. Default: "5m", rounded up to whole intervals, at least three.
    pub(super) warm_up: Option<Time>,
    /// How requests are simulated: `requests` (default) one by one, or `aggregate`, as counts between two scrapes, for studies of many runs. `aggregate` is refused where requests wait for each other, are tried again or broken off, where pods change during the run, or where they export metrics of their own.
    pub(super) traffic_model: Option<TrafficModel>,
}

/// `[flagger]`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct FlaggerKeys {
    /// The controller's `-mesh-provider`. Default: `kubernetes`.
    #[schemars(with = "Option<String>", extend("enum" = ["nginx", "kubernetes", "gatewayapi:v1", "pod-scaling", null]))]
    pub(super) mesh_provider: Option<Provider>,
    /// The controller's `-metrics-server`. Default: "http://prometheus:9090".
    pub(super) metrics_server: Option<String>,
}
