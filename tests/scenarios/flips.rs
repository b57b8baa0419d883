//! What `rollcast explain` says would have flipped a check does flip it, and its arithmetic leads to the value.

use std::path::{Path, PathBuf};

use rollcast::engine::QuerySource;
use rollcast::record::{QueryRecord, Record};
use rollcast::scenario;
use rollcast::sim;
use rollcast::study::arithmetic::arithmetic;
use rollcast::study::flip::search;
use rollcast::time::Timestamp;

/// Scenarios with failed checks for which some change of one thing makes the difference.
const FLIPPED: [&str; 11] = [
    "chaos30",
    "library/no-values-first-check",
    "library/no-traffic",
    "library/one-failure-little-traffic",
    "library/window-of-one-scrape",
    "library/window-longer-than-interval",
    "library/gate-traffic-increase",
    "library/second-rollout",
    "library/skip-analysis",
    "library/same-version-again",
    "library/load-test-in-rollout-hooks",
];

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("scenarios/{name}.toml"))
}

/// The checks of a run, with the time of their tick.
fn checks(record: &Record) -> Vec<(Timestamp, &QueryRecord)> {
    let ticks = record.ticks.iter();
    let all = ticks.flat_map(|tick| tick.queries.iter().map(|query| (tick.at, query)));
    all.filter(|(_, query)| query.source != QuerySource::Availability)
        .collect()
}

#[test]
fn what_explain_says_would_have_flipped_a_failed_check_does() {
    for name in FLIPPED {
        let (scenario, inputs) = scenario::load_with_inputs(&path(name), &[], &[]).unwrap();
        let record = sim::simulate(&scenario);
        let failed: Vec<_> = checks(&record)
            .into_iter()
            .filter(|(_, q)| !q.passed)
            .collect();
        assert!(!failed.is_empty(), "{name} has no failed check");
        for (at, query) in failed {
            let place = format!("{name} at {}, {}", at.clock(), query.metric);
            let found = search(&inputs, &record, at, query);
            assert!(!found.flips.is_empty(), "{place}: nothing flips it");
            let near = found
                .flips
                .windows(2)
                .all(|p| p[0].distance <= p[1].distance);
            assert!(near, "{place}: the nearest is not first");
            // The number of the check among those of its metric.
            let same =
                |other: &QueryRecord| other.metric == query.metric && other.source == query.source;
            let before = checks(&record)
                .iter()
                .filter(|(t, q)| *t < at && same(q))
                .count();
            for flip in &found.flips {
                // From the file, as somebody would who types what is said.
                let changed = std::slice::from_ref(&flip.set);
                let changed = sim::simulate(&scenario::load(&path(name), changed).unwrap());
                let said = format!("{place}, --set {}={}", flip.set.key, flip.set.value);
                let then = checks(&changed)
                    .into_iter()
                    .filter(|(_, q)| same(q))
                    .nth(before);
                let (_, then) = then.unwrap_or_else(|| panic!("{said}: no such check"));
                assert!(then.passed, "{said}: {:?}", then.value);
                assert_eq!(then.value, flip.value, "{said}");
                assert_eq!(changed.outcome, flip.outcome, "{said}");
                assert_eq!(changed.decided_at, flip.decided_at, "{said}");
                println!("{said}: {:?}, {:?}", flip.value, flip.outcome);
            }
        }
    }
}

#[test]
fn the_arithmetic_of_every_check_with_a_value_leads_to_it() {
    for name in FLIPPED
        .into_iter()
        .chain(["library/one-label-for-both", "library/max-weight-61"])
    {
        let record = sim::simulate(&scenario::load(&path(name), &[]).unwrap());
        for (at, query) in checks(&record) {
            let steps = arithmetic(query, "3");
            let place = format!("{name} at {}, {}", at.clock(), query.metric);
            if let Some(value) = query.value {
                let last = steps
                    .last()
                    .unwrap_or_else(|| panic!("{place}: no arithmetic"));
                assert_eq!(last.values[0].value, value, "{place}");
                let rates = steps
                    .iter()
                    .filter(|step| step.formula.starts_with("rate("));
                let rises = rates
                    .flat_map(|step| &step.values)
                    .filter_map(|e| Some((e, e.rise?)));
                let mut rose = 0;
                for (element, rise) in rises {
                    assert_eq!(rise.extrapolated, element.value * rise.window, "{place}");
                    assert!(rise.seconds <= rise.window, "{place}: {rise:?}");
                    rose += 1;
                }
                assert!(rose > 0, "{place}: no rate is shown with its samples");
            }
        }
    }
}

#[test]
fn a_run_made_again_from_what_it_left_is_the_same() {
    for name in ["chaos30", "library/hpa-at-promotion"] {
        let (scenario, inputs) = scenario::load_with_inputs(&path(name), &[], &[]).unwrap();
        let again = serde_json::to_string(&inputs).unwrap();
        let again: scenario::Inputs = serde_json::from_str(&again).unwrap();
        let again = sim::simulate(&again.scenario(&[]).unwrap());
        assert_eq!(
            again.to_json().unwrap(),
            sim::simulate(&scenario).to_json().unwrap(),
            "{name}"
        );
        assert!(!again.to_json().unwrap().is_empty());
    }
}
