//! What exactly is answered and counted when something goes wrong, and who is asked where it matters how pods are doing.

use rollcast::scenario::{
    Arrivals, Clients, Distribution, LoadBalance, NextUpstream, RatePoint, Traffic,
};
use rollcast::seed::RunSeed;
use rollcast::sim::clock::{MILLISECOND, Nanos, SECOND};
use rollcast::sim::ingress::{Backend, Counters, Group, ScrapeGrid, Status};
use rollcast::sim::requests::{ClientPlan, PathPlan, RequestPath};
use rollcast::sim::service::{PodIx, Side, Slowdown};
use rollcast::sim::traffic::ArrivalPlan;
use rollcast::time::Span;

use crate::given::{Given, add_pods, counted, set_endpoints};

/// Group, status, requests, and observations of the upstream's time.
fn samples(counters: &Counters) -> Vec<(Group, u16, u64, u64)> {
    let born = counters.born();
    born.map(|(group, status, cell)| {
        assert_eq!(cell.request_duration.count(), cell.requests);
        (
            group,
            status.code(),
            cell.requests,
            cell.response_duration.count(),
        )
    })
    .collect()
}

/// Ten requests a second, evenly, in slots without number.
fn even(seconds: f64) -> Given {
    Given {
        arrivals: Arrivals::Deterministic,
        per_second: 10.0,
        concurrency: 10_000,
        service_time: Distribution::Constant {
            ns: (seconds * 1e9) as u64,
        },
        workers: 1,
        ..Given::default()
    }
}

/// A path whose requests, two hundred of them at ten a second, end after twenty seconds.
fn built(
    given: &Given,
    change: impl FnOnce(&mut PathPlan),
    pods: usize,
) -> (RequestPath, Vec<PodIx>) {
    let mut plan = given.plan();
    let point = |at, per_second| RatePoint {
        at: Span::from_millis(at),
        per_second,
    };
    let rate = given.per_second;
    plan.arrivals = ArrivalPlan::new(&Traffic {
        arrivals: given.arrivals,
        rate: vec![point(0, rate), point(END_MS, rate), point(END_MS, 0.0)],
        ..Traffic::steady(0.0)
    });
    change(&mut plan);
    let mut path = RequestPath::new(plan, RunSeed(given.seed), 0);
    let pods = add_pods(&mut path, Side::Primary, pods, 0.0);
    set_endpoints(&mut path, Backend::Main, &pods);
    (path, pods)
}

/// Just after the two hundredth request of ten a second.
const END_MS: i64 = 20_050;

/// Just after the hundredth.
const MIDDLE: Nanos = 10_050 * MILLISECOND;

/// Goes on until everything has ended.
fn ended(given: &Given, path: &mut RequestPath) -> Counters {
    given.run_from(path, 22 * SECOND, 262 * SECOND)
}

fn whole(given: &Given, path: &mut RequestPath) -> Counters {
    given.run(path, 17 * SECOND);
    ended(given, path)
}

#[test]
fn a_dead_slow_upstream_is_504_after_every_attempt_and_the_upstream_histogram_never_hears_of_it() {
    let given = even(600.0);
    let (mut path, _) = built(&given, |_| {}, 2);
    let counters = whole(&given, &mut path);
    assert_eq!(samples(&counters), [(0, 504, 200, 0)]);
    let cell = counters.cell(0, Status::GatewayTimeout);
    // Three times proxy-read-timeout; 180 s is beyond the last bound.
    assert_eq!(cell.request_duration.sum_ms, 200 * 180_000);
    assert_eq!(cell.request_duration.buckets[10], 0);
    // With one try it is a number again.
    let (mut path, _) = built(&given, |plan| plan.ingress.tries = 1, 2);
    let counters = whole(&given, &mut path);
    assert_eq!(samples(&counters), [(0, 504, 200, 200)]);
    assert_eq!(
        counters
            .cell(0, Status::GatewayTimeout)
            .request_duration
            .sum_ms,
        200 * 60_000
    );
}

