//! How many whole rollouts a second: the runbook's healthy release, 300 simulated seconds at 500 requests a second after a
//! warm-up of three analysis intervals, its two queries at every tick.
//!
//! `cargo bench --bench rollouts` prints a line for each traffic model; `ROLLOUTS=2000` runs so many of each,
//! `MODEL=aggregate` that one alone.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use rollcast::record::Outcome;
use rollcast::scenario::{self, Override, Scenario};
use rollcast::sim::Compiled;

fn main() {
    let rollouts = std::env::var("ROLLOUTS").ok().and_then(|n| n.parse().ok());
    let only = std::env::var("MODEL").ok();
    for (model, default) in [("requests", 200), ("aggregate", 2000)] {
        if only.as_deref().is_some_and(|only| only != model) {
            continue;
        }
        measure(model, rollouts.unwrap_or(default));
    }
}

fn measure(model: &str, rollouts: u64) {
    let compiled = Compiled::new(Arc::new(scenario(model)));
    let start = Instant::now();
    let outcomes = (0..rollouts).map(|seed| compiled.simulate(seed).outcome);
    let promoted = outcomes
        .filter(|outcome| *outcome == Outcome::Promoted)
        .count();
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{model}: {:.0} rollouts/s ({rollouts} in {seconds:.2} s, {promoted} promoted)",
        rollouts as f64 / seconds
    );
}

fn scenario(model: &str) -> Scenario {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/healthy.toml");
    let set = |key: &str, value: &str| Override {
        key: key.to_owned(),
        value: value.to_owned(),
    };
    let overrides = [
        set("traffic.rate", "500/s"),
        set("run.traffic_model", model),
        set("run.warm_up", "90s"),
        set("run.horizon", "300s"),
    ];
    scenario::load(&path, &overrides).unwrap_or_else(|error| panic!("{error}"))
}
