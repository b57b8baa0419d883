//! M/M/c against Erlang's formulas, at nine points, within five standard errors that the runs themselves tell.

use rollcast::scenario::Distribution;
use rollcast::sim::clock::{MILLISECOND, SECOND};
use rollcast::sim::ingress::{Backend, Status};
use rollcast::sim::service::Side;

use crate::given::{Given, add_pods, set_endpoints};

/// The chance that all of `c` servers are busy, offered `a` of their capacity each (Erlang's second formula).
pub(crate) fn erlang_c(c: u32, a: f64) -> f64 {
    let load = a * f64::from(c);
    let blocked = (1..=c).fold(1.0, |b, k| load * b / (f64::from(k) + load * b));
    blocked / (1.0 - a + a * blocked)
}

/// The share of requests that take longer than `t` mean service times, waiting included.
fn slower_than(t: f64, c: u32, a: f64) -> f64 {
    let (busy, rate) = (erlang_c(c, a), f64::from(c) * (1.0 - a));
    let waited = if (rate - 1.0).abs() < 1e-9 {
        (1.0 + t) * (-t).exp()
    } else {
        ((-rate * t).exp() - rate * (-t).exp()) / (1.0 - rate)
    };
    (1.0 - busy) * (-t).exp() + busy * waited
}

/// The 99th percentile, in mean service times.
fn p99(c: u32, a: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1000.0);
    for _ in 0..100 {
        let middle = (low + high) / 2.0;
        if slower_than(middle, c, a) > 0.01 {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

/// Mean, and its standard error, of what independent runs gave.
fn estimate(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
    (mean, (variance / n).sqrt())
}

#[test]
fn waits_and_percentiles_follow_erlangs_formulas_at_nine_points() {
    const RUNS: u64 = 16;
    for (c, load) in [
        (1, 0.5),
        (1, 0.8),
        (2, 0.7),
        (4, 0.5),
        (4, 0.85),
        (8, 0.7),
        (8, 0.9),
        (16, 0.8),
        (32, 0.9),
    ] {
        // The 99th percentile falls on a bound of the exporter's, half a millisecond up since nginx counts whole ones.
        let mean_ms = 100.5 / p99(c, load);
        let per_second = load * f64::from(c) / mean_ms * 1e3;
        let (mut waits, mut busy, mut tails) = (Vec::new(), Vec::new(), Vec::new());
        for seed in 0..RUNS {
            let given = Given {
                per_second,
                service_time: Distribution::Exponential {
                    mean_ns: (mean_ms * 1e6).round() as u64,
                },
                concurrency: c,
                workers: 1,
                read_timeout: None,
                seed: 100 + seed,
                ..Given::default()
            };
            let mut path = given.path();
            let pod = add_pods(&mut path, Side::Primary, 1, 0.0)[0];
            set_endpoints(&mut path, Backend::Main, &[pod]);
            // From two thousand requests on, forty thousand.
            let first = (2_000.0 / per_second / 5.0).ceil() as i64;
            let last = first + (40_000.0 / per_second / 5.0).ceil() as i64;
            let (mut looks, mut all_busy, mut before) = (0u32, 0u32, None);
            for scrape in 0..=last {
                let at = 2 * SECOND + scrape * given.scrape_interval;
                if scrape > first {
                    let mut look = at - given.scrape_interval;
                    while look < at {
                        look += 10 * MILLISECOND;
                        path.advance(look);
                        looks += 1;
                        all_busy += u32::from(path.working(pod) == c);
                    }
                }
                path.advance(at);
                let seen = path.scrape(at).cell(0, Status::Ok).request_duration;
                if scrape == first {
                    before = Some(seen);
                }
                if scrape == last {
                    let before = before.expect("the first scrape came first");
                    let requests = (seen.count() - before.count()) as f64;
                    let sum_ms = (seen.sum_ms - before.sum_ms) as f64;
                    waits.push(sum_ms / requests - mean_ms);
                    let within = (seen.buckets[4] - before.buckets[4]) as f64;
                    tails.push(1.0 - within / requests);
                    busy.push(f64::from(all_busy) / f64::from(looks));
                }
            }
        }
        let wait_ms = erlang_c(c, load) * mean_ms / (f64::from(c) * (1.0 - load));
        // What takes from 100 to 101 ms counts as 100 or as 101, as the clock had it.
        let counted =
            (0..=100).map(|k| slower_than((100.0 + f64::from(k) / 100.0) / mean_ms, c, load));
        let tail = counted.sum::<f64>() / 101.0;
        for (what, values, expected) in [
            ("mean wait", &waits, wait_ms),
            ("P(wait)", &busy, erlang_c(c, load)),
            ("share beyond p99", &tails, tail),
        ] {
            let (measured, error) = estimate(values);
            assert!(
                (measured - expected).abs() < 5.0 * error + 1e-6,
                "M/M/{c} at {load}, seeds 100..{}: {what} is {measured} for {expected}, standard error {error}",
                100 + RUNS
            );
            // And the runs are long enough to tell.
            assert!(
                error < 0.15 * expected,
                "M/M/{c} at {load}: {what}: {error} of {expected}"
            );
        }
    }
}

#[test]
fn the_coins_share_is_binomial_at_every_step() {
    // 4.892 standard deviations: one in a million by chance, to both sides, for each step.
    for (step, weight) in [
        1u32, 2, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 60, 75, 90, 99,
    ]
    .iter()
    .enumerate()
    {
        let given = Given {
            per_second: 2_000.0,
            concurrency: 1_000,
            workers: 4,
            seed: 40 + step as u64,
            ..Given::default()
        };
        let mut path = given.rollout([2, 2], 0.0, *weight);
        path.advance(100 * SECOND);
        let totals = path.totals();
        let (n, p) = (totals.total as f64, f64::from(*weight) / 100.0);
        let z = (totals.canary as f64 - n * p) / (n * p * (1.0 - p)).sqrt();
        assert!(
            z.abs() < 4.892,
            "seed {}, weight {weight}: z = {z}",
            given.seed
        );
    }
}
