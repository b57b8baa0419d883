//! Chaos in the simulated world, and pods that change with their age.
//!
//! A fault begins and ends at control-plane events; what it does to pods is laid over what they do anyway, so that faults
//! add up. Warm-ups and leaks are followed second by second. Left out: connections that are kept alive go on reaching a
//! pod that new ones do not reach; here none does.

use std::collections::BTreeMap;

use rand::RngExt;

use super::clock::Nanos;
use super::event::Event;
use super::pods::{Deletion, PodId};
use super::service::Slowdown;
use super::ticker;
use super::world::{WATCH_DELAY, World};
use crate::k8s::Quantity;
use crate::scenario::{Distribution, Fault, FaultKind, RatePoint, Scenario, Workload};
use crate::seed::{Purpose, RunSeed, Stream};
use crate::time::{Span, Timestamp};

/// How often pods that change with their age, or leak, are looked at.
const PACE: Span = Span::from_secs(1);

/// What is remembered of faults and ages.
#[derive(Clone, Debug)]
pub(super) struct Faults {
    /// Since when a pod's process serves, and whether it started cold.
    serving: BTreeMap<PodId, Serving>,
    /// Pods are being looked at every second.
    pacing: bool,
    draws: Stream,
}

#[derive(Clone, Copy, Debug)]
struct Serving {
    since: Timestamp,
    cold: bool,
}

impl Faults {
    pub(super) fn new(seed: RunSeed) -> Self {
        Faults {
            serving: BTreeMap::new(),
            pacing: false,
            draws: seed.stream(Purpose::Chaos, 0),
        }
    }
}

impl World {
    /// Puts the faults' events in.
    pub(super) fn start_faults(&mut self) {
        for (index, fault) in self.scenario.chaos.iter().enumerate() {
            let times = [Some(fault.start), fault.end];
            for at in times.into_iter().flatten() {
                self.queue.push(Timestamp::ZERO + at, Event::Fault(index));
            }
        }
        let ages = |version: &crate::scenario::Version| {
            version.behaviour.warm_up.is_some() || version.behaviour.leak_ns_per_minute > 0
        };
        if self.scenario.versions.values().any(ages) {
            self.pace();
        }
    }

    /// A fault begins or ends.
    pub(super) fn fault_turns(&mut self, index: usize) {
        let scenario = std::sync::Arc::clone(&self.scenario);
        let fault = &scenario.chaos[index];
        match fault.kind {
            FaultKind::PodKill(count) => self.kill_pods(fault, count),
            FaultKind::CrashLoop(after) if self.is_on(fault) => {
                let containers = self.struck(fault).into_iter();
                let containers: Vec<_> = containers
                    .filter_map(|pod| self.kubelets.container_of(pod))
                    .collect();
                for container in containers {
                    self.queue
                        .push(self.now + after, Event::ContainerExits(container));
                }
            }
            FaultKind::Reload => self.path.reload(),
            FaultKind::IngressRestart => self.restart_ingress(),
            // A Flagger that starts first looks at its Canaries when its control loop has come round.
            FaultKind::FlaggerDown if !self.is_on(fault) => {
                self.queue
                    .push(self.now + ticker::CONTROL_LOOP, Event::ControlLoop);
            }
            FaultKind::Leak(_) if !self.faults.pacing => self.pace(),
            _ => self.condition_pods(),
        }
    }

    /// Looks at all pods now and every second from now on, while one of them may change.
    pub(super) fn pace(&mut self) {
        self.condition_pods();
        let ages = |version: &crate::scenario::Version| {
            version.behaviour.warm_up.is_some() || version.behaviour.leak_ns_per_minute > 0
        };
        let leaks = |fault: &Fault| matches!(fault.kind, FaultKind::Leak(_)) && self.is_on(fault);
        self.faults.pacing =
            self.scenario.versions.values().any(ages) || self.scenario.chaos.iter().any(leaks);
        if self.faults.pacing {
            self.queue.push(self.now + PACE, Event::Pace);
        }
    }

