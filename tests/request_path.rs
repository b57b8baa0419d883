//! The request path from outside: what arrives is counted once, where and when it should be, whatever the world does.

use std::collections::BTreeMap;

use rollcast::record::RequestTotals;
use rollcast::scenario::{
    Arrivals, Attribution, Distribution, IngressController, RatePoint, Traffic, Version, Via,
};
use rollcast::seed::RunSeed;
use rollcast::sim::clock::{MILLISECOND, Nanos, SECOND};
use rollcast::sim::ingress::{Backend, Counters, ScrapeGrid, Status};
use rollcast::sim::requests::{PathPlan, RequestPath};
use rollcast::sim::service::{PodIx, PodSpec, Side, Slowdown};
use rollcast::time::Span;

/// A path under test, described by what differs from test to test.
#[derive(Clone)]
struct Given {
    arrivals: Arrivals,
    per_second: f64,
    service_time: Distribution,
    concurrency: u32,
    workers: u32,
    scrape_interval: Nanos,
    flush_interval: Span,
    seed: u64,
}

impl Default for Given {
    fn default() -> Self {
        Given {
            arrivals: Arrivals::Poisson,
            per_second: 200.0,
            service_time: Distribution::Lognormal {
                median_ns: 20_000_000,
                sigma: 0.5,
            },
            concurrency: 8,
            workers: 2,
            scrape_interval: 5 * SECOND,
            flush_interval: Span::from_secs(1),
            seed: 1,
        }
    }
}

impl Given {
    fn plan(&self) -> PathPlan {
        let traffic = Traffic {
            arrivals: self.arrivals,
            rate: vec![RatePoint {
                at: Span::ZERO,
                per_second: self.per_second,
            }],
            host: None,
            via: Via::Ingress,
        };
        let version = Version {
            service_time: self.service_time.clone(),
            failure_time: None,
            concurrency: self.concurrency,
            cpu_per_request_ns: 5_000_000,
            startup: Distribution::Constant { ns: 0 },
            base_failure_rate: 0.0,
            image: None,
            env: BTreeMap::new(),
        };
        let ingress = IngressController {
            attribution: Attribution::Shared,
            workers: self.workers,
            sync_delay: Span::ZERO,
            worker_poll: Span::from_secs(1),
            flush_interval: self.flush_interval,
        };
        let mut plan = PathPlan::new(&traffic, [&version], &ingress, true);
        plan.scrapes = Some(ScrapeGrid {
            first: 2 * SECOND,
            interval: self.scrape_interval,
        });
        plan
    }

    fn path(&self) -> RequestPath {
        RequestPath::new(self.plan(), RunSeed(self.seed), 0)
    }

    /// A path with pods behind both backends, the canary's failing at `failure_rate`, and the same weight in every worker.
    fn rollout(&self, pods: [usize; 2], failure_rate: f64, weight: u32) -> RequestPath {
        let mut path = self.path();
        let main = add_pods(&mut path, Side::Primary, pods[0], 0.0);
        let canary = add_pods(&mut path, Side::Canary, pods[1], failure_rate);
        set_endpoints(&mut path, Backend::Main, &main);
        set_endpoints(&mut path, Backend::Alternative, &canary);
        set_weight(&mut path, self.workers, weight);
        path
    }

    /// Advances to `until`, scraping on the grid; the last scrape's counters.
    fn run(&self, path: &mut RequestPath, until: Nanos) -> Counters {
        let mut counters = Counters::default();
        let mut at = 2 * SECOND;
        while at <= until {
            path.advance(at);
            counters = path.scrape(at).clone();
            at += self.scrape_interval;
        }
        path.advance(until);
        counters
    }
}

fn add_pods(path: &mut RequestPath, side: Side, count: usize, failure_rate: f64) -> Vec<PodIx> {
    let spec = PodSpec {
        side,
        version: 0,
        failure_rate,
    };
    (0..count).map(|_| path.add_pod(spec)).collect()
}

fn set_endpoints(path: &mut RequestPath, backend: Backend, pods: &[PodIx]) {
    let group = backend as u8;
    let endpoints: Vec<_> = pods.iter().map(|&pod| (pod, group)).collect();
    path.set_endpoints(backend, &endpoints);
}

fn set_weight(path: &mut RequestPath, workers: u32, weight: u32) {
    for worker in 0..workers {
        path.set_weight(worker, weight);
    }
}

fn counted(counters: &Counters) -> u64 {
    counters.born().map(|(_, _, cell)| cell.requests).sum()
}

/// The chance that all of `c` servers are busy, offered `a` of their capacity each (Erlang's second formula).
fn erlang_c(c: u32, a: f64) -> f64 {
    let load = a * f64::from(c);
    let blocked = (1..=c).fold(1.0, |b, k| load * b / (f64::from(k) + load * b));
    blocked / (1.0 - a + a * blocked)
}

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

