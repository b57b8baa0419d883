//! Requests that outlast a limit or lose their pod.

use rollcast::scenario::Distribution;
use rollcast::sim::clock::{MILLISECOND, Nanos, SECOND};
use rollcast::sim::ingress::{Backend, Counters, Status};
use rollcast::sim::service::{Side, Slowdown};

use crate::given::{Given, add_pods, counted, set_endpoints, set_weight};

/// Constant service times in so many slots that nobody waits.
fn constant(seconds: f64) -> Given {
    Given {
        service_time: Distribution::Constant {
            ns: (seconds * 1e9) as u64,
        },
        concurrency: 10_000,
        per_second: 50.0,
        ..Given::default()
    }
}

#[test]
fn a_pod_that_is_too_slow_costs_a_request_every_attempt() {
    for (tries, patience_s, status, seconds) in [
        (1, None, Status::GatewayTimeout, 2.0),
        (3, None, Status::GatewayTimeout, 6.0),
        (3, Some(5), Status::ClientClosed, 5.0),
        (3, Some(1), Status::ClientClosed, 1.0),
    ] {
        let given = Given {
            read_timeout: Some(2 * SECOND),
            tries,
            patience: patience_s.map(|s| s * SECOND),
            ..constant(3.0)
        };
        let mut path = given.rollout([2, 0], 0.0, 0);
        let counters = given.run(&mut path, 62 * SECOND);
        let born: Vec<_> = counters
            .born()
            .map(|(group, status, _)| (group, status))
            .collect();
        assert_eq!(
            born,
            [(0, status)],
            "{tries} tries, patience {patience_s:?}"
        );
        let cell = counters.cell(0, status);
        let mean = cell.request_duration.sum_seconds() / cell.requests as f64;
        assert!((mean - seconds).abs() < 1e-3, "{mean} s for {seconds}");
        // A list of upstream times is not a number.
        let one_attempt = seconds <= 2.0;
        let observed = if one_attempt { cell.requests } else { 0 };
        assert_eq!(cell.response_duration.count(), observed);
        // Users who went away count as served: a 499 is no 5xx.
        let totals = path.totals();
        let waiting = (given.per_second * seconds * 1.3) as u64;
        if status == Status::GatewayTimeout {
            assert!(totals.failed + waiting > totals.total && totals.failed <= totals.total);
        } else {
            assert_eq!(totals.failed, 0);
        }
        let latency = path.latency();
        assert!((latency.max_ms / 1e3 - seconds).abs() < 1e-9);
        assert!((latency.p50_ms / 1e3 / seconds - 1.0).abs() < 0.02);
    }
}

#[test]
fn another_pod_can_rescue_a_request_that_timed_out() {
    let given = Given {
        read_timeout: Some(2 * SECOND),
        workers: 1,
        ..constant(0.1)
    };
    let mut path = given.path();
    let pods = add_pods(&mut path, Side::Primary, 2, 0.0);
    set_endpoints(&mut path, Backend::Main, &pods);
    path.set_slowdown(
        pods[0],
        Slowdown {
            factor: 1.0,
            added: 10 * SECOND,
        },
    );
    let counters = given.run(&mut path, 62 * SECOND);
    // Every attempt meets the slow pod half of the time, whatever the one before met.
    let all = counted(&counters) as f64;
    let histogram = counters.cell(0, Status::Ok).request_duration;
    let at_once = histogram.buckets[5];
    let timed_out = counters.cell(0, Status::GatewayTimeout).requests;
    assert!((at_once as f64 / all - 0.5).abs() < 0.05, "{at_once}");
    assert!((timed_out as f64 / all - 0.125).abs() < 0.05, "{timed_out}");
    let upstream = counters.cell(0, Status::Ok).response_duration;
    assert_eq!(upstream.count(), at_once);
    assert_eq!(upstream.buckets[5], at_once);
}

