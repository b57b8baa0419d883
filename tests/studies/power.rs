//! `rollcast power`.

use serde_json::Value;

use crate::{arg, files, printed, refusal, rollcast};

/// chaos30 at a tenth of its traffic, few runs.
fn power(args: &[&str]) -> std::process::Output {
    let mut all = vec![
        "power",
        "scenarios/chaos30.toml",
        "--set",
        "traffic.rate=20/s",
        "--set",
        "run.horizon=6m",
        "--runs",
        "40",
    ];
    all.extend(args);
    rollcast(&all)
}

#[test]
fn the_curve_rises_from_the_healthy_to_the_broken_on_any_number_of_threads() {
    let dir = tempfile::tempdir().unwrap();
    let out = |threads: &str| {
        let out = dir.path().join(threads);
        let text = printed(power(&["--threads", threads, "--out", &arg(&out)]), 0);
        (text.replace(&arg(&out), "OUT"), files(&out))
    };
    let (one, two) = (out("1"), out("2"));
    assert_eq!(one, two);
    let (text, files) = one;
    assert!(text.contains("Minimum detectable failure rate: "), "{text}");
    assert!(text.contains("request-success-rate at least 99"), "{text}");
    let json: Value = serde_json::from_slice(&files[std::path::Path::new("power.json")]).unwrap();
    assert_eq!(json["traffic"]["finals"], "aggregate");
    let points = json["points"].as_array().unwrap();
    let p = |at: usize| points[at]["p"].as_f64().unwrap();
    // Without a failure nothing is rolled back; 45 requests, all failed, always are.
    assert_eq!((p(0), p(points.len() - 1)), (0.0, 1.0));
    // About 45 requests in the first window, one failure of which is too many: half of the releases at 1.5 %, surely
    // between a half and five.
    let even = json["even"]["failure_rate"].as_f64().unwrap();
    assert!((0.001..0.03).contains(&even), "{even}");
    let detectable = json["detectable"]["failure_rate"].as_f64().unwrap();
    assert!(detectable > even && detectable < 0.1, "{detectable}");
}

#[test]
fn what_cannot_be_counted_is_followed_one_by_one_and_said_to_be() {
    let args = [
        "power",
        "scenarios/chaos30.toml",
        "--set",
        "traffic.rate=5/s",
        "--set",
        "run.horizon=90s",
        "--set",
        "traffic.timeout=1s",
        "--runs",
        "3",
        "--no-out",
    ];
    let text = printed(rollcast(&args), 0);
    assert!(text.contains("one by one, since"), "{text}");
    assert!(text.contains("traffic.timeout"), "{text}");
}

#[test]
fn a_scenario_without_a_push_is_refused_with_what_to_add() {
    let message = refusal(rollcast(&[
        "power",
        "scenarios/chaos30.toml",
        "--set",
        "events=[]",
        "--no-out",
    ]));
    assert!(message.contains("pushes no version"), "{message}");
    assert!(message.contains("push = \"v2\""), "{message}");
}
