//! The runbook's reading of a Canary, with weights realised by replica counts.

mod engine_support;

use engine_support::{NAME, NAMESPACE, Story};
use rollcast::canary::MetricTemplate;
use rollcast::engine::{Decision, Kind, Object, ObjectRef, QuerySource, Rules, Settings};
use rollcast::k8s::HorizontalPodAutoscaler;
use serde_json::{Value, json};

fn canary(threshold: i64) -> Value {
    json!({
        "metadata": { "name": NAME, "namespace": NAMESPACE },
        "spec": {
            "provider": "pod-scaling",
            "targetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": NAME },
            "service": { "port": 80 },
            "analysis": {
                "interval": "30s", "stepWeight": 10, "maxWeight": 50, "threshold": threshold,
                "metrics": [{
                    "name": "request-success-rate", "interval": "1m",
                    "thresholdRange": { "min": 99 },
                    "templateRef": { "name": "success" },
                }],
            },
        },
        "status": { "phase": "Initializing" },
    })
}

fn template() -> Object {
    let template: MetricTemplate = serde_json::from_value(json!({
        "metadata": { "name": "success", "namespace": NAMESPACE },
        "spec": {
            "provider": { "type": "prometheus", "address": "http://prometheus" },
            "query": "success{ns=\"{{ namespace }}\"}[{{ interval }}]",
        },
    }))
    .unwrap();
    template.into()
}

fn runbook() -> Settings {
    Settings {
        rules: Rules::Runbook,
        ..Settings::default()
    }
}

fn story(threshold: i64) -> Story {
    let mut story = Story::new(runbook(), canary(threshold), 10, vec![template()]);
    story
        .metrics
        .insert("request-success-rate".to_owned(), 100.0);
    let mut story = story.initialized();
    story.push("v2");
    story
}

/// Ticks and describes each tick in a line: time, phase, weight, replicas, decision, messages.
fn run(story: &mut Story, ticks: usize) -> Vec<String> {
    (0..ticks)
        .map(|_| {
            let at = story.now.clock();
            let ticked = story.tick();
            let status = story.status();
            let (primary, canary) = story.replicas();
            format!(
                "{at} {} {} {primary}+{canary} {:?}: {}",
                status.phase,
                status.canary_weight,
                ticked.decision,
                story.heard().join(" | ")
            )
        })
        .collect()
}

#[test]
fn a_healthy_release_is_promoted_at_three_minutes() {
    let mut story = story(3);
    assert_eq!(
        run(&mut story, 10),
        [
            "0:00 Progressing 0 10+0 Detected: New revision detected! Scaling up load-harness.apps",
            "0:30 Progressing 10 9+1 Advanced: Starting canary analysis for load-harness.apps | Advance load-harness.apps canary weight 10",
            "1:00 Progressing 20 8+2 Advanced: Advance load-harness.apps canary weight 20",
            "1:30 Progressing 30 7+3 Advanced: Advance load-harness.apps canary weight 30",
            "2:00 Progressing 40 6+4 Advanced: Advance load-harness.apps canary weight 40",
            "2:30 Progressing 50 5+5 Advanced: Advance load-harness.apps canary weight 50",
            "3:00 Promoting 100 0+10 Promoting: Copying load-harness.apps template spec to load-harness-primary.apps",
            "3:30 Finalising 0 10+10 ShiftedToPrimary: Routing all traffic to primary",
            "4:00 Succeeded 0 10+0 Succeeded: Promotion completed! Scaling down load-harness.apps",
            "4:30 Succeeded 0 10+0 Idle: ",
        ]
    );
    let primary = story.deployment("load-harness-primary");
    assert_eq!(primary.spec.template.image(), Some("v2"));
}

#[test]
fn one_failed_check_rolls_back_in_its_own_tick() {
    let mut story = story(3);
    story
        .metrics
        .insert("request-success-rate".to_owned(), 70.0);
    assert_eq!(
        run(&mut story, 4)[2..],
        [
            "1:00 Failed 0 10+0 RolledBack: Halt advancement load-harness.apps request-success-rate 70.00 < 99 | Rolling back load-harness.apps failed checks threshold reached 1 | Canary failed! Scaling down load-harness.apps",
            "1:30 Failed 0 10+0 Idle: ",
        ]
    );
}

