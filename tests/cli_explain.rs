//! `rollcast explain`, to the letter: a run's checks, and its Canary as kubectl shows it.

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
    let later = explained(directory.path(), &["--at", "1:29.9"]);
    assert_eq!(later, explained(directory.path(), &["--at", "60"]));
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
