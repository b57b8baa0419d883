//! Provider `gatewayapi:v1`: one HTTPRoute whose first rule splits traffic by backend weights.
//!
//! Follows `pkg/router/gateway_api.go`. A repair of the route writes the weights anew, all to the primary: a changed host in
//! the middle of a run drops the canary to nothing. Left out: the selector label that Flagger's Service code lets slip
//! into the route's labels, and the API server's defaults for fields that a Canary leaves open.

mod affinity;
mod matches;
mod rules;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{Router, Routes};
use crate::canary::Phase;
use crate::engine::Write;
use crate::engine::context::{Context, Failure, GetError};
use crate::engine::object::{Kind, ObjectRef};
use crate::engine::services::disown_to_flux;
use crate::k8s::{HttpRoute, ObjectMeta};

pub(crate) struct GatewayApi;

impl Router for GatewayApi {
    fn reconcile(&self, cx: &mut Context<'_>) -> Result<(), Failure> {
        let gateways = cx.spec.service.gateway_refs.as_array();
        if gateways.is_none_or(Vec::is_empty) {
            return Err(Failure::new(
                "GatewayRefs must be specified when using Gateway API as a provider.",
            ));
        }
        let rules = rules::wanted(cx, Routes::PRIMARY)?;
        let wanted = route_spec(cx, rules.into());
        let metadata = cx.spec.service.apex.clone().unwrap_or_default();
        let mut annotations = disown_to_flux(metadata.annotations);

        let reference = route_reference(cx);
        let mut route: HttpRoute = match cx.get(&reference) {
            Ok(route) => route,
            Err(GetError::NotFound(_)) => {
                let made = HttpRoute {
                    metadata: ObjectMeta {
                        name: reference.name.clone(),
                        namespace: reference.namespace.clone(),
                        labels: metadata.labels,
                        annotations,
                        owner: Some(cx.as_owner()),
                        ..ObjectMeta::default()
                    },
                    spec: wanted,
                    status: Value::Null,
                };
                return cx
                    .write(Write::Create(made.into()))
                    .map_err(|e| Failure::new(format!("HTTPRoute {reference} create error: {e}")));
            }
            Err(e) => return Err(get_error(&reference, &e)),
        };
        keep_foreign(&route.metadata.annotations, &mut annotations);
        let ignored = Ignored::of(cx);
        let meta = &route.metadata;
        if ignored.strip(&route.spec) != ignored.strip(&wanted)
            || meta.labels != metadata.labels
            || meta.annotations != annotations
        {
            route.spec = wanted;
            route.metadata.labels = metadata.labels;
            route.metadata.annotations = annotations;
            cx.write(Write::Update(route.into())).map_err(|e| {
                Failure::new(format!(
                    "HTTPRoute {reference} update error: {e} while reconciling"
                ))
            })?;
        }
        Ok(())
    }

    fn routes(&self, cx: &mut Context<'_>) -> Result<Routes, Failure> {
        let reference = route_reference(cx);
        let route = read(cx, &reference)?;
        check_accepted(&reference, &route)?;
        Ok(read_weights(cx, &route))
    }

    fn written_routes(&self, cx: &mut Context<'_>) -> Option<Routes> {
        let reference = route_reference(cx);
        let route = read(cx, &reference).ok()?;
        Some(read_weights(cx, &route))
    }

    fn set_routes(&self, cx: &mut Context<'_>, routes: Routes) -> Result<(), Failure> {
        let reference = route_reference(cx);
        let mut route = read(cx, &reference)?;
        let rules = rules::wanted(cx, routes)?;
        route.spec = route_spec(cx, rules.into());
        cx.write(Write::Update(route.into())).map_err(|e| {
            Failure::new(format!(
                "HTTPRoute {reference} update error: {e} while setting weights"
            ))
        })
    }
}

fn route_reference(cx: &Context<'_>) -> ObjectRef {
    cx.local(Kind::HttpRoute, cx.spec.apex_service())
}

fn read(cx: &mut Context<'_>, reference: &ObjectRef) -> Result<HttpRoute, Failure> {
    cx.get(reference).map_err(|e| get_error(reference, &e))
}

fn get_error(reference: &ObjectRef, error: &GetError) -> Failure {
    Failure::new(format!("HTTPRoute {reference} get error: {error}"))
}

/// The spec around the rules.
fn route_spec(cx: &Context<'_>, rules: Value) -> Value {
    let service = &cx.spec.service;
    let mut spec = Map::new();
    spec.insert("parentRefs".to_owned(), parent_refs(&service.gateway_refs));
    if !service.hosts.is_empty() {
        spec.insert("hostnames".to_owned(), json!(service.hosts));
    }
    spec.insert("rules".to_owned(), rules);
    Value::Object(spec)
}

/// The fields of the Canary's gateway references that a route has too.
fn parent_refs(gateways: &Value) -> Value {
    const FIELDS: [&str; 6] = ["group", "kind", "namespace", "name", "sectionName", "port"];
    let kept = |gateway: &Value| -> Value {
        let fields = FIELDS.iter().filter_map(|field| {
            let value = gateway.get(field).filter(|value| !value.is_null())?;
            Some(((*field).to_owned(), value.clone()))
        });
        Value::Object(fields.collect())
    };
    gateways
        .as_array()
        .into_iter()
        .flatten()
        .map(kept)
        .collect()
}

