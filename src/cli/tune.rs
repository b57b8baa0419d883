//! `rollcast tune`: which settings of a Canary would do better.

use std::fs;
use std::io::{IsTerminal, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context;
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::diagnostic::{Diagnostic, SourceText};
use crate::report::text::Palette;
use crate::report::{tune as shown, write};
use crate::scenario::{self, Override, Scenario};
use crate::sim::Compiled;
use crate::study::monte_carlo::Threads;
use crate::study::tune::design;
use crate::study::tune::patch::{Patch, patch};
use crate::study::tune::score::Trials;
use crate::study::tune::search::{Bench, Found, Question, Stage, search};
use crate::study::tune::space::{self, Assigned, Method, Release, Space, told_in_space};
use crate::study::tune::trial::{Arm, Crew};
use crate::study::tune::{KnobValues, ReleaseTried, TUNED_VERSION, Traffic, Tuned};

use super::predict::threads;
use super::shared::{ChangeArgs, OutArgs, counted, overrides, read_patches};
use super::{Format, interrupt};

/// Arguments of `tune`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Tune {
    /// The scenario's TOML file.
    pub scenario: PathBuf,
    /// What is varied, on which releases, and what is to be achieved: a TOML file. What it sets comes after --set.
    #[arg(long, value_name = "SPACE.toml")]
    pub space: PathBuf,
    /// Say why a candidate is recommended, or is not; number 0 is the scenario as it stands. Reads the search's files where
    /// they are there.
    #[arg(long, value_name = "CANDIDATE", conflicts_with_all = ["format", "no_out"])]
    pub explain: Option<usize>,
    /// What to print.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// How requests are simulated. They change what it costs, not what is modelled, where counts are valid.
    #[arg(long, value_enum, default_value_t)]
    pub traffic: TrafficArg,
    /// The two knobs of the heat map; the two that matter most without it.
    #[arg(long, value_name = "KNOB,KNOB", value_delimiter = ',', num_args = 2)]
    pub heat: Vec<String>,
    /// Threads; without it one a core. They change nothing but the time it takes.
    #[arg(long, value_name = "N", value_parser = threads)]
    pub threads: Option<usize>,
    /// Seed of the first run of every candidate and release, each other having the next one; the scenario's own without it.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub seed: Option<u64>,
    /// Where the files go.
    #[command(flatten)]
    pub output: OutArgs,
    /// What is laid over the scenario.
    #[command(flatten)]
    pub changes: ChangeArgs,
}

/// How requests are simulated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum TrafficArg {
    /// As counts between scrapes where that is valid, else one by one.
    #[default]
    Auto,
    /// As counts while candidates are dropped, the finalists one by one.
    Screening,
    /// One by one.
    Requests,
}

const EXAMPLES: &str = "\
Examples:
  rollcast tune scenarios/chaos30.toml --space spaces/chaos30.toml
  rollcast tune scenarios/chaos30.toml --space spaces/chaos30.toml --explain 17
  rollcast simulate scenarios/chaos30.toml --patch output/chaos30/recommendation.yaml

Exits with 0 when a candidate meets the targets, with 1 when none does, with 2 when it could not be found out.";

/// Name of the file that holds a search.
const FILE: &str = "tune.json";

/// Runs the command. Files are written before anything is printed.
pub fn run(args: &Tune, palette: Palette, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let source = scenario::toml(&args.space, "space")
        .map_err(|error| error.help("give a space file, such as spaces/chaos30.toml"))?;
    let space = space::read(&source)?;
    let heat = heat(args, &space)?;
    let sources = Sources::read(args)?;
    let directory = args.output.directory(&sources.scenario.name);
    let digest = digest(args, &sources.scenario, &source);
    let known = args
        .explain
        .and(directory.as_deref())
        .and_then(|directory| read(directory, &digest));
    let fresh = known.is_none();
    let tuned = match known {
        Some(tuned) => tuned,
        None => tune(args, &space, &sources, digest)?,
    };
    if let Some(number) = args.explain
        && number >= tuned.candidates.len()
    {
        return Err(Diagnostic::new(format!("there is no candidate {number}"))
            .help(format!(
                "they are numbered from 0, the scenario as it stands, to {}",
                tuned.candidates.len() - 1
            ))
            .into());
    }
    if let Some(directory) = directory.as_deref().filter(|_| fresh) {
        let files = shown::files(&tuned, heat).context("the search cannot be reported")?;
        write::write(directory, &files)?;
    }
    let text = match (args.explain, args.format) {
        (Some(number), _) => shown::explain::render(&tuned, number, palette),
        (None, Format::Json) => shown::json(&tuned)?,
        (None, Format::Text) => shown::text::render(&tuned, directory.as_deref(), palette),
    };
    out.write_all(text.as_bytes())?;
    Ok(if tuned.recommended.is_some() || tuned.targets.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    })
}

