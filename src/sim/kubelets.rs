//! Scheduler and kubelets: what pods go through between their creation and their end, and when.
//!
//! Every answer here is a moment or a decision; the world puts it in its queue and changes the pods
//! ([`super::pod_course`]). The rules are the state machines of [`super::pods`]: [`nodes`](super::pods::nodes) for room,
//! [`backoff`](super::pods::backoff) for restarts and image pulls, [`probes`](super::pods::probes) for readiness,
//! [`shutdown`](super::pods::shutdown) for the end. How long things take is drawn from the version's distributions, each
//! pod from a stream of its own, so that one pod's troubles shift nobody else's.
//!
//! A model, and not a reproduction: an image that does not exist is refused within a second; a node pulls an image once
//! and pods that come meanwhile wait for it; a kubelet notices an exit up to a second late (the relist period of its
//! PLEG). Left out: node failures, evictions, images that are removed again.

use std::collections::BTreeMap;
use std::sync::Arc;

use rand::{Rng, RngExt};

use super::pods::backoff::{Backoff, scheduling_delay};
use super::pods::memory::WorkingSet;
use super::pods::nodes::{Allocatable, Nodes};
use super::pods::probes::{PodProbes, Started};
use super::pods::shutdown::{Shutdown, ShutdownTimes};
use super::pods::{NodeId, Pod, PodId, Startup};
use super::sampling::{TableIx, Tables};
use crate::scenario::{Distribution, ImagePull, Memory, NodePool, Scenario};
use crate::seed::{Purpose, RunSeed, Stream};
use crate::time::{Span, Timestamp};

/// How long a registry takes to say that there is no such image.
const REFUSAL: Span = Span::from_secs(1);

/// The longest until a kubelet notices that a container has ended.
const RELIST_MS: i64 = 1000;

/// From a pod's deletion until its kubelet acts.
const NOTICE: Span = Span::from_millis(50);

/// From the end of a pod's container until its object is gone.
pub(super) const CLEANUP: Span = Span::from_secs(1);

/// Entity of a pod's stream for [`Purpose::Startup`]: its number after this. Entity 0 is everybody's `startup`.
const FIRST_POD: u64 = 1;

/// The scheduler and the kubelets of the simulated cluster.
#[derive(Clone, Debug)]
pub(super) struct Kubelets {
    /// `None`: one node without limits.
    nodes: Option<Nodes>,
    /// Versions, in the order of their names.
    versions: Vec<Course>,
    tables: Tables,
    startups: Stream,
    seed: RunSeed,
    pods: BTreeMap<PodId, PodState>,
    /// From when on an image is on a node.
    images: BTreeMap<(NodeId, Arc<str>), Timestamp>,
    troubles: Vec<Trouble>,
}

/// What the pods of a version go through, distributions compiled.
#[derive(Clone, Debug)]
struct Course {
    name: String,
    startup: TableIx,
    image_pull: Pull,
    image_pull_fails_until: Option<Timestamp>,
    memory: WorkingSet,
    boot: Option<TableIx>,
    never_ready: bool,
    crash_after: Option<TableIx>,
    shutdown: Option<TableIx>,
}

#[derive(Clone, Copy, Debug)]
enum Pull {
    Present,
    Takes(TableIx),
    Fails,
}

/// What a kubelet remembers of a pod.
#[derive(Clone, Debug)]
struct PodState {
    version: usize,
    startup: Startup,
    draws: Stream,
    scheduling_attempts: u32,
    pulls: Backoff,
    restarts: Backoff,
    admitted: Timestamp,
    /// Containers that have ended: the number of the one that runs.
    container: u32,
    /// Why that one will end, if nothing comes before.
    end: Option<End>,
}

/// Why a container ends that nobody deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    /// A startup or liveness probe ran out of patience.
    Probe,
    /// The kernel, above the memory limit.
    OutOfMemory,
    /// Of its own.
    Crash,
}

/// A container of a pod, for events that concern no later one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Container {
    pub(super) pod: PodId,
    pub(super) number: u32,
}

/// What the scheduler makes of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Placement {
    /// It has a node.
    On(NodeId),
    /// It fits nowhere; another attempt is due then.
    Pending(Timestamp),
}

