//! Objects of API versions that Kubernetes no longer serves, brought into the shape of those it does.
//!
//! Manifests in the wild still carry them. Follows the API server's own conversions: `pkg/apis/networking/v1beta1/conversion.go`
//! (Kubernetes 1.21: a backend's `serviceName` and `servicePort`), `pkg/apis/autoscaling/v2beta1/conversion.go` (a metric's
//! `target...` beside its name), and for Deployments the selector that `extensions/v1beta1` filled in from the template. Left
//! out: versions that only ever changed name, and HPAs on pods, objects or external metrics, which have no part here.

use crate::diagnostic::{Content, Key, Node};
use crate::k8s::manifest::Document;

/// A kind, its old versions, what they are read as, and the Kubernetes version that stopped serving them.
const OLD: [(&str, &[&str], &str, &str); 3] = [
    (
        "Ingress",
        &["extensions/v1beta1", "networking.k8s.io/v1beta1"],
        "networking.k8s.io/v1",
        "1.22",
    ),
    (
        "HorizontalPodAutoscaler",
        &["autoscaling/v2beta1"],
        "autoscaling/v2",
        "1.25",
    ),
    (
        "Deployment",
        &["extensions/v1beta1", "apps/v1beta1", "apps/v1beta2"],
        "apps/v1",
        "1.16",
    ),
];

/// Converts the document if its version is an old one, and says so.
pub(super) fn converted(document: &mut Document) -> Option<String> {
    let (kind, _, now, gone) = OLD.iter().find(|(kind, versions, ..)| {
        document.kind == *kind && versions.contains(&document.api_version.as_str())
    })?;
    match *kind {
        "Ingress" => ingress(&mut document.node),
        "HorizontalPodAutoscaler" => autoscaler(&mut document.node),
        _ => deployment(&mut document.node),
    }
    let before = std::mem::replace(&mut document.api_version, (*now).to_owned());
    if let Some(version) = entry(&mut document.node, "apiVersion") {
        version.content = Content::Text((*now).to_owned());
    }
    Some(format!(
        "{kind} `{}` of {before} is read as {now}; Kubernetes {gone} and later refuse what is written (`apiVersion`).",
        document.name
    ))
}

fn ingress(node: &mut Node) {
    let Some(spec) = entry(node, "spec") else {
        return;
    };
    if let Some((key, backend)) = entries(spec).find(|(key, _)| key.name == "backend") {
        key.name = "defaultBackend".to_owned();
        self::backend(backend);
    }
    for rule in entry(spec, "rules").into_iter().flat_map(elements) {
        let paths = entry(rule, "http").and_then(|http| entry(http, "paths"));
        for path in paths.into_iter().flat_map(elements) {
            if let Some(backend) = entry(path, "backend") {
                self::backend(backend);
            }
            if path.get("pathType").is_none() {
                insert(
                    path,
                    "pathType",
                    Content::Text("ImplementationSpecific".to_owned()),
                );
            }
        }
    }
}

/// `serviceName: a, servicePort: 80` to `service: {name: a, port: {number: 80}}`.
fn backend(node: &mut Node) {
    let (Some(name), Some(port)) = (take(node, "serviceName"), take(node, "servicePort")) else {
        return;
    };
    let key = match port.content {
        Content::Text(_) => "name",
        _ => "number",
    };
    let mut of_port = Node::empty_table(port.place.clone());
    insert(&mut of_port, key, port.content);
    let mut service = Node::empty_table(name.place.clone());
    insert(&mut service, "name", name.content);
    insert(&mut service, "port", of_port.content);
    insert(node, "service", service.content);
}

/// `resource: {name: cpu, targetAverageUtilization: 80}` to `resource: {name: cpu, target: {type: Utilization, ...}}`.
fn autoscaler(node: &mut Node) {
    let metrics = entry(node, "spec").and_then(|spec| entry(spec, "metrics"));
    for metric in metrics.into_iter().flat_map(elements) {
        for source in ["resource", "containerResource"] {
            let Some(resource) = entry(metric, source) else {
                continue;
            };
            for (old, new, kind) in [
                (
                    "targetAverageUtilization",
                    "averageUtilization",
                    "Utilization",
                ),
                ("targetAverageValue", "averageValue", "AverageValue"),
            ] {
                let Some(value) = take(resource, old) else {
                    continue;
                };
                let mut target = Node::empty_table(value.place.clone());
                insert(&mut target, "type", Content::Text(kind.to_owned()));
                insert(&mut target, new, value.content);
                insert(resource, "target", target.content);
            }
        }
    }
}

