//! `rollcast check`: scenarios held against what they expect, and against what they came to when a baseline was recorded.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use clap::Args;

use crate::diagnostic::Diagnostic;
use crate::report::check::{
    BaselineUse, Checked, Found, Position, Ran, Report, github, junit, markdown, text,
};
use crate::report::files::File;
use crate::report::text::Palette;
use crate::report::write;
use crate::scenario::configuration::place_of;
use crate::scenario::{self, Scenario};
use crate::study::baseline::{Baseline, Recorded};
use crate::study::check::{self, Examined};
use crate::study::monte_carlo::{Batch, Threads};
use crate::study::shift;

use super::{interrupt, scenario_files};

/// Arguments of `check`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Check {
    /// Scenarios: TOML files, and folders with all the scenarios below them.
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// The recorded runs to compare with; without it baseline.json in the folder given, or above the file given.
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
    /// Record these runs as the baseline instead of comparing with it.
    #[arg(long)]
    pub update_baseline: bool,
    /// Write a JUnit report.
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Annotate the lines of a pull request on GitHub, and add to the step's summary.
    #[arg(long)]
    pub github: bool,
    /// Show what differs from the baseline of scenarios that passed, too.
    #[arg(long)]
    pub diff: bool,
    /// How many runs of each scenario; more where one expects something of more.
    #[arg(long, value_name = "N", default_value_t = RUNS, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub runs: u64,
    /// Seed of each scenario's first run; the scenario's own without it, as it was for the baseline.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub seed: Option<u64>,
    /// Threads; without it one a core. They change nothing but the time it takes.
    #[arg(long, value_name = "N", value_parser = super::predict::threads)]
    pub threads: Option<usize>,
}

/// Enough that a shift of a fifth of the runs is told among a hundred scenarios, and few enough for a pull request.
const RUNS: u64 = 60;

/// The baseline's name in its folder.
const BASELINE: &str = "baseline.json";

const EXAMPLES: &str = "\
Examples:
  rollcast check scenarios/
  rollcast check scenarios/ --update-baseline
  rollcast check scenarios/ --junit report.xml --github
  rollcast check scenarios/healthy.toml --diff

Exits with 0 when all held, with 1 when an expectation failed or a scenario differs from the baseline, with 2 when one
could not be run.";

/// A scenario's file, and the name it goes by in the baseline.
struct Entry {
    name: String,
    file: PathBuf,
}

