//! What evaluation knows of a store of series (`storage/interface.go`).

use std::ops::Range;

use super::target::{GAP_BITS, Presence, Track};
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

    /// What the scrapes of a target left.
    fn table(&self, target: TargetId) -> Table<'_>;
}

/// The scrapes of one target: a row per scrape, a cell in it per series.
#[derive(Clone, Copy, Debug)]
pub struct Table<'a> {
    pub(super) times: &'a [Timestamp],
    pub(super) cells: &'a [f64],
    /// Row of the first time and cell, and cells per row.
    pub(super) first: usize,
    pub(super) width: usize,
    pub(super) tracks: &'a [Track],
    pub(super) presences: &'a [Presence],
}

impl<'a> Table<'a> {
    /// The rows whose time lies in `from..=to`, or in the left-open `(from, to]` where `open` says so.
    pub fn rows(&self, from: Timestamp, to: Timestamp, open: bool) -> Rows {
        // Queries ask for the newest rows nearly always.
        let end = match self.times.last() {
            Some(last) if *last <= to => self.times.len(),
            _ => self.times.partition_point(|at| *at <= to),
        };
        let before = |at: &Timestamp| *at < from || open && *at == from;
        let start = self.times[..end].partition_point(before);
        self.first + start..self.first + end
    }

    /// The times of rows, which must be among those [`rows`](Self::rows) answers with.
    #[inline]
    pub fn times(&self, rows: &Rows) -> &'a [Timestamp] {
        &self.times[rows.start - self.first..rows.end - self.first]
    }

    /// A row's cells, by [`SeriesId::slot`]; only those of series that have a sample there mean anything.
    #[inline]
    pub fn row(&self, row: usize) -> &'a [f64] {
        let start = (row - self.first) * self.width;
        &self.cells[start..start + self.width]
    }

    /// Whether a series has a sample in each of the rows, none smaller than the one before it. May say no where it is so.
    #[inline]
    pub fn rises_through(&self, series: SeriesId, rows: &Rows) -> bool {
        let track = &self.tracks[series.slot()];
        !track.irregular && track.first as usize <= rows.start && rows.end <= track.end as usize
    }

    /// The values of one series.
    pub fn column(&self, series: SeriesId) -> Column<'a> {
        Column {
            table: *self,
            track: &self.tracks[series.slot()],
            presence: &self.presences[series.slot()],
            slot: series.slot(),
        }
    }
}

/// The values of one series, row by row.
#[derive(Clone, Copy, Debug)]
pub struct Column<'a> {
    table: Table<'a>,
    track: &'a Track,
    presence: &'a Presence,
    slot: usize,
}

impl<'a> Column<'a> {
    /// The rows from the series' first to its last, cut to `window`; some of them may be holes.
    #[inline]
    pub fn within(&self, window: &Rows) -> Rows {
        let start = window.start.max(self.track.first as usize);
        let end = window.end.min(self.track.end as usize);
        start..end.max(start)
    }

    /// What a row holds, one of those that [`within`](Self::within) answers with; of a hole that is no sample.
    #[inline]
    pub fn value(&self, row: usize) -> f64 {
        self.table.row(row)[self.slot]
    }

    /// The samples in rows that [`within`](Self::within) answered with, holes skipped.
    pub fn samples(self, rows: &Rows) -> impl Iterator<Item = (Timestamp, f64)> + use<'a> {
        let mut holes = self.holes(rows).iter().peekable();
        let timed = rows.clone().zip(self.table.times(rows));
        timed
            .filter(move |(row, _)| holes.next_if(|hole| **hole as usize == *row).is_none())
            .map(move |(row, at)| (*at, self.value(row)))
    }

    /// The newest sample or stale marker in `window`: where the series stood then.
    pub fn last_in(&self, window: &Rows) -> Option<(Timestamp, f64)> {
        let rows = self.within(window).rev();
        rows.map(|row| (self.table.times(&(row..row + 1))[0], self.value(row)))
            .find(|(_, value)| value.to_bits() != GAP_BITS)
    }

    /// Whether some of the rows hold no sample: the series was missing there, or marked stale.
    #[inline]
    pub fn has_holes(&self, rows: &Rows) -> bool {
        self.track.irregular && !self.holes(rows).is_empty()
    }

    /// The rows whose sample is smaller than the one before it, both of them in these rows (a NaN is not smaller).
    #[inline]
    pub fn falls(&self, rows: &Rows) -> &'a [u32] {
        if self.track.irregular {
            between(&self.presence.falls, rows.start + 1..rows.end)
        } else {
            &[]
        }
    }

    fn holes(&self, rows: &Rows) -> &'a [u32] {
        between(&self.presence.holes, rows.clone())
    }
}

/// The part of a sorted list that lies in a range.
fn between(sorted: &[u32], range: Rows) -> &[u32] {
    let start = sorted.partition_point(|row| (*row as usize) < range.start);
    let end = sorted.partition_point(|row| (*row as usize) < range.end);
    &sorted[start..end.max(start)]
}
