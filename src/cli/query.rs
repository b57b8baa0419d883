//! `rollcast query`: what a query would have said, of a run's series or of any OpenMetrics file.
//!
//! Text is for people: a line a series, times as reports write them where a run is asked. JSON is what Prometheus' HTTP API
//! answers (`web/api/v1/api.go`, `util/jsonutil`). Exits with 0 when there is an answer, an empty one included, with 2 when
//! there is none.

use std::fmt::Display;
use std::fs::{self, File};
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;

use clap::Args;
use serde_json::{Value as Json, json};

use crate::diagnostic::{Diagnostic, SourceText};
use crate::openmetrics::{self, ReadOptions};
use crate::promql::{self, Answer, MatrixSeries, Severity, Value, Version};
use crate::time::{Span, Timestamp};
use crate::tsdb::{Labels, Storage, format_general};

use super::verify::PrometheusVersion;
use super::{Format, series};

/// Arguments of `query`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Query {
    /// The query.
    pub expr: String,
    /// Ask the samples of an OpenMetrics file, as `promtool tsdb dump-openmetrics` writes it.
    #[arg(
        long,
        value_name = "FILE",
        required_unless_present = "run",
        conflicts_with = "run"
    )]
    pub openmetrics: Option<PathBuf>,
    /// Ask the series of a run: the output directory of `simulate --series`.
    #[arg(long, value_name = "DIR")]
    pub run: Option<PathBuf>,
    /// When to evaluate; the newest sample's time without it.
    #[arg(long, value_name = "T", allow_hyphen_values = true, conflicts_with_all = ["from", "to", "step"])]
    pub at: Option<Moment>,
    /// First of many evaluations.
    #[arg(long, value_name = "T", allow_hyphen_values = true, requires_all = ["to", "step"])]
    pub from: Option<Moment>,
    /// Last of many evaluations.
    #[arg(long, value_name = "T", allow_hyphen_values = true, requires = "from")]
    pub to: Option<Moment>,
    /// From one evaluation to the next, as in 15s.
    #[arg(long, value_name = "D", requires = "from", value_parser = step)]
    pub step: Option<Span>,
    /// Whose rules apply; for a run those of its scenario without it, else 3.
    #[arg(long, value_enum)]
    pub prometheus_version: Option<PrometheusVersion>,
    /// What to print: lines, or what Prometheus' HTTP API would answer.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

const EXAMPLES: &str = "\
Times are seconds (90, 1767225600.5), durations (1m30s, -30s) or minutes and seconds as reports write them (1:30). Of a run they
count from its time zero, the tick that detected the new revision; of a file from the epoch.

Examples:
  rollcast query 'sum by (status) (rate(nginx_ingress_controller_requests[1m]))' --run output/chaos30 --at 1:00
  rollcast query 'up == 0' --openmetrics dump.om --format json
  rollcast query 'sum(rate(requests_total[5m]))' --openmetrics dump.om --from 1767225600 --to 1767229200 --step 30s";

/// A moment as the command line spells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment(pub Timestamp);

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let ms = clock(text)
            .or_else(|| decimal_seconds(text))
            .or_else(|| Span::parse_go(text).map(Span::as_millis));
        ms.map(|ms| Moment(Timestamp::from_millis(ms)))
            .ok_or_else(|| {
                "write seconds (90), a duration (1m30s) or minutes and seconds (1:30)".to_owned()
            })
    }
}

/// `m:ss`, `m:ss.mmm`, with or without a minus.
fn clock(text: &str) -> Option<i64> {
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text),
    };
    let (minutes, seconds) = rest.split_once(':')?;
    let unsigned = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
    if !unsigned(minutes) || !unsigned(seconds) {
        return None;
    }
    let minutes: u32 = minutes.parse().ok()?;
    let ms = decimal_seconds(seconds).filter(|ms| *ms < 60_000)?;
    Some(sign * (i64::from(minutes) * 60_000 + ms))
}

/// Seconds as a decimal number, to the nearest millisecond, within a thousand centuries.
fn decimal_seconds(text: &str) -> Option<i64> {
    let seconds: f64 = text.parse().ok()?;
    (seconds.abs() < 4e12).then(|| (seconds * 1000.0).round() as i64)
}

fn step(text: &str) -> Result<Span, String> {
    let ms = decimal_seconds(text).or_else(|| Span::parse_go(text).map(Span::as_millis));
    match ms {
        Some(ms) if ms > 0 => Ok(Span::from_millis(ms)),
        _ => Err("write a duration longer than 0, as in 15s".to_owned()),
    }
}

/// What is asked.
struct Source {
    storage: Storage,
    newest: Option<Timestamp>,
    version: Version,
    /// The moment of the storage's clock at which the user's stands at zero.
    zero: Timestamp,
    /// Whether times are shown as reports show them.
    minutes: bool,
}

