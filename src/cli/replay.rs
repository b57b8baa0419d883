//! `rollcast replay`: the engine over recorded series, under the thresholds as they were or as they might have been.
//!
//! Exits with 0 whatever the outcome, with 2 when the recording or the objects cannot be read.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use regex::Regex;
use serde_json::json;

use crate::diagnostic::Diagnostic;
use crate::engine::Object;
use crate::openmetrics::Wanted;
use crate::promql::{Options, Version};
use crate::record::Record;
use crate::replay::{
    Case, REQUESTS, Ticks, Weights, interval, parse_ticks, parse_weights, parse_weights_gauge,
    replay,
};
use crate::report::text::Palette;
use crate::report::{self, files, json as summary, write};
use crate::scenario::{self, Override, Scenario, Wishes};
use crate::sim;
use crate::time::{Span, Timestamp};
use crate::tsdb::{Labels, Storage};

use super::manifests::Given;
use super::query::Moment;
use super::shared::{Assignment, assignment};
use super::verify::PrometheusVersion;
use super::{Format, RulesArg, source};

/// Arguments of `replay`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Replay {
    /// The Canary and what belongs to it (MetricTemplates, Deployment, Ingress): files or folders. What is not given is taken as
    /// present and ready.
    #[arg(long, required = true, num_args = 1.., value_name = "FILE")]
    pub canary: Vec<PathBuf>,
    /// The recorded series: OpenMetrics (as `promtool tsdb dump-openmetrics` writes it) or the exposition format with times,
    /// gzipped or not.
    #[arg(
        long,
        value_name = "FILE",
        required_unless_present = "prometheus",
        conflicts_with = "prometheus"
    )]
    pub openmetrics: Option<PathBuf>,
    /// Ask a Prometheus instead: to come with the feature `live`, which this version does not have.
    #[arg(long, value_name = "URL")]
    pub prometheus: Option<String>,
    /// The tick that detected the new revision, in Unix seconds; the first of --ticks without it.
    #[arg(long, value_name = "T")]
    pub start: Option<Moment>,
    /// The ticks, one a line in Unix seconds, the first the detecting one; without it the grid of `analysis.interval`.
    #[arg(long, value_name = "FILE")]
    pub ticks: Option<PathBuf>,
    /// How thresholds are read; as Flagger does without it.
    #[arg(long, value_enum)]
    pub rules: Option<RulesArg>,
    /// The canary's weights under which the series were recorded, a line each: `TIME WEIGHT`, or `WEIGHT` alone, one a tick.
    /// Without it flagger_canary_weight, where it is among the series.
    #[arg(long, value_name = "FILE")]
    pub weights: Option<PathBuf>,
    /// Whose rules the queries are evaluated by; without it what the series tell.
    #[arg(long, value_enum)]
    pub prometheus_version: Option<PrometheusVersion>,
    /// Directory for the files of the replay; none are written without it.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Set a key as in a scenario, such as canary.spec.analysis.threshold=5; `analysis.` and `spec.` alone mean the Canary's. May
    /// be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = assignment)]
    pub set: Vec<Assignment>,
    /// What to print: a table of the ticks, or the summary that `simulate` prints.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

const EXAMPLES: &str = "\
Times count from the start. Where a tick sets another weight than the recorded rollout did, the series after it are no longer
those that its decision would have met: the table marks the place, and what follows is labelled a guess.

Examples:
  rollcast replay --canary canary.yaml template.yaml --openmetrics rollout.om.gz --ticks ticks.txt --weights weights.txt
  rollcast replay --canary k8s/ --openmetrics rollout.om --start 1767225600.25
  rollcast replay --canary k8s/ --openmetrics rollout.om --start 1767225600.25 --set analysis.threshold=5
  rollcast replay --canary k8s/ --openmetrics rollout.om --ticks ticks.txt --rules runbook --format json";

