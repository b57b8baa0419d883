//! `rollcast query` and `simulate --series`: asked through the program itself.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

const DUMP: &str = "\
requests_total{code=\"200\"} 0 1000
requests_total{code=\"200\"} 60 1030
requests_total{code=\"200\"} 120 1060
requests_total{code=\"500\"} 1 1060
# EOF
";

#[test]
fn a_file_is_asked_at_a_moment_or_at_its_newest_sample() {
    let dir = tempfile::tempdir().unwrap();
    let dump = dump(dir.path(), DUMP);
    let shown = answered(&["increase(requests_total[1m])", "--openmetrics", &dump]);
    assert_eq!(shown, "{code=\"200\"} 120\n");
    let shown = answered(&["requests_total", "--openmetrics", &dump, "--at", "1031.5"]);
    assert_eq!(shown, "requests_total{code=\"200\"} 60\n");
    let shown = answered(&["requests_total", "--openmetrics", &dump, "--at", "0"]);
    assert_eq!(shown, "no series answers\n");
    assert_eq!(answered(&["1e6", "--openmetrics", &dump]), "1000000\n");
}

#[test]
fn a_range_is_a_line_a_sample() {
    let dir = tempfile::tempdir().unwrap();
    let dump = dump(dir.path(), DUMP);
    let range = ["--from", "1030", "--to", "1090", "--step", "30s"];
    let mut args = vec!["sum(requests_total)", "--openmetrics", &dump];
    args.extend(range);
    assert_eq!(
        answered(&args),
        "{}\n  1030  60\n  1060  121\n  1090  121\n"
    );
}

#[test]
fn json_is_what_the_api_answers() {
    let dir = tempfile::tempdir().unwrap();
    let dump = dump(dir.path(), DUMP);
    let ask = |expr: &str, more: &[&str]| -> Value {
        let mut args = vec![expr, "--openmetrics", &dump, "--format", "json"];
        args.extend(more);
        serde_json::from_str(&answered(&args)).unwrap()
    };
    assert_eq!(
        ask("requests_total / 0", &[]),
        json!({ "status": "success", "data": { "resultType": "vector", "result": [
            { "metric": { "code": "200" }, "value": [1060, "+Inf"] },
            { "metric": { "code": "500" }, "value": [1060, "+Inf"] },
        ]}})
    );
    let range = ["--from", "1029.5", "--to", "1059.5", "--step", "30"];
    assert_eq!(
        ask("requests_total", &range)["data"]["result"][0]["values"],
        json!([[1029.5, "0"], [1059.5, "60"]])
    );
    let remarks = ask("rate(requests[1m])", &[]);
    assert_eq!(remarks["data"]["result"], json!([]));
    let quantile = ask("quantile(2, requests_total)", &[]);
    let warnings = quantile["warnings"].as_array().unwrap();
    assert!(
        warnings[0].as_str().unwrap().ends_with("(1:10)"),
        "{warnings:?}"
    );
}

#[test]
fn the_version_decides_where_windows_end() {
    let dir = tempfile::tempdir().unwrap();
    let dump = dump(dir.path(), DUMP);
    let counted = |version: &str| {
        let expr = "count_over_time(requests_total{code=\"200\"}[30s])";
        let at = ["--at", "1060", "--prometheus-version", version];
        let mut args = vec![expr, "--openmetrics", &dump];
        args.extend(at);
        answered(&args)
    };
    assert_eq!(counted("3"), "{code=\"200\"} 1\n");
    assert_eq!(counted("2.42"), "{code=\"200\"} 2\n");
}

#[test]
fn errors_point_into_the_query_or_the_file_and_exit_with_2() {
    let dir = tempfile::tempdir().unwrap();
    let good = dump(dir.path(), DUMP);
    let cut = dir.path().join("cut.om");
    std::fs::write(&cut, "a 1 1\n").unwrap();
    let cut = cut.to_str().unwrap();
    let here = dir.path().to_str().unwrap();
    for (args, said) in [
        (
            &["rate(requests_total)", "--openmetrics", &good][..],
            &["expected type range vector", "query:1:6", "^^^^^^^^^^^^^^"][..],
        ),
        (
            &[
                "requests_total + on() requests_total",
                "--openmetrics",
                &good,
            ],
            &["found duplicate series", "query:1:"],
        ),
        (&["sum(", "--openmetrics", &good], &["query:1:"]),
        (&["up", "--openmetrics", cut], &["cut.om", "2:1", "# EOF"]),
        (
            &["up", "--openmetrics", "nowhere.om"],
            &["cannot read nowhere.om"],
        ),
        (&["up", "--run", here], &["run.json", "simulate --series"]),
        (&["up"], &["--openmetrics <FILE>"]),
        (
            &["up", "--openmetrics", &good, "--run", here],
            &["cannot be used with"],
        ),
        (&["up", "--openmetrics", &good, "--at", "noon"], &["1m30s"]),
        (&["up", "--openmetrics", &good, "--from", "1"], &["--to"]),
        (
            &[
                "up",
                "--openmetrics",
                &good,
                "--from",
                "2",
                "--to",
                "1",
                "--step",
                "1s",
            ],
            &["`--to` lies before `--from`"],
        ),
        (
            &[
                "up",
                "--openmetrics",
                &good,
                "--from",
                "0",
                "--to",
                "1e6",
                "--step",
                "1ms",
            ],
            &["11,000 points"],
        ),
        (
            &[
                "up",
                "--openmetrics",
                &good,
                "--from",
                "1",
                "--to",
                "2",
                "--step",
                "0s",
            ],
            &["longer than 0"],
        ),
    ] {
        let output = query(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(output.stdout.is_empty(), "{args:?}");
        let error = String::from_utf8(output.stderr).unwrap();
        for word in said {
            assert!(error.contains(word), "{args:?}: {word} is not in {error}");
        }
    }
}

#[test]
fn a_run_is_asked_on_its_own_clock_and_answers_as_its_checks_saw_it() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    let out = out.to_str().unwrap();
    let line = [
        "simulate",
        "scenarios/chaos30.toml",
        "--series",
        "--out",
        out,
    ];
    assert!(rollcast(&line).status.success());
    let record = std::fs::read_to_string(Path::new(out).join("run.json")).unwrap();
    let record: Value = serde_json::from_str(&record).unwrap();

    let mut asked = 0;
    let ticks = record["ticks"].as_array().unwrap().iter();
    for seen in ticks.flat_map(|tick| tick["queries"].as_array().unwrap()) {
        let at = seen["evaluated_at_s"].to_string();
        let text = seen["text"].as_str().unwrap();
        let answer = answered(&[text, "--run", out, "--at", &at, "--format", "json"]);
        let answer: Value = serde_json::from_str(&answer).unwrap();
        let value = &answer["data"]["result"][0]["value"][1];
        let value = value.as_str().and_then(|value| value.parse::<f64>().ok());
        assert_eq!(
            value.filter(|value| value.is_finite()),
            seen["value"].as_f64(),
            "{text} at {at}"
        );
        asked += 1;
    }
    assert!(asked >= 2, "{asked} queries were asked");

    let range = ["--from", "-0:30", "--to", "0:30", "--step", "30s"];
    let expr = "count(nginx_ingress_controller_requests) * 0";
    let mut args = vec![expr, "--run", out];
    args.extend(range);
    assert_eq!(answered(&args), "{}\n  -0:30  0\n  0:00  0\n  0:30  0\n");
}

#[test]
fn series_change_nothing_else_of_a_run() {
    let dir = tempfile::tempdir().unwrap();
    let record = |name: &str, more: &[&str]| {
        let out = dir.path().join(name);
        let mut line = vec!["simulate", "scenarios/healthy.toml", "--out"];
        line.push(out.to_str().unwrap());
        line.extend(more);
        assert!(rollcast(&line).status.success());
        std::fs::read(out.join("run.json")).unwrap()
    };
    assert_eq!(record("with", &["--series"]), record("without", &[]));
    assert!(dir.path().join("with/series.om").exists());
    assert!(!dir.path().join("without/series.om").exists());
}

fn dump(directory: &Path, text: &str) -> String {
    let file = directory.join("dump.om");
    std::fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}

fn answered(args: &[&str]) -> String {
    let output = query(args);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{args:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

fn query(args: &[&str]) -> Output {
    rollcast(&[&["query"], args].concat())
}

fn rollcast(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rollcast"))
        .args(args)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap()
}
