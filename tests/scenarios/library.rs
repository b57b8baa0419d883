//! `scenarios/library/`: each file answers a public question, its expectations hold, and the index says the same.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use rollcast::scenario::{self, Scenario};
use rollcast::sim;
use rollcast::study::expectation::evaluate;

/// The lines that a file's opening comment has to have.
const PARTS: [&str; 3] = ["# Question (", "# Answer: ", "# Change: "];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/library")
}

/// Every scenario of the library, by its file's name.
fn files() -> BTreeMap<String, String> {
    let entries = std::fs::read_dir(folder()).unwrap();
    entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "toml"))
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read_to_string(&path).unwrap())
        })
        .collect()
}

fn load(name: &str) -> Scenario {
    scenario::load(&folder().join(name), &[]).unwrap_or_else(|error| panic!("{error}"))
}

/// `owner/repo#n` of the question that a file names.
fn asked_in(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once(PARTS[0])?;
    let (issue, _) = rest.split_once("):")?;
    let (repository, number) = issue.split_once('#')?;
    let named = repository.split('/').filter(|part| !part.is_empty());
    (named.count() == 2 && number.parse::<u32>().is_ok()).then_some(issue)
}

#[test]
fn there_are_at_least_25_and_each_opens_with_question_answer_and_change() {
    let files = files();
    assert!(files.len() >= 25, "{} scenarios", files.len());
    for (name, text) in &files {
        let comment: Vec<&str> = text.lines().take_while(|l| l.starts_with('#')).collect();
        let shows = comment.first().map_or(0, |line| line.len());
        assert!(shows > 20, "{name} does not say what it shows");
        for part in PARTS {
            let found = comment.iter().any(|line| line.starts_with(part));
            assert!(found, "{name} has no line `{part}...`");
        }
        assert!(asked_in(text).is_some(), "{name} names no owner/repo#n");
    }
}

#[test]
fn the_index_names_every_scenario_with_its_question_and_no_other() {
    let index = std::fs::read_to_string(folder().join("README.md")).unwrap();
    let mut listed = BTreeSet::new();
    for row in index.lines().filter(|line| line.contains(".toml](")) {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").collect();
        let [_, file, answer, asked] = cells.as_slice() else {
            panic!("not question, file, answer, issue: {row}");
        };
        let (_, name) = file.split_once("](").unwrap();
        let name = name.trim().trim_end_matches(')');
        let text = std::fs::read_to_string(folder().join(name));
        let text = text.unwrap_or_else(|error| panic!("{name}: {error}"));
        let issue = asked_in(&text).unwrap();
        assert!(asked.contains(&format!("[{issue}](")), "{name}: {asked}");
        assert!(!answer.trim().is_empty(), "{name} has no answer");
        assert!(listed.insert(name.to_owned()), "{name} is listed twice");
    }
    let there: BTreeSet<String> = files().into_keys().collect();
    assert_eq!(listed, there);
}

#[test]
fn every_scenario_ends_as_it_expects() {
    for name in files().keys() {
        let scenario = load(name);
        let expect = scenario.expect.as_ref();
        let expect = expect.unwrap_or_else(|| panic!("{name} expects nothing"));
        assert!(expect.outcome.is_some(), "{name} expects no outcome");
        let results = evaluate(expect, &sim::simulate(&scenario));
        let missed: Vec<_> = results.iter().filter(|result| !result.met).collect();
        assert!(missed.is_empty(), "{name}: {missed:?}");
    }
}

#[test]
fn findings_name_the_cause_that_the_answer_names() {
    for (name, code) in [
        ("first-failures-unseen", "born-with-failures"),
        ("flapping-pods", "born-with-failures"),
        ("same-version-again", "failed-version-again"),
        ("one-label-for-both", "diluted"),
        ("window-of-one-scrape", "scrape-interval"),
        ("second-rollout", "scrape-interval"),
    ] {
        let record = sim::simulate(&load(&format!("{name}.toml")));
        let codes: Vec<&str> = record.findings.iter().map(|f| f.code.as_str()).collect();
        assert!(codes.contains(&code), "{name}: {codes:?}");
        // Every query of these but one keeps the primary's requests out.
        assert_eq!(codes.contains(&"diluted"), code == "diluted", "{name}");
    }
}
