//! The pods of a run: their settings, their slots, and what they have done.

use super::slots::{Row, Slots};
use super::{PodIx, PodSpec, ServicePlan, Side, Slowdown};
use crate::sim::clock::{Nanos, Tick, moment};
use crate::sim::ingress::Endpoint;
use crate::sim::sampling::{TableIx, round};

/// All pods of a run, those that are gone included.
#[derive(Clone, Debug)]
pub(crate) struct Pods {
    plan: ServicePlan,
    pods: Vec<Pod>,
    slots: Slots,
}

/// A pod.
#[derive(Clone, Copy, Debug)]
struct Pod {
    /// A request fails if its fault draw is below.
    fails_below: u64,
    /// Service time of a request that succeeds, and of one that fails.
    tables: [TableIx; 2],
    /// Its service times are multiplied by this...
    factor: f64,
    /// ...and this many nanoseconds longer.
    added: f64,
    row: Row,
    side: Side,
    version: u32,
    /// Killed: it answers nothing.
    dead: bool,
    /// Requests it was given.
    served: u64,
    /// Nanoseconds of work it was given, since `cpu_before` was set.
    work_ns: u64,
    /// CPU time it had used before.
    cpu_before_ns: u64,
}

impl Pod {
    /// Whether a request with this fault draw fails. Uses 63 bits of it, so that a rate of 1 fails all.
    #[inline(always)]
    fn fails(&self, draw: u64) -> bool {
        draw >> 1 < self.fails_below
    }
}

impl Pods {
    pub(crate) fn new(plan: ServicePlan) -> Self {
        Pods {
            plan,
            pods: Vec::new(),
            slots: Slots::default(),
        }
    }

    pub(crate) fn add(&mut self, spec: PodSpec) -> PodIx {
        let version = &self.plan.versions[spec.version];
        let pod = PodIx(self.pods.len() as u32);
        self.pods.push(Pod {
            fails_below: 0,
            tables: version.tables,
            factor: 1.0,
            added: 0.0,
            row: self.slots.add(version.concurrency),
            side: spec.side,
            version: spec.version as u32,
            dead: false,
            served: 0,
            work_ns: 0,
            cpu_before_ns: 0,
        });
        self.set_failure_rate(pod, spec.failure_rate);
        pod
    }

    pub(crate) fn set_failure_rate(&mut self, pod: PodIx, rate: f64) {
        let pod = &mut self.pods[pod.0 as usize];
        let base = self.plan.versions[pod.version as usize].base_failure_rate;
        let succeeds = (1.0 - base.clamp(0.0, 1.0)) * (1.0 - rate.clamp(0.0, 1.0));
        pod.fails_below = ((1.0 - succeeds) * (1u64 << 63) as f64) as u64;
    }

    /// Sets how much slower the pod is from `now` on.
    pub(crate) fn set_slowdown(&mut self, pod: PodIx, slowdown: Slowdown, now: Tick) {
        // The CPU time of a nanosecond of work changes: settle what has been used so far.
        let used = self.cpu_ns(pod, now);
        let pod = &mut self.pods[pod.0 as usize];
        pod.cpu_before_ns = used;
        pod.work_ns = self.slots.work_left(pod.row, now);
        // Bounded so that the product can still be rounded.
        pod.factor = slowdown.factor.clamp(0.0, 1000.0);
        pod.added = slowdown.added.clamp(0, 1 << 50) as f64;
    }

    pub(crate) fn kill(&mut self, pod: PodIx) {
        self.pods[pod.0 as usize].dead = true;
    }

    pub(crate) fn is_dead(&self, pod: PodIx) -> bool {
        self.get(pod).dead
    }

    /// Writes whether requests fail and how long they are worked on, given their pods and draws.
    pub(crate) fn work(
        &mut self,
        endpoints: &[Endpoint],
        service: &[u64],
        faults: &[u64],
        failed: &mut [bool],
        times: &mut [u64],
    ) {
        let pods = &mut self.pods[..];
        let draws = endpoints.iter().zip(service).zip(faults);
        let outcomes = failed.iter_mut().zip(times);
        for (((endpoint, service), fault), (failed, time)) in draws.zip(outcomes) {
            let pod = &mut pods[endpoint.pod.0 as usize];
            *failed = pod.fails(*fault);
            let table = pod.tables[usize::from(*failed)];
            *time = round(self.plan.tables.value(table, *service) * pod.factor + pod.added);
            pod.served += 1;
            pod.work_ns += *time;
        }
    }

