//! The model on `simcore`, in its leanest form: one component, arrivals through the ordered queue.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use serde::Serialize;
use simcore::{Event, EventHandler, Simulation, SimulationContext, cast};

use crate::model::{CONCURRENCY, Counters, Draws, PODS, Request, SCRAPE_INTERVAL_S, Tally};

#[derive(Clone, Serialize)]
struct Arrival {}

#[derive(Clone, Serialize)]
struct Completion {
    pod: u32,
    group: u32,
    failed: bool,
    arrived_at: f64,
}

#[derive(Clone, Serialize)]
struct Scrape {}

#[derive(Default)]
struct Pod {
    busy: usize,
    waiting: VecDeque<(f64, Request)>,
}

struct Cluster {
    context: SimulationContext,
    draws: Draws,
    counters: Counters,
    pods: Vec<Pod>,
    requests: u64,
    arrived: u64,
    completed: u64,
}

impl Cluster {
    fn start(&mut self, arrived_at: f64, request: Request) {
        let completion = Completion {
            pod: request.pod as u32,
            group: request.group as u32,
            failed: request.failed,
            arrived_at,
        };
        self.context.emit_self(completion, request.service_s);
    }
}

impl EventHandler for Cluster {
    fn on(&mut self, event: Event) {
        let now = event.time;
        cast!(match event.data {
            Arrival {} => {
                self.arrived += 1;
                if self.arrived < self.requests {
                    let gap = self.draws.gap_s();
                    self.context.emit_ordered_self(Arrival {}, gap);
                }
                let request = self.draws.request();
                let pod = &mut self.pods[request.pod];
                if pod.busy < CONCURRENCY {
                    pod.busy += 1;
                    self.start(now, request);
                } else {
                    pod.waiting.push_back((now, request));
                }
            }
            Completion {
                pod,
                group,
                failed,
                arrived_at,
            } => {
                self.completed += 1;
                self.counters
                    .complete(group as usize, failed, now - arrived_at);
                let pod = &mut self.pods[pod as usize];
                match pod.waiting.pop_front() {
                    Some((arrived_at, next)) => self.start(arrived_at, next),
                    None => pod.busy -= 1,
                }
            }
            Scrape {} => {
                self.counters.scrape();
                if self.completed < self.requests {
                    self.context.emit_self(Scrape {}, SCRAPE_INTERVAL_S);
                }
            }
        })
    }
}

/// Runs `requests` requests.
pub(crate) fn run(requests: u64, seed: u64) -> Tally {
    let mut simulation = Simulation::new(seed);
    let context = simulation.create_context("cluster");
    let mut draws = Draws::new(seed);
    context.emit_self(Scrape {}, SCRAPE_INTERVAL_S);
    context.emit_ordered_self(Arrival {}, draws.gap_s());
    let cluster = Rc::new(RefCell::new(Cluster {
        context,
        draws,
        counters: Counters::default(),
        pods: (0..PODS[0] + PODS[1]).map(|_| Pod::default()).collect(),
        requests,
        arrived: 0,
        completed: 0,
    }));
    simulation.add_handler("cluster", cluster.clone());
    simulation.step_until_no_events();
    cluster.borrow().counters.tally()
}
