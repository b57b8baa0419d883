//! ConfigMaps and Secrets that the target's pods use: what they are, whether they changed, and the primary's copies.
//!
//! Follows `pkg/canary/config_tracker.go`, and `nop_tracker.go` where tracking is off. Only `data` is looked at and copied.

use std::collections::BTreeMap;

use serde_json::Value;

use super::context::{Context, Failure, GetError};
use super::object::{Kind, Object};
use super::primary::labels_by_prefix;
use super::{Settings, Write};
use crate::canary::CanaryStatus;
use crate::k8s::{ConfigMap, Deployment, ObjectMeta, PodTemplate, Secret};
use sha2::{Digest, Sha256};

/// Objects annotated with this and a value that starts with `disable` are shared instead of copied.
const TRACKING_ANNOTATION: &str = "flagger.app/config-tracking";

/// Secrets of other types (registry credentials and the like) are not tracked.
const TRACKED_SECRET_TYPES: [&str; 4] = [
    "Opaque",
    "kubernetes.io/basic-auth",
    "kubernetes.io/ssh-auth",
    "kubernetes.io/tls",
];

/// A kind of config.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum ConfigKind {
    ConfigMap,
    Secret,
}

impl ConfigKind {
    fn object_kind(self) -> Kind {
        match self {
            ConfigKind::ConfigMap => Kind::ConfigMap,
            ConfigKind::Secret => Kind::Secret,
        }
    }

    /// As `trackedConfigs` and errors write it.
    fn as_str(self) -> &'static str {
        match self {
            ConfigKind::ConfigMap => "configmap",
            ConfigKind::Secret => "secret",
        }
    }
}

/// The tracked configs of a pod template, and their checksums.
#[derive(Clone, Debug, Default)]
pub(crate) struct Configs(BTreeMap<(ConfigKind, String), String>);

impl Configs {
    /// What goes into `status.trackedConfigs`.
    pub(crate) fn checksums(&self, settings: &Settings) -> Option<BTreeMap<String, String>> {
        settings.enable_config_tracking.then(|| {
            let entries = self.0.iter();
            let entries = entries.map(|((kind, name), checksum)| {
                (format!("{}/{name}", kind.as_str()), checksum.clone())
            });
            entries.collect()
        })
    }

    /// Whether they are others than the status remembers.
    fn differ_from(&self, status: &CanaryStatus) -> bool {
        let Some(tracked) = &status.tracked_configs else {
            return !self.0.is_empty();
        };
        self.0.len() != tracked.len()
            || self.0.iter().any(|((kind, name), checksum)| {
                tracked.get(&format!("{}/{name}", kind.as_str())) != Some(checksum)
            })
    }

    /// Makes or refreshes the primary's copies (`CreatePrimaryConfigs`).
    pub(crate) fn copy_for_primary(&self, cx: &mut Context<'_>) -> Result<(), Failure> {
        for (kind, name) in self.0.keys() {
            let failed =
                |what: String| Failure::new(format!("CreatePrimaryConfigs failed: {what}"));
            let kind_name = kind.as_str();
            let source = cx.local(kind.object_kind(), &**name);
            let object: Object = cx
                .get(&source)
                .map_err(|e| failed(format!("{kind_name} {source} get query failed : {e}")))?;
            let copy = primary_copy(cx, &object);
            let reference = copy.reference();
            let (verb, written) = match cx.get::<Object>(&reference) {
                Ok(_) => ("updating", cx.write(Write::Update(copy))),
                Err(GetError::NotFound(_)) => ("creating", cx.write(Write::Create(copy))),
                Err(e) => {
                    return Err(failed(format!(
                        "{kind_name} {reference} get query failed : {e}"
                    )));
                }
            };
            written.map_err(|e| failed(format!("{verb} {kind_name} {reference} failed: {e}")))?;
        }
        Ok(())
    }

    /// Points a template at the primary's copies (`ApplyPrimaryConfigs`).
    pub(crate) fn rename_in(&self, template: &mut PodTemplate) {
        if self.0.is_empty() {
            return;
        }
        for found in references(template) {
            if self.0.contains_key(&(found.kind, found.name.clone()))
                && let Some(name) = template.json_mut().pointer_mut(&found.pointer)
            {
                *name = Value::from(format!("{}-primary", found.name));
            }
        }
    }
}

/// A mention of each config in a template; the last one of a name says whether the pods can do without it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mentions(BTreeMap<(ConfigKind, String), bool>);

impl Mentions {
    /// The mentions in the target's template; none where tracking is off.
    pub(crate) fn of(target: &Deployment, settings: &Settings) -> Self {
        let mut mandatory = BTreeMap::new();
        if settings.enable_config_tracking {
            for found in references(&target.spec.template) {
                mandatory.insert((found.kind, found.name), found.mandatory);
            }
        }
        Mentions(mandatory)
    }

