//! The same requests once more through an ordinary event queue: every counter of every scrape must be the same.
//!
//! Nothing of the path under test is used but the random words and the quantile tables: arrivals, routing, queues, workers'
//! flushes and scrapes are written anew, as events in one heap.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

use rand_xoshiro::rand_core::Rng;
use rollcast::scenario::Distribution;
use rollcast::seed::{Purpose, RunSeed};
use rollcast::sim::clock::SECOND;
use rollcast::sim::sampling::Tables;

use crate::given::Given;

/// By group and status: requests by bucket, and the sum of milliseconds.
type Counted = BTreeMap<(u8, u16), ([u64; 12], u64)>;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Arrival,
    Completion { request: usize },
    Flush { worker: usize },
    Scrape,
}

struct Request {
    arrival: i64,
    worker: usize,
    pod: usize,
    service: i64,
    failed: bool,
}

#[derive(Default)]
struct Pod {
    busy: u32,
    queue: VecDeque<usize>,
}

const BOUNDS_MS: [u64; 11] = [5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000];

/// A run of two groups of pods under one weight, scraped on the grid of [`Given`].
fn replay(
    given: &Given,
    pods: [usize; 2],
    failure_rate: f64,
    weight: u64,
    until: i64,
) -> Vec<Counted> {
    let seed = RunSeed(given.seed);
    let mut words = [
        Purpose::Arrivals,
        Purpose::Routing,
        Purpose::Service,
        Purpose::Faults,
    ]
    .map(|purpose| seed.stream(purpose, 0));
    let (exponential, unit) = Tables::unit_exponential();
    let (tables, table) = Tables::compile(std::slice::from_ref(&given.service_time));
    let workers = given.workers as usize;
    let flush = given.flush_interval.as_millis() * 1_000_000;
    let mut starts = seed.stream(Purpose::Routing, 1);
    let mut turns = [vec![0; workers], vec![0; workers]];
    for (group, turns) in turns.iter_mut().enumerate() {
        for turn in turns {
            *turn = ((u128::from(starts.next_u64() >> 32) * pods[group] as u128) >> 32) as usize;
        }
    }
    let fails_below = ((1.0 - (1.0 - failure_rate)) * (1u64 << 63) as f64) as u64;

    let mut events: BinaryHeap<Reverse<(i64, Event)>> = BinaryHeap::new();
    for worker in 0..workers {
        let phase = seed
            .stream(Purpose::Phases, (1 << 32) + worker as u64)
            .next_u64();
        events.push(Reverse((
            (phase % flush as u64) as i64,
            Event::Flush { worker },
        )));
    }
    events.push(Reverse((2 * SECOND, Event::Scrape)));
    let gap = {
        let spacing = 1.0 / (given.per_second / 1e9);
        move |word: u64| (exponential.value(unit, word) * spacing).round_ties_even() as i64
    };
    events.push(Reverse((gap(words[0].next_u64()), Event::Arrival)));

    let mut served: Vec<Pod> = (0..pods[0] + pods[1]).map(|_| Pod::default()).collect();
    let mut requests: Vec<Request> = Vec::new();
    let mut batches: Vec<Vec<(usize, i64)>> = vec![Vec::new(); workers];
    let (mut exported, mut scrapes) = (Counted::new(), Vec::new());
    while let Some(Reverse((now, event))) = events.pop() {
        if now > until {
            break;
        }
        match event {
            Event::Arrival => {
                let [_, routing, service, fault] = &mut words;
                let (routing, service, fault) =
                    (routing.next_u64(), service.next_u64(), fault.next_u64());
                let worker = (((routing & 0xffff_ffff) * workers as u64) >> 32) as usize;
                let group = usize::from((((routing >> 32) * 100) >> 32) < weight);
                let turn = &mut turns[group][worker];
                let pod = group * pods[0] + *turn;
                *turn = (*turn + 1) % pods[group];
                let canary = group == 1;
                requests.push(Request {
                    arrival: now,
                    worker,
                    pod,
                    service: tables.value(table[0], service).round_ties_even() as i64,
                    failed: canary && fault >> 1 < fails_below,
                });
                let request = requests.len() - 1;
                if served[pod].busy < given.concurrency {
                    served[pod].busy += 1;
                    let done = now + requests[request].service;
                    events.push(Reverse((done, Event::Completion { request })));
                } else {
                    served[pod].queue.push_back(request);
                }
                events.push(Reverse((now + gap(words[0].next_u64()), Event::Arrival)));
            }
            Event::Completion { request } => {
                let Request { worker, pod, .. } = requests[request];
                batches[worker].push((request, now));
                match served[pod].queue.pop_front() {
                    None => served[pod].busy -= 1,
                    Some(request) => {
                        let done = now + requests[request].service;
                        events.push(Reverse((done, Event::Completion { request })));
                    }
                }
            }
            Event::Flush { worker } => {
                for (request, completed) in batches[worker].drain(..) {
                    let request = &requests[request];
                    let group = u8::from(request.pod >= pods[0]);
                    let status = if request.failed { 500 } else { 200 };
                    let ms = (completed / 1_000_000 - request.arrival / 1_000_000) as u64;
                    let bucket = BOUNDS_MS.partition_point(|&bound| bound < ms);
                    let (buckets, sum) = exported.entry((group, status)).or_default();
                    buckets[bucket..].iter_mut().for_each(|count| *count += 1);
                    *sum += ms;
                }
                events.push(Reverse((now + flush, Event::Flush { worker })));
            }
            Event::Scrape => {
                scrapes.push(exported.clone());
                events.push(Reverse((now + given.scrape_interval, Event::Scrape)));
            }
        }
    }
    scrapes
}

#[test]
fn every_counter_of_every_scrape_is_that_of_an_event_queue() {
    let lognormal = Given::default().service_time;
    let exponential = Distribution::Exponential {
        mean_ns: 30_000_000,
    };
    // Little load, much, and more than can be served.
    for (seed, service_time, per_second, concurrency, workers) in [
        (1, lognormal.clone(), 100.0, 8, 2),
        (2, lognormal.clone(), 900.0, 8, 3),
        (3, exponential.clone(), 400.0, 4, 1),
        (4, exponential, 900.0, 6, 4),
        (5, lognormal, 260.0, 1, 2),
    ] {
        let given = Given {
            service_time,
            per_second,
            concurrency,
            workers,
            seed,
            // Overload may not time out: the event queue knows no limits.
            read_timeout: None,
            ..Given::default()
        };
        let until = 122 * SECOND;
        let expected = replay(&given, [3, 2], 0.2, 30, until);
        let mut path = given.rollout([3, 2], 0.2, 30);
        for (number, expected) in expected.iter().enumerate() {
            let at = 2 * SECOND + number as i64 * given.scrape_interval;
            path.advance(at);
            let counters = path.scrape(at);
            let measured: Counted = counters
                .born()
                .map(|(group, status, cell)| {
                    let histogram = cell.request_duration;
                    assert_eq!(cell.requests, histogram.count());
                    assert_eq!(cell.response_duration, histogram);
                    (
                        (group, status.code()),
                        (histogram.buckets, histogram.sum_ms),
                    )
                })
                .collect();
            assert_eq!(&measured, expected, "seed {seed}, scrape {number}");
        }
        assert!(expected.len() == 25);
    }
}
