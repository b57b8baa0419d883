//! `[versions.NAME]`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};

use super::MetricsKeys;
use super::shapes::{DistributionKeys, DistributionShape, constant_or_shape};
use crate::scenario::units::{FineTime, Fraction, Time};

/// `[versions.NAME]`: the workload behind a pod template. What a version does not say it inherits, else it has the default.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::scenario) struct VersionKeys {
    /// The version whose values hold where this one says nothing.
    pub(in crate::scenario) inherits: Option<String>,
    /// How long a request is worked on. Default: lognormal, median "20ms", sigma 0.5.
    pub(in crate::scenario) service_time: Option<DistributionKeys>,
    /// How long a request that fails is worked on. Default: as any other.
    pub(in crate::scenario) failure_time: Option<DistributionKeys>,
    /// Requests a pod works on at once; others wait. Default: 8.
    #[schemars(range(min = 1, max = 10_000))]
    pub(in crate::scenario) concurrency: Option<u32>,
    /// CPU time a request costs, which the HPA sees. Default: "5ms".
    pub(in crate::scenario) cpu_per_request: Option<FineTime>,
    /// From a pod's creation to its readiness. Default: lognormal, median "4s", sigma 0.4.
    pub(in crate::scenario) startup: Option<DistributionKeys>,
    /// Share of requests that fail, whatever `env.FAIL_RATE` says. Default: 0.
    pub(in crate::scenario) base_failure_rate: Option<Fraction>,
    /// Image of the first container. Default: the manifest's.
    pub(in crate::scenario) image: Option<String>,
    /// Environment variables of the first container, over the manifest's. `FAIL_RATE` is the share of requests the workload fails on purpose.
    pub(in crate::scenario) env: BTreeMap<String, String>,
    /// What its pods export of the requests they answer. Default: nothing.
    pub(in crate::scenario) metrics: Option<MetricsKeys>,
    /// How long the image takes to pull, before anything else starts: a time, a distribution, or "fails" for an image that does not exist. A node pulls an image once. Default: it is there.
    pub(in crate::scenario) image_pull: Option<ImagePullKeys>,
    /// Until when every attempt to pull the image fails (a registry that is down, a tag that is pushed late); then it takes what `image_pull` says. Default: no attempt fails.
    pub(in crate::scenario) image_pull_fails_until: Option<Time>,
    /// Working set of a container when it starts, as Kubernetes writes it: "64Mi". The HPA sees it; above the template's `resources.limits.memory` the container is killed (OOMKilled). Default: "64Mi".
    pub(in crate::scenario) memory: Option<String>,
    /// What its working set grows by in a second: "512Ki". Default: nothing.
    pub(in crate::scenario) memory_leak: Option<String>,
    /// From a container's start to its first good answer to a probe. Where it is given, the template's startup, readiness and liveness probes decide when a pod is ready or killed, and `startup` plays no part.
    pub(in crate::scenario) boot: Option<DistributionKeys>,
    /// Whether the readiness probe fails for ever. Default: false.
    pub(in crate::scenario) never_ready: Option<bool>,
    /// From a container's start to its crash; it is started again after the kubelet's back-off of 0, 10, 20, ... 300 seconds. Default: it never crashes.
    pub(in crate::scenario) crash_after: Option<DistributionKeys>,
    /// From SIGTERM to the exit of the process. Where it is given, a pod ends as its template says (preStop, grace period), and is refused what it is sent until the routers have dropped it. Default: it serves until then.
    pub(in crate::scenario) shutdown: Option<DistributionKeys>,
    /// A pod is slower at first: cold caches, code that is compiled as it runs. Default: it is not.
    pub(in crate::scenario) warm_up: Option<WarmUpKeys>,
    /// By how much a request takes longer with every minute that its pod serves, as with a slow leak. Default: "0s".
    pub(in crate::scenario) leak_per_minute: Option<FineTime>,
    /// Whether the CPU limit of the first container slows requests down, as the kernel's quota does. Default: false.
    pub(in crate::scenario) cpu_throttling: Option<bool>,
    /// What is different for a class of requests, by the class' name.
    pub(in crate::scenario) classes: BTreeMap<String, ClassTimesKeys>,
}

/// `versions.NAME.warm_up`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct WarmUpKeys {
    /// How many times longer the first requests take.
    #[schemars(range(min = 1, max = 1000))]
    pub(in crate::scenario) factor: f64,
    /// How long until the pod is as fast as it gets; in between it gets faster evenly.
    pub(in crate::scenario) lasts: Time,
}

/// `versions.NAME.classes.CLASS`: what is not said is as for any other request.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::scenario) struct ClassTimesKeys {
    /// How long a request is worked on.
    pub(in crate::scenario) service_time: Option<DistributionKeys>,
    /// How long a request that fails is worked on.
    pub(in crate::scenario) failure_time: Option<DistributionKeys>,
    /// Share of requests that fail, whatever `env.FAIL_RATE` says.
    pub(in crate::scenario) base_failure_rate: Option<Fraction>,
}

/// A time such as "20s", or "fails".
#[derive(Clone, Debug, JsonSchema)]
#[schemars(untagged)]
pub(in crate::scenario) enum PullTime {
    /// Every attempt fails.
    Fails(Fails),
    /// Always the same.
    Time(FineTime),
}

/// The word "fails".
#[derive(Clone, Copy, Debug, JsonSchema)]
pub(in crate::scenario) enum Fails {
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
pub(in crate::scenario) enum ImagePullKeys {
    /// Always the same, or never done.
    Constant(PullTime),
    /// A named distribution.
    Shape(Box<DistributionShape>),
}

constant_or_shape!(
    ImagePullKeys,
    PullTime,
    DistributionShape,
    "a time such as \"20s\", \"fails\", or a table with one of `lognormal`, `exponential`, `uniform`, `gamma`, `empirical` and `mixture`"
);
