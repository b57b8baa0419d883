//! The HorizontalPodAutoscaler controller, for one HPA.
//!
//! An [`HpaController`] is the controller's memory of one HPA; [`HpaController::reconcile`] is one pass: metrics to
//! proposals ([`replicas`]), the largest of them normalized ([`normalize`]), status and conditions written, and a new
//! size for the caller to write to the target. The caller keeps the time: one pass every
//! [`HpaSettings::sync_period`], the first a whole period after the HPA's creation.
//!
//! A pass that comes exactly one period after the last is a special case that a cluster never shows: windows and policy
//! periods are multiples of the period, and what happened k passes ago is always a little *older* than k periods.
//! The caller adds a millisecond or more to each period.
//!
//! Follows `pkg/controller/podautoscaler/horizontal.go` of Kubernetes v1.36.3; proved on recordings of it and on
//! upstream's own unit tests (`verify::hpa`). Left out: events, API errors but a missing target, selectors that cannot
//! be parsed.

pub mod metrics;
pub mod normalize;
pub mod pod_view;
mod propose;
pub mod replicas;
pub mod spec;

pub use metrics::{MetricError, MetricsClient, PodValue};
pub use pod_view::PodView;
pub use propose::FailedMetric;

use serde_json::{Value, json};

use crate::k8s::deployment::Condition;
use crate::k8s::{HorizontalPodAutoscaler, HpaStatus, api_time};
use crate::time::{Span, Timestamp};
use normalize::{Explained, LegacyLimit, Memory, ReplicaBounds, StabilizationWindows};
use propose::Proposed;
use replicas::{CpuReadiness, Scene, Tolerance};
use spec::{Behavior, MetricSource, MetricSpec};

/// The controller's flags and gates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HpaSettings {
    /// `--horizontal-pod-autoscaler-sync-period`: from the end of one pass to the next.
    pub sync_period: Span,
    /// `--horizontal-pod-autoscaler-tolerance`, in both directions.
    pub tolerance: f64,
    /// `--horizontal-pod-autoscaler-downscale-stabilization`.
    pub downscale_stabilization: Span,
    /// When a pod's CPU counts.
    pub cpu_readiness: CpuReadiness,
    /// Gate `HPAScaleToZero`: off in v1.36, on from v1.37.
    pub scale_to_zero: bool,
    /// The limit on growth without `behavior`.
    pub legacy_limit: LegacyLimit,
}

impl Default for HpaSettings {
    /// kube-controller-manager v1.36 without flags.
    fn default() -> Self {
        HpaSettings {
            sync_period: Span::from_secs(15),
            tolerance: 0.1,
            downscale_stabilization: Span::from_secs(300),
            cpu_readiness: CpuReadiness {
                initialization_period: Span::from_secs(300),
                initial_readiness_delay: Span::from_secs(30),
            },
            scale_to_zero: false,
            legacy_limit: LegacyLimit::BUILT_IN,
        }
    }
}

/// What the HPA scales, as read at the start of a pass.
#[derive(Clone, Copy, Debug)]
pub struct ScaleTarget<'a> {
    /// `spec.replicas` of the scale.
    pub spec_replicas: i32,
    /// `status.replicas` of the scale: pods that there are, surge included.
    pub status_replicas: i32,
    /// All pods that the target's selector matches, whatever their state.
    pub pods: &'a [PodView],
    /// Whether another HPA's target selects some of these pods too.
    pub shared: bool,
}

/// When the parts of one pass happen: some milliseconds apart in a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moments {
    /// The scale is read.
    pub read: Timestamp,
    /// The metrics have answered: ages and windows count from here.
    pub decided: Timestamp,
    /// The new size is written.
    pub scaled: Timestamp,
}

impl From<Timestamp> for Moments {
    fn from(now: Timestamp) -> Self {
        Moments {
            read: now,
            decided: now,
            scaled: now,
        }
    }
}

/// What one pass came to. The HPA's status has been written already.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HpaDecision {
    /// The size to write to the target, where it is to change.
    pub scale_to: Option<i32>,
    /// What the metrics proposed, before normalization.
    pub proposal: Option<i32>,
    /// Why it scales, in the words of the event `SuccessfulRescale`.
    pub reason: Option<String>,
    /// The first metric that failed. Others may have been acted upon nevertheless.
    pub failed: Option<FailedMetric>,
}

