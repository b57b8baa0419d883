//! Deployments, their pods, and who gets traffic: the controllers, kubelets and endpoint slices of the simulated cluster.
//!
//! The Deployment controller decides ([`super::deployment`]); here its decisions take time: a new pod is ready after a
//! start-up time drawn from its version's distribution, routers learn of it a little later, and a deleted pod goes on
//! serving until they have dropped it. Left out: nodes and their capacity, image pulls of their own, crashes.

use std::collections::{BTreeMap, BTreeSet};

use super::deployment::{DeploymentController, PodAction};
use super::event::Event;
use super::pods::{NodeId, PodId, PodSet, Startup};
use super::queue::Queue;
use crate::engine::cluster::Cluster;
use crate::engine::{Kind, Object, ObjectRef};
use crate::record::Replicas;
use crate::scenario::ClusterTiming;
use crate::time::{Span, Timestamp};

/// From the moment a pod is dropped by the routers to its end.
const SHUTDOWN: Span = Span::from_secs(1);

/// Deployments and pods.
#[derive(Clone, Debug, Default)]
pub(super) struct Workloads {
    controllers: BTreeMap<ObjectRef, DeploymentController>,
    pub(super) pods: PodSet,
    startups: BTreeMap<PodId, Startup>,
    /// Pods that routers know.
    serving: BTreeSet<PodId>,
    /// When a look at the Deployments is due already.
    look_due: Option<Timestamp>,
}

impl Workloads {
    /// Lets the Deployment controller look at `at`, if it will not do so earlier.
    pub(super) fn look(&mut self, at: Timestamp, queue: &mut Queue<Event>) {
        if self.look_due.is_none_or(|due| due > at) {
            self.look_due = Some(at);
            queue.push(at, Event::Deployments);
        }
    }

    /// The Deployment controller looks at all Deployments. Returns the pods that were made.
    pub(super) fn sync(
        &mut self,
        cluster: &mut Cluster,
        timing: &ClusterTiming,
        queue: &mut Queue<Event>,
        now: Timestamp,
    ) -> Vec<PodId> {
        if self.look_due == Some(now) {
            self.look_due = None;
        }
        let deployments: Vec<ObjectRef> = cluster
            .iter()
            .map(Object::reference)
            .filter(|object| object.kind == Kind::Deployment)
            .collect();
        let mut made = Vec::new();
        let mut wake: Option<Timestamp> = None;
        for reference in deployments {
            let Some(Object::Deployment(deployment)) = cluster.get_mut(&reference) else {
                continue;
            };
            let controller = self.controllers.entry(reference).or_default();
            for action in controller.sync(deployment, &mut self.pods, now).pods {
                match action {
                    PodAction::Created { pod, .. } => made.push(pod),
                    PodAction::Terminating { pod } => {
                        let dropped = now + timing.endpoint_removal;
                        queue.push(dropped, Event::PodDropped(pod));
                        queue.push(dropped + SHUTDOWN, Event::PodGone(pod));
                    }
                    PodAction::Removed { .. } => {}
                }
            }
            wake = [wake, controller.next_wake()].into_iter().flatten().min();
        }
        if let Some(at) = wake {
            self.look(at, queue);
        }
        made
    }

    /// Sets a new pod on its way to readiness.
    pub(super) fn start(
        &mut self,
        pod: PodId,
        startup: Startup,
        now: Timestamp,
        queue: &mut Queue<Event>,
    ) {
        self.startups.insert(pod, startup);
        queue.push(startup.scheduled_at(now), Event::PodScheduled(pod));
        queue.push(startup.running_at(now), Event::PodRunning(pod));
        queue.push(startup.ready_at(now), Event::PodReady(pod));
    }

    /// A pod got its node. There is one, without limits.
    pub(super) fn scheduled(&mut self, pod: PodId, now: Timestamp) {
        self.pods.scheduled(pod, NodeId(0), now);
    }

    /// A pod's container runs.
    pub(super) fn running(&mut self, pod: PodId, now: Timestamp) {
        self.pods.running(pod, now);
    }

    /// A pod is ready; says whether it was there to be.
    pub(super) fn ready(&mut self, pod: PodId, now: Timestamp) -> bool {
        self.pods.ready(pod, now)
    }

    /// Routers learn of a pod; says whether it gets traffic from now on.
    pub(super) fn serves(&mut self, pod: PodId) -> bool {
        let there = self
            .pods
            .get(pod)
            .is_some_and(|p| p.is_ready() && !p.is_terminating());
        there && self.serving.insert(pod)
    }

    /// Routers drop a pod; says whether it got traffic until now.
    pub(super) fn dropped(&mut self, pod: PodId) -> bool {
        self.serving.remove(&pod)
    }

    /// A pod's object is removed.
    pub(super) fn gone(&mut self, pod: PodId) {
        self.serving.remove(&pod);
        self.startups.remove(&pod);
        self.pods.gone(pod);
    }

    /// Pods that get traffic and carry all of these labels, oldest first.
    pub(super) fn endpoints(
        &self,
        namespace: &str,
        selector: &BTreeMap<String, String>,
    ) -> Vec<PodId> {
        self.pods
            .selected(namespace, selector)
            .map(|pod| pod.id)
            .filter(|id| self.serving.contains(id))
            .collect()
    }

    /// Pods of a Deployment that get traffic, oldest first.
    pub(super) fn serving_of(&self, deployment: &ObjectRef) -> Vec<PodId> {
        let pods = self
            .pods
            .of_deployment(&deployment.namespace, &deployment.name);
        pods.map(|pod| pod.id)
            .filter(|id| self.serving.contains(id))
            .collect()
    }

    /// Wanted and ready pods of a Deployment.
    pub(super) fn replicas(&self, cluster: &Cluster, deployment: &ObjectRef) -> Replicas {
        let wanted = match cluster.get(deployment) {
            Some(Object::Deployment(d)) => d.spec.replicas.unwrap_or(1),
            _ => 0,
        };
        let pods = self
            .pods
            .of_deployment(&deployment.namespace, &deployment.name);
        let ready = pods
            .filter(|pod| pod.is_ready() && !pod.is_terminating())
            .count();
        Replicas {
            wanted,
            ready: ready as i32,
        }
    }
}
