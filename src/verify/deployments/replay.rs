//! Replays a trace step by step: apply, settle, compare.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::trace::{
    Action, Class, Conditions, DeploymentState, PodCounts, Pods, RecordedSize, ReplicaSetState,
    Spec, State, Step, Trace,
};
use crate::k8s::{Deployment, DeploymentSpec};
use crate::sim::deployment::{DeploymentController, PodAction, REVISION_ANNOTATION, Synced};
use crate::sim::pods::{Deletion, NodeId, Pod, PodId, PodPhase, PodSet, Revision};
use crate::time::{Span, Timestamp};
use crate::verify::recording::{Case, Tally};

/// All pods of a recording sit on one node.
const NODE: NodeId = NodeId(0);
/// Time between the steps of a trace in which time does not matter. The recorder kept creations of ReplicaSets in
/// different seconds, since within one the name decides which is older.
const PACE: Span = Span::from_secs(1);

/// Replays one trace.
pub(super) fn replay(trace: &Trace, tally: &mut Tally) {
    let mut world = World {
        deployment: Deployment::default(),
        controller: DeploymentController::new(),
        pods: PodSet::new(),
        now: Timestamp::ZERO,
        scheduled_from_birth: !trace.spec.unscheduled,
        sizes: Vec::new(),
        revisions: BTreeSet::new(),
    };
    for (index, step) in trace.steps.iter().enumerate() {
        let mut case = Case::new(&trace.id, format!("step {index}"));
        let (applied_at, read_at) = match (step.t_ms, &step.action) {
            (Some((applied_at, read_at)), _) => (applied_at.0, read_at.0),
            (None, Action::WaitMs(ms)) => {
                let applied_at = world.now + PACE;
                (applied_at, applied_at + Span::from_millis(i64::from(*ms)))
            }
            (None, _) => (world.now + PACE, world.now + PACE),
        };
        world.run_until(applied_at);
        world.sizes.clear();
        if let Err(short) = world.apply(&step.action, &trace.spec) {
            case.differs("do", format!("{:?}", step.action), short);
        }
        world.run_until(read_at);
        compare(step, &world, &mut case);
        tally.count(case);
    }
}

fn compare(step: &Step, world: &World, case: &mut Case) {
    if !step.varies.contains("rs_path") {
        case.compare("rs_path", &step.rs_path, &world.sizes);
    }
    let json = |state: &State| serde_json::to_value(state).expect("a state has text keys only");
    differences("", &json(&step.expect), &json(&world.state()), step, case);
}

/// Compares two states field by field; a field is named by its path.
fn differences(path: &str, expected: &Value, got: &Value, step: &Step, case: &mut Case) {
    if expected == got || step.varies.contains(path) {
        return;
    }
    let (Value::Object(expected), Value::Object(got)) = (expected, got) else {
        return case.differs(path, expected.to_string(), got.to_string());
    };
    let keys: BTreeSet<&String> = expected.keys().chain(got.keys()).collect();
    for key in keys {
        let path = match path {
            "" => key.clone(),
            path => format!("{path}.{key}"),
        };
        let of = |map: &serde_json::Map<String, Value>| match map.get(key) {
            Some(value) => value.clone(),
            None => Value::from("absent"),
        };
        differences(&path, &of(expected), &of(got), step, case);
    }
}

/// The Deployment `app` and all that belongs to it.
struct World {
    deployment: Deployment,
    controller: DeploymentController,
    pods: PodSet,
    now: Timestamp,
    scheduled_from_birth: bool,
    /// Sizes gone through in this step.
    sizes: Vec<RecordedSize>,
    /// Revisions that ever had a ReplicaSet.
    revisions: BTreeSet<String>,
}

impl World {
    /// Lets time pass, and the controllers act when they have asked for it.
    fn run_until(&mut self, end: Timestamp) {
        while let Some(wake) = self.controller.next_wake().filter(|at| *at <= end) {
            self.now = wake;
            self.settle();
        }
        self.now = self.now.max(end);
    }

    /// Runs the controllers until nothing changes.
    fn settle(&mut self) {
        let mut synced = Synced::default();
        loop {
            let (deployment, pods) = (&mut self.deployment, &mut self.pods);
            let changed = self
                .controller
                .step(deployment, pods, self.now, &mut synced);
            for action in synced.pods.drain(..) {
                if let (PodAction::Created { pod, .. }, true) = (action, self.scheduled_from_birth)
                {
                    self.pods.scheduled(pod, NODE, self.now);
                }
            }
            if !changed {
                break;
            }
        }
        for size in synced.sizes {
            let revision = image(&size.revision);
            self.revisions.insert(revision.clone());
            self.sizes.push((revision, size.from, size.to));
        }
    }