/// A search's result in a directory, if it is of the same question.
fn read(directory: &Path, digest: &str) -> Option<Tuned> {
    let text = fs::read_to_string(directory.join(FILE)).ok()?;
    let tuned: Tuned = serde_json::from_str(&text).ok()?;
    (tuned.tune_version == TUNED_VERSION && tuned.digest == digest).then_some(tuned)
}

fn heat(args: &Tune, space: &Space) -> Result<Option<(usize, usize)>, Diagnostic> {
    let [first, second] = args.heat.as_slice() else {
        return Ok(None);
    };
    let at = |name: &String| {
        space::knob(space, name)
            .map_err(|help| Diagnostic::new(format!("`--heat`: no knob `{name}`")).help(help))
    };
    let (first, second) = (at(first)?, at(second)?);
    if first == second {
        return Err(Diagnostic::new("`--heat` names one knob twice").help("name two"));
    }
    Ok(Some((first, second)))
}

fn digest(args: &Tune, scenario: &Scenario, space: &SourceText) -> String {
    let effective = serde_json::to_string(scenario).expect("a scenario has only text keys");
    let asked = format!("{effective}\n{}\n{:?}", space.text, args.traffic);
    let digest = Sha256::digest(asked.as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The scenario as it stands, and what others are made of.
struct Sources<'a> {
    args: &'a Tune,
    patches: Vec<Arc<SourceText>>,
    set: Vec<Override>,
    scenario: Scenario,
}

impl<'a> Sources<'a> {
    fn read(args: &'a Tune) -> Result<Sources<'a>, Diagnostic> {
        let patches = read_patches(&args.changes.patches)?;
        let set = overrides(&args.changes.set);
        let mut scenario = scenario::load_patched(&args.scenario, &patches, &set)?;
        scenario.run.seed = args.seed.unwrap_or(scenario.run.seed);
        Ok(Sources {
            args,
            patches,
            set,
            scenario,
        })
    }

    /// The scenario with more laid over it.
    fn scenario(&self, assigned: &[Assigned], aggregate: bool) -> Result<Scenario, Diagnostic> {
        let mut set = self.set.clone();
        set.extend(assigned.iter().map(Assigned::as_override));
        if aggregate {
            set.push(counted());
        }
        scenario::load_patched(&self.args.scenario, &self.patches, &set)
    }
}

fn tune(
    args: &Tune,
    space: &Space,
    sources: &Sources<'_>,
    digest: String,
) -> anyhow::Result<Tuned> {
    let threads = Threads::start(args.threads)?;
    let bar = bar();
    let mut levels = vec![Vec::new()];
    levels.extend(design::candidates(space));
    let field = Field {
        space,
        sources,
        threads: &threads,
        levels: &levels,
    };
    let traffic = field.traffic()?;
    let settings: Vec<_> = levels.iter().map(|levels| space.settings(levels)).collect();
    let kinds: Vec<_> = space.releases.iter().map(|release| release.kind).collect();
    let knobs: Vec<String> = space.knobs.iter().map(|knob| knob.name.clone()).collect();
    let first_seed = sources.scenario.run.seed;
    let question = Question {
        kinds: &kinds,
        targets: &space.targets,
        prefer: space.prefer,
        objective: space.objective,
        effort: space.effort,
        settings: &settings,
        levels: &levels,
        knobs: &knobs,
        one_stage: traffic.screening == traffic.finals,
        first_seed,
    };
    let mut runs = Runs {
        field: &field,
        aggregate: [&traffic.screening, &traffic.finals].map(|model| model == AGGREGATE),
        first_seed,
        stop: interrupt::flag(),
        bar: &bar,
        arms: (0..levels.len()).map(|_| None).collect(),
        built_for: Stage::Screening,
    };
    let found = search(&question, &mut runs)?;
    bar.finish_and_clear();
    let recommended = found.recommended.map(|one| {
        let assigned = space.assigned(&levels[one], &nothing());
        let scenario = sources.scenario(&assigned, false)?;
        patch(&scenario, &assigned)
    });
    let patch = recommended.transpose()?;
    told(args, space, sources, found, traffic, patch, digest)
}

/// A release that changes nothing.
fn nothing() -> Release {
    Release {
        name: String::new(),
        kind: crate::study::tune::Kind::Good,
        set: Vec::new(),
    }
}

const AGGREGATE: &str = "aggregate";
const REQUESTS: &str = "requests";

/// All candidates with all releases.
struct Field<'a> {
    space: &'a Space,
    sources: &'a Sources<'a>,
    threads: &'a Threads,
    levels: &'a [Vec<usize>],
}

impl Field<'_> {
    /// Loads everything once, so that a mistake is told before anything is run; says whether requests can be counted.
    fn traffic(&self) -> Result<Traffic, Diagnostic> {
        let pairs: Vec<(usize, &Release)> = (0..self.levels.len())
            .flat_map(|one| {
                self.space
                    .releases
                    .iter()
                    .map(move |release| (one, release))
            })
            .collect();
        let wanted = self.sources.args.traffic != TrafficArg::Requests;
        let check = |(one, release): &(usize, &Release)| {
            if wanted && self.scenario(*one, release, true).is_ok() {
                return Ok(None);
            }
            self.scenario(*one, release, false)?;
            let counted = wanted.then(|| self.scenario(*one, release, true));
            Ok(counted.and_then(Result::err).map(|error| error.message))
        };
        let found: Result<Vec<Option<String>>, Diagnostic> = self
            .threads
            .install(|| pairs.par_iter().map(check).collect());
        let reason = found?.into_iter().flatten().next();
        let model = |aggregate: bool| if aggregate { AGGREGATE } else { REQUESTS };
        let counts = wanted && reason.is_none();
        Ok(Traffic {
            screening: model(counts).to_owned(),
            finals: model(counts && self.sources.args.traffic == TrafficArg::Auto).to_owned(),
            reason,
        })
    }

    fn scenario(
        &self,
        candidate: usize,
        release: &Release,
        aggregate: bool,
    ) -> Result<Scenario, Diagnostic> {
        let assigned = self.space.assigned(&self.levels[candidate], release);
        self.sources
            .scenario(&assigned, aggregate)
            .map_err(|error| {
                let who = match candidate {
                    0 => format!("the scenario with the release `{}`", release.name),
                    _ => format!("candidate {candidate} with the release `{}`", release.name),
                };
                told_in_space(error, &assigned, &who, self.space)
            })
    }

    fn arms(&self, candidate: usize, aggregate: bool) -> Result<Vec<Arm>, Diagnostic> {
        let releases = self.space.releases.iter();
        releases
            .map(|release| {
                let scenario = self.scenario(candidate, release, aggregate)?;
                Ok(Arm::new(Compiled::new(Arc::new(scenario))))
            })
            .collect()
    }
}

