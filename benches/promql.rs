//! How long queries and scrapes take.
//!
//! `sum by (le) (rate(x[1m]))` over 960 bucket series (80 label sets, 12 bounds, scraped every 5 s); the same with a counter
//! reset in each window, and over five minutes; the runbook's two queries over the series one ingress has, and over those of a
//! run of `scenarios/chaos30.toml` at its deciding check; and one scrape. `cargo bench --bench promql` runs all,
//! `cargo bench --bench promql -- chaos30` one.

use std::hint::black_box;
use std::path::Path;

use criterion::{Criterion, criterion_group, criterion_main};
use rollcast::promql::{Options, Query};
use rollcast::time::{Span, Timestamp};
use rollcast::tsdb::{Labels, SeriesId, Storage, TargetId};
use rollcast::{scenario, sim};

const BOUNDS: [&str; 12] = [
    "0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1.0", "2.5", "5.0", "10.0", "+Inf",
];

const BUCKETS: &str = "nginx_ingress_controller_request_duration_seconds_bucket";
const REQUESTS: &str = "nginx_ingress_controller_requests";

const RUNBOOK: [&str; 2] = [
    r#"sum(rate(nginx_ingress_controller_requests{exported_namespace="applications", ingress="load-harness", status!~"5.."}[1m]))
       / sum(rate(nginx_ingress_controller_requests{exported_namespace="applications", ingress="load-harness"}[1m])) * 100"#,
    r#"histogram_quantile(0.99, sum(rate(nginx_ingress_controller_request_duration_seconds_bucket{exported_namespace="applications", ingress="load-harness"}[1m])) by (le)) * 1000"#,
];

/// A store with one target, and its series with what each grows by per scrape.
struct Scraped {
    storage: Storage,
    target: TargetId,
    series: Vec<(SeriesId, f64)>,
    scrapes: i64,
}

impl Scraped {
    fn new(labels: impl Iterator<Item = Labels>) -> Self {
        let mut storage = Storage::new();
        storage.set_retention(Some(Span::from_secs(600)));
        let target = storage.add_target();
        let series = labels
            .enumerate()
            .map(|(i, labels)| {
                (
                    storage.series(target, &labels).unwrap(),
                    1.0 + (i % 7) as f64,
                )
            })
            .collect();
        Scraped {
            storage,
            target,
            series,
            scrapes: 0,
        }
    }

    /// One scrape; with `reset`, all counters begin anew.
    fn scrape(&mut self, reset: bool) {
        self.scrapes += 1;
        let n = if reset { 0.0 } else { self.scrapes as f64 };
        let mut scrape = self
            .storage
            .scrape(self.target, Timestamp::from_secs(self.scrapes * 5));
        for (series, growth) in &self.series {
            scrape.append(*series, growth * n);
        }
        scrape.commit();
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.scrapes * 5000 + 1234)
    }
}

/// 80 label sets of 12 buckets.
fn buckets() -> Scraped {
    let labels = (0..80).flat_map(|i| {
        let path = format!("/{i}");
        BOUNDS.map(|le| Labels::new([("__name__", "x"), ("path", &*path), ("le", le)]))
    });
    let mut scraped = Scraped::new(labels);
    (0..200).for_each(|_| scraped.scrape(false));
    scraped
}

/// What two versions behind one ingress expose of the two families the runbook's queries select.
fn ingress() -> Scraped {
    let base = |name: &str, canary: &str| {
        Labels::new([
            ("__name__", name),
            ("exported_namespace", "applications"),
            ("ingress", "load-harness"),
            ("canary", canary),
            ("namespace", "ingress-nginx"),
            ("exported_service", "load-harness"),
        ])
        .to_builder()
    };
    let mut all = Vec::new();
    for canary in ["", "applications-load-harness-80"] {
        for status in ["200", "500", "503"] {
            let mut labels = base(REQUESTS, canary);
            labels.set("status", status);
            all.push(labels.build());
        }
        for le in BOUNDS {
            let mut labels = base(BUCKETS, canary);
            labels.set("status", "200").set("le", le);
            all.push(labels.build());
        }
    }
    let mut scraped = Scraped::new(all.into_iter());
    (0..60).for_each(|_| scraped.scrape(false));
    scraped
}

/// Everything that a run of chaos30 scraped.
fn chaos30() -> Storage {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/chaos30.toml");
    let scenario = scenario::load(&path, &[]).unwrap();
    sim::simulate_with_series(&scenario).1
}

fn evaluation(c: &mut Criterion) {
    let buckets = buckets();
    let mut reset = self::buckets();
    reset.scrape(true);
    (0..5).for_each(|_| reset.scrape(false));
    let by_le = |window: &str| {
        let text = format!("sum by (le) (rate(x[{window}]))");
        Query::compile(&text, &Options::default())
            .unwrap()
            .evaluator()
    };
    for (name, window, scraped) in [
        ("960 series, 1m", "1m", &buckets),
        ("960 series, 5m", "5m", &buckets),
        ("960 series, 1m, with resets", "1m", &reset),
    ] {
        let mut evaluator = by_le(window);
        c.bench_function(name, |b| {
            b.iter(|| evaluator.instant(&scraped.storage, black_box(scraped.now())));
        });
    }
    let ingress = ingress();
    let chaos30 = chaos30();
    let deciding = Timestamp::from_secs(60);
    for (name, storage, now) in [
        (
            "the runbook's two queries, 30 series",
            &ingress.storage,
            ingress.now(),
        ),
        (
            "the runbook's two queries, a chaos30 run",
            &chaos30,
            deciding,
        ),
    ] {
        let mut evaluators = RUNBOOK.map(|text| {
            Query::compile(text, &Options::default())
                .unwrap()
                .evaluator()
        });
        c.bench_function(name, |b| {
            b.iter(|| {
                for evaluator in &mut evaluators {
                    black_box(evaluator.instant(storage, black_box(now)).unwrap());
                }
            });
        });
    }
}

fn compilation(c: &mut Criterion) {
    c.bench_function("compile the runbook's two queries", |b| {
        b.iter(|| {
            RUNBOOK.map(|text| Query::compile(black_box(text), &Options::default()).unwrap())
        });
    });
}

fn ingest(c: &mut Criterion) {
    let mut buckets = buckets();
    c.bench_function("scrape of 960 series", |b| b.iter(|| buckets.scrape(false)));
    let mut ingress = ingress();
    c.bench_function("scrape of 30 series", |b| b.iter(|| ingress.scrape(false)));
}

criterion_group!(benches, evaluation, compilation, ingest);
criterion_main!(benches);
