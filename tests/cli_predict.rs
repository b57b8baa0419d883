//! `rollcast predict` and `rollcast merge`: many runs, the same bytes on any number of threads and in any number of parts.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// Runs the program on a short version of a scenario's run.
fn rollcast(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rollcast"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(args)
        .output()
        .unwrap()
}

/// `predict` of chaos30 at a tenth of its traffic, cut off after three minutes.
fn predict(args: &[&str]) -> Output {
    let mut all = vec![
        "predict",
        "scenarios/chaos30.toml",
        "--set",
        "traffic.rate=20/s",
        "--set",
        "run.horizon=3m",
        "--runs",
        "30",
    ];
    all.extend(args);
    rollcast(&all)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn ok(output: Output) -> String {
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

/// The message of a command that could not run.
fn refusal(output: Output) -> String {
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stdout));
    text(&output.stderr)
}

fn files(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let bytes = std::fs::read(&path).unwrap();
            (PathBuf::from(path.file_name().unwrap()), bytes)
        })
        .collect()
}

#[test]
fn threads_and_parts_change_no_byte() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let arg = |path: &Path| path.to_str().unwrap().to_owned();
    let printed = |out: &str, threads: &str| {
        let out = arg(&at(out));
        let text = ok(predict(&[
            "--threads",
            threads,
            "--out",
            &out,
            "--slo",
            "99.9%",
        ]));
        text.replace(&out, "OUT")
    };
    let one = printed("one", "1");
    let two = printed("two", "2");
    assert_eq!(one, two);
    let whole = files(&at("one"));
    assert_eq!(whole, files(&at("two")));
    let names: Vec<&str> = whole.keys().filter_map(|name| name.to_str()).collect();
    assert_eq!(
        names,
        [
            "decided.svg",
            "forecast.json",
            "outcomes.svg",
            "runs.csv",
            "success.svg"
        ]
    );

    let parts = arg(&at("parts"));
    for part in ["2/4", "0/4", "3/4", "1/4"] {
        ok(predict(&[
            "--shard", part, "--out", &parts, "--slo", "99.9%",
        ]));
    }
    let shards: Vec<String> = files(&at("parts"))
        .keys()
        .rev()
        .map(|name| arg(&at("parts").join(name)))
        .collect();
    assert_eq!(shards.len(), 4);
    let merged = arg(&at("merged"));
    let mut args = vec!["merge", "--out", &merged];
    args.extend(shards.iter().map(String::as_str));
    let joined = ok(rollcast(&args)).replace(&merged, "OUT");
    assert_eq!(joined, one);
    assert_eq!(files(&at("merged")), whole);
}

#[test]
fn the_summary_counts_every_run_and_names_what_decided() {
    let printed = ok(predict(&["--format", "json", "--no-out", "--seed", "5"]));
    let summary: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(
        (&summary["runs"], &summary["first_seed"]),
        (&30.into(), &5.into())
    );
    let outcomes = summary["outcomes"].as_object().unwrap();
    assert_eq!(outcomes.len(), 5);
    let counts = outcomes
        .values()
        .map(|share| share["count"].as_u64().unwrap());
    assert_eq!(counts.sum::<u64>(), 30);
    // 45 requests or so in the window of the first check, of which 30 % fail: no run passes.
    let rolled_back = &summary["outcomes"]["rolled-back"];
    assert_eq!(rolled_back["count"], 30);
    assert_eq!(rolled_back["p"], 1.0);
    let lo = rolled_back["lo"].as_f64().unwrap();
    // Wilson for 30 of 30: n / (n + z²).
    assert!((lo - 30.0 / (30.0 + 3.841_458_8)).abs() < 1e-6, "{lo}");
    assert_eq!(summary["decided_at_s"]["p50"], 60.0);
    assert_eq!(summary["decided_by"]["request-success-rate"]["count"], 30);
    assert!(summary["requests"]["failed"]["mean"].as_f64().unwrap() > 1.0);
}

