//! What a case of a script expects, and whether an answer meets it (`evalCmd` in `promql/promqltest/test.go`).

use regex::Regex;

use super::Outcome;
use super::script::{Eval, range_vector_parts};
use super::series::{SeriesLine, parse_scalar, parse_series};
use crate::promql::{Annotation, MatrixSeries, Severity, Value, VectorSample};
use crate::time::Timestamp;
use crate::tsdb::is_stale;

/// Values may differ by this, relatively.
const TOLERANCE: f64 = 1e-6;

/// The expectations of one case.
#[derive(Clone, Debug, Default)]
pub(super) struct Expectation {
    ordered: bool,
    fail: Option<TextMatch>,
    warnings: Vec<TextMatch>,
    infos: Vec<TextMatch>,
    no_warnings: bool,
    no_infos: bool,
    scalar: Option<f64>,
    string: Option<String>,
    /// From, to and step of the range vector that an instant query answers with.
    range_vector: Option<[i64; 3]>,
    series: Vec<SeriesLine>,
}

/// How a message must read.
#[derive(Clone, Debug)]
enum TextMatch {
    Any,
    Exactly(String),
    Pattern(Regex),
}

/// An expectation that was not met.
#[derive(Debug)]
pub(super) struct Mismatch {
    pub(super) expected: String,
    pub(super) got: String,
}

impl Expectation {
    /// No expectation but what the old spelling of `eval` implies.
    pub(super) fn new(modifier: Option<&str>) -> Self {
        let mut expectation = Expectation::default();
        match modifier {
            Some("fail") => expectation.fail = Some(TextMatch::Any),
            Some("warn") => expectation.warnings.push(TextMatch::Any),
            Some("info") => expectation.infos.push(TextMatch::Any),
            Some("ordered") => expectation.ordered = true,
            _ => {}
        }
        expectation
    }

    /// Takes up one line.
    pub(super) fn add_line(&mut self, line: &str) -> Result<(), String> {
        if let Some(message) = line.strip_prefix("expected_fail_message") {
            self.fail = Some(TextMatch::Exactly(message.trim().to_owned()));
        } else if let Some(pattern) = line.strip_prefix("expected_fail_regexp") {
            self.fail = Some(TextMatch::pattern(pattern)?);
        } else if let Some(range) = line.strip_prefix("expect range vector") {
            let parts = range_vector_parts(range.trim());
            self.range_vector =
                Some(parts.ok_or("write `expect range vector from 10s to 1m step 10s`")?);
        } else if let Some(text) = line.strip_prefix("expect string") {
            self.string = Some(go_unquote(text.trim()).ok_or("the expected string is not quoted")?);
        } else if let Some(rest) = line.strip_prefix("expect ") {
            self.add_expect(rest.trim())?;
        } else if let Some(value) = parse_scalar(line) {
            self.scalar = Some(value);
        } else {
            self.series.push(parse_series(line)?);
        }
        Ok(())
    }

    fn add_expect(&mut self, text: &str) -> Result<(), String> {
        let (what, how) = text.split_once([' ', '\t']).unwrap_or((text, ""));
        let how = how.trim();
        let matching = if how.is_empty() {
            TextMatch::Any
        } else if let Some(message) = how.strip_prefix("msg:") {
            TextMatch::Exactly(message.trim().to_owned())
        } else if let Some(pattern) = how.strip_prefix("regex:") {
            TextMatch::pattern(pattern)?
        } else {
            return Err(format!("{how:?} is neither `msg:...` nor `regex:...`"));
        };
        match what {
            "ordered" => self.ordered = true,
            "fail" => self.fail = Some(matching),
            "warn" => self.warnings.push(matching),
            "info" => self.infos.push(matching),
            "no_warn" => self.no_warnings = true,
            "no_info" => self.no_infos = true,
            _ => return Err(format!("invalid expectation {what:?}")),
        }
        Ok(())
    }

