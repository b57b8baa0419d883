//! `rollcast power`: which failure rates an analysis can see.

use std::io::Write;
use std::ops::Range;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context;
use clap::Args;
use rayon::prelude::*;

use crate::canary::Canary;
use crate::diagnostic::{Diagnostic, SourceText};
use crate::report::text::Palette;
use crate::report::{power as shown, write};
use crate::scenario::{self, Action, Override, Scenario};
use crate::sim::{Brief, Compiled};
use crate::study::monte_carlo::Threads;
use crate::study::power::{Bench, POWER_VERSION, Power, crossing, curve};
use crate::study::tune::Traffic;
use crate::study::tune::trial::{Arm, Crew};

use super::predict::{share, threads};
use super::shared::{ChangeArgs, OutArgs, counted, overrides, read_patches};
use super::{Format, interrupt};

/// Arguments of `power`.
#[derive(Debug, Args)]
#[command(name = "power", after_help = EXAMPLES)]
pub struct PowerArgs {
    /// The scenario's TOML file.
    pub scenario: PathBuf,
    /// Runs of each failure rate.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub runs: u64,
    /// The share of bad releases that is to be caught.
    #[arg(long, value_name = "SHARE", default_value_t = 0.95, value_parser = share)]
    pub power: f64,
    /// The share of releases whose rollback counts as the start of false ones.
    #[arg(long, value_name = "SHARE", default_value_t = 0.01, value_parser = share)]
    pub false_rollback: f64,
    /// Follow requests one by one, even where counts between scrapes are as good.
    #[arg(long)]
    pub requests: bool,
    /// What to print.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Threads; without it one a core. They change nothing but the time it takes.
    #[arg(long, value_name = "N", value_parser = threads)]
    pub threads: Option<usize>,
    /// Seed of the first run of every rate, each other having the next one; the scenario's own without it.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub seed: Option<u64>,
    /// Where the files go.
    #[command(flatten)]
    pub output: OutArgs,
    /// What is laid over the scenario.
    #[command(flatten)]
    pub changes: ChangeArgs,
}

const EXAMPLES: &str = "\
Examples:
  rollcast power scenarios/chaos30.toml
  rollcast power scenarios/chaos30.toml --set traffic.rate=20/s --power 0.9

Exits with 0 whatever the curve is, with 2 when the scenario cannot be run or was ended early.";

/// Runs the command. Files are written before anything is printed.
pub fn run(args: &PowerArgs, palette: Palette, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let patches = read_patches(&args.changes.patches)?;
    let mut scenario =
        scenario::load_patched(&args.scenario, &patches, &overrides(&args.changes.set))?;
    scenario.run.seed = args.seed.unwrap_or(scenario.run.seed);
    let version = pushed(&scenario)?;
    let threads = Threads::start(args.threads)?;
    let mut field = Field {
        args,
        patches: &patches,
        version: &version,
        threads: &threads,
        aggregate: false,
        first_seed: scenario.run.seed,
        stop: interrupt::flag(),
    };
    let traffic = field.choose(args.requests)?;
    let points = curve(
        &mut field,
        args.runs,
        &[args.false_rollback, 0.5, args.power],
    )?;
    let canary = &scenario.manifests.canary;
    let power = Power {
        power_version: POWER_VERSION,
        rollcast_version: env!("CARGO_PKG_VERSION").to_owned(),
        scenario: scenario.name.clone(),
        canary: format!("{}.{}", canary.metadata.name, canary.metadata.namespace),
        version: version.clone(),
        first_seed: scenario.run.seed,
        runs: args.runs,
        traffic,
        bounds: bounds(canary),
        detectable: crossing(&points, args.power),
        power: args.power,
        false_from: crossing(&points, args.false_rollback),
        false_share: args.false_rollback,
        even: crossing(&points, 0.5),
        points,
    };
    let directory = args.output.directory(&scenario.name);
    if let Some(directory) = &directory {
        let files = shown::files(&power).context("the curve cannot be reported")?;
        write::write(directory, &files)?;
    }
    match args.format {
        Format::Json => out.write_all(shown::json(&power)?.as_bytes())?,
        Format::Text => {
            out.write_all(shown::text(&power, palette).as_bytes())?;
            if let Some(directory) = &directory {
                writeln!(out, "\nfiles: {}", directory.display())?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The version that the scenario pushes or commits first.
fn pushed(scenario: &Scenario) -> Result<String, Diagnostic> {
    let mut events: Vec<_> = scenario.events.iter().collect();
    events.sort_by_key(|event| event.at);
    let version = events.into_iter().find_map(|event| match &event.action {
        Action::Push(version) | Action::Commit(version) => Some(version.clone()),
        _ => None,
    });
    version.ok_or_else(|| {
        Diagnostic::new("the scenario pushes no version, so there is nothing to vary")
            .help("add an event: [[events]] at = \"0s\", push = \"v2\"")
    })
}

/// What the Canary's metrics ask for.
fn bounds(canary: &Canary) -> Vec<String> {
    let metrics = (canary.spec.analysis.iter()).flat_map(|analysis| &analysis.metrics);
    metrics
        .filter_map(|metric| {
            let range = metric.threshold_range?;
            let parts = [
                range.min.map(|min| format!("at least {min}")),
                range.max.map(|max| format!("at most {max}")),
            ];
            let parts: Vec<String> = parts.into_iter().flatten().collect();
            Some(format!("{} {}", metric.name, parts.join(" and ")))
        })
        .collect()
}

/// The scenario under failure rates.
struct Field<'a> {
    args: &'a PowerArgs,
    patches: &'a [Arc<SourceText>],
    version: &'a str,
    threads: &'a Threads,
    aggregate: bool,
    first_seed: u64,
    stop: &'a AtomicBool,
}

impl Field<'_> {
    /// Whether requests can be counted; sees to it that the scenario takes a failure rate.
    fn choose(&mut self, one_by_one: bool) -> Result<Traffic, Diagnostic> {
        self.scenario(0.0)?;
        self.aggregate = !one_by_one;
        let reason = match self.scenario(0.0) {
            Ok(_) => None,
            Err(error) => Some(error.message),
        };
        self.aggregate &= reason.is_none();
        let model = if self.aggregate {
            "aggregate"
        } else {
            "requests"
        };
        Ok(Traffic {
            screening: model.to_owned(),
            finals: model.to_owned(),
            reason,
        })
    }

    fn scenario(&self, rate: f64) -> Result<Scenario, Diagnostic> {
        let mut set = overrides(&self.args.changes.set);
        set.push(Override {
            key: format!("versions.{}.env.FAIL_RATE", toml::Value::from(self.version)),
            value: format!("{rate}"),
        });
        if self.aggregate {
            set.push(counted());
        }
        scenario::load_patched(&self.args.scenario, self.patches, &set)
    }
}

impl Bench for Field<'_> {
    type Error = anyhow::Error;

    fn runs(&mut self, rates: &[f64], indices: Range<u64>) -> anyhow::Result<Vec<Vec<Brief>>> {
        let arm = |rate: &f64| Ok(Arm::new(Compiled::new(Arc::new(self.scenario(*rate)?))));
        let arms: Result<Vec<Arm>, Diagnostic> =
            self.threads.install(|| rates.par_iter().map(arm).collect());
        let crew = Crew {
            threads: self.threads,
            stop: self.stop,
            done: &|_| (),
        };
        let arms = arms?;
        let arms: Vec<&Arm> = arms.iter().collect();
        let runs = crew.run(&arms, self.first_seed, indices);
        Ok(runs.ok_or_else(|| Diagnostic::new("ended early: nothing was written"))?)
    }
}
