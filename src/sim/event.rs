//! What can happen on the simulated control plane.

use std::sync::Arc;

use super::ingress::Conditions;
use super::kubelets::Container;
use super::pods::PodId;

/// A control-plane event. Requests are none: between two of these the world is constant to them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// The scenario's zero: totals begin, unless a new revision is detected later.
    Zero,
    /// The scenario's n-th event is due.
    Scenario(usize),
    /// Flagger looks at its Canary, if this is still when its ticker says.
    Tick,
    /// Flagger's control loop starts another job for its Canary, whose interval has changed.
    ControlLoop,
    /// Prometheus scrapes the n-th ingress controller.
    Scrape(usize),
    /// Prometheus scrapes a pod.
    PodScrape(PodId),
    /// Prometheus scrapes the process beside the cluster.
    OwnScrape,
    /// Prometheus evaluates the n-th group of recording rules.
    Rules(usize),
    /// The Deployment controller looks at its Deployments.
    Deployments,
    /// The scheduler gets to a pod.
    PodScheduled(PodId),
    /// A kubelet looks for a pod's image.
    PodPulls(PodId),
    /// A pod's container starts, for the first time or again.
    ContainerStarts(PodId),
    /// A pod's readiness probe succeeded.
    PodReady(Container),
    /// A container ends: it crashes, is killed, or has shut down.
    ContainerExits(Container),
    /// Routers have learnt of a pod.
    PodServes(PodId),
    /// Routers have dropped a pod.
    PodDropped(PodId),
    /// A pod's object is removed.
    PodGone(PodId),
    /// An nginx worker has learnt of the canary Ingress' present weight.
    WorkerPoll {
        /// The worker.
        worker: u32,
        /// The weight that the controller had synced.
        weight: u32,
    },
    /// The Gateway goes by a generation of the HTTPRoute from now on.
    RouteProgrammed {
        /// The generation.
        generation: i64,
        /// The canary's share of the requests, in millionths.
        share: u32,
    },
    /// An nginx worker has learnt of the canary Ingress' present conditions.
    WorkerConditions {
        /// The worker.
        worker: u32,
        /// The conditions that the controller had synced.
        conditions: Arc<Conditions>,
    },
    /// The scenario's n-th fault begins or ends.
    Fault(usize),
    /// Pods that change with their age are looked at.
    Pace,
    /// metrics-server asks the kubelets.
    MetricsServer,
    /// The pipeline's Kustomization applies the n-th commit.
    CommitApplied(usize),
    /// The pipeline's Kustomization applies everything again.
    Reapply,
    /// Flagger looks for the n-th time whether a Canary that is being deleted may go.
    Terminate(u32),
    /// The HPA controller looks at the n-th HPA.
    Hpa(usize),
}
