//! What users got, second by second of their arrival.

use std::ops::Range;

use super::batch::Answered;
use super::latency::{LATENCY_BUCKETS, bucket, quantile_ms};
use crate::record::{Latency, RequestTotals};
use crate::sim::clock::{Nanos, SECOND, Tick, moment};
use crate::sim::service::Side;

/// One second of requests, by arrival. A second is cut short where `SecondLog::restart` begins anew.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SecondStats {
    /// When it starts.
    pub start: Nanos,
    /// Requests that arrived.
    pub requests: u64,
    /// Of these, answered with 5xx.
    pub failed: u64,
    /// Of the arrived, served by the canary's pods.
    pub canary: u64,
    /// Of these, answered with 5xx.
    pub canary_failed: u64,
    /// 50 % were at most so slow; 0 without requests.
    pub p50_ms: f64,
    /// 99 % were at most so slow; 0 without requests.
    pub p99_ms: f64,
}

/// What the users of one side really got in a span of time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct WindowTruth {
    /// Requests that arrived.
    pub requests: u64,
    /// Of these, answered with 5xx.
    pub failed: u64,
    /// 99 % were at most so slow; 0 without requests.
    pub p99_ms: f64,
}

/// Seconds gone by, the running one, and totals.
#[derive(Clone, Debug)]
pub(super) struct SecondLog {
    running: Running,
    rows: Vec<Row>,
    /// Latencies of the kept rows, packed: a bucket and its count each.
    packed: Vec<Packed>,
    /// What has been dropped from the front of `packed` since the start.
    dropped: usize,
    /// Rows whose latencies are kept.
    keep: usize,
    totals: RequestTotals,
    latencies: Vec<u64>,
    slowest_ns: u64,
    /// Totals are of requests that arrived since.
    restarted_at: Tick,
}

/// How a request stands in the second of its arrival.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    pub(super) failed: bool,
    pub(super) latency_ns: u64,
}

/// The second under way.
#[derive(Clone, Debug)]
struct Running {
    start: Tick,
    end: Tick,
    /// By side and bucket.
    latencies: Vec<u32>,
    /// Where all latencies lie: most of the scale is empty.
    occupied: Range<usize>,
    failed: [u64; 2],
    slowest_ns: u64,
}

/// A second gone by.
#[derive(Clone, Copy, Debug)]
struct Row {
    stats: SecondStats,
    /// Where its latencies start in everything ever packed, by side, and where they end.
    packed: [usize; 3],
}

/// A bucket in the upper 11 bits, a count in the others.
#[derive(Clone, Copy, Debug)]
struct Packed(u32);

const COUNT_BITS: u32 = 21;

impl Packed {
    fn new(bucket: usize, count: u32) -> Self {
        Packed((bucket as u32) << COUNT_BITS | count.min((1 << COUNT_BITS) - 1))
    }

    fn unpack(self) -> (usize, u64) {
        (
            (self.0 >> COUNT_BITS) as usize,
            u64::from(self.0 & ((1 << COUNT_BITS) - 1)),
        )
    }
}

impl SecondLog {
    /// A log that starts at `start` and can answer [`Self::truth`] for the last `keep` seconds.
    pub(super) fn new(start: Tick, keep: usize) -> Self {
        SecondLog {
            running: Running::new(start),
            rows: Vec::new(),
            packed: Vec::new(),
            dropped: 0,
            keep,
            totals: RequestTotals::default(),
            latencies: vec![0; LATENCY_BUCKETS],
            slowest_ns: 0,
            restarted_at: start,
        }
    }

    /// When the running second ends.
    pub(super) fn second_end(&self) -> Tick {
        self.running.end
    }

    /// Counts requests that arrived in the running second; `longest_ns` is the longest latency among them.
    pub(super) fn count(&mut self, answered: Answered, longest_ns: u64) {
        let running = &mut self.running;
        let latencies = &mut running.latencies[..];
        let requests = answered.endpoints.iter().zip(answered.failed);
        let times = answered.arrivals.iter().zip(answered.completions);
        let (mut lowest, mut highest) = (LATENCY_BUCKETS, 0);
        for ((endpoint, failed), (arrival, completion)) in requests.zip(times) {
            let side = endpoint.side as usize;
            let bucket = bucket(completion - arrival);
            (lowest, highest) = (lowest.min(bucket), highest.max(bucket));
            latencies[side * LATENCY_BUCKETS + bucket] += 1;
            running.failed[side] += u64::from(*failed);
        }
        running.occupy(lowest..highest + 1);
        running.slowest_ns = running.slowest_ns.max(longest_ns);
    }

