//! Each kind of fault, and each behaviour of a version's pods, is seen in the run: where it is put in, and nowhere else.

use rollcast::record::{Outcome, Record, TrafficSecond};
use rollcast::scenario::{Distribution, Fault, FaultKind, Scenario, WarmUp, Workload};
use rollcast::sim;
use rollcast::time::{Span, Timestamp};
use rollcast::tsdb::Queryable;

use crate::{finding, load, messages, run, value_at};

/// A cluster in which nothing is pushed: 200 requests a second to ten pods of `v1`.
fn steady() -> Scenario {
    let mut scenario = load("healthy");
    scenario.events.clear();
    scenario.run.horizon = Span::from_secs(150);
    scenario
}

fn with(mut scenario: Scenario, kind: FaultKind, seconds: std::ops::Range<i64>) -> Scenario {
    scenario.chaos.push(Fault {
        start: Span::from_secs(seconds.start),
        end: Some(Span::from_secs(seconds.end)),
        version: None,
        workload: None,
        kind,
    });
    scenario
}

fn seconds(record: &Record, range: std::ops::Range<i64>) -> impl Iterator<Item = &TrafficSecond> {
    let inside = move |second: &&TrafficSecond| range.contains(&second.at_s);
    record.traffic.iter().filter(inside)
}

fn sum(record: &Record, range: std::ops::Range<i64>, of: fn(&TrafficSecond) -> u64) -> u64 {
    seconds(record, range).map(of).sum()
}

fn mean(record: &Record, range: std::ops::Range<i64>, of: fn(&TrafficSecond) -> f64) -> f64 {
    let values: Vec<f64> = seconds(record, range).map(of).collect();
    values.iter().sum::<f64>() / values.len() as f64
}

const P50: fn(&TrafficSecond) -> f64 = |second| second.p50_ms;
const P99: fn(&TrafficSecond) -> f64 = |second| second.p99_ms;
const FAILED: fn(&TrafficSecond) -> u64 = |second| second.failed;
const REQUESTS: fn(&TrafficSecond) -> u64 = |second| second.requests;

#[test]
fn failures_have_their_share_and_their_time_from_start_to_end() {
    let kind = FaultKind::Failures {
        share: 0.05,
        time: Some(Distribution::Constant { ns: 2_000_000_000 }),
    };
    let record = run(&with(steady(), kind, 30..90), 1);
    assert_eq!(
        sum(&record, 0..30, FAILED) + sum(&record, 90..150, FAILED),
        0
    );
    let (n, failed) = (
        sum(&record, 30..90, REQUESTS) as f64,
        sum(&record, 30..90, FAILED) as f64,
    );
    let z = (failed - 0.05 * n) / (n * 0.05 * 0.95).sqrt();
    assert!(z.abs() < 5.0, "{failed} of {n}");
    assert!(mean(&record, 0..30, P99) < 200.0);
    assert!(mean(&record, 32..88, P99) > 1_900.0);
    assert!(mean(&record, 92..150, P99) < 200.0);
}

#[test]
fn a_fault_strikes_its_version_and_workload_alone() {
    let kind = FaultKind::Failures {
        share: 1.0,
        time: None,
    };
    let mut scenario = with(load("healthy"), kind, 45..1000);
    scenario.chaos[0].version = Some("v2".to_owned());
    let record = run(&scenario, 1);
    assert_eq!(record.outcome, Outcome::RolledBack);
    assert_eq!(record.requests.failed, record.requests.canary_failed);
    assert!(record.requests.canary_failed > 100);
    scenario.chaos[0].version = None;
    scenario.chaos[0].workload = Some(Workload::Primary);
    let record = run(&scenario, 1);
    assert_eq!(sum(&record, 46..60, |s| s.canary_failed), 0);
    assert!(sum(&record, 46..60, FAILED) > 1_000);
}

#[test]
fn latency_is_added_slowdown_multiplies_and_a_leak_grows() {
    let latency = run(&with(steady(), FaultKind::Latency(100_000_000), 30..60), 1);
    let slowdown = run(&with(steady(), FaultKind::Slowdown(3.0), 30..60), 1);
    let leak = run(&with(steady(), FaultKind::Leak(60_000_000), 30..120), 1);
    for record in [&latency, &slowdown, &leak] {
        for quiet in [0..30, 125..150] {
            let p50 = mean(record, quiet, P50);
            assert!((18.5..21.5).contains(&p50), "{p50}");
        }
    }
    let during = mean(&latency, 31..60, P50);
    assert!((during - 120.0).abs() < 4.0, "{during}");
    let during = mean(&slowdown, 31..60, P50);
    assert!((during - 60.0).abs() < 4.0, "{during}");
    let grown = [40, 70, 100].map(|at| mean(&leak, at..at + 10, P50));
    for (grown, expected) in grown.iter().zip([35.0, 65.0, 95.0]) {
        assert!((grown - expected).abs() < 4.0, "{grown} for {expected}");
    }
}

