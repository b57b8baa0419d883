//! A candidate as a patch of Kubernetes objects, for `kubectl patch --type merge` and for `rollcast simulate --patch`.
//!
//! A merge patch replaces lists whole, so where a setting lies inside a list (a metric's bound) the patch has all of that
//! list as it is under the candidate. What no object holds (the scrape interval, the users) is given apart.

use serde_json::{Map, Value, json};

use crate::diagnostic::Diagnostic;
use crate::scenario::Scenario;

use super::space::Assigned;

/// A patch, and what it cannot hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Patch {
    /// The objects, each with what changes.
    pub objects: Vec<Value>,
    /// Settings of other things, as `--set` takes them.
    pub besides: Vec<String>,
}

/// The patch that makes a scenario's objects what they are in `scenario`, which these settings were laid over.
pub fn patch(scenario: &Scenario, assigned: &[Assigned]) -> Result<Patch, Diagnostic> {
    let mut patch = Patch {
        objects: Vec::new(),
        besides: Vec::new(),
    };
    for one in assigned {
        let path = path(&one.key);
        let Some((object, within)) = owner(scenario, &path)? else {
            patch.besides.push(format!("{}={}", one.key, one.shown));
            continue;
        };
        let identity = |of: &Value| (of["kind"].clone(), of["metadata"]["name"].clone());
        let known = patch
            .objects
            .iter()
            .position(|other| identity(other) == identity(&object));
        let known = known.unwrap_or_else(|| {
            let metadata = &object["metadata"];
            let mut named = Map::new();
            for key in ["name", "namespace"] {
                if let Some(value) = metadata.get(key) {
                    named.insert(key.to_owned(), value.clone());
                }
            }
            patch.objects.push(json!({
                "apiVersion": object["apiVersion"],
                "kind": object["kind"],
                "metadata": named,
            }));
            patch.objects.len() - 1
        });
        copy(&object, within, &mut patch.objects[known]);
    }
    Ok(patch)
}

impl Patch {
    /// The objects as YAML.
    pub fn to_yaml(&self) -> Result<String, serde_saphyr::ser::Error> {
        // Long lines stay whole: folded, a query would be cut inside its braces.
        let options = || serde_saphyr::ser_options! { folded_wrap_chars: 100_000 };
        let texts = self.objects.iter();
        let texts = texts.map(|object| serde_saphyr::to_string_with_options(object, options()));
        let texts: Result<Vec<String>, _> = texts.collect();
        Ok(texts?.join("---\n"))
    }
}

/// The object that a key of the scenario is laid over, as it is under the candidate, and the path within it.
fn owner<'a>(
    scenario: &Scenario,
    path: &'a [String],
) -> Result<Option<(Value, &'a [String])>, Diagnostic> {
    let manifests = &scenario.manifests;
    let (kind, name, within) = match path.first().map(String::as_str) {
        Some("canary") => ("Canary", &manifests.canary.metadata.name, 1),
        Some("deployment") => ("Deployment", &manifests.deployment.metadata.name, 1),
        Some("hpa") => match manifests.hpas.first() {
            Some(hpa) => ("HorizontalPodAutoscaler", &hpa.metadata.name, 1),
            None => return Ok(None),
        },
        Some("metric_templates") if path.len() > 2 => ("MetricTemplate", &path[1], 2),
        Some("ingresses") if path.len() > 2 => ("Ingress", &path[1], 2),
        Some("services") if path.len() > 2 => ("Service", &path[1], 2),
        _ => return Ok(None),
    };
    let mut documents = manifests.documents.iter();
    let document = documents.find(|document| document.kind == kind && document.name == *name);
    match document {
        Some(document) => Ok(Some((document.node.to_json()?, &path[within..]))),
        None => Ok(None),
    }
}

/// Copies what a path leads to, or the list it leads into.
fn copy(from: &Value, path: &[String], to: &mut Value) {
    let Some((key, rest)) = path.split_first() else {
        *to = from.clone();
        return;
    };
    if from.is_array() {
        *to = from.clone();
        return;
    }
    let Some(value) = from.get(key) else { return };
    if !to.is_object() {
        *to = Value::Object(Map::new());
    }
    copy(value, rest, &mut to[key.as_str()]);
}

/// The parts of a key, as TOML has them.
fn path(key: &str) -> Vec<String> {
    let mut path = Vec::new();
    let mut table: toml::Table = match format!("{key} = 0").parse() {
        Ok(table) => table,
        Err(_) => return path,
    };
    while let Some((key, value)) = std::mem::take(&mut table).into_iter().next() {
        path.push(key);
        if let toml::Value::Table(inner) = value {
            table = inner;
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_split_as_toml_splits_it() {
        assert_eq!(path("a.\"b.c\".d"), ["a", "b.c", "d"]);
        assert_eq!(path("a..b"), Vec::<String>::new());
    }

    #[test]
    fn what_lies_in_a_list_brings_the_list_along() {
        let from =
            json!({ "spec": { "metrics": [{ "name": "a", "x": 1 }, { "name": "b" }], "y": 2 } });
        let mut to = json!({});
        copy(&from, &path("spec.metrics.a.x"), &mut to);
        assert_eq!(
            to,
            json!({ "spec": { "metrics": [{ "name": "a", "x": 1 }, { "name": "b" }] } })
        );
        copy(&from, &path("spec.y"), &mut to);
        assert_eq!(to["spec"]["y"], 2);
    }
}