#[test]
fn every_request_is_counted_once() {
    let given = Given::default();
    let mut path = given.rollout([3, 1], 0.25, 30);
    given.run(&mut path, 120 * SECOND);
    let totals = path.totals();
    // Nothing arrives after; two scrapes later everything has completed and been flushed.
    path.set_endpoints(Backend::Main, &[]);
    path.scrape(122 * SECOND);
    let counters = path.scrape(127 * SECOND);
    assert_eq!(counted(counters), totals.total);
    let requests = |group, status| counters.cell(group, status).requests;
    assert_eq!(
        requests(1, Status::Ok) + requests(1, Status::InternalError),
        totals.canary
    );
    assert_eq!(requests(1, Status::InternalError), totals.canary_failed);
    assert_eq!(requests(0, Status::InternalError), 0);
    for (_, _, cell) in counters.born() {
        assert!(cell.request_duration.buckets.is_sorted());
        assert_eq!(cell.request_duration.count(), cell.requests);
        assert_eq!(cell.request_duration, cell.response_duration);
    }
}

#[test]
fn a_scrape_sees_what_has_completed_and_been_flushed() {
    // Evenly spaced requests of constant length, so that each one's completion can be written down.
    let spacing = 20 * MILLISECOND;
    for (service, scrape_interval) in [
        (130 * MILLISECOND, 5 * SECOND),
        (999 * MILLISECOND, SECOND),
        // Longer than two scrape intervals: credited late.
        (12_345 * MILLISECOND, SECOND),
    ] {
        let given = Given {
            arrivals: Arrivals::Deterministic,
            per_second: 50.0,
            service_time: Distribution::Constant { ns: service as u64 },
            concurrency: 1_000,
            scrape_interval,
            ..Given::default()
        };
        for flush_ms in [1, 1_000] {
            let given = Given {
                flush_interval: Span::from_millis(flush_ms),
                ..given.clone()
            };
            let mut path = given.rollout([1, 0], 0.0, 0);
            let mut at = 2 * SECOND;
            while at < 40 * SECOND {
                path.advance(at);
                let seen = counted(path.scrape(at)) as i64;
                let completed = |by: Nanos| ((by - service) / spacing).max(0);
                let latest = completed(at);
                let flushed = completed(at - flush_ms * MILLISECOND);
                assert!(
                    (flushed..=latest).contains(&seen),
                    "{service} ns, flushes each {flush_ms} ms: {seen} at {at}, not in {flushed}..={latest}"
                );
                at += scrape_interval;
            }
        }
    }
}

#[test]
fn buckets_are_those_of_whole_milliseconds() {
    // A request of 25.5 ms is reported as 25 or as 26 ms: half of them in the bucket up to 25 ms.
    let given = Given {
        service_time: Distribution::Constant { ns: 25_500_000 },
        concurrency: 100,
        ..Given::default()
    };
    let mut path = given.rollout([1, 0], 0.0, 0);
    let counters = given.run(&mut path, 300 * SECOND);
    let histogram = counters.cell(0, Status::Ok).request_duration;
    let n = histogram.count() as f64;
    assert_eq!(histogram.buckets[1], 0, "none up to 10 ms");
    assert_eq!(histogram.buckets[3], histogram.count(), "all up to 50 ms");
    let share = histogram.buckets[2] as f64 / n;
    assert!((share - 0.5).abs() < 4.0 * 0.5 / n.sqrt(), "{share}");
    assert!((histogram.sum_seconds() / n - 0.0255).abs() < 1e-5);
}

#[test]
fn a_canary_without_endpoints_gets_nothing_whatever_its_weight() {
    let given = Given::default();
    let mut path = given.rollout([2, 0], 0.0, 100);
    path.advance(10 * SECOND);
    let before = path.totals();
    assert!(before.total > 0 && before.canary == 0 && before.failed == 0);
    // As soon as there are some, the weight that was set before holds.
    let canary = add_pods(&mut path, Side::Canary, 1, 0.0);
    set_endpoints(&mut path, Backend::Alternative, &canary);
    path.advance(20 * SECOND);
    let after = path.totals();
    assert_eq!(after.canary, after.total - before.total);
    // And when the last one goes, the primary has them all again.
    path.remove_pod(canary[0]);
    path.advance(30 * SECOND);
    assert_eq!(path.totals().canary, after.canary);
    assert_eq!(path.totals().failed, 0);
}

#[test]
fn without_a_main_backend_everything_is_503_and_no_upstream_time_is_seen() {
    let given = Given::default();
    let mut path = given.rollout([1, 1], 0.0, 100);
    set_endpoints(&mut path, Backend::Main, &[]);
    let counters = given.run(&mut path, 20 * SECOND);
    let totals = path.totals();
    assert!(totals.total > 3_000 && totals.failed == totals.total);
    let born: Vec<_> = counters
        .born()
        .map(|(group, status, _)| (group, status))
        .collect();
    assert_eq!(born, [(0, Status::Unavailable)]);
    let cell = counters.cell(0, Status::Unavailable);
    assert_eq!(cell.request_duration.count(), cell.requests);
    assert_eq!(cell.response_duration.count(), 0);
}

