//! The effective scenario, as data. Times are [`Span`]s from the scenario's zero, service times whole nanoseconds,
//! rates requests per second, ratios fractions.

mod expect;
mod faults;
mod metrics;
mod requests;

pub use expect::{EventPattern, Expect, ProbabilityBound, Side, WeightAt};
pub use faults::{Fault, FaultKind, Workload};
pub use requests::{
    Behaviour, ClassBehaviour, Clients, LoadBalance, NextUpstream, Proxy, RequestClass, WarmUp,
};

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::canary::{AlertProvider, Canary, CanarySpec, MetricTemplate, Provider, Rules};
use crate::diagnostic::Node;
use crate::k8s::manifest::Document;
use crate::k8s::{
    ConfigMap, Deployment, HorizontalPodAutoscaler, HttpRoute, Ingress, Secret, Service,
};
use crate::time::{Span, Timestamp};

pub use metrics::{PodDiscovery, SyntheticKind, SyntheticSeries, Terms, VersionMetrics};

/// One rollout to simulate.
#[derive(Clone, Debug, Serialize)]
pub struct Scenario {
    /// Path under `scenarios/` without `.toml`, else the file's stem.
    pub name: String,
    /// One line for people.
    pub title: String,
    /// How thresholds are read.
    pub rules: Rules,
    /// Overrides the Canary's provider and the controller's flag.
    pub provider: Option<Provider>,
    /// Seed and length.
    pub run: Run,
    /// The controller's flags.
    pub flagger: Flagger,
    /// What users send.
    pub traffic: Traffic,
    /// The ingress controller.
    pub ingress: IngressController,
    /// The Gateway; `None` where the provider is another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway: Option<Gateway>,
    /// Who measures.
    pub prometheus: Prometheus,
    /// How pods and controllers behave, beyond what the manifests say.
    pub cluster: ClusterTiming,
    /// The workload behind each pod template, by version name.
    pub versions: BTreeMap<String, Version>,
    /// What the pods of a version export, by version name; a version that is not here exports nothing.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metrics: BTreeMap<String, VersionMetrics>,
    /// The version that runs before the first push.
    pub initial_version: String,
    /// From a commit to the cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pipeline: Option<Pipeline>,
    /// What happens when.
    pub events: Vec<ScenarioEvent>,
    /// How the Canary's webhooks answer, by their names; what is not here answers 200 at once.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub webhooks: BTreeMap<String, WebhookScript>,
    /// Faults that are put in, in order of their start.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub chaos: Vec<Fault>,
    /// What `simulate` and `check` hold the run against.
    pub expect: Option<Expect>,
    /// The user's objects.
    pub manifests: Manifests,
    /// What was assumed because nothing was said: one sentence each, naming the key that changes it.
    pub assumptions: Vec<String>,
    /// The file as it was written, with what was set over it, for whoever points at a place in it.
    #[serde(skip)]
    pub text: Node,
}

impl Scenario {
    /// What realises weights: the scenario's `provider`, else the Canary's, else the controller's flag.
    pub fn provider_in_force(&self) -> Provider {
        let canary = &self.manifests.canary.spec;
        let named = || {
            Provider::parse(&canary.provider)
                .or_else(|| Provider::parse(&self.flagger.mesh_provider))
        };
        self.provider.or_else(named).unwrap_or(Provider::Kubernetes)
    }
}

/// `[run]`.
#[derive(Clone, Debug, Serialize)]
pub struct Run {
    /// Seed of every random stream.
    pub seed: u64,
    /// Simulated time after the scenario's zero at which an undecided run ends. A settled run ends there too.
    pub horizon: Span,
    /// Simulated time before the scenario's zero: Flagger initialises, counters fill. A whole number of analysis intervals.
    pub warm_up: Span,
    /// How requests are simulated.
    #[serde(skip_serializing_if = "TrafficModel::is_requests")]
    pub traffic_model: TrafficModel,
}

/// How requests are simulated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TrafficModel {
    /// One by one.
    #[default]
    Requests,
    /// As counts between scrapes: for many runs where requests do not wait for each other.
    Aggregate,
}

impl TrafficModel {
    fn is_requests(&self) -> bool {
        *self == TrafficModel::Requests
    }
}

/// `[flagger]`: flags of the controller.
#[derive(Clone, Debug, Serialize)]
pub struct Flagger {
    /// `-mesh-provider`.
    pub mesh_provider: String,
    /// `-metrics-server`.
    pub metrics_server: String,
}

