//! The controllers together, as a world drives them: load becomes CPU, CPU becomes metrics, metrics become replicas,
//! replicas become pods that share the load.

use std::collections::BTreeMap;
use std::sync::Arc;

use rollcast::k8s::{Deployment, HorizontalPodAutoscaler, ObjectReference, Quantity};
use rollcast::sim::deployment::{DeploymentController, PodAction};
use rollcast::sim::hpa::spec::MetricIdentifier;
use rollcast::sim::hpa::{
    HpaController, HpaSettings, MetricError, MetricsClient, PodValue, PodView, ScaleTarget,
};
use rollcast::sim::metrics_server::{ContainerSample, MetricsServer, PodMetrics};
use rollcast::sim::pods::{NodeId, Pod, PodId, PodSet, Startup};
use rollcast::time::{Span, Timestamp};
use serde_json::json;

/// A service whose pods share a load evenly.
struct Service {
    deployment: Deployment,
    controller: DeploymentController,
    pods: PodSet,
    hpa: HorizontalPodAutoscaler,
    autoscaler: HpaController,
    metrics: MetricsServer,
    cpu_nanos: BTreeMap<PodId, u64>,
    now: Timestamp,
}

/// metrics-server behind the HPA's eyes.
struct Client<'a>(&'a MetricsServer, &'a PodSet);

impl MetricsClient for Client<'_> {
    fn resource(&mut self) -> Result<Vec<(Arc<str>, PodMetrics)>, MetricError> {
        let pods = self.1.iter();
        Ok(pods
            .filter_map(|p| Some((p.name.clone(), self.0.usage(p.id)?)))
            .collect())
    }
    fn pods(&mut self, _: &MetricIdentifier) -> Result<Vec<PodValue>, MetricError> {
        Err(MetricError("none here".to_owned()))
    }
    fn object(
        &mut self,
        _: &MetricIdentifier,
        _: &ObjectReference,
    ) -> Result<Quantity, MetricError> {
        Err(MetricError("none here".to_owned()))
    }
    fn external(&mut self, _: &MetricIdentifier) -> Result<Vec<Quantity>, MetricError> {
        Err(MetricError("none here".to_owned()))
    }
}

impl Service {
    fn new(replicas: i32) -> Self {
        let mut deployment = Deployment::default();
        deployment.metadata.name = "app".to_owned();
        deployment.metadata.generation = 1;
        deployment.spec.replicas = Some(replicas);
        *deployment.spec.template.json_mut() = json!({ "spec": { "containers": [
            { "name": "app", "image": "v1", "resources": { "requests": { "cpu": "200m" } } },
        ]}});
        let mut hpa = HorizontalPodAutoscaler::default();
        hpa.spec.min_replicas = Some(2);
        hpa.spec.max_replicas = 20;
        hpa.spec.metrics = json!([{ "type": "Resource", "resource": {
            "name": "cpu", "target": { "type": "Utilization", "averageUtilization": 50 },
        }}]);
        Service {
            deployment,
            controller: DeploymentController::new(),
            pods: PodSet::new(),
            hpa,
            autoscaler: HpaController::new(HpaSettings::default()),
            metrics: MetricsServer::new(MetricsServer::SHIPPED_RESOLUTION),
            cpu_nanos: BTreeMap::new(),
            now: Timestamp::ZERO,
        }
    }

    /// Lives through a second with a load of so many millicores.
    fn second(&mut self, load_millis: u64) {
        self.now += Span::from_secs(1);
        let ready = self.pods.iter().filter(|p| p.is_ready());
        let serving: Vec<PodId> = ready.map(|p| p.id).collect();
        for id in &serving {
            let share = load_millis * 1_000_000 / serving.len() as u64;
            *self.cpu_nanos.entry(*id).or_default() += share;
        }
        self.kubelet();
        if self.now.as_millis() % 15_000 == 0 {
            self.scrape();
        }
        if self.now.as_millis() % 15_000 == 7_000 {
            self.autoscale();
        }
        let synced = self
            .controller
            .sync(&mut self.deployment, &mut self.pods, self.now);
        for action in synced.pods {
            if let PodAction::Created { pod, .. } = action {
                self.pods.scheduled(pod, NodeId(0), self.now);
            }
        }
    }