#[test]
fn killed_pods_are_missing_until_others_are_ready_and_their_requests_are_saved() {
    let mut scenario = with(steady(), FaultKind::PodKill(3), 60..61);
    scenario.chaos[0].end = None;
    let record = run(&scenario, 1);
    let ready = |at| seconds(&record, at..at + 1).next().unwrap().primary_ready;
    let before = ready(58);
    assert_eq!(ready(61), before - 3);
    assert_eq!(ready(90), before, "the ReplicaSet has made others");
    // What they had, and what they were sent until the routers knew, went to other pods: three refusals in a row are 502.
    let failed = sum(&record, 0..150, FAILED);
    assert!(failed < 60, "{failed}");
    assert_eq!(failed, sum(&record, 60..63, FAILED));
}

#[test]
fn containers_crash_again_and_again_while_the_fault_lasts() {
    let kind = FaultKind::CrashLoop(Span::from_secs(8));
    let record = run(&with(steady(), kind, 30..70), 1);
    let none = |range| seconds(&record, range).any(|second| second.primary_ready == 0);
    assert!(!none(0..37) && none(37..45) && none(50..75));
    assert_eq!(sum(&record, 0..37, FAILED), 0);
    assert!(sum(&record, 39..70, FAILED) > 1_000);
    assert!(finding(&record, "crash-loop").contains("ended of their own"));
}

#[test]
fn a_slow_start_delays_the_canary() {
    let first = |record: &Record| {
        let ready = record.traffic.iter().find(|second| second.canary_ready > 0);
        ready.unwrap().at_s
    };
    let usual = first(&run(&load("healthy"), 1));
    let kind = FaultKind::SlowStart(Span::from_secs(20));
    let late = first(&run(&with(load("healthy"), kind, 0..60), 1));
    assert!((19..=21).contains(&(late - usual)), "{late} after {usual}");
}

#[test]
fn pods_that_nothing_reaches_cost_three_connect_timeouts() {
    let record = run(&with(steady(), FaultKind::Unreachable, 30..60), 1);
    assert_eq!(sum(&record, 0..30, FAILED), 0);
    // Three times five seconds; whose third attempt comes after the end is answered.
    let all = sum(&record, 31..50, REQUESTS);
    assert_eq!(sum(&record, 31..50, FAILED), all);
    assert_eq!(sum(&record, 51..150, FAILED), 0);
    assert!((14_999.0..15_200.0).contains(&record.latency.max_ms));
    assert!(mean(&record, 62..150, P99) < 200.0);
}

#[test]
fn a_scrape_gap_leaves_the_check_without_values() {
    assert!(value_at(&run(&load("healthy"), 1), 60).is_some());
    let record = run(&with(load("healthy"), FaultKind::ScrapeGap, 0..61), 1);
    assert_eq!(value_at(&record, 60), None);
    assert_eq!(record.outcome, Outcome::RolledBack);
}

#[test]
fn queries_fail_while_prometheus_is_down() {
    let record = run(&load("prometheus-outage"), 1);
    let refused = messages(&record)
        .into_iter()
        .filter(|m| m.contains("connection refused"));
    assert_eq!(refused.count(), 1, "{:?}", messages(&record));
    let decided = |record: &Record| record.decided_at.unwrap();
    let mut quiet = load("prometheus-outage");
    quiet.chaos.clear();
    assert!(decided(&record) > decided(&run(&quiet, 1)));
}

#[test]
fn a_burst_multiplies_the_requests() {
    let record = run(&with(steady(), FaultKind::Burst(2.0), 30..60), 1);
    for (range, expected) in [(0..30, 200.0), (30..60, 400.0), (60..150, 200.0)] {
        let seconds = (range.end - range.start) as f64;
        let rate = sum(&record, range, REQUESTS) as f64 / seconds;
        assert!(
            (rate - expected).abs() < 5.0 * (expected / seconds).sqrt(),
            "{rate}"
        );
    }
}

#[test]
fn a_reload_loses_records_and_no_requests() {
    let counted = |scenario: &Scenario| {
        let (record, series) = sim::simulate_with_series(scenario);
        let requests = series
            .all_series()
            .filter(|id| series.labels(*id).get("__name__") == "nginx_ingress_controller_requests");
        let last = requests.filter_map(|id| series.samples(id).last());
        (
            record.requests.total,
            last.map(|(_, value)| value).sum::<f64>(),
        )
    };
    let mut reloading = with(steady(), FaultKind::Reload, 60..61);
    reloading.chaos[0].end = None;
    let (requests, records) = counted(&steady());
    let (same_requests, fewer_records) = counted(&reloading);
    assert_eq!(requests, same_requests);
    let lost = records - fewer_records;
    // Two workers, at most a second of a hundred requests each, and what was under way.
    assert!((5.0..=240.0).contains(&lost), "{lost}");
}