#[test]
fn an_empty_canary_sends_everyone_to_the_primary_and_an_empty_primary_is_503_at_once() {
    let given = even(0.1);
    let (mut path, _) = built(&given, |_| {}, 2);
    path.set_weight(0, 100);
    let counters = whole(&given, &mut path);
    assert_eq!(samples(&counters), [(0, 200, 200, 200)]);
    // A canary with pods does not help a primary without; nobody is asked, and no time goes by.
    let (mut path, _) = built(&given, |_| {}, 0);
    let canary = add_pods(&mut path, Side::Canary, 2, 0.0);
    set_endpoints(&mut path, Backend::Alternative, &canary);
    path.set_weight(0, 100);
    let counters = whole(&given, &mut path);
    assert_eq!(samples(&counters), [(0, 503, 200, 0)]);
    let unavailable = counters.cell(0, Status::Unavailable);
    assert_eq!(unavailable.request_duration.sum_ms, 0);
}

#[test]
fn a_killed_pods_requests_are_answered_by_the_next_and_missing_from_the_upstream_histogram() {
    let given = Given {
        kills: true,
        ..even(2.0)
    };
    let (mut path, pods) = built(&given, |_| {}, 2);
    given.run(&mut path, 7 * SECOND);
    path.advance(MIDDLE);
    // One request in 100 ms, every other to this pod, each two seconds under way: ten are.
    path.kill_pod(pods[0]);
    path.remove_pod(pods[0]);
    let counters = given.run_from(&mut path, 12 * SECOND, 62 * SECOND);
    assert_eq!(samples(&counters), [(0, 200, 200, 190)]);
    assert_eq!(path.totals().failed, 0);
}

#[test]
fn without_next_upstream_a_killed_pod_is_502_and_a_refused_connection_too() {
    let given = Given {
        kills: true,
        ..even(2.0)
    };
    let (mut path, pods) = built(&given, |plan| plan.ingress.next_upstream.clear(), 2);
    given.run(&mut path, 7 * SECOND);
    path.advance(MIDDLE);
    path.kill_pod(pods[0]);
    path.advance(MIDDLE + SECOND);
    path.remove_pod(pods[0]);
    let counters = given.run_from(&mut path, 12 * SECOND, 62 * SECOND);
    // Ten that it had, and every other of the second in which nginx did not know.
    assert_eq!(samples(&counters), [(0, 200, 185, 185), (0, 502, 15, 15)]);
}

#[test]
fn a_pod_that_nothing_reaches_costs_the_connect_timeout_and_is_504_where_there_is_no_other() {
    let given = even(0.1);
    let (mut path, pods) = built(&given, |_| {}, 1);
    path.set_unreachable(pods[0], true);
    let counters = whole(&given, &mut path);
    assert_eq!(samples(&counters), [(0, 504, 200, 0)]);
    assert_eq!(
        counters
            .cell(0, Status::GatewayTimeout)
            .request_duration
            .sum_ms,
        200 * 15_000
    );
    // A user who waits ten seconds is gone by then: 499, which is no 5xx.
    let impatient = |plan: &mut PathPlan| plan.patience = Some(10 * SECOND);
    let (mut path, pods) = built(&given, impatient, 1);
    path.set_unreachable(pods[0], true);
    let counters = whole(&given, &mut path);
    assert_eq!(samples(&counters), [(0, 499, 200, 0)]);
}

#[test]
fn http_500_is_tried_again_only_where_next_upstream_says_so() {
    let given = even(0.05);
    let outcome = |again: bool| {
        let (mut path, pods) = built(
            &given,
            |plan| {
                if again {
                    plan.ingress.next_upstream.insert(NextUpstream::Http500);
                }
            },
            2,
        );
        path.set_failure_rate(pods[0], 1.0);
        samples(&whole(&given, &mut path))
    };
    assert_eq!(outcome(false), [(0, 200, 100, 100), (0, 500, 100, 100)]);
    // A second attempt takes a turn of the round, so that the next request meets the failing pod again: all but the first,
    // perhaps, are tried twice.
    let [(0, 200, 200, at_once)] = outcome(true)[..] else {
        panic!("{:?}", outcome(true));
    };
    assert!(at_once <= 1, "{at_once}");
}

