//! Prometheus' own test scripts (tests/promql, Apache-2.0, see the notice there) against the evaluator.

use std::fs;
use std::path::{Path, PathBuf};

use rollcast::promql::Version;
use rollcast::verify::promql::{Scope, run_files};

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
