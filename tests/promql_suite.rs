//! Prometheus' own test scripts (tests/promql, Apache-2.0, see the notice there) against the evaluator.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use rollcast::promql::{Value, VectorSample, Version, parse_metric};
use rollcast::verify::promql::{Outcome, Scope, almost_equal, answers, run_files, run_script};
use serde::Deserialize;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/promql")
}

fn scripts() -> Vec<PathBuf> {
    let entries = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut scripts: Vec<_> = entries
        .filter(|path| path.extension().is_some_and(|ext| ext == "test"))
        .collect();
    scripts.sort();
    scripts
}

fn scope() -> Scope {
    Scope::from_json(&fs::read_to_string(folder().join("scope.json")).unwrap()).unwrap()
}

#[test]
fn every_case_in_scope_answers_as_prometheus_3_does() {
    let report = run_files(&scripts(), Some(&scope()), Version::V3).unwrap();
    assert_eq!((report.passed, report.failed), (888, 0), "{report}");
    assert_eq!(report.skipped, 2214 - 888);
}

/// What Debian's Prometheus 2.42 answered for a case, where it is not what the script says.
#[derive(Deserialize)]
struct Oracle {
    file: String,
    line: usize,
    differs: Option<String>,
}

/// The cases for which docs/promql-2.42.md gives a reason why the answer here is another than the oracle's.
fn documented_deviations() -> BTreeSet<(String, usize)> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/promql-2.42.md");
    let page = fs::read_to_string(page).unwrap();
    let rows = page
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
    let mut cases = BTreeSet::new();
    for cell in rows {
        let Some((file, lines)) = cell.split_once(".test ") else {
            continue;
        };
        for line in lines.split(", ") {
            cases.insert((format!("{file}.test"), line.parse().unwrap()));
        }
    }
    cases
}

/// Whether an answer is the one the oracle's note tells of.
fn tallies(note: &str, outcome: &Outcome) -> bool {
    if let Some(error) = note.strip_prefix("2.42 error: ") {
        let message = error
            .split_once("parse error: ")
            .map_or(error, |(_, message)| message);
        return outcome.as_ref().is_err_and(|ours| ours == message);
    }
    let Ok(answer) = outcome else {
        return false;
    };
    let Value::Vector(samples) = &answer.value else {
        return false;
    };
    // `{"labels": "value", ...}` in Python's notation, or one sample as `labels: exp X got Y`.
    if let Some((_, all)) = note.split_once(" got={") {
        let pairs: Vec<&str> = all
            .trim_end_matches('}')
            .split(", '")
            .filter(|pair| !pair.is_empty())
            .collect();
        return pairs.len() == samples.len()
            && pairs.iter().all(|pair| {
                let (labels, value) = pair.trim_start_matches('\'').rsplit_once("': ").unwrap();
                has(samples, labels, value)
            });
    }
    if let Some((labels, rest)) = note.split_once(": exp ") {
        return has(samples, labels, rest.split_once(" got ").unwrap().1);
    }
    match note.strip_prefix("3.x expects failure, 2.42 gave ") {
        Some("nil") => samples.is_empty(),
        Some(sample) => {
            let (labels, value) = sample.rsplit_once(' ').unwrap();
            samples.len() == 1 && has(samples, labels, value)
        }
        None => panic!("a note of another kind: {note}"),
    }
}

fn has(samples: &[VectorSample], labels: &str, value: &str) -> bool {
    let (labels, _) = parse_metric(labels).unwrap();
    let value: f64 = value.parse().unwrap();
    samples
        .iter()
        .any(|sample| sample.labels == labels && almost_equal(sample.value, value))
}

#[test]
fn every_instant_case_answers_as_prometheus_2_42_does_or_the_handbook_says_why() {
    let oracle = fs::read_to_string(folder().join("prometheus-2.42.json")).unwrap();
    let oracle: Vec<Oracle> = serde_json::from_str(&oracle).unwrap();
    assert_eq!(oracle.len(), 810);
    let mut deviating = BTreeSet::new();
    let mut shown = String::new();
    for script in scripts() {
        let name = script.file_name().unwrap().to_str().unwrap().to_owned();
        let text = fs::read_to_string(&script).unwrap();
        let answers = answers(&name, &text, Some(&scope()), Version::V2_42).unwrap();
        let report = run_script(&name, &text, Some(&scope()), Version::V2_42).unwrap();
        for case in oracle.iter().filter(|case| case.file == name) {
            let (_, query, outcome) = answers.iter().find(|answer| answer.0 == case.line).unwrap();
            let failure = report
                .failures
                .iter()
                .find(|failure| failure.line == case.line);
            let agrees = match &case.differs {
                // Failures have other texts in 2.42.
                None => {
                    failure.is_none_or(|f| outcome.is_err() && f.expected.starts_with("failure"))
                }
                Some(note) => tallies(note, outcome),
            };
            if !agrees {
                deviating.insert((name.clone(), case.line));
                let note = case.differs.as_deref().unwrap_or("as the script");
                shown.push_str(&format!(
                    "{name}:{} {query}\n  oracle {note}\n  ours {outcome:?}\n",
                    case.line
                ));
            }
        }
    }
    assert_eq!(deviating, documented_deviations(), "{shown}");
}
