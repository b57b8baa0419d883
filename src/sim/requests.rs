//! The request path: every request of a run, from its arrival to the counters, without an event for any of them.
//!
//! Between two control events the world does not change, so [`RequestPath::advance`] serves all requests up to the next one
//! in a tight loop. A request is known completely when it arrives: the ingress' coin and round say which pod, the pod's
//! slots say when it is done ([`service`](super::service)), the worker's flush grid says which scrape sees it first
//! ([`ingress`](super::ingress)). Its memory does not grow with the number of requests, but by a row per simulated second.
//!
//! Every request takes one draw from each of the streams arrivals, routing, service and faults, whatever becomes of it, so
//! two configurations compared on one seed meet the same requests.

mod attempts;
mod batch;
mod block;
mod latency;
mod plan;
mod seconds;

pub(crate) use batch::Answered;
pub use plan::PathPlan;
pub use seconds::{SecondStats, WindowTruth};

use attempts::Attempts;
use batch::Batch;
use block::Block;
use seconds::SecondLog;

use crate::record::{Latency, RequestTotals};
use crate::seed::RunSeed;
use crate::sim::aggregate::{Aggregate, Kind, Shares};
use crate::sim::application::AppCounters;
use crate::sim::clock::{Nanos, Tick, tick};
use crate::sim::ingress::{Backend, Counters, Endpoint, Group, Record, Recorder, Router, Status};
use crate::sim::service::{PodIx, PodSpec, Pods, Side, Slowdown};

/// All requests of a run.
#[derive(Clone, Debug)]
pub struct RequestPath {
    block: Block,
    batch: Batch,
    router: Router,
    pods: Pods,
    recorder: Recorder,
    seconds: SecondLog,
    attempts: Attempts,
    pub(super) applications: AppCounters,
    /// In its place, where requests are drawn as counts.
    aggregate: Option<Box<Aggregate>>,
    now: Tick,
}

impl RequestPath {
    /// A path without pods whose requests start after `start`.
    pub fn new(plan: PathPlan, seed: RunSeed, start: Nanos) -> Self {
        let now = tick(start);
        let recorder = Recorder::new(&plan.ingress, plan.scrapes, seed);
        let aggregate = plan.laws.map(|laws| {
            let profile = plan.arrivals.profile().clone();
            let grid = plan.scrapes.filter(|_| plan.ingress.records);
            let flushes = recorder.flushes();
            Box::new(Aggregate::new(laws, profile, grid, flushes, seed, now))
        });
        RequestPath {
            block: Block::new(plan.arrivals, seed, now),
            batch: Batch::new(),
            router: Router::new(&plan.ingress, seed),
            pods: Pods::new(plan.service),
            recorder,
            aggregate,
            seconds: SecondLog::new(now, plan.truth_seconds),
            attempts: Attempts::new(
                plan.ingress.read_timeout,
                plan.ingress.tries,
                plan.patience,
                plan.kills,
            ),
            applications: AppCounters::default(),
            now,
        }
    }

    /// Draws everything after now from another seed: many runs can share one warm-up. Phases stay as they are.
    pub fn reseed(&mut self, seed: RunSeed) {
        if let Some(aggregate) = &mut self.aggregate {
            aggregate.reseed(seed);
        }
        self.block.reseed(seed, self.now);
        self.router.reseed(seed);
    }

    /// Adds a pod. It gets no requests until it is an endpoint.
    pub fn add_pod(&mut self, spec: PodSpec) -> PodIx {
        self.pods.add(spec)
    }

    /// Takes a pod out of both backends. What it has been given it completes.
    pub fn remove_pod(&mut self, pod: PodIx) {
        self.router.remove(pod);
        self.routed_anew();
    }

    /// Kills a pod: what it has not answered by now is broken off and tried again elsewhere, and as long as it is an
    /// endpoint, what it is sent is refused. The plan must allow for kills.
    pub fn kill_pod(&mut self, pod: PodIx) {
        debug_assert!(self.attempts.remembers(), "the plan has no kills");
        self.pods.kill(pod);
        self.look_for_dead_endpoints();
        self.cut(pod);
    }

    /// Makes a pod fail this share of its requests from now on, beside its version's own failures.
    pub fn set_failure_rate(&mut self, pod: PodIx, rate: f64) {
        self.pods.set_failure_rate(pod, rate);
    }

