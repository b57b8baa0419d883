//! `autoscaling/v2` HorizontalPodAutoscalers. Metrics and behaviour stay as written; the simulated controller has its own views.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::deployment::Condition;
use super::meta::{ObjectMeta, ObjectReference};
use crate::time::Timestamp;

/// An HPA.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HorizontalPodAutoscaler {
    /// Metadata.
    pub metadata: ObjectMeta,
    /// What is wanted.
    pub spec: HpaSpec,
    /// What the controller last did.
    pub status: HpaStatus,
}

/// `spec`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HpaSpec {
    /// What it scales.
    pub scale_target_ref: ObjectReference,
    /// Lower bound; the API server's default is 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_replicas: Option<i32>,
    /// Upper bound.
    pub max_replicas: i32,
    /// Metrics, as written.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub metrics: Value,
    /// Scaling rules, as written; absent means the legacy path.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub behavior: Value,
}

/// `status`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HpaStatus {
    /// Replicas when last looked at.
    pub current_replicas: i32,
    /// Replicas last wanted.
    pub desired_replicas: i32,
    /// When it last scaled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_scale_time: Option<Timestamp>,
    /// AbleToScale, ScalingActive, ScalingLimited.
    pub conditions: Vec<Condition>,
    /// Measured values, as the API writes them.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub current_metrics: Value,
}
