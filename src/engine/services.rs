//! The three Services: apex and primary in front of the primary's pods, canary in front of the target's.
//!
//! Follows `pkg/router/kubernetes_default.go`. An apex Service that exists already is taken over: selector and ports are
//! corrected, its labels and annotations only if this Canary made it.

use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::Value;

use super::Write;
use super::context::{Context, Failure, GetError};
use super::object::Kind;
use super::primary::SelectorLabel;
use crate::canary::CanarySpec;
use crate::canary::spec::CustomMetadata;
use crate::k8s::{Deployment, ObjectMeta, ObjectReference, Service, ServicePort, ServiceSpec};

/// Containers whose ports are not discovered.
const SIDECARS: [&str; 2] = ["istio-proxy", "envoy"];

/// Reconciles the canary's and the primary's Service (`Initialize`). `ports` are those besides the Canary's own.
pub(crate) fn reconcile_workloads(
    cx: &mut Context<'_>,
    label: &SelectorLabel,
    ports: &[ServicePort],
) -> Result<(), Failure> {
    let spec = Rc::clone(&cx.spec);
    let service = &spec.service;
    let (canary, primary) = (spec.canary_service(), spec.primary_service());
    let pods = label.primary_value();
    reconcile(cx, label, ports, &canary, &label.value, &service.canary)?;
    reconcile(cx, label, ports, &primary, &pods, &service.primary)
}

/// Points the apex Service at the primary (`Reconcile`).
pub(crate) fn reconcile_apex(
    cx: &mut Context<'_>,
    label: &SelectorLabel,
    ports: &[ServicePort],
) -> Result<(), Failure> {
    let spec = Rc::clone(&cx.spec);
    let pods = label.primary_value();
    let apex = spec.apex_service();
    reconcile(cx, label, ports, apex, &pods, &spec.service.apex)
}

fn reconcile(
    cx: &mut Context<'_>,
    label: &SelectorLabel,
    ports: &[ServicePort],
    name: &str,
    pods: &str,
    metadata: &Option<CustomMetadata>,
) -> Result<(), Failure> {
    let failed = |what: String| Failure::new(format!("reconcileService failed: {what}"));
    let metadata = metadata.clone().unwrap_or_default();
    let mut wanted = Service {
        metadata: ObjectMeta {
            name: name.to_owned(),
            namespace: cx.namespace.clone(),
            labels: metadata.labels,
            annotations: disown_to_flux(metadata.annotations),
            owner: Some(cx.as_owner()),
            ..ObjectMeta::default()
        },
        spec: service_spec(&cx.spec, label, ports, pods),
    };
    let own_label = (label.key.clone(), name.to_owned());
    wanted.metadata.labels.extend([own_label]);

    let spec = Rc::clone(&cx.spec);
    let reference = cx.local(Kind::Service, name);
    match cx.look(&reference, |present| corrected(&spec, present, &wanted)) {
        Ok(None) => Ok(()),
        Ok(Some(service)) => cx
            .write(Write::Update(service.into()))
            .map_err(|e| failed(format!("service {name} update error: {e}"))),
        Err(GetError::NotFound(_)) => cx
            .write(Write::Create(wanted.into()))
            .map_err(|e| failed(format!("service {reference} create error: {e}"))),
        Err(e) => Err(failed(format!("service {name} get query error: {e}"))),
    }
}

/// An existing Service brought in line; none if it is already.
fn corrected(spec: &CanarySpec, present: &Service, wanted: &Service) -> Option<Service> {
    let (meta, wanted_meta) = (&present.metadata, &wanted.metadata);
    let spec_fits = present.spec.selector == wanted.spec.selector
        && same_ports(&present.spec.ports, &wanted.spec.ports);
    let (mut labels, mut annotations) = (None, None);
    if is_same_owner(&meta.owner, &wanted_meta.owner) {
        let unmanaged = spec.service.unmanaged_metadata.as_ref();
        labels = differing(
            &meta.labels,
            &wanted_meta.labels,
            unmanaged.map(|u| &u.labels),
        );
        annotations = differing(
            &meta.annotations,
            &wanted_meta.annotations,
            unmanaged.map(|u| &u.annotations),
        );
    }
    if spec_fits && labels.is_none() && annotations.is_none() {
        return None;
    }
    let mut service = present.clone();
    if !spec_fits {
        let node_port = |port: &ServicePort| {
            let given = present.spec.ports.iter().find(|p| p.name == port.name);
            given.and_then(|p| p.node_port)
        };
        let ports = wanted.spec.ports.iter().map(|port| ServicePort {
            node_port: node_port(port),
            ..port.clone()
        });
        service.spec.ports = ports.collect();
        service.spec.selector = wanted.spec.selector.clone();
    }
    service.metadata.labels = labels.unwrap_or(service.metadata.labels);
    service.metadata.annotations =
        disown_to_flux(annotations.unwrap_or(service.metadata.annotations));
    Some(service)
}

