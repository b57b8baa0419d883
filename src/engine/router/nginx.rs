//! Provider `nginx`: a canary Ingress beside the user's own, its weight an annotation.
//!
//! Follows `pkg/router/ingress.go`. The canary annotation is always `"true"`; it is the weight `"0"` that turns the canary off.

use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::Value;

use super::{Router, Routes};
use crate::engine::Write;
use crate::engine::context::{Context, Failure, GetError};
use crate::engine::go;
use crate::engine::object::{Kind, ObjectRef};
use crate::engine::services::disown_to_flux;
use crate::engine::weights::TOTAL_WEIGHT;
use crate::k8s::{Ingress, ObjectMeta};

/// `kubectl apply` keeps its notes here; they are not copied.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

pub(crate) struct Nginx;

impl Router for Nginx {
    fn reconcile(&self, cx: &mut Context<'_>) -> Result<(), Failure> {
        let name = match &cx.spec.ingress_ref {
            Some(reference) if !reference.name.is_empty() => reference.name.clone(),
            _ => return Err(Failure::new("ingress selector is empty")),
        };
        let spec = Rc::clone(&cx.spec);
        let (apex, service) = (spec.apex_service(), spec.canary_service());
        let source = cx.local(Kind::Ingress, &*name);
        let wanted = cx.look(&source, |ingress: &Ingress| {
            led_to_canary(&ingress.spec, apex, &service)
        });
        let wanted = wanted
            .map_err(|e| get_error(&source, &e))?
            .ok_or_else(|| Failure::new(format!("backend {apex} not found in ingress {name}")))?;

        let reference = canary_ingress(cx);
        match cx.look(&reference, |canary: &Ingress| canary.spec == wanted) {
            Ok(true) => Ok(()),
            Ok(false) => {
                let mut canary = read_canary(cx)?;
                canary.spec = wanted;
                cx.write(Write::Update(canary.into()))
                    .map_err(|e| Failure::new(format!("ingress {reference} update error: {e}")))
            }
            Err(GetError::NotFound(_)) => {
                let source: Ingress = cx.get(&source).map_err(|e| get_error(&source, &e))?;
                let made = Ingress {
                    metadata: ObjectMeta {
                        name: reference.name.clone(),
                        namespace: reference.namespace.clone(),
                        labels: source.metadata.labels,
                        annotations: switched_off(cx, source.metadata.annotations),
                        owner: Some(cx.as_owner()),
                        ..ObjectMeta::default()
                    },
                    spec: wanted,
                };
                cx.write(Write::Create(made.into()))
                    .map_err(|e| Failure::new(format!("ingress {reference} create error: {e}")))
            }
            Err(e) => Err(Failure::new(format!(
                "ingress {reference} query error: {e}"
            ))),
        }
    }

    fn routes(&self, cx: &mut Context<'_>) -> Result<Routes, Failure> {
        let reference = canary_ingress(cx);
        let conditions = ["canary-by-cookie", "canary-by-header"].map(|s| annotation(cx, s));
        let weight = annotation(cx, "canary-weight");
        let has_matches = !cx.analysis.matches.is_empty();
        let (by_match, weight) = cx
            .look(&reference, |canary: &Ingress| {
                let annotations = &canary.metadata.annotations;
                let by_match = conditions.iter().any(|c| annotations.contains_key(c));
                (has_matches && by_match, annotations.get(&weight).cloned())
            })
            .map_err(|e| get_error(&reference, &e))?;
        if by_match {
            return Ok(Routes::CANARY);
        }
        let canary = match weight {
            None => 0,
            Some(text) => go::atoi(&text)
                .map_err(|e| Failure::new(format!("failed to convert {text} to int: {e}")))?,
        };
        Ok(Routes {
            primary: TOTAL_WEIGHT - canary,
            canary,
            mirrored: false,
        })
    }

