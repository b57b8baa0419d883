//! `rollcast explain`, to the letter: a run's checks, what would have flipped them, and its Canary as kubectl shows it.

use std::path::Path;
use std::process::{Command, Output};

fn rollcast(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rollcast"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(arguments)
        .output()
        .unwrap()
}

fn simulated(scenario: &str, directory: &Path) {
    let scenario = format!("scenarios/{scenario}.toml");
    let done = rollcast(&["simulate", &scenario, "--out", directory.to_str().unwrap()]);
    assert!(done.status.success(), "{done:?}");
}

fn explained(directory: &Path, arguments: &[&str]) -> String {
    let directory = directory.to_str().unwrap();
    let done = rollcast(&[&["explain", directory], arguments].concat());
    assert!(done.status.success(), "{done:?}");
    String::from_utf8(done.stdout).unwrap()
}

#[test]
fn a_canary_is_described_as_kubectl_would() {
    let directory = tempfile::tempdir().unwrap();
    simulated("chaos30-flagger", directory.path());
    insta::assert_snapshot!(explained(directory.path(), &["--describe", "--at", "2:00"]));
}

#[test]
fn a_tick_is_explained_with_its_queries_and_samples() {
    let directory = tempfile::tempdir().unwrap();
    simulated("chaos30", directory.path());
    insta::assert_snapshot!(explained(directory.path(), &["--at", "1:00"]));
    // Between two ticks the last one counts, and before any there is nothing to explain.
    let later = explained(directory.path(), &["--at", "1:29.9", "--no-flip"]);
    assert_eq!(
        later,
        explained(directory.path(), &["--at", "60", "--no-flip"])
    );
    let early = explained(directory.path(), &["--at", "-1h"]);
    assert_eq!(early, "No check was made by -60:00.\n");
}

#[test]
fn what_is_no_run_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap();
    let missing = rollcast(&["explain", path]);
    assert_eq!(missing.status.code(), Some(2));
    std::fs::write(directory.path().join("run.json"), "{\"schema_version\": 1}").unwrap();
    let foreign = rollcast(&["explain", path]);
    assert_eq!(foreign.status.code(), Some(2));
    let told = String::from_utf8(foreign.stderr).unwrap();
    assert!(told.contains("run.json: missing field"), "{told}");
}

#[test]
fn a_check_that_passed_is_searched_when_it_is_named() {
    let directory = tempfile::tempdir().unwrap();
    simulated("library/max-weight-61", directory.path());
    let all = explained(directory.path(), &["--at", "1:00"]);
    assert!(
        all.contains("latency-p99: PASS") && !all.contains("would have"),
        "{all}"
    );
    let named = ["--at", "1:00", "--check", "success-rate"];
    let one = explained(directory.path(), &named);
    assert!(!one.contains("latency-p99: PASS"), "{one}");
    assert!(one.contains("it would have failed with"), "{one}");
    assert!(one.contains("thresholdRange.min=100.01"), "{one}");
    let directory = directory.path().to_str().unwrap();
    let unknown = rollcast(&["explain", directory, "--at", "1:00", "--check", "latency"]);
    assert_eq!(unknown.status.code(), Some(2));
    let told = String::from_utf8(unknown.stderr).unwrap();
    assert!(
        told.contains("it made `success-rate` and `latency-p99`"),
        "{told}"
    );
}

#[test]
fn a_run_without_its_inputs_is_explained_as_far_as_its_record_goes() {
    let directory = tempfile::tempdir().unwrap();
    simulated("chaos30", directory.path());
    std::fs::remove_file(directory.path().join("inputs.json")).unwrap();
    let path = directory.path().to_str().unwrap();
    let done = rollcast(&["explain", path]);
    assert!(done.status.success(), "{done:?}");
    let (out, told) = (done.stdout, String::from_utf8(done.stderr).unwrap());
    let out = String::from_utf8(out).unwrap();
    assert!(
        out.contains("arithmetic:") && !out.contains("would have"),
        "{out}"
    );
    assert!(told.contains("has no inputs.json"), "{told}");
}

#[test]
fn every_paragraph_of_a_verdict_names_the_command_that_explains_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap();
    let scenario = "scenarios/library/no-values-first-check.toml";
    let done = rollcast(&["simulate", scenario, "--out", path]);
    let printed = String::from_utf8(done.stdout).unwrap();
    let (_, verdict) = printed.split_once("\nPromoted:").unwrap();
    let (verdict, _) = verdict.split_once("\nAssumed").unwrap();
    let paragraphs: Vec<&str> = verdict.trim().split("\n\n").collect();
    assert!(paragraphs.len() > 1, "{verdict}");
    for paragraph in paragraphs {
        let last = paragraph.lines().last().unwrap().trim();
        let words: Vec<&str> = last.split(' ').collect();
        assert_eq!(words[..2], ["rollcast", "explain"], "{paragraph}");
        let explained = rollcast(&[&words[1..], &["--no-flip"]].concat());
        assert!(explained.status.success(), "{last}: {explained:?}");
        assert!(
            String::from_utf8(explained.stdout)
                .unwrap()
                .contains("FAIL, no value"),
            "{last}"
        );
    }
}
