//! Aggregate traffic against request-level traffic: the same law of check values and outcomes, the same totals.
//!
//! A failing seed is named; both models run seeds of their own, since they draw differently.

use std::path::Path;

use rollcast::record::{Outcome, Record};
use rollcast::scenario::{self, Override, Scenario};
use rollcast::sim;

/// Runs of each model that are compared.
const RUNS: u64 = 150;

/// A scenario file with a share of failures in its new version, under one traffic model.
fn scenario(name: &str, model: &str, failures: &str, more: &[(&str, &str)]) -> Scenario {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("scenarios/{name}.toml"));
    let all = [
        ("run.traffic_model", model),
        ("run.warm_up", "90s"),
        ("run.horizon", "2m"),
        ("versions.v2.env.FAIL_RATE", failures),
    ];
    let overrides: Vec<Override> = all
        .iter()
        .chain(more)
        .map(|(key, value)| Override {
            key: (*key).to_owned(),
            value: (*value).to_owned(),
        })
        .collect();
    scenario::load(&path, &overrides).unwrap_or_else(|error| panic!("{error}"))
}

fn runs(scenario: &Scenario, first_seed: u64) -> Vec<Record> {
    let one = |seed| {
        let mut scenario = scenario.clone();
        scenario.run.seed = seed;
        sim::simulate(&scenario)
    };
    (first_seed..first_seed + RUNS).map(one).collect()
}

/// The values that checks of a metric read at a second, in order.
fn values(records: &[Record], metric: &str, second: i64) -> Vec<f64> {
    let mut values: Vec<f64> = records
        .iter()
        .flat_map(|record| record.timeline.iter().flat_map(|row| &row.checks))
        .filter(|check| check.metric == metric && check.at.as_millis() == second * 1000)
        .filter_map(|check| check.value)
        .collect();
    values.sort_by(f64::total_cmp);
    values
}

/// The largest distance between two samples' distribution functions.
fn ks(a: &[f64], b: &[f64]) -> f64 {
    let below = |sample: &[f64], x: f64| {
        sample.partition_point(|value| *value <= x) as f64 / sample.len() as f64
    };
    let points = a.iter().chain(b);
    points
        .map(|x| (below(a, *x) - below(b, *x)).abs())
        .fold(0.0, f64::max)
}

/// Under pod scaling, and under nginx, whose weights arrive worker by worker.
const WORLDS: [(&str, &[(&str, &str)]); 2] = [
    ("chaos30", &[]),
    (
        "chaos30-shared",
        &[
            ("provider", "nginx"),
            (
                "canary.spec.ingressRef",
                "{ apiVersion = \"networking.k8s.io/v1\", kind = \"Ingress\", name = \"load-harness\" }",
            ),
        ],
    ),
];

#[test]
fn check_values_and_outcomes_have_the_same_law() {
    for (name, more) in WORLDS {
        let of = |model, first_seed| runs(&scenario(name, model, "0.01", more), first_seed);
        let (requests, aggregate) = (of("requests", 1), of("aggregate", 10_001));
        for metric in ["request-success-rate", "request-duration"] {
            let (a, b) = (
                values(&requests, metric, 60),
                values(&aggregate, metric, 60),
            );
            assert!(
                a.len() > 40 && b.len() > 40,
                "{name} {metric}: {} {}",
                a.len(),
                b.len()
            );
            // Exceeded once in 10,000 tests of two equal laws.
            let (n, m) = (a.len() as f64, b.len() as f64);
            let limit = 2.23 * ((n + m) / (n * m)).sqrt();
            let distance = ks(&a, &b);
            let means = [&a, &b].map(|v| v.iter().sum::<f64>() / v.len() as f64);
            assert!(
                distance < limit,
                "{name} {metric}: {distance} over {limit}, means {means:?}"
            );
        }
        let promising = [&requests, &aggregate].map(|records| {
            let passed = records.iter().filter(|r| r.outcome != Outcome::RolledBack);
            passed.count() as f64 / RUNS as f64
        });
        let pooled = (promising[0] + promising[1]) / 2.0;
        let error = (2.0 * pooled * (1.0 - pooled) / RUNS as f64).sqrt();
        let apart = (promising[0] - promising[1]).abs();
        assert!(apart <= 5.0 * error, "{name}: {promising:?}");
    }
}

