//! Whole rollouts, request by request: the runbook's drill, and a healthy rollout of three hundred simulated seconds at five
//! hundred requests a second, whose two queries are evaluated at every tick; then the same with more queries, and with its
//! requests as counts.
//!
//! Scenarios are compiled once for all seeds, as `predict` does it. A run is all else: the world is set up, warmed up, run
//! and made the outline of a record. Times are CPU time of the thread, the mean over the seeds.
//!
//! `cargo bench --bench rollouts`; `MODEL=requests` or `MODEL=aggregate` measures one traffic model alone.

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use rollcast::scenario::{self, RatePoint, Scenario, TrafficModel};
use rollcast::sim::Compiled;
use rollcast::time::Span;

fn main() {
    let only = std::env::var("MODEL").ok();
    let wanted = |model| only.as_deref().is_none_or(|only| only == model);
    if wanted("requests") {
        request_by_request();
    }
    if wanted("aggregate") {
        as_counts();
    }
}

fn request_by_request() {
    let chaos30 = load("chaos30");
    println!("chaos30: {:.2} ms/run", ms_per_run(&chaos30, 200));

    let healthy = busy_and_healthy();
    let ms = ms_per_run(&healthy, 200);
    println!(
        "whole rollouts, 300 s at 500 requests/s: {ms:.2} ms/run, {:.0} rollouts/s, {:.1} ns/request",
        1e3 / ms,
        ms * 1e6 / 150_000.0
    );
    let mut idle = healthy.clone();
    idle.traffic.rate[0].per_second = 0.1;
    println!(
        "of which the control plane: {:.2} ms/run",
        ms_per_run(&idle, 200)
    );

    for copies in [1, 5, 25] {
        let mut more = healthy.clone();
        let analysis = more.manifests.canary.spec.analysis.as_mut().unwrap();
        let metrics = analysis.metrics.clone();
        let many = (0..copies).flat_map(|_| metrics.clone());
        analysis.metrics = many.collect();
        println!(
            "{:3} queries a tick: {:.2} ms/run",
            2 * copies,
            ms_per_run(&more, 50)
        );
    }
}

fn as_counts() {
    let mut healthy = busy_and_healthy();
    healthy.run.traffic_model = TrafficModel::Aggregate;
    let ms = ms_per_run(&healthy, 2000);
    println!("as counts: {ms:.3} ms/run, {:.0} rollouts/s", 1e3 / ms);
}

/// Three hundred seconds at five hundred requests a second: a warm-up of three intervals, and what is left.
fn busy_and_healthy() -> Scenario {
    let mut healthy = load("healthy");
    healthy.run.warm_up = Span::from_secs(90);
    healthy.run.horizon = Span::from_secs(210);
    healthy.traffic.rate = vec![RatePoint {
        at: Span::ZERO,
        per_second: 500.0,
    }];
    healthy
}

fn load(name: &str) -> Scenario {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("scenarios/{name}.toml"));
    scenario::load(&path, &[]).unwrap_or_else(|error| panic!("{error}"))
}

/// The mean over so many seeds, after one more to warm up: the system counts CPU time in steps of milliseconds.
fn ms_per_run(scenario: &Scenario, rounds: u64) -> f64 {
    let compiled = Compiled::new(Arc::new(scenario.clone()));
    let mut runner = compiled.runner();
    let mut run = |seed| {
        black_box(runner.outline(black_box(seed)));
    };
    run(0);
    let start = cpu_ns();
    (1..=rounds).for_each(run);
    (cpu_ns() - start) as f64 / 1e6 / rounds as f64
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
