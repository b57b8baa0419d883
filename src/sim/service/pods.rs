//! The pods of a run: their settings, their slots, and what they have done.

use super::quota::Quota;
use super::slots::{Row, Slots};
use super::{PodIx, PodSpec, Reach, ServicePlan, Side, Slowdown};
use crate::sim::clock::{Nanos, Tick, moment};
use crate::sim::ingress::Endpoint;
use crate::sim::sampling::{TableIx, round};

/// All pods of a run, those that are gone included.
#[derive(Clone, Debug)]
pub(crate) struct Pods {
    plan: ServicePlan,
    pods: Vec<Pod>,
    slots: Slots,
    /// CPU limits by pod, where one has any.
    quotas: Vec<Option<Quota>>,
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
    /// Whether it can be reached.
    reach: Reach,
    /// Share of requests that its template makes fail.
    failure_rate: f64,
    /// Its requests fail as slowly as its version's, not as a fault has it.
    own_failure_time: bool,
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
            quotas: Vec::new(),
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
            reach: Reach::Open,
            failure_rate: 0.0,
            own_failure_time: true,
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
        pod.failure_rate = rate;
        pod.fails_below = fails_below(base, rate);
    }

    pub(crate) fn set_failure_time(&mut self, pod: PodIx, time: Option<TableIx>) {
        let pod = &mut self.pods[pod.0 as usize];
        pod.own_failure_time = time.is_none();
        pod.tables[1] = time.unwrap_or(self.plan.versions[pod.version as usize].tables[1]);
    }

    /// Holds the pod to so many cores from `now` on.
    pub(crate) fn set_cpu_limit(&mut self, pod: PodIx, cores: f64, now: Tick) {
        debug_assert_eq!(self.cpu_ns(pod, now), 0, "a limit is there from the start");
        self.quotas.resize(self.pods.len(), None);
        self.quotas[pod.0 as usize] = Some(Quota::new(cores));
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
        self.pods[pod.0 as usize].reach = Reach::Refused;
    }

    pub(crate) fn set_unreachable(&mut self, pod: PodIx, unreachable: bool) {
        let reach = &mut self.pods[pod.0 as usize].reach;
        match (*reach, unreachable) {
            (Reach::Refused, _) => {}
            (_, true) => *reach = Reach::Silent,
            (_, false) => *reach = Reach::Open,
        }
    }

    pub(crate) fn reach(&self, pod: PodIx) -> Reach {
        self.get(pod).reach
    }

    /// Whether it answers no connection.
    pub(crate) fn is_lost(&self, pod: PodIx) -> bool {
        self.reach(pod) != Reach::Open
    }

    /// Gives one request of a class to a pod at a moment: when it is done, and whether it fails.
    pub(crate) fn serve_one(
        &mut self,
        pod: PodIx,
        class: Option<usize>,
        at: Tick,
        service: u64,
        fault: u64,
    ) -> (Tick, bool) {
        let state = &mut self.pods[pod.0 as usize];
        let of_class = class.and_then(|class| self.plan.class(state.version as usize, class));
        let (failed, table) = match of_class {
            None => {
                let failed = state.fails(fault);
                (failed, state.tables[usize::from(failed)])
            }
            Some(of_class) => {
                let below = fails_below(of_class.base_failure_rate, state.failure_rate);
                let failed = fault >> 1 < below;
                let by_fault = failed && !state.own_failure_time;
                let tables = if by_fault {
                    state.tables
                } else {
                    of_class.tables
                };
                (failed, tables[usize::from(failed)])
            }
        };
        let time = round(self.plan.tables.value(table, service) * state.factor + state.added);
        state.served += 1;
        state.work_ns += time;
        (self.give(pod, at, time), failed)
    }

    /// Gives a request to a pod's slots; answers when it is done.
    fn give(&mut self, pod: PodIx, at: Tick, time: u64) -> Tick {
        let state = &self.pods[pod.0 as usize];
        let quota = self.quotas.get_mut(pod.0 as usize).and_then(Option::as_mut);
        let Some(quota) = quota else {
            return self.slots.serve(state.row, at, time);
        };
        let cpu_ns = self.plan.versions[state.version as usize].cpu_per_request_ns;
        let begun = self.slots.begins(state.row, at);
        let done = quota.done(begun, begun + time, cpu_ns);
        self.slots.serve(state.row, at, done - begun)
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
        let mut longest = 0;
        if !self.quotas.is_empty() {
            for ((endpoint, arrival), time) in endpoints.iter().zip(arrivals).zip(times) {
                *time = self.give(endpoint.pod, *arrival, *time);
                longest = longest.max(*time - *arrival);
            }
            return longest;
        }
        let pods = &self.pods[..];
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
        if let Some(Some(quota)) = self.quotas.get(pod.0 as usize) {
            return quota.used_ns(now);
        }
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

/// Fault draws below this, of 63 bits, fail: by a version's own rate, or by its template's.
fn fails_below(base: f64, rate: f64) -> u64 {
    let succeeds = (1.0 - base.clamp(0.0, 1.0)) * (1.0 - rate.clamp(0.0, 1.0));
    ((1.0 - succeeds) * (1u64 << 63) as f64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Distribution;
    use crate::scenario::Version;

    #[test]
    fn failure_rates_combine_as_independent_causes_do() {
        let version = Version {
            service_time: Distribution::Constant { ns: 1 },
            base_failure_rate: 0.1,
            ..Version::default()
        };
        let mut pods = Pods::new(ServicePlan::new([&version], &[], &[]));
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
