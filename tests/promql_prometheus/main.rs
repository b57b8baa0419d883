//! Our answers against those of real Prometheus 2.42 and 3.16, filled from simulated runs and asked over HTTP.
//!
//! Asked are the queries that the runs themselves asked (the runbook's templates, Flagger's builtins for nginx and Kubernetes)
//! and generated ones, each at a few moments and over a range. Every answer must be equal: the same kind, the same label sets,
//! values within 1e-9 of their size, NaN where there is NaN; where Prometheus refuses, so must we.
//!
//! `tests/peers/get` gets the binaries; without them the test says that it is skipped. `ROLLCAST_QUERIES` and `ROLLCAST_SEED` set
//! how many queries are generated (default 500) and from what (default 1).

mod generator;
mod server;

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::path::Path;
use std::process::Command;
use std::str::FromStr;

use generator::Generator;
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use rollcast::openmetrics::{self, ReadOptions};
use rollcast::promql::{Answer, Options, Query, Value, Version};
use rollcast::time::{Span, Timestamp};
use rollcast::tsdb::{Labels, Storage};
use serde_json::Value as Json;
use server::{Server, peers};

/// Where the time zero of a run stands in its series: a day after the epoch.
const ZERO: i64 = 24 * 3600;

/// A run's warm-up and horizon, in the file's seconds.
const WITHIN: (i64, i64) = (ZERO - 300, ZERO + 900);

/// What is simulated: the runbook's releases for its two templates, and under Flagger's rules each builtin check of nginx' and the
/// application's metrics. Series come from the first two; a check that fails ends its tick, so durations are asked for alone.
const RUNS: [(&str, &[&str]); 6] = [
    ("scenarios/chaos30.toml", &[]),
    ("scenarios/healthy.toml", &[FLAGGER, NGINX, INGRESS, HONOR]),
    ("scenarios/healthy.toml", &[]),
    (
        "scenarios/healthy.toml",
        &[FLAGGER, NGINX, INGRESS, DURATION],
    ),
    ("scenarios/healthy.toml", &[FLAGGER, KUBERNETES]),
    ("scenarios/healthy.toml", &[FLAGGER, KUBERNETES, DURATION]),
];
const FLAGGER: &str = "rules=flagger";
const NGINX: &str = "provider=nginx";
const KUBERNETES: &str = "provider=kubernetes";
const HONOR: &str = "prometheus.honor_labels=true";
const INGRESS: &str =
    "canary.spec.ingressRef={apiVersion='networking.k8s.io/v1',kind='Ingress',name='load-harness'}";
const DURATION: &str = "canary.spec.analysis.metrics=[{name='request-duration',thresholdRange={max=500},interval='1m'}]";

/// A simulated run.
struct Run {
    /// Its series, and those that no run has, as OpenMetrics.
    samples: String,
    /// The texts it asked.
    queries: BTreeSet<String>,
}

/// When a query is asked, in milliseconds.
#[derive(Debug)]
enum When {
    At(i64),
    Range { start: i64, end: i64, step: i64 },
}

/// An answer made comparable: samples by time, by series.
#[derive(Debug, PartialEq)]
enum Comparable {
    Refused,
    Text(String),
    Samples(
        &'static str,
        BTreeMap<BTreeMap<String, String>, BTreeMap<i64, f64>>,
    ),
}

impl Comparable {
    fn is_empty(&self) -> bool {
        matches!(self, Comparable::Samples(_, series) if series.is_empty())
    }
}

