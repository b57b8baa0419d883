//! What differs between the versions of Prometheus for a canary's query, with the figures that real servers gave: the switches
//! one by one, and none of them by way of Prometheus' own scripts.

use rollcast::promql::{Options, Query, Value, Version};
use rollcast::scenario::{self, Override};
use rollcast::sim;
use rollcast::time::Timestamp;
use rollcast::tsdb::{Labels, Storage};

const VERSIONS: [Version; 3] = [Version::V2_42, Version::V2_53, Version::V3];

fn store(samples: &[(i64, f64)]) -> Storage {
    let mut storage = Storage::new();
    let samples = samples
        .iter()
        .map(|(at, value)| (Timestamp::from_secs(*at), *value));
    storage
        .insert(&Labels::new([("__name__", "x"), ("a", "b\nc")]), samples)
        .unwrap();
    storage
}

/// The value of the only element, to six places, or what there is instead.
fn answer(query: &str, storage: &Storage, at: i64, version: Version) -> String {
    let options = Options {
        version,
        ..Options::default()
    };
    let Ok(query) = Query::compile(query, &options) else {
        return "refused".to_owned();
    };
    match query
        .instant(storage, Timestamp::from_secs(at))
        .unwrap()
        .value
    {
        Value::Vector(samples) => match samples.as_slice() {
            [] => "empty".to_owned(),
            [one] => format!("{:.6}", one.value),
            several => format!("{} elements", several.len()),
        },
        Value::Scalar(value) => format!("{value:.6}"),
        other => format!("{other:?}"),
    }
}

#[test]
fn each_switch_is_that_of_its_version() {
    let aligned = [(60, 20.0), (90, 30.0), (120, 100.0)];
    let born = [(30, 6.0), (45, 12.0), (60, 18.0)];
    let minutes = [(0, 1.0), (60, 61.0), (120, 121.0)];
    for (what, samples, query, at, expected) in [
        (
            "a sample at the left edge",
            &aligned[..],
            "rate(x[1m])",
            120,
            ["1.333333", "1.333333", "1.666667"],
        ),
        (
            "a window of one scrape",
            &aligned,
            "rate(x[30s])",
            120,
            ["2.333333", "2.333333", "empty"],
        ),
        (
            "a window of one minute's scrapes",
            &minutes,
            "rate(x[1m])",
            120,
            ["1.000000", "1.000000", "empty"],
        ),
        (
            "the lookback's edge",
            &minutes,
            "x",
            420,
            ["121.000000", "121.000000", "empty"],
        ),
        (
            "a subquery's edge",
            &minutes,
            "count_over_time(x[1m:1m])",
            120,
            ["2.000000", "2.000000", "1.000000"],
        ),
        (
            "extrapolation of a young series",
            &born,
            "rate(x[1m])",
            70,
            ["0.366667", "0.316667", "0.316667"],
        ),
        (
            "a dot and a newline",
            &minutes,
            "count(x{a=~\"b.c\"})",
            120,
            ["empty", "empty", "1.000000"],
        ),
        (
            "numbers as durations",
            &minutes,
            "count_over_time(x[70])",
            120,
            ["refused", "refused", "2.000000"],
        ),
        (
            "underscores in numbers",
            &minutes,
            "vector(1_000)",
            120,
            ["refused", "refused", "1000.000000"],
        ),
        (
            "quoted names",
            &minutes,
            "count({\"x\"})",
            120,
            ["refused", "refused", "1.000000"],
        ),
        (
            "holt_winters",
            &minutes,
            "holt_winters(x[5m], 0.5, 0.5)",
            120,
            ["121.000000", "121.000000", "refused"],
        ),
    ] {
        let storage = store(samples);
        let given = VERSIONS.map(|version| answer(query, &storage, at, version));
        assert_eq!(given, expected, "{what}: {query}");
    }
}

/// `le="1"` of the text format is stored as `le="1.0"` from 3.0 on: a query that names a bucket finds it in one of the two only.
#[test]
fn buckets_are_called_as_the_version_calls_them() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/chaos30.toml");
    for (version, found, missing) in [
        ("3", "1.0", "1"),
        ("2.42", "1", "1.0"),
        ("2.53", "1", "1.0"),
    ] {
        let set = Override {
            key: "prometheus.version".to_owned(),
            value: format!("\"{version}\""),
        };
        let scenario = scenario::load(&path, &[set]).unwrap();
        let (_, series) = sim::simulate_with_series(&scenario);
        let count = |le: &str| {
            let text = format!(
                "count(nginx_ingress_controller_request_duration_seconds_bucket{{le=\"{le}\"}})"
            );
            answer(&text, &series, 60, Version::V3)
        };
        assert_ne!(count(found), "empty", "{version}");
        assert_eq!(count(missing), "empty", "{version}");
    }
}
