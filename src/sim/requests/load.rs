//! Requests of load tests: workers that ask, wait for the answer, and ask again.
//!
//! As `hey` does it (rakyll/hey, `requester/requester.go`): every worker has one request under way at the most; with a rate
//! it waits for its own ticker, which remembers one missed tick; it looks whether to stop only before it waits. Since the
//! end of a request is known when it is sent, these closed loops need no event either. Through the ingress they meet its
//! coin and its retries as users do; at a Service, kube-proxy picks a pod for each connection, which a worker then keeps.
//! What is neither of the two, the way there and back and hey's own work, is [`TURNAROUND`] and [`REFUSAL`].
//!
//! Load tests are no users: they are counted by themselves, and draw from streams of their own.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rand_xoshiro::rand_core::Rng;

use super::attempts::{Attempt, Origin};
use super::latency::{LATENCY_BUCKETS, bucket, quantile_ms};
use super::ordered::unanswered;
use super::seconds::Seen;
use super::{ClassIx, RequestPath};
use crate::record::RequestTotals;
use crate::seed::{Purpose, RunSeed, Stream};
use crate::sim::clock::{MILLISECOND, NEVER, Nanos, Tick, moment, tick};
use crate::sim::ingress::{Backend, Endpoint};
use crate::sim::service::{PodIx, Side};

/// From an answer to the worker's next request, where no rate makes it wait.
const TURNAROUND: u64 = MILLISECOND as u64 / 2;

/// How long it takes a worker to learn that nobody listens.
const REFUSAL: u64 = 5 * MILLISECOND as u64;

/// A load test to be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadPlan {
    /// Requests that may be under way at once.
    pub workers: u32,
    /// Time between two requests of a worker; `None` is none.
    pub period: Option<Nanos>,
    /// When it ends.
    pub lasts: LoadLength,
    /// Where its requests enter.
    pub entry: LoadEntry,
    /// How long a worker waits for an answer; `None` is for ever.
    pub timeout: Option<Nanos>,
    /// Whether a worker keeps the pod that its first connection led to.
    pub keep_alive: bool,
}

/// When a load test ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoadLength {
    /// So long after its start.
    For(Nanos),
    /// After so many requests of each worker.
    Requests(u64),
}

/// Where a load test's requests enter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoadEntry {
    /// Through the ingress.
    Ingress {
        /// Whether it counts them.
        recorded: bool,
    },
    /// At the n-th Service of [`RequestPath::set_service`].
    Service(usize),
}

/// A load test that has been started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadIx(usize);

/// What a load test has come to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LoadStats {
    /// Its requests; failed are those answered with 5xx or not at all.
    pub requests: RequestTotals,
    /// 99 % of them were at most so slow; 0 without requests.
    pub p99_ms: f64,
    /// When its last worker was done; `None` while it runs.
    pub ended: Option<Nanos>,
}

/// All load tests of a run.
#[derive(Clone, Debug)]
pub(super) struct Loads {
    seed: RunSeed,
    tests: Vec<Test>,
    /// Pods behind each Service.
    services: Vec<Vec<PodIx>>,
    due: BinaryHeap<Reverse<Due>>,
}

/// A worker's next request: first by time, then by its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Due {
    at: Tick,
    test: usize,
    worker: usize,
}

/// Which request of whom an attempt belongs to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    test: usize,
    worker: usize,
    /// Its number among the worker's, from 1.
    number: u64,
    /// Whether the ingress counts it.
    pub(super) recorded: bool,
    /// Whether it went past the ingress.
    pub(super) direct: bool,
    /// Ticks that it is waited for.
    pub(super) patience: u64,
}

#[derive(Clone, Debug)]
struct Test {
    plan: LoadPlan,
    draws: Stream,
    end: Tick,
    workers: Vec<Worker>,
    /// Workers that are not done.
    at_work: usize,
    /// When the last of those that are done was so.
    last_done: Tick,
    totals: RequestTotals,
    latencies: Vec<u64>,
}