    /// Pods are ready five seconds after their creation and gone at once after their deletion.
    fn kubelet(&mut self) {
        let startup = Startup::lasting(Span::from_secs(5));
        let pods: Vec<Pod> = self.pods.iter().cloned().collect();
        for pod in pods {
            if pod.is_terminating() {
                self.pods.gone(pod.id);
            } else if !pod.is_ready() && startup.ready_at(pod.created) <= self.now {
                self.pods.running(pod.id, startup.running_at(pod.created));
                self.pods.ready(pod.id, self.now);
            }
        }
    }

    fn scrape(&mut self) {
        let samples = self.pods.iter().filter_map(|pod| {
            Some(ContainerSample {
                pod: pod.id,
                container: "app".into(),
                started: pod.container_started?,
                at: self.now,
                cpu_nanos: *self.cpu_nanos.get(&pod.id)?,
                memory_bytes: 50_000_000,
            })
        });
        self.metrics.scrape(samples);
    }

    fn autoscale(&mut self) {
        let pods: Vec<PodView> = self.pods.iter().map(PodView::of).collect();
        let target = ScaleTarget {
            spec_replicas: self.deployment.spec.replicas.unwrap(),
            status_replicas: self.deployment.status.replicas,
            pods: &pods,
            shared: false,
        };
        // Each pass comes five milliseconds later than 15 s after the last, as in a cluster.
        let late = self.now + Span::from_millis(self.now.as_millis() / 3000);
        let client = &mut Client(&self.metrics, &self.pods);
        let decision = self
            .autoscaler
            .reconcile(&mut self.hpa, Some(target), client, late);
        if let Some(replicas) = decision.scale_to {
            self.deployment.spec.replicas = Some(replicas);
            self.deployment.metadata.generation += 1;
        }
    }

    /// Lives through so many minutes; says the size after each.
    fn minutes(&mut self, n: usize, load_millis: u64) -> Vec<i32> {
        let mut minute = || {
            (0..60).for_each(|_| self.second(load_millis));
            self.deployment.status.available_replicas
        };
        (0..n).map(|_| minute()).collect()
    }
}

#[test]
fn an_autoscaled_service_follows_its_load_up_at_once_and_down_after_five_minutes() {
    let mut service = Service::new(2);
    // 50 % of 200m a pod: 200 millicores want 2 pods, a whole core wants 10.
    assert_eq!(service.minutes(3, 200), [2, 2, 2]);
    let up = service.minutes(4, 1000);
    assert_eq!(up.last(), Some(&10), "{up:?}");
    let down = service.minutes(8, 400);
    assert!(
        down[..4].iter().all(|n| *n == 10),
        "held for five minutes: {down:?}"
    );
    assert_eq!(down.last(), Some(&4), "{down:?}");
}

#[test]
fn a_service_scaled_to_zero_by_another_writer_stays_there() {
    let mut service = Service::new(4);
    service.minutes(3, 400);
    service.deployment.spec.replicas = Some(0);
    assert_eq!(service.minutes(3, 400), [0, 0, 0]);
    let active = service
        .hpa
        .status
        .conditions
        .iter()
        .find(|c| c.kind == "ScalingActive");
    assert_eq!(active.unwrap().reason, "ScalingDisabled");
    // Someone wakes it with one pod: the minimum comes back at once, and the old size with it, still remembered.
    service.deployment.spec.replicas = Some(1);
    let woken = service.minutes(2, 400);
    assert_eq!(woken, [4, 4], "{woken:?}");
}
