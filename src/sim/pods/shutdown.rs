//! A pod's end: from its deletion to SIGTERM, to the exit of its container, to the removal of its object.
//!
//! Follows `killContainer` in `pkg/kubelet/kuberuntime/kuberuntime_container.go` of Kubernetes v1.36. Left out: several
//! containers and the order in which sidecars stop. How long the data planes go on sending requests is not the pod's.

use serde_json::Value;

use crate::k8s::PodTemplate;
use crate::time::{Span, Timestamp};

/// How a pod ends, durations drawn by the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shutdown {
    /// `terminationGracePeriodSeconds`.
    pub grace: Span,
    /// How long the preStop hook runs; within the grace period.
    pub pre_stop: Span,
    /// From the deletion until the kubelet acts.
    pub notice: Span,
    /// From SIGTERM until the process has exited of its own.
    pub exit: Span,
    /// From the exit until the object is gone.
    pub cleanup: Span,
}

/// When it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShutdownTimes {
    /// The process gets SIGTERM.
    pub sigterm: Timestamp,
    /// The container has stopped: requests in flight are lost.
    pub stopped: Timestamp,
    /// It had to be killed.
    pub killed: bool,
    /// The object is gone.
    pub gone: Timestamp,
}

impl Shutdown {
    /// `terminationGracePeriodSeconds` where it is absent.
    pub const DEFAULT_GRACE: Span = Span::from_secs(30);
    /// What is left for a container whose preStop hook has used the grace period up (`minimumGracePeriodInSeconds`).
    const LEAST_AFTER_PRE_STOP: Span = Span::from_secs(2);

    /// Grace period and preStop sleep as the template has them; the durations that it does not tell are zero.
    pub fn of_template(template: &PodTemplate) -> Self {
        let spec = &template.json()["spec"];
        let seconds = |value: &Value| {
            let seconds = i32::try_from(value.as_i64()?).ok()?;
            Some(Span::from_secs(i64::from(seconds.max(0))))
        };
        let sleep = spec.pointer("/containers/0/lifecycle/preStop/sleep/seconds");
        let grace = seconds(&spec["terminationGracePeriodSeconds"]);
        Shutdown {
            grace: grace.unwrap_or(Self::DEFAULT_GRACE),
            pre_stop: sleep.and_then(seconds).unwrap_or(Span::ZERO),
            notice: Span::ZERO,
            exit: Span::ZERO,
            cleanup: Span::ZERO,
        }
    }

    /// The course of a pod that was deleted at `deleted`.
    pub fn times(&self, deleted: Timestamp) -> ShutdownTimes {
        let sigterm = deleted + self.notice + self.pre_stop.min(self.grace);
        let left = (self.grace - self.pre_stop).max(Self::LEAST_AFTER_PRE_STOP);
        let stopped = sigterm + self.exit.min(left);
        ShutdownTimes {
            sigterm,
            stopped,
            killed: self.exit > left,
            gone: stopped + self.cleanup,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn pre_stop_counts_against_the_grace_period_and_two_seconds_are_left_at_least() {
        // Grace, preStop, exit; SIGTERM, stopped, killed.
        for (grace, pre_stop, exit, sigterm, stopped, killed) in [
            (30, 0, 1, 0, 1, false),
            (30, 10, 5, 10, 15, false),
            (30, 10, 25, 10, 30, true),
            (30, 60, 1, 30, 31, false),
            (30, 60, 5, 30, 32, true),
        ] {
            let shutdown = Shutdown {
                grace: Span::from_secs(grace),
                pre_stop: Span::from_secs(pre_stop),
                notice: Span::ZERO,
                exit: Span::from_secs(exit),
                cleanup: Span::from_secs(1),
            };
            let expected = ShutdownTimes {
                sigterm: Timestamp::from_secs(sigterm),
                stopped: Timestamp::from_secs(stopped),
                killed,
                gone: Timestamp::from_secs(stopped + 1),
            };
            assert_eq!(shutdown.times(Timestamp::ZERO), expected, "{shutdown:?}");
        }
    }

    #[test]
    fn grace_and_pre_stop_sleep_are_read_from_the_template() {
        let template = PodTemplate::from(json!({ "spec": {
            "terminationGracePeriodSeconds": 5,
            "containers": [{ "lifecycle": { "preStop": { "sleep": { "seconds": 3 } } } }],
        }}));
        let shutdown = Shutdown::of_template(&template);
        assert_eq!(shutdown.grace, Span::from_secs(5));
        assert_eq!(shutdown.pre_stop, Span::from_secs(3));
        let silent = Shutdown::of_template(&PodTemplate::default());
        assert_eq!(silent.grace, Shutdown::DEFAULT_GRACE);
    }
}