/// What becomes of an image pull.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pulled {
    /// The container can start now.
    Present,
    /// It is there then.
    At(Timestamp),
    /// It failed; another attempt is due then.
    Retry(Timestamp),
}

/// What follows from a container's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Running {
    pub(super) container: Container,
    /// When the pod is ready, if nothing comes between.
    pub(super) ready: Option<Timestamp>,
    /// When the container ends of its own, or is killed by a probe.
    pub(super) exits: Option<Timestamp>,
}

/// What went wrong with the pods of a version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) version: String,
    /// Pods that fitted on no node when they were made.
    pub(super) unplaced: u32,
    /// Attempts to pull the image that failed.
    pub(super) failed_pulls: u32,
    /// Containers that crashed, or were killed by a startup or liveness probe.
    pub(super) crashes: u32,
    /// Of these, killed by a probe.
    pub(super) killed: u32,
    /// Of these, killed above their memory limit.
    pub(super) out_of_memory: u32,
    /// Containers that started and never get ready.
    pub(super) never_ready: u32,
}

impl Kubelets {
    /// Compiles what the scenario says of nodes and versions.
    pub(super) fn new(scenario: &Scenario, seed: RunSeed) -> Self {
        let mut distributions: Vec<Distribution> = Vec::new();
        let mut add = |distribution: &Distribution| {
            distributions.push(distribution.clone());
            distributions.len() - 1
        };
        // Places in `distributions` first, tables once all are known.
        let places: Vec<_> = scenario
            .versions
            .values()
            .map(|version| {
                let course = &version.course;
                let pull = match &course.image_pull {
                    Some(ImagePull::Takes(takes)) => Some(add(takes)),
                    _ => None,
                };
                let mut optional = |d: &Option<Distribution>| d.as_ref().map(&mut add);
                let optional = [
                    optional(&course.boot),
                    optional(&course.crash_after),
                    optional(&course.shutdown),
                ];
                (add(&version.startup), pull, optional)
            })
            .collect();
        let (tables, compiled) = Tables::compile(&distributions);
        let versions = scenario.versions.iter().zip(places);
        let versions: Vec<Course> = versions
            .map(|((name, version), (startup, pull, optional))| {
                let [boot, crash_after, shutdown] = optional.map(|d| d.map(|d| compiled[d]));
                Course {
                    name: name.clone(),
                    startup: compiled[startup],
                    image_pull: match (&version.course.image_pull, pull) {
                        (Some(ImagePull::Fails), _) => Pull::Fails,
                        (_, Some(takes)) => Pull::Takes(compiled[takes]),
                        _ => Pull::Present,
                    },
                    image_pull_fails_until: version.course.image_pull_fails_until,
                    memory: version.course.memory.unwrap_or(Memory::DEFAULT).into(),
                    boot,
                    never_ready: version.course.never_ready,
                    crash_after,
                    shutdown,
                }
            })
            .collect();
        let trouble = |course: &Course| Trouble {
            version: course.name.clone(),
            ..Trouble::default()
        };
        Kubelets {
            nodes: scenario.cluster.nodes.as_ref().map(nodes),
            troubles: versions.iter().map(trouble).collect(),
            versions,
            tables,
            startups: seed.stream(Purpose::Startup, 0),
            seed,
            pods: BTreeMap::new(),
            images: BTreeMap::new(),
        }
    }

    /// The same, with the draws of a seed.
    pub(super) fn seeded(mut self, seed: RunSeed) -> Self {
        self.startups = seed.stream(Purpose::Startup, 0);
        self.seed = seed;
        self
    }

    /// Takes on a pod that was made now. Says when the scheduler gets to it.
    pub(super) fn created(&mut self, pod: PodId, version: usize, now: Timestamp) -> Timestamp {
        let word = self.startups.next_u64();
        let total = time(&self.tables, self.versions[version].startup, word);
        self.take_on(pod, version, Startup::lasting(total));
        self.pods[&pod].startup.scheduled_at(now)
    }

    /// Takes on a pod that has long been running: its image is on its node, if there is one for it.
    pub(super) fn found(&mut self, pod: &Pod, version: usize, now: Timestamp) -> Placement {
        self.take_on(pod.id, version, Startup::lasting(Span::ZERO));
        let placement = self.place(pod, now);
        if let Placement::On(node) = placement {
            let image = Arc::clone(&pod.revision.image);
            self.images.insert((node, image), now);
        }
        placement
    }

