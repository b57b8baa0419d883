//! Back-off: how long the kubelet and the scheduler wait before they try again.
//!
//! Follows `k8s.io/client-go/util/flowcontrol/backoff.go` and its callers in `pkg/kubelet/kuberuntime` (`doBackOff`) and
//! `pkg/kubelet/images/image_manager.go`, and `pkg/scheduler/backend/queue/backoff_queue.go`, of Kubernetes v1.36. Left
//! out: that the kubelet comes round to a pod only at its next sync, up to 15 s after a back-off has ended; the caller
//! adds that.

use crate::time::{Span, Timestamp};

/// The back-off of one container, or of one image for one pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    initial: Span,
    max: Span,
    entry: Option<Entry>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    delay: Span,
    updated: Timestamp,
}

impl Backoff {
    /// The kubelet's, for restarts and image pulls: 10 s doubling to 5 minutes.
    pub const fn kubelet() -> Self {
        Backoff::new(Span::from_secs(10), Span::from_secs(300))
    }

    /// Starts at `initial` and doubles to `max`.
    pub const fn new(initial: Span, max: Span) -> Self {
        let entry = None;
        Backoff {
            initial,
            max,
            entry,
        }
    }

    /// When a container that exited at `exited` may start again: at once the first time, then later and later.
    pub fn restart_at(&self, exited: Timestamp) -> Timestamp {
        match self.entry {
            Some(entry) if !self.is_forgotten(entry, exited) => exited + entry.delay,
            _ => exited,
        }
    }

    /// The container that exited at `exited` was started again.
    pub fn restarted(&mut self, exited: Timestamp, now: Timestamp) {
        self.advance(exited, now);
    }

    /// A pull failed. Says when to try again: the first failure waits, too.
    pub fn pull_failed(&mut self, now: Timestamp) -> Timestamp {
        now + self.advance(now, now)
    }

    fn advance(&mut self, event: Timestamp, now: Timestamp) -> Span {
        let delay = match self.entry {
            Some(entry) if !self.is_forgotten(entry, event) => (entry.delay * 2).min(self.max),
            _ => self.initial,
        };
        let updated = now;
        self.entry = Some(Entry { delay, updated });
        delay
    }

    /// After twice the longest delay without trouble it starts over.
    fn is_forgotten(&self, entry: Entry, event: Timestamp) -> bool {
        event - entry.updated > self.max * 2
    }
}

/// How long a pod that fitted nowhere waits before its next scheduling attempt: 1 s doubling to 10 s. An event that
/// might help, a pod gone for one, does not cut it short.
pub fn scheduling_delay(attempts: u32) -> Span {
    const MAX_SECONDS: i64 = 10;
    let doublings = attempts.saturating_sub(1).min(4);
    Span::from_secs((1 << doublings).min(MAX_SECONDS))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delays_of_restarts(runs_for: Span, restarts: usize) -> Vec<i64> {
        let mut backoff = Backoff::kubelet();
        let mut exited = Timestamp::from_secs(1000);
        (0..restarts)
            .map(|_| {
                let restart = backoff.restart_at(exited);
                backoff.restarted(exited, restart);
                let delay = restart - exited;
                exited = restart + runs_for;
                delay.as_millis() / 1000
            })
            .collect()
    }

    #[test]
    fn the_first_restart_is_immediate_and_the_delays_double_to_five_minutes() {
        assert_eq!(
            delays_of_restarts(Span::from_secs(1), 9),
            [0, 10, 20, 40, 80, 160, 300, 300, 300]
        );
    }

    #[test]
    fn a_container_that_ran_for_more_than_ten_minutes_starts_over() {
        assert_eq!(delays_of_restarts(Span::from_secs(601), 3), [0, 0, 0]);
        assert_eq!(delays_of_restarts(Span::from_secs(600), 3), [0, 10, 20]);
    }

    #[test]
    fn a_failed_pull_waits_from_the_first_time_on() {
        let mut backoff = Backoff::kubelet();
        let mut now = Timestamp::ZERO;
        let waits = (0..7).map(|_| {
            let next = backoff.pull_failed(now);
            let wait = (next - now).as_millis() / 1000;
            now = next;
            wait
        });
        assert_eq!(waits.collect::<Vec<_>>(), [10, 20, 40, 80, 160, 300, 300]);
    }

    #[test]
    fn unschedulable_pods_are_tried_again_after_one_to_ten_seconds() {
        let delays: Vec<Span> = (1..=6).map(scheduling_delay).collect();
        assert_eq!(delays, [1, 2, 4, 8, 10, 10].map(Span::from_secs));
    }
}