/// Runs the command.
pub fn run(args: &Check, palette: Palette, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let mut entries: BTreeMap<String, Entry> = BTreeMap::new();
    let mut whole_folder = false;
    let mut path = args.baseline.clone();
    for given in &args.paths {
        let folder = folder_of(given);
        path = path.or_else(|| Some(folder.join(BASELINE)));
        whole_folder |= given.is_dir();
        for file in scenario_files::below(given)? {
            let name = scenario_files::name_in(&folder, &file);
            if let Some(other) = entries.get(&name)
                && other.file != file
            {
                return Err(Diagnostic::new(format!(
                    "`{}` and `{}` are both `{name}` in a baseline",
                    other.file.display(),
                    file.display()
                ))
                .help("check the two folders one after the other")
                .into());
            }
            entries.insert(name.clone(), Entry { name, file });
        }
    }
    let path = path.unwrap_or_else(|| PathBuf::from(BASELINE));
    let recorded = read_baseline(&path, args)?;
    let batch_stop = interrupt::flag();
    let threads = Threads::start(args.threads)?;
    let batch = Batch {
        threads: &threads,
        stop: batch_stop,
        done: &|| {},
    };
    let mut examined = Vec::new();
    for entry in entries.values() {
        let start = Instant::now();
        let found = match load(entry, args) {
            Ok(scenario) => match check::examine(&scenario, args.runs, &batch) {
                Some(examined) => Ok(examined),
                None => return Err(Diagnostic::new("ended early: nothing was checked").into()),
            },
            Err(diagnostic) => Err(diagnostic),
        };
        examined.push((entry, found, start.elapsed().as_secs_f64()));
    }
    let broken = examined.iter().any(|(_, found, _)| found.is_err());
    let gone = match (&recorded, whole_folder) {
        (Some(recorded), true) => {
            let names = recorded.scenarios.keys();
            names
                .filter(|name| !entries.contains_key(*name))
                .cloned()
                .collect()
        }
        _ => Vec::new(),
    };
    let baseline_use = match &recorded {
        _ if args.update_baseline && !broken => {
            let made = examined.iter().filter_map(|(entry, found, _)| {
                found
                    .as_ref()
                    .ok()
                    .map(|examined| (entry.name.clone(), record(examined)))
            });
            let mut baseline = recorded.clone().unwrap_or_default();
            baseline.rollcast_version = env!("CARGO_PKG_VERSION").to_owned();
            baseline.scenarios.retain(|name, _| !gone.contains(name));
            baseline.scenarios.extend(made);
            write_file(&path, baseline.to_json()?.into_bytes())?;
            BaselineUse::Updated(path.display().to_string())
        }
        Some(recorded) => BaselineUse::Compared(
            path.display().to_string(),
            recorded.rollcast_version.clone(),
        ),
        None => BaselineUse::Missing(path.display().to_string()),
    };
    let compared_with = recorded.filter(|_| !args.update_baseline);
    let paths: Vec<String> = args
        .paths
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    let mut report = Report {
        paths: paths.join(" "),
        scenarios: examined
            .into_iter()
            .map(|(entry, found, seconds)| Checked {
                name: entry.name.clone(),
                file: entry.file.display().to_string(),
                seconds,
                found: match found {
                    Ok(examined) => {
                        let baseline = compared_with.as_ref();
                        let before = baseline.and_then(|b| b.scenarios.get(&entry.name));
                        Found::Ran(Box::new(ran(&examined, before)))
                    }
                    Err(diagnostic) => Found::Broken(diagnostic),
                },
            })
            .collect(),
        baseline: baseline_use,
        gone: if args.update_baseline {
            Vec::new()
        } else {
            gone
        },
        show_differences: args.diff,
    };
    correct(&mut report);
    write_reports(args, &report, out)?;
    out.write_all(text::render(&report, palette).as_bytes())?;
    let [_, failed, broken] = report.counts();
    Ok(match (failed, broken) {
        (0, 0) => ExitCode::SUCCESS,
        (_, 0) => ExitCode::from(1),
        _ => ExitCode::from(2),
    })
}

fn load(entry: &Entry, args: &Check) -> Result<Arc<Scenario>, Diagnostic> {
    let mut scenario = scenario::load(&entry.file, &[])?;
    scenario.run.seed = args.seed.unwrap_or(scenario.run.seed);
    Ok(Arc::new(scenario))
}

/// The folder that names count from: the one given, or for a file the nearest above it that has a baseline, else its own.
fn folder_of(given: &Path) -> PathBuf {
    if given.is_dir() {
        return given.to_owned();
    }
    let own = given.parent().unwrap_or(Path::new(""));
    let mut above = own.ancestors();
    let nearest = above.find(|folder| folder.join(BASELINE).is_file());
    nearest.unwrap_or(own).to_owned()
}

/// The baseline, where there is one. One that was asked for by name must be there, unless it is about to be recorded.
fn read_baseline(path: &Path, args: &Check) -> Result<Option<Baseline>, Diagnostic> {
    let refuse = |why: String| {
        Diagnostic::new(format!(
            "the baseline `{}` cannot be read: {why}",
            path.display()
        ))
    };
    match std::fs::read_to_string(path) {
        Ok(text) => match Baseline::from_json(&text) {
            Ok(baseline) => Ok(Some(baseline)),
            Err(error) => Err(refuse(error.to_string())
                .help("delete it and record a new one with --update-baseline")),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            if args.baseline.is_some() && !args.update_baseline {
                return Err(refuse("there is no such file".to_owned())
                    .help("record it with --update-baseline, or leave --baseline out"));
            }
            Ok(None)
        }
        Err(error) => Err(refuse(error.to_string())),
    }
}