/// The runs of a search.
struct Runs<'a> {
    field: &'a Field<'a>,
    /// Whether requests are counted in the screening, and in the finals.
    aggregate: [bool; 2],
    first_seed: u64,
    stop: &'a AtomicBool,
    bar: &'a ProgressBar,
    /// By candidate, those that are in use.
    arms: Vec<Option<Vec<Arm>>>,
    built_for: Stage,
}

impl Bench for Runs<'_> {
    type Error = anyhow::Error;

    fn trials(
        &mut self,
        stage: Stage,
        candidates: &[usize],
        indices: Range<u64>,
    ) -> anyhow::Result<Vec<Trials>> {
        let aggregate = self.aggregate[stage as usize];
        let rebuild = aggregate != self.aggregate[self.built_for as usize];
        self.built_for = stage;
        for (one, arms) in self.arms.iter_mut().enumerate() {
            // Number 0 waits for the finals.
            if rebuild || one > 0 && !candidates.contains(&one) {
                *arms = None;
            }
        }
        let missing: Vec<usize> = candidates
            .iter()
            .copied()
            .filter(|one| self.arms[*one].is_none())
            .collect();
        let field = self.field;
        let built: Result<Vec<Vec<Arm>>, Diagnostic> = field.threads.install(|| {
            let missing = missing.par_iter();
            missing.map(|one| field.arms(*one, aggregate)).collect()
        });
        for (one, arms) in missing.into_iter().zip(built?) {
            self.arms[one] = Some(arms);
        }
        self.bar.set_message(format!(
            "{} candidates to {} runs each",
            candidates.len(),
            indices.end - indices.start
        ));
        let arms: Vec<&Arm> = candidates
            .iter()
            .flat_map(|one| self.arms[*one].iter().flatten())
            .collect();
        let crew = Crew {
            threads: field.threads,
            stop: self.stop,
            done: &|runs| self.bar.inc(runs),
        };
        let runs = crew.run(&arms, self.first_seed, indices).ok_or_else(|| {
            Diagnostic::new("ended early: a search that is not done recommends nothing")
        })?;
        let releases = field.space.releases.len();
        Ok(runs.chunks(releases).map(<[_]>::to_vec).collect())
    }
}

