//! The rules that a Canary wants at some weights, and the filters on them.
//!
//! Follows `Reconcile`, `SetRoutes` and `makeFilters` in `pkg/router/gateway_api.go`.

use std::rc::Rc;

use serde_json::{Map, Value, json};

use super::{affinity, list, matches};
use crate::canary::CanarySpec;
use crate::canary::spec::CanaryService;
use crate::engine::context::{Context, Failure};
use crate::engine::go;
use crate::engine::router::Routes;

/// The rules: the weighted one, with session affinity those for cookies before it, with an A/B analysis the one for everybody
/// else behind it. Session affinity may note cookies in the tick's status.
pub(super) fn wanted(cx: &mut Context<'_>, routes: Routes) -> Result<Vec<Value>, Failure> {
    let spec = Rc::clone(&cx.spec);
    let analysis = Rc::clone(&cx.analysis);
    let service = &spec.service;
    let mut service_matches = matches::map(&service.matches)
        .map_err(|e| Failure::new(format!("Invalid request matching selectors: {e}")))?;
    if service_matches.is_empty() {
        service_matches.push(json!({ "path": { "type": "PathPrefix", "value": "/" } }));
    }

    let mut filters = service_filters(service);
    if routes.mirrored && analysis.iterations > 0 {
        filters.push(mirror_to(&json!({
            "group": "", "kind": "Service", "name": spec.canary_service(), "port": service.port,
        })));
    }
    let backends = [
        backend(&spec, &spec.primary_service(), routes.primary),
        backend(&spec, &spec.canary_service(), routes.canary),
    ];
    let weighted = rule(service, &service_matches, filters, backends.to_vec());
    let mut rules = if analysis.session_affinity.is_null() {
        vec![weighted]
    } else {
        affinity::rules(cx, routes.canary, weighted, &service_matches)?
    };

    if !analysis.matches.is_empty() {
        // A match that the Gateway API cannot express is passed over here, with all others.
        let conditions = analysis.matches.iter().cloned().collect();
        let conditions = matches::map(&conditions).unwrap_or_default();
        rules[0]["matches"] = matches::merge(&conditions, &service_matches).into();
        let primary = backend(&spec, &spec.primary_service(), Routes::PRIMARY.primary);
        let filters = service_filters(service);
        rules.push(rule(service, &service_matches, filters, vec![primary]));
    }
    Ok(rules)
}

/// A backend with a weight.
pub(super) fn backend(spec: &CanarySpec, name: &str, weight: i64) -> Value {
    json!({ "group": "", "kind": "Service", "name": name, "port": spec.service.port, "weight": weight })
}

fn rule(
    service: &CanaryService,
    matches: &[Value],
    filters: Vec<Value>,
    backends: Vec<Value>,
) -> Value {
    let mut rule = Map::new();
    rule.insert("matches".to_owned(), matches.into());
    if !filters.is_empty() {
        rule.insert("filters".to_owned(), filters.into());
    }
    rule.insert("backendRefs".to_owned(), backends.into());
    let timeouts = [
        ("request", &service.timeout),
        ("backendRequest", &service.backend_timeout),
    ];
    let timeouts = timeouts.iter().filter(|(_, timeout)| !timeout.is_empty());
    let timeouts: Map<String, Value> = timeouts
        .map(|(name, timeout)| ((*name).to_owned(), Value::from(timeout.as_str())))
        .collect();
    if !timeouts.is_empty() {
        rule.insert("timeouts".to_owned(), timeouts.into());
    }
    Value::Object(rule)
}

/// Headers, rewrites, mirrors and CORS of the Canary's service.
fn service_filters(service: &CanaryService) -> Vec<Value> {
    let mut filters = Vec::new();
    for (side, kind, field) in [
        ("request", "RequestHeaderModifier", "requestHeaderModifier"),
        (
            "response",
            "ResponseHeaderModifier",
            "responseHeaderModifier",
        ),
    ] {
        if let Some(operations) = service.headers.get(side).filter(|o| !o.is_null()) {
            filters.push(json!({ "type": kind, field: header_filter(operations) }));
        }
    }
    if !service.rewrite.is_null() {
        filters.push(json!({ "type": "URLRewrite", "urlRewrite": url_rewrite(&service.rewrite) }));
    }
    for mirror in service.mirror.as_array().into_iter().flatten() {
        filters.push(mirror_to(&mirror["backendRef"]));
    }
    if !service.cors_policy.is_null() {
        filters.push(json!({ "type": "CORS", "cors": cors(&service.cors_policy) }));
    }
    filters
}

fn mirror_to(backend: &Value) -> Value {
    json!({ "type": "RequestMirror", "requestMirror": { "backendRef": backend } })
}

/// Header operations, sorted by name as Flagger sorts them.
fn header_filter(operations: &Value) -> Value {
    let mut filter = Map::new();
    for verb in ["add", "set"] {
        let headers = operations.get(verb).and_then(Value::as_object);
        let headers: Vec<Value> = headers
            .into_iter()
            .flatten()
            .map(|(name, value)| json!({ "name": name, "value": value }))
            .collect();
        if !headers.is_empty() {
            filter.insert(verb.to_owned(), headers.into());
        }
    }
    let removed: Vec<Value> = list(operations, "remove").cloned().collect();
    if !removed.is_empty() {
        filter.insert("remove".to_owned(), removed.into());
    }
    Value::Object(filter)
}

/// A rewrite replaces the full path unless it says that it means the prefix.
fn url_rewrite(rewrite: &Value) -> Value {
    let text = |field: &str| rewrite[field].as_str().filter(|text| !text.is_empty());
    let mut wanted = Map::new();
    if let Some(authority) = text("authority") {
        wanted.insert("hostname".to_owned(), authority.into());
    }
    if let Some(uri) = text("uri") {
        let path = match text("type") {
            Some("ReplacePrefixMatch") => {
                json!({ "type": "ReplacePrefixMatch", "replacePrefixMatch": uri })
            }
            _ => json!({ "type": "ReplaceFullPath", "replaceFullPath": uri }),
        };
        wanted.insert("path".to_owned(), path);
    }
    Value::Object(wanted)
}

/// A CORS policy; `allowOrigins`, which holds patterns, has no counterpart.
fn cors(policy: &Value) -> Value {
    let mut wanted = Map::new();
    for (from, to) in [
        ("allowOrigin", "allowOrigins"),
        ("allowMethods", "allowMethods"),
        ("allowHeaders", "allowHeaders"),
        ("exposeHeaders", "exposeHeaders"),
    ] {
        let items: Vec<Value> = list(policy, from).cloned().collect();
        if !items.is_empty() {
            wanted.insert(to.to_owned(), items.into());
        }
    }
    if policy["allowCredentials"] == true {
        wanted.insert("allowCredentials".to_owned(), true.into());
    }
    let max_age = policy["maxAge"].as_str().map(go::parse_duration);
    if let Some(Ok(max_age)) = max_age
        && max_age.as_millis() >= 1000
    {
        wanted.insert("maxAge".to_owned(), (max_age.as_millis() / 1000).into());
    }
    Value::Object(wanted)
}
