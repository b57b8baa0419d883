//! `rollcast predict`: many runs of a scenario, and how sure each outcome is.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context;
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use sha2::{Digest, Sha256};

use crate::canary::Rules;
use crate::diagnostic::Diagnostic;
use crate::report::files::File;
use crate::report::text::Palette;
use crate::report::{forecast as shown, write};
use crate::scenario::{self, Scenario};
use crate::sim;
use crate::study::forecast::{self, Forecast, Objective, Subject, Tail};
use crate::study::monte_carlo::{self, Batch, Run, Threads};
use crate::study::shard::{Part, SHARD_VERSION, Shard};
use crate::time::Span;

use super::shared::{ChangeArgs, OutArgs, overrides, read_patches};
use super::simulate::with_rules;
use super::{Format, RulesArg, interrupt};

/// Arguments of `predict`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Predict {
    /// The scenario's TOML file.
    pub scenario: PathBuf,
    /// How many runs.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=MOST_RUNS))]
    pub runs: u64,
    /// Run until every outcome's 95 % interval is at most this wide: 0.02 for 2 points of percent from end to end.
    #[arg(long, value_name = "WIDTH", conflicts_with_all = ["runs", "shard"], value_parser = share)]
    pub until_width: Option<f64>,
    /// Threads; without it one a core. They change nothing but the time it takes.
    #[arg(long, value_name = "N", value_parser = threads)]
    pub threads: Option<usize>,
    /// Make one part of the runs, for `rollcast merge`: 0/4 is the first of four. Writes a file of its own into --out.
    #[arg(long, value_name = "I/N", value_parser = part, conflicts_with_all = ["format", "replay", "no_out"])]
    pub shard: Option<Part>,
    /// What to print.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Seed of the first run, each other having the next one; the scenario's own without it.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub seed: Option<u64>,
    /// Where the files go.
    #[command(flatten)]
    pub output: OutArgs,
    /// How thresholds are read; as the scenario says without it.
    #[arg(long, value_enum)]
    pub rules: Option<RulesArg>,
    /// What is laid over the scenario.
    #[command(flatten)]
    pub changes: ChangeArgs,
    /// A service level objective, as 99.9%: say how much of its error budget a run uses up.
    #[arg(long, value_name = "PERCENT", value_parser = objective)]
    pub slo: Option<u32>,
    /// The time that the error budget is meant to last.
    #[arg(long, value_name = "TIME", default_value = "30d", value_parser = period, requires = "slo")]
    pub slo_period: Span,
    /// Tell the story of a run at the end, too.
    #[arg(long, value_enum, conflicts_with = "format")]
    pub replay: Option<Replay>,
}

/// The run that is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Replay {
    /// The one with most failed requests.
    Worst,
    /// The one decided last.
    Slowest,
    /// The one decided first.
    Fastest,
    /// The first with the rarest outcome.
    Rarest,
}

impl From<Replay> for Tail {
    fn from(replay: Replay) -> Self {
        match replay {
            Replay::Worst => Tail::Worst,
            Replay::Slowest => Tail::Slowest,
            Replay::Fastest => Tail::Fastest,
            Replay::Rarest => Tail::Rarest,
        }
    }
}

/// Runs at the most: some hours of a core.
const MOST_RUNS: u64 = 1_000_000;

/// Runs between two looks at the intervals.
const FIRST_BATCH: u64 = 200;

const EXAMPLES: &str = "\
Examples:
  rollcast predict scenarios/chaos30.toml
  rollcast predict scenarios/chaos30.toml --set traffic.rate=5/s --until-width 0.02
  rollcast predict scenarios/healthy.toml --runs 10000 --slo 99.9% --replay worst
  rollcast predict scenarios/chaos30.toml --runs 100000 --shard 0/8 --out part-0

Exits with 0 whatever the outcomes, with 2 when the scenario cannot be run or was ended early.";

