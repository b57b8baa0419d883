//! What the scenario makes happen to the user's objects: pushes, annotations, new configs, edits of the Canary.

use std::sync::Arc;

use super::event::Event;
use super::ticker;
use super::world::{World, interval};
use crate::canary::CanarySpec;
use crate::engine::{Kind, Object, ObjectRef};
use crate::k8s::Deployment;
use crate::scenario::Action;
use crate::time::Timestamp;

impl World {
    /// Carries the scenario's n-th event out.
    pub(super) fn scenario_event(&mut self, index: usize) {
        let scenario = Arc::clone(&self.scenario);
        let object = match &scenario.events[index].action {
            Action::Push(version) => return self.push_version(version),
            Action::Commit(version) => return self.commit(version),
            Action::Delete => return self.delete_canary(),
            Action::Annotate(annotations) => self.target().map(|mut deployment| {
                deployment.metadata.annotations.extend(annotations.clone());
                Object::from(deployment)
            }),
            Action::ConfigMap { name, data } => {
                self.config(Kind::ConfigMap, name).map(|mut object| {
                    if let Object::ConfigMap(config) = &mut object {
                        config.data.extend(data.clone());
                    }
                    object
                })
            }
            Action::Secret { name, data } => self.config(Kind::Secret, name).map(|mut object| {
                if let Object::Secret(config) = &mut object {
                    config.data.extend(data.clone());
                }
                object
            }),
            Action::Edit { spec, .. } => self.edited(spec),
        };
        if let Some(object) = object {
            self.cluster.apply(object);
            self.react();
        }
    }

    /// The target Deployment as it is.
    fn target(&self) -> Option<Deployment> {
        match self.cluster.get(self.routing.target()) {
            Some(Object::Deployment(deployment)) => Some(deployment.clone()),
            _ => None,
        }
    }

    fn config(&self, kind: Kind, name: &str) -> Option<Object> {
        let reference = ObjectRef::new(kind, &self.canary.namespace, name);
        self.cluster.get(&reference).cloned()
    }

    /// The Canary with another spec. A change of its interval waits for Flagger's control loop.
    fn edited(&mut self, spec: &CanarySpec) -> Option<Object> {
        let Some(Object::Canary(canary)) = self.cluster.get(&self.canary) else {
            return None;
        };
        let mut canary = canary.clone();
        canary.spec = spec.clone();
        if interval(&canary) != self.ticker.interval() {
            let start = Timestamp::ZERO - self.scenario.run.warm_up;
            let at = ticker::next_control_loop(start, self.now());
            self.queue.push(at, Event::ControlLoop);
        }
        Some(canary.into())
    }

    /// Another job for the Canary, with the interval that its spec now has; its first tick is at once, or when the tick
    /// under way has ended.
    pub(super) fn start_job(&mut self) {
        if let Some(Object::Canary(canary)) = self.cluster.get(&self.canary)
            && self.ticker.restart(self.now(), interval(canary))
        {
            self.queue.push(self.now(), Event::Tick);
        }
    }
}
