//! Reading a scenario and the manifests it points at: the only place here that touches files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::effective::effective;
use super::model::Scenario;
use super::text::{self, Override};
use super::{glob, objects, schema};
use crate::diagnostic::{Diagnostic, Node, SourceText};
use crate::k8s::manifest::{self, Document};

/// Largest scenario read, in bytes.
const MAX_SCENARIO_BYTES: u64 = 1024 * 1024;
/// Most manifest files of one scenario.
const MAX_FILES: usize = 500;

/// Reads the scenario at `path`, with `overrides` laid over it, and the manifests it points at (relative to its own folder).
///
/// The first mistake found, in the scenario or in a manifest, is the error; it names the key and its place.
pub fn load(path: &Path, overrides: &[Override]) -> Result<Scenario, Diagnostic> {
    let source = read(path, MAX_SCENARIO_BYTES)?;
    let mut document = text::parse(&source)?;
    for change in overrides {
        text::set(&mut document, change)?;
    }
    let file: schema::File = document.read()?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let documents = documents(&document, &file.manifests, folder)?;
    let manifests = objects::join(&document, documents)?;
    effective(&document, file, manifests, name(path))
}

/// The documents of all files that the patterns match, in order of the patterns, then of the paths.
fn documents(
    scenario: &Node,
    patterns: &[String],
    folder: &Path,
) -> Result<Vec<Document>, Diagnostic> {
    let mut files: Vec<PathBuf> = Vec::new();
    for (index, pattern) in patterns.iter().enumerate() {
        let place = scenario.place_of(&format!("/manifests/{index}"));
        let refuse = |message: String| Diagnostic::new(message).at_place(&place);
        let found = glob::files(folder, pattern)
            .map_err(|e| refuse(format!("`manifests` cannot be searched: {e}")))?;
        if found.is_empty() {
            let shown = folder.join(pattern);
            let what = if pattern.contains(['*', '?']) {
                format!("no file matches `{}`", shown.display())
            } else {
                format!("there is no file `{}`", shown.display())
            };
            return Err(
                refuse(what).help("paths in `manifests` are relative to the scenario's folder")
            );
        }
        for file in found {
            if !files.contains(&file) {
                files.push(file);
            }
        }
        if files.len() > MAX_FILES {
            return Err(
                refuse(format!("`manifests` matches more than {MAX_FILES} files"))
                    .help("name the files of one rollout"),
            );
        }
    }
    let mut documents = Vec::new();
    for file in files {
        let source = read(&file, manifest::MAX_FILE_BYTES as u64)?;
        documents.extend(manifest::read(&source)?);
    }
    Ok(documents)
}

fn read(path: &Path, most: u64) -> Result<Arc<SourceText>, Diagnostic> {
    let name = path.display().to_string();
    let refuse = |why: String| Diagnostic::new(format!("`{name}` cannot be read: {why}"));
    let metadata = std::fs::metadata(path).map_err(|e| refuse(reason(&e)))?;
    if !metadata.is_file() {
        return Err(refuse("it is not a file".to_owned()));
    }
    let size = metadata.len();
    if size > most {
        return Err(refuse(format!(
            "it has {size} bytes, and at most {most} are read"
        )));
    }
    let bytes = std::fs::read(path).map_err(|e| refuse(reason(&e)))?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(SourceText::new(name, text)),
        Err(e) => Err(refuse(format!(
            "it is not UTF-8 text from byte {} on",
            e.utf8_error().valid_up_to()
        ))),
    }
}

/// Why a file cannot be read, without the system's error number.
fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission is denied".to_owned(),
        other => other.to_string(),
    }
}

/// The path below the last folder called `scenarios`, without `.toml`; without such a folder the file's stem.
fn name(path: &Path) -> String {
    let stemmed = path.with_extension("");
    let parts: Vec<String> = stemmed
        .components()
        .map(|part| part.as_os_str().to_string_lossy().into_owned())
        .collect();
    let below = parts
        .iter()
        .rposition(|part| part == "scenarios")
        .filter(|&at| at + 1 < parts.len())
        .map_or(parts.len().saturating_sub(1), |at| at + 1);
    parts[below..].join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scenario_is_named_after_its_path_below_scenarios() {
        for (path, expected) in [
            ("scenarios/chaos30.toml", "chaos30"),
            ("/a/scenarios/library/slow.toml", "library/slow"),
            ("scenarios/x/scenarios/y.toml", "y"),
            ("drills/chaos30.toml", "chaos30"),
            ("chaos30", "chaos30"),
            ("scenarios", "scenarios"),
            ("", ""),
        ] {
            assert_eq!(name(Path::new(path)), expected, "{path}");
        }
    }
}
