//! The keys of a Canary, as Flagger v1.44.0's CRD has them (`artifacts/flagger/crd.yaml`), down to where they matter here.
//!
//! The API server drops a key that the CRD does not have, without a word unless the client asks for one. A dropped
//! `maxWieght` changes a rollout, so here a key that looks like a slip is an error, and any other is named.

use super::model::LeftOut;
use crate::diagnostic::{Content, Diagnostic, Key, Node, nearest};
use crate::k8s::manifest::Document;

/// The keys below each path; a list's elements have the path of the list.
const KEYS: [(&str, &[&str]); 9] = [
    (
        "/spec",
        &[
            "provider",
            "metricsServer",
            "progressDeadlineSeconds",
            "targetRef",
            "autoscalerRef",
            "ingressRef",
            "routeRef",
            "upstreamRef",
            "service",
            "skipAnalysis",
            "revertOnDeletion",
            "suspend",
            "analysis",
        ],
    ),
    ("/spec/targetRef", &["apiVersion", "kind", "name"]),
    (
        "/spec/autoscalerRef",
        &[
            "apiVersion",
            "kind",
            "name",
            "primaryScalerQueries",
            "primaryScalerReplicas",
        ],
    ),
    ("/spec/ingressRef", &["apiVersion", "kind", "name"]),
    (
        "/spec/service",
        &[
            "name",
            "port",
            "portName",
            "appProtocol",
            "trafficDistribution",
            "targetPort",
            "portDiscovery",
            "headless",
            "timeout",
            "backendTimeout",
            "meshName",
            "backends",
            "hosts",
            "delegation",
            "match",
            "retries",
            "rewrite",
            "mirror",
            "headers",
            "gateways",
            "gatewayRefs",
            "corsPolicy",
            "trafficPolicy",
            "apex",
            "primary",
            "canary",
            "unmanagedMetadata",
        ],
    ),
    (
        "/spec/analysis",
        &[
            "interval",
            "iterations",
            "threshold",
            "maxWeight",
            "stepWeight",
            "stepWeights",
            "stepWeightPromotion",
            "mirror",
            "mirrorWeight",
            "primaryReadyThreshold",
            "canaryReadyThreshold",
            "match",
            "metrics",
            "alerts",
            "webhooks",
            "sessionAffinity",
        ],
    ),
    (
        "/spec/analysis/metrics",
        &[
            "name",
            "interval",
            "threshold",
            "thresholdRange",
            "query",
            "templateRef",
            "templateVariables",
        ],
    ),
    ("/spec/analysis/metrics/thresholdRange", &["min", "max"]),
    (
        "/spec/analysis/webhooks",
        &[
            "name",
            "type",
            "muteAlert",
            "url",
            "timeout",
            "retries",
            "disableTLS",
            "metadata",
        ],
    ),
];

/// Keys that Flagger reads and no part of the simulation does, and what that means.
const UNMODELLED: [(&str, &str); 14] = [
    ("/spec/service/gateways", "it belongs to a service mesh"),
    (
        "/spec/service/trafficPolicy",
        "it belongs to a service mesh",
    ),
    ("/spec/service/delegation", "it belongs to a service mesh"),
    ("/spec/service/meshName", "it belongs to a service mesh"),
    ("/spec/service/backends", "it belongs to a service mesh"),
    (
        "/spec/service/retries",
        "requests are retried as ingress-nginx does",
    ),
    ("/spec/service/match", "all requests are alike"),
    ("/spec/service/rewrite", "all requests are alike"),
    ("/spec/service/headers", "all requests are alike"),
    ("/spec/service/mirror", "no copies of requests are sent"),
    ("/spec/service/corsPolicy", "all requests are alike"),
    (
        "/spec/service/timeout",
        "requests wait as long as ingress-nginx lets them",
    ),
    (
        "/spec/analysis/match",
        "no user's request has such a header or cookie",
    ),
    (
        "/spec/analysis/sessionAffinity",
        "each request is routed by itself",
    ),
];

/// The keys of [`UNMODELLED`] that a Canary has.
pub(super) fn unmodelled_keys(canary: &Document) -> Vec<LeftOut> {
    let there = UNMODELLED
        .iter()
        .filter(|(pointer, _)| canary.node.pointer(pointer).is_some());
    there
        .map(|(pointer, meaning)| {
            let (source, range) = canary.place_of(pointer);
            let key = pointer[1..].replace('/', ".");
            LeftOut {
                kind: canary.kind.clone(),
                name: canary.name.clone(),
                place: format!("{}:{}", source.name, source.line_column(range.start).0),
                reason: format!("`{key}` plays no part: {meaning}"),
            }
        })
        .collect()
}

/// The keys that the API server would drop; an error where one is probably a slip.
pub(super) fn dropped_keys(canary: &Document) -> Result<Vec<LeftOut>, Diagnostic> {
    let mut dropped = Vec::new();
    if let Some(spec) = canary.node.get("spec") {
        check(canary, spec, "/spec", &mut dropped)?;
    }
    Ok(dropped)
}

fn check(
    canary: &Document,
    node: &Node,
    path: &str,
    dropped: &mut Vec<LeftOut>,
) -> Result<(), Diagnostic> {
    let Some((_, keys)) = KEYS.iter().find(|(known, _)| *known == path) else {
        return Ok(());
    };
    match &node.content {
        Content::List(elements) => elements
            .iter()
            .try_for_each(|element| check(canary, element, path, dropped)),
        Content::Table(entries) => entries.iter().try_for_each(|(key, value)| {
            if !keys.contains(&key.name.as_str()) {
                return unknown(canary, key, path, keys).map(|left_out| dropped.push(left_out));
            }
            check(canary, value, &format!("{path}/{}", key.name), dropped)
        }),
        _ => Ok(()),
    }
}

fn unknown(canary: &Document, key: &Key, path: &str, keys: &[&str]) -> Result<LeftOut, Diagnostic> {
    let full = format!(
        "{}.{}",
        path[1..].replace('/', "."),
        key.name.escape_debug()
    );
    let meant = match (path, key.name.as_str()) {
        // Its name before v1beta1.
        ("/spec", "canaryAnalysis") => Some("analysis"),
        (_, name) => nearest::nearest(name, keys.iter().copied()),
    };
    if let Some(meant) = meant {
        return Err(Diagnostic::new(format!(
            "Canary `{}`: `{full}` is not a key of Flagger's CRD",
            canary.name
        ))
        .at_place(&key.place)
        .help(format!(
            "did you mean `{meant}`? The API server drops keys it does not know"
        )));
    }
    let (source, range) = &key.place;
    Ok(LeftOut {
        kind: canary.kind.clone(),
        name: canary.name.clone(),
        place: format!("{}:{}", source.name, source.line_column(range.start).0),
        reason: format!("`{full}` is not a key of Flagger's CRD; the API server drops it"),
    })
}
