//! What the ingress counts, and when a scrape sees it.

use rollcast::scenario::{Arrivals, Distribution};
use rollcast::seed::RunSeed;
use rollcast::sim::clock::{MILLISECOND, Nanos, SECOND};
use rollcast::sim::ingress::{Backend, Status};
use rollcast::sim::requests::RequestPath;
use rollcast::sim::service::Side;
use rollcast::time::Span;

use crate::given::{Given, add_pods, counted, set_endpoints};

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