/// Runs the command. Files are written before anything is printed.
pub fn run(args: &Predict, palette: Palette, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let scenario = Arc::new(load(args)?);
    let stop = interrupt::flag();
    let directory = args.output.directory(&scenario.name);
    if let Some(part) = args.shard {
        return shard(args, &scenario, part, directory.as_deref(), stop, out);
    }
    let (planned, runs) = match args.until_width {
        None => {
            let runs = all(args, &scenario, 0..args.runs, stop)?;
            (args.runs, runs)
        }
        Some(width) => until(args, &scenario, width, stop)?,
    };
    let forecast = Forecast {
        subject: subject(args, &scenario),
        planned,
        runs,
    };
    let complete = forecast.runs.len() as u64 >= planned;
    if forecast.runs.is_empty() {
        return Err(Diagnostic::new("ended before the first run was done").into());
    }
    print(&forecast, directory.as_deref(), args.format, palette, out)?;
    if let Some(run) = args
        .replay
        .and_then(|which| forecast::tail(&forecast.runs, which.into()))
    {
        let mut scenario = Scenario::clone(&scenario);
        scenario.run.seed = run.seed;
        let record = sim::simulate(&scenario);
        writeln!(out, "\n{}", crate::report::text::render(&record, palette))?;
    }
    Ok(if complete {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(2)
    })
}

/// Writes a forecast's files and prints it.
pub(super) fn print(
    forecast: &Forecast,
    directory: Option<&Path>,
    format: Format,
    palette: Palette,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    if let Some(directory) = directory {
        let files = shown::files(forecast).context("the forecast cannot be reported")?;
        write::write(directory, &files)?;
    }
    if format == Format::Json {
        out.write_all(shown::json::render(forecast)?.as_bytes())?;
        return Ok(());
    }
    out.write_all(shown::text::render(forecast, palette).as_bytes())?;
    if let Some(directory) = directory {
        writeln!(out, "\nfiles: {}", directory.display())?;
    }
    Ok(())
}

fn load(args: &Predict) -> Result<Scenario, Diagnostic> {
    let set = with_rules(&args.changes.set, args.rules.map(Rules::from));
    let patches = read_patches(&args.changes.patches)?;
    let mut scenario = scenario::load_patched(&args.scenario, &patches, &overrides(&set))?;
    scenario.run.seed = args.seed.unwrap_or(scenario.run.seed);
    Ok(scenario)
}