#[test]
fn an_ingress_that_does_not_record_shows_nothing() {
    let given = Given::default();
    let mut plan = given.plan();
    plan.ingress.records = false;
    let mut path = RequestPath::new(plan, RunSeed(1), 0);
    let pods = add_pods(&mut path, Side::Primary, 1, 0.0);
    set_endpoints(&mut path, Backend::Main, &pods);
    path.advance(7 * SECOND);
    assert_eq!(path.scrape(7 * SECOND).born().count(), 0);
    assert!(path.totals().total > 1_000);
}

#[test]
fn a_removed_pod_completes_what_it_has_and_gets_no_more() {
    let given = Given {
        service_time: Distribution::Constant { ns: 3_000_000_000 },
        concurrency: 10_000,
        ..Given::default()
    };
    let mut path = given.path();
    let pods = add_pods(&mut path, Side::Primary, 2, 0.0);
    set_endpoints(&mut path, Backend::Main, &pods);
    path.advance(10 * SECOND);
    let served = path.served(pods[0]);
    assert!(path.working(pods[0]) > 200);
    path.remove_pod(pods[0]);
    path.advance(20 * SECOND);
    assert_eq!(path.served(pods[0]), served);
    let idle_from = path.idle_from(pods[0]).unwrap();
    assert!(
        (12 * SECOND..=13 * SECOND).contains(&idle_from),
        "{idle_from}"
    );
    assert_eq!(path.working(pods[0]), 0);
    assert!(path.served(pods[1]) > 2 * served);
}

#[test]
fn cpu_time_is_used_while_requests_are_worked_on_and_no_faster_than_slots_allow() {
    // 5 ms of CPU time in 50 ms of work: one busy slot uses a tenth of a core.
    for (per_second, concurrency, cores) in [(100.0, 50, 0.5), (1_000.0, 8, 0.8)] {
        let given = Given {
            per_second,
            concurrency,
            service_time: Distribution::Exponential {
                mean_ns: 50_000_000,
            },
            ..Given::default()
        };
        let mut path = given.rollout([0, 0], 0.0, 0);
        let pod = add_pods(&mut path, Side::Primary, 1, 0.0)[0];
        set_endpoints(&mut path, Backend::Main, &[pod]);
        let mut used = vec![0];
        for second in 1..=100 {
            path.advance(second * SECOND);
            used.push(path.cpu_ns(pod));
        }
        assert!(used.is_sorted());
        let measured = used[100] as f64 / 100e9;
        assert!(
            (measured / cores - 1.0).abs() < 0.04,
            "{per_second} a second: {measured} cores for {cores}"
        );
        // Waiting for slower answers costs no CPU time.
        path.set_slowdown(
            pod,
            Slowdown {
                factor: 1.0,
                added: 150 * MILLISECOND,
            },
        );
        let before = path.cpu_ns(pod);
        path.advance(200 * SECOND);
        let after = (path.cpu_ns(pod) - before) as f64 / 100e9;
        let expected = if concurrency == 8 { 0.2 } else { cores };
        assert!(
            (after / expected - 1.0).abs() < 0.1,
            "{after} for {expected}"
        );
    }
}

#[test]
fn faults_can_come_and_go_in_a_running_pod() {
    let given = Given::default();
    let mut path = given.path();
    let pods = add_pods(&mut path, Side::Primary, 2, 0.0);
    set_endpoints(&mut path, Backend::Main, &pods);
    path.advance(10 * SECOND);
    path.set_failure_rate(pods[0], 1.0);
    path.set_slowdown(
        pods[1],
        Slowdown {
            factor: 2.0,
            added: 0,
        },
    );
    path.advance(20 * SECOND);
    path.set_failure_rate(pods[0], 0.0);
    path.set_slowdown(pods[1], Slowdown::NONE);
    path.advance(30 * SECOND);
    let window = |from, to| path.window_truth(from * SECOND, to * SECOND, Side::Primary);
    let [before, during, after] = [(0, 10), (10, 20), (20, 30)].map(|(from, to)| window(from, to));
    let share = during.failed as f64 / during.requests as f64;
    assert!((share - 0.5).abs() < 0.02, "{share}");
    assert!(before.failed == 0 && after.failed == 0);
    assert!(during.p99_ms > 1.5 * before.p99_ms && after.p99_ms < 1.2 * before.p99_ms);
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
    let sum = |of: fn(&rollcast::sim::requests::SecondStats) -> u64| -> u64 {
        seconds.iter().map(of).sum()
    };
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
