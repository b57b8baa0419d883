//! Which pod a request goes to.
//!
//! As `balancer.lua`: requests fall on nginx workers at random; a worker tosses a coin, a whole number from 1 to 100 that
//! must not exceed the weight, and sends the request to the alternative backend if there is anyone to answer; inside a
//! backend it goes round (`resty.roundrobin`). Every worker has its own weight, since workers learn of a change one by one,
//! and its own place in the round, started at random whenever the endpoints change. So the pods of a backend get even
//! shares in the long run and uneven ones in the short: with several workers it is not one round.

use rand_xoshiro::rand_core::Rng;

use super::{Backend, Group, IngressPlan};
use crate::seed::{Purpose, RunSeed, Stream};
use crate::sim::service::PodIx;

/// Entity of the stream that starts the rounds; the stream of requests is entity 0.
const ROUND_STARTS: u64 = 1;

#[derive(Clone, Debug)]
pub(crate) struct Router {
    workers: Vec<Worker>,
    endpoints: [Vec<Endpoint>; 2],
    starts: Stream,
}

/// An nginx worker.
#[derive(Clone, Copy, Debug)]
struct Worker {
    /// The canary weight it knows.
    weight: u32,
    /// The weight it acts by: 0 while the alternative backend has no endpoints.
    effective: u32,
    /// Whose turn it is, by backend.
    turn: [u32; 2],
}

/// A pod that gets requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) pod: PodIx,
    pub(crate) group: Group,
}

impl Router {
    pub(crate) fn new(plan: &IngressPlan, seed: RunSeed) -> Self {
        let worker = Worker {
            weight: 0,
            effective: 0,
            turn: [0; 2],
        };
        Router {
            workers: vec![worker; plan.workers as usize],
            endpoints: [Vec::new(), Vec::new()],
            starts: seed.stream(Purpose::Routing, ROUND_STARTS),
        }
    }

    pub(crate) fn reseed(&mut self, seed: RunSeed) {
        self.starts = seed.stream(Purpose::Routing, ROUND_STARTS);
    }

    pub(crate) fn set_weight(&mut self, worker: u32, weight: u32) {
        self.workers[worker as usize].weight = weight;
        self.settle_weights();
    }

    pub(crate) fn set_endpoints(&mut self, backend: Backend, endpoints: &[(PodIx, Group)]) {
        let endpoints: Vec<Endpoint> = endpoints
            .iter()
            .map(|&(pod, group)| Endpoint { pod, group })
            .collect();
        self.replace(backend as usize, endpoints);
    }

    /// Takes a pod out of both backends.
    pub(crate) fn remove(&mut self, pod: PodIx) {
        for backend in 0..2 {
            let mut rest = self.endpoints[backend].clone();
            rest.retain(|endpoint| endpoint.pod != pod);
            self.replace(backend, rest);
        }
    }

    /// Whether nobody answers: without a main backend the alternative is not asked either (`get_balancer`).
    pub(crate) fn is_closed(&self) -> bool {
        self.endpoints[Backend::Main as usize].is_empty()
    }

    /// The worker that gets a request with this routing draw.
    #[inline(always)]
    pub(crate) fn worker(&self, draw: u64) -> usize {
        ((u64::from(draw as u32) * self.workers.len() as u64) >> 32) as usize
    }

    /// The pod that a worker gives the request to. Only while not [closed](Self::is_closed).
    #[inline(always)]
    pub(crate) fn route(&mut self, worker: usize, draw: u64) -> Endpoint {
        let worker = &mut self.workers[worker];
        let toss = (((draw >> 32) * 100) >> 32) as u32 + 1;
        let backend = usize::from(toss <= worker.effective);
        let endpoints = &self.endpoints[backend];
        let turn = worker.turn[backend];
        let next = turn + 1;
        worker.turn[backend] = if next < endpoints.len() as u32 {
            next
        } else {
            0
        };
        endpoints[turn as usize]
    }

    /// Takes new endpoints over; if they are other pods, each worker starts its round anew (`resty.lua`, `sync`).
    fn replace(&mut self, backend: usize, endpoints: Vec<Endpoint>) {
        let pods = |list: &[Endpoint]| list.iter().map(|endpoint| endpoint.pod).collect::<Vec<_>>();
        let changed = pods(&self.endpoints[backend]) != pods(&endpoints);
        self.endpoints[backend] = endpoints;
        if changed {
            let count = self.endpoints[backend].len() as u64;
            for worker in &mut self.workers {
                let draw = self.starts.next_u64() >> 32;
                worker.turn[backend] = ((draw * count) >> 32) as u32;
            }
            self.settle_weights();
        }
    }

    fn settle_weights(&mut self) {
        let nobody = self.endpoints[Backend::Alternative as usize].is_empty();
        for worker in &mut self.workers {
            worker.effective = if nobody { 0 } else { worker.weight };
        }
    }
}
