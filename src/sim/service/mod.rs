//! The workload behind a pod: how long a request takes, whether it fails, and the pod's worker slots.
//!
//! A pod works on `concurrency` requests at once; the others wait in order of arrival and are never refused.
//! Since waiting is in order of arrival, the moment a request is done is known when it arrives (`slots`).
//! A pod that is taken out of service finishes what it has: nothing here aborts a request.
//! A pod with a CPU limit is slowed down as the kernel's quota does it, request after request (`quota`).
//! Left out: requests that slow each other down while they are worked on in other ways (processor sharing).

mod plan;
mod pods;
mod quota;
mod slots;

pub use plan::ServicePlan;
pub(crate) use pods::Pods;

use crate::sim::clock::Nanos;

/// Which Deployment a pod belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// What serves the promoted revision.
    Primary = 0,
    /// What serves the new one.
    Canary = 1,
}

/// A pod, as the request path sees it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PodSpec {
    /// Its Deployment.
    pub side: Side,
    /// Which of the plan's versions it runs.
    pub version: usize,
    /// Share of requests that its template makes fail (`FAIL_RATE`). The version's own failures come on top:
    /// a request succeeds if neither fails it.
    pub failure_rate: f64,
}

/// Names a pod of a run. Never given to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PodIx(pub(crate) u32);

/// What happens to a connection to a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// It is made.
    Open,
    /// It is refused: the pod is killed.
    Refused,
    /// Nothing comes back.
    Silent,
}

/// How much longer than its version's a pod's service times are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slowdown {
    /// Times are multiplied by this.
    pub factor: f64,
    /// And this comes on top.
    pub added: Nanos,
}

impl Slowdown {
    /// None.
    pub const NONE: Slowdown = Slowdown {
        factor: 1.0,
        added: 0,
    };
}
