//! The model on rollcast's request path.

use std::time::Instant;

use rollcast::scenario::{Distribution, IngressController, Traffic, Version};
use rollcast::seed::RunSeed;
use rollcast::sim::clock::{Nanos, SECOND};
use rollcast::sim::ingress::{Backend, ScrapeGrid};
use rollcast::sim::requests::{PathPlan, RequestPath};
use rollcast::sim::service::{PodSpec, Side};

use crate::model::{
    CONCURRENCY, FAILURE_RATE, FAILURE_S, MEDIAN_S, PODS, RATE, SCRAPE_INTERVAL_S, SIGMA, Tally,
    WEIGHT_PERCENT,
};

const SCRAPE_INTERVAL: Nanos = SCRAPE_INTERVAL_S as Nanos * SECOND;

/// Runs about `requests` requests: as many as arrive in the time that they take in the mean.
pub(crate) fn run(requests: u64, seed: u64) -> Tally {
    let mut path = RequestPath::new(plan(), RunSeed(seed), 0);
    let mut pods = |side, group, count| -> Vec<_> {
        let spec = PodSpec {
            side,
            version: 0,
            failure_rate: 0.0,
        };
        (0..count).map(|_| (path.add_pod(spec), group)).collect()
    };
    let main = pods(Side::Primary, 0, PODS[0]);
    let alternative = pods(Side::Canary, 1, PODS[1]);
    path.set_endpoints(Backend::Main, &main);
    path.set_endpoints(Backend::Alternative, &alternative);
    path.set_weight(0, WEIGHT_PERCENT as u32);

    let end = (requests as f64 / RATE * 1e9) as Nanos;
    let mut scrapes = 0;
    while (scrapes + 1) * SCRAPE_INTERVAL <= end {
        scrapes += 1;
        let at = scrapes * SCRAPE_INTERVAL;
        path.advance(at);
        std::hint::black_box(path.scrape(at));
    }
    path.advance(end);

    let totals = path.totals();
    // Two scrapes on, everything that arrived is in the counters.
    path.scrape((scrapes + 2) * SCRAPE_INTERVAL);
    let counters = path.scrape((scrapes + 3) * SCRAPE_INTERVAL);
    let sum_ms: u64 = counters
        .born()
        .map(|(_, _, cell)| cell.request_duration.sum_ms)
        .sum();
    Tally {
        count: totals.total,
        canary: totals.canary as f64 / totals.total as f64,
        failed: totals.failed as f64 / totals.total as f64,
        mean_ms: sum_ms as f64 / totals.total as f64,
        scrapes: scrapes as u64,
    }
}

/// How long it takes to compile the model's plan.
pub(crate) fn set_up_ms() -> f64 {
    let times = (0..50).map(|_| {
        let start = Instant::now();
        std::hint::black_box(plan());
        start.elapsed().as_secs_f64() * 1e3
    });
    times.fold(f64::MAX, f64::min)
}

fn plan() -> PathPlan {
    let traffic = Traffic::steady(RATE);
    let version = Version {
        service_time: Distribution::Lognormal {
            median_ns: (MEDIAN_S * 1e9) as u64,
            sigma: SIGMA,
        },
        failure_time: Some(Distribution::Constant {
            ns: (FAILURE_S * 1e9) as u64,
        }),
        concurrency: CONCURRENCY as u32,
        base_failure_rate: FAILURE_RATE,
        ..Version::default()
    };
    let ingress = IngressController {
        workers: 1,
        ..IngressController::default()
    };
    let mut plan = PathPlan::new(&traffic, [&version], &ingress, true);
    plan.scrapes = vec![ScrapeGrid {
        first: SCRAPE_INTERVAL,
        interval: SCRAPE_INTERVAL,
    }];
    plan
}
