//! The replica calculator: from a metric to a proposal.
//!
//! Pure arithmetic, integers truncated and floats rounded where upstream does. Follows
//! `pkg/controller/podautoscaler/replica_calculator.go` and `metrics/utilization.go` of Kubernetes v1.36.3.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::metrics::{MetricError, PodMetricsByName};
use super::pod_view::PodView;
use crate::sim::pods::{ConditionStatus, PodPhase};
use crate::time::{Span, Timestamp};

/// How far a ratio may be off 1 without consequence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tolerance {
    /// Below 1.
    pub down: f64,
    /// Above 1.
    pub up: f64,
}

impl Tolerance {
    fn covers(self, ratio: f64) -> bool {
        1.0 - self.down <= ratio && ratio <= 1.0 + self.up
    }
}

/// When a pod's CPU counts (`--horizontal-pod-autoscaler-cpu-initialization-period`, `-initial-readiness-delay`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CpuReadiness {
    /// So long after its start a pod's CPU counts only while it is ready and was measured since.
    pub initialization_period: Span,
    /// A pod that turned unready within this time of its start was never really ready.
    pub initial_readiness_delay: Span,
}

/// What a metric proposes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// Replicas.
    pub replicas: i32,
    /// Mean utilization in percent of the request, where the target is one.
    pub utilization: Option<i32>,
    /// The value to report, in milli-units.
    pub value: i64,
}

/// A target and its pods, as the calculator needs them.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// `spec.replicas`.
    pub current: i32,
    /// All pods that the selector matches.
    pub pods: &'a [PodView],
    /// Tolerances in force.
    pub tolerance: Tolerance,
    /// The controller's flags.
    pub readiness: CpuReadiness,
    /// Now.
    pub now: Timestamp,
}

/// Pods by what their metrics are worth.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Groups<'a> {
    /// How many count.
    pub ready: i32,
    /// Pods not ready yet.
    pub unready: BTreeSet<&'a str>,
    /// Pods without a metric.
    pub missing: BTreeSet<&'a str>,
    /// Pods that never count: deleted or failed.
    pub ignored: BTreeSet<&'a str>,
}