/// The controller of one HPA.
#[derive(Clone, Debug, Default)]
pub struct HpaController {
    settings: HpaSettings,
    memory: Memory,
}

impl HpaController {
    /// A controller that knows nothing of the HPA yet.
    pub fn new(settings: HpaSettings) -> Self {
        HpaController {
            settings,
            memory: Memory::default(),
        }
    }

    /// The flags and gates it runs with.
    pub fn settings(&self) -> &HpaSettings {
        &self.settings
    }

    /// What it remembers.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// What it remembers, to change it: a restart of the controller, and a pass that finds the HPA gone, leave the default.
    pub fn memory_mut(&mut self) -> &mut Memory {
        &mut self.memory
    }

    /// One pass (`reconcileAutoscaler`). `target` is `None` where it does not exist.
    pub fn reconcile(
        &mut self,
        hpa: &mut HorizontalPodAutoscaler,
        target: Option<ScaleTarget<'_>>,
        client: &mut impl MetricsClient,
        at: impl Into<Moments>,
    ) -> HpaDecision {
        let at = at.into();
        let mut conditions = Conditions {
            status: &mut hpa.status,
            now: at.decided,
        };
        let Some(target) = target else {
            let message = "the HPA controller was unable to get the target's current scale";
            conditions.set(ABLE_TO_SCALE, false, "FailedGetScale", message);
            return HpaDecision::default();
        };
        let message = "the HPA controller was able to get the target's current scale";
        conditions.set(ABLE_TO_SCALE, true, "SucceededGetScale", message);
        self.memory.note_first(target.spec_replicas, at.read);
        if !self.settings.scale_to_zero {
            // Left over from a time with the gate: upstream's tests expect it gone.
            hpa.status.conditions.retain(|c| c.kind != SCALED_TO_ZERO);
        }

        let spec = Spec::read(hpa);
        let pass = self.decide(&spec, &target, &mut hpa.status, client, at.decided);
        let current = target.spec_replicas;
        let status = &mut hpa.status;
        status.current_replicas = current;
        status.current_metrics = match pass.metrics {
            metrics if metrics.is_empty() => Value::Null,
            metrics => Value::Array(metrics),
        };
        let mut decision = HpaDecision {
            scale_to: None,
            proposal: pass.proposal,
            reason: None,
            failed: pass.failed,
        };
        let Some(desired) = pass.desired else {
            return decision;
        };
        status.desired_replicas = desired;
        if desired != current {
            let behavior = spec.behavior.as_ref();
            self.memory
                .note_scaled(current, desired, behavior, at.scaled);
            self.write_rescaled(&spec, current, desired, status, at.scaled);
            decision.scale_to = Some(desired);
            decision.reason = Some(pass.reason);
        }
        decision
    }

    /// What to do about `spec.replicas`.
    fn decide(
        &mut self,
        spec: &Spec,
        target: &ScaleTarget,
        status: &mut HpaStatus,
        client: &mut impl MetricsClient,
        now: Timestamp,
    ) -> Pass {
        let current = target.spec_replicas;
        let bounds = spec.bounds;
        if current == 0 && !self.may_leave_zero(spec, status) {
            let message = "scaling is disabled since the replica count of the target is zero";
            Conditions { status, now }.set(SCALING_ACTIVE, false, "ScalingDisabled", message);
            return Pass::to(0, "");
        }
        if current > bounds.max {
            return Pass::to(
                bounds.max,
                "Current number of replicas above Spec.MaxReplicas",
            );
        }
        if current < bounds.min && current != 0 {
            return Pass::to(
                bounds.min,
                "Current number of replicas below Spec.MinReplicas",
            );
        }
        let mut pass = self.evaluate(spec, target, status, client, now);
        if let Some(proposal) = pass.proposal {
            let mut desired = self.normalize(spec, current, proposal, status, now);
            if current == 0 {
                desired = desired.max(bounds.min);
            }
            pass.desired = Some(desired);
        }
        pass
    }

