//! The decision engine: what Flagger v1.44.0 does in one tick, and nothing else.
//!
//! [`tick`] is a plain function over [`World`]. It has no clock, no IO and no memory of its own: all state is in the
//! Canary's status and the cluster's objects, as in Flagger, so a restart, a replay or a crash needs no special case.
//! Simulation, replay, live and the trace verifier are drivers that implement the trait.
//!
//! Follows `pkg/controller/scheduler.go` and its neighbours; each file here cites its own source.
//!
//! # Contract with a driver
//!
//! - The driver owns the ticker: first tick at once, then one per `analysis.interval`, missed fires as Go's ticker drops them.
//! - Whatever the engine asks is answered at once, failures included; what a failure means is decided here.
//! - Notices arrive in the order in which Flagger would have emitted them.

#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

mod alert;
mod analysis;
mod autoscaler;
mod checks;
pub mod cluster;
mod configs;
mod context;
mod dialect;
pub mod event;
pub mod finalizer;
mod gates;
mod go;
mod go_json;
pub mod hooks;
pub mod object;
mod primary;
pub mod prometheus;
mod queries;
pub mod readiness;
pub mod revision;
pub mod router;
mod scaling;
mod services;
mod status;
mod strategy;
mod tick;
mod weights;

pub use crate::canary::{Provider, Rules};
pub use cluster::Cluster;
pub use event::{Alert, AlertField, Event, EventType, Gauge, Notice, Severity};
pub use object::{Kind, Object, ObjectRef};
pub use status::set_promoted_condition;
pub use tick::tick;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use crate::canary::{CanaryStatus, Phase};
use crate::time::Span;

/// What one tick may ask of the world around it.
pub trait World {
    /// Shows an object to `see`; `None` if it does not exist. Most reads only look, and a world that holds its objects in
    /// memory lends them.
    fn look(
        &mut self,
        object: &ObjectRef,
        see: &mut dyn FnMut(Option<&Object>),
    ) -> Result<(), ReadError>;
    /// Reads an object; `None` if it does not exist.
    fn read(&mut self, object: &ObjectRef) -> Result<Option<Object>, ReadError> {
        let mut found = None;
        self.look(object, &mut |object| found = object.cloned())?;
        Ok(found)
    }
    /// Creates or changes an object.
    fn write(&mut self, write: Write) -> Result<(), WriteError>;
    /// Asks Prometheus for the value of a query now.
    fn query(&mut self, query: &Query) -> Result<Vec<Sample>, QueryError>;
    /// Calls a webhook, retries included.
    fn call(&mut self, hook: &HookCall) -> Result<(), HookError>;
    /// Reports: an event, an alert, a gauge.
    fn tell(&mut self, notice: Notice);
}

/// One change of the world.
#[derive(Clone, Debug, PartialEq)]
pub enum Write {
    /// Makes an object.
    Create(Object),
    /// Replaces an object's metadata and spec (never its status).
    Update(Object),
    /// Merge-patches `spec.replicas` of a Deployment.
    Scale {
        /// The Deployment.
        deployment: ObjectRef,
        /// Pods wanted.
        replicas: i32,
    },
    /// Replaces the Canary's status through the status subresource.
    CanaryStatus {
        /// The Canary.
        canary: ObjectRef,
        /// Its new status.
        status: CanaryStatus,
    },
    /// Replaces the Canary's finalizers.
    Finalizers {
        /// The Canary.
        canary: ObjectRef,
        /// The new list.
        finalizers: Vec<String>,
    },
}

/// A query as it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// The metric entry's name, or `""` for an availability check.
    pub metric: String,
    /// Which of the entry's checks asks.
    pub source: QuerySource,
    /// Address of the metrics server.
    pub address: String,
    /// The text.
    pub text: String,
    /// The Secret that holds the credentials (`token`, or `username` and `password`), where the template names one.
    pub secret: Option<ObjectRef>,
    /// No certificate check.
    pub insecure_skip_verify: bool,
}

/// Where a query comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum QuerySource {
    /// One of Flagger's two builtin checks.
    Builtin,
    /// `metrics[].query`.
    Inline,
    /// A MetricTemplate.
    Template,
    /// The availability check while initializing.
    Availability,
}

/// One element of an instant vector, as far as Flagger reads it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Its value; NaN and infinities included.
    pub value: f64,
}

