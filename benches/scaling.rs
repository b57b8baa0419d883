//! What a request costs on the request path, against how many there are, how many pods serve them, how many slots a pod has,
//! and what is switched on. The model is `ingress-mmc` of `benches/peers`; times are CPU time of the thread, best of three,
//! and each row is followed by its ratio to the first of its table.
//!
//! `cargo bench --bench scaling`

use std::hint::black_box;
use std::time::Instant;

use rollcast::scenario::{Distribution, IngressController, LoadBalance, Traffic, Version};
use rollcast::seed::RunSeed;
use rollcast::sim::clock::{Nanos, SECOND};
use rollcast::sim::ingress::{Backend, ScrapeGrid};
use rollcast::sim::requests::{PathPlan, RequestPath};
use rollcast::sim::service::{PodSpec, Side};
use rollcast::time::Span;

/// Share of the slots that are busy.
const LOAD: f64 = 0.7;
/// Mean service time of a lognormal with median 20 ms and sigma 0.5, 2 % of it 1 ms.
const MEAN_S: f64 = 0.98 * 0.020 * 1.133_148_453 + 0.02 * 0.001;
const SCRAPE: Nanos = 15 * SECOND;

/// What differs from row to row.
#[derive(Clone, Copy)]
struct Model {
    requests: u64,
    pods: usize,
    concurrency: u32,
    change: fn(&mut PathPlan),
}

const MODEL: Model = Model {
    requests: 3_000_000,
    pods: 10,
    concurrency: 8,
    change: |_| {},
};

fn main() {
    table(
        "requests",
        [1_000_000u64, 10_000_000, 100_000_000].map(|requests| {
            (
                format!("{requests:.0e}", requests = requests as f64),
                Model { requests, ..MODEL },
            )
        }),
    );
    println!("peak memory after 10^8 requests: {} MB", peak_mb());
    table(
        "pods",
        [10usize, 30, 100, 300, 1000].map(|pods| (pods.to_string(), Model { pods, ..MODEL })),
    );
    table(
        "concurrency",
        [1u32, 4, 8, 16, 64, 256].map(|concurrency| {
            (
                concurrency.to_string(),
                Model {
                    concurrency,
                    ..MODEL
                },
            )
        }),
    );
    table(
        "what is switched on",
        [
            ("nothing", MODEL.change),
            ("kills", |plan| plan.kills = true),
            ("three controllers", |plan| {
                plan.ingress.controllers = 3;
                plan.scrapes = vec![plan.scrapes[0]; 3];
            }),
            ("short timeouts", |plan| {
                plan.ingress.read_timeout = Some(SECOND / 2)
            }),
            ("least connections", |plan| {
                plan.ingress.balance = LoadBalance::LeastConnections
            }),
            ("ewma", |plan| plan.ingress.balance = LoadBalance::Ewma),
        ]
        .map(|(name, change): (&str, fn(&mut PathPlan))| {
            (name.to_owned(), Model { change, ..MODEL })
        }),
    );
}

fn table<const N: usize>(title: &str, rows: [(String, Model); N]) {
    println!("\n{title}");
    let mut first = None;
    for (name, model) in rows {
        let rounds = if model.requests > 20_000_000 { 1 } else { 3 };
        let best = (0..rounds).map(|round| ns_per_request(model, round + 1));
        let ns = best.fold(f64::MAX, f64::min);
        let ratio = ns / *first.get_or_insert(ns);
        println!("{name:>20}  {ns:6.1} ns/request  {ratio:5.2}");
    }
}

fn ns_per_request(model: Model, seed: u64) -> f64 {
    let per_second = LOAD * model.pods as f64 * f64::from(model.concurrency) / MEAN_S;
    let version = Version {
        failure_time: Some(Distribution::Constant { ns: 1_000_000 }),
        base_failure_rate: 0.02,
        concurrency: model.concurrency,
        ..Version::default()
    };
    let ingress = IngressController {
        workers: 1,
        flush_interval: Span::from_secs(1),
        ..IngressController::default()
    };
    let mut plan = PathPlan::new(&Traffic::steady(per_second), [&version], &ingress, true);
    plan.scrapes = vec![ScrapeGrid {
        first: SCRAPE,
        interval: SCRAPE,
    }];
    (model.change)(&mut plan);
    let controllers = plan.scrapes.len();
    let mut path = RequestPath::new(plan, RunSeed(seed), 0);
    let mut pods = |side, group, count: usize| -> Vec<_> {
        let spec = PodSpec {
            side,
            version: 0,
            failure_rate: 0.0,
        };
        (0..count).map(|_| (path.add_pod(spec), group)).collect()
    };
    let canary = (model.pods / 5).max(1);
    let main = pods(Side::Primary, 0, model.pods - canary);
    let alternative = pods(Side::Canary, 1, canary);
    path.set_endpoints(Backend::Main, &main);
    path.set_endpoints(Backend::Alternative, &alternative);
    (0..controllers as u32).for_each(|worker| path.set_weight(worker, 20));

    let end = (model.requests as f64 / per_second * 1e9) as Nanos;
    let start = cpu_ns();
    let mut at = SCRAPE;
    while at <= end {
        path.advance(at);
        for controller in 0..controllers {
            black_box(path.scrape_controller(controller, at));
        }
        at += SCRAPE;
    }
    path.advance(end);
    (cpu_ns() - start) as f64 / path.totals().total as f64
}

/// CPU time of this thread as Linux counts it, else time elapsed.
fn cpu_ns() -> u64 {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    let start = START.get_or_init(Instant::now);
    std::fs::read_to_string("/proc/thread-self/schedstat")
        .ok()
        .and_then(|text| text.split(' ').next()?.parse().ok())
        .unwrap_or_else(|| start.elapsed().as_nanos() as u64)
}

/// The most memory that the process has had, as Linux counts it; 0 elsewhere.
fn peak_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM"));
    let kilobytes = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) / 1024
}
