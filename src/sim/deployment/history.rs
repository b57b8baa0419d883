//! What becomes of old ReplicaSets: `revisionHistoryLimit` of them are kept.
//!
//! Follows `pkg/controller/deployment/sync.go`, `cleanupDeployment`, of Kubernetes v1.36.3.

use super::{SizeChange, Sync};

/// `spec.revisionHistoryLimit` where it is absent.
const DEFAULT_HISTORY_LIMIT: i32 = 10;

impl Sync<'_> {
    /// Deletes the ReplicaSets with the lowest revision numbers beyond the limit. One of them that still has pods is
    /// kept, and none is taken in its place.
    pub(super) fn cut_history(&mut self) {
        let limit = self.deployment.spec.revision_history_limit;
        let limit = limit.unwrap_or(DEFAULT_HISTORY_LIMIT).max(0) as usize;
        let mut old: Vec<usize> = self.old_sets().collect();
        let excess = old.len().saturating_sub(limit);
        old.sort_by_key(|i| self.sets[*i].revision_number);
        let mut cut: Vec<usize> = old[..excess]
            .iter()
            .copied()
            .filter(|i| self.sets[*i].replicas == 0 && self.sets[*i].status.replicas == 0)
            .collect();
        for index in &cut {
            self.sizes.push(SizeChange {
                revision: self.sets[*index].revision.clone(),
                from: Some(self.sets[*index].replicas),
                to: None,
            });
        }
        cut.sort_unstable();
        for index in cut.into_iter().rev() {
            self.sets.remove(index);
            self.changed = true;
        }
        self.find_new();
    }
}
