//! `rollcast explain`: what one tick of a run asked, saw, computed and concluded, and what would have flipped it; with
//! `--describe` the Canary as kubectl shows it.
//!
//! Reads `run.json` of a run's output directory. What would have flipped a check is found by running the scenario again,
//! from `inputs.json` beside it. Exits with 0, with 2 where there is no run to read.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use crate::diagnostic::{Diagnostic, nearest};
use crate::record::{QueryRecord, Record, SCHEMA_VERSION, TickRecord};
use crate::report::explain::{self, Explained};
use crate::report::kubectl;
use crate::scenario::Inputs;
use crate::study::arithmetic::arithmetic;
use crate::study::flip::search;

use super::query::Moment;
use super::simulate::INPUTS;

/// Arguments of `explain`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Explain {
    /// The output directory of a run.
    pub run: PathBuf,
    /// The moment that is meant: the last tick up to it that made checks counts. The run's end without it.
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    pub at: Option<Moment>,
    /// Only the checks of this metric, and what would flip them also where they passed.
    #[arg(long, value_name = "METRIC", conflicts_with = "describe")]
    pub check: Option<String>,
    /// Do not search for what would have flipped a check: runs nothing.
    #[arg(long, conflicts_with = "describe")]
    pub no_flip: bool,
    /// Show the Canary as `kubectl get` and `kubectl describe` would at that moment, events as the API server holds them.
    #[arg(long)]
    pub describe: bool,
}

const EXAMPLES: &str = "\
Times count from the tick that detected the new revision: 1:30, 90 or 1m30s. Where a cluster shows a date, so does this.
Each failed check is explained with the nearest change of one thing (the bound, traffic, the window, the analysis interval,
the scrape interval, the release's failures) that flips it, found by running the scenario again.

Examples:
  rollcast explain output/chaos30 --at 1:00
  rollcast explain output/healthy --at 1:30 --check request-duration
  rollcast explain output/chaos30 --describe --at 1:30";

/// Runs the command.
pub fn run(args: &Explain, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let record = read(&args.run)?;
    let at = args.at.map_or(record.ended_at, |Moment(at)| at);
    if args.describe {
        write!(
            out,
            "{}\n{}",
            kubectl::get(&record, at),
            kubectl::describe(&record, at)
        )?;
        return Ok(ExitCode::SUCCESS);
    }
    let Some(tick) = explain::tick(&record, at) else {
        out.write_all(explain::nothing(at).as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    };
    let queries = chosen(tick, args.check.as_deref())?;
    let inputs = match args.no_flip {
        true => None,
        false => inputs(&args.run)?,
    };
    if inputs.is_none() && !args.no_flip {
        writeln!(
            std::io::stderr(),
            "note: {} has no {INPUTS}, so nothing can be run again; simulate the run anew",
            args.run.display()
        )?;
    }
    let prometheus = record.scenario["prometheus"]["version"].as_str();
    let explained = queries.into_iter().map(|query| Explained {
        query,
        steps: arithmetic(query, prometheus.unwrap_or_default()),
        search: inputs
            .as_ref()
            .filter(|_| !query.passed || args.check.is_some())
            .map(|inputs| search(inputs, &record, tick.at, query)),
    });
    let explained: Vec<Explained<'_>> = explained.collect();
    out.write_all(explain::explain(&record, tick, &explained).as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// The checks of a tick that are wanted.
fn chosen<'a>(
    tick: &'a TickRecord,
    metric: Option<&str>,
) -> Result<Vec<&'a QueryRecord>, Diagnostic> {
    let Some(metric) = metric else {
        return Ok(tick.queries.iter().collect());
    };
    let of = tick.queries.iter().filter(|query| query.metric == metric);
    let found: Vec<&QueryRecord> = of.collect();
    if found.is_empty() {
        let names: Vec<String> = tick.queries.iter().map(|q| q.metric.clone()).collect();
        return Err(Diagnostic::new(format!(
            "the tick at {} made no check `{}`",
            tick.at.clock(),
            metric.escape_debug()
        ))
        .help(format!("it made {}", nearest::listed(&names))));
    }
    Ok(found)
}

/// What the run was made of; `None` where it did not leave that.
fn inputs(directory: &Path) -> Result<Option<Inputs>, Diagnostic> {
    let file = directory.join(INPUTS);
    let Ok(text) = fs::read_to_string(&file) else {
        return Ok(None);
    };
    serde_json::from_str(&text).map(Some).map_err(|error| {
        Diagnostic::new(format!("cannot read {}: {error}", file.display()))
            .help("simulate the run again")
    })
}

/// The record in a run's output directory.
fn read(directory: &Path) -> Result<Record, Diagnostic> {
    let file = directory.join("run.json");
    let cannot = |error: &dyn std::fmt::Display| {
        Diagnostic::new(format!("cannot read {}: {error}", file.display()))
    };
    let text = fs::read_to_string(&file).map_err(|error| {
        let compared = ["flagger", "runbook"]
            .iter()
            .any(|rules| directory.join(rules).join("run.json").exists());
        cannot(&error).help(if compared {
            "the run was made with --compare-rules: name its directory flagger/ or runbook/"
        } else {
            "name the output directory of a `rollcast simulate`"
        })
    })?;
    Record::from_json(&text).map_err(|error| {
        cannot(&error).help(format!(
            "this rollcast reads records of schema version {SCHEMA_VERSION}; simulate the run again"
        ))
    })
}
