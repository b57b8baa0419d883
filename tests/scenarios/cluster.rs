//! What the cluster does to a rollout: pods that do not start, nodes without room, an HPA that follows too late.
//!
//! The invariants of the world (no request goes to a pod that is gone, or not ready and not about to be dropped) are
//! asserted inside it in every run of a build with debug assertions, these included.

use rollcast::record::{Outcome, Record, TrafficSecond};
use rollcast::scenario::{Distribution, ImagePull, Memory};
use rollcast::time::{Span, Timestamp};

use crate::{finding, load, messages, run};

const SEEDS: std::ops::RangeInclusive<u64> = 1..=10;

fn second(record: &Record, at_s: i64) -> &TrafficSecond {
    let found = record.traffic.iter().find(|second| second.at_s == at_s);
    found.unwrap_or_else(|| panic!("seed {}: no second {at_s}", record.seed))
}

#[test]
fn promotion_sends_everybody_to_a_primary_that_its_hpa_has_shrunk() {
    let record = run(&load("hpa-herd"), 1);
    assert_eq!(record.outcome, Outcome::Promoted);
    assert_eq!(record.requests.canary_failed, 0, "the release is healthy");
    assert!(record.requests.failed > 1000, "{:?}", record.requests);
    let text = finding(&record, "shrunken-primary");
    assert!(text.contains("The promotion at"), "{text}");
    assert!(text.contains("stepWeightPromotion"), "{text}");
}

#[test]
fn a_promotion_in_steps_spares_the_shrunken_primary() {
    let mut scenario = load("hpa-herd");
    let analysis = scenario.manifests.canary.spec.analysis.as_mut().unwrap();
    analysis.step_weight_promotion = 10;
    scenario.run.horizon = Span::from_secs(40 * 60);
    let in_steps = run(&scenario, 1);
    let at_once = run(&load("hpa-herd"), 1);
    assert_eq!(in_steps.outcome, Outcome::Promoted);
    assert!(
        in_steps.requests.failed * 10 < at_once.requests.failed,
        "{} against {}",
        in_steps.requests.failed,
        at_once.requests.failed
    );
}

#[test]
fn a_late_rollback_meets_a_shrunken_primary() {
    let record = run(&load("rollback-shock"), 1);
    assert_eq!(record.outcome, Outcome::RolledBack);
    let text = finding(&record, "shrunken-primary");
    assert!(text.contains("The rollback at"), "{text}");
}

#[test]
fn two_pods_give_half_where_a_tenth_was_asked() {
    let scenario = load("canary-too-small");
    for seed in SEEDS {
        let record = run(&scenario, seed);
        let text = finding(&record, "share-not-to-be-had");
        assert!(
            text.starts_with("A weight of 10 % cannot be had from 2 pods")
                && text.contains("steps of 10 % take 10 pods"),
            "seed {seed}: {text}"
        );
        let step = record.timeline.iter().find(|row| row.canary_weight == 10);
        let share = step.and_then(|row| row.canary_share).unwrap();
        assert!((0.15..=0.55).contains(&share), "seed {seed}: {share}");
        // Once the canary's pod serves, it has every second request.
        let seconds = record.traffic.iter().filter(|s| (50..60).contains(&s.at_s));
        let (canary, all) = seconds.fold((0, 0), |(c, a), s| (c + s.canary, a + s.requests));
        let settled = canary as f64 / all as f64;
        assert!((0.4..=0.6).contains(&settled), "seed {seed}: {settled}");
    }
    let roomy = run(&load("chaos30"), 1);
    assert!(
        roomy
            .findings
            .iter()
            .all(|f| f.code != "share-not-to-be-had"),
        "ten pods can give a tenth"
    );
}

#[test]
fn a_start_slower_than_the_deadline_is_rolled_back_unjudged() {
    let scenario = load("slow-start");
    for seed in SEEDS {
        let record = run(&scenario, seed);
        assert_eq!(record.outcome, Outcome::RolledBack, "seed {seed}");
        assert_eq!(record.requests.canary, 0, "seed {seed}");
        let text = finding(&record, "slow-start");
        assert!(
            text.contains("progressDeadlineSeconds"),
            "seed {seed}: {text}"
        );
    }
    let mut patient = scenario;
    patient.manifests.canary.spec.progress_deadline_seconds = Some(300);
    // The primary starts its pods one after another.
    patient.run.horizon = Span::from_secs(30 * 60);
    assert_eq!(run(&patient, 1).outcome, Outcome::Promoted);
}

#[test]
fn a_crash_loop_reaches_no_user() {
    let record = run(&load("crash-loop"), 1);
    assert_eq!(record.outcome, Outcome::RolledBack);
    assert_eq!(record.requests.canary, 0);
    let text = finding(&record, "crash-loop");
    // Three pods, each started at 0, 0, 10, 20, 40 and 80 seconds after its last end within the deadline.
    assert!(text.contains("18 times in all"), "{text}");
}

