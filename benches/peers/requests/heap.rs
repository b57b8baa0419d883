//! The model as the smallest event loop: a binary heap of whole numbers, one per arrival, completion and scrape.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::VecDeque;

use crate::model::{CONCURRENCY, Counters, Draws, PODS, Request, SCRAPE_INTERVAL_S, Tally};

/// A heap entry is a time in nanoseconds above so many bits that say what happens.
const WHAT_BITS: u32 = 16;
const ARRIVAL: u64 = 0;
const SCRAPE: u64 = 1;
/// Completion of the request in work number `what - FIRST_WORK`.
const FIRST_WORK: u64 = 2;

struct Pod {
    busy: usize,
    waiting: VecDeque<(u64, Request)>,
}

/// Runs `requests` requests.
pub(crate) fn run(requests: u64, seed: u64) -> Tally {
    let mut draws = Draws::new(seed);
    let mut counters = Counters::default();
    let mut pods: Vec<Pod> = (0..PODS[0] + PODS[1])
        .map(|_| Pod {
            busy: 0,
            waiting: VecDeque::new(),
        })
        .collect();
    // Requests in work, and the free places among them.
    let mut work: Vec<(u64, Request)> = Vec::new();
    let mut free: Vec<u64> = Vec::new();
    let mut heap = BinaryHeap::new();
    let at = |heap: &mut BinaryHeap<Reverse<u64>>, ns: u64, what: u64| {
        heap.push(Reverse(ns << WHAT_BITS | what));
    };
    let ns = |seconds: f64| (seconds * 1e9) as u64;
    let start = |heap: &mut BinaryHeap<Reverse<u64>>,
                 work: &mut Vec<(u64, Request)>,
                 free: &mut Vec<u64>,
                 now: u64,
                 arrival: u64,
                 request: Request| {
        let place = free.pop().unwrap_or_else(|| {
            work.push((0, request));
            work.len() as u64 - 1
        });
        work[place as usize] = (arrival, request);
        at(heap, now + ns(request.service_s), FIRST_WORK + place);
    };

    heap.push(Reverse(ns(draws.gap_s()) << WHAT_BITS | ARRIVAL));
    heap.push(Reverse(ns(SCRAPE_INTERVAL_S) << WHAT_BITS | SCRAPE));
    let (mut arrived, mut completed) = (0, 0);
    while completed < requests {
        let Some(Reverse(event)) = heap.pop() else {
            break;
        };
        let now = event >> WHAT_BITS;
        match event & ((1 << WHAT_BITS) - 1) {
            ARRIVAL => {
                arrived += 1;
                if arrived < requests {
                    heap.push(Reverse((now + ns(draws.gap_s())) << WHAT_BITS | ARRIVAL));
                }
                let request = draws.request();
                let pod = &mut pods[request.pod];
                if pod.busy < CONCURRENCY {
                    pod.busy += 1;
                    start(&mut heap, &mut work, &mut free, now, now, request);
                } else {
                    pod.waiting.push_back((now, request));
                }
            }
            SCRAPE => {
                counters.scrape();
                heap.push(Reverse((now + ns(SCRAPE_INTERVAL_S)) << WHAT_BITS | SCRAPE));
            }
            what => {
                completed += 1;
                let place = what - FIRST_WORK;
                let (arrival, request) = work[place as usize];
                free.push(place);
                counters.complete(request.group, request.failed, (now - arrival) as f64 / 1e9);
                let pod = &mut pods[request.pod];
                match pod.waiting.pop_front() {
                    Some((arrival, next)) => {
                        start(&mut heap, &mut work, &mut free, now, arrival, next);
                    }
                    None => pod.busy -= 1,
                }
            }
        }
    }
    counters.tally()
}
