//! The command line: one file a subcommand, each parsing its arguments, running, and printing what a report says.
//!
//! Exit codes: 0 when all held, 1 when an expectation failed, 2 when it could not run (bad usage included).

pub mod check;
pub mod diff;
pub mod explain;
pub mod import;
mod interrupt;
pub mod lint;
pub mod manifests;
pub mod merge;
pub mod power;
pub mod predict;
pub mod query;
pub mod replay;
mod revision;
mod scenario_files;
mod schema;
mod series;
pub mod shared;
pub mod simulate;
mod source;
pub mod tune;
pub mod verify;

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

use crate::canary::{Provider, Rules};
use crate::diagnostic::Diagnostic;
use crate::report::text::Palette;

/// Forecasts canary rollouts: says when a release would be promoted or rolled back, and what users would suffer meanwhile.
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLES, max_term_width = 100)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Simulate one rollout and tell its story.
    Simulate(simulate::Simulate),
    /// Run a scenario many times and say how sure each outcome is.
    Predict(predict::Predict),
    /// Join the parts of a prediction that were made apart.
    Merge(merge::Merge),
    /// Hold scenarios against what they expect and against a recorded baseline.
    Check(check::Check),
    /// Say what a change of scenarios or manifests makes of rollouts.
    Diff(diff::Diff),
    /// Find settings of a Canary that would do better.
    Tune(tune::Tune),
    /// Say which failure rates an analysis can see, and where false rollbacks start.
    Power(power::PowerArgs),
    /// Write a scenario down from manifests.
    Import(import::Import),
    /// Say what is wrong with Canaries before a rollout meets them.
    Lint(lint::Lint),
    /// Show what one tick of a run asked, saw and concluded, or the Canary as kubectl would describe it.
    Explain(explain::Explain),
    /// Say what a query would have answered.
    Query(query::Query),
    /// Run the engine over recorded series: what it decided tick by tick, or would have decided.
    Replay(replay::Replay),
    /// Print the JSON Schema of scenario files.
    Schema,
    /// Hold recorded truth (Flagger's, Kubernetes', Prometheus') against ours.
    Verify(verify::Verify),
}

/// How a result is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs: the summary of schema/summary.schema.json.
    Json,
}

/// How thresholds are read, as the command line spells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RulesArg {
    /// Flagger v1.44's own.
    Flagger,
    /// The load-harness runbook's reading: one failed check rolls back at once.
    Runbook,
}

/// A provider, as the command line spells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ProviderArg {
    /// ingress-nginx.
    Nginx,
    /// No routing.
    Kubernetes,
    /// HTTPRoutes.
    #[value(name = "gatewayapi:v1")]
    GatewayApiV1,
    /// Weights by replica counts.
    PodScaling,
}

impl From<ProviderArg> for Provider {
    fn from(provider: ProviderArg) -> Self {
        match provider {
            ProviderArg::Nginx => Provider::Nginx,
            ProviderArg::Kubernetes => Provider::Kubernetes,
            ProviderArg::GatewayApiV1 => Provider::GatewayApiV1,
            ProviderArg::PodScaling => Provider::PodScaling,
        }
    }
}

impl From<RulesArg> for Rules {
    fn from(rules: RulesArg) -> Self {
        match rules {
            RulesArg::Flagger => Rules::Flagger,
            RulesArg::Runbook => Rules::Runbook,
        }
    }
}

const EXAMPLES: &str = "\
Examples:
  rollcast simulate scenarios/chaos30.toml
  rollcast predict scenarios/chaos30.toml --runs 10000
  rollcast check scenarios/
  rollcast tune scenarios/chaos30.toml --space spaces/chaos30.toml
  rollcast query 'rate(nginx_ingress_controller_requests[1m])' --run output/chaos30 --at 1m";

/// Runs what was asked for, on the standard streams.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let mut out = io::stdout().lock();
    let palette = palette(out.is_terminal());
    let result = match args.command {
        Command::Simulate(args) => simulate::run(&args, simulate::rollout, palette, &mut out),
        Command::Predict(args) => predict::run(&args, palette, &mut out),
        Command::Merge(args) => merge::run(&args, palette, &mut out),
        Command::Check(args) => check::run(&args, palette, &mut out),
        Command::Diff(args) => diff::run(&args, palette, &mut out),
        Command::Tune(args) => tune::run(&args, palette, &mut out),
        Command::Power(args) => power::run(&args, palette, &mut out),
        Command::Import(args) => import::run(&args, &mut io::stdin(), &mut out),
        Command::Lint(args) => lint::run(&args, palette, &mut io::stdin(), &mut out),
        Command::Explain(args) => explain::run(&args, &mut out),
        Command::Query(args) => query::run(&args, &mut out),
        Command::Replay(args) => replay::run(&args, palette, &mut out),
        Command::Schema => schema::run(&mut out),
        Command::Verify(args) => verify::run(&args, &mut out),
    };
    let result = result.and_then(|code| {
        out.flush()?;
        Ok(code)
    });
    match result {
        // Whoever read has seen enough: `rollcast ... | head`.
        Err(error) if is_broken_pipe(&error) => Ok(ExitCode::SUCCESS),
        result => result,
    }
}

/// An error as it is shown: a diagnostic with its place, anything else with its causes.
pub fn message(error: &anyhow::Error) -> String {
    match error.downcast_ref::<Diagnostic>() {
        Some(diagnostic) => diagnostic.render(),
        None => format!("error: {error:#}"),
    }
}

/// Colours where a terminal shows them and nobody asked for none (no-color.org).
fn palette(terminal: bool) -> Palette {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
        || std::env::var_os("TERM").is_some_and(|value| value == "dumb");
    if terminal && !refused {
        Palette::Ansi
    } else {
        Palette::Plain
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
