//! One run from code: load a scenario, simulate it, look at how it ended.
//!
//! `cargo run --release --example one_run`

use std::path::Path;

use rollcast::{scenario, sim};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let scenario = scenario::load(Path::new("scenarios/chaos30.toml"), &[])?;
    let record = sim::simulate(&scenario);
    println!(
        "{} after {:?}",
        record.outcome.as_str(),
        record.decided_at.map(|at| at.clock())
    );
    for finding in &record.findings {
        println!("{}: {}", finding.code, finding.text);
    }
    Ok(())
}
