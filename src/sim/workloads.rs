//! Deployments, their pods, and who gets traffic: the controllers, kubelets and endpoint slices of the simulated cluster.
//!
//! The Deployment controller decides ([`super::deployment`]); what it makes and deletes goes through the hands of
//! schedulers and kubelets ([`super::kubelets`]). Routers learn of a ready pod a little later, and send requests to one
//! that is not ready any more, or deleted, until they have dropped it.

use std::collections::{BTreeMap, BTreeSet};

use super::deployment::{DeploymentController, PodAction};
use super::event::Event;
use super::pods::{Pod, PodId, PodSet};
use super::queue::Queue;
use crate::engine::cluster::Cluster;
use crate::engine::{Kind, Object, ObjectRef};
use crate::record::Replicas;
use crate::time::Timestamp;

/// Deployments and pods.
#[derive(Clone, Debug, Default)]
pub(super) struct Workloads {
    controllers: BTreeMap<ObjectRef, DeploymentController>,
    pub(super) pods: PodSet,
    /// Pods that routers know.
    serving: BTreeSet<PodId>,
    /// When routers drop pods that are not ready any more, or deleted.
    dropping: BTreeMap<PodId, Timestamp>,
    /// When a look at the Deployments is due already.
    look_due: Option<Timestamp>,
}

/// Pods that the Deployment controller has made and deleted.
#[derive(Clone, Debug, Default)]
pub(super) struct Changes {
    pub(super) made: Vec<PodId>,
    /// A kubelet has to stop them.
    pub(super) terminating: Vec<PodId>,
    /// Vanished at once, since no kubelet had them yet.
    pub(super) removed: Vec<PodId>,
}

impl Workloads {
    /// Lets the Deployment controller look at `at`, if it will not do so earlier.
    pub(super) fn look(&mut self, at: Timestamp, queue: &mut Queue<Event>) {
        if self.look_due.is_none_or(|due| due > at) {
            self.look_due = Some(at);
            queue.push(at, Event::Deployments);
        }
    }

    /// The Deployment controller looks at all Deployments.
    pub(super) fn sync(
        &mut self,
        cluster: &mut Cluster,
        queue: &mut Queue<Event>,
        now: Timestamp,
    ) -> Changes {
        if self.look_due == Some(now) {
            self.look_due = None;
        }
        let deployments: Vec<ObjectRef> = cluster.of_kind(Kind::Deployment).cloned().collect();
        let mut changes = Changes::default();
        let mut wake: Option<Timestamp> = None;
        for reference in deployments {
            let Some(Object::Deployment(deployment)) = cluster.get_mut(&reference) else {
                continue;
            };
            let controller = self.controllers.entry(reference).or_default();
            for action in controller.sync(deployment, &mut self.pods, now).pods {
                match action {
                    PodAction::Created { pod, .. } => changes.made.push(pod),
                    PodAction::Terminating { pod } => changes.terminating.push(pod),
                    PodAction::Removed { pod } => changes.removed.push(pod),
                }
            }
            wake = [wake, controller.next_wake()].into_iter().flatten().min();
        }
        if let Some(at) = wake {
            self.look(at, queue);
        }
        changes
    }

    /// Routers learn of a pod; says whether it gets traffic from now on.
    pub(super) fn serves(&mut self, pod: PodId) -> bool {
        let there = self
            .pods
            .get(pod)
            .is_some_and(|p| p.is_ready() && !p.is_terminating());
        // One that was about to be dropped and is ready again is another process.
        there && (self.dropping.remove(&pod).is_some() | self.serving.insert(pod))
    }

    /// Routers will drop a pod at a moment, if they know it; says whether that is so.
    pub(super) fn is_dropped_at(&mut self, pod: PodId, at: Timestamp) -> bool {
        let known = self.serving.contains(&pod);
        if known {
            self.dropping.entry(pod).or_insert(at);
        }
        known
    }

    /// Routers drop a pod, if they are still to do so; says whether it got traffic until now.
    pub(super) fn dropped(&mut self, pod: PodId, now: Timestamp) -> bool {
        if self.dropping.get(&pod).is_none_or(|due| *due > now) {
            return false;
        }
        self.dropping.remove(&pod);
        self.serving.remove(&pod)
    }

    /// A pod that gets traffic and must not: one that is gone, or that is not ready and nobody is about to drop.
    pub(super) fn stray(&self) -> Option<PodId> {
        let fits = |id: &PodId| {
            let ready = |pod: &Pod| pod.is_ready() && !pod.is_terminating();
            let pod = self.pods.get(*id);
            pod.is_some_and(|pod| ready(pod) || self.dropping.contains_key(id))
        };
        self.serving.iter().find(|id| !fits(id)).copied()
    }

    /// A pod's object is removed.
    pub(super) fn gone(&mut self, pod: PodId) {
        self.serving.remove(&pod);
        self.dropping.remove(&pod);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::k8s::PodTemplate;
    use crate::sim::pods::{NodeId, Revision};
    use std::sync::Arc;

    #[test]
    fn a_pod_that_is_down_may_get_requests_only_until_the_routers_drop_it() {
        let revision = Arc::new(Revision::new("test", "app", PodTemplate::default(), "1"));
        let at = Timestamp::from_secs;
        let mut workloads = Workloads::default();
        let pod = workloads.pods.create(&revision, at(0));
        workloads.pods.scheduled(pod, NodeId(0), at(0));
        workloads.pods.running(pod, at(1));
        assert!(!workloads.serves(pod), "it is not ready");
        workloads.pods.ready(pod, at(2));
        assert!(workloads.serves(pod));
        assert!(!workloads.serves(pod), "it does already");
        assert_eq!(workloads.stray(), None);

        workloads.pods.unready(pod, at(3));
        assert_eq!(workloads.stray(), Some(pod), "nobody is about to drop it");
        assert!(workloads.is_dropped_at(pod, at(5)));
        assert_eq!(workloads.stray(), None);
        assert!(!workloads.dropped(pod, at(4)), "too early");

        // Ready again before the routers had noticed: another process behind the same name.
        workloads.pods.ready(pod, at(4));
        assert!(workloads.serves(pod));
        assert!(
            !workloads.dropped(pod, at(5)),
            "it is not to be dropped any more"
        );

        workloads.pods.gone(pod);
        assert_eq!(workloads.stray(), Some(pod), "it is gone");
    }
}