/// Annotations that other controllers put on the route stay.
fn keep_foreign(present: &BTreeMap<String, String>, wanted: &mut BTreeMap<String, String>) {
    for (key, value) in present {
        wanted.entry(key.clone()).or_insert_with(|| value.clone());
    }
}

/// A parent that says of the present generation that it does not take the route, or says it of an older one. A parent
/// that says nothing is taken to accept.
fn check_accepted(reference: &ObjectRef, route: &HttpRoute) -> Result<(), Failure> {
    let generation = route.metadata.generation;
    for parent in list(&route.spec, "parentRefs") {
        let said = list(&route.status, "parents").filter(|s| s.get("parentRef") == Some(parent));
        for condition in said.flat_map(|status| list(status, "conditions")) {
            let status = condition["status"].as_str().unwrap_or_default();
            let observed = condition["observedGeneration"].as_i64().unwrap_or_default();
            if condition["type"] == "Accepted" && (status != "True" || observed < generation) {
                return Err(Failure::new(format!(
                    "HTTPRoute {reference} parent {} is not ready (status: {status}, observed generation: {observed}, current generation: {generation})",
                    parent["name"].as_str().unwrap_or_default()
                )));
            }
        }
    }
    Ok(())
}

/// The weights of the rules with two backends, the last one's if there are several; with session affinity those of
/// the last rule that sets a cookie. Mirrored if any rule copies requests to the canary.
fn read_weights(cx: &Context<'_>, route: &HttpRoute) -> Routes {
    let (primary, canary) = (cx.spec.primary_service(), cx.spec.canary_service());
    let mut routes = Routes {
        primary: 0,
        canary: 0,
        mirrored: false,
    };
    let read = |rule: &Value, routes: &mut Routes| {
        for backend in list(rule, "backendRefs") {
            let weight = backend["weight"].as_i64().unwrap_or_default();
            if backend["name"] == *primary {
                routes.primary = weight;
            }
            if backend["name"] == *canary {
                routes.canary = weight;
            }
        }
    };
    let mut sets_cookie = None;
    for rule in list(&route.spec, "rules") {
        if list(rule, "backendRefs").any(|backend| list(backend, "filters").next().is_some()) {
            sets_cookie = Some(rule);
        }
        if list(rule, "backendRefs").count() == 2 {
            read(rule, &mut routes);
        }
        routes.mirrored |= list(rule, "filters")
            .any(|filter| filter["requestMirror"]["backendRef"]["name"] == *canary);
    }
    if !cx.analysis.session_affinity.is_null()
        && let Some(rule) = sets_cookie
    {
        read(rule, &mut routes);
    }
    routes
}

/// What a comparison of routes passes over.
struct Ignored {
    /// Filters of rules: a running analysis mirrors.
    rule_filters: bool,
    /// Filters of backends, and rules that match one of these cookies: session affinity.
    cookies: Option<[String; 2]>,
}

impl Ignored {
    fn of(cx: &Context<'_>) -> Self {
        let running = matches!(
            cx.status.phase,
            Phase::Waiting | Phase::Progressing | Phase::WaitingPromotion
        );
        let affinity = &cx.analysis.session_affinity;
        Ignored {
            rule_filters: cx.analysis.mirror && running,
            cookies: (!affinity.is_null()).then(|| affinity::cookie_names(affinity)),
        }
    }

    /// The spec without weights, without what is empty, and without what is passed over.
    fn strip(&self, spec: &Value) -> Value {
        let mut spec = spec.clone();
        if let Some(rules) = spec.get_mut("rules").and_then(Value::as_array_mut) {
            if let Some(cookies) = &self.cookies {
                rules.retain(|rule| !cookies.iter().any(|c| affinity::matches_cookie(rule, c)));
            }
            for rule in rules {
                if self.rule_filters {
                    remove(rule, "filters");
                }
                let backends = rule.get_mut("backendRefs").and_then(Value::as_array_mut);
                for backend in backends.into_iter().flatten() {
                    remove(backend, "weight");
                    if self.cookies.is_some() {
                        remove(backend, "filters");
                    }
                }
            }
        }
        remove_empty(&mut spec);
        spec
    }
}

fn remove(holder: &mut Value, field: &str) {
    if let Some(fields) = holder.as_object_mut() {
        fields.remove(field);
    }
}

/// Empty lists and absent ones are the same.
fn remove_empty(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(remove_empty),
        Value::Object(fields) => {
            fields.values_mut().for_each(remove_empty);
            fields.retain(|_, field| {
                !field.is_null() && field.as_array().is_none_or(|a| !a.is_empty())
            });
        }
        _ => {}
    }
}

/// The elements of a list field; none if it is absent.
fn list<'a>(holder: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    let items = holder.get(field).and_then(Value::as_array);
    items.into_iter().flatten()
}
