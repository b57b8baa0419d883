//! The course of pods in the simulated world: what happens to the pods, the request path and the routers when the
//! scheduler or a kubelet ([`super::kubelets`]) has acted.
//!
//! Every handler may come too late: for a pod that is gone, or a container that has been replaced. Then nothing happens.

use super::clock::nanos;
use super::event::Event;
use super::kubelets::{Container, Placement, Pulled};
use super::pods::PodId;
use super::revisions::Behind;
use super::routing::Endpoints;
use super::service::{PodIx, PodSpec, Side};
use super::world::{WATCH_DELAY, World};
use crate::time::Timestamp;

impl World {
    /// The Deployment controller looks at all Deployments; what it makes and deletes goes on its way.
    pub(super) fn look_at_deployments(&mut self) {
        let changes = self
            .workloads
            .sync(&mut self.cluster, &mut self.queue, self.now);
        for pod in changes.removed {
            self.kubelets.gone(pod);
        }
        for pod in changes.terminating {
            self.pod_deleted(pod);
        }
        for pod in changes.made {
            let version = self.behind(pod).version;
            let scheduled = self.kubelets.created(pod, version, self.now);
            self.queue.push(scheduled, Event::PodScheduled(pod));
        }
    }

    /// The pods that were there before the world began: running, ready and known to the routers, those that have room.
    pub(super) fn find_running_pods(&mut self) {
        let now = self.now;
        let found = self
            .workloads
            .sync(&mut self.cluster, &mut self.queue, now)
            .made;
        for id in found {
            let version = self.behind(id).version;
            let pod = self.workloads.pods.get(id).expect("it was just made");
            match self.kubelets.found(pod, version, now) {
                Placement::On(node) => {
                    self.workloads.pods.scheduled(id, node, now);
                    self.container_starts(id);
                    self.workloads.pods.ready(id, now);
                    self.pod_serves(id);
                }
                Placement::Pending(retry) => self.queue.push(retry, Event::PodScheduled(id)),
            }
        }
        self.workloads.sync(&mut self.cluster, &mut self.queue, now);
    }

    /// The scheduler gets to a pod.
    pub(super) fn pod_scheduled(&mut self, id: PodId) {
        let Some(pod) = self.workloads.pods.get(id) else {
            return;
        };
        match self.kubelets.place(pod, self.now) {
            Placement::On(node) => {
                self.workloads.pods.scheduled(id, node, self.now);
                self.pod_pulls(id);
            }
            Placement::Pending(retry) => self.queue.push(retry, Event::PodScheduled(id)),
        }
    }

    /// A kubelet looks for a pod's image.
    pub(super) fn pod_pulls(&mut self, id: PodId) {
        let Some(pod) = self.workloads.pods.get(id).filter(|p| !p.is_terminating()) else {
            return;
        };
        match self.kubelets.pull(pod, self.now) {
            Pulled::Present => self.container_starts(id),
            Pulled::At(at) => self.queue.push(at, Event::ContainerStarts(id)),
            Pulled::Retry(at) => self.queue.push(at, Event::PodPulls(id)),
        }
    }

    /// A pod's container starts.
    pub(super) fn container_starts(&mut self, id: PodId) {
        let Some(pod) = self.workloads.pods.get(id).filter(|p| !p.is_terminating()) else {
            return;
        };
        let Some(running) = self.kubelets.started(pod, self.now) else {
            return;
        };
        self.workloads.pods.running(id, self.now);
        if let Some(at) = running.ready {
            let at = at + self.slow_start(id);
            self.queue.push(at, Event::PodReady(running.container));
        }
        let crashes = self.crashes_at(id);
        if let Some(at) = [running.exits, crashes].into_iter().flatten().min() {
            self.queue
                .push(at, Event::ContainerExits(running.container));
        }
    }

    /// A readiness probe has succeeded.
    pub(super) fn pod_ready(&mut self, container: Container) {
        let pod = container.pod;
        if !self.kubelets.is_current(container) || !self.workloads.pods.ready(pod, self.now) {
            return;
        }
        let told = self.now + self.scenario.cluster.endpoint_addition;
        self.queue.push(told, Event::PodServes(pod));
        self.workloads.look(self.now + WATCH_DELAY, &mut self.queue);
    }

