//! The program itself: help, exit codes, streams.

use std::io::Read;
use std::process::{Command, Output, Stdio};

#[test]
fn help_explains_and_shows_an_example() {
    let output = rollcast(&["--help"]);
    assert_eq!(output.status.code(), Some(0));
    let help = text(&output.stdout);
    assert!(
        help.contains("rollcast simulate scenarios/chaos30.toml"),
        "{help}"
    );
    let output = rollcast(&["simulate", "--help"]);
    let help = text(&output.stdout);
    for flag in [
        "--format",
        "--seed",
        "--out",
        "--no-out",
        "--rules",
        "--compare-rules",
        "--set",
        "Examples:",
    ] {
        assert!(help.contains(flag), "{flag} is not in {help}");
    }
    for line in help.lines() {
        assert!(line.chars().count() <= 100, "{line}");
    }
}

#[test]
fn bad_usage_is_explained_on_standard_error_and_exits_with_2() {
    for (args, said) in [
        (&[][..], "Usage: rollcast"),
        (&["simulate"], "<SCENARIO>"),
        (&["simulat", "x.toml"], "simulate"),
        (&["simulate", "x.toml", "--seed", "-1"], "--seed"),
        (&["simulate", "x.toml", "--seed", "one"], "invalid digit"),
        (
            &["simulate", "x.toml", "--format", "xml"],
            "possible values: text, json",
        ),
        (
            &["simulate", "x.toml", "--rules", "argo"],
            "possible values: flagger, runbook",
        ),
        (
            &[
                "simulate",
                "x.toml",
                "--rules",
                "flagger",
                "--compare-rules",
            ],
            "cannot be used with",
        ),
        (
            &["simulate", "x.toml", "--out", "a", "--no-out"],
            "cannot be used with",
        ),
        (
            &["simulate", "x.toml", "--set", "traffic.rate"],
            "traffic.rate=50/s",
        ),
    ] {
        let output = rollcast(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert_eq!(text(&output.stdout), "", "{args:?}");
        let error = text(&output.stderr);
        assert!(error.contains(said), "{args:?}: {error}");
        assert!(!error.contains("panicked"), "{args:?}: {error}");
    }
}

#[test]
fn a_scenario_that_is_not_there_is_named_and_exits_with_2() {
    let directory = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_rollcast"))
        .args(["simulate", "nowhere/at-all.toml"])
        .current_dir(&directory)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(text(&output.stdout), "");
    let error = text(&output.stderr);
    assert!(
        error.starts_with("error: ") && error.contains("nowhere/at-all.toml"),
        "{error}"
    );
    assert_eq!(
        std::fs::read_dir(&directory).unwrap().count(),
        0,
        "something was left behind"
    );
}

#[test]
fn a_reader_who_leaves_causes_no_panic() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_rollcast"))
        .args(["simulate", "--help"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut error = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut error)
        .unwrap();
    child.wait().unwrap();
    assert!(!error.contains("panicked"), "{error}");
}

fn rollcast(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rollcast"))
        .args(args)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}