/// A webhook call.
#[derive(Clone, Debug, PartialEq)]
pub struct HookCall {
    /// `rollout`, `event`, ...; empty where the hook has none.
    pub kind: String,
    /// The hook's name.
    pub name: String,
    /// Where it goes.
    pub url: String,
    /// Time for one attempt.
    pub timeout: Span,
    /// Attempts after the first.
    pub retries: u32,
    /// No certificate check.
    pub disable_tls: bool,
    /// Body.
    pub payload: Value,
}

/// A failed read. The text is what the API client said.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct ReadError(pub String);

/// A failed write.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum WriteError {
    /// Someone else wrote in between: read again.
    #[error(
        "the object has been modified; please apply your changes to the latest version and try again"
    )]
    Conflict,
    /// What the API client said.
    #[error("{0}")]
    Other(String),
}

/// A failed query. The text is Flagger's, less its prefixes.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct QueryError(pub String);

/// A failed webhook. The text is Flagger's, less its prefixes.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct HookError(pub String);

/// What the controller was started with, and the dialect in force.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// How thresholds are read.
    pub rules: Rules,
    /// Overrides the Canary's provider and the flag (ours; `None` outside scenarios that say so).
    pub provider: Option<Provider>,
    /// `-mesh-provider`.
    pub mesh_provider: String,
    /// `-metrics-server`.
    pub metrics_server: String,
    /// `-selector-labels`.
    pub selector_labels: Vec<String>,
    /// `-ingress-annotations-prefix`.
    pub ingress_annotations_prefix: String,
    /// `-include-label-prefix`.
    pub include_label_prefixes: Vec<String>,
    /// `-enable-config-tracking`.
    pub enable_config_tracking: bool,
    /// `-event-webhook`.
    pub event_webhook: Option<String>,
    /// `-cluster-name`.
    pub cluster_name: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            rules: Rules::Flagger,
            provider: None,
            mesh_provider: "istio".to_owned(),
            metrics_server: "http://prometheus:9090".to_owned(),
            selector_labels: ["app", "name", "app.kubernetes.io/name"]
                .map(str::to_owned)
                .to_vec(),
            ingress_annotations_prefix: "nginx.ingress.kubernetes.io".to_owned(),
            include_label_prefixes: Vec::new(),
            enable_config_tracking: true,
            event_webhook: None,
            cluster_name: None,
        }
    }
}

/// What one tick came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ticked {
    /// The phase it started with.
    pub phase_before: Phase,
    /// The phase it ended with.
    pub phase_after: Phase,
    /// Checks made, in order; the last may have failed.
    pub checks: Vec<Check>,
    /// The step it took.
    pub decision: Decision,
}

/// One metric held against its bound.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// The metric entry's name.
    pub metric: String,
    /// Which of the entry's checks this is.
    pub source: QuerySource,
    /// The query as sent.
    pub query: String,
    /// What it returned, in the query's own unit; `None` where there was no value.
    pub value: Option<f64>,
    /// The bound it was held against, in the query's own unit.
    pub bound: Option<Bound>,
    /// Whether it held.
    pub passed: bool,
    /// Flagger's message, where it failed.
    pub message: Option<String>,
}

/// The side of a metric's bound that was tested last (the one broken, where one was).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Bound {
    /// Values below fail.
    Min(f64),
    /// Values above fail.
    Max(f64),
}

/// The step a tick took.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Decision {
    /// Nothing to do.
    #[default]
    Idle,
    /// Something was not ready or failed: the tick ended early.
    Blocked,
    /// Became Initialized.
    Initialized,
    /// Saw a new revision.
    Detected,
    /// Saw another revision during the analysis.
    Restarted,
    /// A gate is closed; in the runbook's reading also: max weight is reached and more checks have to pass.
    Waiting,
    /// Moved the weight or the iteration on.
    Advanced,
    /// A check failed; the canary stays where it is.
    Halted,
    /// Copied the canary's spec to the primary.
    Promoting,
    /// Moved traffic back to the primary.
    ShiftedToPrimary,
    /// Done: promoted.
    Succeeded,
    /// Rolled back.
    RolledBack,
    /// The promotion failed.
    PromotionFailed,
}

impl Decision {
    /// As records write it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Decision::Idle => "idle",
            Decision::Blocked => "blocked",
            Decision::Initialized => "initialized",
            Decision::Detected => "detected",
            Decision::Restarted => "restarted",
            Decision::Waiting => "waiting",
            Decision::Advanced => "advanced",
            Decision::Halted => "halted",
            Decision::Promoting => "promoting",
            Decision::ShiftedToPrimary => "shifted-to-primary",
            Decision::Succeeded => "succeeded",
            Decision::RolledBack => "rolled-back",
            Decision::PromotionFailed => "promotion-failed",
        }
    }
}
