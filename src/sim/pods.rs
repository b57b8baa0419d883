//! Pods as the API server shows them: phase, readiness, deletion, and the transitions between them.
//!
//! The ReplicaSet controller creates and deletes pods ([`super::deployment`]); the world plays scheduler, kubelet and
//! container runtime by calling the transitions of [`PodSet`] at times it has drawn. Nothing here waits for anything.
//! Times that the API stores with one-second resolution are cut to it ([`crate::k8s::api_time`]).
//!
//! How long things take is told by the state machines beside it: [`probes`], [`backoff`], [`nodes`], [`shutdown`],
//! [`memory`].
//!
//! Left out: several containers per pod (a pod is as ready as its one container), init containers, volumes, and every
//! condition but Ready. Follows `pkg/kubelet/status/status_manager.go` and `pkg/api/v1/pod/util.go` of Kubernetes v1.36.

pub mod backoff;
pub mod memory;
pub mod nodes;
pub mod probes;
pub mod requests;
pub mod shutdown;

use std::collections::BTreeMap;
use std::sync::Arc;

use requests::PodRequests;

use crate::k8s::{PodTemplate, api_time};
use crate::time::{Span, Timestamp};

/// A pod's number: the order in which pods were created in one [`PodSet`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PodId(pub u32);

/// A node's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u32);

/// What all pods of one ReplicaSet share, read off the template once.
#[derive(Clone, Debug, PartialEq)]
pub struct Revision {
    /// Namespace.
    pub namespace: String,
    /// Name of the Deployment.
    pub deployment: String,
    /// Name of the ReplicaSet: the Deployment's and the template hash.
    pub replica_set: String,
    /// Value of the label `pod-template-hash`.
    pub template_hash: String,
    /// What its pods are made from.
    pub template: PodTemplate,
    /// Labels of its pods: the template's, and `pod-template-hash`.
    pub labels: BTreeMap<String, String>,
    /// What a pod requests.
    pub requests: Arc<PodRequests>,
    /// Name of the first container; `app` where it has none.
    pub container: Arc<str>,
    /// Image of the first container; empty where it has none.
    pub image: Arc<str>,
    /// What the first container may use, in bytes.
    pub memory_limit: Option<u64>,
}

impl Revision {
    /// The ReplicaSet that a Deployment of this name makes from a template with this hash.
    pub fn new(
        namespace: impl Into<String>,
        deployment: impl Into<String>,
        template: PodTemplate,
        template_hash: impl Into<String>,
    ) -> Self {
        let (deployment, template_hash) = (deployment.into(), template_hash.into());
        let mut labels = template.labels();
        labels.insert("pod-template-hash".to_owned(), template_hash.clone());
        Revision {
            namespace: namespace.into(),
            replica_set: format!("{deployment}-{template_hash}"),
            deployment,
            template_hash,
            labels,
            requests: Arc::new(PodRequests::of_template(&template)),
            container: template.container_name().unwrap_or("app").into(),
            image: template.image().unwrap_or_default().into(),
            memory_limit: memory::limit_of(&template),
            template,
        }
    }
}

/// `status.phase`. `Unknown` is never written since Kubernetes 1.26 and does not exist here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PodPhase {
    /// Accepted, its container not yet running.
    Pending,
    /// Its container runs, or waits for a restart.
    Running,
    /// Ended well.
    Succeeded,
    /// Ended badly, or was evicted.
    Failed,
}

/// Status of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConditionStatus {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// The node cannot be reached.
    Unknown,
}

/// The condition Ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadyCondition {
    /// Whether the pod is ready.
    pub status: ConditionStatus,
    /// `lastTransitionTime`, in whole seconds.
    pub last_transition: Timestamp,
}

/// A pod.
#[derive(Clone, Debug, PartialEq)]
pub struct Pod {
    /// Its number.
    pub id: PodId,
    /// `NAME-TEMPLATEHASH-SUFFIX`.
    pub name: Arc<str>,
    /// The ReplicaSet it was made by, and what it was made from.
    pub revision: Arc<Revision>,
    /// `status.phase`.
    pub phase: PodPhase,
    /// When it was created, to the millisecond.
    pub created: Timestamp,
    /// Where it was placed.
    pub node: Option<NodeId>,
    /// `status.startTime`: when the kubelet took it on, in whole seconds.
    pub start_time: Option<Timestamp>,
    /// When its container last started, to the millisecond.
    pub container_started: Option<Timestamp>,
    /// The condition Ready, from the kubelet's first status on.
    pub ready: Option<ReadyCondition>,
    /// When someone deleted it, to the millisecond.
    pub deleted: Option<Timestamp>,
    /// Restarts of its container.
    pub restarts: u32,
}