    /// A process behind a pod gets its first request from now on.
    pub(super) fn serves_since_now(&mut self, pod: PodId) {
        let cold = self.now > Timestamp::ZERO - self.scenario.run.warm_up;
        let serving = Serving {
            since: self.now,
            cold,
        };
        self.faults.serving.insert(pod, serving);
        let version = self.version_at(pod);
        if version.behaviour.cpu_throttling
            && let Some(limit) = self.cpu_limit(pod)
        {
            self.path.set_cpu_limit(self.on_path[&pod], limit);
        }
        self.condition_pod(pod);
    }

    /// When the container of a pod that starts now crashes, if a fault has it so.
    pub(super) fn crashes_at(&self, pod: PodId) -> Option<Timestamp> {
        let on = self.faults_on(pod).filter_map(|fault| match fault.kind {
            FaultKind::CrashLoop(after) => Some(self.now + after),
            _ => None,
        });
        on.min()
    }

    /// How much later than otherwise a container that starts now is ready.
    pub(super) fn slow_start(&self, pod: PodId) -> Span {
        let on = self.faults_on(pod).filter_map(|fault| match fault.kind {
            FaultKind::SlowStart(later) => Some(later),
            _ => None,
        });
        on.fold(Span::ZERO, |sum, later| sum + later)
    }

    /// Whether Prometheus is down.
    pub(super) fn prometheus_is_down(&self) -> bool {
        self.any_on(|kind| matches!(kind, FaultKind::PrometheusDown))
    }

    /// Whether Flagger is down, or has only just started.
    pub(super) fn flagger_is_down(&self) -> bool {
        let mut faults = self.scenario.chaos.iter();
        faults.any(|fault| {
            let started = fault
                .end
                .map(|end| Timestamp::ZERO + end + ticker::CONTROL_LOOP);
            fault.kind == FaultKind::FlaggerDown
                && Timestamp::ZERO + fault.start <= self.now
                && started.is_none_or(|started| self.now < started)
        })
    }

    /// The controllers' processes end, and others begin to count.
    fn restart_ingress(&mut self) {
        for (controller, exporter) in self.exporters.iter_mut().enumerate() {
            if let Some(counted) = self.path.exported(controller) {
                exporter.restart(counted);
            }
        }
        self.path.reload();
    }

    /// Whether the ingress controllers do not answer scrapes.
    pub(super) fn scrapes_fail(&self) -> bool {
        self.any_on(|kind| matches!(kind, FaultKind::ScrapeGap))
    }

    fn any_on(&self, is: impl Fn(&FaultKind) -> bool) -> bool {
        let mut faults = self.scenario.chaos.iter();
        faults.any(|fault| is(&fault.kind) && self.is_on(fault))
    }

    fn is_on(&self, fault: &Fault) -> bool {
        fault.is_on(self.now - Timestamp::ZERO)
    }

    /// The faults that strike a pod now.
    fn faults_on(&self, pod: PodId) -> impl Iterator<Item = &Fault> {
        let faults = self.scenario.chaos.iter();
        faults.filter(move |fault| self.is_on(fault) && self.strikes(fault, pod))
    }

    fn strikes(&self, fault: &Fault, pod: PodId) -> bool {
        let Some(state) = self.workloads.pods.get(pod) else {
            return false;
        };
        let versions = self.scenario.versions.keys();
        let version = versions.into_iter().nth(self.kubelets.version_of(pod));
        let target = self.routing.target();
        let workload = if state.revision.deployment == target.name {
            Workload::Canary
        } else {
            Workload::Primary
        };
        let of_version = fault.version.is_none() || fault.version.as_ref() == version;
        of_version && fault.workload.is_none_or(|struck| struck == workload)
    }

    /// The pods that a fault strikes, oldest first.
    fn struck(&self, fault: &Fault) -> Vec<PodId> {
        let pods = self.workloads.pods.iter();
        pods.filter(|pod| !pod.is_terminating() && self.strikes(fault, pod.id))
            .map(|pod| pod.id)
            .collect()
    }

