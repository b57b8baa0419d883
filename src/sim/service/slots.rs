//! The worker slots of first-come-first-served pods (the Kiefer-Wolfowitz recursion).
//!
//! A pod with `c` slots is a row of `c` moments, in order: when each slot gets free. The next request starts on the first,
//! as soon as both are there, and the row is put in order again. Exact for any arrivals and service times, as long as
//! requests come in order of time; neither a queue of waiting requests nor an event for a finished one is needed.

use crate::sim::clock::{NEVER, Tick};

/// Slots compared in one go.
const LANES: usize = 8;

/// Rows up to this many groups are put in order by comparing all slots; longer ones by search and move.
const COMPARED: usize = 8;

/// Some neighbouring slots. The moments are ticks, kept as the floats with the same bits: see [`Tick`].
type Group = [f64; LANES];

/// Padding of a row's last group.
const NEVER_FREE: f64 = f64::from_bits(NEVER);

/// The rows of all pods, one after the other, each in whole groups.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slots {
    groups: Vec<Group>,
}

/// One pod's row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    first: u32,
    groups: u32,
    concurrency: u32,
}

impl Slots {
    /// Adds a pod with `concurrency` free slots.
    pub(crate) fn add(&mut self, concurrency: u32) -> Row {
        let row = Row {
            first: self.groups.len() as u32,
            groups: concurrency.div_ceil(LANES as u32),
            concurrency,
        };
        let end = self.groups.len() + row.groups as usize;
        self.groups.resize(end, [NEVER_FREE; LANES]);
        let slots = self.groups[row.first as usize..].as_flattened_mut();
        slots[..concurrency as usize].fill(0.0);
        row
    }

    /// Gives a request to a pod; answers when it is done. Requests must come in order of `arrival`.
    #[inline(always)]
    pub(crate) fn serve(&mut self, row: Row, arrival: Tick, service: u64) -> Tick {
        let groups = &mut self.groups[row.first as usize..][..row.groups as usize];
        let begun = later(groups[0][0], f64::from_bits(arrival));
        let done = begun.to_bits() + service;
        if groups.len() <= COMPARED {
            insert_by_comparison(groups, f64::from_bits(done));
        } else {
            insert_by_search(groups.as_flattened_mut(), f64::from_bits(done));
        }
        done
    }

    /// When a pod begins a request that comes at `arrival`.
    pub(crate) fn begins(&self, row: Row, arrival: Tick) -> Tick {
        self.slots(row)[0].to_bits().max(arrival)
    }

    /// Slots of a pod that have work at `at`.
    pub(crate) fn busy(&self, row: Row, at: Tick) -> u32 {
        let slots = self.slots(row);
        (slots.len() - slots.partition_point(|free_at| free_at.to_bits() <= at)) as u32
    }

    /// Nanoseconds of work that a pod still has to do at `at`. A slot that is not free has work without a gap.
    pub(crate) fn work_left(&self, row: Row, at: Tick) -> u64 {
        let slots = self.slots(row).iter();
        slots
            .map(|free_at| free_at.to_bits().saturating_sub(at))
            .sum()
    }

    /// When the last slot gets free.
    pub(crate) fn last(&self, row: Row) -> Tick {
        self.slots(row)[row.concurrency as usize - 1].to_bits()
    }

    fn slots(&self, row: Row) -> &[f64] {
        &self.groups[row.first as usize..].as_flattened()[..row.concurrency as usize]
    }
}

/// Replaces the first moment of a row by `done` and puts the row in order.
///
/// In an ordered row every place ends up with its own moment, its right neighbour's or `done`, whichever is in the middle.
#[inline(always)]
fn insert_by_comparison(groups: &mut [Group], done: f64) {
    let mut rest = groups;
    while let Some((group, after)) = rest.split_first_mut() {
        let own = *group;
        let mut right = [after.first().map_or(NEVER_FREE, |next| next[0]); LANES];
        right[..LANES - 1].copy_from_slice(&own[1..]);
        *group = std::array::from_fn(|lane| later(own[lane], earlier(right[lane], done)));
        rest = after;
    }
}

/// The same for a long row, most of which would be compared in vain.
#[inline(never)]
fn insert_by_search(slots: &mut [f64], done: f64) {
    let place = slots.partition_point(|&free_at| free_at < done).max(1);
    slots.copy_within(1..place, 0);
    slots[place - 1] = done;
}

/// The later of two ticks' floats, in the form that is one instruction.
#[inline(always)]
fn later(a: f64, b: f64) -> f64 {
    if a > b { a } else { b }
}

/// The earlier of two.
#[inline(always)]
fn earlier(a: f64, b: f64) -> f64 {
    if a < b { a } else { b }
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
            let row = slots.add(concurrency as u32);
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
                assert!(
                    slots
                        .slots(row)
                        .iter()
                        .map(|at| at.to_bits())
                        .eq(list.iter().copied())
                );
            }
            assert_eq!(
                slots.busy(row, now),
                list.iter().filter(|&&free_at| free_at > now).count() as u32
            );
            assert_eq!(slots.last(row), list[concurrency - 1]);
            assert_eq!(slots.slots(others), [0.0; 3], "a neighbour was touched");
        }
    }
}
