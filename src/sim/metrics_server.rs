//! metrics-server: turns cumulative CPU seconds into usage, and serves it to the HPA.
//!
//! The world hands it what the kubelets would report ([`ContainerSample`]) once per resolution. It keeps two points per
//! container and serves a pod once every container of it has both. Left out: nodes that fail to answer, the kubelets'
//! own housekeeping (a sample's `at` may be older than the scrape: the caller says so), and the listing of pods, which
//! here is by number.
//!
//! Follows metrics-server v0.9.0, `pkg/storage/pod.go` and `types.go`.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::pods::PodId;
use crate::k8s::Quantity;
use crate::time::{Span, Timestamp};

/// What a kubelet reports of one container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerSample {
    /// The pod.
    pub pod: PodId,
    /// The container's name.
    pub container: Arc<str>,
    /// When the container started.
    pub started: Timestamp,
    /// When the kubelet took the sample.
    pub at: Timestamp,
    /// CPU time used since the start, in nanoseconds.
    pub cpu_nanos: u64,
    /// Working set in bytes.
    pub memory_bytes: u64,
}

/// What metrics-server serves of one pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodMetrics {
    /// When the older of the containers' last samples was taken.
    pub timestamp: Timestamp,
    /// The span over which CPU was averaged.
    pub window: Span,
    /// Usage of its containers, by name.
    pub containers: Vec<(Arc<str>, ContainerUsage)>,
}

/// Usage of one container. metrics-server always has both values; another server of the API may lack one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ContainerUsage {
    /// Cores, in whole nanocores.
    pub cpu: Option<Quantity>,
    /// Working set in bytes.
    pub memory: Option<Quantity>,
}

impl ContainerUsage {
    /// Usage of the resource of this name.
    pub fn get(&self, resource: &str) -> Option<Quantity> {
        match resource {
            "cpu" => self.cpu,
            "memory" => self.memory,
            _ => None,
        }
    }
}

/// A metrics-server.
#[derive(Clone, Debug)]
pub struct MetricsServer {
    resolution: Span,
    pods: BTreeMap<PodId, Containers>,
}

/// The containers of a pod, by name.
type Containers = Vec<(Arc<str>, Points)>;

#[derive(Clone, Copy, Debug)]
struct Point {
    at: Timestamp,
    cpu_nanos: u64,
    memory_bytes: u64,
}

#[derive(Clone, Copy, Debug)]
struct Points {
    last: Point,
    previous: Option<Point>,
}

impl MetricsServer {
    /// `--metric-resolution` of the shipped manifest.
    pub const SHIPPED_RESOLUTION: Span = Span::from_secs(15);
    /// A container younger than this has no usage from its first sample (`freshContainerMinMetricsResolution`).
    const FRESH_CONTAINER_MIN_AGE: Span = Span::from_secs(10);

    /// A server that scrapes every `resolution`.
    pub fn new(resolution: Span) -> Self {
        MetricsServer {
            resolution,
            pods: BTreeMap::new(),
        }
    }

    /// The time between two scrapes.
    pub fn resolution(&self) -> Span {
        self.resolution
    }

    /// One scrape of all kubelets: replaces the store, so pods that are not among the samples lose their metrics.
    pub fn scrape(&mut self, samples: impl IntoIterator<Item = ContainerSample>) {
        let mut scraped: BTreeMap<PodId, Option<Containers>> = BTreeMap::new();
        for sample in samples {
            let points = self.points(self.stored(&sample), &sample);
            let containers = scraped.entry(sample.pod).or_insert(Some(Vec::new()));
            // A pod one of whose containers shows no CPU or no memory yet is dropped whole.
            match (&mut *containers, points) {
                (Some(containers), Some(points)) => containers.push((sample.container, points)),
                _ => *containers = None,
            }
        }
        let complete = scraped.into_iter();
        self.pods = complete
            .filter_map(|(pod, containers)| Some((pod, containers?)))
            .collect();
    }

    /// Usage of a pod, once every container of it has two points.
    pub fn usage(&self, pod: PodId) -> Option<PodMetrics> {
        let containers = self.pods.get(&pod)?;
        let mut earliest: Option<(Timestamp, Span)> = None;
        let mut usage = Vec::with_capacity(containers.len());
        for (name, points) in containers {
            let (last, previous) = (points.last, points.previous?);
            let window = last.at - previous.at;
            let nanos = last.cpu_nanos.checked_sub(previous.cpu_nanos)?;
            let nanocores = u128::from(nanos) * 1000 / window.as_millis().max(1) as u128;
            let used = ContainerUsage {
                cpu: Some(Quantity::from_nanos(saturate(nanocores))),
                memory: Some(Quantity::from_units(saturate(last.memory_bytes.into()))),
            };
            usage.push((Arc::clone(name), used));
            if earliest.is_none_or(|(at, _)| last.at < at) {
                earliest = Some((last.at, window));
            }
        }
        let (timestamp, window) = earliest?;
        Some(PodMetrics {
            timestamp,
            window,
            containers: usage,
        })
    }

