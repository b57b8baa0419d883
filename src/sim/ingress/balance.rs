//! Choosing among the pods of a backend by how they are doing.
//!
//! `Ewma` follows `rootfs/etc/nginx/lua/balancer/ewma.lua` of kubernetes/ingress-nginx: of two pods taken at random the one
//! with the smaller average of answer times, which fades over ten seconds; a new pod starts with the mean of the others.
//! `LeastConnections` takes the pod that works on the fewest requests; of several the one whose turn it is.
//! What pods have done is learnt when an attempt ends, in order of time. Left out: several controllers know of one another
//! here, in a cluster each learns from its own requests alone.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::router::Endpoint;
use crate::scenario::LoadBalance;
use crate::sim::clock::{SECOND, Tick};
use crate::sim::service::PodIx;

/// `DECAY_TIME`, in nanoseconds.
const DECAY_NS: f64 = 10.0 * SECOND as f64;

/// What is known of the pods.
#[derive(Clone, Debug)]
pub(super) struct Balancer {
    by: LoadBalance,
    /// By number of the pod.
    pods: Vec<PodState>,
    /// Attempts under way: their end, their pod, how long they took.
    ends: BinaryHeap<Reverse<(Tick, u32, u64)>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct PodState {
    known: bool,
    /// Average answer time in nanoseconds, as of `touched`.
    average_ns: f64,
    touched: Tick,
    working: u32,
}

impl Balancer {
    /// `None` where pods take turns.
    pub(super) fn new(by: LoadBalance) -> Option<Self> {
        (by != LoadBalance::RoundRobin).then(|| Balancer {
            by,
            pods: Vec::new(),
            ends: BinaryHeap::new(),
        })
    }

    /// The pod that a request of `now` goes to, of a list that is not empty; another than `not` if there is one.
    pub(super) fn pick(
        &mut self,
        list: &[Endpoint],
        not: Option<PodIx>,
        word: u64,
        now: Tick,
    ) -> Endpoint {
        self.learn(now);
        let others: Vec<Endpoint> = (list.iter().copied())
            .filter(|endpoint| Some(endpoint.pod) != not)
            .collect();
        let list = if others.is_empty() { list } else { &others };
        self.introduce(list, now);
        let count = list.len() as u64;
        let first = (((word >> 32) * count) >> 32) as usize;
        match self.by {
            LoadBalance::Ewma if count > 1 => {
                let second = (first + 1 + (((word & 0xffff_ffff) * (count - 1)) >> 32) as usize)
                    % list.len();
                let (a, b) = (&list[first], &list[second]);
                if self.average(a.pod, now) <= self.average(b.pod, now) {
                    *a
                } else {
                    *b
                }
            }
            LoadBalance::LeastConnections => {
                let turns = (0..list.len()).map(|k| &list[(first + k) % list.len()]);
                let least = turns.min_by_key(|endpoint| self.state(endpoint.pod).working);
                *least.expect("the list is not empty")
            }
            _ => list[first],
        }
    }

    /// An attempt that starts at `at` and is over at `end`.
    pub(super) fn attempted(&mut self, pod: PodIx, at: Tick, end: Tick) {
        self.state_mut(pod).working += 1;
        self.ends.push(Reverse((end, pod.0, end - at)));
    }

    /// Takes in what has ended by `now`.
    fn learn(&mut self, now: Tick) {
        while let Some(Reverse((end, pod, took))) = self.ends.peek().copied() {
            if end > now {
                return;
            }
            self.ends.pop();
            let pod = PodIx(pod);
            let faded = fading(end.saturating_sub(self.state(pod).touched));
            let state = self.state_mut(pod);
            state.working -= 1;
            state.average_ns = state.average_ns * faded + took as f64 * (1.0 - faded);
            state.touched = end;
        }
    }

    /// Gives pods that are new the mean of the others.
    fn introduce(&mut self, list: &[Endpoint], now: Tick) {
        if list.iter().all(|endpoint| self.state(endpoint.pod).known) {
            return;
        }
        let known: Vec<f64> = (list.iter())
            .filter(|endpoint| self.state(endpoint.pod).known)
            .map(|endpoint| self.average(endpoint.pod, now))
            .collect();
        let mean = known.iter().sum::<f64>() / known.len().max(1) as f64;
        for endpoint in list {
            let state = self.state_mut(endpoint.pod);
            if !state.known {
                *state = PodState {
                    known: true,
                    average_ns: mean,
                    touched: now,
                    ..*state
                };
            }
        }
    }

    /// A pod's average as it has faded by now.
    fn average(&self, pod: PodIx, now: Tick) -> f64 {
        let state = self.state(pod);
        state.average_ns * fading(now.saturating_sub(state.touched))
    }

    fn state(&self, pod: PodIx) -> PodState {
        self.pods.get(pod.0 as usize).copied().unwrap_or_default()
    }

    fn state_mut(&mut self, pod: PodIx) -> &mut PodState {
        let index = pod.0 as usize;
        if index >= self.pods.len() {
            self.pods.resize(index + 1, PodState::default());
        }
        &mut self.pods[index]
    }
}

fn fading(age_ns: u64) -> f64 {
    libm::exp(-(age_ns as f64) / DECAY_NS)
}
