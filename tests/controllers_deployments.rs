//! The simulated Deployment and ReplicaSet controllers against recordings of the real ones.
//!
//! `tests/data/deployment-traces/` holds traces recorded from kube-controller-manager v1.36.3: all curated ones, and a
//! third of the random ones.

use std::io::Read;

use flate2::read::MultiGzDecoder;
use rollcast::verify::deployments;
use rollcast::verify::recording::Tally;

const CURATED: &[u8] = include_bytes!("data/deployment-traces/curated.jsonl.gz");
const RANDOM: &[u8] = include_bytes!("data/deployment-traces/random.jsonl.gz");

fn verify(name: &str, bytes: &[u8]) -> Tally {
    let tally = deployments::verify(name, bytes).unwrap();
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
fn every_recorded_step_settles_as_it_did() {
    let curated = verify("curated.jsonl.gz", CURATED);
    assert_eq!(curated.to_string(), "816 cases, 0 mismatches, 0 ambiguous");
    let random = verify("random.jsonl.gz", RANDOM);
    assert_eq!(random.to_string(), "757 cases, 0 mismatches, 0 ambiguous");
}

#[test]
fn a_changed_expectation_is_found() {
    let text = unpack(CURATED);
    for (from, to) in [
        ("\"availableReplicas\":1", "\"availableReplicas\":2"),
        (
            "\"MinimumReplicasAvailable\"",
            "\"MinimumReplicasUnavailable\"",
        ),
        ("has successfully progressed", "is progressing"),
        (
            "\"rs_path\":[[\"v2\",null,1]]",
            "\"rs_path\":[[\"v2\",null,2]]",
        ),
        ("\"max_annotation\":2", "\"max_annotation\":3"),
        ("\"pending\":1", "\"pending\":0"),
        ("\"generation\":2", "\"generation\":3"),
        ("\"revision\":\"2\"", "\"revision\":\"3\""),
    ] {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from} is in the sample");
        let tally = deployments::verify("changed.jsonl", changed.as_bytes()).unwrap();
        assert_eq!(tally.mismatched, 1, "{from}");
    }
}

#[test]
fn foreign_and_broken_files_are_refused_with_file_and_line() {
    let hpa = include_bytes!("data/hpa-traces/sample.jsonl.gz");
    let unknown = unpack(CURATED).replacen("\"create\":{}", "\"explode\":{}", 1);
    for (name, bytes, expected) in [
        (
            "hpa.jsonl.gz",
            &hpa[..],
            "hpa.jsonl.gz:1: not a record of this kind",
        ),
        (
            "unknown.jsonl",
            unknown.as_bytes(),
            "unknown.jsonl:1: not a record of this kind",
        ),
        ("cut.jsonl.gz", &CURATED[..9000], "cut.jsonl.gz:"),
        ("text.jsonl", b"\n\nhello", "text.jsonl:3: not JSON"),
    ] {
        let message = deployments::verify(name, bytes).unwrap_err().message;
        assert!(message.starts_with(expected), "{message}");
    }
}
