//! The scenario file as it is written: every key, its type and its documentation.
//!
//! These types are what the file is read into and what its JSON Schema is made from. They hold what was said and nothing else;
//! `effective` fills in what was not. The comments on fields are the users' documentation.

pub(super) mod gateway;
pub(super) mod metrics;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, Visitor};

use super::model::{Arrivals, Attribution, PodDiscovery, TrafficModel, Via};
use super::units::{FineTime, Fraction, Rate, Time};
use crate::canary::{Provider, Rules};
use gateway::GatewayKeys;
use metrics::{MetricsKeys, SeriesKeys};

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
    /// How the Canary's webhooks answer, by the name each has there. What is not scripted answers 200 at once.
    pub(super) webhooks: BTreeMap<String, WebhookKeys>,
    /// What the `check` command asserts.
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
    /// How requests are simulated: `requests` (default) one by one, or `aggregate`, as counts between two scrapes, for studies of many runs. `aggregate` is refused where requests wait for each other, are tried again or broken off, or where pods export metrics of their own.
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

/// `[traffic]`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct TrafficKeys {
    /// Requests over time. Default: "100/s".
    pub(super) rate: Option<RateKeys>,
    /// How arrivals are spaced: `poisson` (default, independent users) or `deterministic` (evenly).
    pub(super) arrivals: Option<Arrivals>,
    /// The `Host` header of requests. Default: a host of the Ingress.
    pub(super) host: Option<String>,
    /// Where requests enter: `ingress` (default) or `service`, past the ingress, which then counts nothing.
    pub(super) via: Option<Via>,
}

/// A rate that stays ("200/s") or changes.
#[derive(Debug, JsonSchema)]
#[schemars(untagged)]
pub(super) enum RateKeys {
    /// Always the same.
    Constant(Rate),
    /// Changing.
    Shape(Box<RateShape>),
}

/// A rate that changes: exactly one of these.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
pub(super) struct RateShape {
    /// From one rate to another, evenly.
    pub(super) ramp: Option<Ramp>,
    /// Rates at times; in between the rate changes evenly, before the first and after the last it stays.
    pub(super) points: Option<Vec<Point>>,
    /// A rate with one burst in it.
    pub(super) burst: Option<Burst>,
    /// A rate that swings between two values, day by day.
    pub(super) diurnal: Option<Diurnal>,
    /// Recorded rates: a file, relative to this one, with the header `at_s,per_second` and a line for each point.
    pub(super) csv: Option<String>,
}

/// `rate.ramp`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Ramp {
    /// The rate until `start`.
    pub(super) from: Rate,
    /// The rate from `end` on.
    pub(super) to: Rate,
    /// When it starts to change.
    pub(super) start: Time,
    /// When it stops.
    pub(super) end: Time,
}

/// An element of `rate.points`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Point {
    /// When.
    pub(super) at: Time,
    /// The rate then.
    pub(super) rate: Rate,
}

/// `rate.burst`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Burst {
    /// The rate before and after.
    pub(super) base: Rate,
    /// The rate during the burst.
    pub(super) peak: Rate,
    /// When the burst starts.
    pub(super) start: Time,
    /// When it ends.
    pub(super) end: Time,
}

/// `rate.diurnal`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Diurnal {
    /// The lowest rate.
    pub(super) low: Rate,
    /// The highest rate.
    pub(super) high: Rate,
    /// When the rate is highest, from the scenario's zero.
    pub(super) peak: Time,
    /// Time from one peak to the next. Default: "24h".
    pub(super) period: Option<Time>,
}

