//! The model as the peers run it: its draws, its counters, and what must come out.

use std::fmt;

use rand::{Rng, RngExt, SeedableRng};
use rand_distr::{Distribution, Exp1, StandardNormal};
use rand_xoshiro::Xoshiro256PlusPlus;

pub(crate) const RATE: f64 = 2519.1;
pub(crate) const WEIGHT_PERCENT: u64 = 20;
pub(crate) const PODS: [usize; 2] = [8, 2];
pub(crate) const CONCURRENCY: usize = 8;
pub(crate) const MEDIAN_S: f64 = 0.020;
pub(crate) const SIGMA: f64 = 0.5;
pub(crate) const FAILURE_RATE: f64 = 0.02;
pub(crate) const FAILURE_S: f64 = 0.001;
pub(crate) const SCRAPE_INTERVAL_S: f64 = 15.0;

pub(crate) const BOUNDS: [f64; 11] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// What one request draws: from one xoshiro256++, by ziggurat.
pub(crate) struct Draws {
    stream: Xoshiro256PlusPlus,
    turn: [usize; 2],
}

/// A request before it waits.
#[derive(Clone, Copy)]
pub(crate) struct Request {
    pub(crate) pod: usize,
    pub(crate) group: usize,
    pub(crate) failed: bool,
    pub(crate) service_s: f64,
}

impl Draws {
    pub(crate) fn new(seed: u64) -> Self {
        Draws {
            stream: Xoshiro256PlusPlus::seed_from_u64(seed),
            turn: [0; 2],
        }
    }

    pub(crate) fn gap_s(&mut self) -> f64 {
        let gap: f64 = Exp1.sample(&mut self.stream);
        gap / RATE
    }

    pub(crate) fn request(&mut self) -> Request {
        let word = self.stream.next_u64();
        let group = usize::from(((word >> 32) * 100) >> 32 < WEIGHT_PERCENT);
        let turn = self.turn[group];
        self.turn[group] = if turn + 1 < PODS[group] { turn + 1 } else { 0 };
        let failed = self.stream.random::<f64>() < FAILURE_RATE;
        let z: f64 = StandardNormal.sample(&mut self.stream);
        Request {
            pod: group * PODS[0] + turn,
            group,
            failed,
            service_s: if failed {
                FAILURE_S
            } else {
                MEDIAN_S * (SIGMA * z).exp()
            },
        }
    }
}

/// The series of one group and status.
#[derive(Clone, Copy, Default)]
pub(crate) struct Series {
    pub(crate) count: u64,
    pub(crate) buckets: [u64; 12],
    pub(crate) sum_s: f64,
}

/// The series of the two groups and two statuses.
#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) series: [[Series; 2]; 2],
    scrapes: u64,
    seen: u64,
}

impl Counters {
    #[inline]
    pub(crate) fn complete(&mut self, group: usize, failed: bool, latency_s: f64) {
        let series = &mut self.series[group][usize::from(failed)];
        let bucket = BOUNDS.iter().filter(|&&bound| latency_s > bound).count();
        series.count += 1;
        series.buckets[bucket] += 1;
        series.sum_s += latency_s;
    }

    pub(crate) fn scrape(&mut self) {
        self.scrapes += 1;
        self.seen = std::hint::black_box(self.series)
            .iter()
            .flatten()
            .map(|series| series.count)
            .sum();
    }

    pub(crate) fn tally(&self) -> Tally {
        let all = || self.series.iter().flatten();
        let count = all().map(|series| series.count).sum::<u64>();
        let share = |of: u64| of as f64 / count as f64;
        Tally {
            count,
            canary: share(self.series[1].iter().map(|series| series.count).sum()),
            failed: share(self.series.iter().map(|group| group[1].count).sum()),
            mean_ms: all().map(|series| series.sum_s).sum::<f64>() / count as f64 * 1e3,
            scrapes: self.scrapes,
        }
    }
}

/// What came out of a run.
pub(crate) struct Tally {
    pub(crate) count: u64,
    pub(crate) canary: f64,
    pub(crate) failed: f64,
    pub(crate) mean_ms: f64,
    pub(crate) scrapes: u64,
}

impl Tally {
    /// All ways to run the model must agree: a mean latency of 22.518 ms, known from 3e9 requests run elsewhere.
    pub(crate) fn assert_is_the_model(&self, name: &str) {
        let n = self.count as f64;
        let within = |value: f64, expected: f64, deviation: f64| {
            let z = (value - expected) / (deviation / n.sqrt());
            assert!(z.abs() < 5.0, "{name}: {value} for {expected}, z = {z:.1}");
        };
        within(self.canary, 0.2, 0.4);
        within(self.failed, FAILURE_RATE, 0.14);
        // Latencies hang together through the queues: 20 ms for a single one's spread of 12 ms.
        within(self.mean_ms, 22.518, 20.0);
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} requests, {:.2} % canary, {:.2} % failed, mean {:.3} ms, {} scrapes",
            self.count,
            self.canary * 100.0,
            self.failed * 100.0,
            self.mean_ms,
            self.scrapes
        )
    }
}