    /// The scheduler's attempt to find a node.
    pub(super) fn place(&mut self, pod: &Pod, now: Timestamp) -> Placement {
        let Some(state) = self.pods.get_mut(&pod.id) else {
            return Placement::On(NodeId(0));
        };
        state.scheduling_attempts += 1;
        let node = match &mut self.nodes {
            None => Some(NodeId(0)),
            Some(nodes) => nodes.place(pod, &pod.revision.requests),
        };
        match node {
            Some(node) => {
                state.admitted = now;
                Placement::On(node)
            }
            None => {
                let first = state.scheduling_attempts == 1;
                self.troubles[state.version].unplaced += u32::from(first);
                Placement::Pending(now + scheduling_delay(state.scheduling_attempts))
            }
        }
    }

    /// The kubelet's attempt to get the image.
    pub(super) fn pull(&mut self, pod: &Pod, now: Timestamp) -> Pulled {
        let (Some(node), Some(state)) = (pod.node, self.pods.get_mut(&pod.id)) else {
            return Pulled::Present;
        };
        let key = (node, Arc::clone(&pod.revision.image));
        // Without nodes each pod stands for one on a node of its own.
        let on_node = self.nodes.as_ref().and_then(|_| self.images.get(&key));
        let course = &self.versions[state.version];
        let fails = course.image_pull_fails_until.is_some_and(|at| now < at);
        match (course.image_pull, on_node) {
            (_, Some(at)) if *at <= now => Pulled::Present,
            (Pull::Present | Pull::Takes(_), None) if fails => {
                self.troubles[state.version].failed_pulls += 1;
                Pulled::Retry(state.pulls.pull_failed(now + REFUSAL))
            }
            (Pull::Present, _) => Pulled::Present,
            (Pull::Takes(_), Some(at)) => Pulled::At(*at),
            (Pull::Takes(table), None) => {
                let there = now + time(&self.tables, table, state.draws.next_u64());
                self.images.insert(key, there);
                Pulled::At(there)
            }
            (Pull::Fails, _) => {
                self.troubles[state.version].failed_pulls += 1;
                Pulled::Retry(state.pulls.pull_failed(now + REFUSAL))
            }
        }
    }

    /// A pod's container starts, for the first time or again.
    pub(super) fn started(&mut self, pod: &Pod, now: Timestamp) -> Option<Running> {
        let state = self.pods.get_mut(&pod.id)?;
        let course = &self.versions[state.version];
        let tables = &self.tables;
        let mut draw = |table: TableIx| time(tables, table, state.draws.next_u64());
        let container = Container {
            pod: pod.id,
            number: state.container,
        };
        let started = match course.boot {
            None => Started::Ready(now + state.startup.readiness),
            Some(boot) => {
                let probes = PodProbes::of_template(&pod.revision.template);
                probes.start(state.admitted, now, now + draw(boot))
            }
        };
        let crashes = course.crash_after.map(|after| now + draw(after));
        let out_of_memory = (pod.revision.memory_limit)
            .and_then(|limit| course.memory.killed_after(limit))
            .map(|age| now + age);
        let (ready, killed) = match started {
            Started::Ready(at) => (Some(at), None),
            Started::Killed(at) => (None, Some(at)),
        };
        if course.never_ready || ready.is_none() {
            self.troubles[state.version].never_ready += 1;
        }
        let ends = [
            (killed, End::Probe),
            (out_of_memory, End::OutOfMemory),
            (crashes, End::Crash),
        ];
        let first = ends
            .into_iter()
            .filter_map(|(at, end)| Some((at?, end)))
            .min();
        state.end = first.map(|(_, end)| end);
        Some(Running {
            container,
            ready: ready.filter(|_| !course.never_ready),
            exits: first.map(|(at, _)| at),
        })
    }

    /// Working set of a pod's container, in bytes.
    pub(super) fn working_set(&self, pod: &Pod, now: Timestamp) -> u64 {
        let version = self.version_of(pod.id);
        let age = pod.container_started.map_or(Span::ZERO, |at| now - at);
        self.versions[version].memory.at(age)
    }

