//! The world of a trace: objects as the recorded changes leave them, answers as the trace scripts them, and a note of
//! everything that is asked and told.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::format::{
    Alerted, Answer, Asked, Called, Change, Field, Gauges, RouteStatusChange, StatusChange, Told,
    Trace,
};
use crate::canary::{Canary, Phase};
use crate::engine::hooks::{HookOutcome, gave_up, hook_outcome};
use crate::engine::revision::template_hash;
use crate::engine::{
    Cluster, Gauge, HookCall, HookError, Kind, Notice, Object, ObjectRef, Query, QueryError,
    QuerySource, ReadError, Sample, Settings, Severity, World, Write, WriteError, prometheus,
};
use crate::k8s::deployment::{Condition, DeploymentStatus};
use crate::k8s::{Deployment, HttpRoute};
use crate::time::{Span, Timestamp};

/// Kubernetes' own annotation of a `kubectl rollout restart`.
const RESTARTED_AT: &str = "kubectl.kubernetes.io/restartedAt";

/// What the present tick's queries and hooks are answered.
#[derive(Clone, Copy)]
struct Answers<'t> {
    metrics: &'t BTreeMap<String, Answer>,
    hooks: &'t BTreeMap<String, u16>,
}

/// What one tick asked and told.
#[derive(Debug, Default)]
pub(super) struct Heard {
    pub(super) events: Vec<Told>,
    pub(super) alerts: Vec<Alerted>,
    pub(super) asked: Vec<Asked>,
    pub(super) called: Vec<Called>,
}

/// The world.
pub(super) struct TraceWorld<'t> {
    pub(super) cluster: Cluster,
    pub(super) heard: Heard,
    pub(super) gauges: Gauges,
    pub(super) canary: ObjectRef,
    pub(super) target: ObjectRef,
    pub(super) now: Timestamp,
    canary_spec: Value,
    answers: Option<Answers<'t>>,
    /// Names of the target's templates by their hash.
    revisions: BTreeMap<String, String>,
    /// Payload checksums in order of appearance.
    checksums: Vec<String>,
}

impl<'t> TraceWorld<'t> {
    /// The world before the first tick; the error says what in the trace is amiss.
    pub(super) fn new(trace: &'t Trace) -> Result<Self, String> {
        let mut canary: Canary =
            serde::Deserialize::deserialize(&trace.canary).map_err(|e| format!("canary: {e}"))?;
        canary.status.phase = Phase::Initializing;
        canary.status.conditions = vec![Condition {
            kind: "Promoted".to_owned(),
            status: "Unknown".to_owned(),
            reason: Phase::Initializing.as_str().to_owned(),
            message: format!(
                "New {} detected, starting initialization.",
                canary.spec.target_ref.kind
            ),
            ..Condition::default()
        }];
        let namespace = canary.metadata.namespace.clone();
        let target = ObjectRef::new(Kind::Deployment, namespace, &*canary.spec.target_ref.name);
        let mut world = TraceWorld {
            cluster: Cluster::default(),
            heard: Heard::default(),
            gauges: Gauges::default(),
            canary: ObjectRef::new(
                Kind::Canary,
                &*canary.metadata.namespace,
                &*canary.metadata.name,
            ),
            target,
            now: Timestamp::from_secs(1_000_000),
            canary_spec: trace.canary["spec"].clone(),
            answers: None,
            revisions: BTreeMap::new(),
            checksums: Vec::new(),
        };
        world.cluster.apply(canary.into());
        world.cluster.apply(trace.deployment.clone().into());
        let templates = trace.metric_templates.iter().cloned().map(Object::from);
        let configs = trace.configmaps.iter().cloned().map(Object::from);
        let secrets = trace.secrets.iter().cloned().map(Object::from);
        let providers = trace.alert_providers.iter().cloned().map(Object::from);
        let hpa = trace.hpa.iter().cloned().map(Object::from);
        let ingress = trace.ingress.iter().cloned().map(Object::from);
        templates
            .chain(configs)
            .chain(secrets)
            .chain(providers)
            .chain(hpa)
            .chain(ingress)
            .for_each(|object| world.cluster.apply(object));
        world.name_revision();
        Ok(world)
    }

