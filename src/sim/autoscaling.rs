//! HPAs over the simulated pods: metrics-server's samples, one controller an HPA, and whose replicas it writes.
//!
//! The HPA's arithmetic is [`super::hpa`]'s. Under provider `pod-scaling` the router owns both Deployments' replicas: the
//! primary's HPA sees the pods of both, what it wants is split by the weight in force, and the target's own HPA rests.
//! Left out: custom and external metrics (they fail, as without an adapter).

use std::sync::Arc;

use rand::RngExt;

use super::event::Event;
use super::hpa::metrics::{MetricError, MetricsClient, PodValue};
use super::hpa::spec::MetricIdentifier;
use super::hpa::{HpaController, HpaSettings, PodView, ScaleTarget};
use super::metrics_server::{ContainerSample, MetricsServer, PodMetrics};
use super::pods::{Pod, PodId, PodSet};
use super::queue::Queue;
use crate::canary::Provider;
use crate::engine::cluster::Cluster;
use crate::engine::router::pod_scaling;
use crate::engine::{Kind, Object, ObjectRef, Write};
use crate::k8s::{ObjectReference, Quantity};
use crate::scenario::Scenario;
use crate::seed::{Purpose, RunSeed, Stream};
use crate::time::{Span, Timestamp};

/// The longest that one pass of the HPA controller takes; the next is due a period after its end.
const LONGEST_PASS_MS: i64 = 20;

/// The HPAs of the simulated cluster.
#[derive(Clone, Debug)]
pub(super) struct Autoscaling {
    metrics: MetricsServer,
    /// Controllers in the order in which the HPAs were seen.
    controllers: Vec<(ObjectRef, HpaController)>,
    settings: HpaSettings,
    /// The primary's Deployment and the target's, where one HPA scales both.
    pooled: Option<(ObjectRef, ObjectRef)>,
    phases: Stream,
}

impl Autoscaling {
    /// No HPA seen yet.
    pub(super) fn new(scenario: &Scenario, provider: Provider, seed: RunSeed) -> Self {
        let canary = &scenario.manifests.canary;
        let deployment =
            |name: String| ObjectRef::new(Kind::Deployment, &canary.metadata.namespace, name);
        let target = canary.spec.target_ref.name.clone();
        Autoscaling {
            metrics: MetricsServer::new(scenario.cluster.metrics_resolution),
            controllers: Vec::new(),
            settings: HpaSettings {
                sync_period: scenario.cluster.hpa_sync,
                ..HpaSettings::default()
            },
            pooled: (provider == Provider::PodScaling)
                .then(|| (deployment(format!("{target}-primary")), deployment(target))),
            phases: seed.stream(Purpose::Phases, 2),
        }
    }

    /// Puts the first sample in.
    pub(super) fn start(&mut self, now: Timestamp, queue: &mut Queue<Event>) {
        let resolution = self.metrics.resolution().as_millis();
        queue.push(
            now + Span::from_millis(self.phases.random_range(0..resolution)),
            Event::MetricsServer,
        );
    }

    /// Takes new HPAs on. The first pass of one comes a whole period after its creation; those that were there when the
    /// world began have a phase of their own.
    pub(super) fn discover(
        &mut self,
        cluster: &Cluster,
        began: bool,
        now: Timestamp,
        queue: &mut Queue<Event>,
    ) {
        for hpa in cluster.of_kind(Kind::HorizontalPodAutoscaler) {
            if self.controllers.iter().any(|(known, _)| known == hpa) {
                continue;
            }
            let period = self.settings.sync_period;
            let wait = if began {
                period
            } else {
                Span::from_millis(self.phases.random_range(0..period.as_millis()))
            };
            queue.push(now + wait, Event::Hpa(self.controllers.len()));
            self.controllers
                .push((hpa.clone(), HpaController::new(self.settings)));
        }
    }

    /// metrics-server asks the kubelets; `cpu` gives the CPU time a pod has used, in nanoseconds, `memory` its working
    /// set, in bytes.
    pub(super) fn sample(
        &mut self,
        pods: &PodSet,
        cpu: impl Fn(PodId) -> Option<u64>,
        memory: impl Fn(&Pod) -> u64,
        now: Timestamp,
        queue: &mut Queue<Event>,
    ) {
        let samples = pods.iter().filter_map(|pod| {
            Some(ContainerSample {
                pod: pod.id,
                container: Arc::clone(&pod.revision.container),
                started: pod.container_started?,
                at: now,
                // metrics-server drops a pod whose counters show nothing at all.
                cpu_nanos: cpu(pod.id).unwrap_or(0).max(1),
                memory_bytes: memory(pod),
            })
        });
        self.metrics.scrape(samples);
        queue.push(now + self.metrics.resolution(), Event::MetricsServer);
    }