    /// A container has ended: what it was working on is lost, and what it is sent from now on is refused.
    pub(super) fn container_exits(&mut self, container: Container) {
        let id = container.pod;
        if !self.kubelets.is_current(container) {
            return;
        }
        let pod = self.workloads.pods.get(id).expect("its kubelet knows it");
        if let Some(restart) = self.kubelets.exited(pod, self.now) {
            self.queue.push(restart, Event::ContainerStarts(id));
        }
        self.workloads.pods.unready(id, self.now);
        self.targets.ended(id);
        if let Some(index) = self.on_path.get(&id) {
            self.path.kill_pod(*index);
        }
        let dropped = self.now + self.scenario.cluster.endpoint_removal;
        if self.workloads.is_dropped_at(id, dropped) {
            self.queue.push(dropped, Event::PodDropped(id));
        }
        self.workloads.look(self.now + WATCH_DELAY, &mut self.queue);
    }

    /// Routers have learnt of a pod.
    pub(super) fn pod_serves(&mut self, pod: PodId) {
        if !self.workloads.serves(pod) {
            return;
        }
        if let Some(crashed) = self.on_path.remove(&pod) {
            self.path.remove_pod(crashed);
            // The same pods, another process: the request path has to be told.
            self.endpoints = Endpoints::default();
        }
        let Behind { version, fail_rate } = self.behind(pod);
        let revision = &self.workloads.pods.get(pod).expect("it serves").revision;
        let side = if revision.deployment == self.routing.target().name {
            Side::Canary
        } else {
            Side::Primary
        };
        let index = self.path.add_pod(PodSpec {
            side,
            version,
            failure_rate: fail_rate,
        });
        self.on_path.insert(pod, index);
        self.becomes_target(pod, index, version);
        self.serves_since_now(pod);
        self.refresh_endpoints();
    }

    /// Prometheus scrapes a pod that serves, if its version exports anything.
    fn becomes_target(&mut self, id: PodId, index: PodIx, version: usize) {
        if self.counted_beside[version] {
            self.path.applications.include(index);
        }
        if !self.targets.exports(version) {
            return;
        }
        let pod = self.workloads.pods.get(id).expect("it serves");
        let (first, new) = self
            .targets
            .serves(pod, index, version, &mut self.storage, self.now);
        let interval = Timestamp::ZERO + self.scenario.prometheus.scrape_interval;
        self.path
            .applications
            .watch(index, nanos(first), nanos(interval));
        if new {
            self.queue.push(first, Event::PodScrape(id));
        }
    }

    /// Routers have dropped a pod.
    pub(super) fn pod_dropped(&mut self, pod: PodId) {
        if !self.workloads.dropped(pod, self.now) {
            return;
        }
        self.refresh_endpoints();
        if let Some(index) = self.on_path.remove(&pod) {
            self.path.remove_pod(index);
        }
    }

    /// A pod's object is removed.
    pub(super) fn pod_gone(&mut self, pod: PodId) {
        self.targets.gone(pod, &mut self.storage, self.now);
        self.workloads.gone(pod);
        self.kubelets.gone(pod);
        self.workloads.look(self.now + WATCH_DELAY, &mut self.queue);
    }

    /// A pod was deleted: routers drop it after a while, and it ends as its version says.
    fn pod_deleted(&mut self, id: PodId) {
        let dropped = self.now + self.scenario.cluster.endpoint_removal;
        self.workloads.is_dropped_at(id, dropped);
        self.queue.push(dropped, Event::PodDropped(id));
        let pod = self.workloads.pods.get(id).expect("it terminates");
        let gone = match self.kubelets.ending(pod, self.now) {
            None => dropped + super::kubelets::CLEANUP,
            Some((container, times)) => {
                self.queue
                    .push(times.stopped, Event::ContainerExits(container));
                times.gone.max(dropped)
            }
        };
        self.queue.push(gone, Event::PodGone(id));
    }

    /// What a pod that exists was made to run.
    fn behind(&mut self, pod: PodId) -> Behind {
        let pod = self.workloads.pods.get(pod).expect("it exists");
        self.revisions.behind(&pod.revision)
    }
}
