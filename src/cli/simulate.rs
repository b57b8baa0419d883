//! `rollcast simulate`: one run of a scenario, or of manifests alone; its story on the terminal, its files in an output directory.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;

use crate::canary::{Provider, Rules};
use crate::diagnostic::Diagnostic;
use crate::record::Record;
use crate::report::files::{self, File};
use crate::report::text::{self, Palette};
use crate::report::{json, providers, write};
use crate::scenario::{self, Expect, Inputs, LeftOut, Scenario};
use crate::sim;
use crate::study::expectation::{ExpectationResult, evaluate};
use crate::tsdb::Storage;

use super::manifests::{Given, ManifestArgs};
use super::shared::{Assignment, ChangeArgs, OutArgs, overrides, read_patches};
use super::{Format, ProviderArg, RulesArg, series};

/// Arguments of `simulate`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Simulate {
    /// The scenario's TOML file.
    #[arg(required_unless_present = "files", conflicts_with = "files")]
    pub scenario: Option<PathBuf>,
    /// Manifests instead of a scenario.
    #[command(flatten)]
    pub manifests: ManifestArgs,
    /// What to print.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Seed of the run; the scenario's own without it.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub seed: Option<u64>,
    /// Where the files go.
    #[command(flatten)]
    pub output: OutArgs,
    /// Write series.om too: everything the run's Prometheus scraped, as OpenMetrics, for `rollcast query` and promtool.
    #[arg(long, conflicts_with = "no_out")]
    pub series: bool,
    /// How thresholds are read; as the scenario says without it.
    #[arg(long, value_enum)]
    pub rules: Option<RulesArg>,
    /// Run under both readings of the thresholds, same world and seed, and show them side by side.
    #[arg(long, conflicts_with = "rules")]
    pub compare_rules: bool,
    /// Run under another provider as well, same world and seed, and show both side by side. What the other needs and the
    /// scenario does not say is assumed, and printed.
    #[arg(
        long,
        value_enum,
        value_name = "PROVIDER",
        conflicts_with = "compare_rules"
    )]
    pub compare_provider: Option<ProviderArg>,
    /// What is laid over the scenario.
    #[command(flatten)]
    pub changes: ChangeArgs,
}

const EXAMPLES: &str = "\
Examples:
  rollcast simulate scenarios/chaos30.toml
  rollcast simulate -f k8s/ --push fail-rate=0.3 --rate 200/s
  helm template my-chart | rollcast simulate -f -
  rollcast simulate scenarios/chaos30.toml --format json --seed 7 --no-out
  rollcast simulate scenarios/chaos30.toml --compare-rules
  rollcast simulate scenarios/chaos30.toml --compare-provider gatewayapi:v1
  rollcast simulate scenarios/chaos30.toml --series
  rollcast simulate scenarios/chaos30.toml --patch output/chaos30/recommendation.yaml
  rollcast simulate scenarios/healthy.toml --set traffic.rate=50/s --set versions.v2.env.FAIL_RATE=0.1

Exits with 0, with 1 when an expectation of the scenario failed, with 2 when it cannot be run.";

/// The file of a run's directory that the run can be made again from.
pub(super) const INPUTS: &str = "inputs.json";

/// One run that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What is simulated.
    pub source: Source,
    /// Files of patches of its objects.
    pub patches: Vec<PathBuf>,
    /// Values set over it, in order.
    pub set: Vec<Assignment>,
    /// The seed, where it is not the scenario's own. Not among `set`: TOML's whole numbers end at half of what a seed can be.
    pub seed: Option<u64>,
    /// Whether the series are wanted.
    pub series: bool,
}

/// Where a scenario comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Its file.
    Scenario(PathBuf),
    /// Manifests, of which it is made.
    Manifests(Box<Given>),
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Rollout {
    /// The run.
    pub record: Record,
    /// What the scenario expects of it.
    pub expect: Option<Expect>,
    /// What it was read from, for whoever wants to run it again.
    pub inputs: Option<Inputs>,
    /// What its Prometheus scraped, where that was asked for.
    pub series: Option<Storage>,
    /// Objects and keys that were given and play no part.
    pub unmodelled: Vec<String>,
}

/// Loads a scenario and simulates it.
pub fn rollout(request: &Request) -> Result<Rollout, Diagnostic> {
    let overrides = overrides(&request.set);
    let patches = read_patches(&request.patches)?;
    let (mut scenario, mut inputs) = match &request.source {
        Source::Scenario(path) => scenario::load_with_inputs(path, &patches, &overrides)?,
        Source::Manifests(given) => given.with_inputs(&patches, &overrides)?,
    };
    scenario.run.seed = request.seed.unwrap_or(scenario.run.seed);
    inputs.seed = scenario.run.seed;
    let (record, series) = if request.series {
        let (record, series) = sim::simulate_with_series(&scenario);
        (record, Some(series))
    } else {
        (sim::simulate(&scenario), None)
    };
    Ok(Rollout {
        record,
        unmodelled: unmodelled(&scenario),
        expect: scenario.expect,
        inputs: Some(inputs),
        series,
    })
}

/// Assignments, and the rules, where they were asked for, as the last of them.
pub(super) fn with_rules(set: &[Assignment], rules: Option<Rules>) -> Vec<Assignment> {
    let rules = rules.map(|rules| Assignment {
        key: "rules".to_owned(),
        value: rules.as_str().to_owned(),
    });
    set.iter().cloned().chain(rules).collect()
}