#[test]
fn every_answer_is_that_of_a_real_prometheus() {
    let Some(peers) = peers() else { return };
    let seed = given("ROLLCAST_SEED", 1);
    let queries: usize = given("ROLLCAST_QUERIES", 500);
    assert!(
        queries >= generator::one_round(),
        "not everything in scope has its turn"
    );
    let runs = RUNS.map(|(scenario, set)| simulated(scenario, set, seed));
    let own: BTreeSet<&String> = runs.iter().flat_map(|run| &run.queries).collect();
    assert_eq!(
        own.len(),
        7,
        "two templates, two builtins of two observers, vector(1): {own:?}"
    );

    for (name, version) in [("2.42", Version::V2_42), ("3.16", Version::V3)] {
        let mut differences = Vec::new();
        let (mut asked, mut answers, mut refused, mut empty) = (0, 0, 0, 0);
        for (index, run) in runs[..2].iter().enumerate() {
            let server = Server::start(&peers, name, &run.samples);
            let storage = store(&run.samples);
            let seed = seed + index as u64;
            let mut generator = Generator::new(seed, WITHIN, version == Version::V2_42);
            let mut moments = Xoshiro256PlusPlus::seed_from_u64(seed);
            let generated: Vec<String> = (0..queries.div_ceil(2))
                .map(|_| generator.query())
                .collect();
            for text in own.iter().copied().chain(&generated) {
                asked += 1;
                let start = generator.moment();
                let step = [1000, 5000, 7000, 15_000, 60_000][moments.random_range(0..5)];
                let end = start + step * moments.random_range(1..60);
                for when in [
                    When::At(generator.moment()),
                    When::At(generator.moment()),
                    When::Range { start, end, step },
                ] {
                    let theirs = theirs(&server, text, &when);
                    let ours = ours(&storage, text, version, &when);
                    answers += 1;
                    refused += usize::from(theirs == Comparable::Refused);
                    empty += usize::from(theirs.is_empty());
                    if !equal(&ours, &theirs) {
                        differences.push(format!(
                            "{text}\n  {when:?} in milliseconds, run {index}\n  ours   {ours:?}\n  theirs {theirs:?}"
                        ));
                    }
                }
            }
        }
        println!(
            "Prometheus {name}: {asked} queries, {answers} answers ({refused} refusals, {empty} empty), {} differ",
            differences.len()
        );
        assert!(
            differences.is_empty(),
            "{} answers differ from Prometheus {name}'s (seed {seed}); the first:\n{}",
            differences.len(),
            differences[..differences.len().min(10)].join("\n")
        );
        assert!(
            (refused + empty) * 2 < answers,
            "{refused} of {answers} answers are refusals, {empty} are empty"
        );
    }
}

fn given<T: FromStr>(variable: &str, default: T) -> T {
    match env::var(variable) {
        Ok(text) => match text.parse() {
            Ok(value) => value,
            Err(_) => panic!("{variable} is no number: {text:?}"),
        },
        Err(_) => default,
    }
}

