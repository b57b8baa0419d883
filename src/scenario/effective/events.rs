//! `[[events]]`: what happens when, checked against what there is.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Reading;
use crate::canary::Canary;
use crate::diagnostic::{Content, Diagnostic, Key, Node, nearest};
use crate::k8s::ObjectMeta;
use crate::k8s::manifest::Document;
use crate::scenario::model::{Action, Manifests, ScenarioEvent, Version};
use crate::scenario::schema::{ConfigKeys, EventKeys, File};
use crate::scenario::units::{Time, shown};
use crate::scenario::{admission, crd, objects};
use crate::time::Span;

/// Fields of the Canary's spec that an event may change. The others decide who is routed where, which the simulated
/// cluster reads once.
const EDITABLE: [&str; 5] = [
    "analysis",
    "metricsServer",
    "progressDeadlineSeconds",
    "skipAnalysis",
    "suspend",
];

impl Reading<'_> {
    /// All events in order of time. The specs of edits are still to be made, by [`edits`](Self::edits).
    pub(super) fn events(
        &self,
        file: &File,
        versions: &BTreeMap<String, Version>,
        horizon: Span,
    ) -> Result<Vec<ScenarioEvent>, Diagnostic> {
        let mut events = Vec::new();
        for (index, keys) in file.events.iter().enumerate() {
            let Time(at) = keys.at;
            self.within_run(
                &format!("/events/{index}/at"),
                &format!("events[{index}].at"),
                at,
                horizon,
            )?;
            let action = self.action(index, keys, versions, file.pipeline.is_some())?;
            events.push(ScenarioEvent { at, action });
        }
        // Stable: what happens at one time happens in the order it was written.
        events.sort_by_key(|event| event.at);
        Ok(events)
    }

    /// Refuses a time after the end of the run.
    pub(super) fn within_run(
        &self,
        pointer: &str,
        key: &str,
        at: Span,
        horizon: Span,
    ) -> Result<(), Diagnostic> {
        if at <= horizon {
            return Ok(());
        }
        Err(self
            .refuse(
                pointer,
                format!(
                    "`{key}` is {}, after the run's end at {}",
                    shown(at),
                    shown(horizon)
                ),
            )
            .help("raise `run.horizon` or move the event"))
    }

    fn action(
        &self,
        index: usize,
        keys: &EventKeys,
        versions: &BTreeMap<String, Version>,
        has_pipeline: bool,
    ) -> Result<Action, Diagnostic> {
        let pointer = format!("/events/{index}");
        let given: Vec<&str> = [
            ("push", keys.push.is_some()),
            ("commit", keys.commit.is_some()),
            ("annotate", keys.annotate.is_some()),
            ("config", keys.config.is_some()),
            ("suspend", keys.suspend.is_some()),
            ("patch", keys.patch.is_some()),
            ("delete", keys.delete.is_some()),
        ]
        .into_iter()
        .filter_map(|(key, given)| given.then_some(key))
        .collect();
        match given.as_slice() {
            [_] => {}
            [] => {
                return Err(self
                    .refuse(
                        &pointer,
                        format!("`events[{index}]` says when, but not what"),
                    )
                    .help(
                        "give one of `push = \"v2\"`, `commit = \"v2\"`, `annotate = { key = \"value\" }`, `config = { config_map = \"app\", \
                         data = { key = \"value\" } }`, `suspend = true`, `patch = { analysis = { threshold = 5 } }` and `delete = \"canary\"`",
                    ));
            }
            [first, second, ..] => {
                return Err(self
                    .refuse(
                        &pointer,
                        format!("`events[{index}]` has both `{first}` and `{second}`"),
                    )
                    .help("write two events"));
            }
        }
        if let Some(version) = &keys.push {
            self.known_version(&format!("{pointer}/push"), version, versions)?;
            return Ok(Action::Push(version.clone()));
        }
        if let Some(version) = &keys.commit {
            let pointer = format!("{pointer}/commit");
            self.known_version(&pointer, version, versions)?;
            if !has_pipeline {
                return Err(self
                    .refuse(
                        &pointer,
                        format!("`events[{index}]` commits, and no pipeline carries it"),
                    )
                    .help("add the table `[pipeline]`; what it does not say has a default"));
            }
            return Ok(Action::Commit(version.clone()));
        }
        if let Some(annotations) = &keys.annotate {
            return Ok(Action::Annotate(annotations.clone()));
        }
        if keys.delete.is_some() {
            return Ok(Action::Delete);
        }
        if let Some(config) = &keys.config {
            return self.config(index, config);
        }
        let patch = match keys.suspend {
            Some(suspend) => serde_json::json!({ "suspend": suspend }),
            None => self.patch(&format!("{pointer}/patch")).to_json()?,
        };
        self.editable(&format!("{pointer}/patch"), &patch)?;
        Ok(Action::Edit {
            patch,
            spec: Box::default(),
        })
    }

    fn known_version(
        &self,
        pointer: &str,
        version: &str,
        versions: &BTreeMap<String, Version>,
    ) -> Result<(), Diagnostic> {
        if versions.contains_key(version) {
            return Ok(());
        }
        Err(self.unknown_version(pointer, version, versions.keys()))
    }

    fn config(&self, index: usize, keys: &ConfigKeys) -> Result<Action, Diagnostic> {
        let data = keys.data.clone();
        match (&keys.config_map, &keys.secret) {
            (Some(name), None) => Ok(Action::ConfigMap {
                name: name.clone(),
                data,
            }),
            (None, Some(name)) => Ok(Action::Secret {
                name: name.clone(),
                data,
            }),
            _ => Err(self
                .refuse(
                    &format!("/events/{index}/config"),
                    format!("`events[{index}].config` must name one object"),
                )
                .help("give either `config_map` or `secret`")),
        }
    }

    fn patch(&self, pointer: &str) -> &Node {
        self.text
            .pointer(pointer)
            .expect("the patch has been read from here")
    }

    fn editable(&self, pointer: &str, patch: &Value) -> Result<(), Diagnostic> {
        let keys = patch.as_object().into_iter().flat_map(|keys| keys.keys());
        let fixed = keys
            .into_iter()
            .find(|key| !EDITABLE.contains(&key.as_str()));
        let Some(key) = fixed else {
            return Ok(());
        };
        Err(self
            .refuse(
                &format!("{pointer}/{}", super::escaped(key)),
                format!(
                    "the Canary's `spec.{}` cannot change during a run",
                    key.escape_debug()
                ),
            )
            .help(format!(
                "{} can; set the others under `[canary.spec]`",
                nearest::listed(&EDITABLE)
            )))
    }

    /// Lays the edits over the Canary one after the other, as the API server would admit them, and looks for the configs.
    pub(super) fn edits(
        &self,
        events: &mut [ScenarioEvent],
        manifests: &Manifests,
    ) -> Result<(), Diagnostic> {
        if events.iter().all(|event| {
            matches!(
                event.action,
                Action::Push(_) | Action::Commit(_) | Action::Annotate(_) | Action::Delete
            )
        }) {
            return Ok(());
        }
        let mut manifests = manifests.clone();
        let Some(mut document) = manifests
            .documents
            .iter()
            .find(|document| document.kind == "Canary")
            .cloned()
        else {
            return Ok(());
        };
        let mut pruned = crd::dropped_keys(&document)?;
        for event in events {
            match &mut event.action {
                Action::Edit { patch, spec } => {
                    let canary = self.edit(&mut document, patch)?;
                    let dropped = crd::dropped_keys(&document)?;
                    if let Some(unknown) = dropped.iter().find(|key| !pruned.contains(key)) {
                        return Err(Diagnostic::new(format!(
                            "an event edits the Canary: {}",
                            unknown.reason
                        ))
                        .at_place(&self.edit_node(patch).place)
                        .help("the API server would drop the field"));
                    }
                    pruned = dropped;
                    admission::canary(&document, &canary)?;
                    **spec = canary.spec.clone();
                    manifests.canary.spec = canary.spec;
                    admission::references(&document, &manifests)?;
                }
                Action::ConfigMap { name, .. } => {
                    let given = manifests.config_maps.iter().map(|object| &object.metadata);
                    self.config_given(given, "ConfigMap", "config_map", name, &manifests)?;
                }
                Action::Secret { name, .. } => {
                    let given = manifests.secrets.iter().map(|object| &object.metadata);
                    self.config_given(given, "Secret", "secret", name, &manifests)?;
                }
                Action::Push(_) | Action::Commit(_) | Action::Annotate(_) | Action::Delete => {}
            }
        }
        Ok(())
    }

    fn edit(&self, document: &mut Document, patch: &Value) -> Result<Canary, Diagnostic> {
        let edit = self.edit_node(patch);
        let place = edit.place.clone();
        let key = Key {
            name: "spec".to_owned(),
            place: place.clone(),
        };
        let whole = Node {
            content: Content::Table(vec![(key, edit)]),
            place,
        };
        document.node.patch(&whole)?;
        objects::typed(document)
    }

    /// The text of an edit: where it stands among the events, so that mistakes in it are shown there.
    fn edit_node(&self, patch: &Value) -> Node {
        let events = self.text.get("events").map_or(&[][..], Node::elements);
        let written = events.iter().find_map(|event| {
            if let Some(node) = event.get("patch")
                && node.to_json().is_ok_and(|json| json == *patch)
            {
                return Some(node.clone());
            }
            let suspend = event.get("suspend")?;
            let (key, _) = event
                .entries()
                .iter()
                .find(|(key, _)| key.name == "suspend")?;
            let json = serde_json::json!({ "suspend": suspend.to_json().ok()? });
            (json == *patch).then(|| Node {
                content: Content::Table(vec![(key.clone(), suspend.clone())]),
                place: suspend.place.clone(),
            })
        });
        written.expect("every edit was read from an event")
    }

    fn config_given<'a>(
        &self,
        given: impl Iterator<Item = &'a ObjectMeta>,
        kind: &str,
        key: &str,
        name: &str,
        manifests: &Manifests,
    ) -> Result<(), Diagnostic> {
        let namespace = manifests.canary.metadata.namespace.as_str();
        let given: Vec<&ObjectMeta> = given.collect();
        if given
            .iter()
            .any(|meta| meta.name == name && meta.namespace == namespace)
        {
            return Ok(());
        }
        let events = self.text.get("events").map_or(&[][..], Node::elements);
        let place = events
            .iter()
            .filter_map(|event| event.pointer(&format!("/config/{key}")))
            .find(|node| node.as_str() == Some(name))
            .map_or_else(|| self.text.place_of("/events"), |node| node.place.clone());
        Err(objects::missing(
            given.into_iter(),
            &place,
            &format!("events.config.{key}"),
            (kind, name, namespace),
            "or name one that is there",
        ))
    }
}