    /// Begins a tick: takes its answers and forgets what the last one asked and told.
    pub(super) fn begin(
        &mut self,
        metrics: &'t BTreeMap<String, Answer>,
        hooks: &'t BTreeMap<String, u16>,
        interval: Span,
    ) {
        self.answers = Some(Answers { metrics, hooks });
        self.heard = Heard::default();
        self.now += interval;
    }

    /// Makes a recorded change; the error says why it cannot be made.
    pub(super) fn apply(&mut self, change: &Change) -> Result<(), String> {
        match change {
            Change::SetImage(image) => self.change_target(|t| t.spec.template.set_image(image))?,
            Change::Restart(value) => self.change_target(|t| restart(t, value))?,
            Change::SetConfigmap(config) => self.cluster.apply(config.clone().into()),
            Change::SetSecret(secret) => self.cluster.apply(secret.clone().into()),
            Change::SetIngress(ingress) => self.cluster.apply(ingress.clone().into()),
            Change::SetHpa(hpa) => self.cluster.apply(hpa.clone().into()),
            Change::SetMetricTemplate(template) => self.cluster.apply(template.clone().into()),
            Change::CreateDeployment(deployment) => {
                self.cluster.apply(deployment.clone().into());
                self.name_revision();
            }
            Change::MergeCanarySpec(patch) => self.merge_canary_spec(patch)?,
            Change::DeploymentStatus(status) => self.set_deployment_status(status)?,
            Change::SetReplicas(change) => {
                let deployment = self.local(Kind::Deployment, &change.name);
                let scale = Write::Scale {
                    deployment,
                    replicas: change.replicas,
                };
                self.cluster.write(scale).map_err(|e| e.to_string())?;
            }
            Change::SetIngressAnnotations(change) => {
                let reference = self.local(Kind::Ingress, &change.name);
                let ingress = self.existing(&reference)?;
                let annotations = &mut ingress.metadata_mut().annotations;
                annotations.extend(change.annotations.clone());
            }
            Change::HttprouteStatus(status) => self.set_route_status(status)?,
            Change::Delete(named) => {
                let kind = kind(&named.kind)?;
                self.cluster.delete(&self.local(kind, &named.name));
            }
        }
        Ok(())
    }

    /// The name of a template's hash; `None` for no hash.
    pub(super) fn revision(&self, hash: &str) -> Option<String> {
        if hash.is_empty() {
            return None;
        }
        let known = self.revisions.get(hash).cloned();
        Some(known.unwrap_or_else(|| format!("unknown revision {hash}")))
    }

    pub(super) fn local(&self, kind: Kind, name: &str) -> ObjectRef {
        ObjectRef::new(kind, &*self.canary.namespace, name)
    }

    fn existing(&mut self, reference: &ObjectRef) -> Result<&mut Object, String> {
        let missing = reference.not_found();
        self.cluster.get_mut(reference).ok_or(missing)
    }

    fn existing_deployment(&mut self, reference: &ObjectRef) -> Result<&mut Deployment, String> {
        match self.existing(reference)? {
            Object::Deployment(deployment) => Ok(deployment),
            other => Err(format!("{reference} is a {}", other.kind().as_str())),
        }
    }

    fn change_target(&mut self, change: impl FnOnce(&mut Deployment)) -> Result<(), String> {
        let target = self.target.clone();
        let mut deployment = self.existing_deployment(&target)?.clone();
        change(&mut deployment);
        self.cluster.apply(deployment.into());
        self.name_revision();
        Ok(())
    }

    /// Notes how the target's present template is called.
    fn name_revision(&mut self) {
        let Some(Object::Deployment(target)) = self.cluster.get(&self.target) else {
            return;
        };
        let template = &target.spec.template;
        let mut name = template.image().unwrap_or_default().to_owned();
        if let Some(restarted) = template.annotations().get(RESTARTED_AT) {
            name = format!("{name}@{restarted}");
        }
        self.revisions.insert(template_hash(template), name);
    }

    fn merge_canary_spec(&mut self, patch: &Value) -> Result<(), String> {
        merge(&mut self.canary_spec, patch);
        let spec = serde_json::from_value(self.canary_spec.clone()).map_err(|e| e.to_string())?;
        let reference = self.canary.clone();
        let Object::Canary(canary) = self.existing(&reference)? else {
            return Err(format!("{reference} is no Canary"));
        };
        canary.spec = spec;
        Ok(())
    }