    /// Deletes pods without a grace period: their processes end at once, and the routers learn of it later.
    fn kill_pods(&mut self, fault: &Fault, count: u32) {
        let mut candidates = self.struck(fault);
        candidates.retain(|pod| self.on_path.contains_key(pod));
        for _ in 0..count.min(candidates.len() as u32) {
            let chosen = self.faults.draws.random_range(0..candidates.len());
            let pod = candidates.swap_remove(chosen);
            if self.workloads.pods.delete(pod, self.now) != Deletion::Terminating {
                continue;
            }
            self.path.kill_pod(self.on_path[&pod]);
            let dropped = self.now + self.scenario.cluster.endpoint_removal;
            self.workloads.is_dropped_at(pod, dropped);
            self.queue.push(dropped, Event::PodDropped(pod));
            self.queue.push(dropped, Event::PodGone(pod));
        }
        self.workloads.look(self.now + WATCH_DELAY, &mut self.queue);
    }

    fn condition_pods(&mut self) {
        let pods: Vec<PodId> = self.on_path.keys().copied().collect();
        for pod in pods {
            self.condition_pod(pod);
        }
    }

    /// Makes a pod behave as its version, its age and the faults have it now.
    fn condition_pod(&mut self, pod: PodId) {
        let version = self.version_at(pod);
        if self.scenario.chaos.is_empty() && version.behaviour.is_plain() {
            return;
        }
        let (Some(index), Some(state)) = (self.on_path.get(&pod), self.workloads.pods.get(pod))
        else {
            return;
        };
        let mut slowdown = self.with_age(pod);
        let mut succeeds = 1.0 - self.revisions.behind(&state.revision).fail_rate;
        let (mut failure_time, mut unreachable) = (None, false);
        for fault in self.faults_on(pod) {
            match &fault.kind {
                FaultKind::Failures { share, time } => {
                    succeeds *= 1.0 - share;
                    if let Some(time) = time {
                        failure_time = fault_times(&self.scenario).position(|known| known == time);
                    }
                }
                FaultKind::Latency(ns) => slowdown.added += *ns as Nanos,
                FaultKind::Slowdown(factor) => slowdown.factor *= factor,
                FaultKind::Leak(per_minute) => {
                    let age = self.now - (Timestamp::ZERO + fault.start);
                    slowdown.added += per_minute_of(age, *per_minute);
                }
                FaultKind::Unreachable => unreachable = true,
                _ => {}
            }
        }
        self.path.set_failure_rate(*index, 1.0 - succeeds);
        self.path.set_slowdown(*index, slowdown);
        let failure_time = failure_time.and_then(|index| self.fault_times.fault_time(index));
        self.path.set_failure_time(*index, failure_time);
        self.path.set_unreachable(*index, unreachable);
    }

    /// How much slower a pod is by its age.
    fn with_age(&self, pod: PodId) -> Slowdown {
        let Some(serving) = self.faults.serving.get(&pod) else {
            return Slowdown::NONE;
        };
        let behaviour = &self.version_at(pod).behaviour;
        let age = self.now - serving.since;
        let factor = match behaviour.warm_up {
            Some(warm_up) if serving.cold && age < warm_up.lasts => {
                let left = 1.0 - age.as_secs_f64() / warm_up.lasts.as_secs_f64();
                1.0 + (warm_up.factor - 1.0) * left
            }
            _ => 1.0,
        };
        Slowdown {
            factor,
            added: per_minute_of(age, behaviour.leak_ns_per_minute),
        }
    }

    fn version_at(&self, pod: PodId) -> &crate::scenario::Version {
        let mut versions = self.scenario.versions.values();
        versions
            .nth(self.kubelets.version_of(pod))
            .expect("revisions count versions as the scenario does")
    }

    /// The CPU limit of a pod's first container, in cores.
    fn cpu_limit(&self, pod: PodId) -> Option<f64> {
        let template = &self.workloads.pods.get(pod)?.revision.template;
        let limit = template
            .json()
            .pointer("/spec/containers/0/resources/limits/cpu")?;
        Some(Quantity::read(limit)?.milli_value() as f64 / 1000.0)
    }
}

/// What has come together by an age, at so many nanoseconds a minute.
fn per_minute_of(age: Span, per_minute: u64) -> Nanos {
    (per_minute as f64 * age.as_secs_f64() / 60.0) as Nanos
}