    /// Whether the outcome of a case is the expected one.
    pub(super) fn check(
        &self,
        eval: &Eval,
        outcome: &Outcome,
        judges_annotations: bool,
    ) -> Result<(), Mismatch> {
        match (&self.fail, outcome) {
            (Some(expected), Err(message)) if expected.accepts(message) => Ok(()),
            (Some(expected), Err(message)) => Err(mismatch(expected.show("failure"), message)),
            (Some(expected), Ok(answer)) => Err(mismatch(expected.show("failure"), &answer.value)),
            (None, Err(message)) => Err(mismatch("an answer", format!("failure: {message}"))),
            (None, Ok(answer)) => {
                if judges_annotations {
                    self.check_annotations(&answer.annotations, &eval.query)?;
                }
                self.check_value(eval, &answer.value)
            }
        }
    }

    fn check_annotations(&self, found: &[Annotation], query: &str) -> Result<(), Mismatch> {
        let kinds = [
            (Severity::Warning, &self.warnings, self.no_warnings),
            (Severity::Info, &self.infos, self.no_infos),
        ];
        for (severity, wanted, none) in kinds {
            check_annotations_of(severity, found, wanted, none, query)?;
        }
        Ok(())
    }

    fn check_value(&self, eval: &Eval, value: &Value) -> Result<(), Mismatch> {
        match value {
            Value::Scalar(got) => match self.scalar {
                Some(expected) if almost_equal(expected, *got) => Ok(()),
                Some(expected) => Err(mismatch(expected, got)),
                None => Err(mismatch("a vector", format!("scalar {got}"))),
            },
            Value::String(got) => {
                let expected = self.string.as_deref().unwrap_or_default();
                if expected == got {
                    return Ok(());
                }
                Err(mismatch(format!("{expected:?}"), format!("{got:?}")))
            }
            Value::Vector(_) | Value::Matrix(_) if self.scalar.is_some() => {
                Err(mismatch("a scalar", value))
            }
            Value::Vector(samples) => self.check_vector(samples),
            Value::Matrix(series) => self.check_matrix(eval, series),
        }
    }

    fn check_vector(&self, samples: &[VectorSample]) -> Result<(), Mismatch> {
        for (position, sample) in samples.iter().enumerate() {
            let found = self
                .series
                .iter()
                .rposition(|line| line.labels == sample.labels);
            let got = || {
                format!(
                    "{} {} at position {}",
                    sample.labels,
                    sample.value,
                    position + 1
                )
            };
            let Some(expected) = found else {
                return Err(mismatch("no such element", got()));
            };
            if self.ordered && expected != position {
                return Err(mismatch(format!("position {}", expected + 1), got()));
            }
            match self.series[expected].values.as_slice() {
                [Some(value), ..] if almost_equal(*value, sample.value) => {}
                [Some(value), ..] => return Err(mismatch(value, got())),
                _ => return Err(mismatch("no value", got())),
            }
        }
        self.check_nothing_missing(samples.iter().map(|sample| &sample.labels))
    }

    fn check_matrix(&self, eval: &Eval, series: &[MatrixSeries]) -> Result<(), Mismatch> {
        let [start, _, step] =
            self.range_vector
                .unwrap_or([eval.start_ms, eval.end_ms, eval.step_ms.unwrap_or(0)]);
        for one in series {
            let Some(line) = self
                .series
                .iter()
                .rev()
                .find(|line| line.labels == one.labels)
            else {
                return Err(mismatch("no such series", Value::Matrix(vec![one.clone()])));
            };
            let times = (0..).map(|i| Timestamp::from_millis(start + i * step));
            let expected: Vec<(Timestamp, f64)> = times
                .zip(&line.values)
                .filter_map(|(at, value)| Some((at, (*value)?)))
                .collect();
            let same = expected.len() == one.samples.len()
                && expected
                    .iter()
                    .zip(&one.samples)
                    .all(|(expected, got)| expected.0 == got.0 && almost_equal(expected.1, got.1));
            if !same {
                let expected = MatrixSeries {
                    labels: one.labels.clone(),
                    samples: expected,
                };
                return Err(mismatch(
                    Value::Matrix(vec![expected]),
                    Value::Matrix(vec![one.clone()]),
                ));
            }
        }
        self.check_nothing_missing(series.iter().map(|one| &one.labels))
    }