/// `[traffic]`.
#[derive(Clone, Debug, Serialize)]
pub struct Traffic {
    /// How arrivals are spaced.
    pub arrivals: Arrivals,
    /// Requests per second over time: linear between points, constant before the first and after the last. Never empty.
    pub rate: Vec<RatePoint>,
    /// The `Host` header; `None` means a host of the Ingress.
    pub host: Option<String>,
    /// Where requests enter.
    pub via: Via,
    /// After how long a user goes away; `None` is never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Span>,
    /// Users who wait for their answers, besides those of `rate`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clients: Option<Clients>,
    /// Kinds of requests; none is a plain GET of `/`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<RequestClass>,
}

impl Traffic {
    /// Independent users who send so many requests a second through the ingress.
    pub fn steady(per_second: f64) -> Self {
        Traffic {
            arrivals: Arrivals::Poisson,
            rate: vec![RatePoint {
                at: Span::ZERO,
                per_second,
            }],
            host: None,
            via: Via::Ingress,
            timeout: None,
            clients: None,
            classes: Vec::new(),
        }
    }
}

/// How arrivals are spaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Arrivals {
    /// Independent users.
    Poisson,
    /// Evenly.
    Deterministic,
}

/// A rate at a time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct RatePoint {
    /// From the scenario's zero.
    pub at: Span,
    /// Requests per second.
    pub per_second: f64,
}

/// Where requests enter the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Via {
    /// Through the ingress, which counts them.
    Ingress,
    /// Straight to the apex Service: the ingress counts nothing.
    Service,
}

/// `[ingress]`: the ingress-nginx controller.
#[derive(Clone, Debug, Serialize)]
pub struct IngressController {
    /// What the `ingress` label of a request says.
    pub attribution: Attribution,
    /// nginx workers; each polls for weights and flushes records on its own.
    pub workers: u32,
    /// Longest wait of the controller before it syncs a change (rate limit 0.3/s: 3.3 s); the wait is uniform from 0.
    pub sync_delay: Span,
    /// How often a worker looks for changes.
    pub worker_poll: Span,
    /// How often a worker hands its records to the exporter.
    pub flush_interval: Span,
    /// Timeouts, attempts, balancing and labels, where anything was said of them.
    #[serde(skip_serializing_if = "Proxy::is_default")]
    pub proxy: Proxy,
}

impl Default for IngressController {
    fn default() -> Self {
        IngressController {
            attribution: Attribution::Shared,
            workers: 2,
            sync_delay: Span::from_millis(3300),
            worker_poll: Span::from_secs(1),
            flush_interval: Span::from_secs(1),
            proxy: Proxy::default(),
        }
    }
}

/// What the `ingress` label of a request says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Attribution {
    /// As NGINX does: primary and canary share the label of the primary Ingress; `canary` tells them apart.
    Shared,
    /// The runbook's assumption: the ingress that the queries name carries the canary's requests alone.
    Canary,
}

/// `[gateway]`: the data plane behind the HTTPRoute.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Gateway {
    /// Longest time from a change of the route until the Gateway goes by it; uniform from 0.
    pub programming_delay: Span,
    /// Share of the requests that carry what an A/B analysis asks for.
    pub matching: f64,
}

/// `[prometheus]`.
#[derive(Clone, Debug, Serialize)]
pub struct Prometheus {
    /// Whose rules: `3`, `2.53`, `2.42`.
    pub version: String,
    /// Time between scrapes of a target.
    pub scrape_interval: Span,
    /// Scraped labels win over the target's.
    pub honor_labels: bool,
    /// Whether anything tells Prometheus to scrape the ingress controller.
    pub service_monitor: bool,
    /// From Flagger's tick to the evaluation of its query, at the most; uniform from 1 ms.
    pub query_latency: Span,
    /// Recording rules: the scenario's, then those of PrometheusRule manifests.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rule_groups: Vec<RuleGroup>,
    /// How pods are found; `None`: nothing scrapes them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod_discovery: Option<PodDiscovery>,
    /// Series that the scenario makes up.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub series: Vec<SyntheticSeries>,
}

/// Recording rules that are evaluated together, one after the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleGroup {
    /// Its name.
    pub name: String,
    /// Time between two evaluations.
    pub interval: Span,
    /// The rules.
    pub rules: Vec<RecordingRule>,
}

/// A query whose answer becomes series.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RecordingRule {
    /// The name of the new series.
    pub record: String,
    /// The query.
    pub expr: String,
    /// Labels of the new series, over those of the answer; an empty value takes a label away.
    pub labels: BTreeMap<String, String>,
}

/// `[cluster]`: how pods and controllers behave.
#[derive(Clone, Debug, Serialize)]
pub struct ClusterTiming {
    /// From a pod's deletion to the moment the last router has dropped it.
    pub endpoint_removal: Span,
    /// From a pod being ready to the moment it gets traffic.
    pub endpoint_addition: Span,
    /// Time between HPA reconciles.
    pub hpa_sync: Span,
    /// Time between metrics-server samples.
    pub metrics_resolution: Span,
    /// The nodes; `None` is one without limits, on which no pod ever waits for room.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nodes: Option<NodePool>,
}