    /// Counts one request in the second of its arrival, or corrects how it stands there.
    ///
    /// In a second gone by only counts are corrected, not its percentiles; the slowest of all is never taken back.
    pub(super) fn correct(&mut self, arrival: Tick, side: Side, before: Option<Seen>, now: Seen) {
        let failed = i64::from(now.failed) - before.map_or(0, |before| i64::from(before.failed));
        if arrival >= self.running.start {
            let side = side as usize;
            let bucket_now = bucket(now.latency_ns);
            self.running.occupy(bucket_now..bucket_now + 1);
            let latencies = &mut self.running.latencies[side * LATENCY_BUCKETS..];
            if let Some(before) = before {
                latencies[bucket(before.latency_ns)] -= 1;
            }
            latencies[bucket_now] += 1;
            let failures = &mut self.running.failed[side];
            *failures = failures.wrapping_add_signed(failed);
            self.running.slowest_ns = self.running.slowest_ns.max(now.latency_ns);
            return;
        }
        let canary_failed = if side == Side::Canary { failed } else { 0 };
        let row = self
            .rows
            .partition_point(|row| row.stats.start <= moment(arrival));
        if let Some(row) = row.checked_sub(1) {
            let stats = &mut self.rows[row].stats;
            stats.failed = stats.failed.wrapping_add_signed(failed);
            stats.canary_failed = stats.canary_failed.wrapping_add_signed(canary_failed);
        }
        if arrival >= self.restarted_at {
            let totals = &mut self.totals;
            totals.failed = totals.failed.wrapping_add_signed(failed);
            totals.canary_failed = totals.canary_failed.wrapping_add_signed(canary_failed);
            if let Some(before) = before {
                self.latencies[bucket(before.latency_ns)] -= 1;
            }
            self.latencies[bucket(now.latency_ns)] += 1;
            self.slowest_ns = self.slowest_ns.max(now.latency_ns);
        }
    }

    /// Counts so many requests that nobody answered.
    pub(super) fn refuse(&mut self, count: u32) {
        let side = Side::Primary as usize;
        self.running.occupy(0..1);
        self.running.latencies[side * LATENCY_BUCKETS] += count;
        self.running.failed[side] += u64::from(count);
    }

    /// Ends the running second and starts the next.
    pub(super) fn roll(&mut self) {
        let end = self.running.end;
        self.close(end);
    }

    /// Ends the running second at `at`, forgets the totals, and starts seconds and totals anew from there.
    pub(super) fn restart(&mut self, at: Tick) {
        if at > self.running.start {
            self.close(at);
        }
        self.totals = RequestTotals::default();
        self.latencies.fill(0);
        self.slowest_ns = 0;
        self.restarted_at = at;
    }

    /// Seconds that start at `from` or later, the running one last as far as it has come.
    pub(super) fn seconds(&self, from: Nanos) -> Vec<SecondStats> {
        let first = self.rows.partition_point(|row| row.stats.start < from);
        let mut seconds: Vec<SecondStats> =
            self.rows[first..].iter().map(|row| row.stats).collect();
        let running = self.running.stats();
        if running.start >= from && running.requests > 0 {
            seconds.push(running);
        }
        seconds
    }

    /// Requests since the last restart.
    pub(super) fn totals(&self) -> RequestTotals {
        let mut totals = self.totals;
        add(&mut totals, &self.running.stats());
        totals
    }

    /// Latency of the requests since the last restart.
    pub(super) fn latency(&self) -> Latency {
        let both = |bucket| {
            u64::from(self.running.latencies[bucket])
                + u64::from(self.running.latencies[bucket + LATENCY_BUCKETS])
        };
        let counts =
            || (0..LATENCY_BUCKETS).map(|bucket| (bucket, self.latencies[bucket] + both(bucket)));
        let total = counts().map(|(_, count)| count).sum();
        Latency {
            p50_ms: quantile_ms(counts(), total, 0.5),
            p90_ms: quantile_ms(counts(), total, 0.9),
            p99_ms: quantile_ms(counts(), total, 0.99),
            max_ms: self.slowest_ns.max(self.running.slowest_ns) as f64 / 1e6,
        }
    }

    /// What the users of one side got in the seconds that start at `from` or later and before `to`.
    /// Latencies older than is kept are missing from the percentile, not from the counts.
    pub(super) fn truth(&self, from: Nanos, to: Nanos, side: Side) -> WindowTruth {
        let mut counts = vec![0; LATENCY_BUCKETS];
        let mut truth = WindowTruth::default();
        let mut add = |stats: &SecondStats| {
            let (requests, failed) = match side {
                Side::Primary => (
                    stats.requests - stats.canary,
                    stats.failed - stats.canary_failed,
                ),
                Side::Canary => (stats.canary, stats.canary_failed),
            };
            truth.requests += requests;
            truth.failed += failed;
        };
        let first = self.rows.partition_point(|row| row.stats.start < from);
        for row in self.rows[first..]
            .iter()
            .take_while(|row| row.stats.start < to)
        {
            add(&row.stats);
            for packed in self.packed(row, side) {
                let (bucket, count) = packed.unpack();
                counts[bucket] += count;
            }
        }
        let running = self.running.stats();
        if (from..to).contains(&running.start) {
            add(&running);
            for (count, running) in counts.iter_mut().zip(self.running.side(side)) {
                *count += u64::from(*running);
            }
        }
        let total = counts.iter().sum();
        truth.p99_ms = quantile_ms(counts.into_iter().enumerate(), total, 0.99);
        truth
    }