#[test]
fn a_run_of_many_is_the_one_that_simulate_shows() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().to_str().unwrap();
    ok(predict(&["--out", out]));
    let mut rows = csv::Reader::from_path(dir.path().join("runs.csv")).unwrap();
    let row = rows.records().nth(16).unwrap().unwrap();
    assert_eq!(&row[0], "17");
    let printed = ok(rollcast(&[
        "simulate",
        "scenarios/chaos30.toml",
        "--set",
        "traffic.rate=20/s",
        "--set",
        "run.horizon=3m",
        "--seed",
        "17",
        "--no-out",
        "--format",
        "json",
    ]));
    let summary: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(&row[1], summary["outcome"].as_str().unwrap());
    assert_eq!(
        row[2].parse::<f64>().unwrap(),
        summary["decided_at_s"].as_f64().unwrap()
    );
    assert_eq!(
        row[5].parse::<u64>().unwrap(),
        summary["requests"]["total"].as_u64().unwrap()
    );
    assert_eq!(
        row[6].parse::<u64>().unwrap(),
        summary["requests"]["failed"].as_u64().unwrap()
    );
}

#[test]
fn runs_go_on_until_the_intervals_are_narrow() {
    let printed = ok(rollcast(&[
        "predict",
        "scenarios/chaos30.toml",
        "--set",
        "traffic.rate=5/s",
        "--set",
        "run.horizon=2m",
        "--until-width",
        "0.01",
        "--no-out",
        "--format",
        "json",
    ]));
    let summary: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(summary["runs"], summary["planned"]);
    for share in summary["outcomes"].as_object().unwrap().values() {
        let width = share["hi"].as_f64().unwrap() - share["lo"].as_f64().unwrap();
        assert!(width <= 0.01, "{share}");
    }
}

#[test]
fn the_worst_run_tells_its_story() {
    let printed = ok(predict(&["--no-out", "--replay", "worst"]));
    assert!(
        printed.contains("Runs worth a second look: seed "),
        "{printed}"
    );
    assert!(
        printed.contains("Rolled back: decided at 1:00"),
        "{printed}"
    );
}

#[test]
fn parts_that_are_no_whole_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    for part in ["0/2", "1/2"] {
        ok(predict(&["--shard", part, "--out", &path("a")]));
    }
    ok(predict(&[
        "--shard",
        "1/2",
        "--out",
        &path("b"),
        "--seed",
        "9",
    ]));
    let first = path("a/shard-0-of-2.json");
    let second = path("a/shard-1-of-2.json");
    let foreign = path("b/shard-1-of-2.json");
    let cut = path("cut.json");
    let whole = std::fs::read_to_string(&first).unwrap();
    std::fs::write(&cut, &whole[..whole.len() / 2]).unwrap();
    for (parts, message) in [
        (
            vec![&first],
            "part 1 is missing: there are 2, numbered from 0",
        ),
        (vec![&first, &second, &first], "part 0 is given twice"),
        (
            vec![&first, &foreign],
            "it belongs to another study: its seed is not",
        ),
        (vec![&cut], "is no part of a study"),
        (
            vec![&dir.path().join("none").to_str().unwrap().to_owned()],
            "cannot be read",
        ),
    ] {
        let mut args = vec!["merge", "--no-out"];
        args.extend(parts.iter().map(|part| part.as_str()));
        let said = refusal(rollcast(&args));
        assert!(said.contains(message), "{said}");
    }
}

#[test]
fn arguments_that_make_no_sense_are_refused() {
    for (args, message) in [
        (vec!["--runs", "0"], "0 is not in 1..=1000000"),
        (vec!["--shard", "4/4"], "a part is numbered from 0"),
        (vec!["--until-width", "2"], "a share between 0 and 1"),
        (vec!["--slo", "101"], "a percentage below 100"),
        (vec!["--slo-period", "30d"], "--slo <PERCENT>"),
        (vec!["--threads", "0"], "a number from 1 to 1024"),
        (
            vec!["--shard", "0/2", "--until-width", "0.1"],
            "cannot be used with",
        ),
    ] {
        let mut all = vec!["predict", "scenarios/chaos30.toml", "--no-out"];
        if args[0] == "--shard" {
            all.pop();
        }
        all.extend(&args);
        let said = refusal(rollcast(&all));
        assert!(said.contains(message), "{args:?}: {said}");
    }
}
