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
use crate::k8s::{Deployment, ObjectMeta, Service, ServicePort, ServiceSpec};

/// Containers whose ports are not discovered.
const SIDECARS: [&str; 2] = ["istio-proxy", "envoy"];

/// Reconciles the canary's and the primary's Service (`Initialize`).
pub(crate) fn reconcile_workloads(
    cx: &mut Context<'_>,
    target: &Deployment,
    label: &SelectorLabel,
) -> Result<(), Failure> {
    let spec = Rc::clone(&cx.spec);
    let (canary, primary) = (spec.canary_service(), spec.primary_service());
    let service = &spec.service;
    reconcile(cx, target, label, &canary, &label.value, &service.canary)?;
    let primary_value = label.primary_value();
    reconcile(
        cx,
        target,
        label,
        &primary,
        &primary_value,
        &service.primary,
    )
}

/// Points the apex Service at the primary (`Reconcile`).
pub(crate) fn reconcile_apex(
    cx: &mut Context<'_>,
    target: &Deployment,
    label: &SelectorLabel,
) -> Result<(), Failure> {
    let spec = Rc::clone(&cx.spec);
    let primary_value = label.primary_value();
    reconcile(
        cx,
        target,
        label,
        spec.apex_service(),
        &primary_value,
        &spec.service.apex,
    )
}

fn reconcile(
    cx: &mut Context<'_>,
    target: &Deployment,
    label: &SelectorLabel,
    name: &str,
    pods: &str,
    metadata: &Option<CustomMetadata>,
) -> Result<(), Failure> {
    let failed = |what: String| Failure::new(format!("reconcileService failed: {what}"));
    let wanted = service_spec(&cx.spec, target, label, pods);
    let metadata = metadata.clone().unwrap_or_default();
    let mut labels = metadata.labels;
    labels.insert(label.key.clone(), name.to_owned());
    let annotations = disown_to_flux(metadata.annotations);

    let reference = cx.local(Kind::Service, name);
    let mut service: Service = match cx.get(&reference) {
        Ok(service) => service,
        Err(GetError::NotFound(_)) => {
            let service = Service {
                metadata: ObjectMeta {
                    name: name.to_owned(),
                    namespace: cx.namespace.clone(),
                    labels,
                    annotations,
                    owner: Some(cx.as_owner()),
                    ..ObjectMeta::default()
                },
                spec: wanted,
            };
            return cx
                .write(Write::Create(service.into()))
                .map_err(|e| failed(format!("service {reference} create error: {e}")));
        }
        Err(e) => return Err(failed(format!("service {name} get query error: {e}"))),
    };
    if correct(cx, &mut service, wanted, labels, annotations) {
        cx.write(Write::Update(service.into()))
            .map_err(|e| failed(format!("service {name} update error: {e}")))?;
    }
    Ok(())
}

/// Brings an existing Service in line; says whether anything changed.
fn correct(
    cx: &Context<'_>,
    service: &mut Service,
    mut wanted: ServiceSpec,
    mut labels: BTreeMap<String, String>,
    mut annotations: BTreeMap<String, String>,
) -> bool {
    for port in &mut wanted.ports {
        let given = service.spec.ports.iter().find(|p| p.name == port.name);
        port.node_port = given.and_then(|p| p.node_port);
    }
    let mut changed = false;
    if !same_ports(&wanted.ports, &service.spec.ports) || wanted.selector != service.spec.selector {
        service.spec.ports = wanted.ports;
        service.spec.selector = wanted.selector;
        changed = true;
    }
    let owner = service.metadata.owner.as_ref();
    if owner.is_some_and(|o| o.kind == Kind::Canary.as_str() && o.name == cx.name) {
        let unmanaged = cx.spec.service.unmanaged_metadata.as_ref();
        if let Some(unmanaged) = unmanaged {
            keep(
                &unmanaged.annotations,
                &service.metadata.annotations,
                &mut annotations,
            );
            keep(&unmanaged.labels, &service.metadata.labels, &mut labels);
        }
        if annotations != service.metadata.annotations {
            service.metadata.annotations = annotations;
            changed = true;
        }
        if labels != service.metadata.labels {
            service.metadata.labels = labels;
            changed = true;
        }
    }
    if changed {
        let annotations = std::mem::take(&mut service.metadata.annotations);
        service.metadata.annotations = disown_to_flux(annotations);
    }
    changed
}

fn keep(keys: &[String], from: &BTreeMap<String, String>, to: &mut BTreeMap<String, String>) {
    for (key, value) in keys.iter().filter_map(|key| from.get_key_value(key)) {
        to.insert(key.clone(), value.clone());
    }
}

fn same_ports(a: &[ServicePort], b: &[ServicePort]) -> bool {
    let sorted = |ports: &[ServicePort]| {
        let mut ports = ports.to_vec();
        ports.sort_by_key(|p| p.port);
        ports
    };
    a == b || sorted(a) == sorted(b)
}

fn service_spec(
    spec: &CanarySpec,
    target: &Deployment,
    label: &SelectorLabel,
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
    if service.port_discovery {
        ports.extend(discovered_ports(spec, target));
    }
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

/// The containers' other ports (`getPorts` in `pkg/canary/util.go`); of two with one name the later wins.
fn discovered_ports(spec: &CanarySpec, target: &Deployment) -> Vec<ServicePort> {
    let service = &spec.service;
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
