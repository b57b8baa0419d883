//! What one target's scrapes left: times, and values row by row.
//!
//! A scrape is a row of cells, one per series, so that writing it is one sweep through memory, and so is reading two rows for
//! the `increase` of all series. What is not regular about a series (rows without a sample, rows at which its value fell) is
//! listed apart; most series have neither.

use super::{STALE, SeriesId, Table, is_stale};
use crate::time::Timestamp;

/// Stands in a cell that holds no sample at all; no sample can have these bits, since the only NaNs a text can name are Go's
/// ordinary NaN and the stale marker.
pub(super) const GAP_BITS: u64 = 0x7ff0_0000_0000_0fa9;
const GAP: f64 = f64::from_bits(GAP_BITS);

/// All that a store knows of one target.
#[derive(Clone, Debug, Default)]
pub(super) struct Target {
    /// Number of the row that `times[0]` belongs to.
    first: usize,
    pub(super) times: Vec<Timestamp>,
    /// `width` cells per row; those of slots that no series has yet hold gaps.
    cells: Vec<f64>,
    width: usize,
    tracks: Vec<Track>,
    presences: Vec<Presence>,
}

/// Where a series stands; small, since every scrape and every query goes through all of them.
#[derive(Clone, Debug)]
pub(super) struct Track {
    /// The first row with a sample, and the row after the last with a sample or a stale marker.
    pub(super) first: u32,
    pub(super) end: u32,
    /// The newest sample; NaN before the first.
    last: f64,
    /// The last row holds a sample: should the next not, the series is stale.
    alive: bool,
    /// It has holes or falls.
    pub(super) irregular: bool,
}

/// What is not regular about a series; rows, ascending.
#[derive(Clone, Debug, Default)]
pub(super) struct Presence {
    /// Rows between first and last without a sample: gaps and stale markers.
    pub(super) holes: Vec<u32>,
    /// Rows with a sample smaller than the one before it.
    pub(super) falls: Vec<u32>,
}

impl Target {
    /// Room for one more series; answers with its slot.
    pub(super) fn add_series(&mut self) -> usize {
        let slot = self.tracks.len();
        if slot == self.width {
            self.widen((self.width * 2).max(1));
        }
        self.tracks.push(Track::default());
        self.presences.push(Presence::default());
        slot
    }

    /// How many series it has.
    pub(super) fn len(&self) -> usize {
        self.tracks.len()
    }

    /// Begins a row, all gaps.
    pub(super) fn begin_row(&mut self) {
        self.cells.resize(self.cells.len() + self.width, GAP);
    }

    /// Takes the begun row back.
    pub(super) fn abandon_row(&mut self) {
        self.cells.truncate(self.times.len() * self.width);
    }

    /// Fills a cell of the begun row, unless it is filled already.
    #[inline]
    pub(super) fn fill(&mut self, slot: usize, value: f64) {
        let row = self.times.len() * self.width;
        let cell = &mut self.cells[row + slot];
        if cell.to_bits() == GAP_BITS {
            *cell = value;
        }
    }

    /// Ends the begun row: it was scraped at `at`, and series that were there before and are missing become stale.
    pub(super) fn end_row(&mut self, at: Timestamp) {
        let row = (self.first + self.times.len()) as u32;
        let begun = self.times.len() * self.width;
        self.times.push(at);
        let cells = &mut self.cells[begun..];
        let all = self.tracks.iter_mut().zip(&mut self.presences).zip(cells);
        for ((track, presence), cell) in all {
            if cell.to_bits() == GAP_BITS {
                if !track.alive {
                    continue;
                }
                *cell = STALE;
            }
            track.advance(presence, row, *cell, self.first as u32);
        }
    }

    /// Drops rows older than `limit`, once they are at least half of all: so each row is moved once on average.
    pub(super) fn forget_before(&mut self, limit: Timestamp) {
        let half = self.times.len() / 2;
        if half < 8 || self.times[half] >= limit {
            return;
        }
        let old = self.times.partition_point(|at| *at < limit);
        self.times.drain(..old);
        self.cells.drain(..old * self.width);
        self.first += old;
        let first = self.first as u32;
        for (track, presence) in self.tracks.iter_mut().zip(&mut self.presences) {
            if track.irregular {
                presence.holes.retain(|row| *row >= first);
                presence.falls.retain(|row| *row >= first);
                track.irregular = !(presence.holes.is_empty() && presence.falls.is_empty());
            }
        }
    }

    #[inline]
    pub(super) fn table(&self) -> Table<'_> {
        Table {
            times: &self.times,
            cells: &self.cells,
            first: self.first,
            width: self.width,
            tracks: &self.tracks,
            presences: &self.presences,
        }
    }

    /// The samples of a series that are still kept, stale markers included.
    pub(super) fn samples(&self, series: SeriesId) -> impl Iterator<Item = (Timestamp, f64)> {
        let column = self.table().column(series);
        let rows = column.within(&(self.first..self.first + self.times.len()));
        rows.map(move |row| (self.times[row - self.first], column.value(row)))
            .filter(|(_, value)| value.to_bits() != GAP_BITS)
    }

    /// Forgets all rows, not the series.
    pub(super) fn clear(&mut self) {
        self.first = 0;
        self.times.clear();
        self.cells.clear();
        self.tracks.fill(Track::default());
        self.presences.fill(Presence::default());
    }

    /// Makes rows wider, with gaps in the new cells.
    fn widen(&mut self, width: usize) {
        let mut cells = Vec::with_capacity(self.times.len() * width);
        for row in 0..self.times.len() {
            let start = row * self.width;
            cells.extend_from_slice(&self.cells[start..start + self.width]);
            cells.resize((row + 1) * width, GAP);
        }
        self.cells = cells;
        self.width = width;
    }
}

impl Track {
    /// Takes up a sample or stale marker in a row; `kept` is the oldest row that is still there.
    #[inline]
    fn advance(&mut self, presence: &mut Presence, row: u32, value: f64, kept: u32) {
        if self.end != row {
            if self.end <= kept {
                self.first = row;
            } else {
                presence.holes.extend(self.end..row);
                self.irregular = true;
            }
        }
        self.end = row + 1;
        if is_stale(value) {
            presence.holes.push(row);
            self.irregular = true;
            self.alive = false;
            return;
        }
        if value < self.last {
            presence.falls.push(row);
            self.irregular = true;
        }
        self.last = value;
        self.alive = true;
    }
}

impl Default for Track {
    fn default() -> Self {
        Track {
            first: 0,
            end: 0,
            last: f64::NAN,
            alive: false,
            irregular: false,
        }
    }
}
