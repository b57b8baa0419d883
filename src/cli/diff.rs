//! `rollcast diff`: what a change of manifests or scenarios makes of rollouts, on the same traffic.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, ValueEnum};

use crate::diagnostic::Diagnostic;
use crate::report::diff::{Compared, Report, markdown, text};
use crate::report::text::Palette;
use crate::scenario::{self, Scenario};
use crate::study::difference;
use crate::study::monte_carlo::{Batch, Threads};

use super::manifests::{Given, WishArgs};
use super::revision::{Side, side};
use super::{interrupt, scenario_files};

/// Arguments of `diff`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Diff {
    /// Before: a scenario, a folder of scenarios, manifests (a file or a folder), or REV:PATH of a git revision.
    pub old: String,
    /// After: the same of another.
    pub new: String,
    /// What else is wanted where manifests are given.
    #[command(flatten)]
    pub wishes: WishArgs,
    /// How many runs of each scenario on each side.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(2..=100_000))]
    pub runs: u64,
    /// Seed of the first run on both sides; that of the earlier scenario without it.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub seed: Option<u64>,
    /// What to print.
    #[arg(long, value_enum, default_value_t)]
    pub format: DiffFormat,
    /// Threads; without it one a core. They change nothing but the time it takes.
    #[arg(long, value_name = "N", value_parser = super::predict::threads)]
    pub threads: Option<usize>,
}

/// How differences are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum DiffFormat {
    /// For a terminal.
    #[default]
    Text,
    /// For a comment on a pull request.
    Markdown,
}

const EXAMPLES: &str = "\
Examples:
  rollcast diff origin/main:scenarios scenarios
  rollcast diff main:k8s k8s --push fail-rate=0.3 --rate 200/s
  rollcast diff scenarios/chaos30.toml scenarios/chaos30-shared.toml --runs 1000
  rollcast diff v1.2:scenarios v1.3:scenarios --format markdown > comment.md

Exits with 0 whatever differs, with 2 when a side cannot be run.";

/// Runs the command.
pub fn run(args: &Diff, palette: Palette, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let sides = [side(&args.old)?, side(&args.new)?];
    let [before, after] = [scenarios(&sides[0], args)?, scenarios(&sides[1], args)?];
    let pairs = pairs(before, after);
    if pairs.both.is_empty() {
        return Err(Diagnostic::new("the two sides have no scenario in common")
            .help("scenarios are matched by their paths below the folders given; a single one on each side is matched as it is")
            .into());
    }
    let threads = Threads::start(args.threads)?;
    let batch = Batch {
        threads: &threads,
        stop: interrupt::flag(),
        done: &|| {},
    };
    let mut compared = Vec::new();
    for (name, mut before, after) in pairs.both {
        before.run.seed = args.seed.unwrap_or(before.run.seed);
        let title = after.title.clone();
        let (before, after) = (Arc::new(before), Arc::new(after));
        let pair = difference::pair(&before, &after, args.runs, &batch)
            .ok_or_else(|| Diagnostic::new("ended early: nothing was compared"))?;
        compared.push(Compared { name, title, pair });
    }
    let report = Report {
        old: sides[0].shown.clone(),
        new: sides[1].shown.clone(),
        runs: args.runs,
        scenarios: compared,
        added: pairs.added,
        removed: pairs.removed,
    };
    let printed = match args.format {
        DiffFormat::Text => text::render(&report, palette),
        DiffFormat::Markdown => markdown::render(&report),
    };
    out.write_all(printed.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// The scenarios of a side by their names.
fn scenarios(side: &Side, args: &Diff) -> Result<BTreeMap<String, Scenario>, Diagnostic> {
    let path = &side.path;
    let is_scenario = |path: &Path| path.extension().is_some_and(|e| e == "toml");
    let files = if path.is_dir() {
        scenario_files::below(path).unwrap_or_default()
    } else if is_scenario(path) {
        vec![path.clone()]
    } else {
        Vec::new()
    };
    if files.is_empty() {
        let found = scenario::manifests(std::slice::from_ref(path), &mut std::io::empty())?;
        let scenario = Given::new(found, &args.wishes.wishes())?.scenario(&[])?;
        return Ok(BTreeMap::from([(scenario.name.clone(), scenario)]));
    }
    let folder: PathBuf = match path.is_dir() {
        true => path.clone(),
        false => path.parent().unwrap_or(Path::new("")).to_owned(),
    };
    files
        .iter()
        .map(|file| {
            let name = scenario_files::name_in(&folder, file);
            Ok((name, scenario::load(file, &[])?))
        })
        .collect()
}

/// Scenarios of both sides, and the names of those that have no counterpart.
struct Pairs {
    both: Vec<(String, Scenario, Scenario)>,
    added: Vec<String>,
    removed: Vec<String>,
}

fn pairs(mut before: BTreeMap<String, Scenario>, mut after: BTreeMap<String, Scenario>) -> Pairs {
    if before.len() == 1
        && after.len() == 1
        && let (Some((old, first)), Some((new, second))) = (before.pop_first(), after.pop_first())
    {
        let name = if old == new {
            new
        } else {
            format!("{old} → {new}")
        };
        return Pairs {
            both: vec![(name, first, second)],
            added: Vec::new(),
            removed: Vec::new(),
        };
    }
    let names: BTreeSet<String> = before.keys().chain(after.keys()).cloned().collect();
    let mut pairs = Pairs {
        both: Vec::new(),
        added: Vec::new(),
        removed: Vec::new(),
    };
    for name in names {
        match (before.remove(&name), after.remove(&name)) {
            (Some(first), Some(second)) => pairs.both.push((name, first, second)),
            (None, Some(_)) => pairs.added.push(name),
            (Some(_), None) => pairs.removed.push(name),
            (None, None) => {}
        }
    }
    pairs
}