    /// Looks the configs up (`GetTargetConfigs`). A missing config that the pods cannot do without is an error.
    pub(crate) fn resolve(self, cx: &mut Context<'_>) -> Result<Configs, Failure> {
        let mut configs = Configs::default();
        for ((kind, name), mandatory) in self.0 {
            match tracked_checksum(cx, kind, &name) {
                Ok(Some(checksum)) => {
                    configs.0.insert((kind, name), checksum);
                }
                Ok(None) => {}
                Err(_) if !mandatory => {}
                Err(error) => {
                    let what = format!("{} {name}.{} get query error", kind.as_str(), cx.namespace);
                    return Err(Failure::new(format!(
                        "GetTargetConfigs failed: {what}: {what}: {error}"
                    )));
                }
            }
        }
        Ok(configs)
    }

    /// Whether the configs are others than the status remembers (`HasConfigChanged`).
    pub(crate) fn have_changed(self, cx: &mut Context<'_>) -> Result<bool, Failure> {
        if !cx.settings.enable_config_tracking {
            return Ok(false);
        }
        Ok(self.resolve(cx)?.differ_from(&cx.status))
    }
}

/// The checksum of a config; none if it is not tracked.
fn tracked_checksum(
    cx: &mut Context<'_>,
    kind: ConfigKind,
    name: &str,
) -> Result<Option<String>, GetError> {
    let disabled = |meta: &ObjectMeta| {
        meta.annotations
            .get(TRACKING_ANNOTATION)
            .is_some_and(|value| value.starts_with("disable"))
    };
    let reference = cx.local(kind.object_kind(), name);
    match kind {
        ConfigKind::ConfigMap => cx.look(&reference, |config: &ConfigMap| {
            (!disabled(&config.metadata)).then(|| checksum(&config.data))
        }),
        ConfigKind::Secret => cx.look(&reference, |secret: &Secret| {
            let tracked = TRACKED_SECRET_TYPES.contains(&secret.kind.as_str());
            (tracked && !disabled(&secret.metadata)).then(|| checksum(&secret.data))
        }),
    }
}

fn primary_copy(cx: &Context<'_>, source: &Object) -> Object {
    let source_meta = source.metadata();
    let metadata = ObjectMeta {
        name: format!("{}-primary", source_meta.name),
        namespace: source_meta.namespace.clone(),
        labels: labels_by_prefix(&source_meta.labels, &cx.settings.include_label_prefixes),
        owner: Some(cx.as_owner()),
        ..ObjectMeta::default()
    };
    match source {
        Object::Secret(secret) => Object::Secret(Secret {
            metadata,
            kind: secret.kind.clone(),
            data: secret.data.clone(),
            string_data: BTreeMap::new(),
        }),
        Object::ConfigMap(config) => Object::ConfigMap(ConfigMap {
            metadata,
            data: config.data.clone(),
        }),
        other => unreachable!("{} is not a config", other.kind().as_str()),
    }
}

/// One mention of a config in a template.
struct Reference {
    kind: ConfigKind,
    name: String,
    mandatory: bool,
    /// JSON pointer to the name.
    pointer: String,
}

/// Every mention of a ConfigMap or Secret: volumes, projected volumes, `env` and `envFrom` of containers, then of init
/// containers.
fn references(template: &PodTemplate) -> Vec<Reference> {
    let mut found = Vec::new();
    let Some(spec) = template.json().get("spec") else {
        return found;
    };
    let mut mention =
        |holder: &Value, path: &dyn Fn() -> String, fields: [(ConfigKind, &str, &str); 2]| {
            for (kind, field, name_field) in fields {
                let Some(source) = holder.get(field).filter(|source| !source.is_null()) else {
                    continue;
                };
                let name = source.get(name_field).and_then(Value::as_str);
                found.push(Reference {
                    kind,
                    name: name.unwrap_or_default().to_owned(),
                    mandatory: source.get("optional") != Some(&Value::Bool(true)),
                    pointer: format!("{}/{field}/{name_field}", path()),
                });
            }
        };
    use ConfigKind::{ConfigMap, Secret};
    for (v, volume) in items(spec, "volumes") {
        let path = || format!("/spec/volumes/{v}");
        mention(
            volume,
            &path,
            [
                (ConfigMap, "configMap", "name"),
                (Secret, "secret", "secretName"),
            ],
        );
        let projected = volume.get("projected").unwrap_or(&Value::Null);
        for (s, source) in items(projected, "sources") {
            let path = || format!("/spec/volumes/{v}/projected/sources/{s}");
            mention(
                source,
                &path,
                [(ConfigMap, "configMap", "name"), (Secret, "secret", "name")],
            );
        }
    }
    for list in ["containers", "initContainers"] {
        for (c, container) in items(spec, list) {
            for (e, env) in items(container, "env") {
                let path = || format!("/spec/{list}/{c}/env/{e}/valueFrom");
                mention(
                    env.get("valueFrom").unwrap_or(&Value::Null),
                    &path,
                    [
                        (ConfigMap, "configMapKeyRef", "name"),
                        (Secret, "secretKeyRef", "name"),
                    ],
                );
            }
            for (e, env) in items(container, "envFrom") {
                let path = || format!("/spec/{list}/{c}/envFrom/{e}");
                mention(
                    env,
                    &path,
                    [
                        (ConfigMap, "configMapRef", "name"),
                        (Secret, "secretRef", "name"),
                    ],
                );
            }
        }
    }
    found
}