    fn set_deployment_status(&mut self, change: &StatusChange) -> Result<(), String> {
        let now = self.now;
        let reference = self.local(Kind::Deployment, &change.name);
        let deployment = self.existing_deployment(&reference)?;
        let behind = i64::from(change.observed_generation_behind);
        deployment.status = DeploymentStatus {
            observed_generation: deployment.metadata.generation - behind,
            replicas: change.replicas,
            updated_replicas: change.updated,
            ready_replicas: change.ready,
            available_replicas: change.available,
            conditions: change
                .conditions
                .iter()
                .map(|c| Condition {
                    kind: c.kind.clone(),
                    status: c.status.clone(),
                    reason: c.reason.clone(),
                    last_update_time: Some(now - Span::from_secs(c.last_update_age_s)),
                    ..Condition::default()
                })
                .collect(),
            ..DeploymentStatus::default()
        };
        Ok(())
    }

    fn set_route_status(&mut self, change: &RouteStatusChange) -> Result<(), String> {
        let canary = self.canary.clone();
        let Object::Canary(canary) = self.existing(&canary)? else {
            return Err(format!("{canary} is no Canary"));
        };
        let apex = canary.spec.apex_service().to_owned();
        let reference = self.local(Kind::HttpRoute, &apex);
        // Before the route exists there is nothing to have a status.
        let Some(Object::HttpRoute(route)) = self.cluster.get_mut(&reference) else {
            return Ok(());
        };
        let observed = route.metadata.generation - i64::from(change.observed_generation_behind);
        let parents = route.spec["parentRefs"].as_array().cloned();
        let status = |parent: Value| {
            json!({
                "parentRef": parent,
                "conditions": [{
                    "type": "Accepted",
                    "status": change.accepted,
                    "observedGeneration": observed,
                }],
            })
        };
        let parents: Vec<Value> = parents.into_iter().flatten().map(status).collect();
        let HttpRoute { status, .. } = route;
        *status = json!({ "parents": parents });
        Ok(())
    }

    /// The payload as traces keep it: checksums numbered, times dropped.
    fn recorded_payload(&mut self, payload: &Value) -> Value {
        let mut payload = payload.clone();
        if let Some(checksum) = payload["checksum"].as_str() {
            let known = self.checksums.iter().position(|c| c == checksum);
            let number = known.unwrap_or_else(|| {
                self.checksums.push(checksum.to_owned());
                self.checksums.len() - 1
            });
            payload["checksum"] = Value::from(format!("#{}", number + 1));
        }
        if let Some(metadata) = payload.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.remove("timestamp");
        }
        payload
    }
}

impl World for TraceWorld<'_> {
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
        let scripted = self.answers.and_then(|a| a.metrics.get(&query.text));
        let answer = match (scripted, query.source) {
            (Some(answer), _) => answer.clone(),
            (None, QuerySource::Availability) => Answer::Value {
                value: "1".to_owned(),
            },
            (None, _) => Answer::Status {
                http_status: 404,
                body: "the trace has no answer to this query".to_owned(),
            },
        };
        let (status, body) = response(&answer);
        self.heard.asked.push(Asked {
            query: query.text.clone(),
            answer,
        });
        prometheus::decode(status, &body)
    }

    fn call(&mut self, hook: &HookCall) -> Result<(), HookError> {
        let path = path(&hook.url);
        let scripted = self.answers.and_then(|a| a.hooks.get(path));
        let status = scripted.copied().unwrap_or(404);
        let body = match status {
            204 => String::new(),
            status => format!("hook answered {status}"),
        };
        let payload = self.recorded_payload(&hook.payload);
        for _ in 0..=hook.retries {
            self.heard.called.push(Called {
                kind: hook.kind.clone(),
                name: hook.name.clone(),
                path: path.to_owned(),
                payload: payload.clone(),
                http_status: status,
            });
            match hook_outcome(status, &body) {
                HookOutcome::Passed => return Ok(()),
                HookOutcome::Failed(error) => return Err(error),
                HookOutcome::Retry => {}
            }
        }
        Err(gave_up(&hook.url, hook.retries + 1, None))
    }

    fn tell(&mut self, notice: Notice) {
        match notice {
            Notice::Event(event) => self.heard.events.push(Told {
                kind: event.kind.as_str().to_owned(),
                reason: "Synced".to_owned(),
                message: event.message,
            }),
            Notice::Alert(alert) => self.heard.alerts.push(Alerted {
                severity: match alert.severity {
                    Severity::Info => "info",
                    Severity::Warn => "warn",
                    Severity::Error => "error",
                }
                .to_owned(),
                message: alert.message,
                fields: alert
                    .fields
                    .into_iter()
                    .map(|f| Field {
                        name: f.name,
                        value: f.value,
                    })
                    .collect(),
                provider: alert.provider,
            }),
            Notice::Gauge(Gauge::Status(status)) => self.gauges.status = Some(status),
            Notice::Gauge(Gauge::Weight { primary, canary }) => {
                self.gauges.weight_primary = Some(primary);
                self.gauges.weight_canary = Some(canary);
            }
            Notice::Gauge(Gauge::Success { strategy, status }) => {
                *self
                    .gauges
                    .successes
                    .entry(format!("{strategy}/{status}"))
                    .or_default() += 1;
            }
            Notice::Gauge(Gauge::Failure { strategy, status }) => {
                *self
                    .gauges
                    .failures
                    .entry(format!("{strategy}/{status}"))
                    .or_default() += 1;
            }
            Notice::Gauge(Gauge::Analysis { .. }) | Notice::Log(_) => {}
        }
    }
}

