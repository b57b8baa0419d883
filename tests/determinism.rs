//! The same seed gives the same bytes: twice, stepped or run through, copied in the middle, and on every machine.

use std::path::Path;
use std::sync::Arc;

use rollcast::record::Record;
use rollcast::scenario::{self, Scenario, TrafficModel};
use rollcast::sim::{Compiled, World, simulate};
use rollcast::time::{Span, Timestamp};

fn chaos30() -> Scenario {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/chaos30.toml");
    scenario::load(&path, &[]).unwrap_or_else(|error| panic!("{error}"))
}

fn finish(mut world: World) -> String {
    while world.step() {}
    world.finish().to_json().unwrap()
}

#[test]
fn two_runs_of_one_seed_are_equal_and_of_two_seeds_are_not() {
    let scenario = chaos30();
    let first = simulate(&scenario).to_json().unwrap();
    assert_eq!(first, simulate(&scenario).to_json().unwrap());
    let mut other = scenario;
    other.run.seed += 1;
    assert_ne!(first, simulate(&other).to_json().unwrap());
}

#[test]
fn a_world_that_is_paused_and_copied_ends_as_one_that_runs_through() {
    let scenario = Arc::new(chaos30());
    let through = finish(World::new(Arc::clone(&scenario), 7));
    let mut paused = World::new(Arc::clone(&scenario), 7);
    let mut at = Timestamp::ZERO - Span::from_secs(200);
    while at < Timestamp::from_secs(45) {
        at += Span::from_millis(777);
        paused.run_until(at);
    }
    let copy = paused.clone();
    assert_eq!(finish(paused), through);
    assert_eq!(finish(copy), through);
}

/// What is left of a record in an outline.
fn outlined(mut record: Record) -> Record {
    record.scenario = serde_json::Value::Null;
    record.findings.clear();
    record.delivery = None;
    let queries = record.ticks.iter_mut().flat_map(|tick| &mut tick.queries);
    queries.for_each(|query| {
        query.selectors.clear();
        query.truth = None;
    });
    record
}

#[test]
fn a_runner_carries_nothing_over_from_one_seed_to_the_next() {
    for model in [TrafficModel::Requests, TrafficModel::Aggregate] {
        let mut scenario = chaos30();
        scenario.run.traffic_model = model;
        let compiled = Compiled::new(Arc::new(scenario.clone()));
        let mut runner = compiled.runner();
        for seed in [3, 4, 5, 3] {
            scenario.run.seed = seed;
            let alone = outlined(simulate(&scenario)).to_json().unwrap();
            let outline = runner.outline(seed).to_json().unwrap();
            assert!(outline == alone, "{model:?}, seed {seed}");
        }
    }
}

/// FNV-1a, 64 bits: enough to notice a changed byte.
fn digest(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    })
}

/// Debug and release, this machine and others: all must print what is committed here. A change of behaviour changes it on purpose.
#[test]
fn the_run_is_the_committed_one() {
    let committed = include_str!("data/chaos30.digest").trim();
    let measured = format!("{:016x}", digest(&simulate(&chaos30()).to_json().unwrap()));
    assert_eq!(
        measured, committed,
        "if the change is meant, write the new digest to tests/data/chaos30.digest"
    );
}
