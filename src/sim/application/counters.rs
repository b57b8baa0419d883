//! What pods count of the requests they answer, and which scrape sees it first.
//!
//! An application counts a request when it has answered it, whether anyone still waits for the answer or not; there is no
//! flush as in nginx, so a scrape sees everything completed by then. Each pod is scraped on a grid of its own. As in the
//! ingress' recorder a request is credited when it arrives to the first scrape that will see it. A pod that nobody
//! scrapes costs nothing.

use std::collections::BTreeSet;

use crate::sim::clock::{Nanos, Tick, tick};
use crate::sim::ingress::{BUCKET_BOUNDS, BUCKETS, Endpoint};
use crate::sim::service::PodIx;

/// Scrapes ahead that are counted in place.
const WINDOWS: usize = 2;

/// Requests of one status of one pod.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Answers {
    /// By bucket of the duration histogram, not cumulative; the bounds are client_golang's defaults, those of the ingress.
    pub(crate) buckets: [u64; BUCKETS],
    /// Sum of the durations in nanoseconds.
    pub(crate) sum_ns: u64,
}

impl Answers {
    /// How many there were.
    pub(crate) fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    fn add(&mut self, other: &Answers) {
        for (sum, count) in self.buckets.iter_mut().zip(other.buckets) {
            *sum += count;
        }
        self.sum_ns += other.sum_ns;
    }
}

/// What a pod has counted since its process started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PodCounters {
    /// Answered with 200.
    pub(crate) ok: Answers,
    /// Answered with 500.
    pub(crate) failed: Answers,
}

impl PodCounters {
    fn of(&mut self, failed: bool) -> &mut Answers {
        if failed {
            &mut self.failed
        } else {
            &mut self.ok
        }
    }

    /// Adds what another has counted.
    pub(crate) fn add(&mut self, other: &PodCounters) {
        self.ok.add(&other.ok);
        self.failed.add(&other.failed);
    }
}

/// The counters of all pods that are scraped.
#[derive(Clone, Debug, Default)]
pub(crate) struct AppCounters {
    /// By pod; shorter than the pods where the later ones are not scraped.
    pods: Vec<Option<Box<Scraped>>>,
    /// The process beside the cluster, and whose requests it counts.
    own: Option<(Box<Scraped>, BTreeSet<PodIx>)>,
}

/// A pod that is scraped.
#[derive(Clone, Debug)]
struct Scraped {
    next: Tick,
    interval: u64,
    windows: [PodCounters; WINDOWS],
    /// What is completed after the scrape after next.
    late: Vec<Late>,
    exported: PodCounters,
}

#[derive(Clone, Copy, Debug)]
struct Late {
    completion: Tick,
    latency_ns: u64,
    failed: bool,
}

impl AppCounters {
    /// Counts a pod's requests from now on, for scrapes at `first` and every `interval` after it.
    pub(crate) fn watch(&mut self, pod: PodIx, first: Nanos, interval: Nanos) {
        let place = pod.0 as usize;
        if self.pods.len() <= place {
            self.pods.resize(place + 1, None);
        }
        self.pods[place] = Some(Box::new(Scraped::new(first, interval)));
    }

    /// Counts the requests of all pods that are [included](Self::include), for scrapes of the process beside the cluster.
    pub(crate) fn watch_own(&mut self, first: Nanos, interval: Nanos) {
        self.own = Some((Box::new(Scraped::new(first, interval)), BTreeSet::new()));
    }

    /// Counts a pod's requests for the process beside the cluster too.
    pub(crate) fn include(&mut self, pod: PodIx) {
        if let Some((_, pods)) = &mut self.own {
            pods.insert(pod);
        }
    }

    /// Counts requests that pods will have answered at `completions`.
    #[inline]
    pub(crate) fn count(
        &mut self,
        endpoints: &[Endpoint],
        failed: &[bool],
        arrivals: &[Tick],
        completions: &[Tick],
    ) {
        if self.pods.is_empty() && self.own.is_none() {
            return;
        }
        let requests = endpoints.iter().zip(failed);
        for ((endpoint, failed), (arrival, completion)) in
            requests.zip(arrivals.iter().zip(completions))
        {
            if let Some(Some(pod)) = self.pods.get_mut(endpoint.pod.0 as usize) {
                pod.count(*completion, completion - arrival, *failed);
            }
            if let Some((own, pods)) = &mut self.own
                && pods.contains(&endpoint.pod)
            {
                own.count(*completion, completion - arrival, *failed);
            }
        }
    }

