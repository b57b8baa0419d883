//! What users got, as far as counts tell.

use crate::record::{Latency, RequestTotals};
use crate::sim::clock::{Nanos, SECOND, Tick, moment, tick};
use crate::sim::ingress::{BUCKET_BOUNDS, BUCKETS, Status};
use crate::sim::requests::{SecondStats, WindowTruth};
use crate::sim::service::Side;

/// Requests by side, whatever their fate; then those that failed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Answered {
    buckets: [[u64; BUCKETS]; 2],
    failed: [u64; 2],
    refused: u64,
}

/// Requests of a stretch of time.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    from: Tick,
    to: Tick,
    answered: Answered,
}

/// All stretches, and the totals since the last restart.
#[derive(Clone, Debug)]
pub(super) struct Users {
    stretches: Vec<Stretch>,
    since_restart: Answered,
    start: Tick,
}

impl Answered {
    pub(super) fn add(&mut self, side: Side, status: Status, buckets: &[u64; BUCKETS]) {
        let side = side as usize;
        for (sum, count) in self.buckets[side].iter_mut().zip(buckets) {
            *sum += count;
        }
        if status.is_server_error() {
            self.failed[side] += buckets.iter().sum::<u64>();
        }
    }

    /// Counts requests that found no pod: the primary's users.
    pub(super) fn refuse(&mut self, count: u64) {
        self.refused += count;
    }

    fn merge(&mut self, other: &Answered) {
        for side in 0..2 {
            for (sum, count) in self.buckets[side].iter_mut().zip(other.buckets[side]) {
                *sum += count;
            }
            self.failed[side] += other.failed[side];
        }
        self.refused += other.refused;
    }

    fn requests(&self, side: Side) -> u64 {
        let answered: u64 = self.buckets[side as usize].iter().sum();
        answered
            + if side == Side::Primary {
                self.refused
            } else {
                0
            }
    }

    fn failures(&self, side: Side) -> u64 {
        let refused = if side == Side::Primary {
            self.refused
        } else {
            0
        };
        self.failed[side as usize] + refused
    }

    fn both(&self) -> [u64; BUCKETS] {
        std::array::from_fn(|bucket| self.buckets[0][bucket] + self.buckets[1][bucket])
    }

    fn totals(&self) -> RequestTotals {
        let (canary, canary_failed) = (self.requests(Side::Canary), self.failures(Side::Canary));
        RequestTotals {
            total: self.requests(Side::Primary) + canary,
            failed: self.failures(Side::Primary) + canary_failed,
            canary,
            canary_failed,
        }
    }
}

impl Users {
    pub(super) fn new(start: Tick) -> Self {
        Users {
            stretches: Vec::new(),
            since_restart: Answered::default(),
            start,
        }
    }

    pub(super) fn log(&mut self, from: Tick, to: Tick, answered: Answered) {
        self.since_restart.merge(&answered);
        self.stretches.push(Stretch { from, to, answered });
    }

    pub(super) fn restart(&mut self, at: Tick) {
        self.since_restart = Answered::default();
        self.start = at;
    }

    pub(super) fn totals(&self) -> RequestTotals {
        self.since_restart.totals()
    }

    pub(super) fn latency(&self) -> Latency {
        let counts = self.since_restart.both();
        Latency {
            p50_ms: quantile_ms(&counts, 0.5),
            p90_ms: quantile_ms(&counts, 0.9),
            p99_ms: quantile_ms(&counts, 0.99),
            max_ms: quantile_ms(&counts, 1.0),
        }
    }

    /// The seconds from `from` on and before `to`: each stretch's requests are spread evenly over it, none lost.
    pub(super) fn seconds(&self, from: Nanos, to: Nanos) -> Vec<SecondStats> {
        let count = (to - from).max(0).div_euclid(SECOND) as usize
            + usize::from((to - from).rem_euclid(SECOND) > 0);
        let start = |n: usize| from + n as Nanos * SECOND;
        let mut rows: Vec<SecondStats> = (0..count)
            .map(|n| SecondStats {
                start: start(n),
                ..SecondStats::default()
            })
            .collect();
        for stretch in &self.stretches {
            let totals = stretch.answered.totals();
            let counts = stretch.answered.both();
            let (p50, p99) = (quantile_ms(&counts, 0.5), quantile_ms(&counts, 0.99));
            let first = (moment(stretch.from) - from).div_euclid(SECOND).max(0) as usize;
            for (n, row) in rows.iter_mut().enumerate().skip(first) {
                if tick(start(n)) >= stretch.to {
                    break;
                }
                let upto = |n: usize, all: u64| stretch.part(tick(start(n)), all);
                let part = |all: u64| upto(n + 1, all) - upto(n, all);
                row.requests += part(totals.total);
                row.failed += part(totals.failed);
                row.canary += part(totals.canary);
                row.canary_failed += part(totals.canary_failed);
                (row.p50_ms, row.p99_ms) = (row.p50_ms.max(p50), row.p99_ms.max(p99));
            }
        }
        rows
    }

    pub(super) fn truth(&self, from: Tick, to: Tick, side: Side) -> WindowTruth {
        let mut truth = WindowTruth::default();
        let mut counts = [0; BUCKETS];
        for stretch in self.stretches.iter().rev() {
            if stretch.from >= to {
                continue;
            }
            // Stretches overlap by no more than a flush interval.
            if stretch.to + 2 * SECOND as u64 <= from {
                break;
            }
            let part = |all: u64| stretch.part(to, all) - stretch.part(from, all);
            truth.requests += part(stretch.answered.requests(side));
            truth.failed += part(stretch.answered.failures(side));
            let buckets = stretch.answered.buckets[side as usize];
            for (count, all) in counts.iter_mut().zip(buckets) {
                *count += part(all);
            }
        }
        truth.failed = truth.failed.min(truth.requests);
        truth.p99_ms = quantile_ms(&counts, 0.99);
        truth
    }
}

impl Stretch {
    /// How many of `all` come before a moment, if they come evenly.
    fn part(&self, at: Tick, all: u64) -> u64 {
        let at = at.clamp(self.from, self.to);
        (u128::from(all) * u128::from(at - self.from) / u128::from((self.to - self.from).max(1)))
            as u64
    }
}

/// A percentile in milliseconds, by straight lines inside buckets; 0 without requests.
fn quantile_ms(counts: &[u64; BUCKETS], q: f64) -> f64 {
    let rank = q * counts.iter().sum::<u64>() as f64;
    let mut below = 0.0;
    let mut lower = 0.0;
    for (count, bound) in counts.iter().zip(BUCKET_BOUNDS) {
        let count = *count as f64;
        if count > 0.0 && below + count >= rank {
            return (lower + (bound - lower) * (rank - below) / count) * 1000.0;
        }
        below += count;
        lower = bound;
    }
    if rank > 0.0 { lower * 1000.0 } else { 0.0 }
}