    /// What is known of a sample's container.
    fn stored(&self, sample: &ContainerSample) -> Option<&Points> {
        let mut containers = self.pods.get(&sample.pod)?.iter();
        let (_, points) = containers.find(|(name, _)| *name == sample.container)?;
        Some(points)
    }

    /// The two points to keep after a new sample; `None` for a sample that counts for nothing.
    fn points(&self, stored: Option<&Points>, sample: &ContainerSample) -> Option<Points> {
        if sample.cpu_nanos == 0 || sample.memory_bytes == 0 {
            return None;
        }
        let last = Point {
            at: sample.at,
            cpu_nanos: sample.cpu_nanos,
            memory_bytes: sample.memory_bytes,
        };
        let age = sample.at - sample.started;
        let previous = if age >= Self::FRESH_CONTAINER_MIN_AGE && age < self.resolution {
            Some(Point {
                at: sample.started,
                cpu_nanos: 0,
                memory_bytes: 0,
            })
        } else {
            match stored {
                Some(points) if sample.started < points.last.at => {
                    if sample.at > points.last.at {
                        Some(points.last)
                    } else {
                        points.previous
                    }
                }
                _ => None,
            }
        };
        Some(Points { last, previous })
    }
}

fn saturate(n: u128) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const POD: PodId = PodId(0);

    /// A container started at 0 that uses a fifth of a core.
    fn sample(container: &str, started: i64, at: i64) -> ContainerSample {
        let age = at - started;
        ContainerSample {
            pod: POD,
            container: container.into(),
            started: Timestamp::from_secs(started),
            at: Timestamp::from_secs(at),
            cpu_nanos: (age * 200_000_000) as u64,
            memory_bytes: 1000,
        }
    }

    fn server() -> MetricsServer {
        MetricsServer::new(MetricsServer::SHIPPED_RESOLUTION)
    }

    /// Scrapes one container at these times; says after each the window served, in seconds.
    fn windows(started: i64, times: &[i64]) -> Vec<Option<i64>> {
        let mut server = server();
        let window = |at: &i64| {
            server.scrape([sample("app", started, *at)]);
            let usage = server.usage(POD)?;
            Some(usage.window.as_millis() / 1000)
        };
        times.iter().map(window).collect()
    }

    #[test]
    fn the_age_at_the_first_sample_decides_when_a_container_has_usage() {
        for (times, expected) in [
            ([9, 24, 39], [None, Some(15), Some(15)]),
            ([10, 25, 40], [Some(10), Some(15), Some(15)]),
            ([14, 29, 44], [Some(14), Some(15), Some(15)]),
            ([15, 30, 45], [None, Some(15), Some(15)]),
            ([20, 20, 50], [None, None, Some(30)]),
            ([20, 40, 40], [None, Some(20), Some(20)]),
        ] {
            assert_eq!(windows(0, &times), expected, "{times:?}");
        }
    }

    #[test]
    fn usage_is_the_mean_over_the_window_in_whole_nanocores() {
        let mut server = server();
        server.scrape([sample("app", 0, 20)]);
        let mut last = sample("app", 0, 35);
        last.cpu_nanos += 2;
        server.scrape([last]);
        let usage = server.usage(POD).unwrap();
        assert_eq!(usage.timestamp, Timestamp::from_secs(35));
        let (_, app) = usage.containers[0];
        assert_eq!(app.cpu, Some(Quantity::from_nanos(200_000_000)));
        assert_eq!(app.memory, Some(Quantity::from_units(1000)));
    }

    #[test]
    fn a_pod_is_served_once_all_its_containers_are_and_with_the_earlier_of_their_times() {
        let mut server = server();
        server.scrape([sample("app", 0, 20), sample("proxy", 18, 21)]);
        assert_eq!(server.usage(POD), None);
        server.scrape([sample("app", 0, 37), sample("proxy", 18, 35)]);
        let usage = server.usage(POD).unwrap();
        assert_eq!(usage.timestamp, Timestamp::from_secs(35));
        assert_eq!(usage.window, Span::from_secs(14));
        // The proxy has restarted and shows no CPU yet: the pod is gone whole.
        server.scrape([sample("app", 0, 50), sample("proxy", 50, 50)]);
        assert_eq!(server.usage(POD), None);
    }

    #[test]
    fn a_restarted_container_starts_over() {
        let mut server = server();
        for at in [20, 35] {
            server.scrape([sample("app", 0, at)]);
        }
        assert!(server.usage(POD).is_some());
        server.scrape([sample("app", 42, 50)]);
        assert_eq!(server.usage(POD), None);
        server.scrape([sample("app", 42, 65)]);
        assert!(server.usage(POD).is_some());
    }
}
