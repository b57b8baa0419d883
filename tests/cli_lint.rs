//! `rollcast lint`: what it prints, how it ends.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn lint(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rollcast"))
        .arg("lint")
        .args(args)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")))
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn json(args: &[&str]) -> Value {
    let out = lint(&[args, &["--format", "json"]].concat());
    serde_json::from_slice(&out.stdout).unwrap_or_else(|e| panic!("{e}: {}", text(&out.stderr)))
}

#[test]
fn the_effective_configuration_comes_first_then_findings_with_what_to_change() {
    let out = lint(&["scenarios/load-harness"]);
    let shown = text(&out.stdout);
    assert_eq!(out.status.code(), Some(1), "{shown}");
    for part in [
        "applications/load-harness: provider kubernetes, rules flagger",
        "  fastest promotion   6m0s after detection (12 intervals); over after 7m0s (14)",
        "  fastest rollback    2m30s (5 intervals), when every check fails",
        "error[kubernetes-weights] scenarios/load-harness/canary.yaml:25:17",
        "error[builtin-name]",
        "info[threshold-meaning]",
    ] {
        assert!(shown.contains(part), "{part}:\n{shown}");
    }
}

#[test]
fn json_has_effective_values_as_flagger_writes_durations_and_findings_with_places() {
    let report = json(&[
        "tests/lint/window-too-short/fails.yaml",
        "--set",
        "prometheus.scrape_interval=5s",
    ]);
    let effective = &report["effective"];
    assert_eq!(effective["interval"], "30s");
    assert_eq!(effective["threshold"], 1);
    assert_eq!(effective["maxWeight"], 50);
    assert_eq!(effective["progressDeadline"], "600s");
    assert_eq!(effective["arithmetic"]["fastestPromotion"], "3m0s");
    assert_eq!(effective["arithmetic"]["slowestRollbackIntervals"], 7);
    let finding = &report["findings"][0];
    assert_eq!(finding["code"], "window-too-short");
    assert_eq!(finding["severity"], "error");
    assert_eq!(finding["file"], "tests/lint/window-too-short/fails.yaml");
    assert_eq!(finding["line"], 27);
    for key in ["message", "why", "change"] {
        assert!(
            finding[key].as_str().is_some_and(|s| !s.is_empty()),
            "{key}"
        );
    }
}

#[test]
fn an_interval_below_the_floor_is_told_as_what_it_becomes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("canary.yaml");
    let good = std::fs::read_to_string("tests/lint/low-power/fails.yaml").unwrap();
    let quick = good
        .replace("interval: 30s", "interval: 5s")
        .replace("threshold: 1", "threshold: 0");
    std::fs::write(&path, quick).unwrap();
    let effective = &json(&[path.to_str().unwrap()])["effective"];
    assert_eq!(effective["interval"], "10s");
    assert_eq!(effective["threshold"], 1);
    let notes = effective["notes"].to_string();
    assert!(notes.contains("10s is Flagger's floor"), "{notes}");
}

#[test]
fn sarif_has_a_rule_for_every_result() {
    let out = lint(&["scenarios/load-harness", "--format", "sarif"]);
    let sarif: Value = serde_json::from_slice(&out.stdout).unwrap();
    let run = &sarif["runs"][0];
    let rules: Vec<&Value> = run["tool"]["driver"]["rules"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| &r["id"])
        .collect();
    let results = run["results"].as_array().unwrap();
    assert!(!results.is_empty());
    for result in results {
        assert!(rules.contains(&&result["ruleId"]), "{result}");
        let place = &result["locations"][0]["physicalLocation"];
        assert_eq!(
            place["artifactLocation"]["uri"],
            "scenarios/load-harness/canary.yaml"
        );
        assert!(place["region"]["startLine"].as_u64() > Some(1));
    }
}

#[test]
fn codes_are_denied_allowed_and_explained() {
    let example = "tests/lint/threshold-meaning/fails.yaml";
    let usual = ["--set", "prometheus.scrape_interval=5s", "--rate", "200/s"];
    let code = |more: &[&str]| lint(&[&[example], &usual[..], more].concat()).status.code();
    assert_eq!(code(&[]), Some(0));
    assert_eq!(code(&["--deny", "threshold-meaning"]), Some(1));
    let left_out = lint(&[&[example], &usual[..], &["--allow", "threshold-meaning"]].concat());
    assert!(!text(&left_out.stdout).contains("threshold-meaning"));
    let explained = text(&lint(&["--explain", "late-series"]).stdout);
    assert!(
        explained.starts_with("late-series (error)\n"),
        "{explained}"
    );
    let unknown = lint(&["--explain", "late-serie"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(text(&unknown.stderr).contains("did you mean `late-series`?"));
}

#[test]
fn what_cannot_be_read_is_a_finding_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("canary.yaml");
    let good = std::fs::read_to_string("tests/lint/low-power/fails.yaml").unwrap();
    std::fs::write(&path, good.replace("provider: nginx", "provider: istio")).unwrap();
    let report = json(&[path.to_str().unwrap()]);
    let finding = &report["findings"][0];
    assert_eq!(
        (&finding["code"], &finding["line"]),
        (&Value::from("refused"), &Value::from(6))
    );
    assert!(finding["change"].as_str().unwrap().contains("--as nginx"));
    assert_eq!(lint(&["no/such/folder"]).status.code(), Some(2));
}

#[test]
fn schema_prints_the_committed_schema() {
    let out = Command::new(env!("CARGO_BIN_EXE_rollcast"))
        .arg("schema")
        .output()
        .unwrap();
    assert_eq!(
        text(&out.stdout),
        std::fs::read_to_string("schema/scenario.schema.json").unwrap()
    );
}
