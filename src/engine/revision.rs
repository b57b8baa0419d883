//! Whether the target is something new: hashes of pod templates.
//!
//! Follows `pkg/canary/spec.go`. Flagger hashes a dump of its Go structs (FNV-32a) and only ever compares for equality;
//! here the template's JSON is hashed (FNV-1a, 64 bits), so the values differ from a cluster's while the comparisons agree.

use serde_json::Value;

use crate::canary::CanaryStatus;
use crate::k8s::PodTemplate;

/// The hash that `lastAppliedSpec` and `lastPromotedSpec` hold. Absent fields and `null` are the same.
pub fn template_hash(template: &PodTemplate) -> String {
    let mut hasher = Fnv::new();
    hasher.value(template.json());
    hasher.text()
}

/// Whether a template with this hash has to be analysed (`hasSpecChanged`): going back to what was last promoted
/// is not a change.
pub(crate) fn has_changed(status: &CanaryStatus, hash: &str) -> bool {
    if status.last_applied_spec.is_empty() {
        return true;
    }
    status.last_promoted_spec != hash && status.last_applied_spec != hash
}

/// The `checksum` of a webhook's payload (`canaryChecksum` in `pkg/controller/webhook.go`): changes with the tracked
/// configs and the template.
pub(crate) fn payload_checksum(status: &CanaryStatus) -> String {
    let mut hasher = Fnv::new();
    match &status.tracked_configs {
        None => hasher.bytes(b"0"),
        Some(configs) => {
            hasher.bytes(b"1");
            for (name, checksum) in configs {
                hasher.string(name);
                hasher.string(checksum);
            }
        }
    }
    hasher.string(&status.last_applied_spec);
    hasher.text()
}

/// FNV-1a over values, each preceded by its kind and followed by an end, so that no two values run together.
pub(crate) struct Fnv(u64);

impl Fnv {
    pub(crate) fn new() -> Self {
        Fnv(0xcbf2_9ce4_8422_2325)
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    pub(crate) fn string(&mut self, text: &str) {
        self.bytes(text.as_bytes());
        self.bytes(&[0xff]);
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::Null => self.bytes(b"n"),
            Value::Bool(true) => self.bytes(b"t"),
            Value::Bool(false) => self.bytes(b"f"),
            Value::Number(number) => {
                self.bytes(b"#");
                match number.as_i64() {
                    Some(whole) => self.bytes(&whole.to_le_bytes()),
                    None => self.string(&number.to_string()),
                }
            }
            Value::String(text) => {
                self.bytes(b"s");
                self.string(text);
            }
            Value::Array(items) => {
                self.bytes(b"[");
                items.iter().for_each(|item| self.value(item));
                self.bytes(b"]");
            }
            Value::Object(fields) => {
                self.bytes(b"{");
                for (name, field) in fields.iter().filter(|(_, field)| !field.is_null()) {
                    self.string(name);
                    self.value(field);
                }
                self.bytes(b"}");
            }
        }
    }

    pub(crate) fn sum(&self) -> u64 {
        self.0
    }

    fn text(&self) -> String {
        format!("{:016x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn hash(value: Value) -> String {
        template_hash(&PodTemplate::from(value))
    }

    #[test]
    fn templates_differ_in_any_field_but_not_in_nulls_or_key_order() {
        let plain = hash(json!({ "spec": { "containers": [{ "image": "v1", "name": "app" }] } }));
        let same: Value = serde_json::from_str(
            r#"{"spec": {"containers": [{"name": "app", "image": "v1"}], "volumes": null}}"#,
        )
        .unwrap();
        assert_eq!(plain, hash(same));
        for other in [
            json!({ "spec": { "containers": [{ "image": "v2", "name": "app" }] } }),
            json!({ "spec": { "containers": [{ "image": "v1" }, { "name": "app" }] } }),
            json!({ "spec": { "containers": [{ "image": "v1", "name": "app" }] }, "metadata": {} }),
            json!({ "spec": { "containers": [{ "image": "v1n", "ame": "app" }] } }),
        ] {
            assert_ne!(plain, hash(other));
        }
    }

    #[test]
    fn a_change_is_what_was_neither_applied_nor_promoted() {
        let status = |applied: &str, promoted: &str| CanaryStatus {
            last_applied_spec: applied.to_owned(),
            last_promoted_spec: promoted.to_owned(),
            ..CanaryStatus::default()
        };
        for (applied, promoted, current, changed) in [
            ("", "", "a", true),
            ("", "a", "a", true),
            ("a", "a", "a", false),
            ("a", "a", "b", true),
            ("b", "a", "b", false),
            ("b", "a", "a", false),
            ("b", "a", "c", true),
            ("b", "", "c", true),
        ] {
            assert_eq!(
                has_changed(&status(applied, promoted), current),
                changed,
                "{applied} {promoted} {current}"
            );
        }
    }
}
