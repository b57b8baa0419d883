//! What a baseline is made of, when it is missing, and what is told of differences.

use std::fs;
use std::process::ExitCode;

use rollcast::diagnostic::Diagnostic;

use crate::{Folder, section};

#[test]
fn nothing_changed_is_nothing_told_on_any_seeds() {
    let folder = Folder::new();
    for seed in ["1", "1001", "2001"] {
        let (code, printed) = folder.check("", &["--seed", seed]);
        assert_eq!(code, ExitCode::SUCCESS, "seed {seed}:\n{printed}");
        assert!(printed.contains("6 scenarios: 6 passed;"), "{printed}");
        assert!(!printed.contains("----"), "{printed}");
    }
}

#[test]
fn the_committed_baseline_is_what_update_writes() {
    let folder = Folder::new();
    let committed = fs::read_to_string(folder.path("baseline.json")).unwrap();
    let (code, printed) = folder.check("", &["--update-baseline", "--threads", "1"]);
    assert_eq!(code, ExitCode::SUCCESS, "{printed}");
    let written = fs::read_to_string(folder.path("baseline.json")).unwrap();
    assert!(
        written == committed,
        "tests/check/scenarios/baseline.json is not what `rollcast check tests/check/scenarios --runs 20 \
         --update-baseline` writes"
    );
}

#[test]
fn without_a_baseline_expectations_alone_are_checked_and_a_note_says_so() {
    let folder = Folder::new();
    fs::remove_file(folder.path("baseline.json")).unwrap();
    let (code, printed) = folder.check("healthy.toml", &[]);
    assert_eq!(code, ExitCode::SUCCESS, "{printed}");
    assert!(printed.contains("note: there is no baseline"), "{printed}");
    assert!(
        printed.contains("--update-baseline records one"),
        "{printed}"
    );
}

#[test]
fn a_failed_expectation_is_told_with_its_line_its_tick_and_its_value() {
    let folder = Folder::new();
    folder.edit(
        "ten-pods.toml",
        "outcome = \"rolled-back\"",
        "outcome = \"promoted\"\nweights = { \"30s\" = 10, \"1m\" = 30 }\nprobabilities = [\"P(promoted) >= 0.99 of 20 runs\"]",
    );
    let (code, printed) = folder.check("ten-pods.toml", &[]);
    assert_eq!(code, ExitCode::from(1), "{printed}");
    let told = section(&printed, "ten-pods.toml");
    let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
    let line = |text: &str| {
        let file = fs::read_to_string(folder.path("ten-pods.toml")).unwrap();
        let at = file
            .lines()
            .position(|line| line.starts_with(text))
            .unwrap();
        format!("ten-pods.toml:{}]", at + 1)
    };
    assert!(
        told.contains("expected outcome promoted, found rolled-back, at 2:30"),
        "{told}"
    );
    assert!(told.contains(&line("outcome = \"promoted\"")), "{told}");
    assert!(
        told.contains("expected a weight of 30 % at 1:00, found 10 %"),
        "{told}"
    );
    assert!(
        told.contains("expected P(promoted) >= 0.99 of 20 runs, found 0.000: 0 of 20 runs"),
        "{told}"
    );
    assert!(told.contains("what decided it: success-rate "), "{told}");
}

#[test]
fn a_change_that_changes_nothing_is_shown_where_it_is_asked_for() {
    let folder = Folder::new();
    folder.edit("k8s/hpa.yaml", "maxReplicas: 20", "maxReplicas: 21");
    let (code, printed) = folder.check("slow-start.toml", &[]);
    assert_eq!(code, ExitCode::SUCCESS, "{printed}");
    assert!(!printed.contains("maxReplicas"), "{printed}");
    let (code, printed) = folder.check("slow-start.toml", &["--diff"]);
    assert_eq!(code, ExitCode::SUCCESS, "{printed}");
    let told = section(&printed, "slow-start.toml");
    assert!(told.contains("spec.maxReplicas 20 → 21"), "{told}");
}

#[test]
fn scenarios_come_and_go() {
    let folder = Folder::new();
    fs::remove_file(folder.path("burst.toml")).unwrap();
    fs::rename(folder.path("slow-start.toml"), folder.path("slower.toml")).unwrap();
    let (code, printed) = folder.check("", &[]);
    assert_eq!(code, ExitCode::SUCCESS, "{printed}");
    for said in [
        "note: the baseline has burst.toml, which is not there",
        "note: the baseline has slow-start.toml, which is not there",
        "note: the baseline does not have slower.toml; --update-baseline records it",
    ] {
        assert!(printed.contains(said), "{said}:\n{printed}");
    }
    folder.check("", &["--update-baseline"]);
    let written = fs::read_to_string(folder.path("baseline.json")).unwrap();
    assert!(!written.contains("burst.toml") && written.contains("slower.toml"));
}

#[test]
fn a_scenario_that_cannot_be_run_is_told_beside_the_others_and_nothing_is_recorded() {
    let folder = Folder::new();
    folder.edit("burst.toml", "rate = \"40/s\"", "rate = 40");
    let committed = fs::read_to_string(folder.path("baseline.json")).unwrap();
    let (code, printed) = folder.check("", &["--update-baseline"]);
    assert_eq!(code, ExitCode::from(2), "{printed}");
    assert!(printed.contains("ERROR burst.toml"), "{printed}");
    assert!(printed.contains("`traffic.rate` needs a unit"), "{printed}");
    assert!(
        printed.contains("5 passed, 1 could not be run"),
        "{printed}"
    );
    assert_eq!(
        fs::read_to_string(folder.path("baseline.json")).unwrap(),
        committed
    );
}

#[test]
fn a_baseline_that_is_none_is_refused() {
    let folder = Folder::new();
    fs::write(folder.path("baseline.json"), "{}").unwrap();
    let error = folder.try_check("", &[]).unwrap_err();
    let said = error.downcast_ref::<Diagnostic>().unwrap().render();
    assert!(said.contains("baseline.json` cannot be read"), "{said}");
    assert!(said.contains("--update-baseline"), "{said}");
}
