//! From what the metrics propose to what is done: stabilization windows, rates, bounds; and the memory they need.
//!
//! There are two paths, one for an HPA with `spec.behavior` and an older one for an HPA without.
//! Follows `pkg/controller/podautoscaler/horizontal.go` of Kubernetes v1.36.3.

use super::spec::{Behavior, Policy, PolicyKind, ScalingRules, SelectPolicy};
use crate::time::{Span, Timestamp};

/// What the controller remembers of one HPA. It survives everything but a restart of the controller and a tick
/// without the HPA.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Memory {
    /// What the metrics proposed, before normalization; `None` before the first reconcile.
    pub recommendations: Option<Vec<Recommendation>>,
    /// Scale-ups by this HPA.
    pub up: Vec<ScaleEvent>,
    /// Scale-downs by this HPA.
    pub down: Vec<ScaleEvent>,
}

/// A proposal of the past.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recommendation {
    /// Replicas.
    pub replicas: i32,
    /// When.
    pub at: Timestamp,
}

/// A change of the scale by this HPA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScaleEvent {
    /// By how many replicas, without sign.
    pub change: i32,
    /// When.
    pub at: Timestamp,
    /// No policy looks back so far: the slot may be reused.
    pub outdated: bool,
}

/// A number of replicas and the reason of the condition that explains it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Explained {
    /// Replicas.
    pub replicas: i32,
    /// Reason.
    pub reason: &'static str,
}

impl Explained {
    const fn new(replicas: i32, reason: &'static str) -> Self {
        Explained { replicas, reason }
    }
}

/// `minReplicas` and `maxReplicas`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplicaBounds {
    /// Lower bound.
    pub min: i32,
    /// Upper bound.
    pub max: i32,
}

/// The rule for scale-ups without `behavior`: to `max(factor x current, minimum)` at most.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LegacyLimit {
    /// `scaleUpLimitFactor`.
    pub factor: f64,
    /// `scaleUpLimitMinimum`.
    pub minimum: f64,
}

impl LegacyLimit {
    /// As built.
    pub const BUILT_IN: LegacyLimit = LegacyLimit {
        factor: 2.0,
        minimum: 4.0,
    };

    /// The largest size to which `current` may grow in one reconcile.
    fn of(self, current: i32) -> i32 {
        (self.factor * f64::from(current)).max(self.minimum) as i32
    }
}

const READY: &str = "ReadyForNewScale";
const UP_STABILIZED: &str = "ScaleUpStabilized";
const DOWN_STABILIZED: &str = "ScaleDownStabilized";
const WITHIN: &str = "DesiredWithinRange";
const UP_LIMIT: &str = "ScaleUpLimit";
const DOWN_LIMIT: &str = "ScaleDownLimit";
const TOO_MANY: &str = "TooManyReplicas";
const TOO_FEW: &str = "TooFewReplicas";

impl Memory {
    /// The first thing remembered is the size found (`recordInitialRecommendation`).
    pub fn note_first(&mut self, replicas: i32, at: Timestamp) {
        self.recommendations
            .get_or_insert_with(|| vec![Recommendation { replicas, at }]);
    }

    /// Without `behavior`: the highest of the window, whatever the current size (`stabilizeRecommendation`).
    /// Remembers the proposal.
    pub fn stabilize_legacy(&mut self, proposal: i32, window: Span, now: Timestamp) -> Explained {
        let cutoff = now - window;
        let recommendations = self.recommendations.get_or_insert_default();
        let (mut highest, mut slot) = (proposal, None);
        for (index, r) in recommendations.iter().enumerate() {
            if r.at < cutoff {
                slot = Some(index);
            } else {
                highest = highest.max(r.replicas);
            }
        }
        remember(recommendations, slot, proposal, now);
        let reason = if highest == proposal {
            READY
        } else {
            DOWN_STABILIZED
        };
        Explained::new(highest, reason)
    }

    /// With `behavior`: the current size, moved as little as both windows ask
    /// (`stabilizeRecommendationWithBehaviors`). Remembers the proposal.
    pub fn stabilize(
        &mut self,
        proposal: i32,
        current: i32,
        windows: StabilizationWindows,
        now: Timestamp,
    ) -> Explained {
        let (up_cutoff, down_cutoff) = (now - windows.up, now - windows.down);
        let recommendations = self.recommendations.get_or_insert_default();
        let (mut up, mut down, mut slot) = (proposal, proposal, None);
        for (index, r) in recommendations.iter().enumerate() {
            if r.at > up_cutoff {
                up = up.min(r.replicas);
            }
            if r.at > down_cutoff {
                down = down.max(r.replicas);
            }
            if r.at < up_cutoff && r.at < down_cutoff {
                slot = Some(index);
            }
        }
        remember(recommendations, slot, proposal, now);
        let stabilized = current.max(up).min(down);
        let reason = if stabilized == proposal {
            READY
        } else if proposal >= current {
            UP_STABILIZED
        } else {
            DOWN_STABILIZED
        };
        Explained::new(stabilized, reason)
    }