    /// Makes a pod slower than its version for the requests it is given from now on.
    pub fn set_slowdown(&mut self, pod: PodIx, slowdown: Slowdown) {
        self.pods.set_slowdown(pod, slowdown, self.now);
    }

    /// Says which pods answer for a backend, and under which labels their requests are counted.
    pub fn set_endpoints(&mut self, backend: Backend, endpoints: &[(PodIx, Group)]) {
        let endpoints = endpoints.iter().map(|&(pod, group)| Endpoint {
            pod,
            group,
            side: self.pods.side(pod),
            backend,
        });
        self.router.replace(backend, endpoints.collect());
        self.routed_anew();
    }

    /// Gives one nginx worker a canary weight: percent of its requests that go to the alternative backend.
    pub fn set_weight(&mut self, worker: u32, weight: u32) {
        self.router.set_weight(worker, weight);
        self.routed_anew();
    }

    /// Gives the one proxy of a Gateway a canary share: 2^32 is all requests.
    pub(super) fn set_share(&mut self, share: u64) {
        self.router.set_share(0, share);
        self.routed_anew();
    }

    /// Serves all requests that arrive before `until`; none if that is over.
    pub fn advance(&mut self, until: Nanos) {
        let until = tick(until).max(self.now);
        if let Some(aggregate) = &mut self.aggregate {
            aggregate.advance(until);
            self.now = until;
            return;
        }
        loop {
            let stop = until
                .min(self.seconds.second_end())
                .min(self.attempts.next());
            if self.router.is_closed() {
                self.refuse(stop);
            } else if self.attempts.dead_endpoints || self.router.may_refuse() {
                self.serve_singly(stop);
            } else {
                self.serve(stop);
            }
            self.retry(stop);
            if stop == self.seconds.second_end() {
                self.seconds.roll();
                self.attempts.forget(stop);
            }
            if stop == until {
                break;
            }
        }
        self.now = until;
    }

    /// The exporter's counters as a scrape at `at` sees them, after [`advance`](Self::advance) to `at`.
    ///
    /// To be called at every time of the plan's grid, in order, also when Prometheus gets no answer.
    /// Without a grid, or where the ingress counts nothing, the counters stay empty.
    pub fn scrape(&mut self, at: Nanos) -> &Counters {
        match &mut self.aggregate {
            Some(aggregate) => aggregate.scrape(at),
            None => self.recorder.scrape(at),
        }
    }

    /// Makes sure that everything up to now is in what [`totals`](Self::totals) and its like answer.
    pub(super) fn settle(&mut self) {
        if let Some(aggregate) = &mut self.aggregate {
            aggregate.settle();
        }
    }

    /// Starts totals and a new grid of seconds at `at`, which [`advance`](Self::advance) must have reached.
    pub fn start_totals(&mut self, at: Nanos) {
        debug_assert_eq!(tick(at), self.now, "totals start now");
        if let Some(aggregate) = &mut self.aggregate {
            aggregate.start_totals();
        }
        self.seconds.restart(tick(at));
    }

    /// Requests since [`start_totals`](Self::start_totals), or since the start.
    pub fn totals(&self) -> RequestTotals {
        match &self.aggregate {
            Some(aggregate) => aggregate.totals(),
            None => self.seconds.totals(),
        }
    }

    /// Latency of the requests since [`start_totals`](Self::start_totals), or since the start.
    pub fn latency(&self) -> Latency {
        match &self.aggregate {
            Some(aggregate) => aggregate.latency(),
            None => self.seconds.latency(),
        }
    }

    /// The seconds that start at `from` or later, the one under way included if it has had a request.
    pub fn seconds(&self, from: Nanos) -> Vec<SecondStats> {
        match &self.aggregate {
            Some(aggregate) => aggregate.seconds(from),
            None => self.seconds.seconds(from),
        }
    }

    /// What the users of one side really got in the seconds that start at `from` or later and before `to`.
    pub fn window_truth(&self, from: Nanos, to: Nanos, side: Side) -> WindowTruth {
        match &self.aggregate {
            Some(aggregate) => aggregate.window_truth(from, to, side),
            None => self.seconds.truth(from, to, side),
        }
    }

    /// Requests that a pod has been given.
    pub fn served(&self, pod: PodIx) -> u64 {
        self.pods.served(pod)
    }

