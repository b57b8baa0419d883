//! A ReplicaSet and its controller: so many pods of one template, no more, no fewer.
//!
//! Follows `pkg/controller/replicaset/replica_set.go` and `replica_set_utils.go`, and for which pod goes first
//! `pkg/controller/controller_utils.go` (`ActivePodsWithRanks`), of Kubernetes v1.36.3.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::PodAction;
use crate::k8s::api_time;
use crate::sim::names::pod_uid;
use crate::sim::pods::{Deletion, NodeId, Pod, PodId, PodPhase, PodSet, Revision};
use crate::time::{Span, Timestamp};

/// Pods made or deleted in one sync at most (`BurstReplicas`).
const BURST: usize = 500;

/// A ReplicaSet.
#[derive(Clone, Debug, PartialEq)]
pub struct ReplicaSet {
    /// Its name, template and labels.
    pub revision: Arc<Revision>,
    /// When it was created, in whole seconds.
    pub created: Timestamp,
    /// `spec.replicas`.
    pub replicas: i32,
    /// `spec.minReadySeconds`.
    pub min_ready: Span,
    /// Annotation `deployment.kubernetes.io/revision`.
    pub revision_number: i64,
    /// Annotation `deployment.kubernetes.io/desired-replicas`.
    pub desired_annotation: i32,
    /// Annotation `deployment.kubernetes.io/max-replicas`.
    pub max_annotation: i32,
    /// What its controller last saw.
    pub status: ReplicaSetStatus,
}

/// `status` of a ReplicaSet: its pods, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReplicaSetStatus {
    /// Neither terminating nor finished.
    pub replicas: i32,
    /// Of these, ready.
    pub ready: i32,
    /// Of these, ready for `minReadySeconds`.
    pub available: i32,
    /// Deleted, their objects still there.
    pub terminating: i32,
}

impl ReplicaSet {
    /// Makes or deletes pods towards `spec.replicas` and writes the status; says whether anything changed.
    /// The status counts the pods as they were before: the next sync sees what this one did.
    pub(super) fn sync(
        &mut self,
        pods: &mut PodSet,
        now: Timestamp,
        actions: &mut Vec<PodAction>,
    ) -> bool {
        let status = self.count(pods, now);
        let surplus = status.replicas - self.replicas;
        let burst = BURST.min(surplus.unsigned_abs() as usize);
        if surplus < 0 {
            for _ in 0..burst {
                let pod = pods.create(&self.revision, now);
                let revision = Arc::clone(&self.revision);
                actions.push(PodAction::Created { pod, revision });
            }
        } else if surplus > 0 {
            for pod in self.first_to_go(pods, burst, now) {
                delete(pod, pods, now, actions);
            }
        }
        let changed = self.status != status;
        self.status = status;
        changed || burst > 0
    }

    /// Deletes all pods, finished ones too.
    pub(super) fn delete_pods(
        &self,
        pods: &mut PodSet,
        now: Timestamp,
        actions: &mut Vec<PodAction>,
    ) {
        let ids: Vec<PodId> = pods.of_revision(&self.revision).map(|p| p.id).collect();
        for pod in ids {
            delete(pod, pods, now, actions);
        }
    }

    /// When the next ready pod becomes available by `minReadySeconds`.
    pub(super) fn next_available(&self, pods: &PodSet, now: Timestamp) -> Option<Timestamp> {
        pods.of_revision(&self.revision)
            .filter(|pod| pod.is_active())
            .filter_map(|pod| pod.available_from(self.min_ready))
            .filter(|at| *at > now)
            .min()
    }

    fn count(&self, pods: &PodSet, now: Timestamp) -> ReplicaSetStatus {
        let mut status = ReplicaSetStatus::default();
        for pod in pods.of_revision(&self.revision) {
            if pod.is_finished() {
                continue;
            }
            if pod.is_terminating() {
                status.terminating += 1;
                continue;
            }
            let available_from = pod.available_from(self.min_ready);
            status.replicas += 1;
            status.ready += i32::from(available_from.is_some());
            status.available += i32::from(available_from.is_some_and(|at| at <= now));
        }
        status
    }

    /// The pods that a scale-down takes, in the order it takes them.
    fn first_to_go(&self, pods: &PodSet, n: usize, now: Timestamp) -> Vec<PodId> {
        let neighbours = self.pods_by_node(pods);
        let active = pods.of_revision(&self.revision).filter(|p| p.is_active());
        let mut candidates: Vec<(GoesFirst, PodId)> = active
            .map(|pod| {
                let neighbours = pod.node.map_or(0, |node| neighbours[&node]);
                (GoesFirst::of(pod, neighbours, now), pod.id)
            })
            .collect();
        candidates.sort();
        candidates.truncate(n);
        candidates.into_iter().map(|(_, id)| id).collect()
    }

    /// Active pods of the Deployment on each node (`getPodsRankedByRelatedPodsOnSameNode`).
    fn pods_by_node(&self, pods: &PodSet) -> BTreeMap<NodeId, usize> {
        let Revision {
            namespace,
            deployment,
            ..
        } = &*self.revision;
        let mut counts = BTreeMap::new();
        for pod in pods.of_deployment(namespace, deployment) {
            if let Some(node) = pod.node.filter(|_| pod.is_active()) {
                *counts.entry(node).or_default() += 1;
            }
        }
        counts
    }
}

