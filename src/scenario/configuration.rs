//! What a scenario says, value by value: its own keys and those of its manifests, each by a path that its author would
//! recognise. Two of these tell what changed between two runs, and where.
//!
//! The scenario's own tables that are laid over manifests count as the manifests' fields. Left out are the title, what is
//! expected, the list of files, what only a cluster writes, and the words of a Secret, of which a digest stands in.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::model::Scenario;
use crate::diagnostic::{Content, Node, Place};

/// The values of a scenario, by what they are part of (`scenario`, `Canary load-harness`) and their path in it
/// (`spec.analysis.metrics[latency].thresholdRange.max`).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Configuration(pub BTreeMap<String, BTreeMap<String, Value>>);

/// A value that is not what it was.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// What it is part of.
    pub part: String,
    /// Its path in that.
    pub path: String,
    /// What it was; `None` where it was not there.
    pub before: Option<Value>,
    /// What it is; `None` where it is not there any more.
    pub after: Option<Value>,
}

impl Configuration {
    /// What this scenario says.
    pub fn of(scenario: &Scenario) -> Configuration {
        let mut parts: BTreeMap<String, BTreeMap<String, Value>> = BTreeMap::new();
        walk(scenario, &mut |part, path, node| {
            let values = parts.entry(part.to_owned()).or_default();
            values.insert(path.to_owned(), value(part, path, node));
        });
        Configuration(parts)
    }

    /// What is otherwise in `after`, in the order of parts and paths.
    pub fn changes(&self, after: &Configuration) -> Vec<Change> {
        let none = BTreeMap::new();
        let parts: BTreeSet<&String> = self.0.keys().chain(after.0.keys()).collect();
        let mut changes = Vec::new();
        for part in parts {
            let first = self.0.get(part).unwrap_or(&none);
            let second = after.0.get(part).unwrap_or(&none);
            let paths: BTreeSet<&String> = first.keys().chain(second.keys()).collect();
            for path in paths {
                let (before, after) = (first.get(path), second.get(path));
                if before != after {
                    changes.push(Change {
                        part: part.clone(),
                        path: path.clone(),
                        before: before.cloned(),
                        after: after.cloned(),
                    });
                }
            }
        }
        changes
    }
}

/// Where a value was written, in this scenario or its manifests.
pub fn place_of(scenario: &Scenario, part: &str, path: &str) -> Option<Place> {
    let mut place = None;
    walk(scenario, &mut |p, q, node| {
        if p == part && q == path {
            place = Some(node.place.clone());
        }
    });
    place
}

/// Keys of a scenario that are no part of what is run: words, expectations, and what stands in the manifests' parts.
const NOT_RUN: [&str; 9] = [
    "title",
    "expect",
    "manifests",
    "canary",
    "deployment",
    "hpa",
    "metric_templates",
    "ingresses",
    "services",
];

/// Fields that a cluster writes.
const CLUSTERS_OWN: [&str; 6] = [
    "status",
    "metadata.uid",
    "metadata.resourceVersion",
    "metadata.creationTimestamp",
    "metadata.generation",
    "metadata.managedFields",
];

fn walk(scenario: &Scenario, see: &mut dyn FnMut(&str, &str, &Node)) {
    for (key, node) in scenario.text.entries() {
        if !NOT_RUN.contains(&key.name.as_str()) {
            leaves(node, &key.name, &mut |path, node| {
                see("scenario", path, node)
            });
        }
    }
    for document in &scenario.manifests.documents {
        let part = format!("{} {}", document.kind, document.name);
        leaves(&document.node, "", &mut |path, node| {
            let inside = |field: &str| {
                let rest = path.strip_prefix(field);
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            };
            if !CLUSTERS_OWN.into_iter().any(inside) {
                see(&part, path, node);
            }
        });
    }
}

/// Every value below a node. An element of a list goes by its `name` where it has one, else by its place in the list.
fn leaves(node: &Node, path: &str, see: &mut dyn FnMut(&str, &Node)) {
    match &node.content {
        Content::Table(entries) if !entries.is_empty() => {
            for (key, node) in entries {
                let path = match path {
                    "" => key.name.clone(),
                    path => format!("{path}.{}", key.name),
                };
                leaves(node, &path, see);
            }
        }
        Content::List(elements) if !elements.is_empty() => {
            for (index, element) in elements.iter().enumerate() {
                let name = element.get("name").and_then(Node::as_str);
                let step = name.map_or_else(|| index.to_string(), str::to_owned);
                leaves(element, &format!("{path}[{step}]"), see);
            }
        }
        _ => see(path, node),
    }
}

fn value(part: &str, path: &str, node: &Node) -> Value {
    let value = match &node.content {
        Content::Foreign(what) => Value::String((*what).to_owned()),
        _ => node.to_json().unwrap_or(Value::Null),
    };
    let secret = part.starts_with("Secret ") && !path.starts_with("metadata") && path.contains('.');
    if !secret {
        return value;
    }
    let digest = Sha256::digest(value.to_string().as_bytes());
    let short: String = digest
        .iter()
        .take(6)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    Value::String(format!("sha256:{short}"))
}