    fn set_routes(&self, cx: &mut Context<'_>, routes: Routes) -> Result<(), Failure> {
        let mut canary = read_canary(cx)?;
        let reference = canary_ingress(cx);
        let annotations = &mut canary.metadata.annotations;
        if routes.canary <= 0 {
            *annotations = switched_off(cx, std::mem::take(annotations));
        } else if cx.analysis.matches.is_empty() {
            let weight = routes.canary.to_string();
            annotations.insert(annotation(cx, "canary-weight"), weight);
            annotations.insert(annotation(cx, "canary"), "true".to_owned());
        } else {
            *annotations = matched(cx, std::mem::take(annotations));
        }
        cx.write(Write::Update(canary.into()))
            .map_err(|e| Failure::new(format!("ingress {reference} update error {e}")))
    }
}

fn canary_ingress(cx: &Context<'_>) -> ObjectRef {
    let source = cx.spec.ingress_ref.as_ref().map_or("", |r| &r.name);
    cx.local(Kind::Ingress, format!("{source}-canary"))
}

fn read_canary(cx: &mut Context<'_>) -> Result<Ingress, Failure> {
    let reference = canary_ingress(cx);
    cx.get(&reference).map_err(|e| get_error(&reference, &e))
}

fn get_error(reference: &ObjectRef, error: &GetError) -> Failure {
    Failure::new(format!("ingress {reference} get query error: {error}"))
}

fn annotation(cx: &Context<'_>, suffix: &str) -> String {
    format!("{}/{suffix}", cx.settings.ingress_annotations_prefix)
}

/// The spec with every path that leads to the apex Service turned to the canary's; none if there is no such path. The
/// default backend stays.
fn led_to_canary(spec: &Value, apex: &str, canary: &str) -> Option<Value> {
    let mut spec = spec.clone();
    let mut found = false;
    let rules = spec.get_mut("rules").and_then(Value::as_array_mut);
    for rule in rules.into_iter().flatten() {
        let paths = rule
            .pointer_mut("/http/paths")
            .and_then(Value::as_array_mut);
        for path in paths.into_iter().flatten() {
            let name = path.pointer_mut("/backend/service/name");
            if let Some(name) = name.filter(|name| **name == *apex) {
                *name = Value::from(canary);
                found = true;
            }
        }
    }
    found.then_some(spec)
}

/// The annotations that a canary Ingress is made with, and goes back to (`makeAnnotations`).
fn switched_off(
    cx: &Context<'_>,
    mut annotations: BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let canary = annotation(cx, "canary");
    annotations.retain(|key, _| !key.contains(&canary) && !key.contains(LAST_APPLIED));
    annotations = disown_to_flux(annotations);
    annotations.insert(annotation(cx, "canary-weight"), "0".to_owned());
    annotations.insert(canary, "true".to_owned());
    annotations
}

/// The annotations of an A/B analysis (`makeHeaderAnnotations`): the last match of each sort wins, prefixes and suffixes are
/// passed over, and a condition that is already there and not in the matches any more stays.
fn matched(cx: &Context<'_>, annotations: BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut annotations = disown_to_flux(annotations);
    let canary = annotation(cx, "canary");
    annotations.retain(|_, value| !value.contains(&canary));
    annotations.insert(canary, "true".to_owned());

    let headers = cx
        .analysis
        .matches
        .iter()
        .filter_map(|m| m.get("headers")?.as_object())
        .flatten();
    let text = |condition: &Value, form: &str| {
        let text = condition.get(form).and_then(Value::as_str);
        text.unwrap_or_default().to_owned()
    };
    let (mut cookie, mut header) = (String::new(), [const { String::new() }; 3]);
    for (name, condition) in headers {
        if name == "cookie" {
            cookie = text(condition, "exact");
        } else {
            header = [
                name.clone(),
                text(condition, "exact"),
                text(condition, "regex"),
            ];
        }
    }
    let [name, value, pattern] = header;
    for (suffix, value) in [
        ("canary-by-cookie", cookie),
        ("canary-by-header", name),
        ("canary-by-header-value", value),
        ("canary-by-header-pattern", pattern),
    ] {
        if !value.is_empty() {
            annotations.insert(annotation(cx, suffix), value);
        }
    }
    annotations
}
