//! The Deployment controller and the ReplicaSet controllers below it.
//!
//! A [`DeploymentController`] is all that Kubernetes keeps about one Deployment besides the Deployment itself and its
//! pods: the ReplicaSets. [`DeploymentController::sync`] runs the controllers until nothing changes, at one moment;
//! the hops between them (milliseconds to tens of milliseconds in a cluster) are the caller's to add, by calling it later.
//! The caller calls it whenever the Deployment or one of its pods changed, and at
//! [`next_wake`](DeploymentController::next_wake).
//!
//! Follows `pkg/controller/deployment` and `pkg/controller/replicaset` of Kubernetes v1.36.3; proved on recordings of
//! them (`verify::deployments`). Left out: API errors and conflicts, quota, adoption and orphans, hash collisions in
//! status, start-up batches, API throttling, selectors other than ownership.

mod history;
mod replica_set;
mod rollout;
mod scale;
mod status;

pub use replica_set::{ReplicaSet, ReplicaSetStatus};

use std::sync::Arc;

use crate::k8s::{Deployment, Strategy, api_time};
use crate::sim::names;
use crate::sim::pods::{PodId, PodSet, Revision};
use crate::time::{Span, Timestamp};

/// Annotation of a Deployment and a ReplicaSet: the revision's number.
pub const REVISION_ANNOTATION: &str = "deployment.kubernetes.io/revision";

/// Rounds after which a sync gives up finding a fixed point. Each round moves at least one pod or counter,
/// and the longest rollout needs a few rounds for each of at most 500 pods a ReplicaSet moves at once.
const MAX_ROUNDS: usize = 10_000;

/// The ReplicaSets of one Deployment, and what controls them.
#[derive(Clone, Debug, Default)]
pub struct DeploymentController {
    /// Oldest first; within a second by name.
    replica_sets: Vec<ReplicaSet>,
    next_wake: Option<Timestamp>,
}

/// What a sync did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Synced {
    /// Pods made and deleted, in order: for the world to realise.
    pub pods: Vec<PodAction>,
    /// Sizes of ReplicaSets, in the order written.
    pub sizes: Vec<SizeChange>,
}

/// A pod that the ReplicaSet controller made or deleted. The [`PodSet`] has changed already.
#[derive(Clone, Debug, PartialEq)]
pub enum PodAction {
    /// Made: Pending, on no node. The world schedules and starts it.
    Created {
        /// The pod.
        pod: PodId,
        /// What it was made from.
        revision: Arc<Revision>,
    },
    /// Deleted: its kubelet stops it, and then it is [gone](PodSet::gone).
    Terminating {
        /// The pod.
        pod: PodId,
    },
    /// Deleted before it was on a node: it is gone.
    Removed {
        /// The pod.
        pod: PodId,
    },
}

/// One change of a ReplicaSet's `spec.replicas`, or of its existence. Each with two different numbers (a creation
/// counts from 0) is one Normal `ScalingReplicaSet` event.
#[derive(Clone, Debug, PartialEq)]
pub struct SizeChange {
    /// The ReplicaSet.
    pub revision: Arc<Revision>,
    /// Replicas before; `None` where it was created.
    pub from: Option<i32>,
    /// Replicas now; `None` where it was deleted.
    pub to: Option<i32>,
}

impl SizeChange {
    /// The event's message.
    pub fn message(&self) -> Option<String> {
        let (from, to) = (self.from.unwrap_or(0), self.to?);
        let direction = if to > from { "up" } else { "down" };
        let name = &self.revision.replica_set;
        (from != to).then(|| format!("Scaled {direction} replica set {name} from {from} to {to}"))
    }
}

impl DeploymentController {
    /// No ReplicaSets yet.
    pub fn new() -> Self {
        DeploymentController::default()
    }

    /// The ReplicaSets, oldest first.
    pub fn replica_sets(&self) -> &[ReplicaSet] {
        &self.replica_sets
    }

    /// When to sync next although nothing changes: a ready pod becomes available, or the progress deadline passes.
    pub fn next_wake(&self) -> Option<Timestamp> {
        self.next_wake
    }

    /// Runs the controllers to a fixed point: writes the Deployment's status and revision annotation, makes and
    /// deletes pods.
    pub fn sync(
        &mut self,
        deployment: &mut Deployment,
        pods: &mut PodSet,
        now: Timestamp,
    ) -> Synced {
        let mut synced = Synced::default();
        for _ in 0..MAX_ROUNDS {
            if !self.step(deployment, pods, now, &mut synced) {
                break;
            }
        }
        synced
    }