#[test]
fn totals_are_of_the_same_size_and_add_up() {
    for (name, more) in WORLDS {
        for seed in 1..=5 {
            let mut aggregate = scenario(name, "aggregate", "0.3", more);
            aggregate.run.seed = seed;
            let mut requests = scenario(name, "requests", "0.3", more);
            requests.run.seed = seed;
            let (a, r) = (sim::simulate(&aggregate), sim::simulate(&requests));
            // 24,000 requests in two minutes; six standard errors of the difference.
            let apart = a.requests.total.abs_diff(r.requests.total);
            assert!(
                apart < 1_320,
                "{name} seed {seed}: {:?} {:?}",
                a.requests,
                r.requests
            );
            let canary = a.requests.canary.abs_diff(r.requests.canary) as f64;
            assert!(
                canary < 0.25 * r.requests.canary as f64 + 60.0,
                "{name} seed {seed}: {:?} {:?}",
                a.requests,
                r.requests
            );
            let share = a.requests.canary_failed as f64 / a.requests.canary as f64;
            assert!((share - 0.3).abs() < 0.1, "{name} seed {seed}: {share}");
            let seconds: u64 = a.traffic.iter().map(|second| second.requests).sum();
            assert!(
                seconds >= a.requests.total,
                "{name} seed {seed}: warm-up comes on top"
            );
            assert_eq!(
                a.to_json().unwrap(),
                sim::simulate(&aggregate).to_json().unwrap()
            );
        }
    }
}

#[test]
fn what_counts_cannot_tell_is_refused_with_the_reason() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/chaos30.toml");
    for (key, value, said) in [
        ("traffic.arrivals", "deterministic", "`traffic.arrivals`"),
        (
            "traffic.rate",
            "3000/s",
            "would wait for one of the 8 slots of 10 pods",
        ),
        (
            "versions.v2.failure_time",
            "{ exponential = { mean = \"5s\" } }",
            "`versions.v2.failure_time`",
        ),
        ("versions.v2.crash_after", "1m", "`versions.v2.crash_after`"),
        (
            "versions.v1.metrics.requests",
            "x_total",
            "metrics of their own",
        ),
        ("provider", "gatewayapi:v1", "metrics of their own"),
        ("traffic.timeout", "2s", "`traffic.timeout`"),
        ("traffic.clients", "50", "`traffic.clients`"),
        (
            "traffic.classes",
            "[{ name = \"reads\" }]",
            "`traffic.classes`",
        ),
        ("ingress.controllers", "2", "`ingress.controllers`"),
        ("ingress.load_balance", "ewma", "`ingress.load_balance`"),
        (
            "ingress.next_upstream",
            "[\"error\", \"http_500\"]",
            "`ingress.next_upstream` with `http_500`",
        ),
        (
            "versions.v2.memory_leak",
            "1Mi",
            "`versions.v2.memory_leak`",
        ),
        (
            "versions.v2.cpu_throttling",
            "true",
            "`versions.v2.cpu_throttling`",
        ),
        ("ingress.read_timeout", "50ms", "`ingress.read_timeout`"),
        (
            "chaos",
            "[{ start = \"1m\", latency = \"20ms\" }]",
            "`chaos`",
        ),
    ] {
        let overrides =
            [("run.traffic_model", "aggregate"), (key, value)].map(|(key, value)| Override {
                key: key.to_owned(),
                value: value.to_owned(),
            });
        let error = scenario::load(&path, &overrides).expect_err(key).render();
        assert!(
            error.contains(said) && error.contains("run.traffic_model = \"requests\""),
            "{key}: {error}"
        );
    }
}

#[test]
fn load_tests_are_not_counted_at_once() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/load-test-in-rollout.toml");
    let overrides = [Override {
        key: "run.traffic_model".to_owned(),
        value: "aggregate".to_owned(),
    }];
    let error = scenario::load(&path, &overrides).expect_err("it has a load test");
    let error = error.render();
    assert!(
        error.contains("starts a load test") && error.contains("run.traffic_model = \"requests\""),
        "{error}"
    );
}
