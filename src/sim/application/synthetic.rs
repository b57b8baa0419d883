//! Values of the series that a scenario makes up (`[[prometheus.series]]`).

use rand_xoshiro::rand_core::Rng;

use super::PodCounters;
use crate::scenario::{Distribution, SyntheticKind, SyntheticSeries, Terms};
use crate::seed::{Purpose, RunSeed, Stream};
use crate::sim::sampling::{TableIx, Tables};
use crate::time::{Span, Timestamp};

/// Streams for [`Purpose::Service`] of what histograms observe have entities from here on; 0 is the requests'.
const FIRST_ENTITY: u64 = 1 << 48;

/// One made-up series of one process.
#[derive(Clone, Debug)]
pub(super) struct Synthetic {
    terms: Terms,
    kind: Kind,
    started: Timestamp,
    /// Requests and failures at the last scrape, and when that was.
    seen: (f64, f64, Timestamp),
}

#[derive(Clone, Debug)]
enum Kind {
    Counter,
    Gauge,
    Histogram(Box<Observed>),
}

/// A histogram's observations so far.
#[derive(Clone, Debug)]
struct Observed {
    distribution: (Tables, TableIx),
    draws: Stream,
    bounds: Vec<f64>,
    /// By bucket, the last +Inf, not cumulative.
    buckets: Vec<u64>,
    sum: f64,
    count: u64,
}

impl Synthetic {
    /// The `number`-th series of the scenario in the process that starts at `started`, the `entity`-th of all.
    pub(super) fn new(
        series: &SyntheticSeries,
        number: usize,
        entity: u64,
        started: Timestamp,
        seed: RunSeed,
    ) -> Self {
        let kind = match &series.kind {
            SyntheticKind::Counter => Kind::Counter,
            SyntheticKind::Gauge => Kind::Gauge,
            SyntheticKind::Histogram { observes, buckets } => {
                let stream = FIRST_ENTITY + ((number as u64) << 32) + entity;
                Kind::Histogram(Box::new(Observed {
                    distribution: compiled(observes),
                    draws: seed.stream(Purpose::Service, stream),
                    bounds: buckets.clone(),
                    buckets: vec![0; buckets.len() + 1],
                    sum: 0.0,
                    count: 0,
                }))
            }
        };
        Synthetic {
            terms: series.terms.clone(),
            kind,
            started,
            seen: (0.0, 0.0, started),
        }
    }

    /// What a scrape at `now` sees, in the order of the series' names: one value, or cumulative buckets, sum and count.
    /// `counters` are the requests since the process started.
    pub(super) fn values(&mut self, counters: &PodCounters, now: Timestamp) -> Vec<f64> {
        let failed = counters.failed.count();
        let answered = counters.ok.count() + failed;
        let total = (answered as f64, failed as f64);
        let (requests_before, failed_before, at) =
            std::mem::replace(&mut self.seen, (total.0, total.1, now));
        let age = (now - self.started).as_secs_f64();
        match &mut self.kind {
            Kind::Counter => vec![self.terms.value(age, total, now)],
            Kind::Gauge => {
                let seconds = (now - at).as_secs_f64();
                let a_second = |count: f64, before: f64| {
                    if seconds > 0.0 {
                        (count - before) / seconds
                    } else {
                        0.0
                    }
                };
                let rates = (
                    a_second(total.0, requests_before),
                    a_second(total.1, failed_before),
                );
                vec![self.terms.value(age, rates, now)]
            }
            Kind::Histogram(observed) => observed.values(answered),
        }
    }
}

impl Terms {
    /// The sum, for a process of this age in seconds and so many requests and failures.
    fn value(&self, age: f64, (requests, failures): (f64, f64), now: Timestamp) -> f64 {
        self.constant
            + self.per_second * age
            + self.per_request * requests
            + self.per_failure * failures
            + self.at(now - Timestamp::ZERO)
    }

    /// The points' value at a time from the scenario's zero.
    fn at(&self, now: Span) -> f64 {
        let after = self.points.partition_point(|(at, _)| *at <= now);
        match (after.checked_sub(1), self.points.get(after)) {
            (None, None) => 0.0,
            (None, Some((_, first))) => *first,
            (Some(last), None) => self.points[last].1,
            (Some(before), Some((end, to))) => {
                let (start, from) = self.points[before];
                let share = (now - start).as_secs_f64() / (*end - start).as_secs_f64();
                from + (to - from) * share
            }
        }
    }
}