    /// One pass over the n-th HPA; says whether it wrote replicas.
    pub(super) fn reconcile(
        &mut self,
        index: usize,
        cluster: &mut Cluster,
        pods: &PodSet,
        now: Timestamp,
        queue: &mut Queue<Event>,
    ) -> bool {
        let pass = Span::from_millis(self.phases.random_range(1..=LONGEST_PASS_MS));
        queue.push(now + pass + self.settings.sync_period, Event::Hpa(index));
        let (reference, controller) = &mut self.controllers[index];
        let Some(Object::HorizontalPodAutoscaler(hpa)) = cluster.get(reference) else {
            *controller = HpaController::new(self.settings);
            return false;
        };
        let namespace = &reference.namespace;
        let scaled = ObjectRef::new(Kind::Deployment, namespace, &hpa.spec.scale_target_ref.name);
        let targets = match &self.pooled {
            // At weight 0 the target has no pods, but for those that serve until a promoted primary is ready: not the HPA's.
            Some((primary, target)) if scaled == *primary && weight_of(target, cluster) > 0 => {
                vec![primary.clone(), target.clone()]
            }
            // The target's own HPA rests once the primary's scales both.
            Some((primary, target)) if scaled == *target && cluster.get(primary).is_some() => {
                return false;
            }
            _ => vec![scaled],
        };
        let mut views = Vec::new();
        let mut client = Served { usage: Vec::new() };
        let (mut spec_replicas, mut status_replicas, mut exists) = (0, 0, false);
        for target in &targets {
            if let Some(Object::Deployment(deployment)) = cluster.get(target) {
                exists = true;
                spec_replicas += deployment.spec.replicas.unwrap_or(1);
                status_replicas += deployment.status.replicas;
            }
            for pod in pods.of_deployment(&target.namespace, &target.name) {
                views.push(PodView::of(pod));
                client.usage.extend(
                    self.metrics
                        .usage(pod.id)
                        .map(|usage| (pod.name.clone(), usage)),
                );
            }
        }
        let target = ScaleTarget {
            spec_replicas,
            status_replicas,
            pods: &views,
            shared: false,
        };
        let Some(Object::HorizontalPodAutoscaler(hpa)) = cluster.get_mut(reference) else {
            return false;
        };
        let decision = controller.reconcile(hpa, exists.then_some(target), &mut client, now);
        let Some(wanted) = decision.scale_to else {
            return false;
        };
        for (deployment, replicas) in split(&targets, wanted, cluster) {
            // A Deployment that is gone by now is not scaled, as a cluster's scale subresource would answer.
            let _ = cluster.write(Write::Scale {
                deployment,
                replicas,
            });
        }
        true
    }
}

/// Who gets how many of the replicas that an HPA wants.
fn split(targets: &[ObjectRef], wanted: i32, cluster: &Cluster) -> Vec<(ObjectRef, i32)> {
    let [primary, canary] = targets else {
        return vec![(targets[0].clone(), wanted)];
    };
    let (of_primary, of_canary) = pod_scaling::split(weight_of(canary, cluster), wanted);
    vec![(primary.clone(), of_primary), (canary.clone(), of_canary)]
}

/// The weight that the pod-scaling router noted on the target.
fn weight_of(target: &ObjectRef, cluster: &Cluster) -> i64 {
    match cluster.get(target) {
        Some(Object::Deployment(deployment)) => pod_scaling::requested_weight(deployment),
        _ => 0,
    }
}

/// The metrics APIs of a cluster that has metrics-server and no adapter.
struct Served {
    usage: Vec<(Arc<str>, PodMetrics)>,
}

impl MetricsClient for Served {
    fn resource(&mut self) -> Result<Vec<(Arc<str>, PodMetrics)>, MetricError> {
        Ok(std::mem::take(&mut self.usage))
    }

    fn pods(&mut self, metric: &MetricIdentifier) -> Result<Vec<PodValue>, MetricError> {
        Err(no_adapter("custom", metric))
    }

    fn object(
        &mut self,
        metric: &MetricIdentifier,
        _described: &ObjectReference,
    ) -> Result<Quantity, MetricError> {
        Err(no_adapter("custom", metric))
    }

    fn external(&mut self, metric: &MetricIdentifier) -> Result<Vec<Quantity>, MetricError> {
        Err(no_adapter("external", metric))
    }
}

fn no_adapter(api: &str, metric: &MetricIdentifier) -> MetricError {
    MetricError(format!("{}: no {api} metrics API registered", metric.name))
}
