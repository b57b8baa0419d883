//! What chance decides, held against what is known of it.

use rollcast::record::RequestTotals;
use rollcast::scenario::Distribution;
use rollcast::scenario::Via;
use rollcast::sim::clock::SECOND;
use rollcast::sim::ingress::Backend;
use rollcast::sim::service::Side;

use crate::given::{Given, add_pods, counted, set_endpoints};
use crate::queueing::erlang_c;

#[test]
fn a_service_without_an_ingress_spreads_requests_at_random() {
    let given = Given {
        via: Via::Service,
        seed: 3,
        ..Given::default()
    };
    let mut path = given.path();
    let mut pods = add_pods(&mut path, Side::Primary, 3, 0.0);
    pods.extend(add_pods(&mut path, Side::Canary, 1, 0.0));
    set_endpoints(&mut path, Backend::Main, &pods);
    let counters = given.run(&mut path, 100 * SECOND);
    assert_eq!(counters.born().count(), 0);
    let total = path.totals().total as f64;
    for &pod in &pods {
        let z = (path.served(pod) as f64 - total / 4.0) / (total * 0.25 * 0.75).sqrt();
        assert!(z.abs() < 4.0, "seed 3: z = {z}");
    }
    assert_eq!(path.totals().canary, path.served(pods[3]));
}

#[test]
fn two_configurations_on_one_seed_meet_the_same_requests() {
    // So many slots that nobody waits: every difference would be one of draws.
    let given = Given {
        concurrency: 200,
        ..Given::default()
    };
    let run = |pods, failure_rate, weight| {
        let mut path = given.rollout(pods, failure_rate, weight);
        path.advance(60 * SECOND);
        (path.seconds(0), path.latency(), path.totals())
    };
    let (seconds, latency, totals) = run([3, 1], 0.0, 0);
    let (other_seconds, other_latency, other_totals) = run([5, 4], 0.5, 50);
    for (a, b) in seconds.iter().zip(&other_seconds) {
        assert_eq!(
            (a.requests, a.p50_ms, a.p99_ms),
            (b.requests, b.p50_ms, b.p99_ms)
        );
    }
    assert_eq!(latency, other_latency);
    assert_eq!(totals.total, other_totals.total);
    assert!(totals.canary == 0 && other_totals.canary_failed > 0);

    // A higher failure rate fails the same requests and more.
    let failed = |rate| {
        let (seconds, ..) = run([3, 1], rate, 50);
        seconds.iter().map(|s| s.failed).collect::<Vec<_>>()
    };
    let (fewer, more) = (failed(0.1), failed(0.2));
    assert!(fewer.iter().zip(&more).all(|(a, b)| a <= b));
}

#[test]
fn waiting_times_follow_erlangs_formula() {
    let seed = 11;
    let (c, load) = (8, 0.7);
    let given = Given {
        // Two pods, told apart by the coin alone: each is an M/M/8.
        per_second: 2.0 * load * f64::from(c) / 0.020,
        service_time: Distribution::Exponential {
            mean_ns: 20_000_000,
        },
        concurrency: c,
        workers: 1,
        seed,
        ..Given::default()
    };
    let mut path = given.rollout([1, 1], 0.0, 50);
    let until = 3_000 * SECOND;
    let counters = given.run(&mut path, until);

    let busy = erlang_c(c, load);
    assert!((busy - 0.270603).abs() < 1e-6, "{busy}");
    let mean_ms = 20.0 + busy * 20.0 / (f64::from(c) * (1.0 - load));
    let requests = counted(&counters) as f64;
    let sum: f64 = counters
        .born()
        .map(|(_, _, cell)| cell.request_duration.sum_seconds())
        .sum();
    let measured = sum / requests * 1e3;
    // 1.7 million requests whose waits hang together: a standard error of about 0.03 ms.
    assert!(
        (measured - mean_ms).abs() < 0.12,
        "seed {seed}: mean {measured} ms for {mean_ms}"
    );
    let p99_ms = path.latency().p99_ms;
    assert!(
        (p99_ms / 95.634 - 1.0).abs() < 0.02,
        "seed {seed}: p99 {p99_ms} ms for 95.634"
    );
}

#[test]
fn the_coin_sends_the_weights_share_in_the_mean() {
    for (seed, weight) in [(1, 1u32), (2, 5), (3, 20), (4, 50), (5, 99)] {
        let given = Given {
            per_second: 1_000.0,
            concurrency: 100,
            seed,
            ..Given::default()
        };
        let mut path = given.rollout([2, 2], 0.0, weight);
        path.advance(200 * SECOND);
        let RequestTotals { total, canary, .. } = path.totals();
        let (n, p) = (total as f64, f64::from(weight) / 100.0);
        let z = (canary as f64 - n * p) / (n * p * (1.0 - p)).sqrt();
        assert!(z.abs() < 4.0, "seed {seed}, weight {weight}: z = {z}");
    }
}

#[test]
fn the_extremes_of_the_coin_are_certain_and_workers_have_their_own_weight() {
    let given = Given::default();
    for (weights, expected) in [([0, 0], 0.0), ([100, 100], 1.0), ([100, 0], 0.5)] {
        let mut path = given.rollout([2, 2], 0.0, 0);
        path.set_weight(0, weights[0]);
        path.set_weight(1, weights[1]);
        path.advance(60 * SECOND);
        let totals = path.totals();
        let share = totals.canary as f64 / totals.total as f64;
        assert!((share - expected).abs() < 0.03, "{weights:?}: {share}");
        if expected != 0.5 {
            assert_eq!(share, expected);
        }
    }
}

#[test]
fn pods_of_a_backend_take_turns() {
    let given = Given::default();
    let mut path = given.path();
    let pods = add_pods(&mut path, Side::Primary, 3, 0.0);
    set_endpoints(&mut path, Backend::Main, &pods);
    path.advance(60 * SECOND);
    let served: Vec<u64> = pods.iter().map(|&pod| path.served(pod)).collect();
    let (min, max) = (served.iter().min().unwrap(), served.iter().max().unwrap());
    // Each worker's round gives every pod the same but for one.
    assert!(max - min <= u64::from(given.workers), "{served:?}");
    assert_eq!(served.iter().sum::<u64>(), path.totals().total);
}
