//! The request path: every request of a run, from its arrival to the counters, without an event for any of them.
//!
//! Between two control events the world does not change, so [`RequestPath::advance`] serves all requests up to the next one
//! in a tight loop. A request is known completely when it arrives: the ingress' coin and round say which pod, the pod's
//! slots say when it is done ([`service`](super::service)), the worker's flush grid says which scrape sees it first
//! ([`ingress`](super::ingress)). Its memory does not grow with the number of requests, but by a row per simulated second.
//!
//! Every request takes one draw from each of the streams arrivals, routing, service and faults, whatever becomes of it, so
//! two configurations compared on one seed meet the same requests. Those of load tests cut the
//! loop where they are sent.

mod attempts;
mod batch;
mod block;
mod classes;
mod clients;
mod latency;
mod load;
mod ordered;
mod plan;
mod seconds;

pub(crate) use batch::Answered;
pub use classes::ClassPlan;
pub use clients::ClientPlan;
pub use load::{LoadEntry, LoadIx, LoadLength, LoadPlan, LoadStats};
pub use plan::PathPlan;
pub use seconds::{SecondStats, WindowTruth};

use attempts::Attempts;
use batch::Batch;
use block::Block;
use classes::{ClassIx, Classes};
use clients::ClosedLoop;
use load::Loads;
use ordered::unanswered;
use seconds::SecondLog;

use crate::record::{Latency, RequestTotals};
use crate::scenario::LoadBalance;
use crate::seed::RunSeed;
use crate::sim::aggregate::{Aggregate, Counted, Kind, Shares};
use crate::sim::application::AppCounters;
use crate::sim::clock::{Nanos, Tick, tick};
use crate::sim::ingress::{Backend, Conditions, Counters, Endpoint, Group, Recorders, Router};
use crate::sim::sampling::TableIx;
use crate::sim::service::{PodIx, PodSpec, Pods, Side, Slowdown};

/// All requests of a run.
#[derive(Clone, Debug)]
pub struct RequestPath {
    block: Block,
    batch: Batch,
    router: Router,
    pods: Pods,
    recorders: Recorders,
    seconds: SecondLog,
    attempts: Attempts,
    pub(super) applications: AppCounters,
    /// In its place, where requests are drawn as counts.
    aggregate: Option<Box<Aggregate>>,
    /// Requests go other ways since now than counts know.
    rerouted: bool,
    classes: Classes,
    clients: Option<ClosedLoop>,
    /// Whether requests are always served one by one.
    ordered: bool,
    loads: Loads,
    /// Whether the ingress counts users.
    counts_users: bool,
    now: Tick,
}

