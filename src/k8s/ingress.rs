//! `networking.k8s.io/v1` Ingresses: the spec stays opaque, since Flagger clones it whole (`pkg/router/ingress.go`).

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::meta::ObjectMeta;

/// An Ingress.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Ingress {
    /// Metadata.
    pub metadata: ObjectMeta,
    /// Rules, as written.
    pub spec: Value,
}

impl Ingress {
    /// Hosts of the rules; `None` for a rule without one.
    pub fn hosts(&self) -> Vec<Option<&str>> {
        let rules = self.spec.get("rules").and_then(Value::as_array);
        rules
            .into_iter()
            .flatten()
            .map(|rule| rule.get("host").and_then(Value::as_str))
            .collect()
    }

    /// Names of the Services that its paths lead to, in order.
    pub fn backends(&self) -> Vec<&str> {
        let rules = self.spec.get("rules").and_then(Value::as_array);
        let paths = rules
            .into_iter()
            .flatten()
            .filter_map(|rule| rule.pointer("/http/paths")?.as_array())
            .flatten();
        paths
            .filter_map(|path| path.pointer("/backend/service/name")?.as_str())
            .collect()
    }
}
