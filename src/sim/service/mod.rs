//! The workload behind a pod: how long a request takes, whether it fails, and the pod's worker slots.
//!
//! A pod works on `concurrency` requests at once; the others wait in order of arrival and are never refused.
//! Since waiting is in order of arrival, the moment a request is done is known when it arrives (see [`Slots`]).
//! A pod that is taken out of service finishes what it has: nothing here aborts a request.

mod slots;

use std::sync::Arc;

pub(crate) use slots::Slots;

use crate::scenario::Version;
use crate::sim::clock::{Nanos, Tick, moment, tick};
use crate::sim::ingress::Endpoint;
use crate::sim::sampling::{TableIx, Tables};

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

/// The workloads of a scenario, compiled.
#[derive(Clone, Debug)]
pub struct ServicePlan {
    pub(crate) tables: Tables,
    versions: Arc<[VersionPlan]>,
}

#[derive(Clone, Copy, Debug)]
struct VersionPlan {
    /// Service time of a request that succeeds, and of one that fails.
    tables: [TableIx; 2],
    concurrency: u32,
    cpu_per_request_ns: u64,
    base_failure_rate: f64,
}

impl ServicePlan {
    /// Compiles versions; a pod names its version by its place here.
    pub fn new<'a>(versions: impl IntoIterator<Item = &'a Version>) -> Self {
        let versions: Vec<&Version> = versions.into_iter().collect();
        let times: Vec<_> = versions
            .iter()
            .flat_map(|version| {
                let failure = version.failure_time.as_ref();
                [
                    &version.service_time,
                    failure.unwrap_or(&version.service_time),
                ]
            })
            .cloned()
            .collect();
        let (tables, indices) = Tables::compile(&times);
        ServicePlan {
            tables,
            versions: versions
                .iter()
                .zip(indices.chunks_exact(2))
                .map(|(version, tables)| VersionPlan {
                    tables: [tables[0], tables[1]],
                    concurrency: version.concurrency.max(1),
                    cpu_per_request_ns: version.cpu_per_request_ns,
                    base_failure_rate: version.base_failure_rate,
                })
                .collect(),
        }
    }
}

/// All pods of a run, those that are gone included.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pods {
    pub(crate) pods: Vec<Pod>,
    pub(crate) slots: Slots,
}

/// What the hot loop needs of a pod.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pod {
    /// A request fails if its fault draw is below.
    pub(crate) fails_below: u64,
    /// Service time of a request that succeeds, and of one that fails.
    pub(crate) tables: [TableIx; 2],
    /// Its worker slots.
    pub(crate) row: slots::Row,
    /// Its Deployment.
    pub(crate) side: Side,
    /// Requests it was given.
    pub(crate) served: u64,
    cpu_per_request_ns: u64,
}

impl Pod {
    /// Whether a request with this fault draw fails. Uses 63 bits of it, so that a rate of 1 fails all.
    #[inline(always)]
    pub(crate) fn fails(&self, draw: u64) -> bool {
        draw >> 1 < self.fails_below
    }
}

impl Pods {
    pub(crate) fn add(&mut self, plan: &ServicePlan, spec: PodSpec) -> PodIx {
        let version = plan.versions[spec.version];
        let succeeds = (1.0 - version.base_failure_rate.clamp(0.0, 1.0))
            * (1.0 - spec.failure_rate.clamp(0.0, 1.0));
        self.pods.push(Pod {
            fails_below: ((1.0 - succeeds) * (1u64 << 63) as f64) as u64,
            tables: version.tables,
            row: self.slots.add(version.concurrency),
            side: spec.side,
            served: 0,
            cpu_per_request_ns: version.cpu_per_request_ns,
        });
        PodIx(self.pods.len() as u32 - 1)
    }

    /// Writes whether requests fail and how long they are worked on, given their pods and draws.
    pub(crate) fn work(
        &mut self,
        tables: &Tables,
        endpoints: &[Endpoint],
        service: &[u64],
        faults: &[u64],
        failed: &mut [bool],
        times: &mut [u64],
    ) {
        let pods = &mut self.pods[..];
        let draws = endpoints.iter().zip(service).zip(faults);
        for (((endpoint, service), fault), (failed, time)) in
            draws.zip(failed.iter_mut().zip(times))
        {
            let pod = &mut pods[endpoint.pod.0 as usize];
            *failed = pod.fails(*fault);
            *time = tables.nanoseconds(pod.tables[usize::from(*failed)], *service);
            pod.served += 1;
        }
    }

    /// Turns service times into moments of completion: requests wait for a slot of their pod.
    pub(crate) fn queue(&mut self, endpoints: &[Endpoint], arrivals: &[Tick], times: &mut [u64]) {
        let pods = &self.pods[..];
        for ((endpoint, arrival), time) in endpoints.iter().zip(arrivals).zip(times) {
            let row = pods[endpoint.pod.0 as usize].row;
            *time = self.slots.serve(row, *arrival, *time);
        }
    }

    pub(crate) fn get(&self, pod: PodIx) -> &Pod {
        &self.pods[pod.0 as usize]
    }

    pub(crate) fn cpu_ns(&self, pod: PodIx) -> u64 {
        let pod = self.get(pod);
        pod.served * pod.cpu_per_request_ns
    }

    /// Worker slots that have work at `at`.
    pub(crate) fn busy(&self, pod: PodIx, at: Nanos) -> u32 {
        self.slots.busy(self.get(pod).row, tick(at))
    }

    /// When the last request given to the pod is done; `None` if there was none.
    pub(crate) fn idle_from(&self, pod: PodIx) -> Option<Nanos> {
        let last: Tick = self.slots.last(self.get(pod).row);
        (last > 0).then(|| moment(last))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Distribution;
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
        };
        let plan = ServicePlan::new([&version]);
        let mut pods = Pods::default();
        for (failure_rate, expected) in [(0.0, 0.1), (0.5, 0.55), (1.0, 1.0), (7.0, 1.0)] {
            let pod = pods.add(
                &plan,
                PodSpec {
                    side: Side::Primary,
                    version: 0,
                    failure_rate,
                },
            );
            let share = pods.get(pod).fails_below as f64 / (1u64 << 63) as f64;
            assert!((share - expected).abs() < 1e-12, "{share} for {expected}");
        }
        let always = PodIx(2);
        assert!(pods.get(always).fails(u64::MAX));
    }
}
