//! A pod template: opaque JSON with typed views.
//!
//! Flagger hashes, renames and copies templates whole (`pkg/canary/spec.go`, `deployment_controller.go`), so all of it is kept.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// `spec.template` of a workload.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PodTemplate(pub Value);

impl PodTemplate {
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
        if let Some(container) = self.0.pointer_mut("/spec/containers/0") {
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
        let Some(container) = self.0.pointer_mut("/spec/containers/0") else {
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
