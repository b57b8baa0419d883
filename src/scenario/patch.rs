//! Patches of Kubernetes objects, laid over a scenario: what `kubectl patch --type merge --patch-file` would do to the
//! objects that the scenario simulates.
//!
//! A patch is a file of manifests that say only what changes, each with its kind and name. Tables are merged, everything
//! else is replaced, lists too (RFC 7396): a patch that is right here is right for a cluster.

use std::sync::Arc;

use crate::diagnostic::{Content, Diagnostic, Key, Node, SourceText, nearest};
use crate::k8s::manifest::{self, Document};

/// Kinds that a scenario has a table for, and whether that table holds them by name.
const TABLES: [(&str, &str, bool); 6] = [
    ("Canary", "canary", false),
    ("Deployment", "deployment", false),
    ("HorizontalPodAutoscaler", "hpa", false),
    ("MetricTemplate", "metric_templates", true),
    ("Ingress", "ingresses", true),
    ("Service", "services", true),
];

/// The objects of a patch file.
pub(super) fn read(source: &Arc<SourceText>) -> Result<Vec<Document>, Diagnostic> {
    let patches = manifest::read(source)?;
    for patch in &patches {
        if table(patch).is_none() {
            let kinds = TABLES.map(|(kind, ..)| kind);
            return Err(
                Diagnostic::new(format!("a patch cannot change a {}", patch.kind))
                    .at_place(&patch.place_of("/kind"))
                    .help(format!("it can change {}", nearest::listed(&kinds))),
            );
        }
        if patch.name.is_empty() {
            return Err(Diagnostic::new("the patch does not say what it changes")
                .at_place(&patch.node.place)
                .help("add `metadata.name`, that of the object it is for"));
        }
    }
    Ok(patches)
}

/// Lays a patch over the scenario's own table of that object.
pub(super) fn lay(scenario: &mut Node, patch: &Document) -> Result<(), Diagnostic> {
    let Some((table, by_name)) = table(patch) else {
        return Ok(());
    };
    let place = patch.node.place.clone();
    let entry = |name: &str, value: Node| Node {
        content: Content::Table(vec![(
            Key {
                name: name.to_owned(),
                place: place.clone(),
            },
            value,
        )]),
        place: place.clone(),
    };
    // Which object it is, is no change of it.
    let changes = patch.node.entries().iter();
    let changes = changes.filter(|(key, _)| !matches!(&*key.name, "apiVersion" | "kind"));
    let mut changes: Vec<(Key, Node)> = changes.cloned().collect();
    if by_name || table != "canary" {
        changes.retain_mut(|(key, value)| {
            if key.name == "metadata"
                && let Content::Table(metadata) = &mut value.content
            {
                metadata.retain(|(key, _)| !matches!(&*key.name, "name" | "namespace"));
                return !metadata.is_empty();
            }
            true
        });
    }
    let mut node = Node {
        content: Content::Table(changes),
        place: place.clone(),
    };
    if by_name {
        node = entry(&patch.name, node);
    }
    scenario.patch(&entry(table, node))
}

/// Refuses a patch of an object that is not there: it would make one up.
pub(super) fn known(
    scenario: &Node,
    documents: &[Document],
    patch: &Document,
) -> Result<(), Diagnostic> {
    let Some((table, by_name)) = table(patch) else {
        return Ok(());
    };
    let mut names: Vec<&str> = documents
        .iter()
        .filter(|document| document.kind == patch.kind)
        .map(|document| &*document.name)
        .collect();
    let own = scenario.get(table);
    if by_name {
        let own = own.map_or(&[][..], Node::entries).iter();
        names.extend(own.map(|(key, _)| &*key.name));
    } else {
        let name = own.and_then(|own| own.pointer("/metadata/name"));
        names.extend(name.and_then(Node::as_str));
    }
    if names.contains(&&*patch.name) {
        return Ok(());
    }
    let help = match names.as_slice() {
        [] => format!("the scenario has no {}", patch.kind),
        names => format!("it has {}", nearest::listed(names)),
    };
    Err(Diagnostic::new(format!(
        "the scenario has no {} `{}` for this patch",
        patch.kind,
        patch.name.escape_debug()
    ))
    .at_place(&patch.place_of("/metadata/name"))
    .help(help))
}

fn table(patch: &Document) -> Option<(&'static str, bool)> {
    let found = TABLES.into_iter().find(|(kind, ..)| *kind == patch.kind);
    found.map(|(_, table, by_name)| (table, by_name))
}