/// `[ingress]`: the ingress-nginx controller.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct IngressKeys {
    /// What the `ingress` label of a request says. `shared` (default): as NGINX does, one label for primary and canary. `canary`: the ingress that the queries name carries the canary's requests alone.
    pub(super) attribution: Option<Attribution>,
    /// nginx worker processes. Default: 2.
    #[schemars(range(min = 1, max = 10_000))]
    pub(super) workers: Option<u32>,
    /// Longest time until the controller hands a change to nginx. Default: "3300ms", its rate limit of 0.3 syncs a second.
    pub(super) sync_delay: Option<Time>,
    /// How often a worker looks for changes. Default: "1s".
    pub(super) worker_poll: Option<Time>,
    /// How often a worker hands its request records to the exporter. Default: "1s".
    pub(super) flush_interval: Option<Time>,
}

/// `[prometheus]`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct PrometheusKeys {
    /// Whose evaluation rules: `3` (default), `2.53` or `2.42`.
    pub(super) version: Option<PrometheusVersion>,
    /// Time between two scrapes of a target. Default: "30s", as kube-prometheus-stack sets it.
    pub(super) scrape_interval: Option<Time>,
    /// Whether scraped labels win over those of the target. Default: false, so the exporter's `namespace` becomes `exported_namespace`.
    pub(super) honor_labels: Option<bool>,
    /// Whether a ServiceMonitor makes Prometheus scrape the ingress controller. Default: true.
    pub(super) service_monitor: Option<bool>,
    /// Longest time from Flagger's tick to the evaluation of its query. Default: "20ms".
    pub(super) query_latency: Option<Time>,
    /// Recording rules, besides those of PrometheusRule manifests. Rules of one interval are evaluated together, in this order, and see what those before them recorded.
    pub(super) rules: Vec<RuleKeys>,
    /// How pods are found, which decides the labels of their series: `annotations` (default where a version has `metrics`) as the Prometheus of Flagger's chart does it, `pod-monitor` or `service-monitor` as the Prometheus Operator does, `none`.
    pub(super) pod_discovery: Option<PodDiscovery>,
    /// Series of your own, exported by pods or by a target beside them.
    pub(super) series: Vec<SeriesKeys>,
}

/// `[[prometheus.rules]]`: a query whose answer becomes series.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RuleKeys {
    /// The name of the new series.
    pub(super) record: String,
    /// The query.
    pub(super) expr: String,
    /// Labels of the new series, over those of the answer; an empty value takes a label away.
    #[serde(default)]
    pub(super) labels: BTreeMap<String, String>,
    /// Time between two evaluations. Default: "30s", as kube-prometheus-stack sets it.
    #[serde(default)]
    pub(super) interval: Option<Time>,
}

/// A Prometheus whose rules are known.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
pub(super) enum PrometheusVersion {
    /// 3.x: range selectors open to the left.
    #[serde(rename = "3")]
    V3,
    /// 2.53, long-term support.
    #[serde(rename = "2.53")]
    V2_53,
    /// 2.42.
    #[serde(rename = "2.42")]
    V2_42,
}

/// `[cluster]`: how pods and controllers behave beyond what the manifests say.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ClusterKeys {
    /// From a pod's deletion to the moment the last router has dropped it. Default: "2s".
    pub(super) endpoint_removal: Option<Time>,
    /// From a pod's readiness to its first request. Default: "1s".
    pub(super) endpoint_addition: Option<Time>,
    /// Time between two reconciles of the HPA controller. Default: "15s".
    pub(super) hpa_sync: Option<Time>,
    /// Time between two samples of metrics-server. Default: "15s".
    pub(super) metrics_resolution: Option<Time>,
    /// Nodes that are all alike. A pod that fits on none stays Pending. Default: one node without limits.
    pub(super) nodes: Option<NodeKeys>,
}

/// `[cluster.nodes]`: nodes that are all alike; what is not said is without limit.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct NodeKeys {
    /// How many. Default: 1.
    #[schemars(range(min = 1, max = 10_000))]
    pub(super) count: Option<u32>,
    /// CPU that pods may request of each, as Kubernetes writes it: "4", "3920m".
    pub(super) cpu: Option<String>,
    /// Memory that pods may request of each, as Kubernetes writes it: "16Gi".
    pub(super) memory: Option<String>,
    /// Pods that each takes. Default: 110, the kubelet's own.
    #[schemars(range(min = 1, max = 10_000))]
    pub(super) pods: Option<u32>,
}

