//! What pods export of themselves, and how Prometheus finds them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Distribution;
use crate::time::Span;

/// `[versions.NAME.metrics]`: what a version's pods export of the requests they answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VersionMetrics {
    /// Name of the counter of requests; empty: there is none.
    pub requests: String,
    /// Name of the histogram of durations in seconds; empty: there is none.
    pub duration: String,
    /// Label that holds the status code; empty: there is none.
    pub status_label: String,
    /// Labels of all series, over those above.
    pub labels: BTreeMap<String, String>,
}

impl Default for VersionMetrics {
    fn default() -> Self {
        VersionMetrics {
            requests: "http_requests_total".to_owned(),
            duration: "http_request_duration_seconds".to_owned(),
            status_label: "status".to_owned(),
            labels: BTreeMap::new(),
        }
    }
}

/// How Prometheus finds pods, which decides the labels of their series.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PodDiscovery {
    /// The job `kubernetes-pods` of the Prometheus that Flagger's chart brings: `kubernetes_namespace`,
    /// `kubernetes_pod_name`, and the pod's own labels.
    Annotations,
    /// A PodMonitor of the Prometheus Operator: `namespace`, `pod`, `container`, `endpoint`.
    PodMonitor,
    /// A ServiceMonitor of the Prometheus Operator: the same, and `service`.
    ServiceMonitor,
    /// Nothing scrapes them.
    None,
}

/// `[[prometheus.series]]`: a series that a scenario makes up.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SyntheticSeries {
    /// The metric's name.
    pub name: String,
    /// What it is.
    pub kind: SyntheticKind,
    /// Exported by one process beside the cluster instead of by each pod.
    pub own_target: bool,
    /// Versions whose pods it is of.
    pub versions: Vec<String>,
    /// Its own labels.
    pub labels: BTreeMap<String, String>,
    /// What a counter or gauge is made of.
    pub terms: Terms,
}

/// The type of a made-up series.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SyntheticKind {
    /// Only rises, and starts anew with its process.
    Counter,
    /// Any value.
    Gauge,
    /// Observations in buckets, one a request.
    Histogram {
        /// What is observed.
        observes: Distribution,
        /// Upper bounds in seconds, ascending, without +Inf.
        buckets: Vec<f64>,
    },
}

/// What a made-up counter or gauge is the sum of.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Terms {
    /// From the start.
    pub constant: f64,
    /// Each second of the process' age.
    pub per_second: f64,
    /// Each request; a gauge's: each request a second.
    pub per_request: f64,
    /// Each failed one.
    pub per_failure: f64,
    /// At times from the scenario's zero, ascending; straight in between, constant outside.
    pub points: Vec<(Span, f64)>,
}