/// Runs the command.
pub fn run(args: &Replay, palette: Palette, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let record = replayed(args)?;
    if let Some(directory) = &args.out {
        let files = files::files(&record).context("the replay cannot be reported")?;
        write::write(directory, &files)?;
    }
    let printed = match args.format {
        Format::Json => summary::render(&record)?,
        Format::Text => {
            let mut text = report::replay::render(&record, palette);
            if let Some(directory) = &args.out {
                text += &format!("\nfiles: {}\n", directory.display());
            }
            text
        }
    };
    out.write_all(printed.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// The replay as a record.
fn replayed(args: &Replay) -> Result<Record, Diagnostic> {
    let Some(file) = &args.openmetrics else {
        return Err(without_live());
    };
    let objects = objects(args)?;
    let scenario = &objects.scenario;
    let ticks = args.ticks.as_deref().map(read_ticks).transpose()?;
    let start = args.start.map(|Moment(at)| at);
    let given = ticks
        .clone()
        .or(start.map(|at| vec![at]))
        .unwrap_or_default();
    let weights = match &args.weights {
        Some(path) => Some(parse_weights(
            &path.display().to_string(),
            &text_of(path)?,
            &grid(&given, scenario),
        )?),
        None => None,
    };
    let recording = Recording::read(file, scenario, &given)?;
    let canary = &scenario.manifests.canary;
    let weights = weights.or_else(|| {
        let (target, namespace) = (&canary.spec.target_ref.name, &canary.metadata.namespace);
        parse_weights_gauge(&recording.storage, target, namespace)
    });
    let mut notes = objects.notes;
    let ticks = match (ticks, start) {
        (Some(ticks), _) => Ticks::At(ticks),
        (None, Some(start)) => Ticks::Grid(start),
        (None, None) => Ticks::Grid(started(
            &recording,
            weights.as_ref(),
            interval(canary),
            &mut notes,
        )?),
    };
    let mut case = Case {
        name: canary.metadata.name.clone(),
        scenario: json!({
            "title": scenario.title,
            "rules": scenario.rules,
            "provider": scenario.provider,
            "flagger": scenario.flagger,
            "manifests": scenario.manifests,
        }),
        canary: canary.clone(),
        objects: std::iter::once(Object::from(scenario.manifests.deployment.clone()))
            .chain(sim::other_objects(&scenario.manifests))
            .collect(),
        settings: sim::settings(scenario),
        provider: scenario.provider_in_force(),
        options: Options::default(),
        ticks,
        weights,
    };
    let said = args
        .prometheus_version
        .map(Version::from)
        .or(objects.version);
    let mut record = match said.or(recording.version) {
        Some(version) => {
            case.options.version = version;
            replay(&case, &recording.storage)?
        }
        None => likeliest(&mut case, &recording, &mut notes)?,
    };
    if let (Some(start), Ticks::At(ticks)) = (start, &case.ticks) {
        shift(&mut record, ticks[0] - start);
    }
    if let Some(replay) = &mut record.replay {
        replay.notes = notes;
    }
    Ok(record)
}

/// What the command line gave, as a scenario of which the objects alone matter.
struct Objects {
    scenario: Scenario,
    /// The version of Prometheus, where it was set.
    version: Option<Version>,
    notes: Vec<String>,
}

fn objects(args: &Replay) -> Result<Objects, Diagnostic> {
    let found = scenario::manifests(&args.canary, &mut std::io::stdin())?;
    let given = Given::new(found, &Wishes::default())?;
    let mut overrides: Vec<Override> = args.set.iter().map(spelled_out).collect();
    if let Some(rules) = args.rules {
        overrides.push(Override {
            key: "rules".to_owned(),
            value: crate::canary::Rules::from(rules).as_str().to_owned(),
        });
    }
    let scenario = given.scenario(&overrides)?;
    let constant = given
        .assumed()
        .iter()
        .find(|line| line.contains("always passes"));
    if let Some(line) = constant {
        let template = line.split('`').nth(3).unwrap_or_default();
        return Err(Diagnostic::new(format!(
            "the MetricTemplate `{template}` is not given, so its query cannot be evaluated"
        ))
        .help("name its file after --canary too"));
    }
    // Of what a forecast assumes, a replay needs the objects alone; and from them no more than that they are there.
    let objects = given.assumed().iter().filter_map(|line| {
        let (_, named) = line.split_once("The ")?;
        let (named, _) = named.split_once(", which is not given")?;
        Some(format!(
            "The {named} is not given: it is taken as present and ready."
        ))
    });
    let mut notes: Vec<String> = objects.collect();
    if let Some(line) = given
        .assumed()
        .iter()
        .find(|line| line.starts_with("Flagger runs with the provider"))
    {
        notes.push(line.clone());
    }
    notes.push("The primary and the canary are taken as ready at every tick.".to_owned());
    let hooks = scenario.manifests.canary.spec.analysis.iter();
    if hooks
        .flat_map(|analysis| &analysis.webhooks)
        .next()
        .is_some()
    {
        notes.push(
            "Webhooks are taken to have agreed, those of type rollback to have been silent."
                .to_owned(),
        );
    }
    let version = args
        .set
        .iter()
        .any(|set| set.key.replace(['"', '\''], "") == "prometheus.version");
    Ok(Objects {
        version: version
            .then(|| Version::of_release(&scenario.prometheus.version))
            .flatten(),
        scenario,
        notes,
    })
}

/// `analysis.threshold` and `spec.analysis.threshold` are the Canary's.
fn spelled_out(set: &Assignment) -> Override {
    let key = match set.key.split('.').next() {
        Some("analysis") => format!("canary.spec.{}", set.key),
        Some("spec") => format!("canary.{}", set.key),
        _ => set.key.clone(),
    };
    Override {
        key,
        value: set.value.clone(),
    }
}

/// The series of a recording, as far as the replay can ask for them.
struct Recording {
    storage: Storage,
    span: Option<(Timestamp, Timestamp)>,
    /// What the series say of the Prometheus that stored them.
    version: Option<Version>,
    /// They were written by some 2.x.
    before_3: bool,
}

impl Recording {
    fn read(
        file: &Path,
        scenario: &Scenario,
        ticks: &[Timestamp],
    ) -> Result<Recording, Diagnostic> {
        let texts: Vec<&str> = sim::query_texts(scenario).collect();
        // A metric's name may come out of a template or a pattern: then anything may be asked for.
        let anything = texts
            .iter()
            .any(|text| text.contains("__name__") || text.contains("variables"));
        let reach = texts.iter().map(|text| longest_reach(text, scenario)).max();
        let reach = reach.unwrap_or(Span::ZERO);
        let (from, to) = match (ticks.first(), ticks) {
            (Some(first), [_, .., last]) => (*first - reach, *last + Span::from_secs(60)),
            (Some(first), _) => (*first - reach, Timestamp::from_millis(i64::MAX)),
            (None, _) => (
                Timestamp::from_millis(i64::MIN),
                Timestamp::from_millis(i64::MAX),
            ),
        };
        let mut recording = Recording {
            storage: Storage::new(),
            span: None,
            version: None,
            before_3: false,
        };
        let (mut version, mut before_3) = (None, false);
        let mut wanted = |labels: &Labels| {
            let name = labels.metric_name();
            before_3 |= name.ends_with("_bucket") && is_whole(labels.get("le"));
            if name == "prometheus_build_info" {
                version = Version::of_release(labels.get("version"));
            }
            anything
                || name == REQUESTS
                || name == "flagger_canary_weight"
                || texts.iter().any(|text| text.contains(name))
        };
        let wanted = Wanted {
            series: &mut wanted,
            from,
            to,
        };
        recording.span = source::read(file, &mut recording.storage, wanted)?.span;
        (recording.version, recording.before_3) = (version, before_3);
        if recording.span.is_none() {
            return Err(Diagnostic::new(format!(
                "{} has none of the series that the Canary's queries ask for",
                file.display()
            ))
            .help("export the metrics that its queries name, as they were while the rollout ran"));
        }
        Ok(recording)
    }
}

/// A bucket's bound as only 2.x stores it: 3.x writes whole bounds with a decimal.
fn is_whole(bound: &str) -> bool {
    !bound.is_empty() && bound.bytes().all(|byte| byte.is_ascii_digit())
}

/// No query looks further back: all durations in its text together, the longest interval of a metric, the lookback.
fn longest_reach(text: &str, scenario: &Scenario) -> Span {
    const YEAR: Span = Span::from_secs(365 * 24 * 3600);
    if text.contains('@') {
        return YEAR * 50;
    }
    let duration = Regex::new(r"\b(?:[0-9]+(?:ms|[smhdwy]))+").expect("the pattern is a constant");
    let unit = Regex::new(r"([0-9]+)(ms|[smhdwy])").expect("the pattern is a constant");
    let in_text = |found: &str| -> i64 {
        let parts = unit.captures_iter(found).map(|part| {
            let number: i64 = part[1].parse().unwrap_or(0);
            let ms = match &part[2] {
                "ms" => 1,
                "s" => 1000,
                "m" => 60_000,
                "h" => 3_600_000,
                "d" => 86_400_000,
                "w" => 7 * 86_400_000,
                _ => 365 * 86_400_000,
            };
            number.saturating_mul(ms)
        });
        parts.fold(0, i64::saturating_add)
    };
    let named = duration
        .find_iter(text)
        .map(|found| in_text(found.as_str()));
    let analysis = scenario.manifests.canary.spec.analysis.iter();
    let intervals = analysis
        .flat_map(|analysis| &analysis.metrics)
        .map(|metric| in_text(&metric.interval));
    let lookback = Options::default().lookback.as_millis();
    let least = lookback + 60_000 + intervals.max().unwrap_or(0);
    let all = named.fold(least, i64::saturating_add);
    Span::from_millis(all.min(YEAR.as_millis() * 50))
}

/// The start of a rollout that was not said: an interval before its first step.
fn started(
    recording: &Recording,
    weights: Option<&Weights>,
    interval: Span,
    notes: &mut Vec<String>,
) -> Result<Timestamp, Diagnostic> {
    if let Some(step) = weights.and_then(Weights::first_step) {
        let start = step - interval;
        notes.push(format!(
            "The start is not given: it is taken as {}, an interval before the first weight above 0.",
            start.as_secs_f64()
        ));
        return Ok(start);
    }
    let span = recording.span.map_or_else(String::new, |(from, to)| {
        format!(
            "; the samples are from {} to {}",
            from.as_secs_f64(),
            to.as_secs_f64()
        )
    });
    Err(Diagnostic::new(format!("nothing says when the rollout began{span}"))
        .help("give --start, the Unix time of the tick that detected the new revision, or --ticks, or --weights"))
}

/// The replay under the version that explains most of the recorded weights, where nothing says which Prometheus it was.
///
/// Of versions that explain as many it is the oldest, whose windows hold the most samples; the note says what that changes.
fn likeliest(
    case: &mut Case,
    recording: &Recording,
    notes: &mut Vec<String>,
) -> Result<Record, Diagnostic> {
    let candidates: &[Version] = match recording.before_3 {
        true => &[Version::V2_42, Version::V2_53],
        false => &[Version::V2_42, Version::V2_53, Version::V3],
    };
    let mut best: Option<(Timestamp, Record)> = None;
    let mut values: Vec<Vec<Option<f64>>> = Vec::new();
    for version in candidates {
        case.options.version = *version;
        let record = replay(case, &recording.storage)?;
        let checks = record.timeline.iter().flat_map(|row| &row.checks);
        values.push(checks.map(|check| check.value).collect());
        let differs = record.replay.as_ref().and_then(|replay| replay.differs_at);
        let follows = differs.unwrap_or(Timestamp::from_millis(i64::MAX));
        if best.as_ref().is_none_or(|(longest, _)| follows > *longest) {
            best = Some((follows, record));
        }
    }
    let (_, record) = best.expect("there is a candidate");
    if values.iter().any(|other| !alike(other, &values[0])) {
        let version = record
            .replay
            .as_ref()
            .map_or("", |replay| &replay.prometheus_version);
        let why = match (recording.before_3, &case.weights) {
            (true, _) => "the buckets' bounds are written as 2.x writes them, and ",
            _ => "",
        };
        notes.push(format!(
            "Nothing says which Prometheus recorded the series: {why}{version} is assumed. Other versions would have measured \
             otherwise; --prometheus-version says which it was."
        ));
    }
    Ok(record)
}

fn alike(one: &[Option<f64>], other: &[Option<f64>]) -> bool {
    let same = |pair: (&Option<f64>, &Option<f64>)| match pair {
        (Some(a), Some(b)) => a == b || (a - b).abs() <= 1e-9 * a.abs().max(b.abs()),
        (a, b) => a.is_none() == b.is_none(),
    };
    one.len() == other.len() && one.iter().zip(other).all(same)
}

/// Counts times from another zero.
fn shift(record: &mut Record, by: Span) {
    if by == Span::ZERO {
        return;
    }
    let moved = |at: &mut Timestamp| *at += by;
    let maybe = |at: &mut Option<Timestamp>| *at = at.map(|at| at + by);
    maybe(&mut record.decided_at);
    maybe(&mut record.finished_at);
    moved(&mut record.ended_at);
    record
        .events
        .iter_mut()
        .for_each(|event| moved(&mut event.at));
    for row in &mut record.timeline {
        moved(&mut row.at);
        row.checks.iter_mut().for_each(|check| moved(&mut check.at));
    }
    for tick in &mut record.ticks {
        moved(&mut tick.at);
        for query in &mut tick.queries {
            moved(&mut query.evaluated_at);
            let series = query
                .selectors
                .iter_mut()
                .flat_map(|selector| &mut selector.series);
            series
                .flat_map(|series| &mut series.samples)
                .for_each(|(at, _)| moved(at));
        }
    }
    if let Some(replay) = &mut record.replay {
        maybe(&mut replay.differs_at);
        maybe(&mut replay.guess_from);
    }
}

/// Ticks for weights that have no times of their own: those given, and where that is the start alone, its grid.
fn grid(given: &[Timestamp], scenario: &Scenario) -> Vec<Timestamp> {
    match given {
        [start] => {
            let interval = interval(&scenario.manifests.canary);
            (0..10_000).map(|k| *start + interval * k).collect()
        }
        ticks => ticks.to_vec(),
    }
}

fn read_ticks(path: &Path) -> Result<Vec<Timestamp>, Diagnostic> {
    parse_ticks(&path.display().to_string(), &text_of(path)?)
}

fn text_of(path: &Path) -> Result<String, Diagnostic> {
    std::fs::read_to_string(path)
        .map_err(|error| Diagnostic::new(format!("cannot read {}: {error}", path.display())))
}

fn without_live() -> Diagnostic {
    Diagnostic::new("this rollcast cannot ask a Prometheus")
        .help("that is to come with `--features live`, which this version does not have: export the series (`promtool tsdb dump-openmetrics`) and give them with --openmetrics")
}
