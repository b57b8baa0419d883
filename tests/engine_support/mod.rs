//! A small world for stories about the engine: Deployments are ready as soon as a tick is over, metrics and hooks
//! answer what the story says.

#![allow(dead_code, reason = "each story uses its own part")]

use std::collections::BTreeMap;

use rollcast::canary::{Canary, CanaryStatus};
use rollcast::engine::{
    Alert, Cluster, Event, Gauge, HookCall, HookError, Kind, Notice, Object, ObjectRef, Query,
    QueryError, ReadError, Sample, Settings, Ticked, World, Write, WriteError, tick,
};
use rollcast::k8s::{Condition, Deployment};
use rollcast::time::{Span, Timestamp};
use serde_json::{Value, json};

pub(crate) const NAMESPACE: &str = "apps";
pub(crate) const NAME: &str = "load-harness";

/// The world, and what it heard.
#[derive(Clone)]
pub(crate) struct Story {
    pub(crate) cluster: Cluster,
    pub(crate) settings: Settings,
    /// Metric name to value; missing means no values.
    pub(crate) metrics: BTreeMap<String, f64>,
    /// Hook name to error; missing means it passes.
    pub(crate) closed: BTreeMap<String, String>,
    pub(crate) events: Vec<Event>,
    pub(crate) alerts: Vec<Alert>,
    pub(crate) queries: Vec<Query>,
    /// Percent for primary and canary, each time they were reported.
    pub(crate) weights: Vec<(i64, i64)>,
    pub(crate) now: Timestamp,
}

impl World for Story {
    fn look(
        &mut self,
        object: &ObjectRef,
        see: &mut dyn FnMut(Option<&Object>),
    ) -> Result<(), ReadError> {
        see(self.cluster.get(object));
        Ok(())
    }

    fn write(&mut self, write: Write) -> Result<(), WriteError> {
        self.cluster.write(write)
    }

    fn query(&mut self, query: &Query) -> Result<Vec<Sample>, QueryError> {
        self.queries.push(query.clone());
        let value = match query.text.as_str() {
            "vector(1)" => Some(1.0),
            _ => self.metrics.get(&query.metric).copied(),
        };
        Ok(value.map(|value| Sample { value }).into_iter().collect())
    }

    fn call(&mut self, hook: &HookCall) -> Result<(), HookError> {
        match self.closed.get(&hook.name) {
            Some(error) => Err(HookError(error.clone())),
            None => Ok(()),
        }
    }

    fn tell(&mut self, notice: Notice) {
        match notice {
            Notice::Event(event) => self.events.push(event),
            Notice::Alert(alert) => self.alerts.push(alert),
            Notice::Gauge(Gauge::Weight { primary, canary }) => {
                self.weights.push((primary, canary))
            }
            Notice::Gauge(_) | Notice::Log(_) => {}
        }
    }
}

impl Story {
    /// A Canary, its target with so many replicas, and whatever else is there.
    pub(crate) fn new(
        settings: Settings,
        canary: Value,
        replicas: i32,
        others: Vec<Object>,
    ) -> Self {
        let mut cluster = Cluster::default();
        let canary: Canary =
            serde_json::from_value(canary).expect("the story's Canary is readable");
        cluster.apply(canary.into());
        let target: Deployment = serde_json::from_value(json!({
            "metadata": { "name": NAME, "namespace": NAMESPACE },
            "spec": {
                "replicas": replicas,
                "selector": { "matchLabels": { "app": NAME } },
                "template": {
                    "metadata": { "labels": { "app": NAME } },
                    "spec": { "containers": [{ "name": "app", "image": "v1" }] },
                },
            },
        }))
        .expect("the story's Deployment is readable");
        cluster.apply(target.into());
        others.into_iter().for_each(|object| cluster.apply(object));
        Story {
            cluster,
            settings,
            metrics: BTreeMap::new(),
            closed: BTreeMap::new(),
            events: Vec::new(),
            alerts: Vec::new(),
            queries: Vec::new(),
            weights: Vec::new(),
            now: Timestamp::ZERO,
        }
    }

