//! `rollcast merge`: the parts of a study that were made apart, as one forecast.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::diagnostic::Diagnostic;
use crate::report::text::Palette;
use crate::study::shard::{MergeError, Shard, merge};

use super::shared::OutArgs;
use super::{Format, predict};

/// Arguments of `merge`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Merge {
    /// The files that `rollcast predict --shard` wrote, in any order.
    #[arg(required = true)]
    pub parts: Vec<PathBuf>,
    /// What to print.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Where the files go.
    #[command(flatten)]
    pub output: OutArgs,
}

const EXAMPLES: &str = "\
Examples:
  rollcast merge part-*/shard-*.json
  rollcast merge shard-0-of-2.json shard-1-of-2.json --format json

The result is what `rollcast predict` without --shard would have given, byte for byte.";

/// Runs the command.
pub fn run(args: &Merge, palette: Palette, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let shards: Vec<Shard> = args.parts.iter().map(read).collect::<Result<_, _>>()?;
    let forecast = merge(shards).map_err(|error| refused(args, &error))?;
    let directory = args.output.directory(&forecast.subject.scenario);
    predict::print(&forecast, directory.as_deref(), args.format, palette, out)?;
    Ok(ExitCode::SUCCESS)
}

fn read(path: &PathBuf) -> Result<Shard, Diagnostic> {
    let text = fs::read_to_string(path).map_err(|error| {
        Diagnostic::new(format!("`{}` cannot be read: {error}", path.display()))
    })?;
    serde_json::from_str(&text).map_err(|error| {
        Diagnostic::new(format!(
            "`{}` is no part of a study: {error}",
            path.display()
        ))
        .help("name files that `rollcast predict --shard` wrote")
    })
}

fn refused(args: &Merge, error: &MergeError) -> Diagnostic {
    let (at, help) = match error {
        MergeError::Nothing => (None, "name the files that `rollcast predict --shard` wrote"),
        MergeError::Version { at, .. } => (Some(*at), "make all parts with the same rollcast"),
        MergeError::Foreign { at, .. } => (
            Some(*at),
            "merge parts of one `predict`: same scenario, seed, --runs, --set and --slo",
        ),
        MergeError::Twice { at, .. } => (Some(*at), "name each part once"),
        MergeError::Short { at, .. } => (Some(*at), "make that part again"),
        MergeError::Missing { .. } => (None, "make what is missing with --shard I/N"),
    };
    let message = match at {
        Some(at) => format!("`{}`: {error}", args.parts[at].display()),
        None => error.to_string(),
    };
    Diagnostic::new(message).help(help)
}
