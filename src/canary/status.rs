//! `status` of a Canary: everything the controller remembers between ticks (`pkg/canary/status.go`).

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::k8s::Condition;
use crate::time::Timestamp;

/// `status`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CanaryStatus {
    /// Where the rollout is.
    pub phase: Phase,
    /// Failed checks of this run so far.
    pub failed_checks: i64,
    /// Percent of traffic on the canary, as last written.
    pub canary_weight: i64,
    /// Passes done.
    pub iterations: i64,
    /// Checksums of the ConfigMaps and Secrets in use.
    pub tracked_configs: Option<BTreeMap<String, String>>,
    /// Hash of the template last seen.
    pub last_applied_spec: String,
    /// Hash of the template last promoted.
    pub last_promoted_spec: String,
    /// When the status was last written.
    pub last_transition_time: Option<Timestamp>,
    /// `Promoted`.
    pub conditions: Vec<Condition>,
    /// `NAME=VALUE` that ties a user to the canary (Gateway API session affinity).
    #[serde(skip_serializing_if = "String::is_empty")]
    pub session_affinity_cookie: String,
    /// The same for the primary.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub primary_session_affinity_cookie: String,
    /// The canary's cookie of the run before, which is being expired.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub previous_session_affinity_cookie: String,
}

impl CanaryStatus {
    /// The status that the controller gives a Canary it has just accepted (`controller.go: syncHandler`); `kind` is the
    /// target's.
    pub fn accepted(now: Timestamp, kind: &str) -> Self {
        let condition = Condition {
            kind: "Promoted".to_owned(),
            status: "Unknown".to_owned(),
            reason: Phase::Initializing.as_str().to_owned(),
            message: format!("New {kind} detected, starting initialization."),
            last_update_time: Some(now),
            last_transition_time: Some(now),
        };
        CanaryStatus {
            phase: Phase::Initializing,
            conditions: vec![condition],
            ..CanaryStatus::default()
        }
    }
}

/// Flagger's phases, spelled its way.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
pub enum Phase {
    /// Never seen by the controller.
    #[default]
    #[serde(rename = "")]
    Unset,
    /// The primary is being made.
    Initializing,
    /// Ready for the first rollout.
    Initialized,
    /// A confirm-rollout gate is closed.
    Waiting,
    /// The analysis runs.
    Progressing,
    /// A confirm-promotion gate is closed.
    WaitingPromotion,
    /// The primary takes the new version over.
    Promoting,
    /// Traffic is back on the primary.
    Finalising,
    /// Promoted.
    Succeeded,
    /// Rolled back.
    Failed,
    /// Being deleted.
    Terminating,
    /// Deleted (never written by Flagger).
    Terminated,
}

impl Phase {
    /// As Flagger writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Phase::Unset => "",
            Phase::Initializing => "Initializing",
            Phase::Initialized => "Initialized",
            Phase::Waiting => "Waiting",
            Phase::Progressing => "Progressing",
            Phase::WaitingPromotion => "WaitingPromotion",
            Phase::Promoting => "Promoting",
            Phase::Finalising => "Finalising",
            Phase::Succeeded => "Succeeded",
            Phase::Failed => "Failed",
            Phase::Terminating => "Terminating",
            Phase::Terminated => "Terminated",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
