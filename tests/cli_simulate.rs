//! `rollcast simulate`: what it prints, what it leaves behind, how it ends.

#[path = "report/fixture.rs"]
#[allow(dead_code)]
mod fixture;

use std::cell::RefCell;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use rollcast::canary::Provider;
use rollcast::cli::shared::Assignment;
use rollcast::cli::simulate::{Request, Rollout, Simulate, Source, run};
use rollcast::cli::{Args, Command};
use rollcast::diagnostic::Diagnostic;
use rollcast::record::Record;
use rollcast::report::text::Palette;
use rollcast::scenario::Expect;
use rollcast::time::Span;
use serde_json::Value;

#[test]
fn the_text_ends_with_the_expectation_and_where_the_files_are() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("runs/one");
    let printed = shown(&["s.toml", "--out", out.to_str().unwrap()], |_| {
        let expect = Expect {
            outcome: Some("rolled-back".to_owned()),
            decided_by: Some(Span::from_secs(30)),
            ..Expect::default()
        };
        Ok(rollout(fixture::chaos30(), Some(expect)))
    });
    let end = format!(
        "\nexpect: outcome rolled-back ✓, decided by 0:30 ✗ (1:00)\n\nfiles: {}\n",
        out.display()
    );
    assert!(printed.ends_with(&end), "{printed}");
    assert_eq!(
        names(&out),
        [
            "checks.csv",
            "events.log",
            "run.json",
            "timeline.csv",
            "timeline.svg",
            "traffic.csv"
        ]
    );
}

#[test]
fn json_is_the_summary_and_nothing_else() {
    let printed = shown(&["s.toml", "--format", "json", "--no-out"], |_| {
        let expect = Expect {
            outcome: Some("promoted".to_owned()),
            ..Expect::default()
        };
        Ok(rollout(fixture::chaos30(), Some(expect)))
    });
    let summary: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(summary["outcome"], "rolled-back");
}

#[test]
fn an_expectation_that_fails_is_told_by_the_exit_code() {
    for (outcome, format, code) in [
        ("rolled-back", "text", 0),
        ("promoted", "text", 1),
        ("promoted", "json", 1),
    ] {
        let expected = |_: &Request| {
            let expect = Expect {
                outcome: Some(outcome.to_owned()),
                ..Expect::default()
            };
            Ok(rollout(fixture::chaos30(), Some(expect)))
        };
        let args = simulate(&["s.toml", "--no-out", "--format", format]);
        let found = run(&args, expected, Palette::Plain, &mut Vec::new()).unwrap();
        assert_eq!(found, ExitCode::from(code), "{outcome} {format}");
    }
}

#[test]
fn the_same_run_is_the_same_bytes_wherever_it_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let written = ["a", "b/c"].map(|name| {
        let out = dir.path().join(name);
        shown(&["s.toml", "--out", out.to_str().unwrap()], |_| {
            Ok(rollout(fixture::healthy(), None))
        });
        names(&out)
            .into_iter()
            .map(|name| std::fs::read(out.join(name)).unwrap())
            .collect::<Vec<_>>()
    });
    assert_eq!(written[0], written[1]);
}

#[test]
fn comparing_rules_asks_for_both_readings_and_keeps_the_files_of_each() {
    let dir = tempfile::tempdir().unwrap();
    let requests = RefCell::new(Vec::new());
    let both = |request: &Request| {
        requests.borrow_mut().push(request.clone());
        let flagger = request.set.iter().any(|set| set.value == "flagger");
        let record = if flagger {
            fixture::chaos30_flagger()
        } else {
            fixture::chaos30()
        };
        Ok(rollout(record, None))
    };
    let out = dir.path().to_str().unwrap();
    let args = [
        "s.toml",
        "--compare-rules",
        "--seed",
        "7",
        "--set",
        "a.b=c=d",
        "--out",
        out,
    ];
    let printed = shown(&args, both);
    assert!(
        printed.contains("rules flagger") && printed.contains("rules runbook"),
        "{printed}"
    );
    assert_eq!(names(dir.path()), ["flagger", "runbook"]);
    assert_eq!(names(&dir.path().join("runbook")).len(), 6);
    let expected = ["flagger", "runbook"].map(|rules| Request {
        patches: Vec::new(),
        source: Source::Scenario(PathBuf::from("s.toml")),
        set: vec![set("a.b", "c=d"), set("rules", rules)],
        seed: Some(7),
        series: false,
    });
    assert_eq!(*requests.borrow(), expected);
}