    /// One round: each ReplicaSet's sync, then the Deployment's. Says whether anything changed. A caller that wants
    /// something to happen between the rounds calls this in place of [`sync`](Self::sync), until it is false.
    pub fn step(
        &mut self,
        deployment: &mut Deployment,
        pods: &mut PodSet,
        now: Timestamp,
        synced: &mut Synced,
    ) -> bool {
        let mut changed = false;
        for set in &mut self.replica_sets {
            changed |= set.sync(pods, now, &mut synced.pods);
        }
        let mut sync = Sync {
            new: None,
            strategy: Strategy::read(&deployment.spec.strategy),
            deployment,
            sets: &mut self.replica_sets,
            pods,
            now,
            sizes: &mut synced.sizes,
            changed,
        };
        sync.find_new();
        sync.run();
        let changed = sync.changed;
        self.next_wake = self.wake_after(deployment, pods, now);
        changed
    }

    /// Deletes the ReplicaSets and all their pods, as the garbage collector does when the Deployment is deleted.
    pub fn delete(&mut self, pods: &mut PodSet, now: Timestamp) -> Synced {
        let mut synced = Synced::default();
        for set in self.replica_sets.drain(..) {
            set.delete_pods(pods, now, &mut synced.pods);
            synced.sizes.push(SizeChange {
                from: Some(set.replicas),
                revision: set.revision,
                to: None,
            });
        }
        self.next_wake = None;
        synced
    }

    fn wake_after(
        &self,
        deployment: &Deployment,
        pods: &PodSet,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let available = self
            .replica_sets
            .iter()
            .filter_map(|set| set.next_available(pods, now));
        let stuck = status::progress_checked_at(deployment).filter(|at| *at > now);
        available.chain(stuck).min()
    }
}

/// One sync of the Deployment controller.
struct Sync<'a> {
    deployment: &'a mut Deployment,
    sets: &'a mut Vec<ReplicaSet>,
    pods: &'a PodSet,
    now: Timestamp,
    sizes: &'a mut Vec<SizeChange>,
    strategy: Strategy,
    /// The ReplicaSet made from the Deployment's template, if there is one: its place among all.
    new: Option<usize>,
    changed: bool,
}

impl Sync<'_> {
    /// `deployment_controller.go`, `syncDeployment`.
    fn run(&mut self) {
        self.note_pause();
        self.number_new();
        if self.deployment.spec.paused {
            self.scale();
            self.cut_history();
            return self.write_status();
        }
        if self.is_scaling_event() {
            self.scale();
            return self.write_status();
        }
        match self.strategy {
            Strategy::Recreate => self.recreate(),
            Strategy::RollingUpdate { .. } => self.roll(),
        }
    }

    /// `spec.replicas`.
    fn replicas(&self) -> i32 {
        self.deployment.spec.replicas.unwrap_or(1).max(0)
    }

    fn bounds(&self) -> Bounds {
        Bounds::of(self.strategy, self.replicas())
    }

    /// Looks for the ReplicaSet made from the Deployment's template: the oldest where there are several.
    /// Templates are compared as written, the API server's defaulting left out (`EqualIgnoreHash`).
    fn find_new(&mut self) {
        let template = &self.deployment.spec.template;
        let mut sets = self.sets.iter();
        self.new = sets.position(|set| set.revision.template == *template);
    }

    /// Indices of all ReplicaSets but the new one, oldest first.
    fn old_sets(&self) -> impl Iterator<Item = usize> + use<> {
        let new = self.new;
        (0..self.sets.len()).filter(move |i| Some(*i) != new)
    }

    /// Gives the new ReplicaSet the highest revision number, its `minReadySeconds`, and the Deployment that revision
    /// (`sync.go`, `getNewReplicaSet`, for one that exists).
    fn number_new(&mut self) {
        let Some(new) = self.new else { return };
        let revision = self.next_revision();
        let min_ready = Span::from_secs(i64::from(self.deployment.spec.min_ready_seconds));
        let set = &mut self.sets[new];
        if set.revision_number < revision {
            set.revision_number = revision;
            self.changed = true;
        }
        if set.min_ready != min_ready {
            set.min_ready = min_ready;
            self.changed = true;
        }
        let number = set.revision_number;
        let revision = Arc::clone(&set.revision);
        self.annotate_revision(number);
        self.note_found(&revision.replica_set);
    }

    /// One more than the highest revision of the old ReplicaSets.
    fn next_revision(&self) -> i64 {
        let old = self.old_sets().map(|i| self.sets[i].revision_number);
        old.max().unwrap_or(0) + 1
    }

    fn annotate_revision(&mut self, number: i64) {
        let number = number.to_string();
        let annotations = &mut self.deployment.metadata.annotations;
        if annotations.get(REVISION_ANNOTATION) != Some(&number) {
            annotations.insert(REVISION_ANNOTATION.to_owned(), number);
            self.changed = true;
        }
    }

    /// Makes the new ReplicaSet where there is none, at the size the strategy allows (`sync.go`, `getNewReplicaSet`).
    fn ensure_new(&mut self) -> usize {
        if let Some(new) = self.new {
            return new;
        }
        let deployment = &*self.deployment;
        let template = &deployment.spec.template;
        let template_hash = (0..)
            .map(|collisions| names::template_hash(template, collisions))
            .find(|hash| self.sets.iter().all(|s| s.revision.template_hash != *hash))
            .expect("more hashes than ReplicaSets");
        let revision = Arc::new(Revision::new(
            &deployment.metadata.namespace,
            &deployment.metadata.name,
            template.clone(),
            template_hash,
        ));
        let (replicas, bounds) = (self.replicas(), self.bounds());
        let size = match self.strategy {
            Strategy::Recreate => replicas,
            Strategy::RollingUpdate { .. } => bounds.grown(0, replicas, self.total()),
        };
        let revision_number = self.next_revision();
        let set = ReplicaSet {
            revision: Arc::clone(&revision),
            created: api_time(self.now),
            replicas: size,
            min_ready: Span::from_secs(i64::from(deployment.spec.min_ready_seconds)),
            revision_number,
            desired_annotation: replicas,
            max_annotation: replicas + bounds.surge,
            status: ReplicaSetStatus::default(),
        };
        let place = self.sets.partition_point(|s| {
            (s.created, &s.revision.replica_set) <= (set.created, &revision.replica_set)
        });
        self.sets.insert(place, set);
        self.new = Some(place);
        self.changed = true;
        self.note_created(&revision.replica_set);
        self.sizes.push(SizeChange {
            revision,
            from: None,
            to: Some(size),
        });
        self.annotate_revision(revision_number);
        place
    }

    /// Sum of all ReplicaSets' `spec.replicas`.
    fn total(&self) -> i32 {
        self.sets.iter().map(|s| s.replicas).sum()
    }

    /// Sum of all ReplicaSets' available pods.
    fn available(&self) -> i32 {
        self.sets.iter().map(|s| s.status.available).sum()
    }

    /// Sets a ReplicaSet's size, and with it the two annotations. Says whether the size changed
    /// (`sync.go`, `scaleReplicaSet`).
    fn resize(&mut self, index: usize, size: i32) -> bool {
        let from = self.sets[index].replicas;
        if from == size {
            return false;
        }
        self.annotate_size(index);
        let set = &mut self.sets[index];
        set.replicas = size;
        self.sizes.push(SizeChange {
            revision: Arc::clone(&set.revision),
            from: Some(from),
            to: Some(size),
        });
        self.changed = true;
        true
    }

    fn annotate_size(&mut self, index: usize) {
        let desired = self.replicas();
        let max = desired + self.bounds().surge;
        let set = &mut self.sets[index];
        if (set.desired_annotation, set.max_annotation) != (desired, max) {
            set.desired_annotation = desired;
            set.max_annotation = max;
            self.changed = true;
        }
    }
}

