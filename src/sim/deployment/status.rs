//! The Deployment's status: counts, and the conditions Available and Progressing.
//!
//! Follows `pkg/controller/deployment/progress.go`, `sync.go` (`calculateStatus`, `checkPausedConditions`) and
//! `util/deployment_util.go` (`DeploymentComplete`, `DeploymentProgressing`, `DeploymentTimedOut`) of Kubernetes v1.36.3.
//! Left out: ReplicaFailure, which only API errors bring about.

use super::Sync;
use crate::k8s::{Condition, Deployment, DeploymentStatus, api_time};
use crate::time::{Span, Timestamp};

/// `spec.progressDeadlineSeconds` where it is absent.
const DEFAULT_DEADLINE_SECONDS: i32 = 600;
/// The deadline that means none.
const NO_DEADLINE: i32 = i32::MAX;

const AVAILABLE: &str = "Available";
const PROGRESSING: &str = "Progressing";

const REASON_COMPLETE: &str = "NewReplicaSetAvailable";
const REASON_CREATED: &str = "NewReplicaSetCreated";
const REASON_FOUND: &str = "FoundNewReplicaSet";
const REASON_PAUSED: &str = "DeploymentPaused";
const REASON_RESUMED: &str = "DeploymentResumed";
const REASON_TIMED_OUT: &str = "ProgressDeadlineExceeded";
const REASON_UPDATED: &str = "ReplicaSetUpdated";

impl Sync<'_> {
    /// Pausing and resuming show in Progressing, unless the deadline has passed (`checkPausedConditions`).
    pub(super) fn note_pause(&mut self) {
        let Some(paused) = self.pause_to_note() else {
            return;
        };
        let (reason, message) = if paused {
            (REASON_PAUSED, "Deployment is paused")
        } else {
            (REASON_RESUMED, "Deployment is resumed")
        };
        self.set_progressing("Unknown", reason, message.to_owned());
    }

    fn pause_to_note(&self) -> Option<bool> {
        deadline(self.deployment)?;
        let reason = progressing(&self.deployment.status).map(|c| c.reason.as_str());
        let paused = self.deployment.spec.paused;
        let noted = reason == Some(REASON_PAUSED);
        (reason != Some(REASON_TIMED_OUT) && paused != noted).then_some(paused)
    }

    /// A ReplicaSet was made for the template.
    pub(super) fn note_created(&mut self, replica_set: &str) {
        if deadline(self.deployment).is_some() {
            let message = format!("Created new replica set \"{replica_set}\"");
            self.set_progressing("True", REASON_CREATED, message);
        }
    }

    /// There is a ReplicaSet for the template, and no Progressing condition yet.
    pub(super) fn note_found(&mut self, replica_set: &str) {
        if deadline(self.deployment).is_some() && progressing(&self.deployment.status).is_none() {
            let message = format!("Found new replica set \"{replica_set}\"");
            self.set_progressing("True", REASON_FOUND, message);
        }
    }

    fn set_progressing(&mut self, status: &str, reason: &str, message: String) {
        self.set_condition(PROGRESSING, status, reason, || message);
    }

    /// `cleanupDeployment` runs once the stored status says that the rollout is complete.
    pub(super) fn cut_history_if_complete(&mut self) {
        if is_complete(self.deployment, &self.deployment.status) {
            self.cut_history();
        }
    }

    /// Writes the counts and Available; Progressing stays as it is (`syncDeploymentStatus`).
    pub(super) fn write_status(&mut self) {
        let counts = self.counts();
        self.write_available(&counts);
        self.store(counts);
    }

    /// Writes counts and both conditions (`syncRolloutStatus`).
    pub(super) fn write_rollout_status(&mut self) {
        let counts = self.counts();
        self.write_available(&counts);
        let stored = &self.deployment.status;
        let reason = progressing(stored).map(|c| c.reason.as_str());
        let was_complete =
            counts.replicas == counts.updated_replicas && reason == Some(REASON_COMPLETE);
        if deadline(self.deployment).is_none() {
            self.drop_progressing();
        } else if !was_complete {
            if is_complete(self.deployment, &counts) {
                let message = format!("{} has successfully progressed.", self.subject());
                self.set_progressing("True", REASON_COMPLETE, message);
            } else if has_progressed(stored, &counts) {
                let message = format!("{} is progressing.", self.subject());
                let condition = self.condition(PROGRESSING, "True", REASON_UPDATED, message);
                self.changed |= refresh_condition(&mut self.deployment.status, condition);
            } else if is_timed_out(self.deployment, self.now) {
                let message = format!("{} has timed out progressing.", self.subject());
                self.set_progressing("False", REASON_TIMED_OUT, message);
            }
        }
        self.store(counts);
    }

    /// What the ReplicaSets count, without conditions.
    fn counts(&self) -> DeploymentStatus {
        let sum = |count: fn(&super::ReplicaSet) -> i32| self.sets.iter().map(count).sum::<i32>();
        let updated = self.new.map(|new| self.sets[new].status.replicas);
        let available = self.available();
        DeploymentStatus {
            observed_generation: self.deployment.metadata.generation,
            replicas: sum(|s| s.status.replicas),
            updated_replicas: updated.unwrap_or(0),
            ready_replicas: sum(|s| s.status.ready),
            available_replicas: available,
            unavailable_replicas: (self.total() - available).max(0),
            terminating_replicas: Some(sum(|s| s.status.terminating)),
            conditions: Vec::new(),
        }
    }

    fn write_available(&mut self, counts: &DeploymentStatus) {
        let least = self.replicas() - self.bounds().unavailable;
        let (value, reason, message) = if counts.available_replicas >= least {
            (
                "True",
                "MinimumReplicasAvailable",
                "Deployment has minimum availability.",
            )
        } else {
            (
                "False",
                "MinimumReplicasUnavailable",
                "Deployment does not have minimum availability.",
            )
        };
        self.set_condition(AVAILABLE, value, reason, || message.to_owned());
    }

    fn drop_progressing(&mut self) {
        let conditions = &mut self.deployment.status.conditions;
        let before = conditions.len();
        conditions.retain(|c| c.kind != PROGRESSING);
        self.changed |= conditions.len() != before;
    }

    /// Writes counts; the conditions stay as they are.
    fn store(&mut self, counts: DeploymentStatus) {
        let stored = &mut self.deployment.status;
        let conditions = std::mem::take(&mut stored.conditions);
        self.changed |= *stored != counts;
        *stored = DeploymentStatus {
            conditions,
            ..counts
        };
    }

    /// What a message speaks of: the new ReplicaSet, or the Deployment while there is none.
    fn subject(&self) -> String {
        match self.new {
            Some(new) => format!("ReplicaSet \"{}\"", self.sets[new].revision.replica_set),
            None => format!("Deployment \"{}\"", self.deployment.metadata.name),
        }
    }

    /// `SetDeploymentCondition`: one of the same status and reason is left alone; a change moves it to the end of the list.
    fn set_condition(
        &mut self,
        kind: &str,
        status: &str,
        reason: &str,
        message: impl FnOnce() -> String,
    ) {
        let mut stored = self.deployment.status.conditions.iter();
        if stored.any(|c| c.kind == kind && c.status == status && c.reason == reason) {
            return;
        }
        let condition = self.condition(kind, status, reason, message());
        refresh_condition(&mut self.deployment.status, condition);
        self.changed = true;
    }

    fn condition(&self, kind: &str, status: &str, reason: &str, message: String) -> Condition {
        let now = Some(api_time(self.now));
        Condition {
            kind: kind.to_owned(),
            status: status.to_owned(),
            reason: reason.to_owned(),
            message,
            last_update_time: now,
            last_transition_time: now,
        }
    }
}

