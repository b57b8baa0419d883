//! What the primary is made of: its creation from the target, the promotion of the target's spec, and the names in it.
//!
//! Follows `createPrimaryDeployment`, `Promote` and `getPrimaryDeploymentTemplateSpec` in `pkg/canary/deployment_controller.go`
//! and the helpers in `pkg/canary/util.go`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::configs::{Configs, Mentions};
use super::context::{Context, Failure, GetError};
use super::dialect::Provider;
use super::object::Kind;
use super::readiness;
use super::revision::Fnv;
use super::{Settings, Write};
use crate::canary::Phase;
use crate::k8s::deployment::LabelSelector;
use crate::k8s::{Deployment, DeploymentSpec, ObjectMeta, PodTemplate};

/// Keys of the Flux toolkit are not carried over.
const TOOLKIT_MARKER: &str = "toolkit.fluxcd.io";

/// A pod annotation that is new with every copy, so that a promotion always rolls the primary.
const ID_ANNOTATION: &str = "flagger-id";

/// The label that tells the target's pods from the primary's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SelectorLabel {
    /// Its key.
    pub(crate) key: String,
    /// Its value on the target's pods.
    pub(crate) value: String,
}

impl SelectorLabel {
    /// Its value on the primary's pods.
    pub(crate) fn primary_value(&self) -> String {
        format!("{}-primary", self.value)
    }
}

/// The first of the controller's selector labels that the target's selector has (`getSelectorLabel`).
pub(crate) fn selector_label(
    target: &Deployment,
    settings: &Settings,
) -> Result<SelectorLabel, Failure> {
    let labels = &target.spec.selector.match_labels;
    let found = settings
        .selector_labels
        .iter()
        .find_map(|key| labels.get_key_value(key));
    match found {
        Some((key, value)) => Ok(SelectorLabel {
            key: key.clone(),
            value: value.clone(),
        }),
        None => Err(Failure::new(format!(
            "getSelectorLabel failed: deployment {}.{} spec.selector.matchLabels must contain one of [{}]",
            target.metadata.name,
            target.metadata.namespace,
            settings.selector_labels.join(" ")
        ))),
    }
}

/// Makes the primary if it is missing, in any phase; before the first rollout it must then also be ready.
pub(crate) fn initialize(cx: &mut Context<'_>, label: &SelectorLabel) -> Result<(), Failure> {
    create_if_missing(cx, label)
        .map_err(|e| e.context(format_args!("createPrimaryDeployment failed")))?;
    if matches!(cx.status.phase, Phase::Unset | Phase::Initializing) && !cx.skip_analysis {
        check_ready(cx)?;
    }
    Ok(())
}

/// `IsPrimaryReady`.
pub(crate) fn check_ready(cx: &mut Context<'_>) -> Result<(), Failure> {
    let name = cx.primary_name();
    let deadline = cx.spec.progress_deadline();
    let threshold = cx.analysis.primary_ready_threshold();
    let now = cx.now;
    let ready = cx.look_at_deployment(&name, |primary| {
        readiness::check(primary, deadline, threshold, now)
    })?;
    ready.map_err(|e| Failure {
        message: format!("{name}.{} not ready: {}", cx.namespace, e.reason),
        retriable: e.retriable,
    })
}

