//! The same seed gives the same bytes: twice, stepped or run through, copied in the middle, and on every machine.

use std::path::Path;
use std::sync::Arc;

use rollcast::scenario::{self, Scenario};
use rollcast::sim::{World, simulate};
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