    /// Number of the version that a pod runs, counted in the order of version names.
    pub(super) fn version_of(&self, pod: PodId) -> usize {
        self.pods.get(&pod).map_or(0, |state| state.version)
    }

    /// The container that runs in a pod, or starts next.
    pub(super) fn container_of(&self, pod: PodId) -> Option<Container> {
        let number = self.pods.get(&pod)?.container;
        Some(Container { pod, number })
    }

    /// Whether this is the container that runs.
    pub(super) fn is_current(&self, container: Container) -> bool {
        let state = self.pods.get(&container.pod);
        state.is_some_and(|state| state.container == container.number)
    }

    /// A container has ended. Says when it starts again, unless its pod is ending.
    pub(super) fn exited(&mut self, pod: &Pod, now: Timestamp) -> Option<Timestamp> {
        let state = self.pods.get_mut(&pod.id)?;
        state.container += 1;
        if pod.is_terminating() {
            return None;
        }
        let trouble = &mut self.troubles[state.version];
        trouble.crashes += 1;
        match state.end.take() {
            Some(End::Probe) => trouble.killed += 1,
            Some(End::OutOfMemory) => trouble.out_of_memory += 1,
            Some(End::Crash) | None => {}
        }
        let restart = state.restarts.restart_at(now);
        state.restarts.restarted(now, restart);
        let noticed = state.draws.random_range(0..=RELIST_MS);
        Some(restart + Span::from_millis(noticed))
    }

    /// How a pod that was deleted now ends, where its version says; else it serves until the routers have dropped it.
    pub(super) fn ending(
        &mut self,
        pod: &Pod,
        now: Timestamp,
    ) -> Option<(Container, ShutdownTimes)> {
        let state = self.pods.get_mut(&pod.id)?;
        let table = self.versions[state.version].shutdown?;
        let shutdown = Shutdown {
            notice: NOTICE,
            exit: time(&self.tables, table, state.draws.next_u64()),
            cleanup: CLEANUP,
            ..Shutdown::of_template(&pod.revision.template)
        };
        let container = Container {
            pod: pod.id,
            number: state.container,
        };
        Some((container, shutdown.times(now)))
    }

    /// A pod's object is removed: its place is free.
    pub(super) fn gone(&mut self, pod: PodId) {
        self.pods.remove(&pod);
        if let Some(nodes) = &mut self.nodes {
            nodes.release(pod);
        }
    }

    /// What went wrong, by version, for those with which something did.
    pub(super) fn troubles(&self) -> Vec<Trouble> {
        let untroubled = |trouble: &Trouble| {
            *trouble
                == Trouble {
                    version: trouble.version.clone(),
                    ..Trouble::default()
                }
        };
        let troubles = self.troubles.iter().filter(|t| !untroubled(t));
        troubles.cloned().collect()
    }

    fn take_on(&mut self, pod: PodId, version: usize, startup: Startup) {
        let state = PodState {
            version,
            startup,
            draws: self
                .seed
                .stream(Purpose::Startup, FIRST_POD + u64::from(pod.0)),
            scheduling_attempts: 0,
            pulls: Backoff::kubelet(),
            restarts: Backoff::kubelet(),
            admitted: Timestamp::ZERO,
            container: 0,
            end: None,
        };
        self.pods.insert(pod, state);
    }
}

/// Whether containers of some version end before their pods' requests do: then the request path must be able to break them.
pub(super) fn containers_end(scenario: &Scenario) -> bool {
    scenario.versions.values().any(|version| {
        let course = &version.course;
        course.boot.is_some()
            || course.crash_after.is_some()
            || course.shutdown.is_some()
            || course.memory.is_some()
    })
}

fn nodes(pool: &NodePool) -> Nodes {
    let each = Allocatable {
        cpu_millis: pool.cpu_millis.unwrap_or(i64::MAX),
        memory_bytes: pool.memory_bytes.unwrap_or(i64::MAX),
        pods: pool.pods,
    };
    Nodes::new((0..pool.count).map(|_| each))
}

/// A time drawn with this word, cut to whole milliseconds.
fn time(tables: &Tables, table: TableIx, word: u64) -> Span {
    let ns = tables.value(table, word) as u64;
    Span::from_millis((ns / 1_000_000) as i64)
}
