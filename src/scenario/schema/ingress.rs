//! `[ingress]`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::scenario::model::{Attribution, LoadBalance, NextUpstream};
use crate::scenario::units::Time;

/// `[ingress]`: the ingress-nginx controller.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::scenario) struct IngressKeys {
    /// What the `ingress` label of a request says. `shared` (default): as NGINX does, one label for primary and canary. `canary`: the ingress that the queries name carries the canary's requests alone.
    pub(in crate::scenario) attribution: Option<Attribution>,
    /// nginx worker processes. Default: 2.
    #[schemars(range(min = 1, max = 10_000))]
    pub(in crate::scenario) workers: Option<u32>,
    /// Longest time until the controller hands a change to nginx. Default: "3300ms", its rate limit of 0.3 syncs a second.
    pub(in crate::scenario) sync_delay: Option<Time>,
    /// How often a worker looks for changes. Default: "1s".
    pub(in crate::scenario) worker_poll: Option<Time>,
    /// How often a worker hands its request records to the exporter. Default: "1s".
    pub(in crate::scenario) flush_interval: Option<Time>,
    /// Controller pods: each has its workers, its own series and is scraped on its own. Default: 1.
    #[schemars(range(min = 1, max = 10_000))]
    pub(in crate::scenario) controllers: Option<u32>,
    /// `proxy-connect-timeout`: how long nginx waits for a connection to a pod. Default: "5s".
    pub(in crate::scenario) connect_timeout: Option<Time>,
    /// `proxy-read-timeout`: how long nginx waits for a pod's answer, in each attempt. Default: "60s".
    pub(in crate::scenario) read_timeout: Option<Time>,
    /// `proxy-next-upstream`: what is tried again at the next pod of the same backend. An empty list is `off`. Default: ["error", "timeout"].
    pub(in crate::scenario) next_upstream: Option<Vec<NextUpstream>>,
    /// `proxy-next-upstream-tries`: attempts in all, the first included. Default: 3.
    #[schemars(range(min = 1, max = 10_000))]
    pub(in crate::scenario) tries: Option<u32>,
    /// `load-balance`: how a controller chooses among the pods of a backend. `round-robin` (default), `ewma`, or `least-connections`, which ingress-nginx does not have.
    pub(in crate::scenario) load_balance: Option<LoadBalance>,
    /// `--metrics-per-host`: whether series carry the host; without it requests for hosts of no Ingress are counted too. Default: true.
    pub(in crate::scenario) metrics_per_host: Option<bool>,
    /// `--report-status-classes`: `2xx`, `4xx` and `5xx` in place of the status. Default: false.
    pub(in crate::scenario) report_status_classes: Option<bool>,
}