#[test]
fn controllers_count_their_own_requests_and_together_all() {
    let given = Given {
        workers: 2,
        ..Given::default()
    };
    let grid = |first: Nanos| ScrapeGrid {
        first,
        interval: given.scrape_interval,
    };
    let (mut path, _) = built(
        &given,
        |plan| {
            plan.ingress.controllers = 3;
            plan.scrapes = vec![grid(2 * SECOND), grid(3 * SECOND), grid(4 * SECOND)];
        },
        3,
    );
    path.advance(70 * SECOND);
    let arrived = path.totals().total;
    assert!(arrived > 3_000);
    let each: Vec<u64> = [(0, 67), (1, 68), (2, 69)]
        .map(|(controller, at)| {
            let counters = path.scrape_controller(controller, at * SECOND);
            counters.cell(0, Status::Ok).requests
        })
        .into();
    assert_eq!(each.iter().sum::<u64>(), arrived);
    let third = arrived as f64 / 3.0;
    for requests in each {
        let z = (requests as f64 - third) / (third * 2.0 / 3.0).sqrt();
        assert!(z.abs() < 5.0, "{requests} of {arrived}");
    }
}

#[test]
fn a_reload_loses_what_workers_had_not_flushed() {
    let given = Given {
        workers: 4,
        per_second: 1_000.0,
        ..Given::default()
    };
    let reload = 10 * SECOND + 300 * MILLISECOND;
    let lost = |reloads: Vec<Nanos>| {
        let (mut path, _) = built(&given, |plan| plan.ingress.reloads = reloads, 3);
        path.advance(reload);
        path.reload();
        path.advance(42 * SECOND);
        path.totals().total - path.scrape(42 * SECOND).cell(0, Status::Ok).requests
    };
    assert_eq!(lost(vec![]), 0);
    // Four workers, each with as much of a second as has gone by since its flush, and what was under way.
    let once = lost(vec![reload]);
    assert!((100..=1_030).contains(&once), "{once}");
    let twice = lost(vec![reload, 17 * SECOND + 700 * MILLISECOND]);
    assert!(twice > once + 100, "{twice} after {once}");
}

#[test]
fn beyond_ten_thousand_records_a_flush_requests_are_dropped_from_all_metrics() {
    let given = Given {
        workers: 1,
        per_second: 15_000.0,
        arrivals: Arrivals::Deterministic,
        concurrency: 10_000,
        ..Given::default()
    };
    let (mut path, _) = built(&given, |plan| plan.ingress.batch_limit = Some(10_000), 3);
    let counted = counted(&whole(&given, &mut path));
    // Twenty-one flushes, all but the first and the last of ten thousand.
    assert!((200_000..=210_000).contains(&counted), "{counted}");
    assert!(path.totals().total > 300_000);
}

#[test]
fn status_classes_count_all_server_errors_as_one() {
    let given = Given {
        kills: true,
        ..even(2.0)
    };
    let (mut path, pods) = built(
        &given,
        |plan| {
            plan.ingress.status_classes = true;
            plan.ingress.next_upstream.clear();
        },
        2,
    );
    path.set_failure_rate(pods[1], 1.0);
    given.run(&mut path, 7 * SECOND);
    path.advance(MIDDLE);
    path.kill_pod(pods[0]);
    path.remove_pod(pods[0]);
    let counters = given.run_from(&mut path, 12 * SECOND, 62 * SECOND);
    // What failed, and the ten that were broken off, under the first status of the class.
    assert_eq!(samples(&counters), [(0, 200, 40, 40), (0, 500, 160, 160)]);
}