/// The selector was filled in from the template's labels.
fn deployment(node: &mut Node) {
    let Some(spec) = entry(node, "spec") else {
        return;
    };
    let labels = spec.pointer("/template/metadata/labels").cloned();
    if let (None, Some(labels)) = (spec.get("selector"), labels) {
        let mut selector = Node::empty_table(labels.place.clone());
        insert(&mut selector, "matchLabels", labels.content);
        insert(spec, "selector", selector.content);
    }
}

fn entries(node: &mut Node) -> impl Iterator<Item = &mut (Key, Node)> {
    match &mut node.content {
        Content::Table(entries) => entries.iter_mut(),
        _ => [].iter_mut(),
    }
}

fn elements(node: &mut Node) -> impl Iterator<Item = &mut Node> {
    match &mut node.content {
        Content::List(elements) => elements.iter_mut(),
        _ => [].iter_mut(),
    }
}

fn entry<'n>(node: &'n mut Node, key: &str) -> Option<&'n mut Node> {
    entries(node)
        .find(|(found, _)| found.name == key)
        .map(|(_, value)| value)
}

fn take(node: &mut Node, key: &str) -> Option<Node> {
    let Content::Table(entries) = &mut node.content else {
        return None;
    };
    let at = entries.iter().position(|(found, _)| found.name == key)?;
    Some(entries.remove(at).1)
}

/// Adds a key at the place of its table.
fn insert(node: &mut Node, key: &str, content: Content) {
    let place = node.place.clone();
    if let Content::Table(entries) = &mut node.content {
        let name = key.to_owned();
        let value = Node {
            content,
            place: place.clone(),
        };
        entries.push((Key { name, place }, value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::SourceText;
    use crate::k8s::manifest;
    use serde_json::json;

    fn converted_json(text: &str) -> (String, serde_json::Value) {
        let source = SourceText::new("old.yaml", text);
        let mut document = manifest::read(&source).unwrap().remove(0);
        let said = converted(&mut document).unwrap_or_default();
        (said, document.node.to_json().unwrap())
    }

    #[test]
    fn an_old_ingress_becomes_what_the_api_server_made_of_it() {
        let (said, object) = converted_json(
            "apiVersion: extensions/v1beta1\nkind: Ingress\nmetadata: {name: shop}\nspec:\n  backend: {serviceName: other, servicePort: http}\n  \
             rules:\n  - host: shop.example.com\n    http:\n      paths:\n      - backend: {serviceName: shop, servicePort: 80}\n",
        );
        assert!(
            said.starts_with(
                "Ingress `shop` of extensions/v1beta1 is read as networking.k8s.io/v1"
            ),
            "{said}"
        );
        assert_eq!(object["apiVersion"], "networking.k8s.io/v1");
        assert_eq!(
            object["spec"],
            json!({
                "defaultBackend": { "service": { "name": "other", "port": { "name": "http" } } },
                "rules": [{ "host": "shop.example.com", "http": { "paths": [{
                    "backend": { "service": { "name": "shop", "port": { "number": 80 } } },
                    "pathType": "ImplementationSpecific",
                }] } }],
            })
        );
    }

    #[test]
    fn an_old_autoscaler_keeps_its_targets() {
        let (_, object) = converted_json(
            "apiVersion: autoscaling/v2beta1\nkind: HorizontalPodAutoscaler\nmetadata: {name: shop}\nspec:\n  metrics:\n  \
             - type: Resource\n    resource: {name: cpu, targetAverageUtilization: 60}\n  \
             - type: Resource\n    resource: {name: memory, targetAverageValue: 200Mi}\n",
        );
        assert_eq!(
            object["spec"]["metrics"],
            json!([
                { "type": "Resource", "resource": { "name": "cpu", "target": { "type": "Utilization", "averageUtilization": 60 } } },
                { "type": "Resource", "resource": { "name": "memory", "target": { "type": "AverageValue", "averageValue": "200Mi" } } },
            ])
        );
    }

    #[test]
    fn an_old_deployment_gets_the_selector_that_was_implied() {
        let (_, object) = converted_json(
            "apiVersion: extensions/v1beta1\nkind: Deployment\nmetadata: {name: shop}\nspec:\n  template:\n    metadata: {labels: {app: shop}}\n",
        );
        assert_eq!(
            object["spec"]["selector"],
            json!({ "matchLabels": { "app": "shop" } })
        );
    }

    #[test]
    fn what_is_served_today_is_left_alone() {
        let (said, object) = converted_json(
            "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: shop}\nspec: {backend: 1}\n",
        );
        assert_eq!(said, "");
        assert_eq!(object["spec"], json!({ "backend": 1 }));
    }
}