impl Pod {
    /// Whether the condition Ready is True. A terminating pod may well be ready.
    pub fn is_ready(&self) -> bool {
        matches!(self.ready, Some(r) if r.status == ConditionStatus::True)
    }

    /// Whether it was deleted and its object is still there.
    pub fn is_terminating(&self) -> bool {
        self.deleted.is_some()
    }

    /// Whether it has ended, well or badly.
    pub fn is_finished(&self) -> bool {
        matches!(self.phase, PodPhase::Succeeded | PodPhase::Failed)
    }

    /// Whether controllers count it: neither terminating nor finished.
    pub fn is_active(&self) -> bool {
        !self.is_terminating() && !self.is_finished()
    }

    /// When it counts as available: `min_ready` after it turned ready. `None` while it is not ready.
    pub fn available_from(&self, min_ready: Span) -> Option<Timestamp> {
        let ready = self.ready?;
        (ready.status == ConditionStatus::True).then(|| match min_ready {
            Span::ZERO => Timestamp::from_millis(i64::MIN),
            span => ready.last_transition + span,
        })
    }

    fn set_ready(&mut self, status: ConditionStatus, now: Timestamp) -> bool {
        if matches!(self.ready, Some(r) if r.status == status) {
            return false;
        }
        self.ready = Some(ReadyCondition {
            status,
            last_transition: api_time(now),
        });
        true
    }
}

/// What became of a pod that was deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deletion {
    /// It terminates; the world says when it is [gone](PodSet::gone).
    Terminating,
    /// Its object vanished at once, since no kubelet has to stop it.
    Gone,
    /// It was terminating already, or does not exist.
    Nothing,
}

/// All pods of the simulated cluster, in the order of their creation.
///
/// A transition says whether it changed anything: the world's events may come for a pod that is no longer there,
/// or no longer in a state to be changed.
#[derive(Clone, Debug, Default)]
pub struct PodSet {
    pods: Vec<Pod>,
    created: u32,
}

impl PodSet {
    /// No pods.
    pub fn new() -> Self {
        PodSet::default()
    }

    /// A pod that exists.
    pub fn get(&self, id: PodId) -> Option<&Pod> {
        let index = self.pods.binary_search_by_key(&id, |p| p.id).ok()?;
        Some(&self.pods[index])
    }