#[derive(Clone, Copy, Debug)]
struct Worker {
    /// The tick of its ticker that its latest request took.
    ticked: Tick,
    /// Requests sent.
    sent: u64,
    /// Whether the latest has been answered.
    answered: bool,
    /// The pod that its connection leads to.
    pod: Option<PodIx>,
}

impl Loads {
    pub(super) fn new(seed: RunSeed) -> Self {
        Loads {
            seed,
            tests: Vec::new(),
            services: Vec::new(),
            due: BinaryHeap::new(),
        }
    }

    pub(super) fn reseed(&mut self, seed: RunSeed) {
        self.seed = seed;
    }

    /// When the next request is sent.
    #[inline(always)]
    pub(super) fn next(&self) -> Tick {
        self.due.peek().map_or(NEVER, |next| next.0.at)
    }

    fn start(&mut self, plan: LoadPlan, start: Tick) -> LoadIx {
        let test = self.tests.len();
        // The first request of a paced worker waits for its ticker.
        let first = start + plan.period.map_or(0, |period| period as u64);
        let worker = Worker {
            ticked: first,
            sent: 0,
            answered: true,
            pod: None,
        };
        self.tests.push(Test {
            plan,
            draws: self.seed.stream(Purpose::LoadTests, test as u64 + 1),
            end: match plan.lasts {
                LoadLength::For(span) => start.saturating_add(span as u64),
                LoadLength::Requests(_) => NEVER,
            },
            workers: vec![worker; plan.workers as usize],
            at_work: plan.workers as usize,
            last_done: start,
            totals: RequestTotals::default(),
            latencies: vec![0; LATENCY_BUCKETS],
        });
        for worker in 0..plan.workers as usize {
            self.due.push(Reverse(Due {
                at: first,
                test,
                worker,
            }));
        }
        LoadIx(test)
    }

    /// The next request that is due by `now`: whose it is, and its three draws.
    fn send(&mut self, now: Tick) -> Option<(Due, Sent, [u64; 3])> {
        let due = self.due.peek().filter(|due| due.0.at <= now)?.0;
        self.due.pop();
        let test = &mut self.tests[due.test];
        let worker = &mut test.workers[due.worker];
        worker.sent += 1;
        worker.answered = false;
        let recorded = matches!(test.plan.entry, LoadEntry::Ingress { recorded: true });
        let sent = Sent {
            test: due.test,
            worker: due.worker,
            number: worker.sent,
            recorded,
            direct: matches!(test.plan.entry, LoadEntry::Service(_)),
            patience: test.plan.timeout.map_or(NEVER, |timeout| timeout as u64),
        };
        let draws = std::array::from_fn(|_| test.draws.next_u64());
        Some((due, sent, draws))
    }

    /// The pod that a request to a Service goes to.
    fn pod(&mut self, sent: Sent, service: usize, draw: u64) -> Option<PodIx> {
        let pods = self.services.get(service).map_or(&[][..], Vec::as_slice);
        let test = &mut self.tests[sent.test];
        let worker = &mut test.workers[sent.worker];
        let kept = worker
            .pod
            .filter(|pod| test.plan.keep_alive && pods.contains(pod));
        let picked = || {
            pods.get((((draw >> 32) * pods.len() as u64) >> 32) as usize)
                .copied()
        };
        worker.pod = kept.or_else(picked);
        worker.pod
    }

    /// A worker has its answer, or has given up, and goes on. Of a request that is answered a second time, because its pod
    /// was killed meanwhile, it has long gone on.
    pub(super) fn answered(&mut self, sent: Sent, at: Tick) {
        let test = &mut self.tests[sent.test];
        let worker = &mut test.workers[sent.worker];
        if worker.answered || worker.sent != sent.number {
            return;
        }
        worker.answered = true;
        let done = match test.plan.lasts {
            LoadLength::For(_) => at >= test.end,
            LoadLength::Requests(most) => worker.sent >= most,
        };
        if done {
            test.at_work -= 1;
            test.last_done = test.last_done.max(at);
            return;
        }
        let next = match test.plan.period {
            None => at + TURNAROUND,
            Some(period) => {
                let period = period as u64;
                let next = worker.ticked + period;
                // A tick that has passed meanwhile is taken at once; the ticker has dropped those after it.
                worker.ticked = next + at.saturating_sub(next) / period * period;
                next.max(at)
            }
        };
        self.due.push(Reverse(Due {
            at: next,
            test: sent.test,
            worker: sent.worker,
        }));
    }