    /// Turns service times into moments of completion: requests wait for a slot of their pod. Answers the longest latency.
    pub(crate) fn queue(
        &mut self,
        endpoints: &[Endpoint],
        arrivals: &[Tick],
        times: &mut [u64],
    ) -> u64 {
        let pods = &self.pods[..];
        let mut longest = 0;
        for ((endpoint, arrival), time) in endpoints.iter().zip(arrivals).zip(times) {
            let row = pods[endpoint.pod.0 as usize].row;
            *time = self.slots.serve(row, *arrival, *time);
            longest = longest.max(*time - *arrival);
        }
        longest
    }

    pub(crate) fn side(&self, pod: PodIx) -> Side {
        self.get(pod).side
    }

    pub(crate) fn served(&self, pod: PodIx) -> u64 {
        self.get(pod).served
    }

    /// CPU time used until `now`: a request uses its share evenly while it is worked on, a longer one more.
    pub(crate) fn cpu_ns(&self, pod: PodIx, now: Tick) -> u64 {
        let pod = self.get(pod);
        let version = &self.plan.versions[pod.version as usize];
        let mean_ns = version.mean_ns * pod.factor + pod.added;
        let per_work = version.cpu_per_request_ns as f64 / mean_ns.max(1.0);
        let done = pod.work_ns - self.slots.work_left(pod.row, now);
        pod.cpu_before_ns + (done as f64 * per_work) as u64
    }

    /// A pod's version, the share of its requests that fail, and the CPU time that one of them costs in the mean.
    pub(crate) fn in_the_mean(&self, pod: PodIx) -> (u32, f64, f64) {
        let pod = self.get(pod);
        let version = &self.plan.versions[pod.version as usize];
        let failure = pod.fails_below as f64 / (1u64 << 63) as f64;
        let mean = |table| self.plan.tables.mean(table);
        let failing = match pod.tables {
            [success, failed] if success == failed => version.mean_ns,
            [_, failed] => mean(failed),
        };
        let work = (1.0 - failure) * version.mean_ns + failure * failing;
        let cost = version.cpu_per_request_ns as f64 * work / version.mean_ns.max(1.0);
        (pod.version, failure, cost)
    }

    /// Worker slots that have work at `now`.
    pub(crate) fn busy(&self, pod: PodIx, now: Tick) -> u32 {
        self.slots.busy(self.get(pod).row, now)
    }

    /// When the last request given to the pod is done; `None` if there was none.
    pub(crate) fn idle_from(&self, pod: PodIx) -> Option<Nanos> {
        let last = self.slots.last(self.get(pod).row);
        (last > 0).then(|| moment(last))
    }

    fn get(&self, pod: PodIx) -> &Pod {
        &self.pods[pod.0 as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Distribution;
    use crate::scenario::PodCourse;
    use crate::scenario::Version;
    use std::collections::BTreeMap;

    #[test]
    fn failure_rates_combine_as_independent_causes_do() {
        let version = Version {
            service_time: Distribution::Constant { ns: 1 },
            failure_time: None,
            concurrency: 1,
            cpu_per_request_ns: 5,
            startup: Distribution::Constant { ns: 0 },
            base_failure_rate: 0.1,
            image: None,
            env: BTreeMap::new(),
            course: PodCourse::default(),
        };
        let mut pods = Pods::new(ServicePlan::new([&version]));
        for (failure_rate, expected) in [(0.0, 0.1), (0.5, 0.55), (1.0, 1.0), (7.0, 1.0)] {
            let pod = pods.add(PodSpec {
                side: Side::Primary,
                version: 0,
                failure_rate,
            });
            let share = pods.get(pod).fails_below as f64 / (1u64 << 63) as f64;
            assert!((share - expected).abs() < 1e-12, "{share} for {expected}");
        }
        let always = PodIx(2);
        assert!(pods.get(always).fails(u64::MAX));
    }
}
