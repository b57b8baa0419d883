//! One step of a rollout: the new ReplicaSet grows, the old ones shrink.
//!
//! Follows `pkg/controller/deployment/rolling.go` and `recreate.go` of Kubernetes v1.36.3.

use super::Sync;

impl Sync<'_> {
    /// `rolling.go`, `rolloutRolling`.
    pub(super) fn roll(&mut self) {
        let new = self.ensure_new();
        if self.grow_new(new) || self.shrink_old(new) {
            return self.write_rollout_status();
        }
        self.cut_history_if_complete();
        self.write_rollout_status();
    }

    /// `recreate.go`, `rolloutRecreate`.
    pub(super) fn recreate(&mut self) {
        let old: Vec<usize> = self.old_sets().collect();
        let mut shrunk = false;
        for index in &old {
            shrunk |= self.resize(*index, 0);
        }
        if shrunk || self.old_pods_exist(&old) {
            return self.write_rollout_status();
        }
        let new = self.ensure_new();
        let replicas = self.replicas();
        self.resize(new, replicas);
        self.cut_history_if_complete();
        self.write_rollout_status();
    }

    /// `reconcileNewReplicaSet`.
    fn grow_new(&mut self, new: usize) -> bool {
        let (replicas, size) = (self.replicas(), self.sets[new].replicas);
        let size = if size > replicas {
            replicas
        } else {
            self.bounds().grown(size, replicas, self.total())
        };
        self.resize(new, size)
    }

    /// `reconcileOldReplicaSets`: first what is not available, then as much as availability allows.
    fn shrink_old(&mut self, new: usize) -> bool {
        let old: Vec<usize> = self.old_sets().collect();
        let old_total: i32 = old.iter().map(|i| self.sets[*i].replicas).sum();
        if old_total == 0 {
            return false;
        }
        let least_available = self.replicas() - self.bounds().unavailable;
        let new_set = &self.sets[new];
        let new_unavailable = new_set.replicas - new_set.status.available;
        let budget = self.total() - least_available - new_unavailable;
        if budget <= 0 {
            return false;
        }
        let Some(cleaned) = self.clean_unhealthy(&old, budget) else {
            return false;
        };
        let spare = self.available() - least_available;
        let mut left = spare;
        for index in &old {
            let size = self.sets[*index].replicas;
            let taken = size.min(left);
            if taken > 0 {
                self.resize(*index, size - taken);
                left -= taken;
            }
        }
        cleaned || left < spare
    }

    /// `cleanupUnhealthyReplicas`. `None` where a ReplicaSet reports more available pods than it wants, as one does
    /// that was shrunk a moment ago: upstream takes that for an error and leaves the old ReplicaSets for this sync.
    fn clean_unhealthy(&mut self, old: &[usize], budget: i32) -> Option<bool> {
        let mut left = budget;
        for index in old {
            if left <= 0 {
                break;
            }
            let set = &self.sets[*index];
            let size = set.replicas;
            let unhealthy = size - set.status.available;
            if size == 0 || unhealthy == 0 {
                continue;
            }
            let taken = left.min(unhealthy);
            if taken < 0 {
                return None;
            }
            self.resize(*index, size - taken);
            left -= taken;
        }
        Some(left < budget)
    }

    /// `oldPodsRunning`: terminating pods count until they are gone, finished ones do not.
    fn old_pods_exist(&self, old: &[usize]) -> bool {
        old.iter().any(|i| {
            let set = &self.sets[*i];
            let pods = &mut self.pods.of_revision(&set.revision);
            set.status.replicas > 0 || pods.any(|pod| !pod.is_finished())
        })
    }
}
