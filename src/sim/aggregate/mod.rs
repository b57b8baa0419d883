//! Aggregate traffic: how many requests a scrape sees in each cell, drawn at once instead of request by request.
//!
//! Where requests do not wait for each other, those of a Poisson stream that end in one (group, status, bucket) are a Poisson
//! stream of their own, so the counts of a scrape window are independent Poisson numbers whose means follow from the rate, the
//! weights and the service times (thinning and superposition). Weights, endpoints and each worker's flush grid act as in the
//! request path; the engine, the exporter and the queries on top are the same.
//!
//! What it leaves out, and why `[run] traffic_model = "aggregate"` is refused where that matters: waiting for a slot, limits
//! and retries, pods that die under their requests, requests that are in flight at a scrape, the unevenness of round robin. The
//! CPU that pods use is its mean. Seconds between two looks at the counts share them evenly, and percentiles are read from
//! the ingress' buckets.

mod law;
mod poisson;
mod users;

pub(super) use law::{Laws, laws};

use law::Times;
use poisson::{poisson, unit};
use users::{Answered, Users};

use crate::record::{Latency, RequestTotals};
use crate::seed::{Purpose, RunSeed, Stream};
use crate::sim::clock::{Nanos, Tick, moment, tick};
use crate::sim::ingress::{BUCKETS, Counters, Group, ScrapeGrid, Status};
use crate::sim::requests::{SecondStats, WindowTruth};
use crate::sim::service::{PodIx, Side};
use crate::sim::traffic::RateProfile;

/// Entity of the stream that counts are drawn from; 0 is the requests'.
const COUNTS: u64 = 1;

/// A pod as counts see it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Kind {
    pub(super) group: Group,
    pub(super) side: Side,
    pub(super) version: u32,
    /// Share of its requests that fail.
    pub(super) failure: f64,
}

/// Who gets requests, from a moment on.
#[derive(Clone, Debug, Default)]
pub(super) struct Shares {
    /// By worker: share of its requests that goes to pods of each kind. The rest is refused.
    pub(super) kinds: Vec<(Kind, Vec<f64>)>,
    /// Share of all requests that each pod gets, and CPU nanoseconds that one costs.
    pub(super) pods: Vec<(PodIx, f64, f64)>,
}

/// The requests of a run, as counts.
#[derive(Clone, Debug)]
pub(super) struct Aggregate {
    laws: Laws,
    profile: RateProfile,
    draws: Stream,
    grid: Option<ScrapeGrid>,
    next_scrape: Nanos,
    flush_interval: Nanos,
    /// Time of a flush of each worker.
    phases: Vec<Nanos>,
    /// Up to when each worker's requests have been drawn.
    drawn: Vec<Tick>,
    now: Tick,
    /// Who got requests from when on; the first holds at the oldest moment that is not drawn.
    shares: Vec<(Tick, Shares)>,
    /// Counts for the next scrape and the one after it.
    windows: [Vec<Credit>; 2],
    exported: Counters,
    /// Whether statuses are counted by their class.
    status_classes: bool,
    users: Users,
    /// CPU nanoseconds, by pod, up to the last change of shares.
    cpu_ns: Vec<f64>,
}

/// What the exporter starts with.
#[derive(Clone, Debug)]
pub(super) struct Counted {
    pub(super) counters: Counters,
    pub(super) status_classes: bool,
}

/// Counts of one group and status.
#[derive(Clone, Copy, Debug)]
struct Credit {
    group: Group,
    status: Status,
    buckets: [u64; BUCKETS],
    sum_ms: u64,
}

impl Aggregate {
    pub(super) fn new(
        laws: Laws,
        profile: RateProfile,
        grid: Option<ScrapeGrid>,
        (flush_interval, phases): (Nanos, Vec<Nanos>),
        counted: Counted,
        seed: RunSeed,
        start: Tick,
    ) -> Self {
        Aggregate {
            laws,
            profile,
            draws: seed.stream(Purpose::Arrivals, COUNTS),
            grid,
            next_scrape: grid.map_or(Nanos::MAX, |grid| grid.first),
            flush_interval,
            drawn: vec![start; phases.len()],
            phases,
            now: start,
            shares: vec![(start, Shares::default())],
            windows: Default::default(),
            exported: counted.counters,
            status_classes: counted.status_classes,
            users: Users::new(start),
            cpu_ns: Vec::new(),
        }
    }

    /// Draws everything after now from another seed.
    pub(super) fn reseed(&mut self, seed: RunSeed) {
        self.draws = seed.stream(Purpose::Arrivals, COUNTS);
    }

    pub(super) fn advance(&mut self, until: Tick) {
        self.now = self.now.max(until);
    }

    /// Other pods, or other weights, from now on.
    pub(super) fn set_shares(&mut self, shares: Shares) {
        self.use_cpu();
        if self
            .shares
            .last()
            .is_some_and(|(from, _)| *from == self.now)
        {
            self.shares.pop();
        }
        self.shares.push((self.now, shares));
    }

    /// CPU that a pod has used by now, in nanoseconds.
    pub(super) fn cpu_ns(&self, pod: PodIx) -> u64 {
        let before = self.cpu_ns.get(pod.0 as usize).copied().unwrap_or(0.0);
        let Some((from, shares)) = self.shares.last() else {
            return before as u64;
        };
        let since = shares.pods.iter().find(|(other, ..)| *other == pod);
        let load = self.profile.load(*from, self.now);
        (before + since.map_or(0.0, |(_, share, cost)| load * share * cost)) as u64
    }

    fn use_cpu(&mut self) {
        let Some((from, shares)) = self.shares.last() else {
            return;
        };
        let load = self.profile.load(*from, self.now);
        for (pod, share, cost) in &shares.pods {
            let place = pod.0 as usize;
            if self.cpu_ns.len() <= place {
                self.cpu_ns.resize(place + 1, 0.0);
            }
            self.cpu_ns[place] += load * share * cost;
        }
    }