    /// With `behavior`: the rates and the bounds, each in the direction of movement alone
    /// (`convertDesiredReplicasWithBehaviorRate`).
    pub fn limit(
        &self,
        desired: i32,
        current: i32,
        behavior: &Behavior,
        bounds: ReplicaBounds,
        now: Timestamp,
    ) -> Explained {
        if desired > current {
            let limit = self.up_limit(current, &behavior.up, now).max(current);
            let most = if bounds.max > limit {
                Explained::new(limit, UP_LIMIT)
            } else {
                Explained::new(bounds.max, TOO_MANY)
            };
            if desired > most.replicas {
                return most;
            }
        } else if desired < current {
            let limit = self.down_limit(current, &behavior.down, now).min(current);
            let least = if bounds.min < limit {
                Explained::new(limit, DOWN_LIMIT)
            } else {
                Explained::new(bounds.min, TOO_FEW)
            };
            if desired < least.replicas {
                return least;
            }
        }
        Explained::new(desired, WITHIN)
    }

    /// The largest size the policies allow (`calculateScaleUpLimitWithScalingRules`).
    pub fn up_limit(&self, current: i32, rules: &ScalingRules, now: Timestamp) -> i32 {
        let limits = rules.policies.iter().map(|policy| {
            let start = self.at_period_start(current, policy, now);
            match policy.kind {
                PolicyKind::Pods => start.saturating_add(policy.value),
                // Rounded up, so that a small percentage of few pods still allows one.
                PolicyKind::Percent => {
                    (f64::from(start) * (1.0 + f64::from(policy.value) / 100.0)).ceil() as i32
                }
            }
        });
        match rules.select {
            SelectPolicy::Max => limits.max().unwrap_or(i32::MIN),
            SelectPolicy::Min => limits.min().unwrap_or(i32::MAX),
            SelectPolicy::Disabled => current,
        }
    }

    /// The smallest size the policies allow (`calculateScaleDownLimitWithBehaviors`).
    pub fn down_limit(&self, current: i32, rules: &ScalingRules, now: Timestamp) -> i32 {
        let limits = rules.policies.iter().map(|policy| {
            let start = self.at_period_start(current, policy, now);
            match policy.kind {
                PolicyKind::Pods => start.saturating_sub(policy.value),
                // In this order and in floats: 10 less 90 % is 0, not 1.
                PolicyKind::Percent => {
                    (f64::from(start) * (1.0 - f64::from(policy.value) / 100.0)) as i32
                }
            }
        });
        match rules.select {
            SelectPolicy::Max => limits.min().unwrap_or(i32::MAX),
            SelectPolicy::Min => limits.max().unwrap_or(i32::MIN),
            SelectPolicy::Disabled => current,
        }
    }

    /// Notes a change made at `now`; without `behavior` nothing is noted (`storeScaleEvent`).
    pub fn note_scaled(&mut self, from: i32, to: i32, behavior: Option<&Behavior>, now: Timestamp) {
        let Some(behavior) = behavior else { return };
        let (events, rules) = if to > from {
            (&mut self.up, &behavior.up)
        } else {
            (&mut self.down, &behavior.down)
        };
        let cutoff = now - rules.longest_period();
        let mut slot = None;
        for (index, event) in events.iter_mut().enumerate() {
            event.outdated |= event.at < cutoff;
            if event.outdated {
                slot = Some(index);
            }
        }
        let event = ScaleEvent {
            change: to.saturating_sub(from).saturating_abs(),
            at: now,
            outdated: false,
        };
        match slot {
            Some(index) => events[index] = event,
            None => events.push(event),
        }
    }

    /// The size at the start of a policy's period, as far as this HPA changed it.
    fn at_period_start(&self, current: i32, policy: &Policy, now: Timestamp) -> i32 {
        let added = change_within(&self.up, policy.period, now);
        let removed = change_within(&self.down, policy.period, now);
        current.saturating_sub(added).saturating_add(removed)
    }
}

/// The two stabilization windows in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StabilizationWindows {
    /// Before scaling up.
    pub up: Span,
    /// Before scaling down.
    pub down: Span,
}

impl StabilizationWindows {
    /// Those of `behavior`; `flag` is the controller's own for scaling down.
    pub fn of(behavior: &Behavior, flag: Span) -> Self {
        StabilizationWindows {
            up: behavior.up.window.unwrap_or(Span::ZERO),
            down: behavior.down.window.unwrap_or(flag),
        }
    }
}

/// Replicas changed since `now - period`; an event exactly as old does not count (`getReplicasChangePerPeriod`).
pub fn change_within(events: &[ScaleEvent], period: Span, now: Timestamp) -> i32 {
    let recent = events.iter().filter(|e| e.at > now - period);
    recent.map(|e| e.change).fold(0, i32::saturating_add)
}

/// Without `behavior`: the bounds, and the limit on growth (`convertDesiredReplicasWithRules`).
pub fn limit_legacy(
    desired: i32,
    current: i32,
    bounds: ReplicaBounds,
    legacy: LegacyLimit,
) -> Explained {
    let limit = legacy.of(current);
    let most = if bounds.max > limit {
        Explained::new(limit, UP_LIMIT)
    } else {
        Explained::new(bounds.max, TOO_MANY)
    };
    if desired < bounds.min {
        Explained::new(bounds.min, TOO_FEW)
    } else if desired > most.replicas {
        most
    } else {
        Explained::new(desired, WITHIN)
    }
}

/// Stores a proposal in the slot of one too old to count, or at the end.
fn remember(
    recommendations: &mut Vec<Recommendation>,
    slot: Option<usize>,
    replicas: i32,
    at: Timestamp,
) {
    let recommendation = Recommendation { replicas, at };
    match slot {
        Some(index) => recommendations[index] = recommendation,
        None => recommendations.push(recommendation),
    }
}