#[test]
fn a_threshold_above_the_steps_waits_at_max_weight_for_more_passes() {
    let mut story = story(7);
    let phases = run(&mut story, 9);
    assert_eq!(
        phases[5..],
        [
            "2:30 Progressing 50 5+5 Advanced: Advance load-harness.apps canary weight 50",
            "3:00 Progressing 50 5+5 Waiting: ",
            "3:30 Progressing 50 5+5 Waiting: ",
            "4:00 Promoting 100 0+10 Promoting: Copying load-harness.apps template spec to load-harness-primary.apps",
        ]
    );
}

#[test]
fn a_metric_with_a_template_is_asked_by_its_template_alone() {
    let mut story = story(3);
    story.tick();
    story.tick();
    let ticked = story.tick();
    let asked: Vec<(QuerySource, &str)> = story
        .queries
        .iter()
        .map(|q| (q.source, q.text.as_str()))
        .collect();
    assert_eq!(asked, [(QuerySource::Template, "success{ns=\"apps\"}[1m]")]);
    assert_eq!(ticked.checks.len(), 1);
    assert!(ticked.checks[0].passed);
}

#[test]
fn a_new_push_restarts_with_all_pods_on_the_primary() {
    let mut story = story(3);
    for _ in 0..4 {
        story.tick();
    }
    story.push("v3");
    story.heard();
    assert_eq!(
        run(&mut story, 2),
        [
            "2:00 Progressing 0 10+0 Restarted: New revision detected! Restarting analysis for load-harness.apps",
            "2:30 Progressing 10 9+1 Advanced: Starting canary analysis for load-harness.apps | Advance load-harness.apps canary weight 10",
        ]
    );
}

#[test]
fn the_canary_serves_until_the_primary_is_ready() {
    let mut story = story(3);
    for _ in 0..7 {
        story.tick();
    }
    // Promoting moved traffic back; the primary's pods do not come up yet.
    let primary = format!("{NAME}-primary");
    assert_eq!(
        story.tick_without_progress(&[&primary]).decision,
        Decision::ShiftedToPrimary
    );
    assert_eq!(story.replicas(), (10, 10));
    assert_eq!(
        story.tick_without_progress(&[&primary]).decision,
        Decision::Blocked
    );
    assert_eq!(story.replicas(), (10, 10));
    story.tick();
    story.tick();
    assert_eq!(story.replicas(), (10, 0));
}

#[test]
fn a_primary_that_never_comes_up_leaves_everything_with_the_canary() {
    let mut story = story(3);
    for _ in 0..8 {
        story.tick();
    }
    story.exceed_deadline(&format!("{NAME}-primary"));
    assert_eq!(story.tick().decision, Decision::PromotionFailed);
    assert_eq!(story.replicas(), (0, 10));
}

#[test]
fn the_pool_follows_what_the_hpa_wants() {
    let hpa: HorizontalPodAutoscaler = serde_json::from_value(json!({
        "metadata": { "name": "hpa", "namespace": NAMESPACE },
        "spec": { "scaleTargetRef": { "kind": "Deployment", "name": NAME }, "minReplicas": 10, "maxReplicas": 40 },
    }))
    .unwrap();
    let mut canary = canary(3);
    canary["spec"]["autoscalerRef"] =
        json!({ "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "name": "hpa" });
    let mut story = Story::new(runbook(), canary, 3, vec![template(), hpa.into()]);
    story
        .metrics
        .insert("request-success-rate".to_owned(), 100.0);
    let mut story = story.initialized();
    story.push("v2");
    story.tick();
    story.tick();
    assert_eq!(story.replicas(), (9, 1));
    let primary = ObjectRef::new(Kind::HorizontalPodAutoscaler, NAMESPACE, "hpa-primary");
    match story.cluster.get_mut(&primary) {
        Some(Object::HorizontalPodAutoscaler(hpa)) => hpa.status.desired_replicas = 20,
        _ => panic!("the primary's HPA exists"),
    }
    story.tick();
    assert_eq!(story.replicas(), (16, 4));
}

#[test]
fn a_closed_promotion_gate_does_not_undo_passed_checks() {
    let mut canary = canary(5);
    canary["spec"]["analysis"]["webhooks"] =
        json!([{ "type": "confirm-promotion", "name": "gate", "url": "http://gate/" }]);
    let mut story = Story::new(runbook(), canary, 10, vec![template()]);
    story
        .metrics
        .insert("request-success-rate".to_owned(), 100.0);
    let mut story = story.initialized();
    story.closed.insert("gate".to_owned(), "closed".to_owned());
    story.push("v2");
    for _ in 0..9 {
        story.tick();
    }
    assert_eq!(story.status().phase.as_str(), "WaitingPromotion");
    story.closed.clear();
    assert_eq!(story.tick().decision, Decision::Promoting);
}
