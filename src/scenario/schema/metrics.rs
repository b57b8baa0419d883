//! What pods and targets of their own export: `[versions.NAME.metrics]` and `[[prometheus.series]]`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::DistributionKeys;
use crate::scenario::units::Time;

/// `[versions.NAME.metrics]`: what a version's pods export of the requests they answer. An empty table is what podinfo exports. Only what some query names is kept.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::scenario) struct MetricsKeys {
    /// Name of the counter of requests. Default: "http_requests_total"; "" for none.
    pub(in crate::scenario) requests: Option<String>,
    /// Name of the histogram of durations in seconds, with client_golang's default buckets. Default: "http_request_duration_seconds"; "" for none.
    pub(in crate::scenario) duration: Option<String>,
    /// The label that holds the status code. Default: "status"; "" for none.
    pub(in crate::scenario) status_label: Option<String>,
    /// Further labels of all series, such as `method` and `path`.
    pub(in crate::scenario) labels: BTreeMap<String, String>,
}

/// `[[prometheus.series]]`: a series of your own, as a sum of simple terms. A counter and a gauge are `constant + per_second * age + per_request * R + per_failure * F + points`, where the age is that of the process (of the run, for a target of its own); for a counter R and F are the requests answered and failed since the process started, for a gauge those per second between the last two scrapes. A histogram observes `observes` once a request.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct SeriesKeys {
    /// The metric's name; a histogram's series get `_bucket`, `_sum` and `_count`.
    pub(in crate::scenario) name: String,
    /// What it is.
    #[serde(rename = "type")]
    pub(in crate::scenario) kind: SeriesType,
    /// Who exports it: `pods` (default), each with its own labels, or `target`, one process beside the cluster which sees the requests of all pods.
    #[serde(default)]
    pub(in crate::scenario) exported_by: Option<Exporter>,
    /// The versions whose pods it is of. Default: all.
    #[serde(default)]
    pub(in crate::scenario) versions: Vec<String>,
    /// Its labels, besides those of the target.
    #[serde(default)]
    pub(in crate::scenario) labels: BTreeMap<String, String>,
    /// What it is from the start.
    #[serde(default)]
    pub(in crate::scenario) constant: Option<f64>,
    /// What is added each second of the process' age.
    #[serde(default)]
    pub(in crate::scenario) per_second: Option<f64>,
    /// What is added for each request (a gauge: for each request a second).
    #[serde(default)]
    pub(in crate::scenario) per_request: Option<f64>,
    /// What is added for each failed request (a gauge: for each a second).
    #[serde(default)]
    pub(in crate::scenario) per_failure: Option<f64>,
    /// What is added at times from the scenario's zero on; in between it changes evenly, before the first and after the last it stays.
    #[serde(default)]
    pub(in crate::scenario) points: Vec<SeriesPoint>,
    /// A histogram: what each request is observed as, a time, exported in seconds.
    #[serde(default)]
    pub(in crate::scenario) observes: Option<DistributionKeys>,
    /// A histogram: its upper bounds in seconds, ascending, without +Inf. Default: client_golang's.
    #[serde(default)]
    pub(in crate::scenario) buckets: Vec<f64>,
}

/// The type of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(in crate::scenario) enum SeriesType {
    /// Only rises, and starts anew with its process.
    Counter,
    /// Any value.
    Gauge,
    /// Observations in buckets.
    Histogram,
}

/// Who exports a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(in crate::scenario) enum Exporter {
    /// Each pod.
    Pods,
    /// A process beside the cluster.
    Target,
}

/// An element of `points`.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct SeriesPoint {
    /// When, from the scenario's zero.
    pub(in crate::scenario) at: Time,
    /// The value then.
    pub(in crate::scenario) value: f64,
}