    /// The exporter's counters as the scrape at `at` sees them.
    pub(super) fn scrape(&mut self, at: Nanos) -> &Counters {
        while let Some(grid) = self.grid.filter(|_| self.next_scrape <= at) {
            self.draw_to(self.last_flushes(), Some(0));
            for credit in std::mem::take(&mut self.windows[0]) {
                let upstream = credit.status != Status::Unavailable;
                let status = match self.status_classes {
                    true => credit.status.class(),
                    false => credit.status,
                };
                self.exported.credit(
                    credit.group,
                    status,
                    &credit.buckets,
                    credit.sum_ms,
                    upstream,
                );
            }
            self.windows.swap(0, 1);
            self.next_scrape += grid.interval;
        }
        &self.exported
    }

    /// Draws everything up to now, so that what users got is known.
    pub(super) fn settle(&mut self) {
        let now = vec![self.now; self.drawn.len()];
        if self.grid.is_none() {
            return self.draw_to(now, None);
        }
        let flushes = self.last_flushes();
        let sooner = flushes.iter().map(|at| (*at).min(self.now)).collect();
        self.draw_to(sooner, Some(0));
        self.draw_to(now, Some(1));
    }

    /// By worker, its last flush before the next scrape.
    fn last_flushes(&self) -> Vec<Tick> {
        let scrape = self.next_scrape;
        let last = |phase: &Nanos| tick(scrape - (scrape - phase).rem_euclid(self.flush_interval));
        self.phases.iter().map(last).collect()
    }

    /// Draws each worker's requests up to these moments, for a scrape window.
    fn draw_to(&mut self, ends: Vec<Tick>, window: Option<usize>) {
        let mut means: Vec<(Kind, f64)> = Vec::new();
        let mut refused = 0.0;
        let workers = ends.len() as f64;
        let mut from = Tick::MAX;
        let mut to = 0;
        for (worker, end) in ends.into_iter().enumerate() {
            let start = self.drawn[worker];
            if end <= start {
                continue;
            }
            (from, to) = (from.min(start), to.max(end));
            self.drawn[worker] = end;
            for (place, (since, shares)) in self.shares.iter().enumerate() {
                let until = self.shares.get(place + 1).map_or(Tick::MAX, |next| next.0);
                let (a, b) = (start.max(*since), end.min(until));
                if a >= b {
                    continue;
                }
                let load = self.profile.load(a, b) / workers;
                let mut answered = 0.0;
                for (kind, by_worker) in &shares.kinds {
                    let share = by_worker[worker];
                    answered += share;
                    match means.iter_mut().find(|(known, _)| known == kind) {
                        Some((_, mean)) => *mean += load * share,
                        None => means.push((*kind, load * share)),
                    }
                }
                refused += load * (1.0 - answered).max(0.0);
            }
        }
        if from == Tick::MAX {
            return;
        }
        let oldest = self.drawn.iter().copied().min().unwrap_or(to);
        let past = self.shares.partition_point(|(since, _)| *since <= oldest);
        self.shares.drain(..past.saturating_sub(1));
        let mut users = Answered::default();
        for (kind, mean) in means {
            let laws = *self.laws.of(kind.version);
            for (times, share, status) in [
                (&laws[0], 1.0 - kind.failure, Status::Ok),
                (&laws[1], kind.failure, Status::InternalError),
            ] {
                if mean * share > 0.0 {
                    let credit = self.count(kind.group, status, times, mean * share);
                    users.add(kind.side, status, &credit.buckets);
                    self.credit(window, credit);
                }
            }
        }
        // A share that is left over by rounding is not a refusal.
        if refused > 1e-9 {
            let mut buckets = [0; BUCKETS];
            buckets[0] = poisson(refused, &mut self.draws);
            users.refuse(buckets[0]);
            let credit = Credit {
                group: 0,
                status: Status::Unavailable,
                buckets,
                sum_ms: 0,
            };
            self.credit(window, credit);
        }
        self.users.log(from, to, users);
    }

    fn credit(&mut self, window: Option<usize>, credit: Credit) {
        if let Some(window) = window {
            self.windows[window].push(credit);
        }
    }

    /// Draws the counts of one group and status.
    fn count(&mut self, group: Group, status: Status, times: &Times, mean: f64) -> Credit {
        let draws = &mut self.draws;
        let buckets = times.buckets.map(|share| poisson(mean * share, draws));
        let (mut sum, mut variance) = (0.0, 0.0);
        for (bucket, count) in buckets.iter().enumerate() {
            sum += *count as f64 * times.mean_ms[bucket];
            variance += *count as f64 * times.variance[bucket];
        }
        // Twelve uniform numbers are normal enough for the noise of a sum.
        let normal: f64 = (0..12).map(|_| unit(draws)).sum::<f64>() - 6.0;
        Credit {
            group,
            status,
            buckets,
            sum_ms: (sum + normal * variance.sqrt()).max(0.0).round() as u64,
        }
    }

    /// Starts totals anew, now.
    pub(super) fn start_totals(&mut self) {
        self.settle();
        self.users.restart(self.now);
    }

    pub(super) fn totals(&self) -> RequestTotals {
        self.users.totals()
    }

    pub(super) fn latency(&self) -> Latency {
        self.users.latency()
    }

    pub(super) fn seconds(&self, from: Nanos) -> Vec<SecondStats> {
        self.users.seconds(from, moment(self.now))
    }

    pub(super) fn window_truth(&self, from: Nanos, to: Nanos, side: Side) -> WindowTruth {
        self.users.truth(tick(from), tick(to), side)
    }
}