impl<'a> Scene<'a> {
    /// `groupPods`. `cpu` says that the metric is the resource cpu, which alone looks at readiness.
    pub fn group(&self, metrics: &PodMetricsByName, cpu: bool) -> Groups<'a> {
        let mut groups = Groups::default();
        for pod in self.pods {
            let name = &*pod.name;
            if pod.terminating || pod.phase == PodPhase::Failed {
                groups.ignored.insert(name);
            } else if pod.phase == PodPhase::Pending {
                groups.unready.insert(name);
            } else {
                match metrics.get(name) {
                    None => {
                        groups.missing.insert(name);
                    }
                    Some(metric)
                        if cpu && self.is_cpu_unready(pod, metric.timestamp, metric.window) =>
                    {
                        groups.unready.insert(name);
                    }
                    Some(_) => groups.ready += 1,
                }
            }
        }
        groups
    }

    fn is_cpu_unready(&self, pod: &PodView, measured: Timestamp, window: Span) -> bool {
        let (Some(ready), Some(start)) = (pod.ready, pod.start_time) else {
            return true;
        };
        let unready = ready.status == ConditionStatus::False;
        if start + self.readiness.initialization_period > self.now {
            // Ready, but the sample also covers time before.
            unready || measured < ready.last_transition + window
        } else {
            let delay = self.readiness.initial_readiness_delay;
            unready && ready.last_transition < start + delay
        }
    }

    /// Resource metrics with a utilization target (`GetResourceReplicas`).
    pub fn by_utilization(
        &self,
        metrics: PodMetricsByName,
        resource: &str,
        container: Option<&str>,
        target: i32,
    ) -> Result<Proposal, MetricError> {
        let (mut values, groups) = self.sift(metrics, resource == "cpu")?;
        let requests = self
            .pods
            .iter()
            .map(|pod| pod.requests.of(&pod.name, resource, container))
            .collect::<Result<Vec<i64>, _>>()?;
        let first = self.utilization(&values, &requests, target)?;
        let replicas = if let Some(replicas) = self.first_pass(&groups, first.ratio) {
            replicas
        } else {
            // A pod without a metric may have used all it asked for, or nothing: whichever speaks against scaling.
            let full = i64::from(target.max(100));
            groups.fill_in(&mut values, first.ratio, |name| {
                let place = self.pods.iter().position(|pod| *pod.name == *name);
                let request = place.map_or(0, |place| requests[place]);
                (i128::from(request) * i128::from(full) / 100) as i64
            });
            let second = self.utilization(&values, &requests, target)?;
            self.second_pass(first.ratio, second.ratio, values.len())
        };
        Ok(Proposal {
            replicas,
            utilization: Some(first.percent),
            value: first.mean,
        })
    }

    /// Resource or custom metrics of pods with an average-value target (`calcPlainMetricReplicas`).
    pub fn by_average(
        &self,
        metrics: PodMetricsByName,
        cpu: bool,
        target: i64,
    ) -> Result<Proposal, MetricError> {
        let (mut values, groups) = self.sift(metrics, cpu)?;
        let (first, mean) = average(&values, target);
        let replicas = if let Some(replicas) = self.first_pass(&groups, first) {
            replicas
        } else {
            groups.fill_in(&mut values, first, |_| target);
            let (second, _) = average(&values, target);
            self.second_pass(first, second, values.len())
        };
        Ok(Proposal {
            replicas,
            utilization: None,
            value: mean,
        })
    }

    /// Object and External metrics with a value target (`GetObjectMetricReplicas`, `GetExternalMetricReplicas`).
    pub fn by_value(&self, usage: i64, target: i64) -> Result<Proposal, MetricError> {
        let ratio = usage as f64 / target as f64;
        let replicas = if self.current == 0 {
            ratio.ceil() as i32
        } else if self.tolerance.covers(ratio) {
            self.current
        } else {
            (ratio * f64::from(self.ready_pods()?)).ceil() as i32
        };
        Ok(Proposal {
            replicas,
            utilization: None,
            value: usage,
        })
    }

    /// Object and External metrics with an average-value target (`GetObjectPerPodMetricReplicas`,
    /// `GetExternalPerPodMetricReplicas`). "No change" means the pods that there are, not those wanted.
    pub fn per_pod(&self, usage: i64, target: i64, status_replicas: i32) -> Proposal {
        let pods = f64::from(status_replicas);
        let ratio = usage as f64 / (target as f64 * pods);
        let replicas = if self.tolerance.covers(ratio) {
            status_replicas
        } else {
            (usage as f64 / target as f64).ceil() as i32
        };
        Proposal {
            replicas,
            utilization: None,
            value: go_int64((usage as f64 / pods).ceil()),
        }
    }

    /// Usage against the pods' requests (`GetResourceUtilizationRatio`).
    fn utilization(
        &self,
        values: &BTreeMap<Arc<str>, i64>,
        requests: &[i64],
        target: i32,
    ) -> Result<Utilization, MetricError> {
        let (mut used, mut requested, mut pods) = (0_i128, 0_i128, 0_i128);
        // Metrics of pods that the selector does not match are left out.
        for (pod, request) in self.pods.iter().zip(requests) {
            if let Some(value) = values.get(&pod.name) {
                used += i128::from(*value);
                requested += i128::from(*request);
                pods += 1;
            }
        }
        if requested == 0 {
            return Err(MetricError::new("no metrics returned matched known pods"));
        }
        let percent = (used * 100 / requested) as i32;
        Ok(Utilization {
            ratio: f64::from(percent) / f64::from(target),
            percent,
            mean: (used / pods) as i64,
        })
    }

    /// Drops the metrics of pods that are ignored or not ready.
    fn sift(
        &self,
        metrics: PodMetricsByName,
        cpu: bool,
    ) -> Result<(BTreeMap<Arc<str>, i64>, Groups<'a>), MetricError> {
        self.some_pods()?;
        let groups = self.group(&metrics, cpu);
        let counted = |name: &str| !groups.ignored.contains(name) && !groups.unready.contains(name);
        let values: BTreeMap<Arc<str>, i64> = metrics
            .into_iter()
            .filter(|(name, _)| counted(name))
            .map(|(name, metric)| (name, metric.value))
            .collect();
        if values.is_empty() {
            return Err(MetricError::new(
                "did not receive metrics for targeted pods (pods might be unready)",
            ));
        }
        Ok((values, groups))
    }

    /// The proposal where all pods have spoken, or those that have not cannot matter.
    fn first_pass(&self, groups: &Groups, ratio: f64) -> Option<i32> {
        let unready_matter = !groups.unready.is_empty() && ratio > 1.0;
        if unready_matter || !groups.missing.is_empty() {
            return None;
        }
        Some(if self.tolerance.covers(ratio) {
            self.current
        } else {
            (ratio * f64::from(groups.ready)).ceil() as i32
        })
    }

    /// The proposal with the absent values filled in: none that turns the first one round.
    fn second_pass(&self, first: f64, second: f64, pods: usize) -> i32 {
        let crossed = first < 1.0 && second > 1.0 || first > 1.0 && second < 1.0;
        if self.tolerance.covers(second) || crossed {
            return self.current;
        }
        let replicas = (second * pods as f64).ceil() as i32;
        let backwards =
            second < 1.0 && replicas > self.current || second > 1.0 && replicas < self.current;
        if backwards { self.current } else { replicas }
    }

    fn ready_pods(&self) -> Result<i32, MetricError> {
        self.some_pods()?;
        let ready = self.pods.iter().filter(|pod| {
            let ready = pod.ready.map(|r| r.status);
            pod.phase == PodPhase::Running && ready == Some(ConditionStatus::True)
        });
        Ok(ready.count() as i32)
    }

    fn some_pods(&self) -> Result<(), MetricError> {
        if self.pods.is_empty() {
            return Err(MetricError::new(
                "no pods returned by selector while calculating replica count",
            ));
        }
        Ok(())
    }
}

impl Groups<'_> {
    /// Gives pods that have not spoken a value: the missing ones `full` where the ratio asks to scale down and 0 where
    /// it asks to scale up, the unready ones 0 in the latter case.
    fn fill_in(
        &self,
        values: &mut BTreeMap<Arc<str>, i64>,
        ratio: f64,
        full: impl Fn(&str) -> i64,
    ) {
        if ratio < 1.0 {
            let missing = self.missing.iter();
            values.extend(missing.map(|name| (Arc::from(*name), full(name))));
        } else if ratio > 1.0 {
            let absent = self.missing.iter().chain(&self.unready);
            values.extend(absent.map(|name| (Arc::from(*name), 0)));
        }
    }
}

/// Usage against requests.
struct Utilization {
    ratio: f64,
    percent: i32,
    mean: i64,
}

/// A float as Go converts it on amd64: without pods there is no mean, and the smallest integer is reported.
fn go_int64(x: f64) -> i64 {
    if x.is_finite() { x as i64 } else { i64::MIN }
}

/// Ratio and truncated mean (`GetMetricUsageRatio`). All metrics count, those of unknown pods too.
fn average(values: &BTreeMap<Arc<str>, i64>, target: i64) -> (f64, i64) {
    let total: i128 = values.values().map(|v| i128::from(*v)).sum();
    let mean = (total / values.len() as i128) as i64;
    (mean as f64 / target as f64, mean)
}
