//! What rules predict, simulated.

use rollcast::record::{Outcome, Record};
use rollcast::sim::simulate;
use rollcast::time::Timestamp;

use super::example;

/// The failing example of a rule, run with these keys set.
fn run(code: &str, set: &[(&str, &str)]) -> Record {
    simulate(&example(code, "fails", set))
}

/// How often an event with these words was told, from detection on.
fn told(record: &Record, words: &str) -> usize {
    let events = record
        .events
        .iter()
        .filter(|event| event.at >= Timestamp::ZERO);
    events.filter(|event| event.message.contains(words)).count()
}

/// Every check that failed had no value.
fn fails_without_values(record: &Record) {
    assert_eq!(record.outcome, Outcome::RolledBack, "{:?}", record.events);
    let mut checks = record
        .timeline
        .iter()
        .flat_map(|row| &row.checks)
        .peekable();
    assert!(checks.peek().is_some());
    assert!(told(record, "no values found") > 0, "{:?}", record.events);
    assert!(checks.all(|check| check.value.is_none() || check.passed));
}

fn weights(record: &Record) -> Vec<i64> {
    let mut weights: Vec<i64> = record
        .timeline
        .iter()
        .map(|row| row.canary_weight)
        .collect();
    weights.dedup();
    weights
}

#[test]
fn kubernetes_weights_promote_what_no_user_has_met() {
    let record = run("kubernetes-weights", &[]);
    assert_eq!(record.outcome, Outcome::Promoted);
    assert_eq!(record.decided_at, Some(Timestamp::from_secs(12 * 30)));
    let seconds = record
        .traffic
        .iter()
        .filter(|s| s.at_s >= 0 && s.at_s < 12 * 30);
    assert_eq!(seconds.map(|s| s.canary).sum::<u64>(), 0);
    assert!(told(&record, "Progressive traffic is not supported") >= 10);
}

#[test]
fn steps_that_lead_nowhere_hang() {
    let record = run("no-step", &[]);
    assert_eq!(record.outcome, Outcome::Undecided);
    assert_eq!(weights(&record), [0, 10]);
}

#[test]
fn a_maximum_out_of_reach_keeps_all_users_on_the_canary_and_never_promotes() {
    let record = run("max-weight-out-of-reach", &[]);
    assert_eq!(record.outcome, Outcome::Undecided);
    assert_eq!(record.ticks.last().unwrap().canary_weight, 100);
    assert!(told(&record, "canary weight 100") > 10);
}

#[test]
fn mirroring_with_weights_starts_again_at_every_tick() {
    let record = run("mirror-with-weights", &[]);
    assert_eq!(record.outcome, Outcome::Undecided);
    assert!(told(&record, "Starting canary analysis") > 10);
    assert_eq!(weights(&record), [0]);
}

#[test]
fn a_match_without_iterations_promotes_after_one_check() {
    let record = run("match-without-iterations", &[]);
    assert_eq!(record.outcome, Outcome::Promoted);
    assert_eq!(record.decided_at, Some(Timestamp::from_secs(60)));
}

#[test]
fn an_ab_test_that_gives_back_in_steps_hangs_in_promoting() {
    let record = run("ab-promotion-steps", &[]);
    assert!(
        told(&record, "primary weight 20") > 5,
        "{:?}",
        record.events
    );
    assert_eq!(told(&record, "Promotion completed"), 0);
}

#[test]
fn a_step_that_does_not_divide_the_maximum_goes_beyond() {
    assert_eq!(weights(&run("step-overshoots", &[]))[..3], [0, 30, 60]);
}

#[test]
fn a_builtin_name_is_asked_first_and_finds_nothing() {
    fails_without_values(&run("builtin-name", &[]));
}

#[test]
fn a_metric_that_asks_nothing_rolls_back_a_healthy_release() {
    let record = run("evaluates-nothing", &[]);
    assert_eq!(record.outcome, Outcome::RolledBack);
    assert!(
        told(
            &record,
            "no usable metrics template and query were configured"
        ) > 0
    );
}

#[test]
fn a_minimum_written_as_threshold_rolls_back_a_healthy_release() {
    let record = run("threshold-direction", &[]);
    assert_eq!(record.outcome, Outcome::RolledBack);
    assert!(told(&record, "100.00 > 99") > 0, "{:?}", record.events);
}

#[test]
fn queries_that_cannot_be_asked_roll_back_a_healthy_release() {
    for code in ["query-fault", "template-interval"] {
        let record = run(code, &[]);
        assert_eq!(record.outcome, Outcome::RolledBack, "{code}");
        assert!(
            told(&record, "Metric query failed") > 0,
            "{code}: {:?}",
            record.events
        );
    }
}

#[test]
fn series_that_are_not_there_are_no_values() {
    let unlabelled = run("unknown-label", &[]);
    fails_without_values(&unlabelled);
    let why = unlabelled
        .findings
        .iter()
        .find(|f| f.code == "no-such-label");
    assert!(
        why.is_some_and(|f| f.text.contains("by `ingres`")),
        "{:?}",
        unlabelled.findings
    );
    for code in [
        "namespace-label",
        "ingress-host",
        "window-too-short",
        "no-source",
    ] {
        fails_without_values(&run(code, &[]));
    }
}

