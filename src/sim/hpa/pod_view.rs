//! Pods as the HPA controller sees them.

use std::sync::Arc;

use crate::sim::pods::requests::PodRequests;
use crate::sim::pods::{Pod, PodPhase, ReadyCondition};
use crate::time::Timestamp;

/// A pod that the target's selector matches.
#[derive(Clone, Debug, PartialEq)]
pub struct PodView {
    /// Name.
    pub name: Arc<str>,
    /// `status.phase`.
    pub phase: PodPhase,
    /// Whether it was deleted and is still there.
    pub terminating: bool,
    /// `status.startTime`.
    pub start_time: Option<Timestamp>,
    /// The condition Ready.
    pub ready: Option<ReadyCondition>,
    /// What it requests.
    pub requests: Arc<PodRequests>,
}

impl PodView {
    /// A pod as it is.
    pub fn of(pod: &Pod) -> Self {
        PodView {
            name: pod.name.clone(),
            phase: pod.phase,
            terminating: pod.is_terminating(),
            start_time: pod.start_time,
            ready: pod.ready,
            requests: Arc::clone(&pod.revision.requests),
        }
    }
}