/// Runs the command over what makes a rollout of a request. Files are written before anything is printed, so a reader who
/// stops early still finds them.
pub fn run(
    args: &Simulate,
    rollout: impl Fn(&Request) -> Result<Rollout, Diagnostic>,
    palette: Palette,
    out: &mut impl Write,
) -> anyhow::Result<ExitCode> {
    let source = match &args.scenario {
        Some(path) => Source::Scenario(path.clone()),
        None => Source::Manifests(Box::new(args.manifests.read(&mut std::io::stdin())?)),
    };
    let request = |rules| request(args, &source, rules);
    let mut code = ExitCode::SUCCESS;
    let printed = if args.compare_rules {
        let flagger = rollout(&request(Some(Rules::Flagger)))?;
        let runbook = rollout(&request(Some(Rules::Runbook)))?;
        let names = [Rules::Flagger, Rules::Runbook].map(|rules| rules.as_str().to_owned());
        compare(args, [&flagger, &runbook], names, palette)?
    } else if let Some(provider) = args.compare_provider {
        let asked = request(args.rules.map(Rules::from));
        let mut other = asked.clone();
        other.set.push(Assignment {
            key: "provider".to_owned(),
            value: Provider::from(provider).as_str().to_owned(),
        });
        let (present, other) = (rollout(&asked)?, rollout(&other)?);
        let [mut first, second] =
            [&present, &other].map(|run| providers::name(&run.record).replace(':', "-"));
        if first == second {
            first += "-as-is";
        }
        compare(args, [&present, &other], [first, second], palette)?
    } else {
        let rollout = rollout(&request(args.rules.map(Rules::from)))?;
        let expect = rollout.expect.as_ref();
        let results = expect.map(|expect| evaluate(expect, &rollout.record));
        let results = results.unwrap_or_default();
        if results.iter().any(|result| !result.met) {
            code = ExitCode::from(1);
        }
        one(args, &source, &rollout, &results, palette)?
    };
    out.write_all(printed.as_bytes())?;
    Ok(code)
}

fn request(args: &Simulate, source: &Source, rules: Option<Rules>) -> Request {
    Request {
        source: source.clone(),
        patches: args.changes.patches.clone(),
        set: with_rules(&args.changes.set, rules),
        seed: args.seed,
        series: args.series,
    }
}

/// What the manifests have that no part of the simulation reads.
fn unmodelled(scenario: &Scenario) -> Vec<String> {
    let left_out = scenario.manifests.left_out.iter();
    left_out
        .map(|left_out| {
            let LeftOut {
                kind,
                name,
                place,
                reason,
            } = left_out;
            format!("{place}: {kind} `{name}`: {reason}")
        })
        .collect()
}

fn one(
    args: &Simulate,
    source: &Source,
    rollout: &Rollout,
    expectations: &[ExpectationResult],
    palette: Palette,
) -> anyhow::Result<String> {
    let record = &rollout.record;
    let directory = args.output.directory(&record.scenario_name);
    write_files(directory.as_deref(), || files_of(rollout))?;
    if args.format == Format::Json {
        let failed: Vec<ExpectationResult> =
            expectations.iter().filter(|e| !e.met).cloned().collect();
        let told = text::expectations(&failed, Palette::Plain);
        std::io::stderr().write_all(told.as_bytes())?;
        if let Source::Manifests(given) = source {
            // The summary's keys are a contract; what was assumed is told beside it.
            let mut told = std::io::stderr().lock();
            for line in given.assumed().iter().chain(&rollout.unmodelled) {
                writeln!(told, "note: {line}")?;
            }
        }
        return Ok(json::render(record)?);
    }
    let named = directory.as_ref().map(|dir| dir.display().to_string());
    let named = named.as_deref();
    let mut shown = match source {
        Source::Scenario(_) => text::render_in(record, named, palette),
        Source::Manifests(given) => {
            let mut unmodelled = rollout.unmodelled.clone();
            unmodelled.extend(given.passed_over().iter().cloned());
            text::render_first(record, given.assumed(), &unmodelled, named, palette)
        }
    };
    let met = text::expectations(expectations, palette);
    if !met.is_empty() {
        shown += &format!("\n{met}");
    }
    Ok(shown + &where_files_are(directory.as_deref()))
}

/// Two rollouts, whose files go into folders of these names.
fn compare(
    args: &Simulate,
    [first, second]: [&Rollout; 2],
    [first_name, second_name]: [String; 2],
    palette: Palette,
) -> anyhow::Result<String> {
    let directory = args.output.directory(&first.record.scenario_name);
    write_files(directory.as_deref(), || {
        let mut all = files::under(&first_name, files_of(first)?);
        all.extend(files::under(&second_name, files_of(second)?));
        Ok(all)
    })?;
    let (first, second) = (&first.record, &second.record);
    if args.format == Format::Json {
        return Ok(json::render_both(first, second)?);
    }
    Ok(text::compare(first, second, palette) + &where_files_are(directory.as_deref()))
}

/// Everything a rollout leaves in its directory.
fn files_of(rollout: &Rollout) -> anyhow::Result<Vec<File>> {
    let mut all = files::files(&rollout.record)?;
    if let Some(inputs) = &rollout.inputs {
        all.push(File {
            path: INPUTS.to_owned(),
            bytes: format!("{}\n", serde_json::to_string_pretty(inputs)?).into_bytes(),
        });
    }
    if let Some(storage) = &rollout.series {
        all.push(series::file(storage)?);
    }
    Ok(all)
}

fn write_files(
    directory: Option<&Path>,
    files: impl FnOnce() -> anyhow::Result<Vec<File>>,
) -> anyhow::Result<()> {
    if let Some(directory) = directory {
        let files = files().context("the run cannot be reported")?;
        write::write(directory, &files)?;
    }
    Ok(())
}

fn where_files_are(directory: Option<&Path>) -> String {
    directory.map_or_else(String::new, |directory| {
        format!("\nfiles: {}\n", directory.display())
    })
}
