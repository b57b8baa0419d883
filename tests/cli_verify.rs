//! `rollcast verify`: its last line, and its exit codes for recordings that hold, differ, or cannot be read.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use flate2::read::GzDecoder;

fn data(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(file)
}

fn verify(part: &str, files: &[&Path]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rollcast"));
    command.args(["verify", part]).args(files).output().unwrap()
}

fn last_line(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .last()
        .unwrap_or_default()
        .to_owned()
}

#[test]
fn a_recording_that_holds_exits_with_0_and_counts_what_was_compared() {
    let output = verify("traces", &[&data("data/flagger-traces/curated.jsonl.gz")]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(last_line(&output), "182 traces, 1801 ticks, 0 mismatches");
}

#[test]
fn one_changed_value_is_named_and_exits_with_1() {
    let mut text = String::new();
    let file = fs::File::open(data("data/flagger-traces/curated.jsonl.gz")).unwrap();
    GzDecoder::new(file).read_to_string(&mut text).unwrap();
    let changed = text.replacen("\"canaryWeight\":10", "\"canaryWeight\":11", 1);
    assert_ne!(text, changed);
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("changed.jsonl");
    fs::write(&copy, changed).unwrap();
    let output = verify("traces", &[&copy]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(last_line(&output), "182 traces, 1801 ticks, 1 mismatches");
    assert!(String::from_utf8_lossy(&output.stdout).contains("curated-001"));
}

#[test]
fn scripts_are_counted_as_passed_failed_and_skipped() {
    let output = verify("promql", &[&data("promql/staleness.test")]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(last_line(&output), "17 passed, 0 failed, 0 skipped");

    let text = fs::read_to_string(data("promql/staleness.test")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("staleness.test");
    fs::write(
        &copy,
        text.replacen("{__name__=\"metric\"} 1", "{__name__=\"metric\"} 5", 1),
    )
    .unwrap();
    let output = verify("promql", &[&copy]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(last_line(&output), "16 passed, 1 failed, 0 skipped");
}

#[test]
fn what_is_no_recording_exits_with_2() {
    for part in ["traces", "promql", "hpa", "deployments"] {
        let missing = verify(part, &[Path::new("missing.jsonl")]);
        assert_eq!(missing.status.code(), Some(2), "{part}");
        let foreign = verify(part, &[&data("data/chaos30.digest")]);
        assert_eq!(foreign.status.code(), Some(2), "{part}: {foreign:?}");
    }
}