/// When the query is evaluated, on the storage's clock.
enum When {
    At(Timestamp),
    Each {
        from: Timestamp,
        to: Timestamp,
        step: Span,
    },
}

/// Runs the command.
pub fn run(args: &Query, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let text = SourceText::new("query", &*args.expr);
    let source = match (&args.run, &args.openmetrics) {
        (Some(directory), _) => of_run(directory)?,
        (None, Some(file)) => of_file(file)?,
        (None, None) => unreachable!("the command line requires one of them"),
    };
    let options = promql::Options {
        version: args
            .prometheus_version
            .map_or(source.version, Version::from),
        ..promql::Options::default()
    };
    let when = when(args, &source)?;
    let query =
        promql::Query::compile(&args.expr, &options).map_err(|error| error.diagnostic(&text))?;
    let answer = match when {
        When::At(at) => query.instant(&source.storage, at),
        When::Each { from, to, step } => query.range(&source.storage, from, to, step),
    };
    let answer = answer.map_err(|error| error.diagnostic(&text))?;
    let shown = match args.format {
        Format::Json => api_answer(&answer, &when, &source, &args.expr)?,
        Format::Text => lines(&answer, &source, &text),
    };
    out.write_all(shown.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn when(args: &Query, source: &Source) -> Result<When, Diagnostic> {
    let moment = |moment: Moment| source.zero + (moment.0 - Timestamp::ZERO);
    match (args.from, args.to, args.step) {
        (Some(from), Some(to), Some(_)) if to.0 < from.0 => {
            Err(Diagnostic::new("`--to` lies before `--from`").help("swap the two"))
        }
        (Some(from), Some(to), Some(step)) => Ok(When::Each {
            from: moment(from),
            to: moment(to),
            step,
        }),
        _ => Ok(When::At(
            args.at.map_or(source.newest.unwrap_or(source.zero), moment),
        )),
    }
}

fn of_file(file: &Path) -> Result<Source, Diagnostic> {
    let (storage, newest) = read(file, Timestamp::ZERO)?;
    Ok(Source {
        storage,
        newest,
        version: Version::default(),
        zero: Timestamp::ZERO,
        minutes: false,
    })
}

/// The series of a run's directory, on the clock of the world that they come from; the version is that world's.
fn of_run(directory: &Path) -> Result<Source, Diagnostic> {
    let file = directory.join("run.json");
    let record = fs::read_to_string(&file)
        .map_err(|error| cannot_read(&file, &error).help(NO_RUN))
        .and_then(|text| {
            serde_json::from_str::<Json>(&text)
                .map_err(|error| cannot_read(&file, &error).help(NO_RUN))
        })?;
    let incomplete = |key: &str| {
        let message = format!("{} has no `{key}`", file.display());
        Diagnostic::new(message).help(NO_RUN)
    };
    let number = |pointer: &str| {
        let value = record.pointer(pointer).and_then(Json::as_f64);
        value.ok_or_else(|| incomplete(pointer))
    };
    // The run ended at its horizon, on either clock.
    let horizon_ms = number("/scenario/run/horizon")?;
    let ended_ms = number("/ended_at_s")? * 1000.0;
    let zero = Timestamp::from_millis((horizon_ms - ended_ms).round() as i64);
    let version = record.pointer("/scenario/prometheus/version");
    let version = (version.and_then(Json::as_str).and_then(Version::of_release))
        .ok_or_else(|| incomplete("/scenario/prometheus/version"))?;
    let (storage, newest) = read(&directory.join(series::FILE), series::ZERO)
        .map_err(|error| error.help("write the series with `rollcast simulate --series`"))?;
    Ok(Source {
        storage,
        newest,
        version,
        zero,
        minutes: true,
    })
}

const NO_RUN: &str = "name the output directory of a `rollcast simulate --series`";

/// Reads an OpenMetrics file whose time zero stands for `zero`.
fn read(file: &Path, zero: Timestamp) -> Result<(Storage, Option<Timestamp>), Diagnostic> {
    let opened = File::open(file).map_err(|error| cannot_read(file, &error))?;
    let mut storage = Storage::new();
    let options = ReadOptions {
        zero,
        ..ReadOptions::default()
    };
    let read = openmetrics::read(BufReader::new(opened), &mut storage, &options)
        .map_err(|error| cannot_read(file, &error))?;
    Ok((storage, read.span.map(|(_, newest)| newest)))
}

fn cannot_read(file: &Path, error: &dyn Display) -> Diagnostic {
    Diagnostic::new(format!("cannot read {}: {error}", file.display()))
}

/// The answer for people: a line a series of an instant vector, a line a sample of a range, then the remarks.
fn lines(answer: &Answer, source: &Source, query: &SourceText) -> String {
    let mut shown = match &answer.value {
        Value::Scalar(value) => format!("{}\n", number(*value)),
        Value::String(text) => format!("{text}\n"),
        Value::Vector(samples) => samples
            .iter()
            .map(|sample| format!("{} {}\n", sample.labels, number(sample.value)))
            .collect(),
        Value::Matrix(series) => series
            .iter()
            .map(|series| series_lines(series, source))
            .collect(),
    };
    if shown.is_empty() {
        shown.push_str("no series answers\n");
    }
    for annotation in &answer.annotations {
        shown += &format!("{}\n", annotation.render(&query.text));
    }
    shown
}

fn series_lines(series: &MatrixSeries, source: &Source) -> String {
    let mut shown = format!("{}\n", series.labels);
    for (at, value) in &series.samples {
        let at = source.shown(*at);
        let at = if source.minutes {
            at.clock()
        } else {
            at.as_secs_f64().to_string()
        };
        shown += &format!("  {at}  {}\n", number(*value));
    }
    shown
}

/// The answer as the HTTP API gives it, times on the user's clock.
fn api_answer(
    answer: &Answer,
    when: &When,
    source: &Source,
    query: &str,
) -> serde_json::Result<String> {
    let point = |at: Timestamp, value: Json| {
        let ms = source.shown(at).as_millis();
        let seconds = if ms % 1000 == 0 {
            json!(ms / 1000)
        } else {
            json!(ms as f64 / 1000.0)
        };
        json!([seconds, value])
    };
    let at = match when {
        When::At(at) => *at,
        // A range query answers with a matrix, whose points have their own times.
        When::Each { from, .. } => *from,
    };
    let (kind, result) = match &answer.value {
        Value::Scalar(value) => ("scalar", point(at, json!(number(*value)))),
        Value::String(text) => ("string", point(at, json!(text))),
        Value::Vector(samples) => {
            let samples = samples.iter().map(|sample| {
                let value = point(sample.timestamp, json!(number(sample.value)));
                json!({ "metric": metric(&sample.labels), "value": value })
            });
            ("vector", samples.collect())
        }
        Value::Matrix(series) => {
            let series = series.iter().map(|series| {
                let points = series.samples.iter();
                let values: Json = points
                    .map(|(at, value)| point(*at, json!(number(*value))))
                    .collect();
                json!({ "metric": metric(&series.labels), "values": values })
            });
            ("matrix", series.collect())
        }
    };
    let mut reply = json!({
        "status": "success",
        "data": { "resultType": kind, "result": result },
    });
    for (key, severity) in [("warnings", Severity::Warning), ("infos", Severity::Info)] {
        let remarks = answer.annotations.iter();
        let remarks: Vec<String> = remarks
            .filter(|annotation| annotation.severity == severity)
            .map(|annotation| annotation.render(query))
            .collect();
        if !remarks.is_empty() {
            reply[key] = json!(remarks);
        }
    }
    Ok(serde_json::to_string_pretty(&reply)? + "\n")
}

fn metric(labels: &Labels) -> Json {
    labels
        .iter()
        .map(|(name, value)| (name.to_owned(), json!(value)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// A value as the API writes it: plain digits, powers of ten only where those would be very many.
fn number(value: f64) -> String {
    let plain = value == 0.0 || (1e-6..1e21).contains(&value.abs());
    if plain {
        value.to_string()
    } else {
        format_general(value)
    }
}

impl Source {
    /// A moment of the storage's clock on the user's.
    fn shown(&self, at: Timestamp) -> Timestamp {
        Timestamp::ZERO + (at - self.zero)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_seconds_durations_or_a_clock() {
        for (text, ms) in [
            ("90", Some(90_000)),
            ("-1.5", Some(-1500)),
            ("1767225600.123", Some(1_767_225_600_123)),
            ("1e3", Some(1_000_000)),
            ("1m30s", Some(90_000)),
            ("-30s", Some(-30_000)),
            ("1:30", Some(90_000)),
            ("-0:05", Some(-5000)),
            ("1:00.250", Some(60_250)),
            ("1:60", None),
            ("1:-5", None),
            ("--1:00", None),
            ("1e99", None),
            ("NaN", None),
            ("inf", None),
            ("soon", None),
            ("", None),
        ] {
            let found = text.parse::<Moment>().ok();
            assert_eq!(found.map(|moment| moment.0.as_millis()), ms, "{text:?}");
        }
    }

    #[test]
    fn numbers_are_written_as_the_api_writes_them() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1_234_567.5, "1234567.5"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (1e-6, "0.000001"),
            (1e-7, "1e-07"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
        ] {
            assert_eq!(number(value), text);
        }
    }
}
