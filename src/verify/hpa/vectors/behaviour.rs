//! Rows of `horizontal_test.go` on stabilization, rates and the memory of scale events.

use serde::Deserialize;

use super::{BehaviourRow, NOW, aged, seconds};
use crate::sim::hpa::normalize::{
    Explained, LegacyLimit, Memory, Recommendation, ReplicaBounds, ScaleEvent,
    StabilizationWindows, change_within, limit_legacy,
};
use crate::sim::hpa::spec::Behavior;
use crate::time::Span;
use crate::verify::recording::Case;

/// A row of `scale_behaviour`.
#[derive(Deserialize)]
pub(super) struct Row {
    pub(super) name: String,
    function: Function,
    behaviour: Option<BehaviourRow>,
    events: Option<Events>,
    recommendations: Option<Vec<RecommendationRow>>,
    scale_up_limit_factor: Option<f64>,
    scale_up_limit_minimum: Option<f64>,
    downscale_stabilization_window_s: Option<i32>,
    min: Option<i32>,
    max: Option<i32>,
    current: Option<i32>,
    desired: Option<i32>,
    direction: Option<Direction>,
    expected: Option<i32>,
    reason: Option<String>,
    expected_log_length: Option<usize>,
    expected_change_in_60s_before: Option<i32>,
    expected_events_after: Option<Vec<EventAfter>>,
    expected_recommendations_after: Option<Vec<i32>>,
}

#[derive(Clone, Copy, Deserialize)]
enum Function {
    #[serde(rename = "convertDesiredReplicasWithBehaviorRate")]
    Limit,
    #[serde(rename = "convertDesiredReplicasWithRules (no behaviour: legacy limits)")]
    LimitLegacy,
    #[serde(rename = "stabilizeRecommendationWithBehaviors")]
    Stabilize,
    #[serde(rename = "stabilizeRecommendation (no behaviour)")]
    StabilizeLegacy,
    #[serde(rename = "storeScaleEvent")]
    StoreEvent,
    #[serde(rename = "calculateScaleUpLimitWithScalingRules")]
    UpLimit,
    #[serde(rename = "calculateScaleDownLimitWithBehaviors")]
    DownLimit,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Events {
    scale_up: Vec<EventRow>,
    scale_down: Vec<EventRow>,
}

#[derive(Deserialize)]
struct EventRow {
    change: i32,
    age_s: i32,
}

#[derive(Deserialize)]
struct RecommendationRow {
    replicas: i32,
    age_s: i32,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Direction {
    Up,
    Down,
}

#[derive(Debug, PartialEq, Deserialize)]
struct EventAfter {
    change: i32,
    outdated: bool,
}

impl Row {
    pub(super) fn check(&self, case: &mut Case) {
        let mut memory = self.memory();
        let behavior = self.behaviour.as_ref().and_then(BehaviourRow::behavior);
        let given = behavior.clone().unwrap_or_default();
        let current = self.current.unwrap_or_default();
        let desired = self.desired.unwrap_or_default();
        let bounds = ReplicaBounds {
            min: self.min.unwrap_or_default(),
            max: self.max.unwrap_or_default(),
        };
        let outcome = match self.function {
            Function::Limit => memory.limit(desired, current, &given, bounds, NOW),
            Function::LimitLegacy => {
                let built_in = LegacyLimit::BUILT_IN;
                let legacy = LegacyLimit {
                    factor: self.scale_up_limit_factor.unwrap_or(built_in.factor),
                    minimum: self.scale_up_limit_minimum.unwrap_or(built_in.minimum),
                };
                limit_legacy(desired, current, bounds, legacy)
            }
            Function::Stabilize => {
                let windows = StabilizationWindows::of(&given, self.flag());
                memory.stabilize(desired, current, windows, NOW)
            }
            Function::StabilizeLegacy => memory.stabilize_legacy(desired, self.flag(), NOW),
            Function::StoreEvent => {
                return self.check_events(&mut memory, behavior.as_ref(), case);
            }
            Function::UpLimit => unexplained(memory.up_limit(current, &given.up, NOW)),
            Function::DownLimit => unexplained(memory.down_limit(current, &given.down, NOW)),
        };
        case.compare("replicas", &self.expected, &Some(outcome.replicas));
        if let Some(reason) = &self.reason {
            case.compare("reason", &reason.as_str(), &outcome.reason);
        }
        let remembered = memory.recommendations.unwrap_or_default();
        if let Some(length) = &self.expected_log_length {
            case.compare("recommendations", length, &remembered.len());
        }
        if let Some(after) = &self.expected_recommendations_after {
            let got: Vec<i32> = remembered.iter().map(|r| r.replicas).collect();
            case.compare("recommendations", after, &got);
        }
    }

    fn check_events(&self, memory: &mut Memory, behavior: Option<&Behavior>, case: &mut Case) {
        let of = |memory: &Memory| match self.direction {
            Some(Direction::Down) => memory.down.clone(),
            _ => memory.up.clone(),
        };
        let before = change_within(&of(memory), Span::from_secs(60), NOW);
        let expected = &self.expected_change_in_60s_before;
        case.compare("change in the 60 s before", expected, &Some(before));
        let (from, to) = (self.current, self.desired);
        memory.note_scaled(
            from.unwrap_or_default(),
            to.unwrap_or_default(),
            behavior,
            NOW,
        );
        let after = of(memory).into_iter().map(|e| EventAfter {
            change: e.change,
            outdated: e.outdated,
        });
        let after = Some(after.collect());
        case.compare("events", &self.expected_events_after, &after);
    }

    fn memory(&self) -> Memory {
        let events = |rows: &[EventRow]| {
            let events = rows.iter().map(|e| ScaleEvent {
                change: e.change,
                at: aged(Some(e.age_s)),
                outdated: false,
            });
            events.collect()
        };
        let none = Events::default();
        let rows = self.events.as_ref().unwrap_or(&none);
        let recommendation = |r: &RecommendationRow| Recommendation {
            replicas: r.replicas,
            at: aged(Some(r.age_s)),
        };
        let recommendations = self.recommendations.as_ref();
        Memory {
            recommendations: recommendations.map(|rows| rows.iter().map(recommendation).collect()),
            up: events(&rows.scale_up),
            down: events(&rows.scale_down),
        }
    }

    /// The controller's flag for the window before scaling down.
    fn flag(&self) -> Span {
        seconds(self.downscale_stabilization_window_s.unwrap_or(300))
    }
}

fn unexplained(replicas: i32) -> Explained {
    Explained {
        replicas,
        reason: "",
    }
}
