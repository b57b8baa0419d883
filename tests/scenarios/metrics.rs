//! What pods export of themselves, and series that a scenario makes up.

use std::path::Path;
use std::sync::Arc;

use rollcast::record::{Outcome, Record};
use rollcast::scenario::{self, Override, Scenario};
use rollcast::sim::{World, simulate_with_series};
use rollcast::time::Timestamp;
use rollcast::tsdb::{Queryable, Storage};

use crate::{checks, load, run};

/// A scenario with keys set over it.
pub(crate) fn set(name: &str, keys: &[(&str, &str)]) -> Scenario {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("scenarios/{name}.toml"));
    let overrides: Vec<Override> = keys
        .iter()
        .map(|(key, value)| Override {
            key: (*key).to_owned(),
            value: (*value).to_owned(),
        })
        .collect();
    scenario::load(&path, &overrides).unwrap_or_else(|error| panic!("{error}"))
}

/// The series of this name whose labels contain all of `parts`, each as (seconds, value).
fn series(storage: &Storage, name: &str, parts: &[&str]) -> Vec<Vec<(f64, f64)>> {
    let mut found = Vec::new();
    for id in storage.all_series() {
        let labels = storage.labels(id).to_string();
        if storage.labels(id).metric_name() == name
            && parts.iter().all(|part| labels.contains(part))
        {
            let samples = storage.samples(id);
            let samples = samples.map(|(at, value)| (at.as_secs_f64(), value));
            found.push(samples.collect());
        }
    }
    found
}

