//! Prometheus' own PromQL test scripts (`promql/promqltest`), run against the evaluator here.
//!
//! A script loads series into an empty store and asks for values, failures and annotations; the format is upstream's, read by
//! `script`. What is not modelled here (native histograms, start timestamps, experimental functions) a [`Scope`] leaves out:
//! cases outside it are counted as skipped and not even parsed. Native histogram samples in `load` blocks are ignored.
//!
//! The engine is set up as upstream's test engine is: lookback 5m, subqueries without a step every 1m, delayed name removal.

mod expectation;
mod script;
mod series;

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;

use crate::diagnostic::{Diagnostic, SourceText};
use crate::promql::{Answer, Options, Query, Version};
use crate::time::{Span, Timestamp};
use crate::tsdb::Storage;

pub use expectation::almost_equal;
use script::{Command, Eval, Load};

/// Which cases of which files are to be run; others are skipped.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// By file name (without folders) and line.
    cases: BTreeMap<(String, usize), bool>,
}

/// What came of a run.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Cases that answered as expected.
    pub passed: usize,
    /// Cases that did not.
    pub failed: usize,
    /// Cases outside the scope.
    pub skipped: usize,
    /// The failed ones.
    pub failures: Vec<Failure>,
}

/// A case that did not answer as expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The script's file name as it was given.
    pub file: String,
    /// The line of the `eval`.
    pub line: usize,
    /// The query.
    pub query: String,
    /// What the script expects.
    pub expected: String,
    /// What was answered instead.
    pub got: String,
}

/// What a query answered: a value, or why there is none.
pub type Outcome = Result<Answer, String>;

impl Scope {
    /// Reads a scope: a JSON list of objects with `file`, `line` and `in_scope`; other keys are ignored.
    ///
    /// # Errors
    /// When the text is no such list.
    pub fn from_json(text: &str) -> Result<Scope, serde_json::Error> {
        #[derive(Deserialize)]
        struct Case {
            file: String,
            line: usize,
            in_scope: bool,
        }
        let cases: Vec<Case> = serde_json::from_str(text)?;
        let cases = cases
            .into_iter()
            .map(|case| ((case.file, case.line), case.in_scope))
            .collect();
        Ok(Scope { cases })
    }

    /// Whether a case is to be run. Cases the scope does not name are not.
    pub fn contains(&self, file: &str, line: usize) -> bool {
        let name = Path::new(file)
            .file_name()
            .unwrap_or_default()
            .to_string_lossy();
        self.cases
            .get(&(name.into_owned(), line))
            .copied()
            .unwrap_or(false)
    }
}

/// Runs script files; without a scope all of their cases.
///
/// # Errors
/// When a file cannot be read or is no valid script.
pub fn run_files(
    files: &[PathBuf],
    scope: Option<&Scope>,
    version: Version,
) -> Result<Report, Diagnostic> {
    let mut report = Report::default();
    for file in files {
        let name = file.display().to_string();
        let text = fs::read_to_string(file)
            .map_err(|error| Diagnostic::new(format!("cannot read {name}: {error}")))?;
        report.add(run_script(&name, &text, scope, version)?);
    }
    Ok(report)
}

/// Runs one script.
///
/// # Errors
/// When it is no valid script.
pub fn run_script(
    name: &str,
    text: &str,
    scope: Option<&Scope>,
    version: Version,
) -> Result<Report, Diagnostic> {
    let mut report = Report::default();
    let source = SourceText::new(name, text);
    let in_scope = |line| scope.is_none_or(|scope| scope.contains(name, line));
    // The scripts expect the annotations of 3.x; 2.x made none, or others.
    let judges_annotations = version == Version::V3;
    each_case(&source, version, &in_scope, &mut |case| {
        let Some(outcome) = case.outcome else {
            report.skipped += 1;
            return Ok(());
        };
        let expected = case.eval.expectation(&source)?;
        match expected.check(case.eval, outcome, judges_annotations) {
            Ok(()) => report.passed += 1,
            Err(mismatch) => {
                report.failed += 1;
                report.failures.push(Failure {
                    file: name.to_owned(),
                    line: case.eval.line,
                    query: case.eval.query.clone(),
                    expected: mismatch.expected,
                    got: mismatch.got,
                });
            }
        }
        Ok(())
    })?;
    Ok(report)
}

/// Answers the cases of a script without judging them: line, query, and the outcome of each in scope.
///
/// # Errors
/// When it is no valid script.
pub fn answers(
    name: &str,
    text: &str,
    scope: Option<&Scope>,
    version: Version,
) -> Result<Vec<(usize, String, Outcome)>, Diagnostic> {
    let mut answers = Vec::new();
    let source = SourceText::new(name, text);
    let in_scope = |line| scope.is_none_or(|scope| scope.contains(name, line));
    each_case(&source, version, &in_scope, &mut |case| {
        if let Some(outcome) = case.outcome {
            answers.push((case.eval.line, case.eval.query.clone(), outcome.clone()));
        }
        Ok(())
    })?;
    Ok(answers)
}

/// A case as it comes by; without an outcome where it is out of scope.
struct Case<'a> {
    eval: &'a Eval,
    outcome: Option<&'a Outcome>,
}

/// Goes through a script: loads what it loads and answers what it asks.
fn each_case(
    source: &Arc<SourceText>,
    version: Version,
    in_scope: &dyn Fn(usize) -> bool,
    visit: &mut dyn FnMut(Case<'_>) -> Result<(), Diagnostic>,
) -> Result<(), Diagnostic> {
    let options = Options {
        version,
        // 2.x could not do otherwise; the scripts expect what 3.x does with the feature on.
        delayed_name_removal: version == Version::V3,
        ..Options::default()
    };
    let mut storage = Storage::new();
    for command in script::parse(source)? {
        match command {
            Command::Clear => storage = Storage::new(),
            Command::Load(load) => load.into(&mut storage),
            Command::Eval(eval) => {
                let outcome = in_scope(eval.line).then(|| answer(&eval, &storage, &options));
                visit(Case {
                    eval: &eval,
                    outcome: outcome.as_ref(),
                })?;
            }
        }
    }
    Ok(())
}

fn answer(eval: &Eval, storage: &Storage, options: &Options) -> Outcome {
    let query = Query::compile(&eval.query, options).map_err(|error| error.message)?;
    let answer = match eval.step_ms {
        None => query.instant(storage, Timestamp::from_millis(eval.start_ms)),
        Some(step) => query.range(
            storage,
            Timestamp::from_millis(eval.start_ms),
            Timestamp::from_millis(eval.end_ms),
            Span::from_millis(step),
        ),
    };
    answer.map_err(|error| error.message)
}

impl Load {
    /// Puts the series of a block into the store.
    fn into(self, storage: &mut Storage) {
        for (labels, samples) in self.series {
            storage
                .insert(&labels, samples)
                .expect("a script's store has no scraped targets");
        }
    }
}

impl Report {
    fn add(&mut self, other: Report) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
        self.failures.extend(other.failures);
    }
}

/// The failures, and the counts in the last line.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for failure in &self.failures {
            writeln!(f, "{failure}")?;
        }
        write!(
            f,
            "{} passed, {} failed, {} skipped",
            self.passed, self.failed, self.skipped
        )
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Failure {
            file,
            line,
            query,
            expected,
            got,
        } = self;
        write!(
            f,
            "{file}:{line}: {query}\n  expected {expected}\n  got      {got}"
        )
    }
}
