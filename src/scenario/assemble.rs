//! A scenario from texts, wherever they come from.

use std::sync::Arc;

use super::effective::effective;
use super::model::Scenario;
use super::text::{self, Override};
use super::{objects, patch, schema};
use crate::diagnostic::{Diagnostic, Node, SourceText};
use crate::k8s::manifest::{self, Document};

/// Most manifest files of one scenario.
const MAX_FILES: usize = 500;

/// The files that a scenario may point at.
pub trait Files {
    /// The texts of the files that a pattern matches, in order of their names, or why there are none.
    fn matching(&self, pattern: &str) -> Result<Vec<Arc<SourceText>>, String>;
}

/// Makes the scenario called `name` out of its text, with `overrides` laid over it, and of the files it points at.
///
/// The first mistake found, in the scenario or in a manifest, is the error; it names the key and its place.
pub fn assemble(
    name: &str,
    source: &Arc<SourceText>,
    overrides: &[Override],
    files: &dyn Files,
) -> Result<Scenario, Diagnostic> {
    assemble_patched(name, source, &[], overrides, files)
}

/// The same, with patches of its objects laid over it before the overrides are.
///
/// # Errors
/// Besides those of [`assemble`]: a patch of an object that the scenario does not have.
pub fn assemble_patched(
    name: &str,
    source: &Arc<SourceText>,
    patches: &[Arc<SourceText>],
    overrides: &[Override],
    files: &dyn Files,
) -> Result<Scenario, Diagnostic> {
    let written = text::parse(source)?;
    let mut text = written.clone();
    let mut changes = Vec::new();
    for patch in patches {
        changes.extend(patch::read(patch)?);
    }
    for change in &changes {
        patch::lay(&mut text, change)?;
    }
    for change in overrides {
        text::set(&mut text, change)?;
    }
    let file: schema::File = text.read()?;
    let patterns = file.manifests.clone();
    effective(&text, file, name, files, || {
        let documents = documents(&text, &patterns, files)?;
        for change in &changes {
            patch::known(&written, &documents, change)?;
        }
        objects::join(&text, documents)
    })
}

/// The documents of all files that the patterns match; a file that several match counts once.
fn documents(
    scenario: &Node,
    patterns: &[String],
    files: &dyn Files,
) -> Result<Vec<Document>, Diagnostic> {
    let mut sources: Vec<Arc<SourceText>> = Vec::new();
    for (index, pattern) in patterns.iter().enumerate() {
        let place = scenario.place_of(&format!("/manifests/{index}"));
        let refuse = |message: String| Diagnostic::new(message).at_place(&place);
        let found = files
            .matching(pattern)
            .map_err(|why| refuse(format!("`manifests`: {why}")))?;
        if found.is_empty() {
            return Err(
                refuse(format!("no file matches `{}`", pattern.escape_debug()))
                    .help("paths in `manifests` are relative to the scenario's folder"),
            );
        }
        for source in found {
            if sources.iter().all(|known| known.name != source.name) {
                sources.push(source);
            }
        }
        if sources.len() > MAX_FILES {
            return Err(
                refuse(format!("`manifests` matches more than {MAX_FILES} files"))
                    .help("name the files of one rollout"),
            );
        }
    }
    let mut documents = Vec::new();
    for source in sources {
        documents.extend(manifest::read(&source)?);
    }
    Ok(documents)
}
