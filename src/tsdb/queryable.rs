//! What evaluation knows of a store of series (`storage/interface.go`).

use std::ops::Range;

use super::series::GAP_BITS;
use super::{Labels, Matcher, SeriesId, TargetId};
use crate::time::Timestamp;

/// A range of a target's rows (its scrapes), counted from its first one ever; rows that retention dropped keep their number.
pub type Rows = Range<usize>;

/// A store that queries can be evaluated against.
///
/// A series belongs to one target, whose timestamps it shares; row `i` of a series was scraped at the target's time `i`.
pub trait Queryable {
    /// A number that differs whenever [`select`](Self::select) may answer differently: what is selected can be cached under it.
    fn fingerprint(&self) -> u64;

    /// The series that satisfy all matchers, in storage order (that of their creation).
    fn select(&self, matchers: &[Matcher]) -> Vec<SeriesId>;

    /// What identifies a series.
    fn labels(&self, series: SeriesId) -> &Labels;

    /// The target a series belongs to.
    fn target(&self, series: SeriesId) -> TargetId;

    /// The rows of a target whose time lies in `from..=to`, or in the left-open `(from, to]` where `open` says so.
    fn rows(&self, target: TargetId, from: Timestamp, to: Timestamp, open: bool) -> Rows;

    /// The times of rows, which must be among those [`rows`](Self::rows) answers with.
    fn times(&self, target: TargetId, rows: Rows) -> &[Timestamp];

    /// A series' values.
    fn column(&self, series: SeriesId) -> Column<'_>;
}

/// The values of one series, row by row.
#[derive(Clone, Copy, Debug)]
pub struct Column<'a> {
    pub(super) first: usize,
    pub(super) values: &'a [f64],
    pub(super) holes: &'a [usize],
    pub(super) resets: &'a [usize],
}

impl<'a> Column<'a> {
    /// The rows from the series' first to its last, cut to `window`; some of them may be holes.
    #[inline]
    pub fn within(&self, window: &Rows) -> Rows {
        let start = window.start.max(self.first);
        let end = window.end.min(self.first + self.values.len());
        start..end.max(start)
    }

    /// The values of rows that [`within`](Self::within) answered with.
    #[inline]
    pub fn values(&self, rows: &Rows) -> &'a [f64] {
        &self.values[rows.start - self.first..rows.end - self.first]
    }

    /// The samples in rows that [`within`](Self::within) answered with, holes skipped.
    pub fn samples(&self, rows: &Rows) -> impl Iterator<Item = (usize, f64)> + use<'a> {
        let mut holes = self.holes(rows).iter().copied().peekable();
        let numbered = rows.clone().zip(self.values(rows).iter().copied());
        numbered.filter(move |(row, _)| holes.next_if_eq(row).is_none())
    }

    /// The newest row before the end of `window` that holds a sample or a stale marker: where the series stood then.
    pub fn last_before(&self, window: &Rows) -> Option<(usize, f64)> {
        let mut row = window.end.min(self.first + self.values.len());
        while row > window.start.max(self.first) {
            row -= 1;
            let value = self.values[row - self.first];
            if value.to_bits() != GAP_BITS {
                return Some((row, value));
            }
        }
        None
    }

    /// Which of the rows hold no sample: the series was missing there, or marked stale. Sorted.
    #[inline]
    pub fn holes(&self, rows: &Rows) -> &'a [usize] {
        between(self.holes, rows)
    }

    /// Whether no sample in these rows is smaller than the one before it, both of them in these rows.
    #[inline]
    pub fn never_falls(&self, rows: &Rows) -> bool {
        self.resets.is_empty()
            || between(self.resets, &(rows.start + 1..rows.end.max(rows.start + 1))).is_empty()
    }
}

/// The part of a sorted list that lies in a range.
#[inline]
fn between<'a>(sorted: &'a [usize], range: &Rows) -> &'a [usize] {
    // Nearly always empty, so not even a search.
    if sorted.last().is_none_or(|last| *last < range.start) {
        return &[];
    }
    let start = sorted.partition_point(|row| *row < range.start);
    let end = sorted.partition_point(|row| *row < range.end);
    &sorted[start..end]
}