/// `[versions.NAME]`: the workload behind a pod template. What a version does not say it inherits, else it has the default.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct VersionKeys {
    /// The version whose values hold where this one says nothing.
    pub(super) inherits: Option<String>,
    /// How long a request is worked on. Default: lognormal, median "20ms", sigma 0.5.
    pub(super) service_time: Option<DistributionKeys>,
    /// How long a request that fails is worked on. Default: as any other.
    pub(super) failure_time: Option<DistributionKeys>,
    /// Requests a pod works on at once; others wait. Default: 8.
    #[schemars(range(min = 1, max = 10_000))]
    pub(super) concurrency: Option<u32>,
    /// CPU time a request costs, which the HPA sees. Default: "5ms".
    pub(super) cpu_per_request: Option<FineTime>,
    /// From a pod's creation to its readiness. Default: lognormal, median "4s", sigma 0.4.
    pub(super) startup: Option<DistributionKeys>,
    /// Share of requests that fail, whatever `env.FAIL_RATE` says. Default: 0.
    pub(super) base_failure_rate: Option<Fraction>,
    /// Image of the first container. Default: the manifest's.
    pub(super) image: Option<String>,
    /// Environment variables of the first container, over the manifest's. `FAIL_RATE` is the share of requests the workload fails on purpose.
    pub(super) env: BTreeMap<String, String>,
    /// What its pods export of the requests they answer. Default: nothing.
    pub(super) metrics: Option<MetricsKeys>,
    /// How long the image takes to pull, before anything else starts: a time, a distribution, or "fails" for an image that does not exist. A node pulls an image once. Default: it is there.
    pub(super) image_pull: Option<ImagePullKeys>,
    /// From a container's start to its first good answer to a probe. Where it is given, the template's startup, readiness and liveness probes decide when a pod is ready or killed, and `startup` plays no part.
    pub(super) boot: Option<DistributionKeys>,
    /// Whether the readiness probe fails for ever. Default: false.
    pub(super) never_ready: Option<bool>,
    /// From a container's start to its crash; it is started again after the kubelet's back-off of 0, 10, 20, ... 300 seconds. Default: it never crashes.
    pub(super) crash_after: Option<DistributionKeys>,
    /// From SIGTERM to the exit of the process. Where it is given, a pod ends as its template says (preStop, grace period), and is refused what it is sent until the routers have dropped it. Default: it serves until then.
    pub(super) shutdown: Option<DistributionKeys>,
}

/// A time such as "20s", or "fails".
#[derive(Clone, Debug, JsonSchema)]
#[schemars(untagged)]
pub(super) enum PullTime {
    /// Every attempt fails.
    Fails(Fails),
    /// Always the same.
    Time(FineTime),
}

/// The word "fails".
#[derive(Clone, Copy, Debug, JsonSchema)]
pub(super) enum Fails {
    /// Every attempt fails.
    #[schemars(rename = "fails")]
    Fails,
}

impl<'de> Deserialize<'de> for PullTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct WordOrTime;

        impl Visitor<'_> for WordOrTime {
            type Value = PullTime;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a time such as \"20s\", or \"fails\"")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<PullTime, E> {
                if text == "fails" {
                    return Ok(PullTime::Fails(Fails::Fails));
                }
                FineTime::deserialize(serde::de::value::StrDeserializer::new(text))
                    .map(PullTime::Time)
            }

            fn visit_i64<E: Error>(self, n: i64) -> Result<PullTime, E> {
                FineTime::deserialize(serde::de::value::I64Deserializer::new(n)).map(PullTime::Time)
            }

            fn visit_f64<E: Error>(self, n: f64) -> Result<PullTime, E> {
                FineTime::deserialize(serde::de::value::F64Deserializer::new(n)).map(PullTime::Time)
            }
        }

        deserializer.deserialize_any(WordOrTime)
    }
}

