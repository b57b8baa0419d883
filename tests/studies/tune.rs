//! `rollcast tune`.

use std::path::Path;

use rollcast::diagnostic::SourceText;
use rollcast::scenario;
use rollcast::study::tune::Tuned;
use rollcast::study::tune::space;
use serde_json::Value;

use crate::{arg, files, printed, refusal, rollcast};

/// A small space: two knobs, nine combinations, few runs.
const SPACE: &str = r#"
set = ["traffic.rate=20/s", "run.horizon=8m", "run.warm_up=2m"]

[search]
method = "grid"
first_runs = 10
runs = 200
finalists = 3
confirm = 100

[[knobs]]
key = "canary.spec.analysis.stepWeight"
values = [10, 25, 50]

[[knobs]]
name = "min success"
key = "canary.spec.analysis.metrics.request-success-rate.thresholdRange.min"
values = [50, 90, 99.9]

[[releases]]
name = "noisy"
kind = "good"
set = ["versions.v2.env.FAIL_RATE=0.01"]

[[releases]]
name = "broken"
kind = "bad"
set = ["versions.v2.env.FAIL_RATE=0.3"]

[targets]
false_rollback = 0.05
missed_regression = 0.05
done_in = "6m"
"#;

fn write(dir: &Path, text: &str) -> String {
    let path = dir.join("space.toml");
    std::fs::write(&path, text).unwrap();
    arg(&path)
}

fn tune(space: &str, args: &[&str]) -> std::process::Output {
    let mut all = vec!["tune", "scenarios/chaos30.toml", "--space", space];
    all.extend(args);
    rollcast(&all)
}

#[test]
fn a_search_recommends_what_meets_its_targets_and_simulate_takes_it() {
    let dir = tempfile::tempdir().unwrap();
    let space = write(dir.path(), SPACE);
    let search = |threads: &str| {
        let out = dir.path().join(threads);
        let text = printed(
            tune(&space, &["--threads", threads, "--out", &arg(&out)]),
            0,
        );
        (text.replace(&arg(&out), "OUT"), files(&out))
    };
    let (text, found) = search("1");
    assert_eq!((text.clone(), found.clone()), search("2"));
    let names: Vec<&str> = found.keys().filter_map(|name| name.to_str()).collect();
    assert_eq!(
        names,
        [
            "candidates.csv",
            "heat.svg",
            "operating.svg",
            "pareto.svg",
            "recommendation.yaml",
            "sensitivity.svg",
            "tune.json"
        ]
    );
    let tuned: Tuned = serde_json::from_slice(&found[Path::new("tune.json")]).unwrap();
    assert_eq!(tuned.candidates.len(), 10);
    let number = tuned.recommended.unwrap();
    let candidate = &tuned.candidates[number];
    // A bound of 99.9 % rolls a release back that fails one request in a hundred, one of 50 % lets three in ten pass.
    assert_eq!(candidate.settings[1].value, "90");
    assert!(candidate.meets_all() && candidate.is_finalist());
    assert_eq!(candidate.evidence[0].runs, 200);
    assert_eq!(tuned.confirmations.last().unwrap().candidate, number);
    assert!(tuned.confirmations.last().unwrap().holds());
    for one in &tuned.candidates[1..] {
        if one.settings[1].value != "90" {
            assert!(!one.meets_all(), "{one:?}");
        }
    }
    assert!(
        text.contains(&format!("Recommended: candidate {number}")),
        "{text}"
    );
    assert!(text.contains("Successive halving"), "{text}");
    let rows = String::from_utf8(found[Path::new("candidates.csv")].clone()).unwrap();
    assert_eq!(rows.lines().count(), 11);

    // The patch is what the candidate was.
    let patch = arg(&dir.path().join("1/recommendation.yaml"));
    let run = dir.path().join("run");
    let simulated = rollcast(&[
        "simulate",
        "scenarios/chaos30.toml",
        "--patch",
        &patch,
        "--out",
        &arg(&run),
    ]);
    printed(simulated, 0);
    let record: Value =
        serde_json::from_slice(&std::fs::read(run.join("run.json")).unwrap()).unwrap();
    let analysis = &record["scenario"]["manifests"]["canary"]["spec"]["analysis"];
    assert_eq!(
        analysis["stepWeight"].to_string(),
        candidate.settings[0].value
    );
    assert_eq!(analysis["metrics"][0]["thresholdRange"]["min"], 90.0);
    assert_eq!(analysis["metrics"][1]["thresholdRange"]["max"], 500.0);
    assert_eq!(analysis["interval"], "30s");
    // What no object holds stands beside it.
    assert_eq!(tuned.besides[0], "traffic.rate=20/s");

    // Why, from the files alone: asked of another candidate, and at once.
    let explain = |number: usize| {
        let number = number.to_string();
        let out = arg(&dir.path().join("1"));
        printed(tune(&space, &["--out", &out, "--explain", &number]), 0)
    };
    assert!(
        explain(number).contains("Recommended: it meets all targets"),
        "{}",
        explain(number)
    );
    let dropped = tuned
        .candidates
        .iter()
        .position(|one| !one.is_finalist())
        .unwrap();
    assert!(
        explain(dropped).contains("Dropped in round 1"),
        "{}",
        explain(dropped)
    );
    assert!(
        explain(0).contains("the scenario as it stands"),
        "{}",
        explain(0)
    );
    let beyond = tune(
        &space,
        &["--out", &arg(&dir.path().join("1")), "--explain", "10"],
    );
    assert!(refusal(beyond).contains("from 0"));
}