/// How far a rolling update may go above and below `spec.replicas`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Pods above.
    pub surge: i32,
    /// Pods below.
    pub unavailable: i32,
}

impl Bounds {
    /// `util/deployment_util.go`, `MaxSurge`, `MaxUnavailable`, `ResolveFenceposts`.
    pub fn of(strategy: Strategy, replicas: i32) -> Self {
        let Strategy::RollingUpdate {
            max_surge,
            max_unavailable,
        } = strategy
        else {
            return Bounds {
                surge: 0,
                unavailable: 0,
            };
        };
        // What the API server would refuse is cut to what it would take; `replicas + surge` stays within an i32.
        let surge = max_surge.of_rounded_up(replicas);
        let surge = surge.clamp(0, i32::MAX - replicas);
        let mut unavailable = max_unavailable.of_rounded_down(replicas).max(0);
        if surge == 0 && unavailable == 0 {
            // With neither, no pod could ever be replaced.
            unavailable = 1;
        }
        Bounds {
            surge,
            unavailable: unavailable.min(replicas),
        }
    }

    /// The size to which a ReplicaSet of `size` may grow, where all together have `total` pods
    /// (`util/deployment_util.go`, `NewRSNewReplicas`).
    fn grown(self, size: i32, replicas: i32, total: i32) -> i32 {
        let room = replicas + self.surge - total;
        if room <= 0 {
            return size;
        }
        size + room.min(replicas - size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_round_surge_up_and_unavailability_down() {
        use crate::k8s::IntOrPercent::{Int, Percent};
        for (max_surge, max_unavailable, replicas, surge, unavailable) in [
            (Percent(25), Percent(25), 1, 1, 0),
            (Percent(25), Percent(25), 2, 1, 0),
            (Percent(25), Percent(25), 3, 1, 0),
            (Percent(25), Percent(25), 4, 1, 1),
            (Percent(25), Percent(25), 5, 2, 1),
            (Percent(25), Percent(25), 10, 3, 2),
            (Int(0), Int(0), 5, 0, 1),
            (Int(0), Percent(10), 5, 0, 1),
            (Int(3), Int(9), 5, 3, 5),
            (Int(3), Int(1), 0, 3, 0),
        ] {
            let strategy = Strategy::RollingUpdate {
                max_surge,
                max_unavailable,
            };
            let bounds = Bounds { surge, unavailable };
            assert_eq!(
                Bounds::of(strategy, replicas),
                bounds,
                "{strategy:?} {replicas}"
            );
        }
    }
}
