//! The checks of a timeline as Flagger makes them: round by round, a round being what one tick asked.

use crate::record::{CheckRow, Record, TimelineRow};
use crate::time::Timestamp;

/// The checks of one tick; it ends at the first that fails.
#[derive(Clone, Copy, Debug)]
pub struct Round<'a> {
    /// When.
    pub at: Timestamp,
    /// What was asked, in order; never empty.
    pub checks: &'a [CheckRow],
}

impl<'a> Round<'a> {
    /// Whether every check held.
    pub fn passed(&self) -> bool {
        self.checks.iter().all(|check| check.passed)
    }

    /// The check that failed.
    pub fn failure(&self) -> Option<&'a CheckRow> {
        self.checks.iter().find(|check| !check.passed)
    }
}

/// The rounds that judged one weight.
pub fn rounds(row: &TimelineRow) -> impl Iterator<Item = Round<'_>> {
    row.checks
        .chunk_by(|a, b| a.at == b.at)
        .map(|checks| Round {
            at: checks[0].at,
            checks,
        })
}

/// All rounds of a run.
pub fn all_rounds(record: &Record) -> impl Iterator<Item = Round<'_>> {
    record.timeline.iter().flat_map(rounds)
}