#[test]
fn pods_that_crash_under_load_are_noticed_where_retries_do_not_hide_it() {
    let mut scenario = load("crash-loop");
    let v2 = scenario.versions.get_mut("v2").unwrap();
    v2.course.boot = None;
    v2.course.crash_after = Some(Distribution::Uniform {
        min_ns: 40_000_000_000,
        max_ns: 60_000_000_000,
    });
    let record = run(&scenario, 1);
    assert!(record.requests.canary > 0, "they serve until they crash");
    finding(&record, "crash-loop");
    // The world's own assertions watch that nobody is served by a pod that is down.
}

#[test]
fn a_push_during_the_analysis_starts_it_anew() {
    let record = run(&load("push-during-analysis"), 1);
    assert_eq!(record.outcome, Outcome::Promoted);
    let said = messages(&record);
    assert!(
        said.iter()
            .any(|m| m.starts_with("New revision detected! Restarting analysis")),
        "{said:#?}"
    );
    let restarted = record
        .timeline
        .iter()
        .position(|row| row.note.as_deref() == Some("another revision: analysis restarts"))
        .unwrap();
    let after = record.timeline[restarted + 1..].iter().take(2);
    let weights: Vec<i64> = after.map(|row| row.canary_weight).collect();
    assert_eq!(weights, [10, 20]);
}

#[test]
fn a_promotion_fails_for_want_of_room_and_the_canary_goes_on_serving() {
    let record = run(&load("promote-fails"), 1);
    assert_eq!(record.outcome, Outcome::PromotionFailed);
    assert_eq!(record.requests.failed, 0);
    assert!(second(&record, 899).canary > 0);
    let text = finding(&record, "no-room");
    assert!(text.contains("A pod was Pending"), "{text}");
    let mut roomy = load("promote-fails");
    roomy.cluster.nodes = None;
    assert_eq!(run(&roomy, 1).outcome, Outcome::Promoted);
}

#[test]
fn an_image_that_does_not_exist_ends_at_the_progress_deadline() {
    let record = run(&load("image-pull-stuck"), 1);
    assert_eq!(record.outcome, Outcome::RolledBack);
    assert_eq!(record.requests.failed, 0);
    let text = finding(&record, "image-pull");
    assert!(text.contains("1.1.0-typo"), "{text}");
    assert!(text.contains("ImagePullBackOff"), "{text}");
}

/// The sync, stabilisation and start-up delays, second by second, as `traffic.csv` shows them.
#[test]
fn the_hpa_follows_a_step_in_load_late_and_leaves_it_later() {
    let scenario = load("hpa-step");
    for seed in SEEDS {
        let record = run(&scenario, seed);
        let wanted = |at: i64| second(&record, at).primary_wanted;
        let ready = |at: i64| second(&record, at).primary_ready;
        let calm = wanted(59);
        assert!(
            (3..=5).contains(&calm),
            "seed {seed}: {calm} pods for 100/s"
        );
        let first =
            |from: i64, what: &dyn Fn(i64) -> bool| (from..900).find(|at| what(*at)).unwrap_or(900);
        // A sample that holds the new load, at most 15 s old when a sync, every 15 s, sees it: 15 to 45 s or so.
        let reacted = first(60, &|at| wanted(at) > calm);
        assert!(
            (65..=110).contains(&reacted),
            "seed {seed}: wanted at {reacted}"
        );
        // The new pods take their start-up and a second of routing; none is ready at once.
        let served = first(60, &|at| ready(at) > calm);
        assert!(
            (reacted + 1..=reacted + 15).contains(&served),
            "seed {seed}: wanted at {reacted}, ready at {served}"
        );
        let peak = (60..360).map(wanted).max().unwrap();
        assert!(
            (13..=17).contains(&peak),
            "seed {seed}: {peak} pods for 400/s"
        );
        // Five minutes of lower recommendations, then down.
        let left = first(360, &|at| wanted(at) < peak);
        assert!((640..=720).contains(&left), "seed {seed}: left at {left}");
        assert!(wanted(899) <= calm + 1, "seed {seed}: {}", wanted(899));
    }
}

#[test]
fn a_readiness_probe_that_never_succeeds_is_named() {
    let mut scenario = load("slow-start");
    let v2 = scenario.versions.get_mut("v2").unwrap();
    v2.course.boot = None;
    v2.course.never_ready = true;
    let record = run(&scenario, 1);
    assert_eq!(record.outcome, Outcome::RolledBack);
    let text = finding(&record, "slow-start");
    assert!(text.contains("readiness probe never succeeds"), "{text}");
}