fn told(
    args: &Tune,
    space: &Space,
    sources: &Sources<'_>,
    found: Found,
    traffic: Traffic,
    patch: Option<Patch>,
    digest: String,
) -> anyhow::Result<Tuned> {
    let canary = &sources.scenario.manifests.canary.metadata;
    let yaml = patch.as_ref().map(Patch::to_yaml).transpose();
    Ok(Tuned {
        tune_version: TUNED_VERSION,
        rollcast_version: env!("CARGO_PKG_VERSION").to_owned(),
        scenario: sources.scenario.name.clone(),
        canary: format!("{}.{}", canary.name, canary.namespace),
        digest,
        title: space.title.clone(),
        method: match space.method {
            Method::Grid => "grid".to_owned(),
            Method::LatinHypercube => format!("Latin hypercube, seed {}", space.seed),
        },
        combinations: space.combinations(),
        first_seed: sources.scenario.run.seed,
        traffic,
        base: (space.base.iter())
            .map(|set| format!("{}={}", set.key, set.shown))
            .collect(),
        knobs: space
            .knobs
            .iter()
            .map(|knob| KnobValues {
                name: knob.name.clone(),
                keys: knob.keys.clone(),
                values: knob
                    .values
                    .iter()
                    .map(|value| value.shown.clone())
                    .collect(),
            })
            .collect(),
        releases: space
            .releases
            .iter()
            .map(|release| ReleaseTried {
                name: release.name.clone(),
                kind: release.kind,
                set: (release.set.iter())
                    .map(|set| format!("{}={}", set.key, set.shown))
                    .collect(),
            })
            .collect(),
        targets: space.targets.clone(),
        prefer: space.prefer,
        objective: (
            1.0 - f64::from(space.objective.failures_per_million) / 1e6,
            space.objective.period.as_secs_f64(),
        ),
        rounds: found.rounds,
        candidates: found.candidates,
        front: found.front,
        recommended: found.recommended,
        confirmations: found.confirmations,
        sensitivity: found.sensitivity,
        patch: yaml.context("the patch cannot be written")?,
        besides: patch.map(|patch| patch.besides).unwrap_or_default(),
        command: command(args),
    })
}

/// What simulates the scenario as it stands.
fn command(args: &Tune) -> String {
    let mut command = format!("rollcast simulate {}", args.scenario.display());
    for patch in &args.changes.patches {
        command += &format!(" --patch {}", patch.display());
    }
    for set in &args.changes.set {
        command += &format!(" --set {}={}", set.key, set.value);
    }
    command
}

/// A count on the standard error where that is a terminal, else nothing: how many runs there will be depends on them.
fn bar() -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner();
    match ProgressStyle::with_template("{spinner} {pos} runs, {elapsed}, {msg}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
