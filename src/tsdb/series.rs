//! The column of one series: values row by row, and where they are missing or fall.

use super::storage::TargetId;
use super::{Column, Labels, is_stale};

/// Stands in a column where a series has no sample at all; no sample can have these bits, since the only NaNs a text can
/// name are Go's ordinary NaN and the stale marker.
pub(super) const GAP_BITS: u64 = 0x7ff0_0000_0000_0fa9;

#[derive(Clone, Debug)]
pub(super) struct Series {
    pub(super) labels: Labels,
    pub(super) target: TargetId,
    /// Row of `values[0]`.
    pub(super) first: usize,
    pub(super) values: Vec<f64>,
    /// The last real sample, for telling falls; NaN before the first.
    pub(super) last: f64,
    pub(super) holes: Vec<usize>,
    pub(super) resets: Vec<usize>,
}

impl Series {
    /// A series without samples.
    pub(super) fn new(labels: Labels, target: TargetId) -> Self {
        Series {
            labels,
            target,
            first: 0,
            values: Vec::new(),
            last: f64::NAN,
            holes: Vec::new(),
            resets: Vec::new(),
        }
    }

    #[inline]
    pub(super) fn column(&self) -> Column<'_> {
        Column {
            first: self.first,
            values: &self.values,
            holes: &self.holes,
            resets: &self.resets,
        }
    }

    /// The row after the last.
    pub(super) fn end(&self) -> usize {
        self.first + self.values.len()
    }

    pub(super) fn is_alive(&self) -> bool {
        self.values.last().is_some_and(|value| !is_stale(*value))
    }

    pub(super) fn push(&mut self, row: usize, value: f64) {
        if self.values.is_empty() {
            self.first = row;
        }
        for gap in self.end()..row {
            self.holes.push(gap);
            self.values.push(f64::from_bits(GAP_BITS));
        }
        self.values.push(value);
        if is_stale(value) {
            self.holes.push(row);
        } else {
            if value < self.last {
                self.resets.push(row);
            }
            self.last = value;
        }
    }

    /// Takes back what was pushed for `row`, the gaps before it included.
    pub(super) fn pop(&mut self, row: usize) {
        if self.end() <= row {
            return;
        }
        self.values.truncate(row - self.first);
        while self
            .values
            .last()
            .is_some_and(|value| value.to_bits() == GAP_BITS)
        {
            self.values.pop();
        }
        let end = self.end();
        self.holes.retain(|hole| *hole < end);
        self.resets.retain(|reset| *reset < end);
        let real = |value: &&f64| !is_stale(**value) && value.to_bits() != GAP_BITS;
        self.last = self
            .values
            .iter()
            .rev()
            .find(real)
            .copied()
            .unwrap_or(f64::NAN);
    }

    pub(super) fn forget_rows_before(&mut self, row: usize) {
        let old = row.saturating_sub(self.first).min(self.values.len());
        self.values.drain(..old);
        self.first += old;
        self.holes.retain(|hole| *hole >= row);
        self.resets.retain(|reset| *reset >= row);
    }

    pub(super) fn clear(&mut self) {
        self.values.clear();
        self.holes.clear();
        self.resets.clear();
        self.last = f64::NAN;
    }
}
