//! What a tick reports, in Flagger's words (`pkg/controller/events.go`, `pkg/metrics/recorder.go`).

use serde::{Deserialize, Serialize};

/// Something reported, in the order of reporting.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    /// A Kubernetes event, which is also a log line.
    Event(Event),
    /// An alert delivery.
    Alert(Alert),
    /// A metric of the controller's own.
    Gauge(Gauge),
    /// A log line without an event.
    Log(String),
}

/// A Kubernetes event; its reason is always `Synced`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Normal or Warning.
    #[serde(rename = "type")]
    pub kind: EventType,
    /// The bare message.
    pub message: String,
}

/// The type of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub enum EventType {
    /// As it should be.
    Normal,
    /// Not as it should be.
    Warning,
}

impl EventType {
    /// As Kubernetes writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            EventType::Normal => "Normal",
            EventType::Warning => "Warning",
        }
    }
}

/// One alert delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// How bad.
    pub severity: Severity,
    /// What.
    pub message: String,
    /// More of it.
    pub fields: Vec<AlertField>,
    /// The AlertProvider, or `None` for the global notifier.
    pub provider: Option<String>,
}

/// A name and a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertField {
    /// Name.
    pub name: String,
    /// Value.
    pub value: String,
}

/// Severity of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// `info`
    Info,
    /// `warn`
    Warn,
    /// `error`
    Error,
}

/// A write to one of the controller's own metrics.
#[derive(Clone, Debug, PartialEq)]
pub enum Gauge {
    /// `flagger_canary_status`: 0 running, 1 everything else, 2 failed.
    Status(i64),
    /// `flagger_canary_weight` of both workloads.
    Weight {
        /// The primary's.
        primary: i64,
        /// The canary's.
        canary: i64,
    },
    /// `flagger_canary_metric_analysis`.
    Analysis {
        /// The metric.
        metric: String,
        /// Its value.
        value: f64,
    },
    /// `flagger_canary_successes_total` counts one up.
    Success {
        /// `canary`, `ab-testing`, `blue-green`.
        strategy: String,
        /// `completed`, `skipped`.
        status: String,
    },
    /// `flagger_canary_failures_total` counts one up.
    Failure {
        /// `canary`, `ab-testing`, `blue-green`.
        strategy: String,
        /// `completed`, `skipped`.
        status: String,
    },
}
