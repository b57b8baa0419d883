//! A CPU limit, as the kernel's bandwidth control enforces it.
//!
//! A container may use so much CPU time in every period of 100 ms (the kubelet's `cpuCFSQuotaPeriod`); what it needs beyond
//! waits for the next period (`Documentation/scheduler/sched-bwc.rst`, Linux). Here the periods have no fixed bounds: CPU time
//! flows at the limit's rate, and what was not used of the last 100 ms may be used at once. A request holds its slot until
//! its CPU time has been granted, in the order in which requests begin.

use crate::sim::clock::{MILLISECOND, Tick};

/// `cpuCFSQuotaPeriod`.
const PERIOD: u64 = 100 * MILLISECOND as u64;

/// A container's CPU limit, and how far its CPU time is given out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quota {
    cores: f64,
    /// When all that has been asked for is granted, at the limit's rate.
    granted_at: Tick,
    /// CPU time asked for since the start, in nanoseconds.
    asked_ns: u64,
}

impl Quota {
    /// A limit of so many cores, nothing of it used.
    pub(super) fn new(cores: f64) -> Self {
        Quota {
            cores: cores.max(1e-3),
            granted_at: 0,
            asked_ns: 0,
        }
    }

    /// When a request that begins at `begun` and would be done at `done` really is, given the CPU time it takes.
    pub(super) fn done(&mut self, begun: Tick, done: Tick, cpu_ns: u64) -> Tick {
        let from = self.granted_at.max(begun - PERIOD);
        self.granted_at = from + (cpu_ns as f64 / self.cores) as u64;
        self.asked_ns += cpu_ns;
        done.max(self.granted_at)
    }

    /// CPU time used by `now`: what was asked for and is granted.
    pub(super) fn used_ns(&self, now: Tick) -> u64 {
        let owed = (self.granted_at.saturating_sub(now) as f64 * self.cores) as u64;
        self.asked_ns.saturating_sub(owed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::clock::{SECOND, tick};

    #[test]
    fn a_limit_is_the_throughput_that_is_left_once_a_period_is_used_up() {
        // 10 ms of CPU time each, half a core: 50 requests a second, and 5 at once after a rest.
        let mut quota = Quota::new(0.5);
        let (cpu, start) = (10 * MILLISECOND as u64, tick(10 * SECOND));
        let done: Vec<u64> = (0..105)
            .map(|_| quota.done(start, start + cpu, cpu) - start)
            .collect();
        assert_eq!(done[..5], [cpu; 5]);
        assert_eq!(done[104], 2 * SECOND as u64);
        assert_eq!(
            quota.used_ns(start + SECOND as u64),
            550 * MILLISECOND as u64
        );
    }
}
