//! `spec.replicas` changed, or the Deployment is paused: ReplicaSets are resized in proportion, without a rollout.
//!
//! Follows `pkg/controller/deployment/sync.go` (`scale`, `isScalingEvent`) and `util/deployment_util.go`
//! (`FindActiveOrLatest`, `IsSaturated`, `GetReplicaSetProportion`) of Kubernetes v1.36.3.

use super::Sync;
use crate::k8s::Strategy;

impl Sync<'_> {
    /// Whether some ReplicaSet with pods was last sized for another `spec.replicas`.
    pub(super) fn is_scaling_event(&self) -> bool {
        let replicas = self.replicas();
        self.sets
            .iter()
            .any(|set| set.replicas > 0 && set.desired_annotation != replicas)
    }

    /// Brings the ReplicaSets' sizes to `spec.replicas`.
    pub(super) fn scale(&mut self) {
        let replicas = self.replicas();
        let active: Vec<usize> = (0..self.sets.len())
            .filter(|i| self.sets[*i].replicas > 0)
            .collect();
        if let [] | [_] = active[..] {
            let newest = || self.new.or(self.sets.len().checked_sub(1));
            if let Some(only) = active.first().copied().or_else(newest) {
                self.resize(only, replicas);
            }
            return;
        }
        if self.is_saturated() {
            let new = self.new;
            for index in active.into_iter().filter(|i| Some(*i) != new) {
                self.resize(index, 0);
            }
            return;
        }
        if let Strategy::RollingUpdate { .. } = self.strategy {
            self.scale_in_proportion(active);
        }
    }

    /// Whether the new ReplicaSet has, and was meant to have, all pods, and all are available.
    fn is_saturated(&self) -> bool {
        let replicas = self.replicas();
        self.new.is_some_and(|new| {
            let set = &self.sets[new];
            set.replicas == replicas
                && set.desired_annotation == replicas
                && set.status.available == replicas
        })
    }

    fn scale_in_proportion(&mut self, mut active: Vec<usize>) {
        let replicas = self.replicas();
        let allowed = match replicas {
            0 => 0,
            n => n + self.bounds().surge,
        };
        let delta = allowed - self.total();
        // Larger ones first; of two equal ones the newer grows first and the older shrinks first.
        if delta > 0 {
            active.reverse();
        }
        if delta != 0 {
            active.sort_by_key(|i| std::cmp::Reverse(self.sets[*i].replicas));
        }
        let mut left = delta;
        let mut sizes = Vec::with_capacity(active.len());
        for index in &active {
            let share = match left {
                0 => 0,
                left if left > 0 => self.share(*index).min(left),
                left => self.share(*index).max(left),
            };
            left -= share;
            sizes.push(self.sets[*index].replicas + share);
        }
        // The first takes what rounding has left over.
        if delta != 0 {
            sizes[0] = (sizes[0] + left).max(0);
        }
        for (index, size) in active.into_iter().zip(sizes) {
            self.annotate_size(index);
            self.resize(index, size);
        }
    }

    /// By how much a ReplicaSet would grow if all kept their proportions (`getReplicaSetFraction`).
    fn share(&self, index: usize) -> i32 {
        let (set, replicas) = (&self.sets[index], self.replicas());
        if replicas == 0 {
            return -set.replicas;
        }
        let max_now = replicas + self.bounds().surge;
        let max_before = match set.max_annotation {
            0 => self.deployment.status.replicas,
            n => n,
        };
        if max_before == 0 {
            return 0;
        }
        let size = i64::from(set.replicas) * i64::from(max_now);
        (size as f64 / f64::from(max_before)).round() as i32 - set.replicas
    }
}
