//! `[[events]]`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::object::Object;
use crate::scenario::units::Time;

/// `[[events]]`: something that happens; exactly one of `push`, `commit`, `annotate`, `config`, `suspend`, `patch` and `delete`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = [
    { "required": ["push"] }, { "required": ["commit"] }, { "required": ["annotate"] }, { "required": ["config"] }, { "required": ["suspend"] },
    { "required": ["patch"] }, { "required": ["delete"] },
]))]
pub(in crate::scenario) struct EventKeys {
    /// When, from the scenario's zero. What happens at a tick's instant happens before the tick.
    pub(in crate::scenario) at: Time,
    /// The target Deployment gets this version's pod template. An earlier version is a revert.
    pub(in crate::scenario) push: Option<String>,
    /// This version is committed; `[pipeline]` carries it to the cluster, where it becomes a push.
    pub(in crate::scenario) commit: Option<String>,
    /// The target Deployment's metadata gets these annotations, as by `kubectl annotate deployment`.
    pub(in crate::scenario) annotate: Option<BTreeMap<String, String>>,
    /// A ConfigMap or Secret gets new data.
    pub(in crate::scenario) config: Option<ConfigKeys>,
    /// The Canary's `spec.suspend`.
    pub(in crate::scenario) suspend: Option<bool>,
    /// Fields of the Canary's spec, laid over it like `canary` over the manifest. `analysis`, `metricsServer`, `progressDeadlineSeconds`, `skipAnalysis` and `suspend` can change during a run.
    pub(in crate::scenario) patch: Option<Object>,
    /// `"canary"`: the Canary is deleted. With `revertOnDeletion` Flagger first gives the target its replicas back; without it the target stays at 0.
    pub(in crate::scenario) delete: Option<Deleted>,
}

/// What an event can delete.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(in crate::scenario) enum Deleted {
    /// The Canary.
    Canary,
}

/// `events.config`: exactly one of `config_map` and `secret`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = [{ "required": ["config_map"] }, { "required": ["secret"] }]))]
pub(in crate::scenario) struct ConfigKeys {
    /// Name of the ConfigMap.
    pub(in crate::scenario) config_map: Option<String>,
    /// Name of the Secret.
    pub(in crate::scenario) secret: Option<String>,
    /// Keys and their new values; other keys stay. A Secret's values are in base64, as in its manifest.
    pub(in crate::scenario) data: BTreeMap<String, String>,
}
