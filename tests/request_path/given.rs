//! A request path under test, and what tests do with it.

use rollcast::scenario::{
    Arrivals, Distribution, IngressController, RatePoint, Traffic, Version, Via,
};
use rollcast::seed::RunSeed;
use rollcast::sim::clock::{Nanos, SECOND};
use rollcast::sim::ingress::{Backend, Counters, ScrapeGrid};
use rollcast::sim::requests::{PathPlan, RequestPath};
use rollcast::sim::service::{PodIx, PodSpec, Side};
use rollcast::time::Span;

/// A path under test, described by what differs from test to test.
#[derive(Clone)]
pub(crate) struct Given {
    pub(crate) arrivals: Arrivals,
    pub(crate) per_second: f64,
    pub(crate) service_time: Distribution,
    pub(crate) concurrency: u32,
    pub(crate) workers: u32,
    pub(crate) scrape_interval: Nanos,
    pub(crate) flush_interval: Span,
    pub(crate) read_timeout: Option<Nanos>,
    pub(crate) tries: u32,
    pub(crate) patience: Option<Nanos>,
    pub(crate) kills: bool,
    pub(crate) via: Via,
    pub(crate) seed: u64,
}

impl Default for Given {
    fn default() -> Self {
        Given {
            arrivals: Arrivals::Poisson,
            per_second: 200.0,
            service_time: Distribution::Lognormal {
                median_ns: 20_000_000,
                sigma: 0.5,
            },
            concurrency: 8,
            workers: 2,
            scrape_interval: 5 * SECOND,
            flush_interval: Span::from_secs(1),
            read_timeout: Some(60 * SECOND),
            tries: 3,
            patience: None,
            kills: false,
            via: Via::Ingress,
            seed: 1,
        }
    }
}

impl Given {
    pub(crate) fn plan(&self) -> PathPlan {
        let traffic = Traffic {
            arrivals: self.arrivals,
            rate: vec![RatePoint {
                at: Span::ZERO,
                per_second: self.per_second,
            }],
            via: self.via,
            ..Traffic::steady(0.0)
        };
        let version = Version {
            service_time: self.service_time.clone(),
            concurrency: self.concurrency,
            ..Version::default()
        };
        let ingress = IngressController {
            workers: self.workers,
            flush_interval: self.flush_interval,
            ..IngressController::default()
        };
        let mut plan = PathPlan::new(&traffic, [&version], &ingress, true);
        if self.via == Via::Ingress {
            plan.ingress.read_timeout = self.read_timeout;
            plan.ingress.tries = self.tries;
        }
        plan.patience = self.patience;
        plan.kills = self.kills;
        plan.scrapes = vec![ScrapeGrid {
            first: 2 * SECOND,
            interval: self.scrape_interval,
        }];
        plan
    }

    pub(crate) fn path(&self) -> RequestPath {
        RequestPath::new(self.plan(), RunSeed(self.seed), 0)
    }

    /// A path with pods behind both backends, the canary's failing at `failure_rate`, and the same weight in every worker.
    pub(crate) fn rollout(&self, pods: [usize; 2], failure_rate: f64, weight: u32) -> RequestPath {
        let mut path = self.path();
        let main = add_pods(&mut path, Side::Primary, pods[0], 0.0);
        let canary = add_pods(&mut path, Side::Canary, pods[1], failure_rate);
        set_endpoints(&mut path, Backend::Main, &main);
        set_endpoints(&mut path, Backend::Alternative, &canary);
        set_weight(&mut path, self.workers, weight);
        path
    }

    /// Advances to `until`, scraping on the grid; the last scrape's counters.
    pub(crate) fn run(&self, path: &mut RequestPath, until: Nanos) -> Counters {
        self.run_from(path, 2 * SECOND, until)
    }

    /// As [`run`](Self::run), from a later scrape of the grid on.
    pub(crate) fn run_from(&self, path: &mut RequestPath, first: Nanos, until: Nanos) -> Counters {
        let mut counters = Counters::default();
        let mut at = first;
        while at <= until {
            path.advance(at);
            counters = path.scrape(at).clone();
            at += self.scrape_interval;
        }
        path.advance(until);
        counters
    }
}

pub(crate) fn add_pods(
    path: &mut RequestPath,
    side: Side,
    count: usize,
    failure_rate: f64,
) -> Vec<PodIx> {
    let spec = PodSpec {
        side,
        version: 0,
        failure_rate,
    };
    (0..count).map(|_| path.add_pod(spec)).collect()
}

pub(crate) fn set_endpoints(path: &mut RequestPath, backend: Backend, pods: &[PodIx]) {
    let group = backend as u8;
    let endpoints: Vec<_> = pods.iter().map(|&pod| (pod, group)).collect();
    path.set_endpoints(backend, &endpoints);
}

pub(crate) fn set_weight(path: &mut RequestPath, workers: u32, weight: u32) {
    for worker in 0..workers {
        path.set_weight(worker, weight);
    }
}

pub(crate) fn counted(counters: &Counters) -> u64 {
    counters.born().map(|(_, _, cell)| cell.requests).sum()
}