#[test]
fn where_nothing_meets_the_targets_nothing_is_recommended_and_the_code_is_1() {
    let dir = tempfile::tempdir().unwrap();
    let text = SPACE.replace("values = [50, 90, 99.9]", "values = [99.8, 99.9]");
    let space = write(dir.path(), &text);
    let out = dir.path().join("out");
    let text = printed(tune(&space, &["--out", &arg(&out)]), 1);
    assert!(text.contains("No candidate meets all targets"), "{text}");
    assert!(
        text.contains("noisy: rolled back in at most 5.0 %"),
        "{text}"
    );
    let patch = std::fs::read_to_string(out.join("recommendation.yaml")).unwrap();
    assert!(patch.lines().all(|line| line.starts_with('#')), "{patch}");
}

#[test]
fn the_committed_space_is_sound() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("spaces/chaos30.toml");
    let space = space::read(&scenario::toml(&path, "space").unwrap()).unwrap();
    assert_eq!((space.candidates, space.effort.runs), (200, 2000));
    assert!(space.combinations() > 200);
    // Every value of every knob is one that the scenario takes, with every release.
    let scenario = path.with_file_name("../scenarios/chaos30.toml");
    let longest = space
        .knobs
        .iter()
        .map(|knob| knob.values.len())
        .max()
        .unwrap();
    for at in 0..longest {
        let levels: Vec<usize> = space
            .knobs
            .iter()
            .map(|knob| at % knob.values.len())
            .collect();
        for release in &space.releases {
            let set = space.assigned(&levels, release);
            let mut set: Vec<_> = set.iter().map(space::Assigned::as_override).collect();
            set.push(rollcast::scenario::Override {
                key: "run.traffic_model".to_owned(),
                value: "aggregate".to_owned(),
            });
            scenario::load(&scenario, &set).unwrap_or_else(|error| panic!("{error}"));
        }
    }
}

