//! Load tests that webhooks start: when their requests come, who counts them, and what a person is told.

use rollcast::record::{Outcome, Record};

use crate::scripts::simulated;
use crate::{finding, load, run};

/// A run with users and one more webhook of this type and command.
fn with_hook(kind: &str, cmd: &str, more: &str) -> Record {
    simulated(&format!(
        r#"
[[canary.spec.analysis.webhooks]]
name = "load"
type = "{kind}"
url = "http://flagger-loadtester.applications/"
metadata = {{ cmd = "{cmd}" }}
{more}
[[events]]
at = "0s"
push = "v2"
"#
    ))
}

fn has(record: &Record, code: &str) -> bool {
    record.findings.iter().any(|finding| finding.code == code)
}

#[test]
fn a_load_test_in_a_rollout_hook_comes_too_late_for_the_first_check() {
    for seed in 1..=5 {
        let record = run(&load("load-test-in-rollout"), seed);
        assert_eq!(record.outcome, Outcome::RolledBack, "seed {seed}");
        assert!(finding(&record, "load-test-late").contains("No values at 1:00"));
        let [test] = &record.load_tests[..] else {
            panic!("seed {seed}: {:?}", record.load_tests);
        };
        let since_check = test.started_at.as_millis() - 60_000;
        assert!(
            (0..=200).contains(&since_check),
            "seed {seed}: {since_check}"
        );
        assert_eq!(test.requests.total, 1200, "20 a second for a minute");
        assert_eq!(record.requests.total, 0, "there are no users");
        assert!(record.traffic.iter().all(|second| second.requests == 0));
    }
}

#[test]
fn a_load_test_before_the_rollout_gives_the_first_check_its_values() {
    for seed in 1..=5 {
        let record = run(&load("load-test-pre-rollout"), seed);
        assert_eq!(record.outcome, Outcome::Promoted, "seed {seed}");
        let starts: Vec<(&str, i64)> = record
            .load_tests
            .iter()
            .map(|test| (&*test.hook, test.started_at.as_millis() / 1000))
            .collect();
        // At 1:00 and 1:30 the command still runs.
        assert_eq!(starts, [("warm-up", 30), ("load-test", 120)], "seed {seed}");
        assert!(!has(&record, "promoted-unseen"));
        assert!(!has(&record, "webhooks-assumed"));
    }
}

#[test]
fn a_load_test_of_the_canary_service_is_not_seen_by_the_ingress() {
    let direct = "hey -z 5m -q 10 -c 2 http://load-harness-canary.applications/";
    let mut scenario = load("load-test-in-rollout");
    let analysis = scenario.manifests.canary.spec.analysis.as_mut().unwrap();
    let hook = &mut analysis.webhooks[0];
    hook.kind = "pre-rollout".to_owned();
    hook.metadata
        .as_mut()
        .unwrap()
        .insert("cmd".to_owned(), direct.to_owned());
    let record = run(&scenario, 1);
    assert_eq!(record.outcome, Outcome::RolledBack);
    let told = finding(&record, "load-test-bypasses-ingress");
    assert!(
        told.contains("Service load-harness-canary.applications"),
        "{told}"
    );
    let requests = record.load_tests[0].requests;
    // All of them reach the canary; once it is scaled down, nobody listens.
    assert_eq!(requests.total, 6000);
    assert!(requests.canary > 1000 && requests.failed == requests.total - requests.canary);
}

#[test]
fn users_are_counted_without_the_load_test_beside_them() {
    let cmd = "hey -z 2m -q 10 -c 10 -host load-harness.example.com http://ingress-nginx.infra/";
    let quiet = with_hook("pre-rollout", "ghz --insecure app:9999", "");
    let tested = with_hook("pre-rollout", cmd, "");
    assert_eq!(tested.load_tests[0].requests.total, 12_000);
    assert_eq!(tested.requests.total, quiet.requests.total);
    assert!(quiet.load_tests.is_empty());
    let not_run = finding(&quiet, "load-test-not-run");
    assert!(
        not_run.contains("not `ghz --insecure app:9999`"),
        "{not_run}"
    );
    let ran = finding(&tested, "load-test");
    assert!(ran.contains("`load` (100 requests/s for 2m0s)"), "{ran}");
}

#[test]
fn a_load_tester_that_does_not_answer_runs_nothing() {
    let cmd = "hey -z 2m -q 10 -c 2 http://load-harness-canary.applications/";
    let record = with_hook("", cmd, "[webhooks.load]\noutcome = \"unreachable\"");
    assert!(record.load_tests.is_empty());
    assert_eq!(record.outcome, Outcome::RolledBack);
}

#[test]
fn commands_that_make_no_traffic_are_named_with_their_reason() {
    for (cmd, reason) in [
        (
            "hey -z 1m http://elsewhere.org/",
            "neither a Service here nor a host of an Ingress",
        ),
        (
            "hey -n 1 -c 2 http://load-harness/",
            "-n cannot be less than -c.",
        ),
        (
            "curl -s http://load-harness-canary/",
            "only a plain `hey` command is modelled",
        ),
    ] {
        let record = with_hook("rollout", cmd, "");
        let told = finding(&record, "load-test-not-run");
        assert!(told.contains("`load`") && told.contains(reason), "{told}");
        assert!(record.load_tests.is_empty());
    }
    let cmd = "hey -z 1m -H 'Host: load-harness.example.com' http://ingress-nginx.infra/";
    let record = with_hook("rollout", cmd, "");
    let told = finding(&record, "load-test-host-header");
    assert!(
        told.contains("Write -host load-harness.example.com"),
        "{told}"
    );
}
