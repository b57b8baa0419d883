//! Every file in `scenarios/` runs and ends as its opening comment says; the runbook's two drills over a hundred seeds.
//!
//! A failing seed is named in the message: `rollcast simulate scenarios/NAME.toml --seed SEED` shows the run.

mod chaos;
mod cluster;
mod drills;
mod flips;
mod gateway;
mod ingress;
mod library;
mod load_tests;
mod metrics;
mod pipeline;
mod scripts;
mod stories;

use std::path::{Path, PathBuf};

use rollcast::engine::Bound;
use rollcast::record::{CheckRow, Record, TimelineRow};
use rollcast::scenario::{self, Scenario};
use rollcast::sim;

/// The scenario of this name.
fn load(name: &str) -> Scenario {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("scenarios/{name}.toml"));
    scenario::load(&path, &[]).unwrap_or_else(|error| panic!("{error}"))
}

/// A run of the scenario under this seed.
fn run(scenario: &Scenario, seed: u64) -> Record {
    let mut scenario = scenario.clone();
    scenario.run.seed = seed;
    sim::simulate(&scenario)
}

/// Every scenario file.
fn all() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let entries = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = entries
        .filter(|path| path.extension().is_some_and(|e| e == "toml"))
        .collect();
    files.sort();
    files
}

/// Time in seconds and weights of each row up to the promotion or rollback.
fn weights(record: &Record) -> Vec<(f64, i64, i64)> {
    let decided = record.decided_at.unwrap_or(record.ended_at);
    let rows = record.timeline.iter().filter(|row| row.at <= decided);
    rows.map(|row| (row.at.as_secs_f64(), row.primary_weight, row.canary_weight))
        .collect()
}

/// All checks with the row they judged.
fn checks(record: &Record) -> impl Iterator<Item = (&TimelineRow, &CheckRow)> {
    record
        .timeline
        .iter()
        .flat_map(|row| row.checks.iter().map(move |check| (row, check)))
}

/// The value of the first check made at this second.
fn value_at(record: &Record, second: i64) -> Option<f64> {
    checks(record)
        .find(|(_, check)| check.at.as_millis() == second * 1000)
        .and_then(|(_, check)| check.value)
}

/// The lower bound a check was held against.
fn min_bound(check: &CheckRow) -> Option<f64> {
    match check.bound {
        Some(Bound::Min(bound)) => Some(bound),
        _ => None,
    }
}

/// Messages from the detecting tick on.
fn messages(record: &Record) -> Vec<&str> {
    record
        .events
        .iter()
        .filter(|event| event.at.as_millis() >= 0)
        .map(|event| event.message.as_str())
        .collect()
}

/// The text of the finding with this code.
fn finding<'a>(record: &'a Record, code: &str) -> &'a str {
    let found = record.findings.iter().find(|finding| finding.code == code);
    &found
        .unwrap_or_else(|| panic!("no finding {code}: {:?}", record.findings))
        .text
}