fn subject(args: &Predict, scenario: &Scenario) -> Subject {
    let canary = &scenario.manifests.canary;
    let effective = serde_json::to_string(scenario).expect("a scenario has only text keys");
    let digest = Sha256::digest(effective.as_bytes());
    Subject {
        scenario: scenario.name.clone(),
        title: scenario.title.clone(),
        canary: format!("{}.{}", canary.metadata.name, canary.metadata.namespace),
        rules: scenario.rules,
        provider: Some(scenario.provider_in_force()),
        interval: sim::interval(canary),
        first_seed: scenario.run.seed,
        bin: monte_carlo::bin(scenario),
        objective: args.slo.map(|failures_per_million| Objective {
            failures_per_million,
            period: args.slo_period,
        }),
        command: command(args),
        digest: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}

/// The runs with these indices, watched on a terminal.
fn all(
    args: &Predict,
    scenario: &Arc<Scenario>,
    indices: std::ops::Range<u64>,
    stop: &AtomicBool,
) -> anyhow::Result<Vec<Run>> {
    let threads = Threads::start(args.threads)?;
    let bar = bar(Some(indices.end - indices.start));
    let runs = batch(&threads, scenario, indices, stop, &bar);
    bar.finish_and_clear();
    Ok(runs)
}

/// Runs until every interval is narrow enough; the number that was planned, and the runs.
fn until(
    args: &Predict,
    scenario: &Arc<Scenario>,
    width: f64,
    stop: &AtomicBool,
) -> anyhow::Result<(u64, Vec<Run>)> {
    let threads = Threads::start(args.threads)?;
    let bar = bar(None);
    let mut runs: Vec<Run> = Vec::new();
    loop {
        let done = runs.len() as u64;
        // Batches grow with what is there, so that the looks stay few; their sizes depend on nothing else.
        let next = (done + FIRST_BATCH.max(done / 8)).min(MOST_RUNS);
        runs.extend(batch(&threads, scenario, done..next, stop, &bar));
        let planned = next;
        let widest = forecast::widest(&runs);
        bar.set_message(format!("widest interval {widest:.4}"));
        if (runs.len() as u64) < next || widest <= width || next == MOST_RUNS {
            bar.finish_and_clear();
            return Ok((planned, runs));
        }
    }
}

fn batch(
    threads: &Threads,
    scenario: &Arc<Scenario>,
    indices: std::ops::Range<u64>,
    stop: &AtomicBool,
    bar: &ProgressBar,
) -> Vec<Run> {
    let seeds: Vec<u64> = indices
        .map(|index| monte_carlo::seed(scenario, index))
        .collect();
    let batch = Batch {
        threads,
        stop,
        done: &|| bar.inc(1),
    };
    batch.run(scenario, &seeds)
}

fn shard(
    args: &Predict,
    scenario: &Arc<Scenario>,
    part: Part,
    directory: Option<&Path>,
    stop: &AtomicBool,
    out: &mut impl Write,
) -> anyhow::Result<ExitCode> {
    let indices = part.indices(args.runs);
    let wanted = indices.end - indices.start;
    let runs = all(args, scenario, indices, stop)?;
    let made = runs.len() as u64;
    if made < wanted {
        return Err(Diagnostic::new(format!(
            "ended early, after {made} of {wanted} runs: nothing was written"
        ))
        .into());
    }
    let shard = Shard {
        shard_version: SHARD_VERSION,
        rollcast_version: env!("CARGO_PKG_VERSION").to_owned(),
        subject: subject(args, scenario),
        planned: args.runs,
        part,
        runs,
    };
    let file = File {
        path: format!("shard-{}-of-{}.json", part.index, part.of),
        bytes: serde_json::to_vec(&shard)?,
    };
    let directory = directory.context("a part needs a directory")?;
    let path = directory.join(&file.path);
    write::write(directory, &[file])?;
    writeln!(
        out,
        "part {} of {} (numbered from 0): {made} runs\nfile: {}",
        part.index,
        part.of,
        path.display()
    )?;
    Ok(ExitCode::SUCCESS)
}

/// What simulates the scenario once, as these arguments have it.
fn command(args: &Predict) -> String {
    let mut command = format!("rollcast simulate {}", args.scenario.display());
    if let Some(rules) = args.rules {
        command += &format!(" --rules {}", Rules::from(rules).as_str());
    }
    for patch in &args.changes.patches {
        command += &format!(" --patch {}", patch.display());
    }
    for set in &args.changes.set {
        command += &format!(" --set {}={}", set.key, set.value);
    }
    command
}

/// A bar on the standard error where that is a terminal, else nothing.
fn bar(runs: Option<u64>) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let (bar, template) = match runs {
        Some(runs) => (
            ProgressBar::new(runs),
            "{wide_bar} {pos} of {len} runs, {eta} left",
        ),
        None => (
            ProgressBar::new_spinner(),
            "{spinner} {pos} runs, {elapsed}, {msg}",
        ),
    };
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// A share that is neither nothing nor everything.
pub(super) fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if share > 0.0 && share < 1.0 => Ok(share),
        _ => Err("a share between 0 and 1 is needed, as 0.02".to_owned()),
    }
}

pub(super) fn threads(text: &str) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(threads) if (1..=1024).contains(&threads) => Ok(threads),
        _ => Err("a number from 1 to 1024 is needed".to_owned()),
    }
}

fn part(text: &str) -> Result<Part, String> {
    Part::parse(text).ok_or_else(|| {
        "a part is numbered from 0, as 0/4 for the first and 3/4 for the last of four".to_owned()
    })
}

/// `99.9%` or `99.9`, as failures per million.
fn objective(text: &str) -> Result<u32, String> {
    let number = text.trim().trim_end_matches('%').trim_end();
    match number.parse::<f64>() {
        Ok(percent) if (0.0..100.0).contains(&percent) => {
            let failures = ((100.0 - percent) * 1e4).round() as u32;
            Ok(failures.max(1))
        }
        _ => Err("a percentage below 100 is needed, as 99.9%".to_owned()),
    }
}

/// `30d`, or a time with Go's units.
fn period(text: &str) -> Result<Span, String> {
    let days = text
        .strip_suffix('d')
        .and_then(|days| days.parse::<i64>().ok());
    let span = match days {
        Some(days) if (1..=3650).contains(&days) => Some(Span::from_secs(days * 86_400)),
        Some(_) => None,
        None => Span::parse_go(text),
    };
    match span {
        Some(span) if span > Span::ZERO => Ok(span),
        _ => Err("a time is needed, as 30d or 12h".to_owned()),
    }
}
