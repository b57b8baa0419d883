//! What pods do with their requests.

use rollcast::scenario::Distribution;
use rollcast::sim::clock::{MILLISECOND, SECOND};
use rollcast::sim::ingress::Backend;
use rollcast::sim::service::{Side, Slowdown};

use crate::given::{Given, add_pods, set_endpoints};

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