    fn check_nothing_missing<'a>(
        &self,
        got: impl Iterator<Item = &'a crate::tsdb::Labels> + Clone,
    ) -> Result<(), Mismatch> {
        let missing = self
            .series
            .iter()
            .find(|line| !got.clone().any(|labels| *labels == line.labels));
        match missing {
            None => Ok(()),
            Some(line) => Err(mismatch(&line.labels, "nothing with these labels")),
        }
    }
}

impl TextMatch {
    fn pattern(text: &str) -> Result<Self, String> {
        let regex = Regex::new(text.trim()).map_err(|error| error.to_string())?;
        Ok(TextMatch::Pattern(regex))
    }

    fn accepts(&self, message: &str) -> bool {
        match self {
            TextMatch::Any => true,
            TextMatch::Exactly(text) => text == message,
            TextMatch::Pattern(regex) => regex.is_match(message),
        }
    }

    fn show(&self, what: &str) -> String {
        match self {
            TextMatch::Any => format!("a {what}"),
            TextMatch::Exactly(text) => format!("{what}: {text}"),
            TextMatch::Pattern(regex) => format!("{what} matching {regex}"),
        }
    }
}

/// Each wanted annotation must be there; where any is wanted, no other may be.
fn check_annotations_of(
    severity: Severity,
    annotations: &[Annotation],
    wanted: &[TextMatch],
    none: bool,
    query: &str,
) -> Result<(), Mismatch> {
    let found: Vec<String> = annotations
        .iter()
        .filter(|annotation| annotation.severity == severity)
        .map(|annotation| annotation.render(query))
        .collect();
    if none && !found.is_empty() {
        return Err(mismatch(format!("no {severity:?}"), found.join("; ")));
    }
    let missing = wanted
        .iter()
        .find(|one| !found.iter().any(|text| one.accepts(text)));
    if let Some(missing) = missing {
        let got = if found.is_empty() {
            "none".to_owned()
        } else {
            found.join("; ")
        };
        return Err(mismatch(missing.show(&format!("{severity:?}")), got));
    }
    let extra = found
        .iter()
        .find(|text| !wanted.iter().any(|one| one.accepts(text)));
    match extra {
        Some(extra) if !wanted.is_empty() => Err(mismatch(format!("no other {severity:?}"), extra)),
        _ => Ok(()),
    }
}

fn mismatch(expected: impl ToString, got: impl ToString) -> Mismatch {
    let or_nothing = |text: String| {
        if text.is_empty() {
            "nothing".to_owned()
        } else {
            text
        }
    };
    Mismatch {
        expected: or_nothing(expected.to_string()),
        got: or_nothing(got.to_string()),
    }
}

/// Whether two values count as equal in scripts (`util/almost`): within 1e-6 of each other, relatively; the stale marker
/// only with itself, any other NaN with any other.
pub fn almost_equal(a: f64, b: f64) -> bool {
    if is_stale(a) || is_stale(b) {
        return is_stale(a) && is_stale(b);
    }
    if a.is_nan() && b.is_nan() || a == b {
        return true;
    }
    let sum = a.abs() + b.abs();
    let difference = (a - b).abs();
    if a == 0.0 || b == 0.0 || sum < f64::MIN_POSITIVE {
        return difference < TOLERANCE * f64::MIN_POSITIVE;
    }
    difference / sum.min(f64::MAX) < TOLERANCE
}

/// A string as Go quotes it, in the two ways scripts use: backquoted, or double-quoted with the escapes both languages have.
fn go_unquote(text: &str) -> Option<String> {
    if let Some(raw) = text.strip_prefix('`') {
        return raw.strip_suffix('`').map(str::to_owned);
    }
    serde_json::from_str(text).ok()
}
