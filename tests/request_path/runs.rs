//! Whole runs: the same again, cut, shared, looked at by the second.

use rollcast::record::RequestTotals;
use rollcast::seed::RunSeed;
use rollcast::sim::clock::{MILLISECOND, Nanos, SECOND};
use rollcast::sim::ingress::{Backend, Counters};
use rollcast::sim::requests::{RequestPath, SecondStats};
use rollcast::sim::service::Side;

use crate::given::{Given, add_pods, set_endpoints};

#[test]
fn a_run_on_the_same_seed_is_the_same_to_the_last_count() {
    let given = Given::default();
    let run = |seed| {
        let given = Given {
            seed,
            ..given.clone()
        };
        let mut path = given.rollout([3, 1], 0.1, 30);
        let counters = given.run(&mut path, 60 * SECOND);
        (counters, path.seconds(0), path.totals(), path.latency())
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[test]
fn where_the_world_cuts_time_changes_nothing() {
    let given = Given::default();
    let until = 30 * SECOND;
    let whole = {
        let mut path = given.rollout([2, 1], 0.3, 40);
        let counters = given.run(&mut path, until);
        (counters, path.seconds(0), path.totals())
    };
    for step in [MILLISECOND, 37 * MILLISECOND, SECOND, 1_234 * MILLISECOND] {
        let mut path = given.rollout([2, 1], 0.3, 40);
        let (mut at, mut scrape, mut counters) = (0, 2 * SECOND, Counters::default());
        while at < until {
            at = (at + step).min(scrape).min(until);
            path.advance(at);
            if at == scrape {
                counters = path.scrape(at).clone();
                scrape += given.scrape_interval;
            }
        }
        let cut = (counters, path.seconds(0), path.totals());
        assert_eq!(cut, whole, "in steps of {step} ns");
    }
}

#[test]
fn seconds_add_up_to_the_totals_and_windows_to_their_seconds() {
    let given = Given::default();
    let mut path = given.rollout([3, 1], 0.3, 20);
    path.advance(20 * SECOND + 250 * MILLISECOND);
    let zero = 20 * SECOND + 250 * MILLISECOND;
    path.start_totals(zero);
    assert_eq!(path.totals(), RequestTotals::default());
    path.advance(zero + 60 * SECOND + SECOND / 2);

    let seconds = path.seconds(zero);
    assert_eq!(seconds.len(), 61);
    for (number, second) in seconds.iter().enumerate() {
        assert_eq!(second.start, zero + number as Nanos * SECOND);
        assert!(second.p50_ms > 10.0 && second.p50_ms < second.p99_ms);
    }
    let totals = path.totals();
    let sum = |of: fn(&SecondStats) -> u64| -> u64 { seconds.iter().map(of).sum() };
    assert_eq!(sum(|s| s.requests), totals.total);
    assert_eq!(sum(|s| s.failed), totals.failed);
    assert_eq!(sum(|s| s.canary), totals.canary);
    assert_eq!(sum(|s| s.canary_failed), totals.canary_failed);

    let (from, to) = (zero + 10 * SECOND, zero + 40 * SECOND);
    let truth = path.window_truth(from, to, Side::Canary);
    let window = &seconds[10..40];
    assert_eq!(truth.requests, window.iter().map(|s| s.canary).sum::<u64>());
    assert_eq!(
        truth.failed,
        window.iter().map(|s| s.canary_failed).sum::<u64>()
    );
    let rest = path.window_truth(from, to, Side::Primary);
    assert_eq!(
        truth.requests + rest.requests,
        window.iter().map(|s| s.requests).sum::<u64>()
    );
    assert_eq!(rest.failed, 0);
    // Lognormal with median 20 ms and sigma 0.5: 64 ms, and hardly any waiting.
    assert!((55.0..75.0).contains(&rest.p99_ms), "{}", rest.p99_ms);
}

#[test]
fn latencies_older_than_is_kept_are_forgotten_counts_are_not() {
    let mut plan = Given::default().plan();
    plan.truth_seconds = 30;
    let mut path = RequestPath::new(plan, RunSeed(1), 0);
    let pods = add_pods(&mut path, Side::Primary, 2, 0.0);
    set_endpoints(&mut path, Backend::Main, &pods);
    path.advance(200 * SECOND);
    let old = path.window_truth(0, 10 * SECOND, Side::Primary);
    assert!(old.requests > 1_500 && old.p99_ms == 0.0, "{old:?}");
    let new = path.window_truth(170 * SECOND, 200 * SECOND, Side::Primary);
    assert!(new.requests > 5_000 && new.p99_ms > 50.0, "{new:?}");
}

#[test]
fn runs_can_share_a_warm_up() {
    let given = Given::default();
    let mut warm = given.rollout([3, 1], 0.1, 20);
    warm.advance(30 * SECOND);
    let go_on = |seed| {
        let mut path = warm.clone();
        path.reseed(RunSeed(seed));
        path.start_totals(30 * SECOND);
        path.advance(90 * SECOND);
        path.seconds(30 * SECOND)
    };
    assert_eq!(go_on(5), go_on(5));
    assert_ne!(go_on(5), go_on(6));
    assert_eq!(warm.totals().total, warm.clone().totals().total);
}

#[test]
fn answering_requests_singly_and_in_blocks_is_the_same() {
    let run = |kills| {
        let given = Given {
            kills,
            ..Given::default()
        };
        let mut path = given.rollout([3, 1], 0.1, 30);
        let counters = given.run(&mut path, 60 * SECOND);
        (counters, path.seconds(0), path.totals(), path.latency())
    };
    assert_eq!(run(true), run(false));
}

/// The same bytes on every machine, in debug and release: a number that only a change of the model may change.
#[test]
fn a_run_is_the_one_it_has_always_been() {
    let given = Given::default();
    let mut path = given.rollout([3, 1], 0.1, 30);
    let counters = given.run(&mut path, 300 * SECOND);
    let mut numbers = Vec::new();
    for (group, status, cell) in counters.born() {
        numbers.extend([u64::from(group), u64::from(status.code()), cell.requests]);
        numbers.extend(cell.request_duration.buckets);
        numbers.push(cell.request_duration.sum_ms);
    }
    for second in path.seconds(0) {
        numbers.extend([second.requests, second.failed, second.canary]);
        numbers.extend([second.p50_ms.to_bits(), second.p99_ms.to_bits()]);
    }
    numbers.push(path.latency().max_ms.to_bits());
    // FNV-1a, a word at a time.
    let digest = numbers
        .iter()
        .fold(0xcbf2_9ce4_8422_2325u64, |hash, number| {
            (hash ^ number).wrapping_mul(0x0100_0000_01b3)
        });
    assert_eq!(format!("{digest:016x}"), "74325cf18f8aba44");
}
