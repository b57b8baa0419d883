//! Reading a scenario and the manifests it points at: the only place here that touches files.

use std::path::Path;
use std::sync::Arc;

use super::assemble::{Files, assemble};
use super::glob;
use super::model::Scenario;
use super::text::Override;
use crate::diagnostic::{Diagnostic, SourceText};
use crate::k8s::manifest::MAX_FILE_BYTES;

/// Largest scenario read, in bytes.
const MAX_SCENARIO_BYTES: usize = 1024 * 1024;

/// Reads the scenario at `path`, with `overrides` laid over it, and the files it points at (relative to its own folder).
///
/// The first mistake found, in the scenario or in a manifest, is the error; it names the key and its place.
pub fn load(path: &Path, overrides: &[Override]) -> Result<Scenario, Diagnostic> {
    let source = read(path, MAX_SCENARIO_BYTES).map_err(|why| {
        Diagnostic::new(format!("the scenario {why}"))
            .help("give the path of a scenario file, such as scenarios/chaos30.toml")
    })?;
    let folder = Folder(path.parent().unwrap_or(Path::new("")));
    assemble(&name(path), &source, overrides, &folder)
}

/// The files around a scenario.
struct Folder<'a>(&'a Path);

impl Files for Folder<'_> {
    fn matching(&self, pattern: &str) -> Result<Vec<Arc<SourceText>>, String> {
        let paths = glob::files(self.0, pattern).map_err(|e| reason(&e))?;
        paths
            .iter()
            .map(|path| read(path, MAX_FILE_BYTES))
            .collect()
    }
}

/// The text of a file; the error follows the words "the file".
fn read(path: &Path, most: usize) -> Result<Arc<SourceText>, String> {
    let name = path.display().to_string();
    let refuse = |why: String| format!("`{name}` cannot be read: {why}");
    let metadata = std::fs::metadata(path).map_err(|e| refuse(reason(&e)))?;
    if !metadata.is_file() {
        return Err(refuse("it is not a file".to_owned()));
    }
    if metadata.len() > most as u64 {
        return Err(refuse(format!(
            "it has {} bytes, and at most {most} are read",
            metadata.len()
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
