//! `[pipeline]`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::shapes::{DistributionShape, Exponential, Lognormal, Uniform, constant_or_shape};
use crate::scenario::units::{FineTime, Time};

/// `[pipeline]`: what a commit goes through, stage after stage. A stage is a time, a distribution, or a loop (`{ every = "1m" }`) that gets to it at its next round.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::scenario) struct PipelineKeys {
    /// CI, from the commit to the image in the registry. Default: lognormal, median "3m", sigma 0.3.
    pub(in crate::scenario) build: Option<StageKeys>,
    /// Flux' ImageRepository, until the image is seen. Default: every "1m".
    pub(in crate::scenario) image_scan: Option<StageKeys>,
    /// Flux' ImageUpdateAutomation, until the new tag is committed. Default: uniform from "1s" to "5s", since an image policy that changes wakes it.
    pub(in crate::scenario) image_automation: Option<StageKeys>,
    /// Flux' GitRepository, until that commit is fetched. Default: every "1m".
    pub(in crate::scenario) git_poll: Option<StageKeys>,
    /// Flux' Kustomization, until it is applied. Default: uniform from "1s" to "5s", since a new revision wakes it.
    pub(in crate::scenario) kustomization: Option<StageKeys>,
    /// How often the Kustomization applies everything again (its `spec.interval`): what `push` events changed by hand is undone then. Default: never within a run.
    pub(in crate::scenario) reapply_interval: Option<Time>,
}

/// A stage: a time such as "20s", a distribution, or a loop.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(untagged)]
pub(in crate::scenario) enum StageKeys {
    /// Always the same.
    Constant(FineTime),
    /// A named distribution, or a loop.
    Shape(Box<StageShape>),
}

/// A named distribution of times, or a loop: exactly one of these.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
pub(in crate::scenario) struct StageShape {
    /// Always the same.
    pub(in crate::scenario) constant: Option<FineTime>,
    /// The logarithm is normal: many short times and a long tail.
    pub(in crate::scenario) lognormal: Option<Lognormal>,
    /// Memoryless.
    pub(in crate::scenario) exponential: Option<Exponential>,
    /// Equally likely between two bounds.
    pub(in crate::scenario) uniform: Option<Uniform>,
    /// A loop with this period, which gets to the change at its next round.
    pub(in crate::scenario) every: Option<Time>,
}

impl StageShape {
    /// The loop's period, and the distribution.
    pub(in crate::scenario) fn split(self) -> (Option<Time>, DistributionShape) {
        let distribution = DistributionShape {
            constant: self.constant,
            lognormal: self.lognormal,
            exponential: self.exponential,
            uniform: self.uniform,
            ..DistributionShape::default()
        };
        (self.every, distribution)
    }
}

constant_or_shape!(
    StageKeys,
    FineTime,
    StageShape,
    "a time such as \"20s\", or a table with one of `lognormal`, `exponential`, `uniform` and `every`"
);