    /// Counts a request, or corrects how it stands.
    pub(super) fn count(&mut self, sent: Sent, side: Side, before: Option<Seen>, now: Seen) {
        let test = &mut self.tests[sent.test];
        let of_canary = side == Side::Canary;
        let totals = &mut test.totals;
        match before {
            Some(before) => test.latencies[bucket(before.latency_ns)] -= 1,
            None => {
                totals.total += 1;
                totals.canary += u64::from(of_canary);
            }
        }
        test.latencies[bucket(now.latency_ns)] += 1;
        let failed = i64::from(now.failed) - before.map_or(0, |before| i64::from(before.failed));
        totals.failed = totals.failed.wrapping_add_signed(failed);
        if of_canary {
            totals.canary_failed = totals.canary_failed.wrapping_add_signed(failed);
        }
    }
}

impl RequestPath {
    /// Starts a load test; `at` is not before what has been [advanced](Self::advance) to.
    pub fn start_load(&mut self, plan: LoadPlan, at: Nanos) -> LoadIx {
        self.loads.start(plan, tick(at).max(self.now))
    }

    /// Says which pods answer for the n-th Service that load tests go to.
    pub fn set_service(&mut self, service: usize, pods: Vec<PodIx>) {
        let services = &mut self.loads.services;
        services.resize(services.len().max(service + 1), Vec::new());
        services[service] = pods;
    }

    /// Whether a load test is still at work.
    pub fn load_runs(&self, load: LoadIx) -> bool {
        let test = &self.loads.tests[load.0];
        test.at_work > 0 || test.last_done > self.now
    }

    /// What a load test has come to so far.
    pub fn load_stats(&self, load: LoadIx) -> LoadStats {
        let test = &self.loads.tests[load.0];
        let counts = test.latencies.iter().copied().enumerate();
        LoadStats {
            requests: test.totals,
            p99_ms: quantile_ms(counts, test.totals.total, 0.99),
            ended: (!self.load_runs(load)).then(|| moment(test.last_done)),
        }
    }

    /// Sends the load tests' requests that are due by `now`.
    pub(super) fn serve_loads(&mut self, now: Tick) {
        while let Some((due, sent, draws)) = self.loads.send(now) {
            let [routing, service, fault] = draws;
            let entry = self.loads.tests[due.test].plan.entry;
            let found = match entry {
                LoadEntry::Ingress { .. } if self.router.is_closed() => None,
                LoadEntry::Ingress { .. } => {
                    let (worker, endpoint) = self.router.balance_one(routing);
                    endpoint.map(|endpoint| (worker, endpoint))
                }
                LoadEntry::Service(number) => self.loads.pod(sent, number, routing).map(|pod| {
                    let endpoint = Endpoint {
                        pod,
                        side: self.pods.side(pod),
                        group: 0,
                        backend: Backend::Main,
                    };
                    (0, endpoint)
                }),
            };
            match found {
                Some((worker, endpoint)) => self.begin(Attempt {
                    arrival: due.at,
                    at: due.at,
                    number: 1,
                    worker,
                    endpoint,
                    service,
                    fault,
                    side: endpoint.side,
                    seen: None,
                    class: ClassIx::default(),
                    client: None,
                    origin: Origin::Load(sent),
                }),
                None => self.refuse_load(due.at, sent, routing),
            }
        }
    }

    /// Nobody answers: the ingress says so, and at a Service the connection is refused.
    fn refuse_load(&mut self, at: Tick, sent: Sent, draw: u64) {
        if sent.recorded {
            let worker = self.router.worker(draw);
            self.recorders.record_one(&unanswered(worker, 0, at));
        }
        let seen = Seen {
            failed: true,
            latency_ns: 0,
        };
        self.loads.count(sent, Side::Primary, None, seen);
        self.loads.answered(sent, at + REFUSAL);
    }
}