    /// What the scrape of a pod at `at` sees, the next one of its grid.
    pub(crate) fn scrape(&mut self, pod: PodIx, at: Nanos) -> Option<&PodCounters> {
        let pod = self.pods.get_mut(pod.0 as usize)?.as_mut()?;
        while pod.next <= tick(at) {
            pod.export();
        }
        Some(&pod.exported)
    }

    /// What the scrape of the process beside the cluster at `at` sees.
    pub(crate) fn scrape_own(&mut self, at: Nanos) -> Option<&PodCounters> {
        let (own, _) = self.own.as_mut()?;
        while own.next <= tick(at) {
            own.export();
        }
        Some(&own.exported)
    }
}

impl Scraped {
    fn new(first: Nanos, interval: Nanos) -> Self {
        Scraped {
            next: tick(first),
            interval: interval.max(1) as u64,
            windows: Default::default(),
            late: Vec::new(),
            exported: PodCounters::default(),
        }
    }

    fn count(&mut self, completion: Tick, latency_ns: u64, failed: bool) {
        let window = usize::from(completion > self.next)
            + usize::from(completion > self.next + self.interval);
        match self.windows.get_mut(window) {
            Some(counters) => {
                let answers = counters.of(failed);
                answers.buckets[bucket(latency_ns)] += 1;
                answers.sum_ns += latency_ns;
            }
            None => self.late.push(Late {
                completion,
                latency_ns,
                failed,
            }),
        }
    }

    /// Makes the next scrape's window visible.
    fn export(&mut self) {
        self.exported.add(&self.windows[0]);
        self.windows.rotate_left(1);
        self.windows[WINDOWS - 1] = PodCounters::default();
        self.next += self.interval;
        // Those still late are put back.
        for late in std::mem::take(&mut self.late) {
            self.count(late.completion, late.latency_ns, late.failed);
        }
    }
}

/// The bucket that a duration falls into.
fn bucket(latency_ns: u64) -> usize {
    let seconds = latency_ns as f64 / 1e9;
    BUCKET_BOUNDS.partition_point(|bound| *bound < seconds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::clock::SECOND;

    #[test]
    fn a_request_is_seen_by_the_first_scrape_after_its_completion() {
        let mut counters = AppCounters::default();
        let pod = PodIx(3);
        counters.watch(pod, 10 * SECOND, 5 * SECOND);
        let endpoint = Endpoint {
            pod,
            ..Endpoint::NONE
        };
        let other = Endpoint {
            pod: PodIx(1),
            ..Endpoint::NONE
        };
        // Arrival and completion in seconds: in the next window, in the one after, late, and of a pod nobody scrapes.
        for (endpoint, arrival, completion, failed) in [
            (endpoint, 8, 10, false),
            (endpoint, 8, 11, true),
            (endpoint, 9, 31, false),
            (other, 9, 10, false),
        ] {
            counters.count(
                &[endpoint],
                &[failed],
                &[tick(arrival * SECOND)],
                &[tick(completion * SECOND)],
            );
        }
        let mut seen = Vec::new();
        for at in [10, 15, 20, 25, 30, 35] {
            let counters = counters.scrape(pod, at * SECOND).unwrap();
            seen.push((counters.ok.count(), counters.failed.count()));
        }
        assert_eq!(seen, [(1, 0), (1, 1), (1, 1), (1, 1), (1, 1), (2, 1)]);
        let last = counters.scrape(pod, 35 * SECOND).unwrap();
        assert_eq!(last.ok.sum_ns, 24_000_000_000);
        assert_eq!(last.ok.buckets[BUCKETS - 1], 1, "22 s is over ten");
        assert!(counters.scrape(PodIx(1), 10 * SECOND).is_none());
    }
}