fn create_if_missing(cx: &mut Context<'_>, label: &SelectorLabel) -> Result<(), Failure> {
    let name = cx.primary_name();
    let reference = cx.local(Kind::Deployment, &*name);
    match cx.look(&reference, |_: &Deployment| ()) {
        Err(GetError::NotFound(_)) => {}
        // Flagger passes over other errors here and meets them again when it tests for readiness.
        Ok(()) | Err(GetError::Failed(_)) => return Ok(()),
    }
    let target = cx.target_deployment()?;
    let configs = Mentions::of(&target, cx.settings).resolve(cx)?;
    configs.copy_for_primary(cx)?;
    let labels = labels_by_prefix(&target.metadata.labels, &cx.settings.include_label_prefixes);
    let primary = Deployment {
        metadata: ObjectMeta {
            name,
            namespace: cx.namespace.clone(),
            labels: primary_labels(&labels, label),
            annotations: without_toolkit(&target.metadata.annotations),
            owner: Some(cx.as_owner()),
            ..ObjectMeta::default()
        },
        spec: DeploymentSpec {
            replicas: Some(target.spec.replicas.filter(|n| *n > 0).unwrap_or(1)),
            selector: LabelSelector {
                match_labels: BTreeMap::from([(label.key.clone(), label.primary_value())]),
            },
            template: primary_template(cx, &target, label, &configs),
            paused: false,
            ..copied_fields(&target.spec)
        },
        ..Deployment::default()
    };
    cx.write(Write::Create(primary.into()))
        .map_err(|e| Failure::new(format!("creating deployment {reference} failed: {e}")))
}

/// Copies the target's spec and configs to the primary (`Promote`). The replicas go along unless an autoscaler, or
/// the router itself, sets them.
pub(crate) fn promote(cx: &mut Context<'_>, provider: Provider) -> Result<(), Failure> {
    let reference = cx.local(Kind::Deployment, cx.primary_name());
    copy_spec(cx, provider).map_err(|e| {
        e.context(format_args!(
            "updating deployment {reference} template spec failed"
        ))
    })
}

fn copy_spec(cx: &mut Context<'_>, provider: Provider) -> Result<(), Failure> {
    let target = cx.target_deployment()?;
    let label = selector_label(&target, cx.settings)?;
    let old = cx.deployment(&cx.primary_name())?;
    let configs = Mentions::of(&target, cx.settings).resolve(cx)?;
    configs.copy_for_primary(cx)?;

    let prefixes = &cx.settings.include_label_prefixes;
    let labels = labels_by_prefix(&target.metadata.labels, prefixes);
    let keeps_replicas = cx.spec.autoscaler_ref.is_some() || provider == Provider::PodScaling;
    let promoted = Deployment {
        metadata: ObjectMeta {
            labels: primary_labels(&labels, &label),
            annotations: labels_by_prefix(&target.metadata.annotations, prefixes),
            ..old.metadata
        },
        spec: DeploymentSpec {
            replicas: if keeps_replicas {
                old.spec.replicas
            } else {
                target.spec.replicas
            },
            selector: old.spec.selector,
            template: primary_template(cx, &target, &label, &configs),
            paused: old.spec.paused,
            ..copied_fields(&target.spec)
        },
        status: old.status,
    };
    cx.write(Write::Update(promoted.into()))
        .map_err(|e| Failure::new(e.to_string()))
}

/// The fields of a spec that the primary takes over as they are.
fn copied_fields(target: &DeploymentSpec) -> DeploymentSpec {
    DeploymentSpec {
        strategy: target.strategy.clone(),
        min_ready_seconds: target.min_ready_seconds,
        progress_deadline_seconds: target.progress_deadline_seconds,
        revision_history_limit: target.revision_history_limit,
        ..DeploymentSpec::default()
    }
}

fn primary_template(
    cx: &Context<'_>,
    target: &Deployment,
    label: &SelectorLabel,
    configs: &Configs,
) -> PodTemplate {
    let source = &target.spec.template;
    let mut template = PodTemplate::from(Value::Object(Map::from_iter([(
        "spec".to_owned(),
        source.json().get("spec").cloned().unwrap_or_default(),
    )])));
    configs.rename_in(&mut template);
    rename_in_selectors(
        &mut template.json_mut()["spec"],
        &target.metadata.name,
        cx.settings,
    );

    let mut annotations = without_toolkit(&source.annotations());
    annotations.insert(ID_ANNOTATION.to_owned(), new_id(cx));
    template.json_mut()["metadata"] = serde_json::json!({
        "labels": primary_labels(&source.labels(), label),
        "annotations": annotations,
    });
    template
}

