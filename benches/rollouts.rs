//! Whole rollouts, request by request: the runbook's drill, and a healthy rollout of three hundred simulated seconds at five
//! hundred requests a second, whose two queries are evaluated at every tick; then the same with more queries.
//!
//! A run is all of it: the world is set up, warmed up, run and made a record. Times are CPU time of the thread, the mean
//! over the seeds.
//!
//! `cargo bench --bench rollouts`

use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use rollcast::scenario::{self, RatePoint, Scenario};
use rollcast::sim::simulate;
use rollcast::time::Span;

fn main() {
    let chaos30 = load("chaos30");
    println!("chaos30: {:.2} ms/run", ms_per_run(&chaos30, 200));

    // A warm-up of three intervals, and what is left of three hundred seconds.
    let mut healthy = load("healthy");
    healthy.run.warm_up = Span::from_secs(90);
    healthy.run.horizon = Span::from_secs(210);
    healthy.traffic.rate = vec![RatePoint {
        at: Span::ZERO,
        per_second: 500.0,
    }];
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

fn load(name: &str) -> Scenario {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("scenarios/{name}.toml"));
    scenario::load(&path, &[]).unwrap_or_else(|error| panic!("{error}"))
}

/// The mean over so many seeds, after one more to warm up: the system counts CPU time in steps of milliseconds.
fn ms_per_run(scenario: &Scenario, rounds: u64) -> f64 {
    let mut scenario = scenario.clone();
    let mut run = |seed| {
        scenario.run.seed = seed;
        black_box(simulate(black_box(&scenario)));
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