    /// Ticks until the Canary is Initialized, then forgets what was heard.
    pub(crate) fn initialized(mut self) -> Self {
        self.tick();
        self.tick();
        assert_eq!(
            self.status().phase.as_str(),
            "Initialized",
            "{:?}",
            self.events
        );
        self.events.clear();
        self.alerts.clear();
        self.queries.clear();
        self.now = Timestamp::ZERO;
        self
    }

    /// Changes the image of the target.
    pub(crate) fn push(&mut self, image: &str) {
        let mut target = self.deployment(NAME);
        target.spec.template.set_image(image);
        self.cluster.apply(target.into());
    }

    /// One tick; then every Deployment becomes ready and 30 seconds pass.
    pub(crate) fn tick(&mut self) -> Ticked {
        self.tick_without_progress(&[])
    }

    /// One tick; then every Deployment but these becomes ready and 30 seconds pass.
    pub(crate) fn tick_without_progress(&mut self, stuck: &[&str]) -> Ticked {
        let settings = self.settings.clone();
        let canary = ObjectRef::new(Kind::Canary, NAMESPACE, NAME);
        let now = self.now;
        let ticked = tick(&canary, &settings, now, self);
        for name in [NAME.to_owned(), format!("{NAME}-primary")] {
            if stuck.contains(&name.as_str()) {
                continue;
            }
            let reference = ObjectRef::new(Kind::Deployment, NAMESPACE, name);
            if let Some(Object::Deployment(d)) = self.cluster.get_mut(&reference) {
                make_ready(d);
            }
        }
        self.now += Span::from_secs(30);
        ticked
    }

    /// Makes every pod of a Deployment ready.
    pub(crate) fn become_ready(&mut self, name: &str) {
        make_ready(self.deployment_mut(name));
    }

    /// Leaves a Deployment without an available pod.
    pub(crate) fn lose_pods(&mut self, name: &str) {
        let d = self.deployment_mut(name);
        make_ready(d);
        d.status.available_replicas = 0;
    }

    /// Takes a Deployment's new pods away and marks its rollout as stuck for good.
    pub(crate) fn exceed_deadline(&mut self, name: &str) {
        self.lose_pods(name);
        let d = self.deployment_mut(name);
        d.status.conditions = vec![Condition {
            kind: "Progressing".to_owned(),
            status: "False".to_owned(),
            reason: "ProgressDeadlineExceeded".to_owned(),
            ..Condition::default()
        }];
    }

    pub(crate) fn status(&self) -> CanaryStatus {
        match self
            .cluster
            .get(&ObjectRef::new(Kind::Canary, NAMESPACE, NAME))
        {
            Some(Object::Canary(canary)) => canary.status.clone(),
            _ => panic!("the Canary exists"),
        }
    }

    pub(crate) fn deployment(&self, name: &str) -> Deployment {
        match self
            .cluster
            .get(&ObjectRef::new(Kind::Deployment, NAMESPACE, name))
        {
            Some(Object::Deployment(d)) => d.clone(),
            _ => panic!("{name} exists"),
        }
    }

    fn deployment_mut(&mut self, name: &str) -> &mut Deployment {
        let reference = ObjectRef::new(Kind::Deployment, NAMESPACE, name);
        match self.cluster.get_mut(&reference) {
            Some(Object::Deployment(d)) => d,
            _ => panic!("{name} exists"),
        }
    }

    /// Replicas wanted of (primary, canary).
    pub(crate) fn replicas(&self) -> (i32, i32) {
        let replicas = |name: &str| self.deployment(name).spec.replicas.unwrap_or(1);
        (replicas(&format!("{NAME}-primary")), replicas(NAME))
    }

    /// The messages heard since the last call.
    pub(crate) fn heard(&mut self) -> Vec<String> {
        self.events.drain(..).map(|event| event.message).collect()
    }
}

fn make_ready(d: &mut Deployment) {
    let replicas = d.spec.replicas.unwrap_or(1);
    d.status.observed_generation = d.metadata.generation;
    d.status.replicas = replicas;
    d.status.updated_replicas = replicas;
    d.status.ready_replicas = replicas;
    d.status.available_replicas = replicas;
    d.status.conditions.clear();
}
