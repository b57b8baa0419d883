//! What `check` found: as text, as Markdown for a step summary, as annotations of GitHub's, as JUnit.

pub mod github;
pub mod junit;
pub mod markdown;
pub mod picture;
mod sentences;
pub mod text;

pub use sentences::{Level, change, differing};

use crate::diagnostic::{Diagnostic, Place};
use crate::record::CheckRow;
use crate::study::check::{Compared, Story};
use crate::study::expectation::ExpectationResult;
use crate::study::sample::Sample;

/// A check of some scenarios.
#[derive(Clone, Debug)]
pub struct Report {
    /// What was given on the command line.
    pub paths: String,
    /// Every scenario, in the order of their names.
    pub scenarios: Vec<Checked>,
    /// What they were compared with.
    pub baseline: BaselineUse,
    /// Scenarios of the baseline that are not there any more.
    pub gone: Vec<String>,
    /// Whether differences are shown of scenarios that passed, too.
    pub show_differences: bool,
}

/// What scenarios were compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BaselineUse {
    /// The file at this path, recorded by this version of rollcast.
    Compared(String, String),
    /// Nothing: there is no file at this path.
    Missing(String),
    /// The file at this path, which now holds these runs.
    Updated(String),
}

/// One scenario.
#[derive(Clone, Debug)]
pub struct Checked {
    /// Its path below the baseline's folder.
    pub name: String,
    /// Its path as it was given.
    pub file: String,
    /// How long it took, in seconds of the clock on the wall; told to JUnit, which wants it, and no reason for anything.
    pub seconds: f64,
    /// What came of it.
    pub found: Found,
}

/// What came of a scenario.
#[derive(Clone, Debug)]
pub enum Found {
    /// It was run.
    Ran(Box<Ran>),
    /// It could not be.
    Broken(Diagnostic),
}

/// A scenario that was run.
#[derive(Clone, Debug)]
pub struct Ran {
    /// Its expectations, each with the place it was written at.
    pub expectations: Vec<(ExpectationResult, Position)>,
    /// The run with the first seed.
    pub story: Story,
    /// The last check that failed before that was decided.
    pub deciding: Option<CheckRow>,
    /// All runs.
    pub sample: Sample,
    /// The recorded runs beside them.
    pub compared: Option<Compared>,
    /// Where each of the changes since then was written; nothing for what is not there any more.
    pub change_places: Vec<Option<Position>>,
}

/// A place in a file, line and column from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// Path as it was read.
    pub file: String,
    /// Line.
    pub line: usize,
    /// Column.
    pub column: usize,
}

impl Position {
    /// Where something was written.
    pub fn of(place: &Place) -> Position {
        let (source, range) = place;
        let (line, column) = source.line_column(range.start);
        Position {
            file: source.name.clone(),
            line,
            column,
        }
    }
}

/// How a scenario came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All held.
    Passed,
    /// An expectation failed, or there is a difference from the baseline.
    Failed,
    /// It could not be run.
    Broken,
}

impl Checked {
    /// How it came out.
    pub fn verdict(&self) -> Verdict {
        match &self.found {
            Found::Broken(_) => Verdict::Broken,
            Found::Ran(ran) if ran.failed() => Verdict::Failed,
            Found::Ran(_) => Verdict::Passed,
        }
    }
}

impl Ran {
    /// Expectations that failed.
    pub fn unmet(&self) -> impl Iterator<Item = &(ExpectationResult, Position)> {
        self.expectations.iter().filter(|(result, _)| !result.met)
    }

    fn shifted(&self) -> bool {
        let compared = self.compared.iter();
        compared.flat_map(Compared::counting).next().is_some()
    }

    fn failed(&self) -> bool {
        self.shifted() || self.unmet().next().is_some()
    }
}

impl Report {
    /// How many passed, failed and could not be run.
    pub fn counts(&self) -> [usize; 3] {
        [Verdict::Passed, Verdict::Failed, Verdict::Broken].map(|wanted| {
            let scenarios = self.scenarios.iter();
            scenarios
                .filter(|checked| checked.verdict() == wanted)
                .count()
        })
    }

    fn ran(&self) -> impl Iterator<Item = &Ran> {
        self.scenarios
            .iter()
            .filter_map(|checked| match &checked.found {
                Found::Ran(ran) => Some(&**ran),
                Found::Broken(_) => None,
            })
    }

    /// Expectations, and comparisons with the baseline.
    pub fn held(&self) -> [usize; 2] {
        let expectations = self.ran().map(|ran| ran.expectations.len()).sum();
        let compared = self.ran().filter_map(|ran| ran.compared.as_ref());
        [
            expectations,
            compared.map(|compared| compared.shifts.len()).sum(),
        ]
    }
}
