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

/// Reconciles the canary's and the primary's Service (`Initialize`). `ports` are what all three Services serve.
pub(crate) fn reconcile_workloads(
    cx: &mut Context<'_>,
    label: &SelectorLabel,
    ports: &[ServicePort],
) -> Result<(), Failure> {
    let spec = Rc::clone(&cx.spec);
    let service = &spec.service;
    let wanted = |name, pods, metadata| Wanted {
        spec: &spec,
        name,
        label,
        pods,
        ports,
        metadata,
    };
    let (canary, primary) = (spec.canary_service(), spec.primary_service());
    let primary_pods = label.primary_value();
    reconcile(cx, &wanted(&canary, &label.value, service.canary.as_ref()))?;
    reconcile(
        cx,
        &wanted(&primary, &primary_pods, service.primary.as_ref()),
    )
}

/// Points the apex Service at the primary (`Reconcile`).
pub(crate) fn reconcile_apex(
    cx: &mut Context<'_>,
    label: &SelectorLabel,
    ports: &[ServicePort],
) -> Result<(), Failure> {
    let spec = Rc::clone(&cx.spec);
    let wanted = Wanted {
        spec: &spec,
        name: spec.apex_service(),
        label,
        pods: &label.primary_value(),
        ports,
        metadata: spec.service.apex.as_ref(),
    };
    reconcile(cx, &wanted)
}

/// Points an apex Service that was there before the Canary at the target again (`Finalize`); one that Flagger made goes
/// with the Canary.
pub(crate) fn return_apex(
    cx: &mut Context<'_>,
    label: &SelectorLabel,
    ports: &[ServicePort],
) -> Result<(), Failure> {
    let spec = Rc::clone(&cx.spec);
    let reference = cx.local(Kind::Service, spec.apex_service());
    let owned = cx.look(&reference, |apex: &Service| {
        let owner = apex.metadata.owner.as_ref();
        owner.is_some_and(|owner| owner.kind == Kind::Canary.as_str())
    });
    match owned {
        Ok(false) => reconcile(
            cx,
            &Wanted {
                spec: &spec,
                name: spec.apex_service(),
                label,
                pods: &label.value,
                ports,
                metadata: None,
            },
        ),
        Ok(true) | Err(GetError::NotFound(_)) => Ok(()),
        Err(error) => Err(Failure::new(format!(
            "service {reference} get query error: {error}"
        ))),
    }
}

/// A Service as the Canary wants it.
struct Wanted<'a> {
    spec: &'a CanarySpec,
    name: &'a str,
    label: &'a SelectorLabel,
    /// The label's value on the pods that it leads to.
    pods: &'a str,
    ports: &'a [ServicePort],
    metadata: Option<&'a CustomMetadata>,
}

fn reconcile(cx: &mut Context<'_>, wanted: &Wanted<'_>) -> Result<(), Failure> {
    let name = wanted.name;
    let failed = |what: String| Failure::new(format!("reconcileService failed: {what}"));
    let reference = cx.local(Kind::Service, name);
    let owner = cx.name.clone();
    match cx.look(&reference, |present| wanted.corrected(present, &owner)) {
        Ok(None) => Ok(()),
        Ok(Some(service)) => cx
            .write(Write::Update(service.into()))
            .map_err(|e| failed(format!("service {name} update error: {e}"))),
        Err(GetError::NotFound(_)) => {
            let mut service = wanted.build();
            service.metadata.namespace = cx.namespace.clone();
            service.metadata.owner = Some(cx.as_owner());
            cx.write(Write::Create(service.into()))
                .map_err(|e| failed(format!("service {reference} create error: {e}")))
        }
        Err(e) => Err(failed(format!("service {name} get query error: {e}"))),
    }
}

