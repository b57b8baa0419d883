//! Recorded Flagger traces replayed through the engine: not one difference.

use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use rollcast::verify::traces::{replay, replay_file};

fn replay_data(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/flagger-traces")
        .join(file);
    let tally = replay_file(&path).unwrap_or_else(|e| panic!("{e}"));
    if let Some(first) = tally.mismatches.first() {
        panic!("{tally}; the first:\n{first}");
    }
    tally.to_string()
}

#[test]
fn curated_traces_are_replayed_without_a_difference() {
    assert_eq!(
        replay_data("curated.jsonl.gz"),
        "182 traces, 1801 ticks, 0 mismatches"
    );
}

#[test]
fn random_traces_are_replayed_without_a_difference() {
    let told = replay_data("random-sample.jsonl.gz");
    assert!(told.starts_with("100 traces, "), "{told}");
}

/// The first curated trace, as text.
fn a_trace() -> String {
    let file = include_bytes!("data/flagger-traces/curated.jsonl.gz");
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&file[..]), &mut text).unwrap();
    text.lines().next().unwrap().to_owned()
}

#[test]
fn a_difference_names_trace_tick_and_field() {
    let altered = a_trace().replace("canary weight 20", "canary weight 21");
    let tally = replay("altered", altered.as_bytes()).unwrap();
    let [mismatch] = &tally.mismatches[..] else {
        panic!("one difference, not {}", tally.mismatches.len());
    };
    assert_eq!(
        (mismatch.trace.as_str(), mismatch.tick, mismatch.field),
        ("curated-001", 2, "events")
    );
    assert!(mismatch.expected.to_string().contains("weight 21"));
    assert!(mismatch.got.to_string().contains("weight 20"));
}

#[test]
fn malformed_files_are_errors_that_name_file_and_line() {
    let good = a_trace();
    for (text, place, what) in [
        (
            format!("{good}\n{{\"id\": 1}}\n"),
            "t.jsonl:2",
            "not a trace",
        ),
        (format!("\n\n{good}x\n"), "t.jsonl:3", "not a trace"),
        (
            format!("{good}\n{}\n", &good[..900]),
            "t.jsonl:2",
            "the trace is cut off after 900 bytes",
        ),
        (
            format!("{good}\r\n\u{feff}{good}"),
            "t.jsonl:2",
            "at column 1",
        ),
        ("[1, 2]\n".to_owned(), "t.jsonl:1", "at column"),
        ("{\"id\": 1e999}\n".to_owned(), "t.jsonl:1", "out of range"),
        ("\n \n".to_owned(), "t.jsonl", "no trace in it"),
        (String::new(), "t.jsonl", "no trace in it"),
        (
            good.replace("\"k\":1,", "\"k\":1,\"new\":0,"),
            "t.jsonl:1",
            "`new`",
        ),
        (good.replace("1.44.0", "1.43.0"), "t.jsonl:1", "1.43.0"),
        (
            good.replace(
                "\"name\":\"podinfo-primary\",\"observed",
                "\"name\":\"gone\",\"observed",
            ),
            "t.jsonl:1",
            "\"gone\" not found",
        ),
    ] {
        let error = replay("t.jsonl", text.as_bytes()).unwrap_err();
        assert!(error.message.contains(place), "{}", error.message);
        assert!(error.message.contains(what), "{}", error.message);
    }
    assert!(replay_file(Path::new("does/not/exist")).is_err());
}

#[test]
fn a_gzipped_file_that_breaks_off_is_an_error() {
    let mut zipped = GzEncoder::new(Vec::new(), Compression::fast());
    zipped.write_all(a_trace().as_bytes()).unwrap();
    let zipped = zipped.finish().unwrap();
    assert!(replay("t.gz", &zipped[..]).is_ok());
    let error = replay("t.gz", &zipped[..zipped.len() / 2]).unwrap_err();
    assert!(
        error.message.contains("t.gz:1: cut off or damaged"),
        "{}",
        error.message
    );
}
