//! `rollcast verify`: recorded truth held against ours. Prints every difference found, then what was compared.
//!
//! Exits with 0 when nothing differs, 1 when something does, 2 when a recording cannot be read.

use std::fmt::Display;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand, ValueEnum};

use crate::promql::Version;
use crate::verify::{deployments, hpa, promql, recording, traces};

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
    Promql(Scripts),
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
}

/// The scripts to run.
#[derive(Debug, Args)]
pub struct Scripts {
    /// Which cases are in scope; without it all are.
    #[arg(long, value_name = "SCOPE.json")]
    pub scope: Option<PathBuf>,
    /// Whose rules apply.
    #[arg(long, value_enum, default_value = "3")]
    pub prometheus_version: PrometheusVersion,
    /// promqltest scripts.
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
}

/// A version of Prometheus, as scenarios spell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PrometheusVersion {
    /// 2.42.
    #[value(name = "2.42")]
    V2_42,
    /// 2.53.
    #[value(name = "2.53")]
    V2_53,
    /// 3.x.
    #[value(name = "3")]
    V3,
}

impl From<PrometheusVersion> for Version {
    fn from(version: PrometheusVersion) -> Self {
        match version {
            PrometheusVersion::V2_42 => Version::V2_42,
            PrometheusVersion::V2_53 => Version::V2_53,
            PrometheusVersion::V3 => Version::V3,
        }
    }
}

/// Runs the command. The last line says what was compared.
pub fn run(args: &Verify, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    match &args.part {
        Part::Traces(recordings) => {
            let mut all = traces::Tally::default();
            for file in &recordings.files {
                all.add(traces::replay_file(file)?);
            }
            tell(&all.mismatches, &all, out)
        }
        Part::Hpa(recordings) => {
            let mut all = recording::Tally::default();
            for file in &recordings.files {
                all.add(hpa::verify_file(file)?);
            }
            tell(&all.mismatches, &all, out)
        }
        Part::Deployments(recordings) => {
            let mut all = recording::Tally::default();
            for file in &recordings.files {
                all.add(deployments::verify_file(file)?);
            }
            tell(&all.mismatches, &all, out)
        }
        Part::Promql(scripts) => {
            let scope = scripts.scope.as_deref().map(scope).transpose()?;
            let report = promql::run_files(
                &scripts.files,
                scope.as_ref(),
                scripts.prometheus_version.into(),
            )?;
            tell(&report.failures, &report, out)
        }
    }
}

fn scope(file: &Path) -> anyhow::Result<promql::Scope> {
    let text =
        fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    promql::Scope::from_json(&text)
        .with_context(|| format!("{} is not a scope file", file.display()))
}

fn tell<M: Display>(
    differences: &[M],
    summary: &impl Display,
    out: &mut impl Write,
) -> anyhow::Result<ExitCode> {
    for difference in differences {
        writeln!(out, "{difference}")?;
    }
    writeln!(out, "{summary}")?;
    Ok(if differences.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