    /// With the gate, an HPA that itself scaled to zero goes on watching metrics that need no pods.
    fn may_leave_zero(&self, spec: &Spec, status: &HpaStatus) -> bool {
        let own_doing = status
            .conditions
            .iter()
            .any(|c| c.kind == SCALED_TO_ZERO && c.status == "True");
        self.settings.scale_to_zero
            && own_doing
            && (spec.bounds.min > 0 || spec.has_podless_metric())
    }

    /// The largest proposal (`computeReplicasForMetrics`). With some metric failed it is not acted upon where it would
    /// scale down: the failed one might have spoken against it.
    fn evaluate(
        &self,
        spec: &Spec,
        target: &ScaleTarget,
        status: &mut HpaStatus,
        client: &mut impl MetricsClient,
        now: Timestamp,
    ) -> Pass {
        let mut conditions = Conditions { status, now };
        if target.shared {
            let message = "pods by selector are controlled by multiple HPAs";
            conditions.set(SCALING_ACTIVE, false, "AmbiguousSelector", message);
            return Pass::default();
        }
        let current = target.spec_replicas;
        let scene = Scene {
            current,
            pods: target.pods,
            tolerance: self.tolerance(spec.behavior.as_ref()),
            readiness: self.settings.cpu_readiness,
            now,
        };
        let mut best: Option<Proposed> = None;
        let mut pass = Pass::default();
        for metric in &spec.metrics {
            match propose::propose(metric, &scene, target.status_replicas, client) {
                Ok(mut proposed) => {
                    pass.metrics.push(proposed.status.take());
                    if best.as_ref().is_none_or(|b| proposed.replicas > b.replicas) {
                        best = Some(proposed);
                    }
                }
                Err(failure) => {
                    pass.metrics.push(json!({ "type": "" }));
                    pass.failed.get_or_insert(failure);
                }
            }
        }
        match (best, &pass.failed) {
            (Some(best), failed) if failed.is_none() || best.replicas >= current => {
                let message = format!(
                    "the HPA was able to successfully calculate a replica count from {}",
                    best.name
                );
                conditions.set(SCALING_ACTIVE, true, "ValidMetricFound", message);
                pass.proposal = Some(best.replicas);
                pass.reason = if best.replicas > current {
                    format!("{} above target", best.name)
                } else {
                    "All metrics below target".to_owned()
                };
            }
            (_, Some(failure)) => {
                let message = format!(
                    "the HPA was unable to compute the replica count: {}",
                    failure.message
                );
                conditions.set(SCALING_ACTIVE, false, failure.reason, message);
            }
            (_, None) => unreachable!("an HPA has at least one metric, and each proposes or fails"),
        }
        pass
    }

    fn normalize(
        &mut self,
        spec: &Spec,
        current: i32,
        proposal: i32,
        status: &mut HpaStatus,
        now: Timestamp,
    ) -> i32 {
        let flag = self.settings.downscale_stabilization;
        let (stabilized, limited) = match &spec.behavior {
            None => {
                let stabilized = self.memory.stabilize_legacy(proposal, flag, now);
                let legacy = self.settings.legacy_limit;
                let limited =
                    normalize::limit_legacy(stabilized.replicas, current, spec.bounds, legacy);
                (stabilized, limited)
            }
            Some(behavior) => {
                let windows = StabilizationWindows::of(behavior, flag);
                let stabilized = self.memory.stabilize(proposal, current, windows, now);
                let desired = stabilized.replicas;
                let limited = self
                    .memory
                    .limit(desired, current, behavior, spec.bounds, now);
                (stabilized, limited)
            }
        };
        let mut conditions = Conditions { status, now };
        conditions.explain(ABLE_TO_SCALE, true, stabilized);
        let is_limited = limited.replicas != stabilized.replicas;
        conditions.explain(SCALING_LIMITED, is_limited, limited);
        limited.replicas
    }

    fn tolerance(&self, behavior: Option<&Behavior>) -> Tolerance {
        let flag = self.settings.tolerance;
        let of = |rules: fn(&Behavior) -> Option<f64>| behavior.and_then(rules).unwrap_or(flag);
        Tolerance {
            down: of(|b| b.down.tolerance),
            up: of(|b| b.up.tolerance),
        }
    }

