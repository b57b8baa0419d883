//! Closed-loop users: each waits for an answer, thinks, and sends the next request.
//!
//! Their requests take draws from streams of their own, so that the requests of independent users stay what they are
//! without them.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rand_xoshiro::rand_core::Rng;

use crate::scenario::Clients;
use crate::seed::{Purpose, RunSeed, Stream};
use crate::sim::clock::{NEVER, Tick};
use crate::sim::sampling::{TableIx, Tables, round};

/// One of the clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ClientIx(u32);

/// Entity of the streams of clients' draws.
const CLIENTS: u64 = 1 << 33;

/// Clients, compiled.
#[derive(Clone, Debug)]
pub struct ClientPlan {
    count: u32,
    tables: Tables,
    think_time: TableIx,
}

impl ClientPlan {
    /// Compiles `[traffic] clients`.
    pub fn new(clients: &Clients) -> Self {
        let (tables, indices) = Tables::compile(std::slice::from_ref(&clients.think_time));
        ClientPlan {
            count: clients.count,
            tables,
            think_time: indices[0],
        }
    }
}

/// All clients of a run.
#[derive(Clone, Debug)]
pub(super) struct ClosedLoop {
    plan: ClientPlan,
    thoughts: Stream,
    words: [Stream; 3],
    /// When each sends its next request; [`NEVER`] while it waits.
    next: Vec<Tick>,
    /// The same in order; entries that `next` does not bear out are passed over.
    due: BinaryHeap<Reverse<(Tick, u32)>>,
}

impl ClosedLoop {
    /// Clients who all start with a thought.
    pub(super) fn new(plan: ClientPlan, seed: RunSeed, start: Tick) -> Self {
        let count = plan.count;
        let [thoughts, words @ ..] = streams(seed);
        let mut clients = ClosedLoop {
            next: vec![NEVER; plan.count as usize],
            due: BinaryHeap::new(),
            plan,
            thoughts,
            words,
        };
        (0..count).for_each(|client| clients.answered(ClientIx(client), start));
        clients
    }

    /// Draws what comes from another seed.
    pub(super) fn reseed(&mut self, seed: RunSeed) {
        [self.thoughts, self.words[0], self.words[1], self.words[2]] = streams(seed);
    }

    /// When the next request is sent.
    pub(super) fn next(&mut self) -> Tick {
        while let Some(Reverse((at, client))) = self.due.peek() {
            if self.next[*client as usize] == *at {
                return *at;
            }
            self.due.pop();
        }
        NEVER
    }

    /// The client who sends at [`next`](Self::next), and the draws of its request: routing, service, fault.
    pub(super) fn send(&mut self) -> Option<(ClientIx, [u64; 3])> {
        self.next();
        let Reverse((_, client)) = self.due.pop()?;
        self.next[client as usize] = NEVER;
        Some((
            ClientIx(client),
            self.words.each_mut().map(|stream| stream.next_u64()),
        ))
    }

    /// A client has its answer, or has given up waiting for it, at a moment. Said again, the later word counts.
    pub(super) fn answered(&mut self, client: ClientIx, at: Tick) {
        let word = self.thoughts.next_u64();
        let next = at + round(self.plan.tables.value(self.plan.think_time, word));
        self.next[client.0 as usize] = next;
        self.due.push(Reverse((next, client.0)));
    }

    /// A client has no answer after all: its pod was killed.
    pub(super) fn waits_again(&mut self, client: ClientIx) {
        self.next[client.0 as usize] = NEVER;
    }
}

fn streams(seed: RunSeed) -> [Stream; 4] {
    [
        Purpose::Arrivals,
        Purpose::Routing,
        Purpose::Service,
        Purpose::Faults,
    ]
    .map(|purpose| seed.stream(purpose, CLIENTS))
}
