//! Load tests: workers that wait for their answers, and what is counted of them where.

use rollcast::scenario::Distribution;
use rollcast::sim::clock::{MILLISECOND, Nanos, SECOND};
use rollcast::sim::requests::{LoadEntry, LoadLength, LoadPlan, RequestPath};
use rollcast::sim::service::{PodIx, Side};

use crate::given::{Given, add_pods, counted};

const INGRESS: LoadEntry = LoadEntry::Ingress { recorded: true };

/// No users; every request is worked on for so long.
fn only_load(service_ms: u64) -> Given {
    Given {
        per_second: 0.0,
        service_time: Distribution::Constant {
            ns: service_ms * 1_000_000,
        },
        ..Given::default()
    }
}

fn plan(workers: u32, period: Option<Nanos>, seconds: i64, entry: LoadEntry) -> LoadPlan {
    LoadPlan {
        workers,
        period,
        lasts: LoadLength::For(seconds * SECOND),
        entry,
        timeout: Some(20 * SECOND),
        keep_alive: true,
    }
}

/// A path with one Service of so many canary pods.
fn with_service(given: &Given, pods: usize) -> (RequestPath, Vec<PodIx>) {
    let mut path = given.rollout([2, 0], 0.0, 0);
    let pods = add_pods(&mut path, Side::Canary, pods, 0.0);
    path.set_service(0, pods.clone());
    (path, pods)
}

#[test]
fn a_paced_load_test_sends_its_rate_and_is_counted_apart_from_users() {
    let given = Given {
        per_second: 100.0,
        ..only_load(5)
    };
    let mut alone = given.rollout([2, 1], 0.0, 30);
    let users = counted(&given.run(&mut alone, 62 * SECOND));
    let mut path = given.rollout([2, 1], 0.0, 30);
    let load = path.start_load(plan(2, Some(100 * MILLISECOND), 50, INGRESS), SECOND);
    let counters = given.run(&mut path, 62 * SECOND);
    let stats = path.load_stats(load);
    assert_eq!(stats.requests.total, 1000);
    assert_eq!(counted(&counters), users + 1000);
    assert_eq!(path.totals(), alone.totals());
    let share = stats.requests.canary as f64 / 1000.0;
    assert!((share - 0.3).abs() < 0.06, "four standard errors: {share}");
    // The last tick is at 51 s, and its answer 5 ms later.
    assert_eq!(stats.ended, Some(51 * SECOND + 5 * MILLISECOND));
}

#[test]
fn without_a_rate_workers_send_as_they_are_answered() {
    let given = only_load(10);
    let mut path = given.rollout([4, 0], 0.0, 0);
    let load = path.start_load(plan(4, None, 10, INGRESS), 0);
    path.advance(20 * SECOND);
    // 10 ms of work and half a millisecond on the way, four at a time.
    let expected = 4.0 * 10_000.0 / 10.5;
    let total = path.load_stats(load).requests.total as f64;
    assert!((total - expected).abs() <= 4.0, "{total} for {expected}");
}

#[test]
fn a_worker_that_is_late_takes_one_missed_tick_and_drops_the_others() {
    // Ticks every 100 ms, answers after 250 ms: sent at 0.1, 0.35 (the tick of 0.2), 0.6 (that of 0.4), ...
    let given = only_load(250);
    let mut path = given.rollout([1, 0], 0.0, 0);
    let period = Some(100 * MILLISECOND);
    let load = path.start_load(plan(1, period, 10, INGRESS), 0);
    path.advance(20 * SECOND);
    assert_eq!(path.load_stats(load).requests.total, 40);
}

#[test]
fn so_many_requests_are_shared_out_among_the_workers() {
    let given = only_load(1);
    let mut path = given.rollout([1, 0], 0.0, 0);
    let lasts = LoadLength::Requests(2);
    let load = path.start_load(
        LoadPlan {
            lasts,
            ..plan(3, None, 0, INGRESS)
        },
        0,
    );
    assert!(path.load_runs(load));
    path.advance(SECOND);
    assert_eq!(path.load_stats(load).requests.total, 6);
    assert!(!path.load_runs(load));
}

#[test]
fn a_connection_to_a_service_keeps_its_pod_and_the_ingress_sees_none_of_it() {
    for (keep_alive, reached) in [(true, 1), (false, 3)] {
        let given = only_load(1);
        let (mut path, pods) = with_service(&given, 3);
        let plan = LoadPlan {
            keep_alive,
            ..plan(1, Some(100 * MILLISECOND), 20, LoadEntry::Service(0))
        };
        let load = path.start_load(plan, 0);
        let counters = given.run(&mut path, 32 * SECOND);
        let asked = pods.iter().filter(|pod| path.served(**pod) > 0).count();
        assert_eq!(asked, reached);
        assert_eq!(counted(&counters), 0);
        let requests = path.load_stats(load).requests;
        assert_eq!((requests.total, requests.canary), (200, 200));
        assert_eq!(path.totals().total, 0);
    }
}

#[test]
fn a_service_without_pods_refuses_and_a_pod_that_goes_is_replaced() {
    let given = only_load(1);
    let (mut path, pods) = with_service(&given, 2);
    let paced = plan(1, Some(100 * MILLISECOND), 30, LoadEntry::Service(0));
    let load = path.start_load(paced, 0);
    path.advance(10 * SECOND);
    let first = usize::from(path.served(pods[0]) == 0);
    path.set_service(0, vec![pods[1 - first]]);
    path.advance(20 * SECOND);
    assert!(path.served(pods[1 - first]) >= 99, "the other pod goes on");
    assert_eq!(path.load_stats(load).requests.failed, 0);
    path.set_service(0, Vec::new());
    path.advance(40 * SECOND);
    let requests = path.load_stats(load).requests;
    assert_eq!(requests.total, 300);
    assert!((99..=101).contains(&requests.failed), "{}", requests.failed);
}

#[test]
fn what_a_killed_pod_owes_a_load_test_is_a_failure_of_a_request_counted_once() {
    let given = Given {
        kills: true,
        ..only_load(1000)
    };
    let (mut path, pods) = with_service(&given, 1);
    let load = path.start_load(plan(3, None, 30, LoadEntry::Service(0)), 0);
    path.advance(SECOND / 2);
    path.set_service(0, Vec::new());
    path.kill_pod(pods[0]);
    let requests = path.load_stats(load).requests;
    assert_eq!((requests.total, requests.failed), (3, 3));
}

#[test]
fn where_the_world_cuts_time_changes_no_load_test() {
    let given = Given::default();
    let run = |step: Nanos| {
        let mut path = given.rollout([2, 1], 0.3, 40);
        let load = path.start_load(plan(5, None, 10, INGRESS), SECOND);
        let mut at = 0;
        while at < 20 * SECOND {
            at = (at + step).min(20 * SECOND);
            path.advance(at);
        }
        (path.load_stats(load), path.totals(), path.latency())
    };
    assert_eq!(run(20 * SECOND), run(37 * MILLISECOND));
}
