//! Which pod a request goes to.
//!
//! As `balancer.lua`: requests fall on nginx workers at random; a worker tosses a coin, a whole number from 1 to 100 that
//! must not exceed the weight, and sends the request to the alternative backend if there is anyone to answer; inside a
//! backend it goes round (`resty.roundrobin`). Every worker has its own weight, since workers learn of a change one by one,
//! and its own place in the round, started at random whenever the endpoints change. So the pods of a backend get even
//! shares in the long run and uneven ones in the short: with several workers it is not one round.
//!
//! Requests that go straight to a Service are spread by kube-proxy instead, each to any pod
//! (`pkg/proxy/iptables/proxier.go`, kubernetes/kubernetes: a chain of rules with `--mode random`).

use rand_xoshiro::rand_core::Rng;

use super::balance::Balancer;
use super::choice::{Asked, Conditions, Rule, backend};
use super::{Affinity, Backend, Group, IngressPlan};
use crate::scenario::{RequestClass, Via};
use crate::seed::{Purpose, RunSeed, Stream, split_mix};
use crate::sim::clock::Tick;
use crate::sim::service::{PodIx, Side};

/// Entity of the stream that starts the rounds; the stream of requests is entity 0.
const ROUND_STARTS: u64 = 1;

#[derive(Clone, Debug)]
pub(crate) struct Router {
    workers: Vec<Worker>,
    endpoints: [Vec<Endpoint>; 2],
    starts: Stream,
    at_random: bool,
    falls_back: bool,
    /// By worker: conditions of the canary Ingress; empty where nobody looks at them.
    rules: Vec<Rule>,
    balancer: Option<Balancer>,
    affinity: Affinity,
}

/// Whose request it is, where that matters.
#[derive(Debug)]
pub(crate) struct Sender<'a> {
    pub(crate) class: &'a RequestClass,
    /// What the user's affinity cookie is bound to, for users who keep it.
    pub(crate) cookie: Option<&'a mut Option<Bound>>,
}

/// What an affinity cookie stands for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bound {
    backend: Backend,
    pod: PodIx,
}

/// An nginx worker.
#[derive(Clone, Copy, Debug)]
struct Worker {
    /// The canary's share it knows: a request goes there if 32 bits of its draw are below.
    share: u64,
    /// The share it acts by: 0 while the alternative backend has no endpoints, if it falls back.
    effective: u64,
    /// Whose turn it is, by backend.
    turn: [u32; 2],
}

/// A pod that gets requests.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Endpoint {
    pub(crate) pod: PodIx,
    pub(crate) side: Side,
    pub(crate) group: Group,
    pub(crate) backend: Backend,
}

impl Endpoint {
    /// Stands where none has been chosen yet.
    pub(crate) const NONE: Endpoint = Endpoint {
        pod: PodIx(0),
        side: Side::Primary,
        group: 0,
        backend: Backend::Main,
    };
}

impl Router {
    pub(crate) fn new(plan: &IngressPlan, seed: RunSeed) -> Self {
        let worker = Worker {
            share: 0,
            effective: 0,
            turn: [0; 2],
        };
        Router {
            workers: vec![worker; plan.all_workers() as usize],
            endpoints: [Vec::new(), Vec::new()],
            starts: seed.stream(Purpose::Routing, ROUND_STARTS),
            at_random: plan.via == Via::Service,
            falls_back: plan.falls_back,
            rules: Vec::new(),
            balancer: Balancer::new(plan.balance),
            affinity: plan.affinity,
        }
    }

    pub(crate) fn reseed(&mut self, seed: RunSeed) {
        self.starts = seed.stream(Purpose::Routing, ROUND_STARTS);
    }

    /// Gives a worker a weight in percent: a whole number from 1 to 100 must not exceed it.
    pub(crate) fn set_weight(&mut self, worker: u32, weight: u32) {
        self.set_share(worker, (u64::from(weight) << 32).div_ceil(100));
    }

    /// Gives a worker a share: 2^32 is all.
    pub(crate) fn set_share(&mut self, worker: u32, share: u64) {
        self.workers[worker as usize].share = share;
        self.settle_weights();
    }

    /// Gives one worker the conditions of the canary Ingress. Only requests of a class can meet them.
    pub(crate) fn set_conditions(&mut self, worker: u32, conditions: Conditions) {
        let workers = self.workers.len();
        self.rules.resize_with(workers, Rule::default);
        self.rules[worker as usize] = Rule::new(conditions);
    }

    /// nginx reloads: each worker starts its rounds anew.
    pub(crate) fn restart(&mut self) {
        for backend in [Backend::Main, Backend::Alternative] {
            self.start_rounds(backend as usize);
        }
    }

