//! Whether a Deployment's rollout has finished, and whether waiting for it still makes sense.
//!
//! Follows `isDeploymentReady` in `pkg/canary/deployment_ready.go`. A Deployment without replicas is ready.

use crate::k8s::{Condition, Deployment};
use crate::time::{Span, Timestamp};

/// A Deployment that is not ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotReady {
    /// Why, in Flagger's words.
    pub reason: String,
    /// Whether waiting may help; if not, the rollout ends.
    pub retriable: bool,
}

/// Holds a Deployment's status against its spec. `deadline_seconds` is the Canary's progress deadline, `threshold`
/// the percentage of updated pods that must be available.
pub fn check(
    deployment: &Deployment,
    deadline_seconds: i64,
    threshold: i64,
    now: Timestamp,
) -> Result<(), NotReady> {
    let status = &deployment.status;
    if deployment.metadata.generation > status.observed_generation {
        return Err(NotReady {
            reason: "waiting for rollout to finish: observed deployment generation less than desired generation"
                .to_owned(),
            retriable: true,
        });
    }
    let condition = |kind: &str| status.conditions.iter().find(|c| c.kind == kind);
    let progressing = condition("Progressing");
    if progressing.is_some_and(|c| c.reason == "ProgressDeadlineExceeded") {
        return Err(NotReady {
            reason: format!(
                "deployment {:?} exceeded its progress deadline",
                deployment.metadata.name
            ),
            retriable: false,
        });
    }
    // Without a Progressing condition Flagger does not look at the Available one.
    let retriable =
        progressing.is_none() || within_deadline(condition("Available"), deadline_seconds, now);

    let needed = available_needed(status.updated_replicas, threshold);
    let reason = match deployment.spec.replicas {
        Some(wanted) if status.updated_replicas < wanted => format!(
            "{} out of {wanted} new replicas have been updated",
            status.updated_replicas
        ),
        _ if status.replicas > status.updated_replicas => format!(
            "{} old replicas are pending termination",
            status.replicas - status.updated_replicas
        ),
        _ if status.available_replicas < needed => format!(
            "{} of {needed} (readyThreshold {threshold}%) updated replicas are available",
            status.available_replicas
        ),
        _ => return Ok(()),
    };
    Err(NotReady {
        reason: format!("waiting for rollout to finish: {reason}"),
        retriable,
    })
}

/// False once the Deployment has been below its minimum of available pods for longer than the deadline.
fn within_deadline(available: Option<&Condition>, deadline_seconds: i64, now: Timestamp) -> bool {
    match available {
        Some(c) if c.status == "False" && c.reason == "MinimumReplicasUnavailable" => {
            // A condition without a time counts from Go's zero time, which is long past.
            c.last_update_time
                .is_some_and(|since| now <= since + Span::from_secs(deadline_seconds))
        }
        _ => true,
    }
}

/// The share of updated pods that must be available, cut to whole pods, in single precision as Flagger computes it.
fn available_needed(updated_replicas: i32, threshold: i64) -> i32 {
    let ratio = threshold as f32 / 100.0;
    (updated_replicas as f32 * ratio) as i32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::k8s::{DeploymentSpec, DeploymentStatus, ObjectMeta};

    const NOW: Timestamp = Timestamp::from_secs(1000);

    fn deployment(wanted: i32, replicas: i32, updated: i32, available: i32) -> Deployment {
        Deployment {
            metadata: ObjectMeta {
                name: "podinfo".to_owned(),
                generation: 3,
                ..ObjectMeta::default()
            },
            spec: DeploymentSpec {
                replicas: Some(wanted),
                ..DeploymentSpec::default()
            },
            status: DeploymentStatus {
                observed_generation: 3,
                replicas,
                updated_replicas: updated,
                available_replicas: available,
                ..DeploymentStatus::default()
            },
        }
    }

    fn condition(kind: &str, status: &str, reason: &str, age_seconds: i64) -> Condition {
        Condition {
            kind: kind.to_owned(),
            status: status.to_owned(),
            reason: reason.to_owned(),
            last_update_time: Some(NOW - Span::from_secs(age_seconds)),
            ..Condition::default()
        }
    }

    fn verdict(deployment: &Deployment, threshold: i64) -> Result<(), String> {
        check(deployment, 60, threshold, NOW).map_err(|e| e.reason)
    }

    #[test]
    fn replicas_are_tested_in_flaggers_order() {
        for (counts, threshold, reason) in [
            ((2, 2, 2, 2), 100, ""),
            ((0, 0, 0, 0), 100, ""),
            (
                (2, 2, 1, 2),
                100,
                "1 out of 2 new replicas have been updated",
            ),
            ((2, 3, 2, 2), 100, "1 old replicas are pending termination"),
            (
                (2, 2, 2, 1),
                100,
                "1 of 2 (readyThreshold 100%) updated replicas are available",
            ),
            ((2, 2, 2, 1), 50, ""),
            ((3, 3, 3, 1), 50, ""),
            (
                (3, 3, 3, 0),
                50,
                "0 of 1 (readyThreshold 50%) updated replicas are available",
            ),
            ((2, 2, 2, 0), 0, ""),
            (
                (2, 2, 2, 2),
                150,
                "2 of 3 (readyThreshold 150%) updated replicas are available",
            ),
        ] {
            let (wanted, replicas, updated, available) = counts;
            let expected = match reason {
                "" => Ok(()),
                reason => Err(format!("waiting for rollout to finish: {reason}")),
            };
            let found = verdict(&deployment(wanted, replicas, updated, available), threshold);
            assert_eq!(found, expected, "{counts:?} at {threshold}");
        }
    }

    #[test]
    fn an_unobserved_generation_hides_everything_else() {
        let mut d = deployment(2, 2, 2, 2);
        d.status.observed_generation = 2;
        d.status.conditions = vec![condition(
            "Progressing",
            "False",
            "ProgressDeadlineExceeded",
            0,
        )];
        let found = check(&d, 60, 100, NOW).unwrap_err();
        assert!(found.retriable);
        assert!(found.reason.contains("observed deployment generation"));
    }

    #[test]
    fn the_deployments_own_deadline_is_final_even_when_all_pods_are_there() {
        let mut d = deployment(2, 2, 2, 2);
        d.status.conditions = vec![condition(
            "Progressing",
            "False",
            "ProgressDeadlineExceeded",
            0,
        )];
        let found = check(&d, 60, 100, NOW).unwrap_err();
        assert!(!found.retriable);
        assert_eq!(
            found.reason,
            "deployment \"podinfo\" exceeded its progress deadline"
        );
    }

    #[test]
    fn the_canarys_deadline_counts_from_the_last_update_and_needs_a_progressing_condition() {
        for (age, progressing, retriable) in
            [(60, true, true), (61, true, false), (61, false, true)]
        {
            let mut d = deployment(2, 2, 2, 0);
            d.status.conditions = vec![condition(
                "Available",
                "False",
                "MinimumReplicasUnavailable",
                age,
            )];
            if progressing {
                let c = condition("Progressing", "True", "ReplicaSetUpdated", 0);
                d.status.conditions.push(c);
            }
            let found = check(&d, 60, 100, NOW).unwrap_err();
            assert_eq!(found.retriable, retriable, "{age} s, {progressing}");
        }
    }
}
