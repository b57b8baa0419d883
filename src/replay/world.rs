//! The engine's view of a recording: objects in memory, queries answered from the series, a note of what was said.

use serde_json::Value;

use super::{Case, cluster, reference};
use crate::canary::{CanaryStatus, Provider};
use crate::engine::{
    self, Cluster, Event, Gauge, HookCall, HookError, Kind, Notice, Object, ObjectRef, Query,
    QueryError, ReadError, Sample, Ticked, Write, WriteError,
};
use crate::evaluator::{QueryCache, judge};
use crate::record::{QueryRecord, Replicas};
use crate::time::Timestamp;
use crate::tsdb::Storage;

/// Marks the template of the revision that the recording is about: any change of the template is a new revision.
const REVISION: &str = "rollcast.dev/replayed-revision";

/// The world.
pub(super) struct ReplayWorld<'s> {
    pub(super) canary: ObjectRef,
    /// Percent for primary and canary.
    pub(super) weights: (i64, i64),
    cluster: Cluster,
    storage: &'s Storage,
    queries: QueryCache,
    provider: Provider,
    target: ObjectRef,
    primary: ObjectRef,
    now: Timestamp,
    said: Said,
}

/// What a tick left behind besides its changes of the cluster.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub(super) events: Vec<Event>,
    pub(super) queries: Vec<QueryRecord>,
    weights: Option<(i64, i64)>,
}

impl<'s> ReplayWorld<'s> {
    pub(super) fn new(case: &Case, storage: &'s Storage) -> Self {
        let mut objects = Cluster::default();
        let mut canary = case.canary.clone();
        let start = case.ticks.start();
        let kind = canary.spec.target_ref.kind.clone();
        canary.status = CanaryStatus::accepted(start, &kind);
        let reference = reference(&canary);
        let name = canary.spec.target_ref.name.clone();
        let deployment =
            |name: String| ObjectRef::new(Kind::Deployment, &*reference.namespace, name);
        let (target, primary) = (
            deployment(name.clone()),
            deployment(format!("{name}-primary")),
        );
        let status = canary.status.clone();
        objects.apply(canary.into());
        if let Some(Object::Canary(stored)) = objects.get_mut(&reference) {
            stored.status = status;
        }
        case.objects
            .iter()
            .cloned()
            .for_each(|object| objects.apply(object));
        cluster::settle(&mut objects);
        ReplayWorld {
            canary: reference,
            weights: (100, 0),
            cluster: objects,
            storage,
            queries: QueryCache::new(case.options.clone()),
            provider: case.provider,
            target,
            primary,
            now: start,
            said: Said::default(),
        }
    }

    /// Changes the target's template: the recorded rollout was of some revision, whatever it was.
    pub(super) fn push_revision(&mut self) {
        if let Some(Object::Deployment(target)) = self.cluster.get(&self.target) {
            let mut target = target.clone();
            let template = target.spec.template.json_mut();
            if !template["metadata"]["annotations"].is_object() {
                template["metadata"]["annotations"] = Value::Object(serde_json::Map::new());
            }
            template["metadata"]["annotations"][REVISION] = Value::from("recorded");
            self.cluster.apply(target.into());
            cluster::settle(&mut self.cluster);
        }
    }

    /// Begins a tick.
    pub(super) fn begin(&mut self, at: Timestamp) {
        self.now = at;
        self.said = Said::default();
    }

    /// Ends a tick: what was asked is judged, and what was written is ready before the next.
    pub(super) fn end(&mut self, ticked: &Ticked) -> Said {
        judge(&mut self.said.queries, &ticked.checks);
        cluster::settle(&mut self.cluster);
        if let Some(reported) = self.said.weights {
            let status = self.status();
            self.weights = match self.provider {
                // It reports 0/100 while it iterates, though no request is routed to the canary (`router/nop.go`).
                Provider::Kubernetes => (100 - status.canary_weight, status.canary_weight),
                _ => reported,
            };
        }
        std::mem::take(&mut self.said)
    }

    /// The Canary's status.
    pub(super) fn status(&self) -> CanaryStatus {
        match self.cluster.get(&self.canary) {
            Some(Object::Canary(canary)) => canary.status.clone(),
            _ => CanaryStatus::default(),
        }
    }

    /// Pods of the primary or of the canary.
    pub(super) fn replicas(&self, primary: bool) -> Replicas {
        let reference = if primary { &self.primary } else { &self.target };
        match self.cluster.get(reference) {
            Some(Object::Deployment(deployment)) => Replicas {
                wanted: deployment.spec.replicas.unwrap_or(1),
                ready: deployment.status.ready_replicas,
            },
            _ => Replicas::default(),
        }
    }
}

impl engine::World for ReplayWorld<'_> {
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
        let (answer, record) = self.queries.ask(query, self.storage, self.now, true);
        self.said.queries.extend(record);
        answer
    }

    /// The recording does not say what hooks answered: they are taken to agree. A rollback hook that agreed would end every
    /// rollout, so those stay silent.
    fn call(&mut self, hook: &HookCall) -> Result<(), HookError> {
        if hook.kind == "rollback" {
            return Err(HookError("not recorded".to_owned()));
        }
        Ok(())
    }

    fn tell(&mut self, notice: Notice) {
        match notice {
            Notice::Event(event) => self.said.events.push(event),
            Notice::Gauge(Gauge::Weight { primary, canary }) => {
                self.said.weights = Some((primary, canary));
            }
            Notice::Gauge(_) | Notice::Alert(_) | Notice::Log(_) => {}
        }
    }
}
