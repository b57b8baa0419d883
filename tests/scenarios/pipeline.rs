//! From a commit to the end of a rollout: every stage takes its time, and the record adds them up.

use rollcast::record::Outcome;
use rollcast::report::verdict;
use rollcast::scenario::{Action, ScenarioEvent, Stage};
use rollcast::time::{Span, Timestamp};

use crate::{load, run};

const SEEDS: std::ops::RangeInclusive<u64> = 1..=20;

#[test]
fn a_commit_passes_every_stage_before_it_is_detected() {
    let scenario = load("pipeline");
    let mut polls = Vec::new();
    for seed in SEEDS {
        let record = run(&scenario, seed);
        let delivery = record.delivery.expect("it was committed");
        let times = [
            delivery.committed_at,
            delivery.built_at,
            delivery.scanned_at,
            delivery.image_committed_at,
            delivery.fetched_at,
            delivery.applied_at,
            Timestamp::ZERO,
        ];
        assert!(times.is_sorted(), "seed {seed}: {times:?}");
        assert_eq!(
            delivery.commit_to_detected,
            Timestamp::ZERO - delivery.committed_at,
            "seed {seed}"
        );
        assert_eq!(delivery.detected_to_decided, Some(Span::from_secs(60)));
        let poll = delivery.fetched_at - delivery.image_committed_at;
        assert!(poll < Span::from_secs(60), "seed {seed}: {poll}");
        polls.push(poll.as_millis());
    }
    // The loop's phase is its own: the wait is spread over the period.
    let mean = polls.iter().sum::<i64>() / polls.len() as i64;
    assert!(
        (15_000..45_000).contains(&mean),
        "mean wait {mean} ms: {polls:?}"
    );
}

#[test]
fn the_verdict_says_how_long_the_way_was() {
    let record = run(&load("pipeline"), 1);
    let text = verdict::verdict(&record).outcome;
    for part in [
        "From the commit of v2 it took",
        "CI build",
        "Git poll",
        "until the decision",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let pushed = verdict::verdict(&run(&load("chaos30"), 1)).outcome;
    assert!(!pushed.contains("From the commit"), "{pushed}");
}

#[test]
fn what_was_pushed_by_hand_is_undone_when_flux_applies_git_again() {
    let mut scenario = load("chaos30");
    let mut pipeline = load("pipeline").pipeline.unwrap();
    pipeline.reapply_interval = Some(Span::from_secs(20));
    scenario.pipeline = Some(pipeline);
    let record = run(&scenario, 1);
    // Git still asks for v1: the push is seen or not, and never decided.
    assert_ne!(record.outcome, Outcome::RolledBack);
    assert!(record.delivery.is_none());
}

#[test]
fn an_older_commit_never_overtakes_a_newer_one() {
    let mut scenario = load("pipeline");
    let pipeline = scenario.pipeline.as_mut().unwrap();
    pipeline.build = Stage::Takes(rollcast::scenario::Distribution::Uniform {
        min_ns: 1_000_000_000,
        max_ns: 600_000_000_000,
    });
    scenario.events.push(ScenarioEvent {
        at: Span::from_secs(1),
        action: Action::Commit("v1".to_owned()),
    });
    // v1 runs already. Where its commit comes through first, v2's is not applied any more, and nothing is ever detected.
    let outcomes = SEEDS.map(|seed| run(&scenario, seed).outcome);
    let (overtaken, detected): (Vec<Outcome>, Vec<Outcome>) =
        outcomes.partition(|outcome| *outcome == Outcome::NotStarted);
    assert!(
        overtaken.len() >= 3 && detected.len() >= 3,
        "{} overtaken, {} detected",
        overtaken.len(),
        detected.len()
    );
}