fn record(examined: &Examined) -> Recorded {
    Recorded {
        configuration: examined.configuration.clone(),
        sample: examined.sample.clone(),
        story: examined.story.clone(),
    }
}

/// What a scenario came to, with the places of what its author may want to look at.
fn ran(examined: &Examined, before: Option<&Recorded>) -> Ran {
    let scenario = &examined.scenario;
    let compared = before.map(|before| check::compare(examined, before));
    let changes = compared.iter().flat_map(|compared| &compared.changes);
    let change_places = changes
        .map(|change| {
            let place = place_of(scenario, &change.part, &change.path)?;
            Some(Position::of(&place))
        })
        .collect();
    let expectations = examined.expectations.iter().map(|result| {
        let pointer = match &result.element {
            Some(element) => format!("/expect/{}/{element}", result.key),
            None => format!("/expect/{}", result.key),
        };
        (
            result.clone(),
            Position::of(&scenario.text.place_of(&pointer)),
        )
    });
    Ran {
        expectations: expectations.collect(),
        story: examined.story.clone(),
        deciding: examined.deciding.clone(),
        sample: examined.sample.clone(),
        change_places,
        compared,
    }
}

/// Corrects the probabilities of all comparisons together.
fn correct(report: &mut Report) {
    let ran = report
        .scenarios
        .iter_mut()
        .filter_map(|checked| match &mut checked.found {
            Found::Ran(ran) => ran.compared.as_mut(),
            Found::Broken(_) => None,
        });
    shift::correct(ran.flat_map(|compared| &mut compared.shifts));
}

/// The reports that are no text for the terminal.
fn write_reports(args: &Check, report: &Report, out: &mut impl Write) -> anyhow::Result<()> {
    if let Some(path) = &args.junit {
        let made = junit::render(report, &now());
        write_file(path, made.into_bytes())?;
    }
    if args.github {
        out.write_all(github::annotations(report).as_bytes())?;
        let summary = markdown::render(report);
        match std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty()) {
            Some(path) => append(Path::new(&path), &summary)?,
            None => out.write_all(summary.as_bytes())?,
        }
    }
    Ok(())
}

/// Adds to a file that other steps write to as well.
fn append(path: &Path, text: &str) -> Result<(), Diagnostic> {
    let file = std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(path);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| {
        Diagnostic::new(format!(
            "the step summary `{}` cannot be written: {error}",
            path.display()
        ))
    })
}

fn write_file(path: &Path, bytes: Vec<u8>) -> Result<(), Diagnostic> {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
        return Err(Diagnostic::new(format!(
            "`{}` cannot be a file",
            path.display()
        )));
    };
    let directory = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let file = File {
        path: name.to_owned(),
        bytes,
    };
    write::write(directory, &[file])
}

/// The present moment in UTC, as `2026-01-31T12:00:00`.
fn now() -> String {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    utc(since.map_or(0, |since| since.as_secs()))
}

/// A moment as seconds since 1970, in the Gregorian calendar (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms",
/// `civil_from_days`).
fn utc(seconds: u64) -> String {
    let days = seconds / 86_400 + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let date = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{date:02}T{hour:02}:{minute:02}:{second:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_date_and_a_time() {
        for (seconds, shown) in [
            (0, "1970-01-01T00:00:00"),
            (951_826_154, "2000-02-29T12:09:14"),
            (1_709_251_199, "2024-02-29T23:59:59"),
            (4_102_444_800, "2100-01-01T00:00:00"),
        ] {
            assert_eq!(utc(seconds), shown);
        }
    }
}