/// The times to fail that faults bring, in their order.
pub(super) fn fault_times(scenario: &Scenario) -> impl Iterator<Item = &Distribution> {
    scenario.chaos.iter().filter_map(|fault| match &fault.kind {
        FaultKind::Failures { time, .. } => time.as_ref(),
        _ => None,
    })
}

/// Whether faults end processes that have requests.
pub(super) fn faults_kill(scenario: &Scenario) -> bool {
    let mut faults = scenario.chaos.iter();
    faults.any(|fault| matches!(fault.kind, FaultKind::PodKill(_) | FaultKind::CrashLoop(_)))
}

/// The moments at which a fault that happens once does.
pub(super) fn moments(scenario: &Scenario, kind: &FaultKind) -> impl Iterator<Item = Timestamp> {
    let faults = scenario.chaos.iter();
    faults
        .filter(move |fault| fault.kind == *kind)
        .map(|fault| Timestamp::ZERO + fault.start)
}

/// A rate with the scenario's bursts in it.
pub(super) fn with_bursts(rate: &[RatePoint], faults: &[Fault]) -> Vec<RatePoint> {
    let bursts: Vec<(&Fault, f64)> = faults
        .iter()
        .filter_map(|fault| match fault.kind {
            FaultKind::Burst(factor) => Some((fault, factor)),
            _ => None,
        })
        .collect();
    if bursts.is_empty() {
        return rate.to_vec();
    }
    let bounds = bursts
        .iter()
        .flat_map(|(fault, _)| [Some(fault.start), fault.end]);
    let mut times: Vec<Span> = (rate.iter().map(|point| point.at))
        .chain(bounds.flatten())
        .collect();
    times.sort_unstable();
    times.dedup();
    let factor = |at: Span| {
        let on = bursts.iter().filter(|(fault, _)| fault.is_on(at));
        on.map(|(_, factor)| factor).product::<f64>()
    };
    let tick = Span::from_millis(1);
    let mut points = Vec::with_capacity(2 * times.len());
    for at in times {
        let (before, after) = (rate_at(rate, at, false), rate_at(rate, at, true));
        let (before, after) = (before * factor(at - tick), after * factor(at));
        points.push(RatePoint {
            at,
            per_second: before,
        });
        if before != after {
            points.push(RatePoint {
                at,
                per_second: after,
            });
        }
    }
    points
}

/// A rate at a moment; where it jumps, before the jump or after it.
fn rate_at(rate: &[RatePoint], at: Span, after: bool) -> f64 {
    let next = rate.partition_point(|point| point.at < at || (after && point.at == at));
    match (next.checked_sub(1).map(|last| rate[last]), rate.get(next)) {
        (Some(last), Some(next)) => {
            let part = (at - last.at).as_secs_f64() / (next.at - last.at).as_secs_f64();
            last.per_second + (next.per_second - last.per_second) * part
        }
        (Some(only), None) => only.per_second,
        (None, Some(only)) => only.per_second,
        (None, None) => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_multiplies_the_rate_from_its_start_to_its_end() {
        let point = |at, per_second| RatePoint {
            at: Span::from_secs(at),
            per_second,
        };
        let burst = Fault {
            start: Span::from_secs(10),
            end: Some(Span::from_secs(20)),
            version: None,
            workload: None,
            kind: FaultKind::Burst(3.0),
        };
        let ramp = [point(0, 0.0), point(40, 40.0)];
        assert_eq!(
            with_bursts(&ramp, std::slice::from_ref(&burst)),
            [
                point(0, 0.0),
                point(10, 10.0),
                point(10, 30.0),
                point(20, 60.0),
                point(20, 20.0),
                point(40, 40.0),
            ]
        );
        let flat = [point(0, 5.0)];
        let bursting = with_bursts(&flat, &[burst]);
        assert_eq!(
            bursting[1..],
            [
                point(10, 5.0),
                point(10, 15.0),
                point(20, 15.0),
                point(20, 5.0)
            ]
        );
        assert_eq!(with_bursts(&flat, &[]), flat);
    }
}
