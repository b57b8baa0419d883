//! `[webhooks.NAME]`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::scenario::units::Time;

/// `[webhooks.NAME]`: how a webhook answers.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::scenario) struct WebhookKeys {
    /// HTTP status of the answer: up to 202 passes, 429 and 5xx but 501 are tried again while the hook has retries. Default: 200.
    #[schemars(range(min = 100, max = 599))]
    pub(in crate::scenario) status: Option<u16>,
    /// Instead of a status, a word for what comes of an attempt.
    pub(in crate::scenario) outcome: Option<HookOutcomeName>,
    /// Body of the answer, which Flagger's message quotes where the status fails. Default: none.
    pub(in crate::scenario) body: Option<String>,
    /// How long an answer takes; the tick waits for it. An attempt that takes as long as the hook's timeout fails. Default: "0s".
    pub(in crate::scenario) latency: Option<Time>,
    /// Other answers from some time on. What a change does not say stays as it was.
    pub(in crate::scenario) changes: Vec<HookChange>,
}

/// An element of `webhooks.NAME.changes`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct HookChange {
    /// From when on, from the scenario's zero.
    pub(in crate::scenario) from: Time,
    /// HTTP status of the answer.
    #[schemars(range(min = 100, max = 599))]
    pub(in crate::scenario) status: Option<u16>,
    /// Instead of a status, a word for what comes of an attempt.
    pub(in crate::scenario) outcome: Option<HookOutcomeName>,
    /// Body of the answer.
    pub(in crate::scenario) body: Option<String>,
    /// How long an answer takes.
    pub(in crate::scenario) latency: Option<Time>,
}

/// What comes of one attempt to call a webhook.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(in crate::scenario) enum HookOutcomeName {
    /// Status 200.
    Passes,
    /// Status 403, as a closed gate of Flagger's load tester answers.
    Fails,
    /// Nobody listens: the connection is refused.
    Unreachable,
    /// No answer within the hook's timeout.
    TimesOut,
}