#[test]
fn a_node_pulls_an_image_once() {
    let mut scenario = load("promote-fails");
    let nodes = scenario.cluster.nodes.as_mut().unwrap();
    nodes.cpu_millis = None;
    let v2 = scenario.versions.get_mut("v2").unwrap();
    v2.course.image_pull = Some(ImagePull::Takes(Distribution::Constant {
        ns: 45_000_000_000,
    }));
    let record = run(&scenario, 1);
    assert_eq!(record.outcome, Outcome::Promoted);
    let first_ready = record.traffic.iter().find(|s| s.canary_ready > 0).unwrap();
    assert!(first_ready.at_s >= 45, "ready at {}", first_ready.at_s);
    // The primary's pods find it on both nodes: three one after another take less than one pull.
    let took = record.finished_at.unwrap() - record.decided_at.unwrap();
    assert!(took <= Span::from_secs(90), "the promotion took {took}");
}

/// A scale-down takes most of the pods at once, so that nginx' three tries may all meet one that is no longer there.
#[test]
fn a_process_that_ends_before_the_routers_drop_it_costs_requests_and_a_pre_stop_sleep_saves_them() {
    let mut scenario = load("hpa-step");
    let v1 = scenario.versions.get_mut("v1").unwrap();
    v1.course.shutdown = Some(Distribution::Constant { ns: 100_000_000 });
    let abrupt = run(&scenario, 1);
    assert!(abrupt.requests.failed > 0);
    let template = scenario.manifests.deployment.spec.template.json_mut();
    template["spec"]["containers"][0]["lifecycle"] =
        serde_json::json!({ "preStop": { "sleep": { "seconds": 5 } } });
    assert_eq!(run(&scenario, 1).requests.failed, 0);
}

/// A registry that is down for two minutes: each pod's next attempt after its return comes when its back-off has passed.
#[test]
fn an_image_that_comes_late_is_pulled_at_the_next_attempt() {
    let mut scenario = load("image-pull-stuck");
    let v2 = scenario.versions.get_mut("v2").unwrap();
    v2.course.image_pull = Some(ImagePull::Takes(Distribution::Constant {
        ns: 3_000_000_000,
    }));
    v2.course.image_pull_fails_until = Some(Timestamp::from_secs(120));
    let record = run(&scenario, 1);
    assert_eq!(record.outcome, Outcome::Promoted);
    let text = finding(&record, "image-pull");
    assert!(text.contains("ran late"), "{text}");
    let first_ready = record.traffic.iter().find(|s| s.canary_ready > 0).unwrap();
    // Attempts after about 1, 12, 33, 74 and 155 seconds: the fifth finds it.
    assert!(
        (150..=175).contains(&first_ready.at_s),
        "ready at {}",
        first_ready.at_s
    );
}

#[test]
fn a_leak_slower_than_the_analysis_is_promoted_and_kills_its_containers_afterwards() {
    let scenario = load("memory-leak");
    let record = run(&scenario, 1);
    assert_eq!(record.outcome, Outcome::Promoted);
    let promoted = record.finished_at.unwrap().as_millis() / 1000;
    let text = finding(&record, "out-of-memory");
    assert!(
        text.contains("OOMKilled") && text.contains("A leak"),
        "{text}"
    );
    assert!(record.findings.iter().all(|f| f.code != "crash-loop"));
    let unready = |s: &&TrafficSecond| s.at_s > promoted + 60 && s.primary_ready < s.primary_wanted;
    let killed = record.traffic.iter().find(unready).unwrap().at_s;
    // The primary's pods with the new version were started before the end of the promotion.
    assert!(
        (promoted + 300..=promoted + 480).contains(&killed),
        "promoted at {promoted}, killed at {killed}"
    );
    let mut roomy = scenario;
    let template = roomy.manifests.deployment.spec.template.json_mut();
    template["spec"]["containers"][0]["resources"]["limits"] = serde_json::json!({});
    let record = run(&roomy, 1);
    assert!(record.findings.iter().all(|f| f.code != "out-of-memory"));
}

/// The HPA on memory: a leak scales a Deployment out, for the average over its pods sinks with every young one.
#[test]
fn the_hpa_sees_the_working_set() {
    let mut scenario = load("hpa-step");
    scenario.manifests.hpas[0].spec.metrics = serde_json::json!([{
        "type": "Resource",
        "resource": {
            "name": "memory",
            "target": { "type": "AverageValue", "averageValue": "64Mi" },
        },
    }]);
    let wanted = |scenario: &_| second(&run(scenario, 1), 600).primary_wanted;
    assert_eq!(wanted(&scenario), 2, "64 MiB each, as is wanted");
    let v1 = scenario.versions.get_mut("v1").unwrap();
    v1.course.memory = Some(Memory {
        base_bytes: 100 << 20,
        leak_bytes_per_second: 0,
    });
    // Each pod uses more than the target, however many there are: to the maximum.
    assert_eq!(wanted(&scenario), 30);
}