/// A run with its series, through the program itself.
fn simulated(scenario: &str, set: &[&str], seed: u64) -> Run {
    let directory = tempfile::tempdir().unwrap();
    let status = Command::new(env!("CARGO_BIN_EXE_rollcast"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["simulate", scenario, "--series", "--format", "json"])
        .args(["--out", directory.path().to_str().unwrap()])
        .args(["--seed", &seed.to_string()])
        .args(set.iter().flat_map(|value| ["--set", value]))
        .output()
        .unwrap();
    // A scenario's expectations are of its own seed and release.
    assert!(
        matches!(status.status.code(), Some(0 | 1)),
        "{}",
        String::from_utf8_lossy(&status.stderr)
    );
    let read =
        |name: &str| std::fs::read_to_string(Path::new(directory.path()).join(name)).unwrap();
    let record: Json = serde_json::from_str(&read("run.json")).unwrap();
    let asked = record["ticks"].as_array().unwrap().iter();
    let asked = asked.flat_map(|tick| tick["queries"].as_array().unwrap());
    Run {
        samples: generator::series(seed, WITHIN) + &read("series.om"),
        queries: asked
            .map(|query| query["text"].as_str().unwrap().to_owned())
            .collect(),
    }
}

fn store(samples: &str) -> Storage {
    let mut storage = Storage::new();
    openmetrics::read(samples.as_bytes(), &mut storage, &ReadOptions::default()).unwrap();
    storage
}

fn ours(storage: &Storage, text: &str, version: Version, when: &When) -> Comparable {
    let options = Options {
        version,
        ..Options::default()
    };
    let at = Timestamp::from_millis;
    let answer = match (Query::compile(text, &options), when) {
        (Err(_), _) => return Comparable::Refused,
        (Ok(query), When::At(moment)) => query.instant(storage, at(*moment)),
        // As the API says: "invalid expression type for range query, must be Scalar or instant Vector".
        (Ok(query), When::Range { start, .. })
            if matches!(
                query.instant(storage, at(*start)),
                Ok(Answer {
                    value: Value::String(_) | Value::Matrix(_),
                    ..
                })
            ) =>
        {
            return Comparable::Refused;
        }
        (Ok(query), When::Range { start, end, step }) => {
            query.range(storage, at(*start), at(*end), Span::from_millis(*step))
        }
    };
    let named = |labels: &Labels| -> BTreeMap<String, String> {
        labels
            .iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    };
    let one = |labels, at: Timestamp, value| (labels, BTreeMap::from([(at.as_millis(), value)]));
    let moment = match when {
        When::At(moment) => at(*moment),
        When::Range { start, .. } => at(*start),
    };
    match answer.map(|answer| answer.value) {
        Err(_) => Comparable::Refused,
        Ok(Value::String(text)) => Comparable::Text(text),
        Ok(Value::Scalar(value)) => {
            Comparable::Samples("scalar", [one(BTreeMap::new(), moment, value)].into())
        }
        Ok(Value::Vector(samples)) => Comparable::Samples(
            "vector",
            samples
                .iter()
                .map(|s| one(named(&s.labels), s.timestamp, s.value))
                .collect(),
        ),
        Ok(Value::Matrix(series)) => Comparable::Samples(
            "matrix",
            series
                .iter()
                .map(|series| {
                    let samples = series.samples.iter();
                    let samples = samples.map(|(at, value)| (at.as_millis(), *value));
                    (named(&series.labels), samples.collect())
                })
                .collect(),
        ),
    }
}

fn theirs(server: &Server, text: &str, when: &When) -> Comparable {
    let seconds = |ms: i64| format!("{}.{:03}", ms / 1000, ms % 1000);
    let reply = match when {
        When::At(at) => server.ask("/api/v1/query", &[("query", text), ("time", &seconds(*at))]),
        When::Range { start, end, step } => server.ask(
            "/api/v1/query_range",
            &[
                ("query", text),
                ("start", &seconds(*start)),
                ("end", &seconds(*end)),
                ("step", &seconds(*step)),
            ],
        ),
    };
    if reply["status"] == "error" {
        return Comparable::Refused;
    }
    let result = &reply["data"]["result"];
    let point = |point: &Json| {
        let ms = (point[0].as_f64().unwrap() * 1000.0).round() as i64;
        (ms, point[1].as_str().unwrap().parse::<f64>().unwrap())
    };
    let named = |series: &Json| -> BTreeMap<String, String> {
        let labels = series["metric"].as_object().unwrap().iter();
        labels
            .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
            .collect()
    };
    let series = || result.as_array().unwrap().iter();
    match reply["data"]["resultType"].as_str() {
        Some("string") => Comparable::Text(result[1].as_str().unwrap().to_owned()),
        Some("scalar") => {
            let sample = BTreeMap::from([point(result)]);
            Comparable::Samples("scalar", [(BTreeMap::new(), sample)].into())
        }
        Some("vector") => Comparable::Samples(
            "vector",
            series()
                .map(|one| (named(one), [point(&one["value"])].into()))
                .collect(),
        ),
        Some("matrix") => Comparable::Samples(
            "matrix",
            series()
                .map(|one| {
                    let values = one["values"].as_array().unwrap();
                    (named(one), values.iter().map(point).collect())
                })
                .collect(),
        ),
        other => panic!("{text}: an answer of type {other:?}"),
    }
}

fn equal(ours: &Comparable, theirs: &Comparable) -> bool {
    let (Comparable::Samples(kind, ours), Comparable::Samples(kind_theirs, theirs)) =
        (ours, theirs)
    else {
        return ours == theirs;
    };
    let close = |a: f64, b: f64| {
        a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-9 * a.abs().max(b.abs())
    };
    let same_samples = |(ours, theirs): (&BTreeMap<i64, f64>, &BTreeMap<i64, f64>)| {
        ours.keys().eq(theirs.keys())
            && ours
                .values()
                .zip(theirs.values())
                .all(|(a, b)| close(*a, *b))
    };
    kind == kind_theirs
        && ours.keys().eq(theirs.keys())
        && ours.values().zip(theirs.values()).all(same_samples)
}