#[test]
fn a_killed_pods_requests_go_to_the_next_one_and_nobody_notices_but_by_the_clock() {
    let given = Given {
        kills: true,
        ..constant(1.0)
    };
    let mut path = given.path();
    let pods = add_pods(&mut path, Side::Primary, 3, 0.0);
    set_endpoints(&mut path, Backend::Main, &pods);
    path.advance(10 * SECOND + SECOND / 2);
    path.kill_pod(pods[0]);
    // For half a second the ingress does not know.
    path.advance(11 * SECOND);
    path.remove_pod(pods[0]);
    let served = path.served(pods[0]);
    let counters = given.run(&mut path, 62 * SECOND);
    assert_eq!(path.served(pods[0]), served);
    assert_eq!(path.totals().failed, 0);
    let cell = counters.cell(0, Status::Ok);
    assert_eq!(counted(&counters), cell.requests);
    let retried = cell.requests - cell.response_duration.count();
    // A third of a second and a half of requests: those at work, and those refused.
    assert!((15..=35).contains(&retried), "{retried}");
    let late = cell.requests - cell.request_duration.buckets[7];
    assert!(late < retried, "a refused request loses no time");
}

#[test]
fn the_only_pods_death_is_502_until_the_ingress_knows_and_503_after() {
    let given = Given {
        kills: true,
        ..constant(1.0)
    };
    let mut path = given.path();
    let pods = add_pods(&mut path, Side::Primary, 1, 0.0);
    set_endpoints(&mut path, Backend::Main, &pods);
    path.advance(10 * SECOND);
    path.kill_pod(pods[0]);
    path.advance(12 * SECOND);
    path.remove_pod(pods[0]);
    let counters = given.run(&mut path, 62 * SECOND);
    let requests = |status| counters.cell(0, status).requests;
    assert_eq!(requests(Status::Ok) + requests(Status::BadGateway), {
        let until_known = path.seconds(0);
        until_known[..12].iter().map(|s| s.requests).sum::<u64>()
    });
    // A second's worth at work when it died, and two seconds' worth after.
    assert!((115..=190).contains(&requests(Status::BadGateway)));
    assert!(requests(Status::Unavailable) > 2_000);
    let failed: Vec<_> = path
        .seconds(0)
        .iter()
        .map(|s| s.failed == s.requests)
        .collect();
    assert_eq!(failed[..9], [false; 9]);
    assert!(failed[10..].iter().all(|&all| all));
    assert_eq!(
        path.totals().failed,
        path.seconds(0).iter().map(|s| s.failed).sum::<u64>()
    );
}

#[test]
fn timeouts_and_kills_are_cut_invariant_and_lose_no_request() {
    // Overloaded: waits grow until requests time out and are tried again.
    let given = Given {
        per_second: 100.0,
        concurrency: 1,
        read_timeout: Some(3 * SECOND),
        patience: Some(8 * SECOND),
        kills: true,
        ..Given::default()
    };
    let run = |step: Nanos| {
        let mut path = given.path();
        let main = add_pods(&mut path, Side::Primary, 1, 0.0);
        let canary = add_pods(&mut path, Side::Canary, 1, 0.2);
        set_endpoints(&mut path, Backend::Main, &main);
        set_endpoints(&mut path, Backend::Alternative, &canary);
        set_weight(&mut path, given.workers, 30);
        let (mut at, mut scrape) = (0, 2 * SECOND);
        while at < 60 * SECOND {
            at = (at + step).min(scrape).min(60 * SECOND);
            path.advance(at);
            if at == scrape {
                path.scrape(at);
                scrape += given.scrape_interval;
            }
            if at == 32 * SECOND {
                path.kill_pod(canary[0]);
                path.remove_pod(canary[0]);
            }
        }
        let before = path.totals();
        // Nobody comes any more, and what is under way ends.
        path.set_endpoints(Backend::Main, &[]);
        let mut counters = Counters::default();
        for late in 0..6 {
            path.advance(scrape + late * given.scrape_interval);
            counters = path.scrape(scrape + late * given.scrape_interval).clone();
        }
        let arrived: u64 = path.totals().total;
        (before, counters, arrived, path.seconds(0))
    };
    let whole = run(60 * SECOND);
    for step in [7 * MILLISECOND, 999 * MILLISECOND] {
        assert_eq!(run(step), whole, "in steps of {step} ns");
    }
    let (before, counters, arrived, _) = whole;
    let born: Vec<_> = counters.born().map(|(_, status, _)| status).collect();
    for status in [
        Status::Ok,
        Status::InternalError,
        Status::BadGateway,
        Status::ClientClosed,
    ] {
        assert!(born.contains(&status), "{status:?} of {born:?}");
    }
    // All but the last seconds' 503s have been flushed.
    let counted = counted(&counters);
    assert!(
        counted <= arrived && counted + 200 > arrived,
        "{counted} of {arrived}"
    );
    assert!(before.failed > 0 && before.canary > 0);
}
