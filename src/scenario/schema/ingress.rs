//! `[ingress]`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::scenario::model::Attribution;
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
}