    fn write_rescaled(
        &self,
        spec: &Spec,
        current: i32,
        desired: i32,
        status: &mut HpaStatus,
        now: Timestamp,
    ) {
        status.last_scale_time = Some(api_time(now));
        let mut conditions = Conditions { status, now };
        let message =
            format!("the HPA controller was able to update the target scale to {desired}");
        conditions.set(ABLE_TO_SCALE, true, "SucceededRescale", message);
        if self.settings.scale_to_zero {
            let to_zero = current > 0 && desired == 0;
            if to_zero && spec.bounds.min == 0 && spec.has_podless_metric() {
                let message = "the HPA controller scaled the workload to zero";
                conditions.set(SCALED_TO_ZERO, true, SCALED_TO_ZERO, message);
            } else {
                let message = "the HPA controller did not scale the workload to zero";
                conditions.set(SCALED_TO_ZERO, false, "NotScaledToZero", message);
            }
        }
    }
}

const ABLE_TO_SCALE: &str = "AbleToScale";
const SCALING_ACTIVE: &str = "ScalingActive";
const SCALING_LIMITED: &str = "ScalingLimited";
const SCALED_TO_ZERO: &str = "ScaledToZero";

/// The HPA's spec, read.
struct Spec {
    bounds: ReplicaBounds,
    metrics: Vec<MetricSpec>,
    behavior: Option<Behavior>,
}

impl Spec {
    fn read(hpa: &HorizontalPodAutoscaler) -> Self {
        let spec = &hpa.spec;
        Spec {
            bounds: ReplicaBounds {
                min: spec.min_replicas.unwrap_or(1),
                max: spec.max_replicas,
            },
            metrics: MetricSpec::read_all(&spec.metrics),
            behavior: Behavior::read(&spec.behavior),
        }
    }

    /// Whether some metric exists without pods.
    fn has_podless_metric(&self) -> bool {
        self.metrics.iter().any(|metric| {
            let source = &metric.source;
            matches!(
                source,
                MetricSource::Object { .. } | MetricSource::External(_)
            )
        })
    }
}

/// What a pass found.
#[derive(Default)]
struct Pass {
    /// The size wanted; `None` where the metrics do not allow one.
    desired: Option<i32>,
    proposal: Option<i32>,
    /// Entries of `status.currentMetrics`; empty where metrics were not evaluated.
    metrics: Vec<Value>,
    failed: Option<FailedMetric>,
    /// Why the size wanted is another.
    reason: String,
}

impl Pass {
    /// A size that the metrics were not asked about.
    fn to(desired: i32, reason: &str) -> Self {
        Pass {
            desired: Some(desired),
            reason: reason.to_owned(),
            ..Pass::default()
        }
    }
}

/// The conditions of a status, in the order in which they first appeared.
struct Conditions<'a> {
    status: &'a mut HpaStatus,
    now: Timestamp,
}

impl Conditions<'_> {
    /// `setCondition`.
    fn set(&mut self, kind: &str, holds: bool, reason: &str, message: impl Into<String>) {
        let status = if holds { "True" } else { "False" };
        let list = &mut self.status.conditions;
        let index = list.iter().position(|c| c.kind == kind).unwrap_or_else(|| {
            list.push(Condition {
                kind: kind.to_owned(),
                ..Condition::default()
            });
            list.len() - 1
        });
        let condition = &mut list[index];
        if condition.status != status {
            status.clone_into(&mut condition.status);
            condition.last_transition_time = Some(api_time(self.now));
        }
        reason.clone_into(&mut condition.reason);
        condition.message = message.into();
    }

    fn explain(&mut self, kind: &str, holds: bool, explained: Explained) {
        let message = match explained.reason {
            "ReadyForNewScale" => "recommended size matches current size",
            "ScaleUpStabilized" => {
                "recent recommendations were lower than current one, applying the lowest recent recommendation"
            }
            "ScaleDownStabilized" => {
                "recent recommendations were higher than current one, applying the highest recent recommendation"
            }
            "ScaleUpLimit" => {
                "the desired replica count is increasing faster than the maximum scale rate"
            }
            "ScaleDownLimit" => {
                "the desired replica count is decreasing faster than the maximum scale rate"
            }
            "TooManyReplicas" => "the desired replica count is more than the maximum replica count",
            "TooFewReplicas" => "the desired replica count is less than the minimum replica count",
            _ => "the desired count is within the acceptable range",
        };
        self.set(kind, holds, explained.reason, message);
    }
}
