//! Pictures: the same bytes everywhere, text as text, everything that tells the story in them.

use rollcast::record::{Record, RequestTotals};
use rollcast::report::plots::timeline::render;
use rollcast::time::Timestamp;

use crate::fixture;

#[test]
fn the_picture_of_the_drill_tells_its_story_in_words() {
    let svg = render(&fixture::chaos30()).unwrap();
    let words = texts(&svg);
    for text in [
        "chaos30: FAIL_RATE=0.3 drill",
        "Rolled back at 1:00: request-success-rate was 70.21 &lt; 99",
        "rollback decided at 1:00",
        "Progressing",
        "Failed",
        "Traffic to the canary, % of requests",
        "Success rate, % of requests without 5xx",
        "Latency, 99th percentile, ms",
        "Pods: ready, and wanted",
        "bound: at least 99",
        "70.21 &lt; 99",
        "minutes:seconds since the new revision was detected",
    ] {
        assert!(
            words.contains(&text.to_owned()),
            "{text} is not in {words:?}"
        );
    }
    assert!(svg.contains("font-family=\"sans-serif\""));
}

#[test]
fn a_promotion_shows_its_phases_and_both_bounds() {
    let words = texts(&render(&fixture::healthy()).unwrap());
    for text in [
        "promotion decided at 3:00",
        "Promoting",
        "bound: at least 99",
        "bound: at most 500",
    ] {
        assert!(
            words.contains(&text.to_owned()),
            "{text} is not in {words:?}"
        );
    }
}

#[test]
fn a_check_without_a_value_says_so_among_the_checks() {
    let words = texts(&render(&fixture::chaos30_flagger()).unwrap());
    assert_eq!(words.iter().filter(|text| *text == "no value").count(), 3);
}

#[test]
fn faults_stand_between_the_checks_and_the_panels_with_their_names() {
    let mut record = fixture::chaos30();
    let plain = render(&record).unwrap();
    assert!(!texts(&plain).contains(&"faults".to_owned()));
    record.scenario["chaos"] = serde_json::json!([
        { "start": 10_000, "end": 40_000, "kind": { "latency": 2_000_000 }, "workload": "canary" },
        { "start": 20_000, "end": null, "kind": "scrape-gap" },
        { "start": 30_000, "end": null, "kind": { "pod-kill": 1 }, "version": "v2" },
        { "start": 86_400_000, "end": null, "kind": "unreachable" },
    ]);
    let svg = render(&record).unwrap();
    let words = texts(&svg);
    for text in ["faults", "latency canary", "scrape-gap", "pod-kill v2"] {
        assert!(words.contains(&text.to_owned()), "{text} in {words:?}");
    }
    assert!(!words.contains(&"unreachable".to_owned()), "it is never on");
    assert_ne!(height(&svg), height(&plain));
}

fn height(svg: &str) -> &str {
    let height = svg.split(" height=\"").nth(1).unwrap();
    height.split('"').next().unwrap()
}

#[test]
fn the_same_record_gives_the_same_picture_at_whole_pixels() {
    for record in fixture::all() {
        let svg = render(&record).unwrap();
        assert_eq!(svg, render(&record).unwrap());
        for attribute in ["points", "x", "y", "x1", "y1", "x2", "y2", "cx", "cy", "r"] {
            for value in svg.split(&format!(" {attribute}=\"")).skip(1) {
                let value = value.split('"').next().unwrap();
                assert!(!value.contains('.'), "{attribute}={value}");
            }
        }
    }
}

#[test]
fn nothing_is_drawn_outside_the_picture() {
    for record in fixture::all() {
        let svg = render(&record).unwrap();
        for points in svg.split(" points=\"").skip(1) {
            let points = points.split('"').next().unwrap();
            for point in points.split_whitespace() {
                let (x, y) = point.split_once(',').unwrap();
                assert!((0..=1600).contains(&x.parse::<i32>().unwrap()), "{point}");
                assert!((0..=1322).contains(&y.parse::<i32>().unwrap()), "{point}");
            }
        }
    }
}

#[test]
fn runs_of_every_kind_can_be_drawn() {
    type Change = fn(&mut Record);
    let changes: [Change; 6] = [
        |record| record.traffic.clear(),
        |record| {
            record.requests = RequestTotals::default();
            for second in &mut record.traffic {
                (second.requests, second.canary, second.p99_ms) = (0, 0, 0.0);
            }
        },
        |record| record.ended_at = Timestamp::from_millis(500),
        |record| record.decided_at = Some(Timestamp::from_secs(86_400)),
        |record| {
            let checks = record.timeline.iter_mut().flat_map(|row| &mut row.checks);
            checks.for_each(|check| check.value = Some(f64::MAX));
        },
        |record| record.scenario["title"] = "a title without an end ".repeat(20).into(),
    ];
    for change in changes {
        for mut record in fixture::all() {
            change(&mut record);
            assert!(render(&record).unwrap().ends_with("</svg>\n"));
        }
    }
}

fn texts(svg: &str) -> Vec<String> {
    svg.split("<text ")
        .skip(1)
        .map(|text| {
            let content = text.split_once('>').unwrap().1;
            content.split("</text>").next().unwrap().trim().to_owned()
        })
        .collect()
}