/// Labels and annotations are the Canary's business only if it made the Service.
fn is_same_owner(present: &Option<ObjectReference>, wanted: &Option<ObjectReference>) -> bool {
    match (present, wanted) {
        (Some(present), Some(wanted)) => present.kind == wanted.kind && present.name == wanted.name,
        _ => false,
    }
}

/// What should be there instead, with the unmanaged keys as they are; none if nothing differs.
fn differing(
    present: &BTreeMap<String, String>,
    wanted: &BTreeMap<String, String>,
    unmanaged: Option<&Vec<String>>,
) -> Option<BTreeMap<String, String>> {
    if present == wanted {
        return None;
    }
    let mut wanted = wanted.clone();
    let unmanaged = unmanaged.into_iter().flatten();
    for (key, value) in unmanaged.filter_map(|key| present.get_key_value(key)) {
        wanted.insert(key.clone(), value.clone());
    }
    (*present != wanted).then_some(wanted)
}

/// Whether two lists hold the same ports in some order, node ports aside, which the API server gives out.
fn same_ports(present: &[ServicePort], wanted: &[ServicePort]) -> bool {
    let same = |a: &ServicePort, b: &ServicePort| {
        a.port == b.port
            && a.name == b.name
            && a.protocol == b.protocol
            && a.target_port == b.target_port
            && a.app_protocol == b.app_protocol
    };
    present.len() == wanted.len() && wanted.iter().all(|b| present.iter().any(|a| same(a, b)))
}

fn service_spec(
    spec: &CanarySpec,
    label: &SelectorLabel,
    discovered: &[ServicePort],
    pods: &str,
) -> ServiceSpec {
    let service = &spec.service;
    let optional = |text: &String| (!text.is_empty()).then(|| text.clone());
    let mut ports = vec![ServicePort {
        name: optional(&service.port_name).unwrap_or_else(|| "http".to_owned()),
        protocol: "TCP".to_owned(),
        port: service.port,
        target_port: if has_target_port(&service.target_port) {
            service.target_port.clone()
        } else {
            Value::from(service.port)
        },
        app_protocol: optional(&service.app_protocol),
        node_port: None,
    }];
    ports.extend_from_slice(discovered);
    ServiceSpec {
        selector: BTreeMap::from([(label.key.clone(), pods.to_owned())]),
        ports,
        kind: "ClusterIP".to_owned(),
        cluster_ip: if service.headless { "None" } else { "" }.to_owned(),
        traffic_distribution: optional(&service.traffic_distribution),
    }
}

/// A target port whose text is `0` counts as absent, as it does for Go's `IntOrString`.
fn has_target_port(port: &Value) -> bool {
    match port {
        Value::Null => false,
        Value::String(name) => name != "0",
        number => number.as_i64() != Some(0),
    }
}

/// The containers' other ports, where the Canary wants them served (`getPorts` in `pkg/canary/util.go`); of two with one
/// name the later wins.
pub(crate) fn discovered_ports(spec: &CanarySpec, target: &Deployment) -> Vec<ServicePort> {
    let service = &spec.service;
    if !service.port_discovery {
        return Vec::new();
    }
    let is_the_services = |port: i32, name: &str| match &service.target_port {
        given if !has_target_port(given) => port == service.port,
        Value::String(wanted) => name == wanted,
        number => number.as_i64() == Some(i64::from(port)),
    };
    let mut found = BTreeMap::new();
    let containers = target.spec.template.0.pointer("/spec/containers");
    for container in containers.and_then(Value::as_array).into_iter().flatten() {
        let container_name = container["name"].as_str().unwrap_or_default();
        if SIDECARS.contains(&container_name) {
            continue;
        }
        let ports = container["ports"].as_array().into_iter().flatten();
        for (index, port) in ports.enumerate() {
            let number = port["containerPort"].as_i64().unwrap_or_default() as i32;
            let name = port["name"].as_str().unwrap_or_default();
            if is_the_services(number, name) {
                continue;
            }
            let name = match name {
                "" => format!("tcp-{container_name}-{index}"),
                name => name.to_owned(),
            };
            found.insert(name, number);
        }
    }
    found
        .into_iter()
        .map(|(name, port)| ServicePort {
            name,
            protocol: "TCP".to_owned(),
            port,
            target_port: Value::from(port),
            ..ServicePort::default()
        })
        .collect()
}

/// `filterMetadata` of `pkg/router`: tells Flux to keep its hands off what Flagger manages.
pub(crate) fn disown_to_flux(
    mut annotations: BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    for key in [
        "kustomize.toolkit.fluxcd.io/reconcile",
        "helm.toolkit.fluxcd.io/driftDetection",
    ] {
        annotations.insert(key.to_owned(), "disabled".to_owned());
    }
    annotations
}