fn delete(pod: PodId, pods: &mut PodSet, now: Timestamp, actions: &mut Vec<PodAction>) {
    match pods.delete(pod, now) {
        Deletion::Terminating => actions.push(PodAction::Terminating { pod }),
        Deletion::Gone => actions.push(PodAction::Removed { pod }),
        Deletion::Nothing => {}
    }
}

/// A pod's place in a scale-down: the lowest goes first, and the first field that differs decides.
///
/// Deletion costs would come before the neighbours; nothing here sets them. Upstream lets the UID decide at once where
/// two pods became ready at different times of one age bucket, which is no total order; here it decides last.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct GoesFirst {
    scheduled: bool,
    running: bool,
    ready: bool,
    neighbours: Reverse<usize>,
    ready_for: i8,
    restarts: Reverse<u32>,
    age: i8,
    uid: u32,
}

impl GoesFirst {
    fn of(pod: &Pod, neighbours: usize, now: Timestamp) -> Self {
        let ready_since = pod.ready.filter(|_| pod.is_ready());
        GoesFirst {
            scheduled: pod.node.is_some(),
            running: pod.phase != PodPhase::Pending,
            ready: ready_since.is_some(),
            neighbours: Reverse(neighbours),
            ready_for: ready_since.map_or(0, |r| age_bucket(now - r.last_transition)),
            restarts: Reverse(pod.restarts),
            age: age_bucket(now - api_time(pod.created)),
            uid: pod_uid(&pod.revision.replica_set, pod.id.0),
        }
    }
}

/// Ages are told apart by the logarithm of their nanoseconds only (`logarithmicRankDiff`).
fn age_bucket(age: Span) -> i8 {
    let nanos = i128::from(age.as_millis()) * 1_000_000;
    if nanos <= 0 { -1 } else { nanos.ilog2() as i8 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::k8s::PodTemplate;

    const NOW: Timestamp = Timestamp::from_secs(1000);

    /// What a pod has gone through: node, created, running, ready and restarted, in seconds.
    #[derive(Clone, Copy)]
    struct Life {
        node: Option<u32>,
        created: i64,
        running: Option<i64>,
        ready: Option<i64>,
        restarts: u32,
    }

    const SETTLED: Life = Life {
        node: Some(0),
        created: 0,
        running: Some(10),
        ready: Some(20),
        restarts: 0,
    };

    /// Which of these pods a scale-down takes first.
    fn first_of(lives: &[Life]) -> u32 {
        let revision = Arc::new(Revision::new("test", "app", PodTemplate::default(), "1"));
        let mut pods = PodSet::new();
        for life in lives {
            let at = Timestamp::from_secs;
            let id = pods.create(&revision, at(life.created));
            if let Some(node) = life.node {
                pods.scheduled(id, NodeId(node), at(life.created));
            }
            if let Some(running) = life.running {
                (0..=life.restarts).for_each(|_| assert!(pods.running(id, at(running))));
            }
            if let Some(ready) = life.ready {
                pods.ready(id, at(ready));
            }
        }
        let mut set = ReplicaSet {
            revision,
            created: Timestamp::ZERO,
            replicas: lives.len() as i32 - 1,
            min_ready: Span::ZERO,
            revision_number: 1,
            desired_annotation: 0,
            max_annotation: 0,
            status: ReplicaSetStatus::default(),
        };
        let mut actions = Vec::new();
        set.sync(&mut pods, NOW, &mut actions);
        match actions[..] {
            [PodAction::Terminating { pod } | PodAction::Removed { pod }] => pod.0,
            _ => panic!("one pod goes: {actions:?}"),
        }
    }

    #[test]
    fn a_scale_down_takes_the_pod_that_is_missed_least() {
        let unready = Life {
            ready: None,
            ..SETTLED
        };
        let pending = Life {
            running: None,
            ..unready
        };
        let unscheduled = Life {
            node: None,
            ..pending
        };
        let elsewhere = Life {
            node: Some(1),
            ..SETTLED
        };
        let ready_later = Life {
            ready: Some(900),
            ..SETTLED
        };
        let restarted = Life {
            restarts: 2,
            ..SETTLED
        };
        let younger = Life {
            created: 900,
            ..SETTLED
        };
        // Among equals the UID decides, which is no more ours to know than it is upstream.
        for (what, lives, expected) in [
            ("unscheduled", [pending, unscheduled, SETTLED], &[1][..]),
            ("pending", [SETTLED, unready, pending], &[2]),
            ("not ready", [SETTLED, unready, ready_later], &[1]),
            ("crowded node", [elsewhere, SETTLED, SETTLED], &[1, 2]),
            (
                "ready for a shorter time",
                [restarted, SETTLED, ready_later],
                &[2],
            ),
            ("more restarts", [SETTLED, restarted, younger], &[1]),
            ("younger", [younger, SETTLED, SETTLED], &[0]),
        ] {
            let first = first_of(&lives);
            assert!(expected.contains(&first), "{what}: {first}");
        }
    }

    #[test]
    fn times_within_a_power_of_two_of_each_other_are_one_bucket() {
        let bucket = |s| age_bucket(Span::from_secs(s));
        assert_eq!(bucket(100), bucket(110));
        assert!(bucket(100) < bucket(200));
        assert_eq!(bucket(0), -1);
    }
}
