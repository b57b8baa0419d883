//! What the ingress makes of a rollout: when a weight takes effect, who meets an A/B test, and how far a shared label dilutes.

use rollcast::record::{Outcome, Record};

use crate::{load, run, value_at};

/// When a weight was first set, and the first second with a request of the canary.
fn first_weight(record: &Record) -> (f64, i64) {
    let set = record.timeline.iter().find(|row| row.canary_weight > 0);
    let set = set.unwrap().at.as_secs_f64();
    let met = record.traffic.iter().find(|s| s.canary > 0).unwrap();
    (set, met.at_s)
}

#[test]
fn a_weight_reaches_the_workers_within_four_and_a_half_seconds_one_by_one() {
    let mut scenario = load("prometheus-outage");
    scenario.chaos.clear();
    let mut delays = Vec::new();
    for seed in 1..=40 {
        let record = run(&scenario, seed);
        let (set, met) = first_weight(&record);
        // A second is known by its start; the controller syncs within 3.3 s, a worker looks every second.
        let delay = met as f64 - set;
        assert!((-1.0..=4.5).contains(&delay), "seed {seed}: {delay}");
        delays.push(delay);
        // From then on the share is the weight's, as far as chance has it.
        let set_s = set.ceil() as i64;
        let settled = record
            .traffic
            .iter()
            .filter(|s| (set_s + 5..set_s + 28).contains(&s.at_s));
        let (canary, all) = settled.fold((0.0, 0.0), |(c, a), s| {
            (c + s.canary as f64, a + s.requests as f64)
        });
        let z = (canary - all * 0.1) / (all * 0.09).sqrt();
        assert!(z.abs() < 5.0, "seed {seed}: {canary} of {all}");
        // And until it was set nobody met the canary.
        let before = record
            .traffic
            .iter()
            .filter(|s| (s.at_s as f64) < set - 1.0);
        assert_eq!(before.map(|s| s.canary).sum::<u64>(), 0, "seed {seed}");
    }
    let late = delays.iter().filter(|delay| **delay >= 3.0).count();
    let early = delays.iter().filter(|delay| **delay < 1.0).count();
    assert!(late >= 3 && early >= 3, "{delays:?}");
}

#[test]
fn insiders_alone_meet_the_canary_of_an_a_b_test() {
    let record = run(&load("ab-header"), 1);
    assert_eq!(record.outcome, Outcome::Promoted);
    let begun = record.timeline.iter().find(|row| row.canary_weight > 0);
    let begun = begun.unwrap().at.as_secs_f64() as i64;
    let decided = record.decided_at.unwrap().as_secs_f64() as i64;
    let during = record
        .traffic
        .iter()
        .filter(|s| (begun + 6..decided).contains(&s.at_s));
    let (canary, all) = during.fold((0.0, 0.0), |(c, a), s| {
        (c + s.canary as f64, a + s.requests as f64)
    });
    let z = (canary - all * 0.1) / (all * 0.09).sqrt();
    assert!(z.abs() < 5.0, "{canary} of {all}");
}

#[test]
fn thirty_percent_of_failures_are_seventy_percent_success_and_the_shared_label_dilutes_them_as_arithmetic_has_it()
 {
    let mut scenario = load("chaos30-shared");
    // So that no check ends the run.
    let templates = scenario.manifests.metric_templates.iter_mut();
    for template in templates.filter(|template| template.spec.query.contains("status!~")) {
        template.spec.query = template.spec.query.replace("* 100", "* 100 + 1000");
    }
    let mut compared = 0;
    for seed in 1..=10 {
        let record = run(&scenario, seed);
        let (canary, failed) = (
            record.requests.canary as f64,
            record.requests.canary_failed as f64,
        );
        let z = (failed - 0.3 * canary) / (canary * 0.21).sqrt();
        assert!(z.abs() < 5.0, "seed {seed}: {failed} of {canary}");
        for check in [60, 90, 120, 150] {
            let Some(value) = value_at(&record, check) else {
                continue;
            };
            let value = value - 1000.0;
            let window = record
                .traffic
                .iter()
                .filter(|s| (check - 60..check).contains(&s.at_s));
            let (all, canary, failed) = window.fold((0.0, 0.0, 0.0), |(a, c, f), s| {
                (
                    a + s.requests as f64,
                    c + s.canary as f64,
                    f + s.failed as f64,
                )
            });
            // What was counted in the window, and what that is by arithmetic: 30 % of the canary's part of it.
            let counted = 100.0 * (1.0 - failed / all);
            let arithmetic = 100.0 - 30.0 * canary / all;
            let error = 100.0 * (0.21 * canary).sqrt() / all;
            assert!(
                (counted - arithmetic).abs() < 5.0 * error,
                "seed {seed} at {check}"
            );
            // Scrapes cut the window up to five seconds short on either side, a flush a second.
            let slack = 100.0 * 0.3 * 8.0 / 60.0 * (canary / all).max(0.1) + 5.0 * error;
            assert!(
                (value - counted).abs() < slack,
                "seed {seed} at {check}: {value} for {counted}, canary {canary} of {all}"
            );
            compared += 1;
        }
    }
    assert!(compared >= 30, "{compared}");
}
