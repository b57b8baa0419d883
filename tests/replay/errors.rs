//! Recordings and arguments that are refused, each with what to do.

use std::fs;

use super::support::{Recorded, replay_of, rollcast, stderr};

#[test]
fn broken_recordings_are_refused_with_their_place_and_nothing_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let series = "nginx_ingress_controller_requests{status=\"200\"}";
    for (name, text, said) in [
        ("cut", format!("{series} 1 10\n{series} 2 2"), "2:"),
        ("no-end", format!("{series} 1 10\n"), "ends without `# EOF`"),
        (
            "unordered",
            format!("{series} 1 10\n{series} 2 5\n# EOF\n"),
            "must come in time order",
        ),
        (
            "twice",
            format!("{series} 1 10\n{series} 2 10\n# EOF\n"),
            "each moment may be there once",
        ),
        ("empty", "# EOF\n".to_owned(), "has none of the series"),
        (
            "others",
            "up 1 10\n# EOF\n".to_owned(),
            "has none of the series",
        ),
    ] {
        let file = directory.path().join(format!("{name}.om"));
        fs::write(&file, text).unwrap();
        let out = directory.path().join("out");
        let output = replay_of(&file, &["--start", "10", "--out", out.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(2), "{name}");
        let error = stderr(&output);
        assert!(
            error.contains(said) && error.contains("help"),
            "{name}: {error}"
        );
        assert!(!out.exists(), "{name}");
    }
}

#[test]
fn a_packed_recording_that_is_cut_off_says_so() {
    let recorded = Recorded::new("0", &[]);
    let packed = recorded.path("cut.om.gz");
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gz, recorded.text("series.om").as_bytes()).unwrap();
    let whole = gz.finish().unwrap();
    fs::write(&packed, &whole[..whole.len() / 2]).unwrap();
    let output = replay_of(&packed, &["--start", "86400"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("the file is cut off"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn what_is_missing_or_makes_no_sense_is_told() {
    let recorded = Recorded::new("0", &[]);
    let bad = recorded.path("bad");
    fs::write(&bad, "soon\n").unwrap();
    let bad = bad.to_str().unwrap();
    for (args, said) in [
        (&[][..], "nothing says when the rollout began"),
        (&["--ticks", bad][..], "`soon` is no time of a tick"),
        (
            &["--start", "1", "--weights", bad][..],
            "no column of the heading",
        ),
        (
            &["--start", "1", "--set", "analysis.treshold=1"][..],
            "threshold",
        ),
        (
            &["--start", "1", "--ticks", "nowhere"][..],
            "cannot read nowhere",
        ),
    ] {
        let output = recorded.replay_with(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(
            stderr(&output).contains(said),
            "{args:?}: {}",
            stderr(&output)
        );
    }
}

#[test]
fn a_template_that_is_not_given_is_not_made_up() {
    let recorded = Recorded::new("0", &[]);
    let series = recorded.path("series.om");
    let args = [
        "replay",
        "--canary",
        "scenarios/load-harness/canary.yaml",
        "--start",
        "86400",
        "--openmetrics",
        series.to_str().unwrap(),
    ];
    let output = rollcast(&args);
    assert_eq!(output.status.code(), Some(2));
    let error = stderr(&output);
    assert!(
        error.contains("the MetricTemplate `") && error.contains("--canary"),
        "{error}"
    );
}

#[test]
fn a_prometheus_is_asked_with_the_feature_live_alone() {
    let args = [
        "replay",
        "--canary",
        "scenarios/load-harness",
        "--prometheus",
        "http://127.0.0.1:1",
    ];
    let output = rollcast(&args);
    assert_eq!(output.status.code(), Some(2));
    if true {
        assert!(
            stderr(&output).contains("--features live"),
            "{}",
            stderr(&output)
        );
    }
}
