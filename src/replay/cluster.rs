//! The cluster of a replay: every Deployment is ready as soon as it is written.

use crate::engine::{Cluster, Object};
use crate::k8s::deployment::{Condition, DeploymentStatus};

/// Gives every Deployment the status of one that has rolled out.
pub(super) fn settle(cluster: &mut Cluster) {
    let deployments: Vec<_> = cluster
        .iter()
        .filter(|object| matches!(object, Object::Deployment(_)))
        .map(Object::reference)
        .collect();
    for reference in deployments {
        if let Some(Object::Deployment(deployment)) = cluster.get_mut(&reference) {
            let replicas = deployment.spec.replicas.unwrap_or(1);
            let condition = |kind: &str, reason: &str| Condition {
                kind: kind.to_owned(),
                status: "True".to_owned(),
                reason: reason.to_owned(),
                ..Condition::default()
            };
            deployment.status = DeploymentStatus {
                observed_generation: deployment.metadata.generation,
                replicas,
                updated_replicas: replicas,
                ready_replicas: replicas,
                available_replicas: replicas,
                conditions: vec![
                    condition("Available", "MinimumReplicasAvailable"),
                    condition("Progressing", "NewReplicaSetAvailable"),
                ],
                ..DeploymentStatus::default()
            };
        }
    }
}