#[test]
fn the_first_check_has_no_values_while_the_series_has_one_sample() {
    let record = run("late-series", &[]);
    assert_eq!(record.outcome, Outcome::RolledBack);
    assert_eq!(told(&record, "no values found"), 1, "{:?}", record.events);
}

#[test]
fn one_burst_counts_at_every_check_whose_window_holds_it() {
    // Ten seconds of failures, once the canary has traffic.
    let burst = [(
        "chaos",
        "[{start = \"1m10s\", end = \"1m20s\", version = \"v2\", fail_rate = 0.5}]",
    )];
    let failed = |which| {
        let record = simulate(&example("window-too-long", which, &burst));
        let checks = record.timeline.iter().flat_map(|row| &row.checks);
        (record.outcome, checks.filter(|check| !check.passed).count())
    };
    assert_eq!(failed("fails"), (Outcome::RolledBack, 3));
    // A window of two intervals holds it twice.
    assert_eq!(failed("passes"), (Outcome::Promoted, 2));
}

#[test]
fn a_query_over_both_passes_what_the_canary_fails() {
    let bad = [("versions.v2.base_failure_rate", "0.05")];
    let record = run("ignores-canary", &bad);
    let first = record
        .timeline
        .iter()
        .flat_map(|row| &row.checks)
        .next()
        .unwrap();
    assert!(first.passed, "read {:?}", first.value);
    let mended = simulate(&example("ignores-canary", "passes", &bad));
    assert_eq!(mended.outcome, Outcome::RolledBack);
}

#[test]
fn too_few_requests_roll_a_good_release_back_at_the_first_failure() {
    let seeds = 1..=20;
    let rolled_back = seeds
        .filter(|seed| {
            let seed = seed.to_string();
            let record = run(
                "low-power",
                &[
                    ("versions.v2.base_failure_rate", "0.005"),
                    ("run.seed", &seed),
                ],
            );
            record.outcome == Outcome::RolledBack
        })
        .count();
    assert!(
        rolled_back >= 5,
        "{rolled_back} of 20 releases that meet their bound were rolled back"
    );
}

#[test]
fn the_hpa_takes_pods_from_the_primary() {
    let record = run("primary-shrinks", &[]);
    let before = record
        .traffic
        .iter()
        .filter(|s| s.at_s == 0)
        .map(|s| s.primary_ready)
        .max()
        .unwrap();
    let decided = record.decided_at.unwrap().as_millis() / 1000;
    let left = record
        .traffic
        .iter()
        .find(|s| s.at_s == decided)
        .unwrap()
        .primary_ready;
    assert!(left < before, "{left} of {before}");
}

#[test]
fn two_pods_give_many_more_users_to_the_canary_than_the_first_step_says() {
    let record = run("too-few-pods", &[]);
    let step = record
        .timeline
        .iter()
        .find(|row| row.canary_weight == 10)
        .unwrap();
    let share = step.canary_share.unwrap();
    // The canary's pod starts within the row; after that half of the requests are its own.
    assert!(share > 0.2, "{share}");
}

#[test]
fn a_check_without_traffic_has_no_values() {
    let late = run("load-test-late", &[]);
    fails_without_values(&late);
    assert_eq!(late.timeline.iter().flat_map(|row| &row.checks).count(), 1);
    // With a load test before the first step the same release is promoted.
    let early = simulate(&example("load-test-late", "passes", &[]));
    assert_eq!(early.outcome, Outcome::Promoted, "{:?}", early.events);
}

#[test]
fn a_slow_hook_drops_ticks() {
    let slow = [("webhooks.gate.latency", "80s")];
    let ticks = |set: &[(&str, &str)]| {
        let record = run("webhook-timeout", set);
        let after = record
            .ticks
            .iter()
            .filter(|tick| tick.at >= Timestamp::ZERO);
        after
            .take_while(|tick| tick.at < Timestamp::from_secs(300))
            .count()
    };
    assert!(ticks(&slow) < ticks(&[]), "{} ticks", ticks(&slow));
}

#[test]
fn a_hook_that_answers_204_fails() {
    let record = run("webhook-204", &[("webhooks.gate.status", "204")]);
    assert_eq!(record.outcome, Outcome::RolledBack);
    assert!(
        told(&record, "external check gate failed") > 0,
        "{:?}",
        record.events
    );
}

#[test]
fn a_threshold_of_three_takes_two_more_checks_to_roll_back() {
    let bad = [("versions.v2.base_failure_rate", "0.3")];
    let decided = |set: &[(&str, &str)]| run("threshold-meaning", set).decided_at.unwrap();
    assert_eq!(decided(&bad), Timestamp::from_secs(150));
    let runbook = [bad[0], ("rules", "runbook")];
    assert_eq!(decided(&runbook), Timestamp::from_secs(60));
}
