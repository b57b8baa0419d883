//! Rules of the engine that no recorded trace happens to tell apart from their neighbours.

mod engine_support;

use engine_support::{NAME, NAMESPACE, Story};
use rollcast::canary::Phase;
use rollcast::engine::Settings;
use rollcast::time::Timestamp;
use serde_json::{Value, json};

/// A Canary of one step to 50 % with these webhooks, and its target with three replicas.
fn story(provider: &str, webhooks: Value) -> Story {
    let canary = json!({
        "metadata": { "name": NAME, "namespace": NAMESPACE },
        "spec": {
            "provider": provider,
            "targetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": NAME },
            "service": { "port": 80 },
            "analysis": {
                "interval": "30s", "stepWeight": 50, "maxWeight": 50, "threshold": 3,
                "webhooks": webhooks,
            },
        },
        "status": { "phase": "Initializing" },
    });
    let mut story = Story::new(Settings::default(), canary, 3, vec![]).initialized();
    story.push("v2");
    story
}

fn hook(kind: &str) -> Value {
    json!({ "name": kind, "type": kind, "url": "http://gate/" })
}

#[test]
fn the_traffic_gate_is_not_asked_while_the_promotion_gate_is_closed() {
    let gates = json!([hook("confirm-traffic-increase"), hook("confirm-promotion")]);
    let mut story = story("pod-scaling", gates);
    let close = |story: &mut Story, gate: &str| {
        story.closed.insert(gate.to_owned(), "closed".to_owned());
    };
    close(&mut story, "confirm-promotion");
    (0..3).for_each(|_| _ = story.tick());
    assert_eq!(story.status().phase, Phase::WaitingPromotion);
    story.heard();
    close(&mut story, "confirm-traffic-increase");
    story.tick();
    assert_eq!(story.heard(), Vec::<String>::new());
    story.closed.remove("confirm-promotion");
    story.tick();
    assert_eq!(
        story.status().phase,
        Phase::Promoting,
        "the other gate is shut"
    );
}

#[test]
fn a_condition_keeps_its_transition_time_as_long_as_its_status_stays() {
    let mut story = story("pod-scaling", json!([]));
    let at = |seconds| Some(Timestamp::from_secs(seconds));
    let mut seen = Vec::new();
    for _ in 0..5 {
        story.tick();
        let condition = story.status().conditions.remove(0);
        let row = (
            condition.status,
            condition.last_transition_time,
            condition.last_update_time,
        );
        seen.push(row);
    }
    let row = |status: &str, transition, update| (status.to_owned(), at(transition), at(update));
    assert_eq!(
        seen,
        [
            row("Unknown", 0, 0),
            row("Unknown", 0, 0),
            row("Unknown", 0, 60),
            row("Unknown", 0, 90),
            row("True", 120, 120),
        ]
    );
}

#[test]
fn a_target_that_has_replicas_keeps_them_and_one_at_zero_gets_the_primarys() {
    for (own, expected) in [(None, 3), (Some(1), 1), (Some(2), 2)] {
        let mut story = story("kubernetes", json!([]));
        assert_eq!(story.replicas(), (3, 0));
        if let Some(own) = own {
            let mut target = story.deployment(NAME);
            target.spec.replicas = Some(own);
            story.cluster.apply(target.into());
        }
        story.tick();
        assert_eq!(story.replicas(), (3, expected), "{own:?}");
    }
}
