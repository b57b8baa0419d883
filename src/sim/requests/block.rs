//! The next requests, drawn ahead.
//!
//! Arrivals and draws depend on nothing that happens in the world, so they are made in blocks: the four generators run
//! side by side, and the hot loop only reads. It also means that where the world cuts time cannot change them.

use rand_xoshiro::rand_core::Rng;

use crate::seed::{Purpose, RunSeed, Stream};
use crate::sim::clock::Tick;
use crate::sim::traffic::{ArrivalPlan, ArrivalStream};

/// Requests in a block.
const LENGTH: usize = 256;

/// What is known of a request before anything is decided.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Request {
    pub(super) arrival: Tick,
    pub(super) routing: u64,
    pub(super) service: u64,
    pub(super) fault: u64,
}

/// Requests to come.
#[derive(Clone, Debug)]
pub(super) struct Block {
    arrivals: ArrivalStream,
    routing: Stream,
    service: Stream,
    faults: Stream,
    times: Box<[Tick; LENGTH]>,
    draws: Box<[[u64; 3]; LENGTH]>,
    /// The first request that has not been taken.
    next: usize,
}

impl Block {
    pub(super) fn new(plan: ArrivalPlan, seed: RunSeed, start: Tick) -> Self {
        let mut block = Block {
            arrivals: ArrivalStream::new(plan, seed, start),
            routing: seed.stream(Purpose::Routing, 0),
            service: seed.stream(Purpose::Service, 0),
            faults: seed.stream(Purpose::Faults, 0),
            times: Box::new([0; LENGTH]),
            draws: Box::new([[0; 3]; LENGTH]),
            next: LENGTH,
        };
        block.refill();
        block
    }

    /// Takes the requests that arrive before `until`, as far as they are in the block; `true` says that there are no more.
    #[inline(always)]
    pub(super) fn take(&mut self, until: Tick) -> (bool, impl Iterator<Item = Request>) {
        if self.next == LENGTH {
            self.refill();
        }
        let start = self.next;
        self.next += self.times[start..].partition_point(|&time| time < until);
        let taken = start..self.next;
        let requests = self.times[taken.clone()].iter().zip(&self.draws[taken]);
        (
            self.next < LENGTH,
            requests.map(|(&arrival, &[routing, service, fault])| Request {
                arrival,
                routing,
                service,
                fault,
            }),
        )
    }

    fn refill(&mut self) {
        self.arrivals.fill(&mut self.times[..]);
        for draws in &mut self.draws[..] {
            *draws = [
                self.routing.next_u64(),
                self.service.next_u64(),
                self.faults.next_u64(),
            ];
        }
        self.next = 0;
    }
}