/// A mistake, by what of the sound space it replaces; then what the message says, and the line it points at.
const MISTAKES: [(&str, &str, &str, &str); 18] = [
    (
        "method = \"grid\"",
        "metod = \"grid\"",
        "unknown key `search.metod`",
        "metod",
    ),
    (
        "method = \"grid\"",
        "method = \"random\"",
        "must be `grid` or `latin-hypercube`",
        "method",
    ),
    (
        "method = \"grid\"",
        "method = \"grid\"\ncandidates = 5",
        "`search.candidates` has no meaning",
        "candidates = 5",
    ),
    (
        "method = \"grid\"",
        "candidates = 50",
        "there are 9 combinations and not the 50",
        "candidates = 50",
    ),
    (
        "first_runs = 10",
        "first_runs = 500",
        "`search.first_runs` is more than `search.runs`",
        "first_runs",
    ),
    (
        "runs = 200",
        "runs = 0",
        "`search.runs` must be from 1",
        "runs = 0",
    ),
    (
        "values = [10, 25, 50]",
        "values = [10]",
        "has fewer than two values",
        "[[knobs]]",
    ),
    (
        "values = [10, 25, 50]",
        "values = [10, 25, 10]",
        "has the value 10 twice",
        "values = [10, 25, 10]",
    ),
    (
        "values = [10, 25, 50]",
        "from = 10",
        "has no values",
        "[[knobs]]",
    ),
    (
        "values = [10, 25, 50]",
        "from = 10\nto = 5\nstep = 1",
        "is no range",
        "[[knobs]]",
    ),
    (
        "values = [10, 25, 50]",
        "values = [10, \"much\"]",
        "stepWeight",
        "values = [10, \"much\"]",
    ),
    (
        "key = \"canary.spec.analysis.stepWeight\"",
        "key = \"canary.spec.analysis.stepWeigth\"",
        "stepWeigth",
        "values = [10, 25, 50]",
    ),
    (
        "key = \"canary.spec.analysis.stepWeight\"\n",
        "",
        "the knob has no `key`",
        "[[knobs]]",
    ),
    (
        "kind = \"bad\"",
        "kind = \"good\"",
        "there is no bad release",
        "[[releases]]",
    ),
    (
        "\"versions.v2.env.FAIL_RATE=0.3\"",
        "\"versions.v2.env.FAIL_RATE\"",
        "a key and a value are needed",
        "set = [\"versions.v2.env.FAIL_RATE\"]",
    ),
    (
        "\"versions.v2.env.FAIL_RATE=0.3\"",
        "\"versions.v3.fail=0.3\"",
        "versions.v3.fail",
        "set = [\"versions.v3.fail=0.3\"]",
    ),
    (
        "false_rollback = 0.05",
        "false_rollback = 5",
        "5 % is 0.05",
        "false_rollback = 5",
    ),
    (
        "done_in = \"6m\"",
        "done_in = \"6\"",
        "\"6\" is no time",
        "done_in",
    ),
];

#[test]
fn mistakes_in_a_space_are_named_with_their_place_and_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    for (right, wrong, says, line) in MISTAKES {
        let text = SPACE.replacen(right, wrong, 1);
        assert_ne!(text, SPACE, "{right}");
        let space = write(dir.path(), &text);
        let message = refusal(tune(&space, &["--no-out"]));
        assert!(message.contains(says), "{wrong}: {message}");
        assert!(message.contains("space.toml:"), "{wrong}: {message}");
        let cure = message.contains("help") || message.contains("must be");
        assert!(cure, "{wrong}: {message}");
        assert!(
            message.contains(line),
            "{wrong}: not at `{line}`: {message}"
        );
    }
    let missing = refusal(tune("no-such.toml", &["--no-out"]));
    assert!(missing.contains("there is no such file"), "{missing}");
}

#[test]
fn a_patch_of_what_is_not_there_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let patch = dir.path().join("patch.yaml");
    for (text, says) in [
        (
            "apiVersion: flagger.app/v1beta1\nkind: Canary\nmetadata: { name: other }\nspec: { suspend: true }\n",
            "no Canary `other`",
        ),
        (
            "apiVersion: v1\nkind: Pod\nmetadata: { name: x }\n",
            "cannot change a Pod",
        ),
        (
            "apiVersion: flagger.app/v1beta1\nkind: Canary\nspec: { suspend: true }\n",
            "does not say what it changes",
        ),
        (
            "apiVersion: flagger.app/v1beta1\nkind: Canary\nmetadata: { name: load-harness }\nspec: { analysis: { threshold: many } }\n",
            "threshold",
        ),
    ] {
        std::fs::write(&patch, text).unwrap();
        let message = refusal(rollcast(&[
            "simulate",
            "scenarios/chaos30.toml",
            "--no-out",
            "--patch",
            &arg(&patch),
        ]));
        assert!(message.contains(says), "{text}: {message}");
        assert!(message.contains("patch.yaml:"), "{text}: {message}");
    }
}

#[test]
fn ranges_of_numbers_and_times_are_their_values() {
    let text = SPACE
        .replace("values = [10, 25, 50]", "from = 0.1\nto = 0.5\nstep = 0.1")
        .replace(
            "values = [50, 90, 99.9]",
            "from = \"15s\"\nto = \"1m\"\nstep = \"15s\"",
        );
    let space = space::read(&SourceText::new("space.toml", text)).unwrap();
    let shown = |knob: usize| -> Vec<&str> {
        space.knobs[knob]
            .values
            .iter()
            .map(|value| &*value.shown)
            .collect()
    };
    assert_eq!(shown(0), ["0.1", "0.2", "0.3", "0.4", "0.5"]);
    assert_eq!(shown(1), ["15s", "30s", "45s", "1m0s"]);
}
