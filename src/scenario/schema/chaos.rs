//! `[[chaos]]`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::shapes::DistributionKeys;
use crate::scenario::model::Workload;
use crate::scenario::units::{FineTime, Fraction, Time};

/// `[[chaos]]`: a fault that is put in on purpose; exactly one of `fail_rate`, `latency`, `slowdown`, `leak`, `kill_pods`, `crash_after`, `slow_start`, `unreachable`, `scrape_gap`, `prometheus_down`, `burst`, `reload`, `ingress_restart` and `flagger_down`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct ChaosKeys {
    /// When it begins, from the scenario's zero.
    pub(in crate::scenario) start: Time,
    /// When it ends. Default: with the run.
    #[serde(default)]
    pub(in crate::scenario) end: Option<Time>,
    /// Only pods of this version. Default: all.
    #[serde(default)]
    pub(in crate::scenario) version: Option<String>,
    /// Only pods of the `primary` or of the `canary`. Default: both.
    #[serde(default)]
    pub(in crate::scenario) workload: Option<Workload>,
    /// Share of the pods' requests that fail, besides those that fail anyway: a dependency that is down.
    #[serde(default)]
    pub(in crate::scenario) fail_rate: Option<Fraction>,
    /// With `fail_rate`: how long a request takes to fail. Default: as the version has it.
    #[serde(default)]
    pub(in crate::scenario) fail_time: Option<DistributionKeys>,
    /// Requests take so much longer.
    #[serde(default)]
    pub(in crate::scenario) latency: Option<FineTime>,
    /// Requests take so many times as long.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1000))]
    pub(in crate::scenario) slowdown: Option<f64>,
    /// Requests take longer by so much with every minute of the fault: a slow leak.
    #[serde(default)]
    pub(in crate::scenario) leak: Option<FineTime>,
    /// So many pods are deleted at the start, without a grace period. What they were working on is lost.
    #[serde(default)]
    #[schemars(range(min = 1, max = 10_000))]
    pub(in crate::scenario) kill_pods: Option<u32>,
    /// Containers crash so long after their start, or after the fault's start where they run already; again and again.
    #[serde(default)]
    pub(in crate::scenario) crash_after: Option<Time>,
    /// Containers that start are ready so much later.
    #[serde(default)]
    pub(in crate::scenario) slow_start: Option<Time>,
    /// Nothing reaches the pods: new connections are not refused but time out.
    #[serde(default)]
    pub(in crate::scenario) unreachable: Option<bool>,
    /// Prometheus gets no answer from the ingress controllers.
    #[serde(default)]
    pub(in crate::scenario) scrape_gap: Option<bool>,
    /// Prometheus is down: no scrapes, no rules, no answers to Flagger.
    #[serde(default)]
    pub(in crate::scenario) prometheus_down: Option<bool>,
    /// So many times as many requests arrive.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1000))]
    pub(in crate::scenario) burst: Option<f64>,
    /// The ingress controllers reload nginx at the start: up to a second of each worker's records is lost.
    #[serde(default)]
    pub(in crate::scenario) reload: Option<bool>,
    /// The ingress controllers' containers restart at the start: their counters begin anew, and what Prometheus had not seen is lost. Users are served all the same.
    #[serde(default)]
    pub(in crate::scenario) ingress_restart: Option<bool>,
    /// Flagger does not run, from `start` to `end`; a tick that is under way is finished. It first looks at its Canary one control loop (10 s) after it has started, and at every interval from there.
    #[serde(default)]
    pub(in crate::scenario) flagger_down: Option<bool>,
}