    /// Applies an action and settles. An error says how many pods there were instead.
    fn apply(&mut self, action: &Action, created: &Spec) -> Result<(), String> {
        match action {
            Action::Create(_) => {
                self.deployment.metadata.name = "app".to_owned();
                self.write(|spec| *spec = created.deployment_spec());
            }
            Action::SetImage(image) => self.write(|spec| spec.template.set_image(image)),
            Action::Scale(replicas) => self.write(|spec| spec.replicas = Some(replicas.0)),
            Action::Pause(paused) => self.write(|spec| spec.paused = *paused),
            Action::Set(change) => self.write(|spec| change.apply(spec)),
            Action::WaitMs(_) => {}
            Action::PodReady(pods) => {
                let at_once = self.deployment.spec.min_ready_seconds > 0;
                return self.each(pods, Class::Pending, at_once, |set, id, now| {
                    if set.get(id).is_some_and(|p| p.phase == PodPhase::Pending) {
                        set.running(id, now);
                    }
                    set.ready(id, now)
                });
            }
            Action::PodRunning(pods) => {
                return self.each(pods, Class::Pending, false, PodSet::running);
            }
            Action::PodUnready(pods) => {
                return self.each(pods, Class::Ready, false, PodSet::unready);
            }
            Action::PodFailed(pods) => {
                return self.each(pods, Class::Ready, false, PodSet::failed);
            }
            Action::PodDeleted(pods) => {
                return self.each(pods, Class::Ready, false, |set, id, now| {
                    set.delete(id, now) != Deletion::Nothing
                });
            }
            Action::PodGone(pods) => {
                return self.each(pods, Class::Terminating, false, |set, id, _| {
                    set.gone(id).is_some()
                });
            }
            Action::PodScheduled(pods) => {
                return self.each(pods, Class::Pending, false, |set, id, now| {
                    set.scheduled(id, NODE, now)
                });
            }
        }
        Ok(())
    }

    /// Writes the spec; the API server counts generations.
    fn write(&mut self, change: impl FnOnce(&mut DeploymentSpec)) {
        let before = self.deployment.spec.clone();
        change(&mut self.deployment.spec);
        if self.deployment.spec != before {
            self.deployment.metadata.generation += 1;
        }
        self.settle();
    }

    /// Changes pods of a class one at a time, oldest first, settling after each; or all in one instant.
    fn each(
        &mut self,
        pods: &Pods,
        default_class: Class,
        at_once: bool,
        mut change: impl FnMut(&mut PodSet, PodId, Timestamp) -> bool,
    ) -> Result<(), String> {
        let class = pods.from.unwrap_or(default_class);
        for done in 0..pods.n {
            let of_class = |p: &&Pod| image(&p.revision) == pods.revision && class_of(p) == class;
            let ids: Vec<PodId> = self.pods.iter().filter(of_class).map(|p| p.id).collect();
            let (set, now) = (&mut self.pods, self.now);
            if !ids.into_iter().any(|id| change(set, id, now)) {
                self.settle();
                return Err(format!("{done} such pods"));
            }
            if !at_once {
                self.settle();
            }
        }
        self.settle();
        Ok(())
    }

    fn state(&self) -> State {
        let deployment = &self.deployment;
        let status = &deployment.status;
        let mut replica_sets: BTreeMap<String, Option<ReplicaSetState>> =
            self.revisions.iter().map(|r| (r.clone(), None)).collect();
        for set in self.controller.replica_sets() {
            let state = ReplicaSetState {
                spec_replicas: set.replicas,
                replicas: set.status.replicas,
                ready_replicas: set.status.ready,
                available_replicas: set.status.available,
                terminating_replicas: set.status.terminating,
                desired_annotation: set.desired_annotation,
                max_annotation: set.max_annotation,
                revision: set.revision_number.to_string(),
            };
            replica_sets.insert(image(&set.revision), Some(state));
        }
        let mut pods: BTreeMap<String, PodCounts> = BTreeMap::new();
        for pod in self.pods.iter() {
            let counts = pods.entry(image(&pod.revision)).or_default();
            *match class_of(pod) {
                Class::Pending => &mut counts.pending,
                Class::Unready => &mut counts.unready,
                Class::Ready => &mut counts.ready,
                Class::Terminating => &mut counts.terminating,
                Class::Failed => &mut counts.failed,
            } += 1;
        }
        State {
            deployment: DeploymentState {
                generation: deployment.metadata.generation,
                revision: deployment
                    .metadata
                    .annotations
                    .get(REVISION_ANNOTATION)
                    .cloned(),
                spec_replicas: deployment.spec.replicas.unwrap_or(1),
                observed_generation: status.observed_generation,
                replicas: status.replicas,
                updated_replicas: status.updated_replicas,
                ready_replicas: status.ready_replicas,
                available_replicas: status.available_replicas,
                unavailable_replicas: status.unavailable_replicas,
                terminating_replicas: status.terminating_replicas.unwrap_or(0),
                conditions: self.conditions(),
            },
            replica_sets,
            pods,
        }
    }

    /// Conditions, with the image in place of the template hash.
    fn conditions(&self) -> Conditions {
        let conditions = self.deployment.status.conditions.iter().map(|c| {
            let sets = self.controller.replica_sets().iter();
            let message = sets.fold(c.message.clone(), |message, set| {
                message.replace(&set.revision.template_hash, &image(&set.revision))
            });
            (
                c.kind.clone(),
                (c.status.clone(), c.reason.clone(), message),
            )
        });
        Conditions(conditions.collect())
    }
}

/// What a trace calls a revision.
fn image(revision: &Revision) -> String {
    revision.template.image().unwrap_or_default().to_owned()
}

fn class_of(pod: &Pod) -> Class {
    if pod.is_terminating() {
        Class::Terminating
    } else if pod.phase == PodPhase::Failed {
        Class::Failed
    } else if pod.phase == PodPhase::Pending {
        Class::Pending
    } else if pod.is_ready() {
        Class::Ready
    } else {
        Class::Unready
    }
}
