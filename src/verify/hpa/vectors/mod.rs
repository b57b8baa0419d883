//! Replays vectors: rows transcribed from upstream's unit tests of the HPA controller.
//!
//! CPU and custom metrics are whole milli-units, ages are seconds before a frozen now, and a null age is infinitely old.

mod behaviour;
mod calculator;
mod reconcile;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::diagnostic::Diagnostic;
use crate::sim::hpa::PodView;
use crate::sim::hpa::replicas::{CpuReadiness, Tolerance};
use crate::sim::hpa::spec::Behavior;
use crate::sim::pods::requests::{ContainerRequests, PodRequests};
use crate::sim::pods::{ConditionStatus, PodPhase, ReadyCondition};
use crate::time::{Span, Timestamp};
use crate::verify::recording::{Case, Tally};

/// The moment at which all rows are evaluated.
const NOW: Timestamp = Timestamp::ZERO;
/// A null age. Far enough for every period, and no sum with one overflows.
const INFINITELY_OLD: Timestamp = Timestamp::from_millis(i64::MIN / 4);

#[derive(Deserialize)]
struct File {
    replica_calculator: Vec<calculator::ReplicasRow>,
    group_pods: Vec<calculator::GroupRow>,
    calculate_requests: Vec<calculator::RequestsRow>,
    scale_behaviour: Vec<behaviour::Row>,
    reconcile: Vec<reconcile::Row>,
}

/// Replays all rows of a file.
pub(super) fn replay(name: &str, text: &str, tally: &mut Tally) -> Result<(), Diagnostic> {
    let file: File = serde_json::from_str(text).map_err(|error| {
        Diagnostic::new(format!("{name}:{}: not HPA vectors: {error}", error.line()))
    })?;
    let mut count = |array: &str, row_name: &str, check: &dyn Fn(&mut Case)| {
        let mut case = Case::new(row_name, array);
        check(&mut case);
        tally.count(case);
    };
    for row in &file.replica_calculator {
        count("replica_calculator", &row.name, &|case| row.check(case));
    }
    for row in &file.group_pods {
        count("group_pods", &row.name, &|case| row.check(case));
    }
    for row in &file.calculate_requests {
        count("calculate_requests", &row.name, &|case| row.check(case));
    }
    for row in &file.scale_behaviour {
        count("scale_behaviour", &row.name, &|case| row.check(case));
    }
    for row in &file.reconcile {
        count("reconcile", &row.name, &|case| row.check(case));
    }
    Ok(())
}

/// The moment `age` seconds before now.
fn aged(age: Option<i32>) -> Timestamp {
    age.map_or(INFINITELY_OLD, |s| NOW - seconds(s))
}

fn seconds(s: i32) -> Span {
    Span::from_secs(i64::from(s))
}

#[derive(Clone, Copy, Deserialize)]
struct ToleranceRow {
    scale_down: f64,
    scale_up: f64,
}

impl ToleranceRow {
    fn tolerance(self) -> Tolerance {
        Tolerance {
            down: self.scale_down,
            up: self.scale_up,
        }
    }
}

fn cpu_readiness(initialization_s: i32, delay_s: i32) -> CpuReadiness {
    CpuReadiness {
        initialization_period: seconds(initialization_s),
        initial_readiness_delay: seconds(delay_s),
    }
}

/// A pod of the replica calculator's and the reconciles' tests. Its containers are the caller's to name.
#[derive(Deserialize)]
struct PodRow {
    name: String,
    ready: bool,
    phase: Phase,
    deleted: bool,
    start_age_s: Option<i32>,
    ready_transition_age_s: Option<i32>,
}

#[derive(Clone, Copy, Deserialize)]
enum Phase {
    Pending,
    Running,
    Succeeded,
    Failed,
}

impl Phase {
    fn phase(self) -> PodPhase {
        match self {
            Phase::Pending => PodPhase::Pending,
            Phase::Running => PodPhase::Running,
            Phase::Succeeded => PodPhase::Succeeded,
            Phase::Failed => PodPhase::Failed,
        }
    }
}

impl PodRow {
    /// Containers by name, each with its CPU request, or its request of `resource`.
    fn view(&self, resource: &str, containers: &[(&str, Option<i64>)]) -> PodView {
        let containers = containers.iter().map(|(name, request)| {
            let request = request.map(|r| (resource.to_owned(), r));
            ContainerRequests {
                name: (*name).to_owned(),
                requests: request.into_iter().collect(),
            }
        });
        let status = if self.ready {
            ConditionStatus::True
        } else {
            ConditionStatus::False
        };
        PodView {
            name: self.name.as_str().into(),
            phase: self.phase.phase(),
            terminating: self.deleted,
            start_time: Some(aged(self.start_age_s)),
            ready: Some(ReadyCondition {
                status,
                last_transition: aged(self.ready_transition_age_s),
            }),
            requests: Arc::new(PodRequests {
                pod: BTreeMap::new(),
                containers: containers.collect(),
                sidecars: Vec::new(),
            }),
        }
    }
}

/// `spec.behavior` in the vectors' spelling.
#[derive(Deserialize)]
struct BehaviourRow {
    scale_up: Option<RulesRow>,
    scale_down: Option<RulesRow>,
}

#[derive(Deserialize)]
struct RulesRow {
    select_policy: Option<String>,
    stabilization_window_s: Option<i32>,
    #[serde(default)]
    policies: Vec<PolicyRow>,
    tolerance: Option<f64>,
}

#[derive(Deserialize)]
struct PolicyRow {
    #[serde(rename = "type")]
    kind: String,
    value: i32,
    period_s: i32,
}

impl BehaviourRow {
    /// As a manifest would write it. `with_tolerance` is false where the gate HPAConfigurableTolerance is off.
    fn json(&self, with_tolerance: bool) -> Value {
        let rules = |rules: &Option<RulesRow>| match rules {
            None => Value::Null,
            Some(rules) => json!({
                "selectPolicy": rules.select_policy,
                "stabilizationWindowSeconds": rules.stabilization_window_s,
                "policies": rules.policies.iter().map(|p| json!({
                    "type": p.kind, "value": p.value, "periodSeconds": p.period_s,
                })).collect::<Vec<_>>(),
                "tolerance": rules.tolerance.filter(|_| with_tolerance),
            }),
        };
        json!({ "scaleUp": rules(&self.scale_up), "scaleDown": rules(&self.scale_down) })
    }

    fn behavior(&self) -> Option<Behavior> {
        Behavior::read(&self.json(true))
    }
}
