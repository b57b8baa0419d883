//! The format of a Deployment trace.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::k8s::{DeploymentSpec, IntOrPercent, PodTemplate};
use crate::verify::recording::Moment;

/// One line of the file.
#[derive(Deserialize)]
pub(super) struct Trace {
    pub(super) id: String,
    pub(super) spec: Spec,
    pub(super) steps: Vec<Step>,
}

/// The Deployment as created. A revision is named by its image.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Spec {
    image: String,
    replicas: Replicas,
    strategy: Strategy,
    #[serde(default)]
    min_ready_seconds: i32,
    progress_deadline_seconds: Option<i32>,
    revision_history_limit: Option<i32>,
    #[serde(default)]
    paused: bool,
    /// Pods are created without a node; otherwise they have one from birth.
    #[serde(default)]
    pub(super) unscheduled: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Strategy {
    #[serde(rename = "type")]
    kind: String,
    max_surge: Option<Limit>,
    max_unavailable: Option<Limit>,
}

/// One action and what came of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Step {
    #[serde(rename = "do")]
    pub(super) action: Action,
    pub(super) expect: State,
    pub(super) rs_path: Vec<RecordedSize>,
    /// When the action was applied and when the state was read; only where time matters.
    pub(super) t_ms: Option<(Moment, Moment)>,
    /// What came out differently when the trace was recorded again.
    #[serde(default)]
    pub(super) varies: BTreeSet<String>,
}

/// A revision, and a ReplicaSet's size before and after: null where it was created or deleted.
pub(super) type RecordedSize = (String, Option<i32>, Option<i32>);

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Action {
    Create(Nothing),
    SetImage(String),
    Scale(Replicas),
    Pause(bool),
    Set(Change),
    PodReady(Pods),
    PodRunning(Pods),
    PodUnready(Pods),
    PodFailed(Pods),
    PodDeleted(Pods),
    PodGone(Pods),
    PodScheduled(Pods),
    WaitMs(i32),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

/// Several fields of the spec in one write.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Change {
    image: Option<String>,
    replicas: Option<Replicas>,
    strategy: Option<Strategy>,
    min_ready_seconds: Option<i32>,
    progress_deadline_seconds: Option<i32>,
    revision_history_limit: Option<i32>,
}

/// Sizes beyond this are refused: each pod is replayed.
const MOST_REPLICAS: i32 = 2_000;

/// A number of pods, or a percentage of them.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Value")]
struct Limit(Value);

impl TryFrom<Value> for Limit {
    type Error = String;
    fn try_from(limit: Value) -> Result<Self, String> {
        match IntOrPercent::read(&limit) {
            Some(IntOrPercent::Int(0..=MOST_REPLICAS) | IntOrPercent::Percent(0..=1000)) => {
                Ok(Limit(limit))
            }
            _ => Err(format!("{limit} is no bound of a rolling update")),
        }
    }
}

/// A size that can be replayed pod by pod.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "i32")]
pub(super) struct Replicas(pub(super) i32);

impl TryFrom<i32> for Replicas {
    type Error = String;
    fn try_from(replicas: i32) -> Result<Self, String> {
        if (0..=MOST_REPLICAS).contains(&replicas) {
            Ok(Replicas(replicas))
        } else {
            Err(format!(
                "{replicas} replicas are more than can be replayed ({MOST_REPLICAS})"
            ))
        }
    }
}

/// So many pods of a revision and a class.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pods {
    pub(super) revision: String,
    pub(super) from: Option<Class>,
    pub(super) n: usize,
}

/// What a pod is counted as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Class {
    Pending,
    Unready,
    Ready,
    Terminating,
    Failed,
}

/// The settled state, recorded or ours.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct State {
    pub(super) deployment: DeploymentState,
    /// Null for a ReplicaSet that was deleted.
    pub(super) replica_sets: BTreeMap<String, Option<ReplicaSetState>>,
    pub(super) pods: BTreeMap<String, PodCounts>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct DeploymentState {
    pub(super) generation: i64,
    pub(super) revision: Option<String>,
    #[serde(rename = "spec_replicas")]
    pub(super) spec_replicas: i32,
    pub(super) observed_generation: i64,
    pub(super) replicas: i32,
    pub(super) updated_replicas: i32,
    pub(super) ready_replicas: i32,
    pub(super) available_replicas: i32,
    pub(super) unavailable_replicas: i32,
    pub(super) terminating_replicas: i32,
    pub(super) conditions: Conditions,
}

/// By type: status, reason, message. The file has a list sorted by type.
#[derive(Deserialize, Serialize)]
#[serde(from = "Vec<(String, String, String, String)>")]
pub(super) struct Conditions(pub(super) BTreeMap<String, (String, String, String)>);

impl From<Vec<(String, String, String, String)>> for Conditions {
    fn from(list: Vec<(String, String, String, String)>) -> Self {
        let conditions = list.into_iter();
        Conditions(
            conditions
                .map(|(kind, s, r, m)| (kind, (s, r, m)))
                .collect(),
        )
    }
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ReplicaSetState {
    #[serde(rename = "spec_replicas")]
    pub(super) spec_replicas: i32,
    pub(super) replicas: i32,
    pub(super) ready_replicas: i32,
    pub(super) available_replicas: i32,
    pub(super) terminating_replicas: i32,
    #[serde(rename = "desired_annotation")]
    pub(super) desired_annotation: i32,
    #[serde(rename = "max_annotation")]
    pub(super) max_annotation: i32,
    pub(super) revision: String,
}

#[derive(Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PodCounts {
    pub(super) pending: usize,
    pub(super) unready: usize,
    pub(super) ready: usize,
    pub(super) terminating: usize,
    pub(super) failed: usize,
}

impl Spec {
    /// As a manifest would write it.
    pub(super) fn deployment_spec(&self) -> DeploymentSpec {
        DeploymentSpec {
            replicas: Some(self.replicas.0),
            template: template(&self.image),
            strategy: self.strategy.json(),
            min_ready_seconds: self.min_ready_seconds,
            progress_deadline_seconds: self.progress_deadline_seconds,
            revision_history_limit: self.revision_history_limit,
            paused: self.paused,
            ..DeploymentSpec::default()
        }
    }
}

impl Strategy {
    fn json(&self) -> Value {
        json!({ "type": self.kind, "rollingUpdate": {
            "maxSurge": self.max_surge.as_ref().map(|l| &l.0),
            "maxUnavailable": self.max_unavailable.as_ref().map(|l| &l.0),
        }})
    }
}

impl Change {
    pub(super) fn apply(&self, spec: &mut DeploymentSpec) {
        if let Some(image) = &self.image {
            spec.template.set_image(image);
        }
        if let Some(strategy) = &self.strategy {
            spec.strategy = strategy.json();
        }
        spec.replicas = self.replicas.map(|r| r.0).or(spec.replicas);
        spec.min_ready_seconds = self.min_ready_seconds.unwrap_or(spec.min_ready_seconds);
        spec.progress_deadline_seconds = self
            .progress_deadline_seconds
            .or(spec.progress_deadline_seconds);
        spec.revision_history_limit = self.revision_history_limit.or(spec.revision_history_limit);
    }
}

fn template(image: &str) -> PodTemplate {
    PodTemplate::from(json!({
        "metadata": { "labels": { "app": "app" } },
        "spec": { "containers": [{ "name": "app", "image": image }] },
    }))
}
