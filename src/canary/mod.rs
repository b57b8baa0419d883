//! Flagger's vocabulary, as data: the Canary's spec and status, MetricTemplates, AlertProviders.
//!
//! Follows `pkg/apis/flagger/v1beta1/` of Flagger v1.44.0. Only the fields that some modelled provider reads are here.

#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

pub mod alert_provider;
pub mod course;
pub mod dialect;
pub mod metric_template;
pub mod spec;
pub mod status;

pub use alert_provider::AlertProvider;
pub use course::{Course, Hang, Strategy};
pub use dialect::{Provider, Rules};
pub use metric_template::MetricTemplate;
pub use spec::{Analysis, CanarySpec, Metric, ThresholdRange, Webhook};
pub use status::{CanaryStatus, Phase};

use serde::{Deserialize, Serialize};

use crate::k8s::ObjectMeta;

/// The resource: spec and status of one rollout.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Canary {
    /// Metadata.
    pub metadata: ObjectMeta,
    /// What is wanted.
    pub spec: CanarySpec,
    /// Where the rollout is.
    pub status: CanaryStatus,
}