/// `[cluster.nodes]`: nodes that are all alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NodePool {
    /// How many.
    pub count: u32,
    /// CPU that pods may request of each, in millicores; `None` is without limit.
    pub cpu_millis: Option<i64>,
    /// Memory that pods may request of each, in bytes; `None` is without limit.
    pub memory_bytes: Option<i64>,
    /// Pods that each takes.
    pub pods: u32,
}

/// `[versions.NAME]`: the workload behind a pod template.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Version {
    /// How long a request is worked on.
    pub service_time: Distribution,
    /// How long a failing request is worked on; `None` means as any other.
    pub failure_time: Option<Distribution>,
    /// Requests a pod works on at once; the others wait in order of arrival.
    pub concurrency: u32,
    /// CPU time a request costs, in nanoseconds.
    pub cpu_per_request_ns: u64,
    /// From a pod's creation to its readiness.
    pub startup: Distribution,
    /// Share of requests that fail whatever `FAIL_RATE` says.
    pub base_failure_rate: f64,
    /// Image; `None` means the manifest's.
    pub image: Option<String>,
    /// Environment variables set on the manifest's pod template.
    pub env: BTreeMap<String, String>,
    /// What its pods go through besides, where anything was said of it.
    #[serde(skip_serializing_if = "PodCourse::is_plain")]
    pub course: PodCourse,
    /// How its pods behave besides, where anything was said of it.
    #[serde(skip_serializing_if = "Behaviour::is_plain")]
    pub behaviour: Behaviour,
}

impl Default for Version {
    fn default() -> Self {
        Version {
            service_time: Distribution::Lognormal {
                median_ns: 20_000_000,
                sigma: 0.5,
            },
            failure_time: None,
            concurrency: 8,
            cpu_per_request_ns: 5_000_000,
            startup: Distribution::Lognormal {
                median_ns: 4_000_000_000,
                sigma: 0.4,
            },
            base_failure_rate: 0.0,
            image: None,
            env: BTreeMap::new(),
            course: PodCourse::default(),
            behaviour: Behaviour::default(),
        }
    }
}

/// What the pods of a version go through between their creation and their end, beyond `startup`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PodCourse {
    /// What pulling the image takes; `None`: it is on every node already.
    pub image_pull: Option<ImagePull>,
    /// Until when every attempt to pull the image fails.
    pub image_pull_fails_until: Option<Timestamp>,
    /// What a container's memory comes to, where anything was said of it.
    pub memory: Option<Memory>,
    /// From a container's start to its first good answer to a probe. Then the template's probes say when a pod is ready,
    /// and `startup` does not.
    pub boot: Option<Distribution>,
    /// The readiness probe fails for ever.
    pub never_ready: bool,
    /// From a container's start to its crash.
    pub crash_after: Option<Distribution>,
    /// From SIGTERM to the exit of the process. Then a pod ends as its template says, and what it is still sent is refused.
    pub shutdown: Option<Distribution>,
}

impl PodCourse {
    /// Whether nothing was said: pods start as `startup` has it, and serve until the routers have dropped them.
    pub fn is_plain(&self) -> bool {
        *self == PodCourse::default()
    }
}

/// A container's working set: so much at its start, and more every second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Memory {
    /// At the start, in bytes.
    pub base_bytes: u64,
    /// Growth in bytes a second.
    pub leak_bytes_per_second: u64,
}

impl Memory {
    /// That of a container of which nothing was said.
    pub const DEFAULT: Memory = Memory {
        base_bytes: 64 << 20,
        leak_bytes_per_second: 0,
    };
}

/// What pulling an image takes.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImagePull {
    /// So long, from a node's first pod with this image on.
    Takes(Distribution),
    /// There is no such image: every attempt fails.
    Fails,
}

/// A distribution of times, in nanoseconds.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Distribution {
    /// Always the same.
    Constant {
        /// The time.
        ns: u64,
    },
    /// The logarithm is normal.
    Lognormal {
        /// Half are below.
        median_ns: u64,
        /// Standard deviation of the logarithm.
        sigma: f64,
    },
    /// Memoryless.
    Exponential {
        /// Mean.
        mean_ns: u64,
    },
    /// Equally likely between two bounds.
    Uniform {
        /// Lower bound.
        min_ns: u64,
        /// Upper bound.
        max_ns: u64,
    },
    /// The sum of `shape` exponential times, where that is a whole number: less spread than one.
    Gamma {
        /// Mean.
        mean_ns: u64,
        /// The larger, the narrower.
        shape: f64,
    },
    /// As recorded: between neighbouring values equally likely.
    Empirical {
        /// The recorded times, ascending; never empty.
        values_ns: Vec<u64>,
    },
    /// One of several, each so often.
    Mixture {
        /// The parts; never empty, none a mixture.
        parts: Vec<Part>,
    },
}

