//! `rollcast simulate`: one run of a scenario, its story on the terminal, its files in an output directory.

use std::io::Write;
use std::path::{Component, Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;

use crate::canary::Rules;
use crate::diagnostic::Diagnostic;
use crate::record::Record;
use crate::report::files::{self, File};
use crate::report::text::{self, Palette};
use crate::report::{json, write};
use crate::scenario::Scenario;
use crate::study::expectation::evaluate;

use super::{Format, RulesArg};

/// Arguments of `simulate`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Simulate {
    /// The scenario's TOML file.
    pub scenario: PathBuf,
    /// What to print.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Seed of the run; the scenario's own without it.
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Directory for the files; output/<path of the scenario under scenarios/> without it.
    #[arg(long, value_name = "DIR", conflicts_with = "no_out")]
    pub out: Option<PathBuf>,
    /// Write no files.
    #[arg(long)]
    pub no_out: bool,
    /// How thresholds are read; as the scenario says without it.
    #[arg(long, value_enum)]
    pub rules: Option<RulesArg>,
    /// Run under both readings of the thresholds, same world and seed, and show them side by side.
    #[arg(long, conflicts_with = "rules")]
    pub compare_rules: bool,
    /// Set a key of the scenario: a TOML value, else a string. May be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = assignment)]
    pub set: Vec<Assignment>,
}

const EXAMPLES: &str = "\
Examples:
  rollcast simulate scenarios/chaos30.toml
  rollcast simulate scenarios/chaos30.toml --format json --seed 7 --no-out
  rollcast simulate scenarios/chaos30.toml --compare-rules
  rollcast simulate scenarios/healthy.toml --set traffic.rate=50/s --set versions.v2.env.FAIL_RATE=0.1

Exits with 0 whatever the outcome, with 2 when the scenario cannot be run.";

/// A key of the scenario and the value it is to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The key, its parts separated by dots.
    pub key: String,
    /// The value as typed.
    pub value: String,
}

/// What stands behind the command: where scenarios come from and what runs them.
pub struct Driver {
    /// Reads a scenario with values set over it.
    pub load: fn(&Path, &[Assignment]) -> Result<Scenario, Diagnostic>,
    /// Runs it.
    pub simulate: fn(&Scenario) -> Result<Record, Diagnostic>,
}

/// Runs the command. Files are written before anything is printed, so a reader who stops early still finds them.
pub fn run(
    args: &Simulate,
    driver: &Driver,
    palette: Palette,
    out: &mut impl Write,
) -> anyhow::Result<ExitCode> {
    let printed = if args.compare_rules {
        compare(args, driver, palette)?
    } else {
        one(args, driver, palette)?
    };
    out.write_all(printed.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn one(args: &Simulate, driver: &Driver, palette: Palette) -> anyhow::Result<String> {
    let scenario = load(args, driver, args.rules.map(Rules::from))?;
    let record = (driver.simulate)(&scenario)?;
    let directory = directory(args, &scenario);
    write_files(directory.as_deref(), || files::files(&record))?;
    if args.format == Format::Json {
        return Ok(json::render(&record)?);
    }
    let mut shown = text::render(&record, palette);
    let met = scenario.expect.map(|expect| evaluate(&expect, &record));
    let met = text::expectations(&met.unwrap_or_default(), palette);
    if !met.is_empty() {
        shown += &format!("\n{met}");
    }
    shown += &where_files_are(directory.as_deref());
    Ok(shown)
}

fn compare(args: &Simulate, driver: &Driver, palette: Palette) -> anyhow::Result<String> {
    let run = |rules| -> anyhow::Result<(Scenario, Record)> {
        let scenario = load(args, driver, Some(rules))?;
        let record = (driver.simulate)(&scenario)?;
        Ok((scenario, record))
    };
    let (scenario, flagger) = run(Rules::Flagger)?;
    let (_, runbook) = run(Rules::Runbook)?;
    let directory = directory(args, &scenario);
    write_files(directory.as_deref(), || {
        let mut all = files::under(Rules::Flagger.as_str(), files::files(&flagger)?);
        all.extend(files::under(
            Rules::Runbook.as_str(),
            files::files(&runbook)?,
        ));
        Ok(all)
    })?;
    if args.format == Format::Json {
        return Ok(json::render_both(&flagger, &runbook)?);
    }
    Ok(text::compare(&flagger, &runbook, palette) + &where_files_are(directory.as_deref()))
}

fn load(args: &Simulate, driver: &Driver, rules: Option<Rules>) -> Result<Scenario, Diagnostic> {
    let mut set = args.set.clone();
    set.extend(rules.map(|rules| Assignment {
        key: "rules".to_owned(),
        value: rules.as_str().to_owned(),
    }));
    let mut scenario = (driver.load)(&args.scenario, &set)?;
    // Not by way of the file, whose whole numbers end at half of what a seed can be.
    scenario.run.seed = args.seed.unwrap_or(scenario.run.seed);
    Ok(scenario)
}

/// Where the files go: what was asked for, else a directory of the scenario's name.
fn directory(args: &Simulate, scenario: &Scenario) -> Option<PathBuf> {
    if args.no_out {
        return None;
    }
    let named = || {
        // A name that leads elsewhere (`../x`) leads to `output/x`.
        let name = Path::new(&scenario.name).components();
        let name = name.filter(|part| matches!(part, Component::Normal(_)));
        Path::new("output").join(name.collect::<PathBuf>())
    };
    Some(args.out.clone().unwrap_or_else(named))
}

fn write_files(
    directory: Option<&Path>,
    files: impl FnOnce() -> Result<Vec<File>, files::RenderError>,
) -> anyhow::Result<()> {
    if let Some(directory) = directory {
        let files = files().context("the run cannot be reported")?;
        write::write(directory, &files)?;
    }
    Ok(())
}

fn where_files_are(directory: Option<&Path>) -> String {
    directory.map_or_else(String::new, |directory| {
        format!("\nfiles: {}\n", directory.display())
    })
}

/// Reads `KEY=VALUE`.
fn assignment(text: &str) -> Result<Assignment, String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok(Assignment {
            key: key.trim().to_owned(),
            value: value.to_owned(),
        }),
        _ => Err("a key and a value are needed, as in traffic.rate=50/s".to_owned()),
    }
}

/// The real thing.
pub const DRIVER: Driver = Driver {
    load: |path, _| {
        Err(Diagnostic::new(format!(
            "the scenario `{}` cannot be read by this build",
            path.display()
        )))
    },
    simulate: |_| Err(Diagnostic::new("this build has no simulator")),
};