/// What pulling an image takes: a time ("20s"), "fails", or one of the shapes.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(untagged)]
pub(super) enum ImagePullKeys {
    /// Always the same, or never done.
    Constant(PullTime),
    /// A named distribution.
    Shape(Box<DistributionShape>),
}

/// A distribution of times: always the same ("20ms") or one of the shapes.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(untagged)]
pub(super) enum DistributionKeys {
    /// Always the same.
    Constant(FineTime),
    /// A named distribution.
    Shape(Box<DistributionShape>),
}

/// A named distribution of times: exactly one of these.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
pub(super) struct DistributionShape {
    /// Always the same.
    pub(super) constant: Option<FineTime>,
    /// The logarithm is normal: many short times and a long tail.
    pub(super) lognormal: Option<Lognormal>,
    /// Memoryless.
    pub(super) exponential: Option<Exponential>,
    /// Equally likely between two bounds.
    pub(super) uniform: Option<Uniform>,
}

/// `lognormal`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Lognormal {
    /// Half of the times are below.
    pub(super) median: FineTime,
    /// Standard deviation of the logarithm, from 0 to 4; p99 is median * exp(2.326 * sigma).
    #[schemars(range(min = 0, max = 4))]
    pub(super) sigma: f64,
}

/// `exponential`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Exponential {
    /// Mean.
    pub(super) mean: FineTime,
}

/// `uniform`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Uniform {
    /// Lower bound.
    pub(super) min: FineTime,
    /// Upper bound.
    pub(super) max: FineTime,
}

/// `[pipeline]`: what a commit goes through, stage after stage. A stage is a time, a distribution, or a loop (`{ every = "1m" }`) that gets to it at its next round.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct PipelineKeys {
    /// CI, from the commit to the image in the registry. Default: lognormal, median "3m", sigma 0.3.
    pub(super) build: Option<StageKeys>,
    /// Flux' ImageRepository, until the image is seen. Default: every "1m".
    pub(super) image_scan: Option<StageKeys>,
    /// Flux' ImageUpdateAutomation, until the new tag is committed. Default: uniform from "1s" to "5s", since an image policy that changes wakes it.
    pub(super) image_automation: Option<StageKeys>,
    /// Flux' GitRepository, until that commit is fetched. Default: every "1m".
    pub(super) git_poll: Option<StageKeys>,
    /// Flux' Kustomization, until it is applied. Default: uniform from "1s" to "5s", since a new revision wakes it.
    pub(super) kustomization: Option<StageKeys>,
    /// How often the Kustomization applies everything again (its `spec.interval`): what `push` events changed by hand is undone then. Default: never within a run.
    pub(super) reapply_interval: Option<Time>,
}

/// A stage: a time such as "20s", a distribution, or a loop.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(untagged)]
pub(super) enum StageKeys {
    /// Always the same.
    Constant(FineTime),
    /// A named distribution, or a loop.
    Shape(Box<StageShape>),
}

/// A named distribution of times, or a loop: exactly one of these.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
pub(super) struct StageShape {
    /// Always the same.
    pub(super) constant: Option<FineTime>,
    /// The logarithm is normal: many short times and a long tail.
    pub(super) lognormal: Option<Lognormal>,
    /// Memoryless.
    pub(super) exponential: Option<Exponential>,
    /// Equally likely between two bounds.
    pub(super) uniform: Option<Uniform>,
    /// A loop with this period, which gets to the change at its next round.
    pub(super) every: Option<Time>,
}

impl StageShape {
    /// The loop's period, and the distribution.
    pub(super) fn split(self) -> (Option<Time>, DistributionShape) {
        let distribution = DistributionShape {
            constant: self.constant,
            lognormal: self.lognormal,
            exponential: self.exponential,
            uniform: self.uniform,
        };
        (self.every, distribution)
    }
}

