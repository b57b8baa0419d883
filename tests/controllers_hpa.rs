//! The simulated HPA controller against recordings of the real one and against upstream's unit tests.
//!
//! `tests/data/hpa-traces/` holds a few traces of each kind, recorded from kube-controller-manager v1.36.3, and the
//! vectors transcribed from Kubernetes' own tests (Apache-2.0).

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use rollcast::verify::hpa;
use rollcast::verify::recording::Tally;

const TRACES: &[u8] = include_bytes!("data/hpa-traces/sample.jsonl.gz");
const VECTORS: &[u8] = include_bytes!("data/hpa-traces/vectors.json.gz");

fn verify(name: &str, bytes: &[u8]) -> Tally {
    let tally = hpa::verify(name, bytes).unwrap();
    for mismatch in &tally.mismatches {
        eprintln!("{mismatch}");
    }
    tally
}

fn unpack(bytes: &[u8]) -> String {
    let mut text = String::new();
    MultiGzDecoder::new(bytes)
        .read_to_string(&mut text)
        .unwrap();
    text
}

#[test]
fn every_recorded_reconcile_comes_out_as_it_did() {
    let tally = verify("sample.jsonl.gz", TRACES);
    assert_eq!(tally.mismatched, 0);
    assert!(tally.cases > 2500, "{tally}");
    assert!(tally.ambiguous > 0, "{tally}");
}

#[test]
fn every_row_of_upstreams_unit_tests_comes_out_as_there() {
    let tally = verify("vectors.json.gz", VECTORS);
    assert_eq!(tally.to_string(), "268 cases, 0 mismatches, 0 ambiguous");
}

#[test]
fn a_changed_expectation_is_found() {
    let text = unpack(TRACES);
    for (from, to) in [
        ("\"desired\":4", "\"desired\":5"),
        ("\"current\":2", "\"current\":3"),
        ("\"proposal\":3", "\"proposal\":4"),
        ("\"ScaleUpLimit\"", "\"TooManyReplicas\""),
        ("\"averageUtilization\":9", "\"averageUtilization\":1"),
    ] {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from} is in the sample");
        let tally = hpa::verify("changed.jsonl", changed.as_bytes()).unwrap();
        assert!(tally.mismatched > 0, "{from}");
    }
    let text = unpack(VECTORS);
    for key in [
        "expected_replicas",
        "expected_ready_count",
        "expected_request_milli",
        "expected",
        "expected_desired_replicas",
    ] {
        let key = format!("\"{key}\":");
        let at = text.find(&key).unwrap() + key.len();
        let digit = at + text[at..].find(|c: char| !c.is_whitespace()).unwrap();
        let changed = format!("{}9{}", &text[..digit], &text[digit..]);
        let tally = hpa::verify("changed.json", changed.as_bytes()).unwrap();
        assert_eq!(tally.mismatched, 1, "{key}");
    }
}

#[test]
fn foreign_and_broken_files_are_refused_with_file_and_line() {
    let mut cut = TRACES[..TRACES.len() / 2].to_vec();
    cut.truncate(TRACES.len() / 2);
    let mut foreign = GzEncoder::new(Vec::new(), Compression::fast());
    foreign
        .write_all(b"{\"id\": \"x\", \"steps\": []}\n")
        .unwrap();
    let foreign = foreign.finish().unwrap();
    for (name, bytes, expected) in [
        ("cut.jsonl.gz", &cut[..], "cut.jsonl.gz:"),
        (
            "foreign.jsonl.gz",
            &foreign[..],
            "foreign.jsonl.gz:1: not a record of this kind",
        ),
        ("plain.jsonl.gz", b"{}", "plain.jsonl.gz is not a gzip file"),
        ("text.jsonl", b"hello", "text.jsonl:1: not JSON"),
        ("other.json", b"{\n}", "other.json:2: not HPA vectors"),
    ] {
        let message = hpa::verify(name, bytes).unwrap_err().message;
        assert!(message.starts_with(expected), "{message}");
    }
}