    /// Takes a pod out of both backends.
    pub(crate) fn remove(&mut self, pod: PodIx) {
        for backend in [Backend::Main, Backend::Alternative] {
            let mut rest = self.endpoints[backend as usize].clone();
            rest.retain(|endpoint| endpoint.pod != pod);
            self.replace(backend, rest);
        }
    }

    /// Whether nobody answers: without a main backend the alternative is not asked either (`get_balancer`), where it falls
    /// back.
    pub(crate) fn is_closed(&self) -> bool {
        let [main, alternative] = &self.endpoints;
        main.is_empty() && (self.falls_back || alternative.is_empty())
    }

    /// Whether some requests may find nobody: without falling back, those for a backend that has no endpoints.
    pub(crate) fn may_refuse(&self) -> bool {
        let [main, alternative] = &self.endpoints;
        let asked =
            |worker: &Worker| main.is_empty() || alternative.is_empty() && worker.effective > 0;
        !self.falls_back && self.workers.iter().any(asked)
    }

    /// The worker of a request with this routing draw, and its pod if there is one. As [`route`](Self::route).
    fn route_one(&mut self, draw: u64) -> (u32, Option<Endpoint>) {
        if self.at_random {
            let mut endpoint = [Endpoint::NONE];
            self.pick_at_random(&[draw], &mut endpoint);
            return (0, Some(endpoint[0]));
        }
        self.balance_one(draw)
    }

    /// As [`route_one`](Self::route_one), of a request that passes the ingress whatever users do. Only while not
    /// [closed](Self::is_closed).
    pub(crate) fn balance_one(&mut self, draw: u64) -> (u32, Option<Endpoint>) {
        let worker = self.worker(draw);
        if self.endpoints[self.by_share(worker, draw) as usize].is_empty() {
            return (worker, None);
        }
        let (mut workers, mut endpoints) = ([0], [Endpoint::NONE]);
        self.balance(&[draw], &mut workers, &mut endpoints);
        (workers[0], Some(endpoints[0]))
    }

    /// The backend that a worker's share sends a request to.
    fn by_share(&self, worker: u32, draw: u64) -> Backend {
        if (draw >> 32) < self.workers[worker as usize].effective {
            Backend::Alternative
        } else {
            Backend::Main
        }
    }

    /// The worker that gets a request with this routing draw.
    pub(crate) fn worker(&self, draw: u64) -> u32 {
        worker_of(draw, self.workers.len() as u64)
    }

    /// Writes the worker and the pod of each request, given their routing draws. Only while not
    /// [closed](Self::is_closed).
    pub(crate) fn route(&mut self, draws: &[u64], workers: &mut [u32], endpoints: &mut [Endpoint]) {
        if self.at_random {
            workers.fill(0);
            return self.pick_at_random(draws, endpoints);
        }
        self.balance(draws, workers, endpoints);
    }

    /// As [`route`](Self::route), of requests that pass the ingress whatever users do.
    #[inline(always)]
    pub(crate) fn balance(
        &mut self,
        draws: &[u64],
        workers: &mut [u32],
        endpoints: &mut [Endpoint],
    ) {
        let count = self.workers.len() as u64;
        let states = &mut self.workers[..];
        let lists = [&self.endpoints[0][..], &self.endpoints[1][..]];
        for ((draw, worker), endpoint) in draws.iter().zip(workers).zip(endpoints) {
            *worker = worker_of(*draw, count);
            let state = &mut states[*worker as usize];
            let backend = usize::from((draw >> 32) < state.effective);
            let list = lists[backend];
            let turn = state.turn[backend];
            let next = turn + 1;
            state.turn[backend] = if next < list.len() as u32 { next } else { 0 };
            *endpoint = list[turn as usize];
        }
    }

    /// Writes a pod of the main backend for each draw.
    fn pick_at_random(&self, draws: &[u64], endpoints: &mut [Endpoint]) {
        let list = &self.endpoints[Backend::Main as usize];
        for (draw, endpoint) in draws.iter().zip(endpoints) {
            *endpoint = list[(((draw >> 32) * list.len() as u64) >> 32) as usize];
        }
    }

    /// By worker, the share of its requests that goes to the alternative backend.
    pub(crate) fn alternative_shares(&self) -> Vec<f64> {
        let share = |worker: &Worker| match self.at_random {
            true => 0.0,
            false => worker.effective as f64 / (1u64 << 32) as f64,
        };
        self.workers.iter().map(share).collect()
    }

    /// The pods of a backend.
    pub(crate) fn endpoints(&self, backend: Backend) -> &[Endpoint] {
        &self.endpoints[backend as usize]
    }

