//! `[prometheus]`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::SeriesKeys;
use crate::scenario::model::PodDiscovery;
use crate::scenario::units::Time;

/// `[prometheus]`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::scenario) struct PrometheusKeys {
    /// Whose evaluation rules: `3` (default), `2.53` or `2.42`.
    pub(in crate::scenario) version: Option<PrometheusVersion>,
    /// Time between two scrapes of a target. Default: what the ingress controller's ServiceMonitor says, else "30s", as kube-prometheus-stack sets it.
    pub(in crate::scenario) scrape_interval: Option<Time>,
    /// Whether scraped labels win over those of the target. Default: what the ingress controller's ServiceMonitor says, else false, so the exporter's `namespace` becomes `exported_namespace`.
    pub(in crate::scenario) honor_labels: Option<bool>,
    /// Whether a ServiceMonitor makes Prometheus scrape the ingress controller. Default: true.
    pub(in crate::scenario) service_monitor: Option<bool>,
    /// Longest time from Flagger's tick to the evaluation of its query. Default: "20ms".
    pub(in crate::scenario) query_latency: Option<Time>,
    /// Recording rules, besides those of PrometheusRule manifests. Rules of one interval are evaluated together, in this order, and see what those before them recorded.
    pub(in crate::scenario) rules: Vec<RuleKeys>,
    /// How pods are found, which decides the labels of their series: `annotations` (default where a version has `metrics`) as the Prometheus of Flagger's chart does it, `pod-monitor` or `service-monitor` as the Prometheus Operator does, `none`.
    pub(in crate::scenario) pod_discovery: Option<PodDiscovery>,
    /// Series of your own, exported by pods or by a target beside them.
    pub(in crate::scenario) series: Vec<SeriesKeys>,
}

/// `[[prometheus.rules]]`: a query whose answer becomes series.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct RuleKeys {
    /// The name of the new series.
    pub(in crate::scenario) record: String,
    /// The query.
    pub(in crate::scenario) expr: String,
    /// Labels of the new series, over those of the answer; an empty value takes a label away.
    #[serde(default)]
    pub(in crate::scenario) labels: BTreeMap<String, String>,
    /// Time between two evaluations. Default: "30s", as kube-prometheus-stack sets it.
    #[serde(default)]
    pub(in crate::scenario) interval: Option<Time>,
}

/// A Prometheus whose rules are known.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
pub(in crate::scenario) enum PrometheusVersion {
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
