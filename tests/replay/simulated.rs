//! A simulated rollout, replayed from the series its Prometheus scraped.

use std::fs;
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;

use super::support::{Recorded, number, stderr};

/// Values of all checks in order.
fn values(summary: &Value) -> Vec<Option<f64>> {
    let rows = summary["timeline"].as_array().unwrap().iter();
    let checks = rows.flat_map(|row| row["checks"].as_array().unwrap());
    checks.map(|check| check["value"].as_f64()).collect()
}

/// Messages of the events from the start on.
fn messages(run: &Value) -> Vec<&str> {
    let events = run["events"].as_array().unwrap().iter();
    events
        .filter(|event| number(&event["at_s"]) >= 0.0)
        .map(|event| event["message"].as_str().unwrap())
        .collect()
}

#[test]
fn every_value_and_every_decision_of_a_recorded_rollout_comes_back() {
    for (fail_rate, outcome) in [("0.02", "rolled-back"), ("0", "promoted")] {
        let recorded = Recorded::new(fail_rate, &[]);
        let replayed = recorded.summary(&["--prometheus-version", "3"]);
        assert_eq!(replayed["outcome"], outcome);
        assert_eq!(replayed["outcome"], recorded.record["outcome"]);
        assert_eq!(values(&replayed), values(&recorded.record));
        assert!(values(&replayed).len() >= 3, "nothing was measured");
        assert_eq!(messages(&replayed), messages(&recorded.record));
        assert_eq!(replayed["replay"]["differs_at_s"], Value::Null);
        assert_eq!(replayed["replay"]["guess_from_s"], Value::Null);
    }
}

#[test]
fn a_packed_recording_without_ticks_is_replayed_on_the_grid() {
    let recorded = Recorded::new("0.02", &["prometheus.query_latency=1ms"]);
    let packed = recorded.path("packed.om.gz");
    let mut gz = GzEncoder::new(fs::File::create(&packed).unwrap(), Compression::fast());
    gz.write_all(recorded.text("series.om").as_bytes()).unwrap();
    gz.finish().unwrap();
    let start = format!("{:.3}", recorded.start + 0.001);
    let more = [
        "--start",
        &start,
        "--prometheus-version",
        "3",
        "--format",
        "json",
    ];
    let output = super::support::replay_of(&packed, &more);
    assert!(output.status.success(), "{}", stderr(&output));
    let replayed: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(values(&replayed), values(&recorded.record));
    assert_eq!(number(&replayed["decided_at_s"]), 150.0);
    assert_eq!(replayed["replay"]["compared_with"], Value::Null);
}

#[test]
fn what_follows_another_decision_is_a_guess_and_says_from_where() {
    let recorded = Recorded::new("0.02", &[]);
    // With a lower bound the first check passes: the canary goes to 20 % where the recorded one stayed at 10 %.
    let lower = [
        "--set",
        "canary.spec.analysis.metrics.0.thresholdRange.min=95",
    ];
    let replayed = recorded.summary(&lower);
    let first = number(&replayed["timeline"][1]["checks"][0]["at_s"]);
    assert_eq!(number(&replayed["replay"]["differs_at_s"]), first);
    assert_eq!(replayed["replay"]["recorded_weight"], 10);
    assert_eq!(replayed["replay"]["replayed_weight"], 20);
    assert!(number(&replayed["replay"]["guess_from_s"]) > first);
    let output = recorded.replay(&lower);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("the series are valid up to here"), "{text}");
    assert!(text.contains("(a guess)"), "{text}");
    let before = text.split("valid up to here").next().unwrap();
    assert!(!before.contains("(a guess)"), "{text}");
}

#[test]
fn a_rollback_that_the_recorded_rollout_did_not_decide_is_no_guess() {
    let recorded = Recorded::new("0.02", &[]);
    let replayed = recorded.summary(&["--set", "analysis.threshold=1"]);
    assert_eq!(replayed["outcome"], "rolled-back");
    assert_eq!(replayed["replay"]["differs_at_s"], replayed["decided_at_s"]);
    assert_eq!(replayed["replay"]["guess_from_s"], Value::Null);
}

#[test]
fn the_runbooks_rules_end_a_recorded_rollout_at_its_first_failed_check() {
    let recorded = Recorded::new("0.02", &[]);
    let replayed = recorded.summary(&["--rules", "runbook"]);
    assert_eq!(replayed["rules"], "runbook");
    assert_eq!(replayed["outcome"], "rolled-back");
    assert_eq!(values(&replayed).len(), 1);
}

#[test]
fn a_replay_leaves_the_files_of_a_run_and_says_what_it_took_for_given() {
    let recorded = Recorded::new("0.02", &[]);
    let out = recorded.path("replayed");
    let output = recorded.replay(&["--out", out.to_str().unwrap()]);
    assert!(output.status.success(), "{}", stderr(&output));
    for file in [
        "run.json",
        "timeline.csv",
        "checks.csv",
        "events.log",
        "timeline.svg",
    ] {
        assert!(out.join(file).is_file(), "{file}");
    }
    let text = String::from_utf8(output.stdout).unwrap();
    for said in [
        "The Deployment `load-harness` is not given: it is taken as present and ready.",
        "The Ingress `load-harness` is not given",
        "status=\"500\"",
        "Every weight is the recorded one",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
}