impl RequestPath {
    /// A path without pods whose requests start after `start`.
    pub fn new(plan: PathPlan, seed: RunSeed, start: Nanos) -> Self {
        let now = tick(start);
        let attempts = Attempts::new(&plan);
        let classes = Classes::new(plan.classes);
        let ordered = attempts.is_quick()
            || plan.clients.is_some()
            || classes.are_some()
            || plan.ingress.balance != LoadBalance::RoundRobin;
        let counts_users = plan.ingress.records;
        let mut ingress = plan.ingress;
        ingress.records |= plan.counts_loads;
        let recorders = Recorders::new(&ingress, &plan.scrapes, seed);
        let aggregate = plan.laws.map(|laws| {
            let profile = plan.arrivals.profile().clone();
            let grid = (plan.scrapes.first().copied()).filter(|_| counts_users);
            let flushes = recorders.flushes();
            let counted = Counted {
                counters: Counters::new(ingress.groups),
                status_classes: ingress.status_classes,
            };
            Box::new(Aggregate::new(
                laws, profile, grid, flushes, counted, seed, now,
            ))
        });
        RequestPath {
            block: Block::new(plan.arrivals, seed, now),
            batch: Batch::new(),
            router: Router::new(&ingress, seed),
            pods: Pods::new(plan.service),
            recorders,
            aggregate,
            rerouted: false,
            seconds: SecondLog::new(now, plan.truth_seconds),
            attempts,
            applications: AppCounters::default(),
            classes,
            clients: plan.clients.map(|plan| ClosedLoop::new(plan, seed, now)),
            ordered,
            loads: Loads::new(seed),
            counts_users,
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
        self.loads.reseed(seed);
        if let Some(clients) = &mut self.clients {
            clients.reseed(seed);
        }
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
        self.look_for_lost_endpoints();
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

    /// Makes nothing reach a pod from now on, or lets it through again. What it has been given it answers.
    pub fn set_unreachable(&mut self, pod: PodIx, unreachable: bool) {
        self.pods.set_unreachable(pod, unreachable);
        self.look_for_lost_endpoints();
    }

    /// Gives the requests that a pod fails from now on another time to fail: one of the plan's; `None` is its version's.
    pub fn set_failure_time(&mut self, pod: PodIx, time: Option<TableIx>) {
        self.pods.set_failure_time(pod, time);
    }

    /// Holds a pod to so many cores.
    pub fn set_cpu_limit(&mut self, pod: PodIx, cores: f64) {
        self.pods.set_cpu_limit(pod, cores, self.now);
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

    /// Gives one nginx worker the canary Ingress' conditions.
    pub fn set_conditions(&mut self, worker: u32, conditions: Conditions) {
        self.router.set_conditions(worker, conditions);
    }

    /// A controller's counters as its last scrape saw them; `None` where requests are counts between scrapes.
    pub(super) fn exported(&self, controller: usize) -> Option<&Counters> {
        let each = self.aggregate.is_none();
        each.then(|| self.recorders.exported(controller))
    }

    /// nginx reloads, at a moment that the plan knows.
    pub fn reload(&mut self) {
        self.router.restart();
    }

    /// Serves all requests that arrive before `until`; none if that is over.
    pub fn advance(&mut self, until: Nanos) {
        let until = tick(until).max(self.now);
        if until > self.now && std::mem::take(&mut self.rerouted) {
            self.share_anew();
        }
        if let Some(aggregate) = &mut self.aggregate {
            aggregate.advance(until);
            self.now = until;
            return;
        }
        loop {
            let mut stop = until.min(self.seconds.second_end()).min(self.loads.next());
            if self.ordered || self.attempts.lost_endpoints || self.router.may_refuse() {
                self.serve_in_order(stop);
            } else {
                stop = stop.min(self.attempts.next());
                if self.router.is_closed() {
                    self.refuse(stop);
                } else {
                    self.serve(stop);
                }
            }
            self.retry(stop);
            if stop < until {
                self.serve_loads(stop);
            }
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

    /// The counters of a controller as a scrape at `at` sees them, after [`advance`](Self::advance) to `at`.
    ///
    /// To be called at every time of the plan's grid, in order, also when Prometheus gets no answer.
    /// Without a grid, or where the ingress counts nothing, the counters stay empty.
    pub fn scrape_controller(&mut self, controller: usize, at: Nanos) -> &Counters {
        match &mut self.aggregate {
            Some(aggregate) => aggregate.scrape(at),
            None => self.recorders.scrape(controller, at),
        }
    }

    /// [`scrape_controller`](Self::scrape_controller), where there is but one.
    pub fn scrape(&mut self, at: Nanos) -> &Counters {
        self.scrape_controller(0, at)
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
        self.look_for_lost_endpoints();
        self.rerouted = true;
    }

    /// Tells counts how requests go from now on, once all that changes now has changed.
    fn share_anew(&mut self) {
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

    fn look_for_lost_endpoints(&mut self) {
        self.attempts.lost_endpoints = self.router.has(|pod| self.pods.is_lost(pod));
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
                if self.counts_users {
                    self.recorders.record(answered);
                }
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
            for request in taken.clone().filter(|_| self.counts_users) {
                let worker = self.router.worker(self.block.routing[request]);
                let arrival = self.block.arrival[request];
                self.recorders.record_one(&unanswered(worker, 0, arrival));
            }
            self.seconds.refuse(taken.len() as u32);
            if taken.end < block::LENGTH {
                return;
            }
        }
    }
}