    /// Files the running second, which ends at `end`, and starts the next there.
    fn close(&mut self, end: Tick) {
        let stats = self.running.stats();
        let occupied = self.running.occupied.clone();
        add(&mut self.totals, &stats);
        self.slowest_ns = self.slowest_ns.max(self.running.slowest_ns);
        let mut packed = [self.dropped + self.packed.len(); 3];
        for (side, latencies) in self
            .running
            .latencies
            .chunks_exact(LATENCY_BUCKETS)
            .enumerate()
        {
            for bucket in occupied.clone() {
                let count = latencies[bucket];
                if count > 0 {
                    self.latencies[bucket] += u64::from(count);
                    if self.keep > 0 {
                        self.packed.push(Packed::new(bucket, count));
                    }
                }
            }
            packed[side + 1] = self.dropped + self.packed.len();
        }
        self.rows.push(Row { stats, packed });
        self.forget();
        self.running.restart(end);
    }

    /// Drops latencies that are older than is kept, when that is at least half of all.
    fn forget(&mut self) {
        let oldest = self.rows.len().checked_sub(self.keep);
        let Some(oldest) = oldest.and_then(|oldest| self.rows.get(oldest)) else {
            return;
        };
        let old = oldest.packed[0].saturating_sub(self.dropped);
        if old * 2 > self.packed.len() {
            self.packed.drain(..old);
            self.dropped += old;
        }
    }

    fn packed(&self, row: &Row, side: Side) -> &[Packed] {
        let [start, end] = [row.packed[side as usize], row.packed[side as usize + 1]];
        if start < self.dropped {
            return &[];
        }
        &self.packed[start - self.dropped..end - self.dropped]
    }
}

impl Running {
    fn new(start: Tick) -> Self {
        Running {
            start,
            end: start + SECOND as u64,
            latencies: vec![0; 2 * LATENCY_BUCKETS],
            occupied: 0..0,
            failed: [0; 2],
            slowest_ns: 0,
        }
    }

    /// Begins another second.
    fn restart(&mut self, start: Tick) {
        self.start = start;
        self.end = start + SECOND as u64;
        for latencies in self.latencies.chunks_exact_mut(LATENCY_BUCKETS) {
            latencies[self.occupied.clone()].fill(0);
        }
        self.occupied = 0..0;
        self.failed = [0; 2];
        self.slowest_ns = 0;
    }

    /// Latencies come to lie in these buckets; in none where the range is empty.
    fn occupy(&mut self, buckets: Range<usize>) {
        let Range { start, end } = self.occupied;
        self.occupied = match (self.occupied.is_empty(), buckets.is_empty()) {
            (_, true) => return,
            (true, false) => buckets,
            (false, false) => start.min(buckets.start)..end.max(buckets.end),
        };
    }

    fn side(&self, side: Side) -> &[u32] {
        &self.latencies[side as usize * LATENCY_BUCKETS..][..LATENCY_BUCKETS]
    }

    fn stats(&self) -> SecondStats {
        let occupied = self.occupied.clone();
        let [a, b] = [Side::Primary, Side::Canary].map(|side| &self.side(side)[occupied.clone()]);
        let count = |counts: &[u32]| counts.iter().map(|&count| u64::from(count)).sum();
        let (primary, canary): (u64, u64) = (count(a), count(b));
        let requests = primary + canary;
        let counts = || {
            let both = a.iter().zip(b).map(|(a, b)| u64::from(*a) + u64::from(*b));
            occupied.clone().zip(both)
        };
        SecondStats {
            start: moment(self.start),
            requests,
            failed: self.failed[0] + self.failed[1],
            canary,
            canary_failed: self.failed[1],
            p50_ms: quantile_ms(counts(), requests, 0.5),
            p99_ms: quantile_ms(counts(), requests, 0.99),
        }
    }
}

fn add(totals: &mut RequestTotals, stats: &SecondStats) {
    totals.total += stats.requests;
    totals.failed += stats.failed;
    totals.canary += stats.canary;
    totals.canary_failed += stats.canary_failed;
}