/// The controller's settings in a trace.
pub(super) fn settings(trace: &Trace) -> Settings {
    Settings {
        mesh_provider: trace.mesh_provider.clone(),
        metrics_server: "http://prometheus.test".to_owned(),
        enable_config_tracking: trace.flags.enable_config_tracking.unwrap_or(true),
        event_webhook: trace.flags.event_webhook.clone(),
        cluster_name: trace.flags.cluster_name.clone(),
        ..Settings::default()
    }
}

fn restart(target: &mut Deployment, value: &str) {
    let template = target.spec.template.json_mut();
    for (holder, key) in [("", "metadata"), ("/metadata", "annotations")] {
        if let Some(fields) = template.pointer_mut(holder).and_then(Value::as_object_mut) {
            fields
                .entry(key)
                .or_insert_with(|| Value::Object(Map::new()));
        }
    }
    template["metadata"]["annotations"][RESTARTED_AT] = Value::from(value);
}

/// RFC 7396.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(fields) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    for (key, value) in fields {
        if value.is_null() {
            if let Some(target) = target.as_object_mut() {
                target.remove(key);
            }
        } else {
            merge(&mut target[key], value);
        }
    }
}

/// Status and body of a scripted answer.
fn response(answer: &Answer) -> (u16, String) {
    let vector = |values: &[String]| {
        let element = |value: &String| {
            let value = Value::from(value.as_str());
            format!(r#"{{"metric":{{}},"value":[0,{value}]}}"#)
        };
        let elements: Vec<String> = values.iter().map(element).collect();
        let result = elements.join(",");
        let data = format!(r#"{{"resultType":"vector","result":[{result}]}}"#);
        (200, format!(r#"{{"status":"success","data":{data}}}"#))
    };
    match answer {
        Answer::Value { value } => vector(std::slice::from_ref(value)),
        Answer::Series { series } => vector(series),
        Answer::Empty { .. } => vector(&[]),
        Answer::Status { http_status, body } => (*http_status, body.clone()),
        Answer::Raw { raw } => (200, raw.clone()),
    }
}

/// The path of a URL.
fn path(url: &str) -> &str {
    let after_scheme = url.split_once("://").map_or(url, |(_, rest)| rest);
    after_scheme
        .find('/')
        .map_or("/", |start| &after_scheme[start..])
}

fn kind(name: &str) -> Result<Kind, String> {
    [
        Kind::Deployment,
        Kind::Ingress,
        Kind::MetricTemplate,
        Kind::AlertProvider,
        Kind::HorizontalPodAutoscaler,
        Kind::ConfigMap,
        Kind::Secret,
        Kind::HttpRoute,
        Kind::Service,
    ]
    .into_iter()
    .find(|kind| kind.as_str() == name)
    .ok_or_else(|| format!("objects of kind {name} cannot be deleted here"))
}