impl Observed {
    fn values(&mut self, requests: u64) -> Vec<f64> {
        let (tables, table) = &self.distribution;
        while self.count < requests {
            let seconds = tables.value(*table, self.draws.next_u64()) / 1e9;
            let bucket = self.bounds.partition_point(|bound| *bound < seconds);
            self.buckets[bucket] += 1;
            self.sum += seconds;
            self.count += 1;
        }
        let mut below = 0;
        let buckets = self.buckets.iter().map(|count| {
            below += count;
            below as f64
        });
        let mut values: Vec<f64> = buckets.collect();
        values.extend([self.sum, self.count as f64]);
        values
    }
}

fn compiled(distribution: &Distribution) -> (Tables, TableIx) {
    let (tables, indices) = Tables::compile(std::slice::from_ref(distribution));
    (tables, indices[0])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::application::counters::Answers;
    use std::collections::BTreeMap;

    fn series(kind: SyntheticKind, terms: Terms) -> SyntheticSeries {
        SyntheticSeries {
            name: "x".to_owned(),
            kind,
            own_target: false,
            versions: vec!["v1".to_owned()],
            labels: BTreeMap::new(),
            terms,
        }
    }

    fn answered(ok: u64, failed: u64) -> PodCounters {
        let answers = |count| {
            let mut answers = Answers::default();
            answers.buckets[0] = count;
            answers
        };
        PodCounters {
            ok: answers(ok),
            failed: answers(failed),
        }
    }

    #[test]
    fn counters_count_since_the_start_and_gauges_rates_between_scrapes() {
        let terms = Terms {
            constant: 5.0,
            per_second: 2.0,
            per_request: 1.0,
            per_failure: 10.0,
            points: vec![(Span::from_secs(10), 0.0), (Span::from_secs(20), 100.0)],
        };
        let at = Timestamp::from_secs;
        for (kind, expected) in [
            // At 10 s: 5 + 2*10 + 30 + 10*10 + 0; at 15 s: 5 + 2*15 + 40 + 10*10 + 50.
            (SyntheticKind::Counter, [155.0, 225.0]),
            // At 10 s: 5 + 20 + 3 + 10 + 0; at 15 s: 5 + 30 + 2 + 0 + 50.
            (SyntheticKind::Gauge, [38.0, 87.0]),
        ] {
            let mut series = Synthetic::new(&series(kind, terms.clone()), 0, 0, at(0), RunSeed(1));
            let first = series.values(&answered(20, 10), at(10));
            let second = series.values(&answered(30, 10), at(15));
            assert_eq!([first[0], second[0]], expected);
        }
    }

    #[test]
    fn points_stay_outside_and_are_joined_inside() {
        let terms = Terms {
            points: vec![
                (Span::from_secs(10), 1.0),
                (Span::from_secs(10), 3.0),
                (Span::from_secs(20), 5.0),
            ],
            ..Terms::default()
        };
        for (second, expected) in [
            (-5, 1.0),
            (9, 1.0),
            (10, 3.0),
            (15, 4.0),
            (20, 5.0),
            (99, 5.0),
        ] {
            assert_eq!(terms.at(Span::from_secs(second)), expected, "{second}");
        }
        assert_eq!(Terms::default().at(Span::ZERO), 0.0);
    }

    #[test]
    fn a_histogram_observes_every_request_once() {
        let kind = SyntheticKind::Histogram {
            observes: Distribution::Uniform {
                min_ns: 0,
                max_ns: 1_000_000_000,
            },
            buckets: vec![0.25, 0.5],
        };
        let seed = 3;
        let mut series = Synthetic::new(
            &series(kind, Terms::default()),
            0,
            0,
            Timestamp::ZERO,
            RunSeed(seed),
        );
        series.values(&answered(100, 0), Timestamp::from_secs(5));
        let values = series.values(&answered(9_000, 1_000), Timestamp::from_secs(10));
        let [quarter, half, all, sum, count] = values[..] else {
            panic!("{values:?}")
        };
        assert_eq!((all, count), (10_000.0, 10_000.0));
        // Six standard errors.
        assert!((quarter - 2_500.0).abs() < 260.0, "seed {seed}: {quarter}");
        assert!((half - 5_000.0).abs() < 300.0, "seed {seed}: {half}");
        assert!((sum - 5_000.0).abs() < 175.0, "seed {seed}: {sum}");
    }
}