    /// CPU time that a pod has used by now, in nanoseconds.
    ///
    /// A request's CPU time is used evenly while it is worked on, and one that is worked on twice as long uses twice as
    /// much, so that a pod whose slots are all busy uses what they can, not what the waiting requests will.
    pub fn cpu_ns(&self, pod: PodIx) -> u64 {
        match &self.aggregate {
            Some(aggregate) => aggregate.cpu_ns(pod),
            None => self.pods.cpu_ns(pod, self.now),
        }
    }

    /// Requests that a pod works on now; those that wait for a slot are not counted.
    pub fn working(&self, pod: PodIx) -> u32 {
        self.pods.busy(pod, self.now)
    }

    /// When a pod has completed everything it has been given so far; `None` if that is nothing.
    pub fn idle_from(&self, pod: PodIx) -> Option<Nanos> {
        self.pods.idle_from(pod)
    }

    /// Requests go other ways from now on.
    fn routed_anew(&mut self) {
        self.look_for_dead_endpoints();
        let Some(aggregate) = &mut self.aggregate else {
            return;
        };
        let alternative = self.router.alternative_shares();
        let mut shares = Shares::default();
        for backend in [Backend::Main, Backend::Alternative] {
            let endpoints = self.router.endpoints(backend);
            let by_worker: Vec<f64> = (alternative.iter())
                .map(|&share| match backend {
                    Backend::Main => (1.0 - share) / endpoints.len() as f64,
                    Backend::Alternative => share / endpoints.len() as f64,
                })
                .collect();
            for endpoint in endpoints {
                let (version, failure, cost) = self.pods.in_the_mean(endpoint.pod);
                let kind = Kind {
                    group: endpoint.group,
                    side: endpoint.side,
                    version,
                    failure,
                };
                match shares.kinds.iter_mut().find(|(known, _)| *known == kind) {
                    Some((_, all)) => {
                        for (all, one) in all.iter_mut().zip(&by_worker) {
                            *all += one;
                        }
                    }
                    None => shares.kinds.push((kind, by_worker.clone())),
                }
                let mean = by_worker.iter().sum::<f64>() / by_worker.len() as f64;
                shares.pods.push((endpoint.pod, mean, cost));
            }
        }
        aggregate.set_shares(shares);
    }

    fn look_for_dead_endpoints(&mut self) {
        self.attempts.dead_endpoints = self.router.has(|pod| self.pods.is_dead(pod));
    }

    /// The hot loop: all requests that arrive before `until`, a block at a time, stage by stage.
    fn serve(&mut self, until: Tick) {
        loop {
            let taken = self.block.take(until);
            let (block, batch) = (&self.block, &mut self.batch);
            let n = taken.len();
            let arrival = &block.arrival[taken.clone()];
            self.router.route(
                &block.routing[taken.clone()],
                &mut batch.worker[..n],
                &mut batch.endpoint[..n],
            );
            self.pods.work(
                &batch.endpoint[..n],
                &block.service[taken.clone()],
                &block.fault[taken.clone()],
                &mut batch.failed[..n],
                &mut batch.time[..n],
            );
            let longest = self
                .pods
                .queue(&batch.endpoint[..n], arrival, &mut batch.time[..n]);
            self.applications.count(
                &batch.endpoint[..n],
                &batch.failed[..n],
                arrival,
                &batch.time[..n],
            );
            if longest > self.attempts.limit() || self.attempts.remembers() {
                self.answer_singly(taken.clone());
            } else {
                let answered = batch.answered(arrival);
                self.recorder.record(answered);
                self.seconds.count(answered, longest);
            }
            if taken.end < block::LENGTH {
                return;
            }
        }
    }

    /// Answers every request with 503 at once: there is no pod.
    fn refuse(&mut self, until: Tick) {
        loop {
            let taken = self.block.take(until);
            for request in taken.clone() {
                let worker = self.router.worker(self.block.routing[request]);
                self.refuse_one(worker, self.block.arrival[request]);
            }
            if taken.end < block::LENGTH {
                return;
            }
        }
    }

    /// Answers one request with 503.
    fn refuse_one(&mut self, worker: u32, arrival: Tick) {
        self.recorder.record_one(&Record {
            worker,
            group: 0,
            status: Status::Unavailable,
            arrival,
            completion: arrival,
            upstream: false,
        });
        self.seconds.refuse(1);
    }
}