    /// All pods, oldest first.
    pub fn iter(&self) -> std::slice::Iter<'_, Pod> {
        self.pods.iter()
    }

    /// Pods of one Deployment, oldest first, whatever their state; some may be of a ReplicaSet that is gone.
    pub fn of_deployment<'a>(
        &'a self,
        namespace: &'a str,
        name: &'a str,
    ) -> impl Iterator<Item = &'a Pod> {
        self.pods
            .iter()
            .filter(move |p| p.revision.deployment == name && p.revision.namespace == namespace)
    }

    /// Pods of one ReplicaSet, oldest first, whatever their state.
    pub fn of_revision<'a>(&'a self, revision: &'a Arc<Revision>) -> impl Iterator<Item = &'a Pod> {
        self.pods
            .iter()
            .filter(move |p| Arc::ptr_eq(&p.revision, revision))
    }

    /// Pods whose labels match all of `labels`, oldest first; none where `labels` is empty.
    pub fn selected<'a>(
        &'a self,
        namespace: &'a str,
        labels: &'a BTreeMap<String, String>,
    ) -> impl Iterator<Item = &'a Pod> {
        self.pods.iter().filter(move |p| {
            !labels.is_empty()
                && p.revision.namespace == namespace
                && labels
                    .iter()
                    .all(|(k, v)| p.revision.labels.get(k) == Some(v))
        })
    }

    /// Makes a pod: Pending, on no node.
    pub fn create(&mut self, revision: &Arc<Revision>, now: Timestamp) -> PodId {
        let id = PodId(self.created);
        self.created += 1;
        let suffix = super::names::pod_suffix(&revision.replica_set, id.0);
        self.pods.push(Pod {
            id,
            name: format!("{}-{suffix}", revision.replica_set).into(),
            revision: Arc::clone(revision),
            phase: PodPhase::Pending,
            created: now,
            node: None,
            start_time: None,
            container_started: None,
            ready: None,
            deleted: None,
            restarts: 0,
        });
        id
    }

    /// The scheduler chose a node and its kubelet took the pod on: `startTime` is set and Ready becomes False.
    pub fn scheduled(&mut self, id: PodId, node: NodeId, now: Timestamp) -> bool {
        self.change(id, |pod| {
            if pod.node.is_some() {
                return false;
            }
            pod.node = Some(node);
            pod.start_time = Some(api_time(now));
            pod.set_ready(ConditionStatus::False, now);
            true
        })
    }

    /// The container runs, for the first time or again after a crash, which counts as a restart.
    pub fn running(&mut self, id: PodId, now: Timestamp) -> bool {
        self.change(id, |pod| {
            if pod.is_finished() {
                return false;
            }
            pod.restarts += u32::from(pod.container_started.is_some());
            pod.phase = PodPhase::Running;
            pod.container_started = Some(now);
            pod.set_ready(ConditionStatus::False, now);
            true
        })
    }

    /// The readiness probe succeeded.
    pub fn ready(&mut self, id: PodId, now: Timestamp) -> bool {
        self.change(id, |pod| {
            pod.phase == PodPhase::Running && pod.set_ready(ConditionStatus::True, now)
        })
    }

    /// The readiness probe failed, or the container is down.
    pub fn unready(&mut self, id: PodId, now: Timestamp) -> bool {
        self.change(id, |pod| {
            pod.phase == PodPhase::Running && pod.set_ready(ConditionStatus::False, now)
        })
    }

    /// The pod ended badly for good: evicted, or its node is lost. Its object stays until someone deletes it.
    pub fn failed(&mut self, id: PodId, now: Timestamp) -> bool {
        self.change(id, |pod| {
            if pod.is_finished() {
                return false;
            }
            pod.phase = PodPhase::Failed;
            pod.set_ready(ConditionStatus::False, now);
            true
        })
    }

    /// Someone deletes the pod. It counts nowhere from now on.
    /// Without a node, or finished, it vanishes at once (`pkg/registry/core/pod/strategy.go`, `CheckGracefulDelete`).
    pub fn delete(&mut self, id: PodId, now: Timestamp) -> Deletion {
        let Ok(index) = self.pods.binary_search_by_key(&id, |p| p.id) else {
            return Deletion::Nothing;
        };
        let pod = &mut self.pods[index];
        if pod.is_terminating() {
            return Deletion::Nothing;
        }
        if pod.node.is_none() || pod.is_finished() {
            self.pods.remove(index);
            return Deletion::Gone;
        }
        pod.deleted = Some(now);
        Deletion::Terminating
    }

    /// A pod's containers have stopped and its object is removed.
    pub fn gone(&mut self, id: PodId) -> Option<Pod> {
        let index = self.pods.binary_search_by_key(&id, |p| p.id).ok()?;
        Some(self.pods.remove(index))
    }

    fn change(&mut self, id: PodId, change: impl FnOnce(&mut Pod) -> bool) -> bool {
        match self.pods.binary_search_by_key(&id, |p| p.id) {
            Ok(index) => change(&mut self.pods[index]),
            Err(_) => false,
        }
    }
}

/// How long a new pod takes from one state to the next, drawn by the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Startup {
    /// From creation until the kubelet has it.
    pub scheduling: Span,
    /// From there until the image is there and the sandbox stands.
    pub image_pull: Span,
    /// From there until the container runs.
    pub start: Span,
    /// From there until the pod is ready.
    pub readiness: Span,
}

impl Startup {
    /// Scheduling and the kubelet's notice in a [`Startup`] of which only the whole is known.
    pub const NOMINAL_SCHEDULING: Span = Span::from_millis(20);

    /// A start-up of which only the whole is known: creation to Ready. The container runs from the nominal scheduling on.
    pub fn lasting(total: Span) -> Self {
        let scheduling = total.clamp(Span::ZERO, Self::NOMINAL_SCHEDULING);
        Startup {
            scheduling,
            image_pull: Span::ZERO,
            start: Span::ZERO,
            readiness: total.max(Span::ZERO) - scheduling,
        }
    }

    /// When the pod created at `created` is on its node.
    pub fn scheduled_at(&self, created: Timestamp) -> Timestamp {
        created + self.scheduling
    }

    /// When its container runs.
    pub fn running_at(&self, created: Timestamp) -> Timestamp {
        self.scheduled_at(created) + self.image_pull + self.start
    }

    /// When it is ready.
    pub fn ready_at(&self, created: Timestamp) -> Timestamp {
        self.running_at(created) + self.readiness
    }
}
