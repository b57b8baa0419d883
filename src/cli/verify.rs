//! `rollcast verify`: recorded truth held against ours. Prints every difference found, then what was compared.
//!
//! Exits with 0 when nothing differs, 1 when something does, 2 when a recording cannot be read.

use std::fmt::Display;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::diagnostic::Diagnostic;

/// Arguments of `verify`.
#[derive(Debug, Args)]
pub struct Verify {
    /// What is held against its recording.
    #[command(subcommand)]
    pub part: Part,
}

/// What can be held against a recording.
#[derive(Debug, Subcommand)]
pub enum Part {
    /// The decision engine: traces of Flagger's own controller, tick by tick.
    Traces(Recordings),
    /// The query engine: Prometheus' own test scripts.
    Promql(Recordings),
    /// The HPA controller: vectors and traces.
    Hpa(Recordings),
    /// The Deployment controller: traces.
    Deployments(Recordings),
}

/// The recordings to replay.
#[derive(Debug, Args)]
pub struct Recordings {
    /// Files; gzipped ones are read as they are.
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// Differences to print; the rest is counted.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub show: usize,
}

/// What came of one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// What was compared, in a line: `812 traces, 9876 ticks, 0 mismatches`.
    pub summary: String,
    /// Each difference, as it is shown.
    pub mismatches: Vec<String>,
}

impl Replayed {
    /// What a tally and its mismatches say of themselves.
    pub fn new<M: Display>(tally: &impl Display, mismatches: &[M]) -> Self {
        Replayed {
            summary: tally.to_string(),
            mismatches: mismatches.iter().map(M::to_string).collect(),
        }
    }
}

/// Replays every file with `replay`.
pub fn run(
    recordings: &Recordings,
    replay: impl Fn(&Path) -> Result<Replayed, Diagnostic>,
    out: &mut impl Write,
) -> anyhow::Result<ExitCode> {
    let mut differ = 0;
    for file in &recordings.files {
        let replayed = replay(file)?;
        let room = recordings.show.saturating_sub(differ);
        for mismatch in replayed.mismatches.iter().take(room) {
            writeln!(out, "{mismatch}")?;
        }
        differ += replayed.mismatches.len();
        writeln!(out, "{}: {}", file.display(), replayed.summary)?;
    }
    let hidden = differ.saturating_sub(recordings.show);
    if hidden > 0 {
        writeln!(out, "{hidden} more differences: --show {differ} prints all")?;
    }
    Ok(if differ == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