/// `[[events]]`: something that happens; exactly one of `push`, `commit`, `annotate`, `config`, `suspend` and `patch`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = [
    { "required": ["push"] }, { "required": ["commit"] }, { "required": ["annotate"] }, { "required": ["config"] }, { "required": ["suspend"] },
    { "required": ["patch"] },
]))]
pub(super) struct EventKeys {
    /// When, from the scenario's zero. What happens at a tick's instant happens before the tick.
    pub(super) at: Time,
    /// The target Deployment gets this version's pod template. An earlier version is a revert.
    pub(super) push: Option<String>,
    /// This version is committed; `[pipeline]` carries it to the cluster, where it becomes a push.
    pub(super) commit: Option<String>,
    /// The target Deployment's metadata gets these annotations, as by `kubectl annotate deployment`.
    pub(super) annotate: Option<BTreeMap<String, String>>,
    /// A ConfigMap or Secret gets new data.
    pub(super) config: Option<ConfigKeys>,
    /// The Canary's `spec.suspend`.
    pub(super) suspend: Option<bool>,
    /// Fields of the Canary's spec, laid over it like `canary` over the manifest. `analysis`, `metricsServer`, `progressDeadlineSeconds`, `skipAnalysis` and `suspend` can change during a run.
    pub(super) patch: Option<Object>,
}

/// `events.config`: exactly one of `config_map` and `secret`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = [{ "required": ["config_map"] }, { "required": ["secret"] }]))]
pub(super) struct ConfigKeys {
    /// Name of the ConfigMap.
    pub(super) config_map: Option<String>,
    /// Name of the Secret.
    pub(super) secret: Option<String>,
    /// Keys and their new values; other keys stay. A Secret's values are in base64, as in its manifest.
    pub(super) data: BTreeMap<String, String>,
}

/// `[webhooks.NAME]`: how a webhook answers.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct WebhookKeys {
    /// HTTP status of the answer: up to 202 passes, 429 and 5xx but 501 are tried again while the hook has retries. Default: 200.
    #[schemars(range(min = 100, max = 599))]
    pub(super) status: Option<u16>,
    /// Instead of a status, a word for what comes of an attempt.
    pub(super) outcome: Option<HookOutcomeName>,
    /// Body of the answer, which Flagger's message quotes where the status fails. Default: none.
    pub(super) body: Option<String>,
    /// How long an answer takes; the tick waits for it. An attempt that takes as long as the hook's timeout fails. Default: "0s".
    pub(super) latency: Option<Time>,
    /// Other answers from some time on. What a change does not say stays as it was.
    pub(super) changes: Vec<HookChange>,
}

/// An element of `webhooks.NAME.changes`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HookChange {
    /// From when on, from the scenario's zero.
    pub(super) from: Time,
    /// HTTP status of the answer.
    #[schemars(range(min = 100, max = 599))]
    pub(super) status: Option<u16>,
    /// Instead of a status, a word for what comes of an attempt.
    pub(super) outcome: Option<HookOutcomeName>,
    /// Body of the answer.
    pub(super) body: Option<String>,
    /// How long an answer takes.
    pub(super) latency: Option<Time>,
}

/// What comes of one attempt to call a webhook.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum HookOutcomeName {
    /// Status 200.
    Passes,
    /// Status 403, as a closed gate of Flagger's load tester answers.
    Fails,
    /// Nobody listens: the connection is refused.
    Unreachable,
    /// No answer within the hook's timeout.
    TimesOut,
}