#[test]
fn another_provider_is_a_second_run_of_the_same_request() {
    let dir = tempfile::tempdir().unwrap();
    let requests = RefCell::new(Vec::new());
    let both = |request: &Request| {
        requests.borrow_mut().push(request.clone());
        let mut record = fixture::chaos30();
        if request.set.iter().any(|set| set.key == "provider") {
            record.provider = Some(Provider::GatewayApiV1);
        }
        Ok(rollout(record, None))
    };
    let out = dir.path().to_str().unwrap();
    let args = [
        "s.toml",
        "--compare-provider",
        "gatewayapi:v1",
        "--out",
        out,
    ];
    let printed = shown(&args, both);
    assert!(
        printed.contains("provider gatewayapi:v1")
            && printed.contains("one world under two providers"),
        "{printed}"
    );
    assert!(printed.contains("whatever the number of pods"), "{printed}");
    assert_eq!(names(dir.path()), ["gatewayapi-v1", "pod-scaling"]);
    let asked: Vec<_> = requests.borrow().iter().map(|r| r.set.clone()).collect();
    assert_eq!(asked, [vec![], vec![set("provider", "gatewayapi:v1")]]);
    let json = [&args[..3], &["--format", "json", "--no-out"]].concat();
    let both: Value = serde_json::from_str(&shown(&json, both)).unwrap();
    assert_eq!(both.as_array().map(Vec::len), Some(2));
}

#[test]
fn rules_are_a_value_set_last() {
    shown(
        &[
            "s.toml",
            "--rules",
            "runbook",
            "--set",
            "rules=flagger",
            "--no-out",
        ],
        |request| {
            assert_eq!(
                request.set,
                [set("rules", "flagger"), set("rules", "runbook")]
            );
            Ok(rollout(fixture::chaos30(), None))
        },
    );
}

#[test]
fn a_scenario_that_cannot_be_run_prints_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let args = simulate(&["s.toml", "--out", out.to_str().unwrap()]);
    let mut printed = Vec::new();
    let refuse =
        |_: &Request| Err(Diagnostic::new("unknown key `sede`").help("did you mean `seed`?"));
    let error = run(&args, refuse, Palette::Plain, &mut printed).unwrap_err();
    let message = rollcast::cli::message(&error);
    assert!(
        message.contains("unknown key `sede`") && message.contains("did you mean"),
        "{message}"
    );
    assert!(printed.is_empty());
    assert_eq!(names(dir.path()), [""; 0]);
}

#[test]
fn a_reader_who_left_is_an_error_of_the_stream_and_the_files_are_there() {
    struct Closed;

    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let dir = tempfile::tempdir().unwrap();
    let args = simulate(&["s.toml", "--out", dir.path().to_str().unwrap()]);
    let healthy = |_: &Request| Ok(rollout(fixture::healthy(), None));
    let error = run(&args, healthy, Palette::Plain, &mut Closed).unwrap_err();
    let kind = error.downcast_ref::<io::Error>().unwrap().kind();
    assert_eq!(kind, io::ErrorKind::BrokenPipe);
    assert_eq!(names(dir.path()).len(), 6);
}

fn set(key: &str, value: &str) -> Assignment {
    Assignment {
        key: key.to_owned(),
        value: value.to_owned(),
    }
}

fn rollout(record: Record, expect: Option<Expect>) -> Rollout {
    Rollout {
        record,
        expect,
        inputs: None,
        series: None,
        unmodelled: Vec::new(),
    }
}

fn simulate(args: &[&str]) -> Simulate {
    let line = ["rollcast", "simulate"].iter().chain(args);
    let Command::Simulate(args) = Args::try_parse_from(line).unwrap().command else {
        unreachable!("the line says simulate")
    };
    args
}

fn shown(args: &[&str], rollout: impl Fn(&Request) -> Result<Rollout, Diagnostic>) -> String {
    let mut printed = Vec::new();
    run(&simulate(args), rollout, Palette::Plain, &mut printed).unwrap();
    String::from_utf8(printed).unwrap()
}

fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}