    /// Worker and pod of one request that arrives at `now`; no pod where its backend has none and does not fall back. Only
    /// while not [closed](Self::is_closed).
    pub(crate) fn choose(
        &mut self,
        draw: u64,
        sender: Option<Sender<'_>>,
        now: Tick,
    ) -> (u32, Option<Endpoint>) {
        let Some(Sender { class, cookie }) = sender.filter(|_| !self.at_random) else {
            if self.balancer.is_none() || self.at_random {
                return self.route_one(draw);
            }
            let worker = self.worker(draw);
            let backend = self.by_share(worker, draw);
            return (worker, self.pick(worker, backend, None, draw, now));
        };
        let worker = self.worker(draw);
        let cookie = cookie.filter(|_| self.affinity != Affinity::None);
        let bound = cookie.as_ref().and_then(|cookie| **cookie);
        let plain = Rule::default();
        let chosen = backend(
            self.rules.get(worker as usize).unwrap_or(&plain),
            !self.falls_back || !self.endpoints[Backend::Alternative as usize].is_empty(),
            Asked {
                headers: &class.headers,
                cookies: &class.cookies,
                bound: bound.map(|bound| bound.backend),
            },
            self.by_share(worker, draw),
        );
        let known = bound
            .filter(|bound| bound.backend == chosen)
            .and_then(|bound| {
                let list = &self.endpoints[chosen as usize];
                list.iter()
                    .find(|endpoint| endpoint.pod == bound.pod)
                    .copied()
            });
        let endpoint = known.or_else(|| self.pick(worker, chosen, None, draw, now));
        if let Some(endpoint) = endpoint
            && let Some(cookie) = cookie
            && !(self.affinity == Affinity::Legacy && chosen == Backend::Alternative)
        {
            *cookie = Some(Bound {
                backend: chosen,
                pod: endpoint.pod,
            });
        }
        (worker, endpoint)
    }

    /// An attempt at a pod that starts at `at` and is over at `end`, for whoever balances by that.
    pub(crate) fn attempted(&mut self, pod: PodIx, at: Tick, end: Tick) {
        if let Some(balancer) = &mut self.balancer {
            balancer.attempted(pod, at, end);
        }
    }

    /// The pod of a backend that a worker gives a request of `now` to; `None` if there is none. One that has been tried is
    /// avoided by those who balance, not by those who take turns.
    pub(crate) fn pick(
        &mut self,
        worker: u32,
        backend: Backend,
        tried: Option<PodIx>,
        draw: u64,
        now: Tick,
    ) -> Option<Endpoint> {
        let backend = backend as usize;
        let list = &self.endpoints[backend];
        if let Some(balancer) = &mut self.balancer {
            let word = split_mix(draw);
            return (!list.is_empty()).then(|| balancer.pick(list, tried, word, now));
        }
        let turn = &mut self.workers[worker as usize].turn[backend];
        let endpoint = list.get(*turn as usize)?;
        *turn = (*turn + 1) % list.len() as u32;
        Some(*endpoint)
    }

    /// Whether a pod of some kind gets requests.
    pub(crate) fn has(&self, of_that_kind: impl Fn(PodIx) -> bool) -> bool {
        let mut endpoints = self.endpoints.iter().flatten();
        endpoints.any(|endpoint| of_that_kind(endpoint.pod))
    }

    /// Takes new endpoints over; if they are other pods, each worker starts its round anew (`resty.lua`, `sync`).
    pub(crate) fn replace(&mut self, backend: Backend, endpoints: Vec<Endpoint>) {
        let backend = backend as usize;
        let pods = |list: &[Endpoint]| list.iter().map(|endpoint| endpoint.pod).collect::<Vec<_>>();
        let changed = pods(&self.endpoints[backend]) != pods(&endpoints);
        self.endpoints[backend] = endpoints;
        if changed {
            self.start_rounds(backend);
            self.settle_weights();
        }
    }

    fn start_rounds(&mut self, backend: usize) {
        let count = self.endpoints[backend].len() as u64;
        for worker in &mut self.workers {
            let draw = self.starts.next_u64() >> 32;
            worker.turn[backend] = ((draw * count) >> 32) as u32;
        }
    }

    fn settle_weights(&mut self) {
        let nobody = self.falls_back && self.endpoints[Backend::Alternative as usize].is_empty();
        for worker in &mut self.workers {
            worker.effective = if nobody { 0 } else { worker.share };
        }
    }
}

/// The worker that a routing draw falls on, of so many.
#[inline(always)]
fn worker_of(draw: u64, workers: u64) -> u32 {
    ((u64::from(draw as u32) * workers) >> 32) as u32
}