/// A part of a mixture of distributions.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Part {
    /// How often, as the other parts' weights have it.
    pub weight: f64,
    /// Its distribution.
    pub of: Distribution,
}

/// `[pipeline]`: what a commit goes through on its way to the cluster, stage after stage.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Pipeline {
    /// CI: from the commit to the image in the registry.
    pub build: Stage,
    /// Flux' ImageRepository: until the image is seen.
    pub image_scan: Stage,
    /// Flux' ImageUpdateAutomation: until its tag is committed.
    pub image_automation: Stage,
    /// Flux' GitRepository: until that commit is fetched.
    pub git_poll: Stage,
    /// Flux' Kustomization: until it is applied.
    pub kustomization: Stage,
    /// How often the Kustomization applies everything again, which undoes changes made by hand; `None` is never.
    pub reapply_interval: Option<Span>,
}

/// A stage of the pipeline.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// It takes a time.
    Takes(Distribution),
    /// A loop with this period gets to it, with a phase of its own.
    Every(Span),
}

/// Something that happens at a time.
#[derive(Clone, Debug, Serialize)]
pub struct ScenarioEvent {
    /// From the scenario's zero. What happens at a tick's instant happens before the tick.
    pub at: Span,
    /// What.
    pub action: Action,
}

/// What can happen.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// The target Deployment gets this version's pod template.
    Push(String),
    /// This version is committed, and becomes a push when the pipeline has carried it to the cluster.
    Commit(String),
    /// The target Deployment's metadata gets these annotations (`kubectl annotate deployment`).
    Annotate(BTreeMap<String, String>),
    /// A ConfigMap's data gets these keys.
    ConfigMap {
        /// Its name, in the Canary's namespace.
        name: String,
        /// Keys and values.
        data: BTreeMap<String, String>,
    },
    /// A Secret's data gets these keys.
    Secret {
        /// Its name, in the Canary's namespace.
        name: String,
        /// Keys and values in base64.
        data: BTreeMap<String, String>,
    },
    /// The Canary is deleted.
    Delete,
    /// The Canary's spec is edited.
    Edit {
        /// What was laid over it.
        patch: Value,
        /// The spec from then on, every edit before it included.
        #[serde(skip)]
        spec: Box<CanarySpec>,
    },
}

/// `[webhooks.NAME]`: how a webhook answers, and from when on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WebhookScript {
    /// In order of time; the first holds from the start of the warm-up. Never empty.
    pub answers: Vec<HookAnswer>,
}

/// How a webhook answers from some time on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HookAnswer {
    /// From the scenario's zero.
    pub from: Span,
    /// What comes of an attempt.
    pub result: HookResult,
    /// After how long.
    pub latency: Span,
}

/// What comes of one attempt to call a webhook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum HookResult {
    /// An answer.
    Answer {
        /// HTTP status.
        status: u16,
        /// Its body.
        body: String,
    },
    /// Nobody listens.
    Unreachable,
    /// No answer within the timeout.
    TimesOut,
}

/// The user's objects.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Manifests {
    /// The Canary.
    pub canary: Canary,
    /// Its target.
    pub deployment: Deployment,
    /// Metric templates.
    pub metric_templates: Vec<MetricTemplate>,
    /// Alert providers.
    pub alert_providers: Vec<AlertProvider>,
    /// HPAs.
    pub hpas: Vec<HorizontalPodAutoscaler>,
    /// Ingresses.
    pub ingresses: Vec<Ingress>,
    /// HTTPRoutes.
    pub http_routes: Vec<HttpRoute>,
    /// Services.
    pub services: Vec<Service>,
    /// ConfigMaps.
    pub config_maps: Vec<ConfigMap>,
    /// Secrets.
    pub secrets: Vec<Secret>,
    /// What the HelmRelease that installs Flagger says of its flags.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flagger: Option<FlaggerRelease>,
    /// Objects that were given and play no part.
    pub left_out: Vec<LeftOut>,
    /// The objects above as they were written, with the scenario's changes, for whoever points at a place in them.
    #[serde(skip)]
    pub documents: Vec<Document>,
}

/// The values of Flagger's Helm chart that are read.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct FlaggerRelease {
    /// `meshProvider`.
    pub mesh_provider: Option<Provider>,
    /// `metricsServer`.
    pub metrics_server: Option<String>,
}

/// An object that was given and plays no part in the simulation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// File and line it was read from.
    pub place: String,
    /// Why.
    pub reason: String,
}