/// When the controller looks again whether the deadline has passed: a second after it, as `requeueStuckDeployment` does.
/// `None` where there is nothing to wait for.
pub(super) fn progress_checked_at(deployment: &Deployment) -> Option<Timestamp> {
    let deadline = deadline(deployment)?;
    let condition = progressing(&deployment.status)?;
    let waits = !deployment.spec.paused
        && condition.reason != REASON_COMPLETE
        && condition.reason != REASON_TIMED_OUT
        && !is_complete(deployment, &deployment.status);
    let last = condition.last_update_time?;
    waits.then_some(last + deadline + Span::from_secs(1))
}

fn deadline(deployment: &Deployment) -> Option<Span> {
    let seconds = deployment.spec.progress_deadline_seconds;
    match seconds.unwrap_or(DEFAULT_DEADLINE_SECONDS) {
        NO_DEADLINE => None,
        seconds => Some(Span::from_secs(i64::from(seconds))),
    }
}

fn progressing(status: &DeploymentStatus) -> Option<&Condition> {
    status.conditions.iter().find(|c| c.kind == PROGRESSING)
}

fn is_complete(deployment: &Deployment, status: &DeploymentStatus) -> bool {
    let replicas = deployment.spec.replicas.unwrap_or(1);
    status.updated_replicas == replicas
        && status.replicas == replicas
        && status.available_replicas == replicas
        && status.observed_generation >= deployment.metadata.generation
}

/// Progress is measured against the stored status, whatever made the numbers change: a lost pod's replacement counts.
fn has_progressed(stored: &DeploymentStatus, status: &DeploymentStatus) -> bool {
    let old = |s: &DeploymentStatus| s.replicas - s.updated_replicas;
    status.updated_replicas > stored.updated_replicas
        || old(status) < old(stored)
        || status.ready_replicas > stored.ready_replicas
        || status.available_replicas > stored.available_replicas
}

fn is_timed_out(deployment: &Deployment, now: Timestamp) -> bool {
    let progressing = progressing(&deployment.status);
    let (Some(deadline), Some(condition)) = (deadline(deployment), progressing) else {
        return false;
    };
    match condition.reason.as_str() {
        REASON_COMPLETE => false,
        REASON_TIMED_OUT => true,
        _ => condition
            .last_update_time
            .is_some_and(|last| last + deadline < now),
    }
}

/// Replaces a condition even where status and reason stay, so that `lastUpdateTime` moves; says whether anything changed.
fn refresh_condition(status: &mut DeploymentStatus, mut condition: Condition) -> bool {
    let place = status
        .conditions
        .iter()
        .position(|c| c.kind == condition.kind);
    let stored = place.map(|place| status.conditions.remove(place));
    if let Some(stored) = stored.as_ref().filter(|c| c.status == condition.status) {
        condition.last_transition_time = stored.last_transition_time;
    }
    let moved = place != Some(status.conditions.len());
    let changed = moved || stored.as_ref() != Some(&condition);
    status.conditions.push(condition);
    changed
}