/// `[expect]`: what the `check` command asserts.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ExpectKeys {
    /// How the run ends.
    pub(super) outcome: Option<OutcomeName>,
    /// Promotion or rollback is decided at this time or before.
    pub(super) decided_by: Option<Time>,
    /// Nothing is decided before this time.
    pub(super) not_before: Option<Time>,
    /// At most so many failed requests reach users.
    pub(super) max_failed_requests: Option<u64>,
    /// 99 % of the requests are at most so slow.
    pub(super) max_p99: Option<Time>,
}

/// How a run can end.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum OutcomeName {
    /// The new version serves everyone.
    Promoted,
    /// The old version serves everyone.
    RolledBack,
    /// The promotion itself failed.
    PromotionFailed,
    /// The horizon came first.
    Undecided,
    /// Nothing that Flagger reacts to happened.
    NotStarted,
}

impl OutcomeName {
    /// As it is written.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            OutcomeName::Promoted => "promoted",
            OutcomeName::RolledBack => "rolled-back",
            OutcomeName::PromotionFailed => "promotion-failed",
            OutcomeName::Undecided => "undecided",
            OutcomeName::NotStarted => "not-started",
        }
    }
}

/// A Kubernetes object or a part of one, in Kubernetes' own spelling. Its content is read where it is laid over the manifest.
#[derive(Debug)]
pub(super) struct Object;

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyTable;

        impl<'de> Visitor<'de> for AnyTable {
            type Value = Object;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a table")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Object)
            }
        }

        deserializer.deserialize_any(AnyTable)
    }
}

impl JsonSchema for Object {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Object".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "object",
            "description": "A Kubernetes object or a part of one, in Kubernetes' own spelling."
        })
    }
}

impl DistributionShape {
    /// Whether it names nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.constant.is_none()
            && self.lognormal.is_none()
            && self.exponential.is_none()
            && self.uniform.is_none()
    }
}

/// Reads a quantity, or a table of one key that names a shape.
macro_rules! constant_or_shape {
    ($name:ident, $constant:ident, $shape:ident, $wanted:literal) => {
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct ShapeVisitor;

                impl<'de> Visitor<'de> for ShapeVisitor {
                    type Value = $name;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str($wanted)
                    }

                    fn visit_str<E: Error>(self, text: &str) -> Result<$name, E> {
                        $constant::deserialize(serde::de::value::StrDeserializer::new(text))
                            .map($name::Constant)
                    }

                    fn visit_i64<E: Error>(self, n: i64) -> Result<$name, E> {
                        $constant::deserialize(serde::de::value::I64Deserializer::new(n))
                            .map($name::Constant)
                    }

                    fn visit_u64<E: Error>(self, n: u64) -> Result<$name, E> {
                        $constant::deserialize(serde::de::value::U64Deserializer::new(n))
                            .map($name::Constant)
                    }

                    fn visit_f64<E: Error>(self, n: f64) -> Result<$name, E> {
                        $constant::deserialize(serde::de::value::F64Deserializer::new(n))
                            .map($name::Constant)
                    }

                    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<$name, A::Error> {
                        $shape::deserialize(MapAccessDeserializer::new(map))
                            .map(|shape| $name::Shape(Box::new(shape)))
                    }
                }

                deserializer.deserialize_any(ShapeVisitor)
            }
        }
    };
}

constant_or_shape!(
    RateKeys,
    Rate,
    RateShape,
    "a rate such as \"200/s\", or a table with one of `ramp`, `points`, `burst`, `diurnal` and `csv`"
);
constant_or_shape!(
    DistributionKeys,
    FineTime,
    DistributionShape,
    "a time such as \"20ms\", or a table with one of `lognormal`, `exponential` and `uniform`"
);
constant_or_shape!(
    ImagePullKeys,
    PullTime,
    DistributionShape,
    "a time such as \"20s\", \"fails\", or a table with one of `lognormal`, `exponential` and `uniform`"
);
constant_or_shape!(
    StageKeys,
    FineTime,
    StageShape,
    "a time such as \"20s\", or a table with one of `lognormal`, `exponential`, `uniform` and `every`"
);