#[test]
fn a_restart_of_the_ingress_begins_its_counters_anew_and_costs_no_request() {
    let counted = |scenario: &Scenario| {
        let (record, series) = sim::simulate_with_series(scenario);
        let mut requests = series.all_series().filter(|id| {
            let labels = series.labels(*id);
            labels.get("__name__") == "nginx_ingress_controller_requests"
                && labels.get("status") == "200"
        });
        let samples: Vec<_> = series.samples(requests.next().unwrap()).collect();
        (record.requests.total, samples)
    };
    let mut restarted = with(steady(), FaultKind::IngressRestart, 60..61);
    restarted.chaos[0].end = None;
    let (requests, steady) = counted(&steady());
    let (same_requests, samples) = counted(&restarted);
    assert_eq!(requests, same_requests);
    let falls: Vec<_> = samples
        .windows(2)
        .filter(|pair| pair[1].1 < pair[0].1)
        .collect();
    let [fall] = falls.as_slice() else {
        panic!("not one fall: {falls:?}");
    };
    let at = |(at, _): (Timestamp, f64)| at.as_secs_f64();
    assert!(at(fall[0]) < 60.0 && 60.0 < at(fall[1]), "{fall:?}");
    // The new process has counted since 60 s, to a second or so in which a worker holds its records back.
    let expected = 200.0 * (at(fall[1]) - 60.0);
    assert!((fall[1].1 - expected).abs() < 250.0, "{fall:?}");
    // What comes after is what would have come.
    let rise = |samples: &[(Timestamp, f64)]| {
        let late: Vec<_> = samples.iter().filter(|s| at(**s) > 70.0).collect();
        late.last().unwrap().1 - late[0].1
    };
    assert_eq!(rise(&samples), rise(&steady));
}

#[test]
fn a_flagger_that_restarts_goes_on_where_it_was_ten_seconds_later_and_off_its_grid() {
    let quiet = run(&load("healthy"), 1);
    let away = run(&with(load("healthy"), FaultKind::FlaggerDown, 70..107), 1);
    let ticks = |record: &Record| -> Vec<f64> {
        let ticks = record.ticks.iter().map(|tick| tick.at.as_secs_f64());
        ticks.filter(|at| (0.0..200.0).contains(at)).collect()
    };
    assert_eq!(ticks(&quiet)[..5], [0.0, 30.0, 60.0, 90.0, 120.0]);
    assert_eq!(ticks(&away)[..5], [0.0, 30.0, 60.0, 117.0, 147.0]);
    // Its memory is the Canary's status: nothing is done twice.
    assert_eq!(messages(&away), messages(&quiet));
    assert_eq!(away.outcome, quiet.outcome);
}

#[test]
fn a_pod_that_is_cold_is_slow_at_first_and_one_that_leaks_later() {
    let mut cold = load("healthy");
    cold.versions.get_mut("v2").unwrap().behaviour.warm_up = Some(WarmUp {
        factor: 10.0,
        lasts: Span::from_secs(20),
    });
    let (cold, warm) = (run(&cold, 1), run(&load("healthy"), 1));
    let first = warm.traffic.iter().find(|s| s.canary > 0).unwrap().at_s;
    let early = first..first + 5;
    let slower = mean(&cold, early.clone(), P99) / mean(&warm, early, P99);
    assert!(slower > 2.0, "{slower}");
    assert!(mean(&cold, first + 21..first + 24, P99) < 120.0);

    let mut leaking = steady();
    leaking
        .versions
        .get_mut("v1")
        .unwrap()
        .behaviour
        .leak_ns_per_minute = 10_000_000;
    let record = run(&leaking, 1);
    let grown = mean(&record, 90..100, P50) - mean(&record, 30..40, P50);
    assert!((grown - 10.0).abs() < 2.0, "{grown} ms in a minute");
}

#[test]
fn the_limit_and_not_the_code_makes_the_canary_slow() {
    let record = run(&load("cpu-limit"), 1);
    assert_eq!(record.outcome, Outcome::RolledBack);
    assert!(record.latency.p99_ms > 500.0, "{:?}", record.latency);
    let mut free = load("cpu-limit");
    free.versions
        .get_mut("v2")
        .unwrap()
        .behaviour
        .cpu_throttling = false;
    let record = run(&free, 1);
    assert_eq!(record.outcome, Outcome::Promoted);
    assert!(record.latency.p99_ms < 150.0, "{:?}", record.latency);
}

#[test]
fn an_outage_of_both_versions_is_told_from_a_bad_release_by_the_primary() {
    let record = run(&load("dependency-outage"), 1);
    let failed = record.requests.failed - record.requests.canary_failed;
    let primary = failed as f64 / sum(&record, 72..90, |s| s.requests - s.canary) as f64;
    assert!(primary > 0.05, "the primary fails as well: {primary}");
    let text = finding(&record, "faults-injected");
    assert!(
        text.starts_with("The scenario put in: `fail_rate` from 1:10 to 1:50.")
            && text.contains("strikes both versions"),
        "{text}"
    );
}