fn items<'a>(holder: &'a Value, list: &str) -> impl Iterator<Item = (usize, &'a Value)> {
    let items = holder.get(list).and_then(Value::as_array);
    items.into_iter().flatten().enumerate()
}

/// The first 8 bytes of the SHA-256 of the data as Go writes it in JSON. An empty map is absent to the API server, so `null`.
fn checksum(data: &BTreeMap<String, String>) -> String {
    let mut json = String::new();
    if data.is_empty() {
        json.push_str("null");
    } else {
        let mut separator = '{';
        for (key, value) in data {
            json.push(separator);
            push_go_string(&mut json, key);
            json.push(':');
            push_go_string(&mut json, value);
            separator = ',';
        }
        json.push('}');
    }
    let digest = Sha256::digest(json.as_bytes());
    digest[..8].iter().map(|b| format!("{b:02x}")).collect()
}

/// A string as `encoding/json` writes it: HTML characters and line separators escaped too.
fn push_go_string(json: &mut String, text: &str) {
    json.push('"');
    for c in text.chars() {
        match c {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            '\n' => json.push_str("\\n"),
            '\r' => json.push_str("\\r"),
            '\t' => json.push_str("\\t"),
            '\u{8}' => json.push_str("\\b"),
            '\u{c}' => json.push_str("\\f"),
            '\0'..='\u{1f}' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                json.push_str(&format!("\\u{:04x}", c as u32));
            }
            c => json.push(c),
        }
    }
    json.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn checksums_are_those_a_cluster_shows() {
        // `printf '{"color":"blue"}' | sha256sum` and the like.
        for (data, expected) in [
            (vec![], "74234e98afe7498f"),
            (vec![("color", "blue")], "f234cb93c08ad64e"),
        ] {
            let data: BTreeMap<String, String> = data
                .into_iter()
                .map(|(k, v): (&str, &str)| (k.to_owned(), v.to_owned()))
                .collect();
            assert_eq!(checksum(&data), expected);
        }
        let mut json = String::new();
        push_go_string(&mut json, "a<b>&\u{2028}\n\u{1}\"");
        assert_eq!(json, r#""a\u003cb\u003e\u0026\u2028\n\u0001\"""#);
    }

    #[test]
    fn mentions_are_found_in_every_place_that_flagger_looks() {
        let template = PodTemplate::from(json!({ "spec": {
            "volumes": [
                { "name": "a", "configMap": { "name": "cm1" } },
                { "name": "b", "secret": { "secretName": "s1", "optional": true } },
                { "name": "c", "projected": { "sources": [{ "configMap": { "name": "cm2" } }, { "secret": { "name": "s2" } }] } },
                { "name": "d", "emptyDir": {} },
            ],
            "containers": [{
                "env": [{ "name": "A", "value": "x" }, { "name": "B", "valueFrom": { "secretKeyRef": { "name": "s3", "key": "k" } } }],
                "envFrom": [{ "configMapRef": { "name": "cm3" } }],
            }],
            "initContainers": [{ "env": [{ "name": "C", "valueFrom": { "configMapKeyRef": { "name": "cm4" } } }] }],
        } }));
        let found: Vec<String> = references(&template)
            .into_iter()
            .map(|r| {
                assert_eq!(
                    template.json().pointer(&r.pointer),
                    Some(&Value::from(&*r.name))
                );
                format!(
                    "{}/{}{}",
                    r.kind.as_str(),
                    r.name,
                    if r.mandatory { "" } else { "?" }
                )
            })
            .collect();
        assert_eq!(
            found,
            [
                "configmap/cm1",
                "secret/s1?",
                "configmap/cm2",
                "secret/s2",
                "secret/s3",
                "configmap/cm3",
                "configmap/cm4"
            ]
        );
    }
}
