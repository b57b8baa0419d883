//! The next requests, drawn ahead.
//!
//! Arrivals and draws depend on nothing that happens in the world, so they are made in blocks. It also means that where
//! the world cuts time cannot change them.

use std::ops::Range;

use rand_xoshiro::rand_core::Rng;

use crate::seed::{Purpose, RunSeed, Stream};
use crate::sim::clock::Tick;
use crate::sim::traffic::{ArrivalPlan, ArrivalStream};

/// Requests in a block.
pub(super) const LENGTH: usize = 256;

/// Requests to come, and what each of them draws.
#[derive(Clone, Debug)]
pub(super) struct Block {
    arrivals: ArrivalStream,
    streams: [Stream; 3],
    pub(super) arrival: Box<[Tick; LENGTH]>,
    pub(super) routing: Box<[u64; LENGTH]>,
    pub(super) service: Box<[u64; LENGTH]>,
    pub(super) fault: Box<[u64; LENGTH]>,
    /// The first request that has not been taken.
    next: usize,
}

impl Block {
    pub(super) fn new(plan: ArrivalPlan, seed: RunSeed, start: Tick) -> Self {
        let words = || Box::new([0; LENGTH]);
        let mut block = Block {
            arrivals: ArrivalStream::new(plan, seed, start),
            streams: streams(seed),
            arrival: words(),
            routing: words(),
            service: words(),
            fault: words(),
            next: LENGTH,
        };
        block.refill();
        block
    }

    /// Draws everything after `start` from another seed.
    pub(super) fn reseed(&mut self, seed: RunSeed, start: Tick) {
        self.arrivals.reseed(seed, start);
        self.streams = streams(seed);
        self.refill();
    }

    /// Takes the requests of the block that arrive before `until`. After a range that ends with the block there may be
    /// more in the next.
    pub(super) fn take(&mut self, until: Tick) -> Range<usize> {
        if self.next == LENGTH {
            self.refill();
        }
        let start = self.next;
        self.next += self.arrival[start..].partition_point(|&arrival| arrival < until);
        start..self.next
    }

    /// When the next request arrives.
    pub(super) fn next_arrival(&mut self) -> Tick {
        if self.next == LENGTH {
            self.refill();
        }
        self.arrival[self.next]
    }

    /// Takes the request that arrives then.
    pub(super) fn take_one(&mut self) -> usize {
        self.next += 1;
        self.next - 1
    }

    fn refill(&mut self) {
        self.arrivals.fill(&mut self.arrival[..]);
        let words = [&mut self.routing, &mut self.service, &mut self.fault];
        for (stream, words) in self.streams.iter_mut().zip(words) {
            // A generator that lives in registers.
            let mut local = stream.clone();
            words.fill_with(|| local.next_u64());
            *stream = local;
        }
        self.next = 0;
    }
}

/// The streams behind the words, in their order.
fn streams(seed: RunSeed) -> [Stream; 3] {
    [Purpose::Routing, Purpose::Service, Purpose::Faults].map(|purpose| seed.stream(purpose, 0))
}
