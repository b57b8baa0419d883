//! `[expect]`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::scenario::units::Time;

/// `[expect]`: what `simulate` and `check` hold the run against. Times count from the tick that detects the new revision.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::scenario) struct ExpectKeys {
    /// How the run ends.
    pub(in crate::scenario) outcome: Option<OutcomeName>,
    /// Promotion or rollback is decided at this time or before.
    pub(in crate::scenario) decided_by: Option<Time>,
    /// Nothing is decided before this time.
    pub(in crate::scenario) not_before: Option<Time>,
    /// At most so many failed requests reach users.
    pub(in crate::scenario) max_failed_requests: Option<u64>,
    /// 99 % of the requests are at most so slow.
    pub(in crate::scenario) max_p99: Option<Time>,
    /// The Canary goes through these phases in this order; others may come between.
    #[schemars(inner(regex(
        pattern = r"^(Initializing|Initialized|Waiting|Progressing|WaitingPromotion|Promoting|Finalising|Succeeded|Failed|Terminating)$"
    )))]
    pub(in crate::scenario) phases: Vec<String>,
    /// Percent requested for the canary at a time: `{ "30s" = 10, "1m" = 20 }`. What the tick at that very time sets counts.
    #[schemars(extend("additionalProperties" = { "type": "integer", "minimum": 0, "maximum": 100 }))]
    pub(in crate::scenario) weights: BTreeMap<String, i64>,
    /// Each is a part of the message of some event after the new revision was detected; `*` stands for any text.
    pub(in crate::scenario) events: Vec<String>,
    /// None of these is a part of such a message.
    pub(in crate::scenario) no_events: Vec<String>,
    /// Bounds on the share of many runs, with seeds from the scenario's own on, held by `check` alone: `P(rolled-back) >= 0.99 of 200 runs`, or with a time, `P(rolled-back by 1m30s) >= 0.95 of 200 runs`.
    #[schemars(inner(regex(
        pattern = r"^P\((promoted|rolled-back|promotion-failed|undecided|not-started)( by [0-9a-z.]+)?\) *(>=|<=) *[0-9.]+ +of +[0-9]+ +runs$"
    )))]
    pub(in crate::scenario) probabilities: Vec<String>,
}

/// How a run can end.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(in crate::scenario) enum OutcomeName {
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
    pub(in crate::scenario) fn as_str(self) -> &'static str {
        match self {
            OutcomeName::Promoted => "promoted",
            OutcomeName::RolledBack => "rolled-back",
            OutcomeName::PromotionFailed => "promotion-failed",
            OutcomeName::Undecided => "undecided",
            OutcomeName::NotStarted => "not-started",
        }
    }
}
