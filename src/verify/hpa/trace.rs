//! Replays a trace: one HPA's life under a real controller, reconcile by reconcile.
//!
//! The world is the trace's timeline; what the controller was told is in each reconcile; what it remembers is ours.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::answers::{Answer, Answers};
use crate::k8s::deployment::Condition;
use crate::k8s::{HorizontalPodAutoscaler, HpaSpec, HpaStatus, api_time};
use crate::sim::hpa::normalize::{Memory, StabilizationWindows};
use crate::sim::hpa::spec::Behavior;
use crate::sim::hpa::{HpaController, HpaDecision, HpaSettings, Moments, PodView, ScaleTarget};
use crate::sim::pods::requests::{ContainerRequests, PodRequests, millis};
use crate::sim::pods::{ConditionStatus, PodPhase, ReadyCondition};
use crate::time::{Span, Timestamp};
use crate::verify::recording::{Case, Moment, Seconds, Tally};

/// One line of the file.
#[derive(Deserialize)]
pub(super) struct Trace {
    id: String,
    #[serde(default)]
    flags: Flags,
    timeline: Vec<Entry>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Flags {
    tolerance: Option<f64>,
    downscale_stabilization_s: Option<Seconds>,
    cpu_initialization_period_s: Option<Seconds>,
    initial_readiness_delay_s: Option<Seconds>,
    scale_to_zero: bool,
}

/// Besides `t` and `by` an entry has one key. Scale and status need not be followed: each reconcile carries the scale
/// it read, and the status is ours to keep.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    t: Moment,
    #[serde(default, deserialize_with = "some_value")]
    hpa: Option<Value>,
    #[serde(default)]
    pod: BTreeMap<String, Option<PodState>>,
    also_selected_by: Option<Vec<String>>,
    #[serde(default)]
    forgotten: bool,
    #[serde(default)]
    restarted: bool,
    reconcile: Option<Box<Reconcile>>,
    #[serde(rename = "target")]
    _target: Option<IgnoredAny>,
    #[serde(rename = "by")]
    _by: Option<IgnoredAny>,
    #[serde(rename = "status")]
    _status: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PodState {
    phase: Phase,
    start: Option<Moment>,
    ready: Option<(Ready, Moment)>,
    #[serde(default)]
    deleting: bool,
    #[serde(default)]
    containers: Vec<Container>,
    #[serde(default)]
    init_containers: Vec<Container>,
    #[serde(default)]
    requests: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Container {
    name: String,
    #[serde(default)]
    requests: Value,
    restart_policy: Option<String>,
}

#[derive(Deserialize)]
enum Phase {
    Pending,
    Running,
    Succeeded,
    Failed,
}

#[derive(Deserialize)]
enum Ready {
    True,
    False,
    Unknown,
}

#[derive(Deserialize)]
struct Reconcile {
    scale: Scale,
    #[serde(default)]
    metrics: Vec<Answer>,
    proposal: Option<i32>,
    #[serde(default)]
    updates: Vec<Update>,
    expect: Expect,
    t_decided: Option<Moment>,
    t_scaled: Option<Moment>,
    status_http: Option<u16>,
    #[serde(default)]
    ambiguous: Vec<String>,
}

/// What reading the scale returned; without `spec` the read failed.
#[derive(Deserialize)]
struct Scale {
    spec: Option<i32>,
    #[serde(default)]
    status: i32,
}

#[derive(Deserialize)]
struct Update {
    t: Moment,
    to: i32,
    http: u16,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    current: i32,
    desired: i32,
    last_scale: Option<Timestamp>,
    conditions: Vec<(String, String, String)>,
    metrics: Vec<Option<Value>>,
}

/// The world of one trace.
#[derive(Default)]
struct World {
    hpa: Option<HorizontalPodAutoscaler>,
    pods: BTreeMap<String, PodView>,
    shared: bool,
}

/// Replays one trace. An error says what of it cannot be understood.
pub(super) fn replay(trace: &Trace, tally: &mut Tally) -> Result<(), String> {
    let mut controller = HpaController::new(settings(&trace.flags));
    let mut world = World::default();
    for entry in &trace.timeline {
        if let Some(spec) = &entry.hpa {
            world.apply_hpa(spec)?;
        }
        for (name, state) in &entry.pod {
            world.apply_pod(name, state.as_ref());
        }
        if let Some(others) = &entry.also_selected_by {
            world.shared = !others.is_empty();
        }
        if entry.forgotten || entry.restarted {
            *controller.memory_mut() = Memory::default();
        }
        if let Some(reconcile) = &entry.reconcile {
            let t = entry.t.0;
            let hpa = world
                .hpa
                .as_mut()
                .ok_or_else(|| format!("a reconcile at {} ms without an HPA", t.as_millis()))?;
            if reconcile.ambiguous.is_empty() {
                let pods: Vec<PodView> = world.pods.values().cloned().collect();
                let case = Case::new(&trace.id, format!("reconcile at {} ms", t.as_millis()));
                let case = check(
                    case,
                    reconcile,
                    t,
                    &mut controller,
                    hpa,
                    &pods,
                    world.shared,
                );
                tally.count(case);
            } else {
                tally.ambiguous += 1;
                take_over(reconcile, t, &mut controller, hpa);
            }
        }
    }
    Ok(())
}

/// Reconciles and compares.
fn check(
    mut case: Case,
    reconcile: &Reconcile,
    t: Timestamp,
    controller: &mut HpaController,
    hpa: &mut HorizontalPodAutoscaler,
    pods: &[PodView],
    shared: bool,
) -> Case {
    let before = hpa.status.clone();
    let mut answers = Answers::new(&reconcile.metrics);
    let target = reconcile.scale.spec.map(|spec_replicas| ScaleTarget {
        spec_replicas,
        status_replicas: reconcile.scale.status,
        pods,
        shared: shared && !pods.is_empty(),
    });
    let decision = controller.reconcile(hpa, target, &mut answers, moments(reconcile, t));
    let HpaDecision {
        scale_to, proposal, ..
    } = decision;
    let written = reconcile.updates.last().map(|u| u.to);
    case.compare("scale", &written, &scale_to);
    case.compare("proposal", &reconcile.proposal, &proposal);
    if let Some(surprise) = answers.surprise() {
        case.differs("metrics asked for", surprise.expected, surprise.got);
    }
    let (expect, status) = (&reconcile.expect, &mut hpa.status);
    if last_scale_is_open(reconcile) {
        status.last_scale_time = expect.last_scale;
    }
    case.compare("current", &expect.current, &status.current_replicas);
    case.compare("desired", &expect.desired, &status.desired_replicas);
    case.compare("last_scale", &expect.last_scale, &status.last_scale_time);
    case.compare("conditions", &expect.conditions, &conditions(status));
    case.compare("metrics", &expect.metrics, &reported(status));
    if reconcile.status_http.is_some() {
        // The status was computed but could not be written: the next pass starts from the old one.
        hpa.status = before;
    }
    case
}

/// `lastScaleTime` is taken somewhere between the write of the scale and `t_scaled`, which is when it showed. Where a
/// second begins between the two, the recording alone knows which it was.
fn last_scale_is_open(reconcile: &Reconcile) -> bool {
    let (Some(update), Some(scaled)) = (reconcile.updates.last(), reconcile.t_scaled) else {
        return false;
    };
    let (earliest, latest) = (api_time(update.t.0), api_time(scaled.0));
    earliest < latest && reconcile.expect.last_scale == Some(earliest)
}

/// What the recording says happened, for a reconcile that cannot be decided: into our memory and the status.
fn take_over(
    reconcile: &Reconcile,
    t: Timestamp,
    controller: &mut HpaController,
    hpa: &mut HorizontalPodAutoscaler,
) {
    let at = moments(reconcile, t);
    let behavior = Behavior::read(&hpa.spec.behavior);
    let flag = controller.settings().downscale_stabilization;
    let memory = controller.memory_mut();
    if let Some(current) = reconcile.scale.spec {
        memory.note_first(current, at.read);
        match (reconcile.proposal, &behavior) {
            (None, _) => {}
            (Some(proposal), None) => {
                memory.stabilize_legacy(proposal, flag, at.decided);
            }
            (Some(proposal), Some(behavior)) => {
                let windows = StabilizationWindows::of(behavior, flag);
                memory.stabilize(proposal, current, windows, at.decided);
            }
        }
        let written = reconcile.updates.iter().find(|u| u.http < 300);
        if let Some(update) = written {
            memory.note_scaled(current, update.to, behavior.as_ref(), at.scaled);
        }
    }
    let (expect, status) = (&reconcile.expect, &mut hpa.status);
    status.current_replicas = expect.current;
    status.desired_replicas = expect.desired;
    status.last_scale_time = expect.last_scale;
    status.conditions = expect
        .conditions
        .iter()
        .map(|(kind, status, reason)| Condition {
            kind: kind.clone(),
            status: status.clone(),
            reason: reason.clone(),
            ..Condition::default()
        })
        .collect();
}

/// In a trace `t` is when the scale was read; the other moments are given where they matter.
fn moments(reconcile: &Reconcile, t: Timestamp) -> Moments {
    let decided = reconcile.t_decided.map_or(t, |m| m.0);
    Moments {
        read: t,
        decided,
        scaled: reconcile.t_scaled.map_or(decided, |m| m.0),
    }
}

fn settings(flags: &Flags) -> HpaSettings {
    let mut settings = HpaSettings::default();
    let set = |seconds: Option<Seconds>, field: &mut Span| {
        if let Some(Seconds(span)) = seconds {
            *field = span;
        }
    };
    let readiness = &mut settings.cpu_readiness;
    set(
        flags.cpu_initialization_period_s,
        &mut readiness.initialization_period,
    );
    set(
        flags.initial_readiness_delay_s,
        &mut readiness.initial_readiness_delay,
    );
    set(
        flags.downscale_stabilization_s,
        &mut settings.downscale_stabilization,
    );
    settings.tolerance = flags.tolerance.unwrap_or(settings.tolerance);
    settings.scale_to_zero = flags.scale_to_zero;
    settings
}

fn conditions(status: &HpaStatus) -> Vec<(String, String, String)> {
    let conditions = status.conditions.iter();
    conditions
        .map(|c| (c.kind.clone(), c.status.clone(), c.reason.clone()))
        .collect()
}

/// The reported values by position; `None` for a metric that failed.
fn reported(status: &HpaStatus) -> Vec<Option<Value>> {
    let entries = status.current_metrics.as_array();
    let current = |entry: &Value| {
        let bodies = entry.as_object()?.values();
        bodies
            .filter_map(|body| body.get("current"))
            .next()
            .cloned()
    };
    entries.into_iter().flatten().map(current).collect()
}

impl World {
    fn apply_hpa(&mut self, spec: &Value) -> Result<(), String> {
        if spec.is_null() {
            self.hpa = None;
            return Ok(());
        }
        let spec = HpaSpec::deserialize(spec).map_err(|e| format!("the HPA's spec: {e}"))?;
        self.hpa.get_or_insert_default().spec = spec;
        Ok(())
    }

    fn apply_pod(&mut self, name: &str, state: Option<&PodState>) {
        match state {
            Some(state) => self.pods.insert(name.to_owned(), state.view(name)),
            None => self.pods.remove(name),
        };
    }
}

impl PodState {
    fn view(&self, name: &str) -> PodView {
        let container = |c: &Container| ContainerRequests {
            name: c.name.clone(),
            requests: millis(&c.requests),
        };
        let stays = |c: &&Container| c.restart_policy.as_deref() == Some("Always");
        PodView {
            name: name.into(),
            phase: match self.phase {
                Phase::Pending => PodPhase::Pending,
                Phase::Running => PodPhase::Running,
                Phase::Succeeded => PodPhase::Succeeded,
                Phase::Failed => PodPhase::Failed,
            },
            terminating: self.deleting,
            start_time: self.start.map(|m| m.0),
            ready: self.ready.as_ref().map(|(status, at)| ReadyCondition {
                status: match status {
                    Ready::True => ConditionStatus::True,
                    Ready::False => ConditionStatus::False,
                    Ready::Unknown => ConditionStatus::Unknown,
                },
                last_transition: at.0,
            }),
            requests: Arc::new(PodRequests {
                pod: millis(&self.requests),
                containers: self.containers.iter().map(container).collect(),
                sidecars: self
                    .init_containers
                    .iter()
                    .filter(stays)
                    .map(container)
                    .collect(),
            }),
        }
    }
}

/// Tells a null from an absent value.
fn some_value<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}