impl Wanted<'_> {
    fn build(&self) -> Service {
        let metadata = self.metadata.cloned().unwrap_or_default();
        let mut labels = metadata.labels;
        labels.insert(self.label.key.clone(), self.name.to_owned());
        let service = &self.spec.service;
        let traffic_distribution = Some(&service.traffic_distribution);
        Service {
            metadata: ObjectMeta {
                name: self.name.to_owned(),
                labels,
                annotations: disown_to_flux(metadata.annotations),
                ..ObjectMeta::default()
            },
            spec: ServiceSpec {
                selector: BTreeMap::from([(self.label.key.clone(), self.pods.to_owned())]),
                ports: self.ports.to_vec(),
                kind: "ClusterIP".to_owned(),
                cluster_ip: if service.headless { "None" } else { "" }.to_owned(),
                traffic_distribution: traffic_distribution.filter(|t| !t.is_empty()).cloned(),
            },
        }
    }

    /// An existing Service brought in line; none if it is already. Labels and annotations are the business of the
    /// Canary named `canary` only if it made the Service.
    fn corrected(&self, present: &Service, canary: &str) -> Option<Service> {
        let meta = &present.metadata;
        let spec_fits =
            self.selects(&present.spec.selector) && same_ports(&present.spec.ports, self.ports);
        let is_owner = |o: &ObjectReference| o.kind == Kind::Canary.as_str() && o.name == canary;
        let owned = meta.owner.as_ref().is_some_and(is_owner);
        if spec_fits && (!owned || self.labels_fit(&meta.labels) && self.annotations_fit(meta)) {
            return None;
        }
        let wanted = self.build();
        let mut service = present.clone();
        if !spec_fits {
            service.spec.selector = wanted.spec.selector;
            service.spec.ports = wanted.spec.ports;
            for port in &mut service.spec.ports {
                let given = present.spec.ports.iter().find(|p| p.name == port.name);
                port.node_port = given.and_then(|p| p.node_port);
            }
        }
        if owned {
            let unmanaged = self
                .spec
                .service
                .unmanaged_metadata
                .clone()
                .unwrap_or_default();
            service.metadata.labels =
                with_unmanaged(wanted.metadata.labels, &meta.labels, &unmanaged.labels);
            service.metadata.annotations = with_unmanaged(
                wanted.metadata.annotations,
                &meta.annotations,
                &unmanaged.annotations,
            );
            if spec_fits && service == *present {
                return None;
            }
        }
        service.metadata.annotations = disown_to_flux(service.metadata.annotations);
        Some(service)
    }

    fn selects(&self, selector: &BTreeMap<String, String>) -> bool {
        selector.len() == 1
            && selector
                .get(&self.label.key)
                .is_some_and(|pods| pods == self.pods)
    }

    fn labels_fit(&self, present: &BTreeMap<String, String>) -> bool {
        let custom = self.metadata.map(|m| &m.labels);
        is_overlaid(present, custom, &[(&self.label.key, self.name)])
    }

    fn annotations_fit(&self, present: &ObjectMeta) -> bool {
        let custom = self.metadata.map(|m| &m.annotations);
        is_overlaid(&present.annotations, custom, &DISOWNED)
    }
}

/// Whether a map is `base` with some entries laid over it.
fn is_overlaid(
    map: &BTreeMap<String, String>,
    base: Option<&BTreeMap<String, String>>,
    over: &[(&str, &str)],
) -> bool {
    let is_over = |key: &str| over.iter().any(|(k, _)| *k == key);
    let under = || base.into_iter().flatten().filter(|(key, _)| !is_over(key));
    map.len() == over.len() + under().count()
        && under().all(|(key, value)| map.get(key) == Some(value))
        && over
            .iter()
            .all(|(key, value)| map.get(*key).is_some_and(|v| v == value))
}

/// The wanted map, with the unmanaged keys as they are.
fn with_unmanaged(
    mut wanted: BTreeMap<String, String>,
    present: &BTreeMap<String, String>,
    unmanaged: &[String],
) -> BTreeMap<String, String> {
    for (key, value) in unmanaged
        .iter()
        .filter_map(|key| present.get_key_value(key))
    {
        wanted.insert(key.clone(), value.clone());
    }
    wanted
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

/// What the Services serve: the Canary's own port, and those discovered.
pub(crate) fn ports(spec: &CanarySpec, target: &Deployment) -> Vec<ServicePort> {
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
    ports
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
    let containers = target.spec.template.json().pointer("/spec/containers");
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

/// Tells Flux to keep its hands off what Flagger manages.
const DISOWNED: [(&str, &str); 2] = [
    ("kustomize.toolkit.fluxcd.io/reconcile", "disabled"),
    ("helm.toolkit.fluxcd.io/driftDetection", "disabled"),
];

/// `filterMetadata` of `pkg/router`.
pub(crate) fn disown_to_flux(
    mut annotations: BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    annotations.extend(DISOWNED.map(|(key, value)| (key.to_owned(), value.to_owned())));
    annotations
}
