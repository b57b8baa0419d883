//! The other scenarios: each ends as the runbook and Flagger's code say, and explains itself.

use rollcast::canary::Phase;
use rollcast::record::Outcome;
use rollcast::study::expectation;

use crate::{all, finding, load, messages, run, value_at};

#[test]
fn every_scenario_meets_its_expectations() {
    for file in all() {
        let name = file.file_stem().unwrap().to_str().unwrap();
        let scenario = load(name);
        let record = run(&scenario, scenario.run.seed);
        let expect = scenario
            .expect
            .as_ref()
            .unwrap_or_else(|| panic!("{name} expects nothing"));
        for result in expectation::evaluate(expect, &record) {
            assert!(result.met, "{name}: {result:?}");
        }
    }
}

#[test]
fn every_scenario_opens_with_a_comment_that_says_what_it_shows() {
    for file in all() {
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(
            text.starts_with("# "),
            "{} opens with no comment",
            file.display()
        );
    }
}

#[test]
fn flaggers_own_rules_fail_the_drill_for_want_of_values() {
    let record = run(&load("chaos30-flagger"), 1);
    assert_eq!(record.outcome, Outcome::RolledBack);
    assert_eq!(record.decided_at.map(|at| at.as_secs_f64()), Some(150.0));
    let no_values = messages(&record)
        .into_iter()
        .filter(|m| m.contains("no values found for kubernetes metric request-success-rate"));
    assert_eq!(no_values.count(), 3);
    let said = messages(&record);
    let starting = said
        .iter()
        .position(|m| m.starts_with("Starting canary analysis"))
        .unwrap();
    assert_eq!(
        said[starting + 1..starting + 3],
        [
            "Progressive traffic is not supported when using the kubernetes provider",
            "Setting canaryAnalysis.iterations: 10"
        ]
    );
    assert!(finding(&record, "builtin-without-series").contains("Rename the entry"));
}

#[test]
fn renamed_metrics_promote_a_release_nobody_tried() {
    let record = run(&load("chaos30-flagger-renamed"), 1);
    assert_eq!(record.outcome, Outcome::Promoted);
    let iterations = messages(&record)
        .into_iter()
        .filter(|m| m.starts_with("Advance load-harness.applications canary iteration"));
    assert_eq!(iterations.count(), 10);
    let decided = record.decided_at.unwrap();
    let before = record
        .traffic
        .iter()
        .filter(|second| second.at_s * 1000 < decided.as_millis());
    assert_eq!(before.map(|second| second.canary).sum::<u64>(), 0);
    let text = finding(&record, "promoted-unseen");
    assert!(
        text.contains("without a single user request on the canary"),
        "{text}"
    );
    let rate: f64 = text
        .split("true success rate is ")
        .nth(1)
        .unwrap()
        .split(' ')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    assert!((rate - 70.0).abs() < 1.0, "{text}");
}

#[test]
fn a_scrape_interval_of_30s_rolls_a_healthy_release_back() {
    let scenario = load("healthy-scrape30");
    for seed in 1..=20 {
        let record = run(&scenario, seed);
        assert_eq!(record.outcome, Outcome::RolledBack, "seed {seed}");
        assert_eq!(
            record.decided_at.map(|at| at.as_secs_f64()),
            Some(60.0),
            "seed {seed}"
        );
        assert!(
            messages(&record)
                .iter()
                .any(|m| m.contains("no values found")),
            "seed {seed}"
        );
        assert!(
            finding(&record, "scrape-interval").contains("scrape_interval = \"30s\""),
            "seed {seed}"
        );
    }
}

#[test]
fn a_slow_canary_breaches_p99_and_passes_the_success_rate() {
    let record = run(&load("slow-canary"), 1);
    assert_eq!(record.outcome, Outcome::RolledBack);
    assert!(value_at(&record, 60).is_some_and(|rate| rate >= 99.0));
    assert!(
        messages(&record)
            .iter()
            .any(|m| m.starts_with("Halt advancement")
                && m.contains("request-duration")
                && m.ends_with("> 500"))
    );
}

#[test]
fn reverting_the_fault_after_the_rollback_changes_nothing() {
    let record = run(&load("cleanup"), 1);
    assert_eq!(record.outcome, Outcome::RolledBack);
    assert_eq!(record.phase, Phase::Failed);
    assert_eq!(
        messages(&record)
            .iter()
            .filter(|m| m.starts_with("New revision detected!"))
            .count(),
        1
    );
    assert!(finding(&record, "revert-is-no-revision").contains("stays Failed"));
}

#[test]
fn annotating_the_deployment_starts_nothing() {
    let record = run(&load("stuck-initialized"), 1);
    assert_eq!(record.outcome, Outcome::NotStarted);
    assert_eq!(record.phase, Phase::Initialized);
    assert!(finding(&record, "metadata-is-no-revision").contains("pod template"));
}

#[test]
fn traffic_that_the_ingress_does_not_count_has_no_values() {
    for (name, code) in [
        ("no-values", "traffic-bypasses-ingress"),
        ("no-values-host", "host-without-rule"),
        ("no-values-servicemonitor", "no-service-monitor"),
    ] {
        let record = run(&load(name), 1);
        assert_eq!(record.outcome, Outcome::RolledBack, "{name}");
        assert!(
            messages(&record)
                .iter()
                .any(|m| m.contains("no values found")),
            "{name}"
        );
        finding(&record, code);
    }
}

#[test]
fn low_traffic_under_a_strict_bound_never_promotes() {
    let scenario = load("never-promotes");
    for seed in 1..=20 {
        let record = run(&scenario, seed);
        assert_ne!(record.outcome, Outcome::Promoted, "seed {seed}");
    }
    finding(&run(&scenario, scenario.run.seed), "too-few-requests");
}