/// An id in the shape of a random UUID. Flagger draws one; here it follows from the Canary and the time, which is as
/// unique, since one tick copies at most once.
fn new_id(cx: &Context<'_>) -> String {
    let half = |salt: &str| {
        let mut hasher = Fnv::new();
        hasher.string(salt);
        hasher.string(&cx.namespace);
        hasher.string(&cx.name);
        hasher.bytes(&cx.now.as_millis().to_le_bytes());
        hasher.sum()
    };
    let (high, low) = (half("high"), half("low"));
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xfff,
        low >> 48 & 0x3fff | 0x8000,
        low & 0xffff_ffff_ffff
    )
}

/// Where pod anti-affinity and topology spread select the target's pods by name, the primary's are meant
/// (`appendPrimarySuffixToValuesIfNeeded`).
fn rename_in_selectors(spec: &mut Value, target: &str, settings: &Settings) {
    for constraint in items_mut(spec, "/topologySpreadConstraints") {
        rename_in_selector(constraint.get_mut("labelSelector"), target, settings);
    }
    let preferred = "/affinity/podAntiAffinity/preferredDuringSchedulingIgnoredDuringExecution";
    for term in items_mut(spec, preferred) {
        let selector = term.pointer_mut("/podAffinityTerm/labelSelector");
        rename_in_selector(selector, target, settings);
    }
    let required = "/affinity/podAntiAffinity/requiredDuringSchedulingIgnoredDuringExecution";
    for term in items_mut(spec, required) {
        rename_in_selector(term.get_mut("labelSelector"), target, settings);
    }
}

fn rename_in_selector(selector: Option<&mut Value>, target: &str, settings: &Settings) {
    let Some(selector) = selector else { return };
    let renamed = || Value::from(format!("{target}-primary"));
    let selects_pods = |key: &str| settings.selector_labels.iter().any(|l| l == key);
    for expression in items_mut(selector, "/matchExpressions") {
        if expression["key"].as_str().is_some_and(selects_pods) {
            let mut values = items_mut(expression, "/values");
            if let Some(value) = values.find(|value| **value == *target) {
                *value = renamed();
            }
        }
    }
    let labels = selector.get_mut("matchLabels");
    for (key, value) in labels.and_then(Value::as_object_mut).into_iter().flatten() {
        if selects_pods(key) && *value == *target {
            *value = renamed();
        }
    }
}

fn items_mut<'a>(holder: &'a mut Value, pointer: &str) -> impl Iterator<Item = &'a mut Value> {
    let items = holder.pointer_mut(pointer).and_then(Value::as_array_mut);
    items.into_iter().flatten()
}

/// `makePrimaryLabels`.
fn primary_labels(
    labels: &BTreeMap<String, String>,
    label: &SelectorLabel,
) -> BTreeMap<String, String> {
    let mut labels = without_toolkit(labels);
    labels.insert(label.key.clone(), label.primary_value());
    labels
}

/// `filterMetadata` of `pkg/canary`.
pub(crate) fn without_toolkit(meta: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let kept = meta.iter().filter(|(key, _)| !key.contains(TOOLKIT_MARKER));
    kept.map(|(k, v)| (k.clone(), v.clone())).collect()
}

/// `includeLabelsByPrefix`: what the `-include-label-prefix` flag lets through, `*` being everything.
pub(crate) fn labels_by_prefix(
    labels: &BTreeMap<String, String>,
    prefixes: &[String],
) -> BTreeMap<String, String> {
    let included = |key: &str| {
        prefixes
            .iter()
            .any(|prefix| prefix == "*" || !prefix.is_empty() && key.starts_with(prefix.as_str()))
    };
    let kept = labels
        .iter()
        .filter(|(key, _)| !key.contains(TOOLKIT_MARKER) && included(key));
    kept.map(|(k, v)| (k.clone(), v.clone())).collect()
}
