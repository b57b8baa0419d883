//! A pod template: opaque JSON with typed views.
//!
//! Flagger hashes, renames and copies templates whole (`pkg/canary/spec.go`, `deployment_controller.go`), so all of it is kept.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// `spec.template` of a workload.
///
/// Cloning is cheap, and so is comparing a template with its clone: what nobody has changed is shared.
#[derive(Clone, Debug, Default)]
pub struct PodTemplate(Arc<Value>);

impl From<Value> for PodTemplate {
    fn from(template: Value) -> Self {
        PodTemplate(Arc::new(template))
    }
}

impl PartialEq for PodTemplate {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}

impl Serialize for PodTemplate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for PodTemplate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(PodTemplate::from)
    }
}

impl PodTemplate {
    /// The template as it was written.
    pub fn json(&self) -> &Value {
        &self.0
    }

    /// The template, to change: clones of it stay as they are.
    pub fn json_mut(&mut self) -> &mut Value {
        Arc::make_mut(&mut self.0)
    }

    /// `metadata.labels`.
    pub fn labels(&self) -> BTreeMap<String, String> {
        self.string_map("labels")
    }

    /// `metadata.annotations`.
    pub fn annotations(&self) -> BTreeMap<String, String> {
        self.string_map("annotations")
    }

    /// Image of the first container.
    pub fn image(&self) -> Option<&str> {
        self.0.pointer("/spec/containers/0/image")?.as_str()
    }

    /// Name of the first container.
    pub fn container_name(&self) -> Option<&str> {
        self.0.pointer("/spec/containers/0/name")?.as_str()
    }

    /// Sets the image of the first container.
    pub fn set_image(&mut self, image: &str) {
        if let Some(container) = self.json_mut().pointer_mut("/spec/containers/0") {
            container["image"] = Value::from(image);
        }
    }

    /// Value of a plain environment variable, from the first container that has it.
    pub fn env(&self, name: &str) -> Option<&str> {
        let containers = self.0.pointer("/spec/containers")?.as_array()?;
        containers
            .iter()
            .filter_map(|c| c.get("env")?.as_array())
            .flatten()
            .find_map(|e| {
                (e.get("name")?.as_str()? == name)
                    .then(|| e.get("value")?.as_str())
                    .flatten()
            })
    }

    /// Sets a plain environment variable of the first container, in place where it is there already.
    pub fn set_env(&mut self, name: &str, value: &str) {
        let Some(container) = self.json_mut().pointer_mut("/spec/containers/0") else {
            return;
        };
        if !container["env"].is_array() {
            container["env"] = Value::Array(Vec::new());
        }
        let env = container["env"]
            .as_array_mut()
            .expect("made an array above");
        match env.iter_mut().find(|e| e["name"] == name) {
            Some(entry) => *entry = serde_json::json!({ "name": name, "value": value }),
            None => env.push(serde_json::json!({ "name": name, "value": value })),
        }
    }

    fn string_map(&self, key: &str) -> BTreeMap<String, String> {
        let map = self
            .0
            .get("metadata")
            .and_then(|m| m.get(key))
            .and_then(Value::as_object);
        map.into_iter()
            .flatten()
            .filter_map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned())))
            .collect()
    }
}
