//! The worker slots of first-come-first-served pods (the Kiefer-Wolfowitz recursion).
//!
//! A pod with `c` slots is a row of `c` moments, in order: when each slot gets free. The next request starts on the first,
//! as soon as both are there, and the row is put in order again. Exact for any arrivals and service times, as long as
//! requests come in order of time; neither a queue of waiting requests nor an event for a finished one is needed.

use crate::sim::clock::{NEVER, Tick};

/// Rows up to this many slots are put in order by comparing all of them, eight at a time; longer ones by search and move.
const COMPARED: usize = 64;

/// Slots compared in one go.
const LANES: usize = 8;

/// The rows of all pods, one after the other.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slots {
    free_at: Vec<Tick>,
}

/// One pod's row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    start: u32,
    concurrency: u32,
}

impl Row {
    fn is_compared(self) -> bool {
        self.concurrency as usize <= COMPARED
    }

    /// Slots and padding: whole groups of [`LANES`] for rows that are compared, and one more.
    fn width(self) -> usize {
        let concurrency = self.concurrency as usize;
        if self.is_compared() {
            concurrency.next_multiple_of(LANES) + 1
        } else {
            concurrency
        }
    }
}

impl Slots {
    /// Adds a pod with `concurrency` free slots. The padding of a row is never free.
    pub(crate) fn add(&mut self, concurrency: usize) -> Row {
        let row = Row {
            start: self.free_at.len() as u32,
            concurrency: concurrency as u32,
        };
        let start = self.free_at.len();
        self.free_at.resize(start + concurrency, 0);
        self.free_at.resize(start + row.width(), NEVER);
        row
    }

    /// Gives a request to a pod; answers when it is done. Requests must come in order of `arrival`.
    #[inline(always)]
    pub(crate) fn serve(&mut self, row: Row, arrival: Tick, service: u64) -> Tick {
        let start = row.start as usize;
        let done = later(self.free_at[start], arrival) + service;
        let slots = &mut self.free_at[start..start + row.width()];
        if row.is_compared() {
            insert_by_comparison(slots, done);
        } else {
            insert_by_search(slots, done);
        }
        done
    }

    /// Slots of a pod that have work at `at`.
    pub(crate) fn busy(&self, row: Row, at: Tick) -> u32 {
        let slots = self.slots(row);
        (slots.len() - slots.partition_point(|&free_at| free_at <= at)) as u32
    }

    /// When the last slot gets free.
    pub(crate) fn last(&self, row: Row) -> Tick {
        self.slots(row)[row.concurrency as usize - 1]
    }

    fn slots(&self, row: Row) -> &[Tick] {
        &self.free_at[row.start as usize..][..row.concurrency as usize]
    }
}

/// Replaces the first moment of a row by `done` and puts the row in order.
///
/// In an ordered row every place ends up with its own moment, its right neighbour's or `done`, whichever is in the middle.
#[inline(always)]
fn insert_by_comparison(row: &mut [Tick], done: Tick) {
    let mut group = 0;
    while group + LANES < row.len() {
        let old: [Tick; LANES + 1] = row[group..=group + LANES]
            .try_into()
            .expect("one more than a group");
        for lane in 0..LANES {
            row[group + lane] = later(old[lane], earlier(old[lane + 1], done));
        }
        group += LANES;
    }
}

/// The same for a long row, most of which would be compared in vain.
#[inline(never)]
fn insert_by_search(row: &mut [Tick], done: Tick) {
    let place = row.partition_point(|&free_at| free_at < done).max(1);
    row.copy_within(1..place, 0);
    row[place - 1] = done;
}

/// The later of two ticks, compared as floats: see [`Tick`] for why that is the same and quicker.
#[inline(always)]
fn later(a: Tick, b: Tick) -> Tick {
    let (a, b) = (f64::from_bits(a), f64::from_bits(b));
    if a > b { a } else { b }.to_bits()
}

/// The earlier of two ticks.
#[inline(always)]
fn earlier(a: Tick, b: Tick) -> Tick {
    let (a, b) = (f64::from_bits(a), f64::from_bits(b));
    if a < b { a } else { b }.to_bits()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::{Purpose, RunSeed};
    use crate::sim::clock::tick;
    use rand_xoshiro::rand_core::Rng;

    #[test]
    fn rows_of_any_width_behave_as_a_sorted_list() {
        for concurrency in [1, 2, 7, 8, 9, 16, 33, 64, 65, 300] {
            let mut slots = Slots::default();
            let others = slots.add(3);
            let row = slots.add(concurrency);
            slots.add(3);
            let mut list = vec![0u64; concurrency];
            let mut draws = RunSeed(concurrency as u64).stream(Purpose::Service, 0);
            let mut now = tick(0);
            for _ in 0..2_000 {
                now += draws.next_u64() % (2_000 / concurrency as u64 + 2);
                let service = draws.next_u64() % 2_000;
                let done = list[0].max(now) + service;
                list[0] = done;
                list.sort_unstable();
                assert_eq!(slots.serve(row, now, service), done);
                assert_eq!(slots.slots(row), list);
            }
            assert_eq!(
                slots.busy(row, now),
                list.iter().filter(|&&free_at| free_at > now).count() as u32
            );
            assert_eq!(slots.last(row), list[concurrency - 1]);
            assert_eq!(slots.slots(others), [0; 3], "a neighbour was touched");
        }
    }
}
