//! `rollcast explain`: what one tick of a run asked, saw and concluded; with `--describe` the Canary as kubectl shows it.
//!
//! Reads `run.json` of a run's output directory and runs nothing. Exits with 0, with 2 where there is no run to read.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use crate::diagnostic::Diagnostic;
use crate::record::{Record, SCHEMA_VERSION};
use crate::report::{explain, kubectl};

use super::query::Moment;

/// Arguments of `explain`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Explain {
    /// The output directory of a run.
    pub run: PathBuf,
    /// The moment that is meant: the last tick up to it counts. The run's end without it.
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    pub at: Option<Moment>,
    /// Show the Canary as `kubectl get` and `kubectl describe` would at that moment, events as the API server holds them.
    #[arg(long)]
    pub describe: bool,
}

const EXAMPLES: &str = "\
Times count from the tick that detected the new revision: 1:30, 90 or 1m30s. Where a cluster shows a date, so does this.

Examples:
  rollcast explain output/chaos30 --at 1:00
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
    } else {
        out.write_all(explain::explain(&record, at).as_bytes())?;
    }
    Ok(ExitCode::SUCCESS)
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