#[test]
fn a_query_by_pod_name_sees_the_canary_alone() {
    for seed in 1..=10 {
        let record = run(&load("pod-metrics"), seed);
        assert_eq!(record.outcome, Outcome::RolledBack, "seed {seed}");
        let second = checks(&record).find(|(_, check)| check.at == Timestamp::from_secs(90));
        let value = second.and_then(|(_, check)| check.value).unwrap();
        // 90 %, of about 900 requests in the window: 1 % a standard error.
        assert!((85.0..95.0).contains(&value), "seed {seed}: {value}");
        let queries = record.ticks.iter().flat_map(|tick| &tick.queries);
        for seen in queries
            .flat_map(|query| &query.selectors)
            .flat_map(|s| &s.series)
        {
            assert!(
                !seen.labels.contains("primary"),
                "seed {seed}: {}",
                seen.labels
            );
            assert!(seen.labels.contains(r#"job="applications/load-harness""#));
        }
    }
}

#[test]
fn what_no_query_names_is_not_kept() {
    let count = |scenario: Scenario| {
        let mut world = World::new(Arc::new(scenario), 1);
        world.run_until(Timestamp::from_secs(120));
        let names = |name: &str| series(world.series(), name, &[]).len();
        [
            names("http_requests_total"),
            names("http_request_duration_seconds_count"),
        ]
    };
    let [requests, durations] = count(load("pod-metrics"));
    assert!(requests > 0 && durations > 0);
    let unasked = set(
        "pod-metrics",
        &[(
            "metric_templates.nginx-request-duration.spec.query",
            "vector(1)",
        )],
    );
    let [requests, durations] = count(unasked);
    assert!(requests > 0);
    assert_eq!(durations, 0);
}

#[test]
fn counters_of_a_pod_begin_at_zero_again_when_its_process_does() {
    let scenario = set(
        "pod-metrics",
        &[
            ("versions.v1.crash_after", "70s"),
            ("versions.v1.boot", "2s"),
            ("run.horizon", "2m"),
        ],
    );
    let (_, storage) = simulate_with_series(&scenario);
    let ok = series(&storage, "http_requests_total", &[r#"status="200""#]);
    let falls = ok.iter().filter(|samples| {
        let values: Vec<f64> = (samples.iter().map(|(_, value)| *value))
            .filter(|value| !value.is_nan())
            .collect();
        values.windows(2).any(|pair| pair[1] < pair[0])
    });
    assert!(
        falls.count() > 0,
        "no counter was reset in {} series",
        ok.len()
    );
    let stale = ok.iter().flatten().filter(|(_, value)| value.is_nan());
    assert!(stale.count() > 0, "a scrape of a pod that is down fails");
}

#[test]
fn pods_and_ingress_count_the_same_requests() {
    let scenario = set(
        "pod-metrics",
        &[
            ("versions.v2.env.FAIL_RATE", "\"0.001\""),
            ("run.horizon", "2m"),
        ],
    );
    let (_, storage) = simulate_with_series(&scenario);
    let last = |name: &str| -> f64 {
        let all = series(&storage, name, &[]);
        let last = |samples: &Vec<(f64, f64)>| {
            let values = samples.iter().rev().map(|(_, value)| *value);
            values
                .into_iter()
                .find(|value| !value.is_nan())
                .unwrap_or(0.0)
        };
        all.iter().map(last).sum()
    };
    let (ingress, pods) = (
        last("nginx_ingress_controller_requests"),
        last("http_request_duration_seconds_count"),
    );
    // Scraped at different moments within five seconds, at 200 requests a second.
    assert!((ingress - pods).abs() < 1_200.0, "{ingress} and {pods}");
    assert_eq!(pods, last("http_requests_total"));
}

#[test]
fn a_gauge_of_the_scenarios_own_decides() {
    let record: Record = run(&load("backlog"), 1);
    let values: Vec<f64> = checks(&record)
        .filter(|(_, check)| check.metric == "backlog")
        .filter_map(|(_, check)| check.value)
        .collect();
    let rising: Vec<f64> = values.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(
        rising.len() == 4 && rising.iter().all(|rise| (rise - 15.0).abs() < 3.0),
        "{values:?}"
    );
}

#[test]
fn a_target_of_its_own_counts_the_requests_of_all_pods() {
    let mut scenario = load("backlog");
    scenario.prometheus.series.truncate(1);
    let series_of = &mut scenario.prometheus.series[0];
    series_of.own_target = true;
    series_of.name = "orders_total".to_owned();
    series_of.kind = scenario::SyntheticKind::Counter;
    series_of.versions = vec!["v1".to_owned(), "v2".to_owned()];
    series_of.terms = scenario::Terms {
        per_request: 2.0,
        ..scenario::Terms::default()
    };
    let (record, storage) = simulate_with_series(&scenario);
    let found = series(&storage, "orders_total", &[r#"job="scenario""#]);
    let [orders] = &found[..] else {
        panic!("{} series", found.len())
    };
    let at = |second: f64| {
        orders
            .iter()
            .find(|(at, _)| *at >= second)
            .copied()
            .unwrap()
    };
    let ((from, first), (to, last)) = (at(60.0), at(600.0));
    let seconds = record.traffic.iter();
    let arrived: u64 = seconds
        .filter(|s| (from..to).contains(&(s.at_s as f64)))
        .map(|s| s.requests)
        .sum();
    // Whole seconds against scrape times.
    let counted = (last - first) / 2.0;
    assert!(
        (counted - arrived as f64).abs() < 250.0,
        "{counted} of {arrived}"
    );
}

/// What `scenario::exported` tells users about is what the world's exporters make.
#[test]
fn the_names_and_labels_that_users_are_told_of_are_those_that_prometheus_has() {
    use std::collections::{BTreeMap, BTreeSet};
    for (name, keys) in [
        ("chaos30", &[][..]),
        ("chaos30", &[("prometheus.honor_labels", "true")]),
        ("pod-metrics", &[]),
        (
            "pod-metrics",
            &[("prometheus.pod_discovery", "service-monitor")],
        ),
        ("healthy", &[("provider", "gatewayapi:v1")]),
    ] {
        let scenario = set(name, keys);
        let (_, storage) = simulate_with_series(&scenario);
        let mut made: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for id in storage.all_series() {
            let labels = storage.labels(id);
            let of_metric = made.entry(labels.metric_name().to_owned()).or_default();
            of_metric.extend(labels.iter().map(|(label, _)| label.to_owned()));
        }
        let mut told: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for metric in scenario::exported(&scenario) {
            told.entry(metric.name).or_default().extend(metric.labels);
        }
        for (metric, labels) in &mut made {
            labels.remove("__name__");
            // The scrape's own.
            if metric == "up" || metric.starts_with("scrape_") {
                continue;
            }
            assert_eq!(
                told.get(metric),
                Some(&*labels),
                "{name} {keys:?}: {metric}"
            );
        }
        for metric in told.keys() {
            assert!(
                made.contains_key(metric),
                "{name} {keys:?}: {metric} is not made"
            );
        }
    }
}

/// Under this seed a pod goes in the very millisecond in which it is scraped.
#[test]
fn a_pod_that_goes_while_it_is_scraped_is_scraped_first() {
    let record = run(&load("healthy-gateway"), 10006);
    assert_eq!(record.outcome, Outcome::Promoted);
}