#[test]
fn ewma_and_least_connections_spare_a_slow_pod_and_turns_do_not() {
    let share_of_the_slow = |balance| {
        let given = Given {
            concurrency: 200,
            ..Given::default()
        };
        let (mut path, pods) = built(&given, |plan| plan.ingress.balance = balance, 4);
        path.set_slowdown(
            pods[0],
            Slowdown {
                factor: 20.0,
                added: 0,
            },
        );
        path.advance(120 * SECOND);
        let served: Vec<u64> = pods.iter().map(|&pod| path.served(pod)).collect();
        assert_eq!(served.iter().sum::<u64>(), path.totals().total);
        path.served(pods[0]) as f64 / path.totals().total as f64
    };
    let turns = share_of_the_slow(LoadBalance::RoundRobin);
    let ewma = share_of_the_slow(LoadBalance::Ewma);
    let least = share_of_the_slow(LoadBalance::LeastConnections);
    assert!((turns - 0.25).abs() < 0.01, "{turns}");
    assert!(ewma < 0.1, "{ewma}");
    assert!(least < 0.15, "{least}");
}

#[test]
fn users_who_wait_send_as_many_requests_as_their_answers_and_thoughts_leave_room_for() {
    let clients = Clients {
        count: 40,
        think_time: Distribution::Exponential {
            mean_ns: 300_000_000,
        },
    };
    for (service_ms, concurrency, expected) in [
        // Slots for all: a request every 400 ms from each.
        (100u64, 100, 40.0 / 0.4),
        // Four slots of 100 ms: 40 a second, however many wait.
        (100, 4, 40.0),
    ] {
        let given = Given {
            per_second: 0.0,
            concurrency,
            service_time: Distribution::Constant {
                ns: service_ms * 1_000_000,
            },
            ..Given::default()
        };
        let (mut path, _) = built(
            &given,
            |plan| plan.clients = Some(ClientPlan::new(&clients)),
            1,
        );
        path.advance(20 * SECOND);
        let before = path.totals().total;
        path.advance(420 * SECOND);
        let per_second = (path.totals().total - before) as f64 / 400.0;
        assert!(
            (per_second / expected - 1.0).abs() < 0.03,
            "{per_second} a second for {expected}"
        );
        assert_eq!(path.totals().failed, 0);
    }
}

#[test]
fn users_whose_pod_is_killed_go_on_and_none_is_forgotten() {
    let given = Given {
        per_second: 0.0,
        kills: true,
        service_time: Distribution::Constant { ns: 400_000_000 },
        concurrency: 100,
        ..Given::default()
    };
    let clients = Clients {
        count: 30,
        think_time: Distribution::Constant { ns: 100_000_000 },
    };
    let plan = |plan: &mut PathPlan| plan.clients = Some(ClientPlan::new(&clients));
    let (mut path, pods) = built(&given, plan, 2);
    path.advance(10 * SECOND);
    path.kill_pod(pods[0]);
    path.advance(12 * SECOND);
    path.remove_pod(pods[0]);
    path.advance(20 * SECOND);
    let before = path.totals().total;
    path.advance(30 * SECOND);
    // Each user a request in every half second, as before: nobody is stuck, nobody is there twice.
    let sent = path.totals().total - before;
    assert!((580..=620).contains(&sent), "{sent}");
}

#[test]
fn a_cpu_limit_is_a_limit_of_throughput_and_latency_grows_beyond_it() {
    // 5 ms of CPU time a request, half a core: a hundred requests a second.
    for (per_second, bound_ms) in [(60.0, 200.0), (150.0, f64::INFINITY)] {
        let given = Given {
            per_second,
            ..Given::default()
        };
        let (mut path, pods) = built(&given, |_| {}, 1);
        path.set_cpu_limit(pods[0], 0.5);
        path.advance(20 * SECOND);
        let cores = path.cpu_ns(pods[0]) as f64 / 20e9;
        let expected = (per_second * 0.005).min(0.5);
        assert!(
            (cores / expected - 1.0).abs() < 0.1,
            "{cores} cores for {expected}"
        );
        let p99 = path.latency().p99_ms;
        if bound_ms.is_finite() {
            assert!(p99 < bound_ms, "{p99}");
        } else {
            // A third of the requests wait in the end, twenty seconds' worth at a hundred a second.
            assert!(p99 > 5_000.0, "{p99}");
        }
    }
}
