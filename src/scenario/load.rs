//! Reading a scenario and the manifests it points at, or manifests alone: the only place here that touches files.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::assemble::{Files, assemble_patched};
use super::glob;
use super::inputs::Inputs;
use super::model::Scenario;
use super::text::Override;
use crate::diagnostic::{Diagnostic, SourceText};
use crate::k8s::manifest::{self, MAX_FILE_BYTES};

/// Largest scenario read, in bytes.
const MAX_SCENARIO_BYTES: usize = 1024 * 1024;

/// Reads the scenario at `path`, with `overrides` laid over it, and the files it points at (relative to its own folder).
///
/// The first mistake found, in the scenario or in a manifest, is the error; it names the key and its place.
pub fn load(path: &Path, overrides: &[Override]) -> Result<Scenario, Diagnostic> {
    load_patched(path, &[], overrides)
}

/// The same, with patches of its objects laid over it before the overrides are.
pub fn load_patched(
    path: &Path,
    patches: &[Arc<SourceText>],
    overrides: &[Override],
) -> Result<Scenario, Diagnostic> {
    let source = scenario_text(path)?;
    let folder = Folder(path.parent().unwrap_or(Path::new("")));
    assemble_patched(&name(path), &source, patches, overrides, &folder)
}

/// The text of a patch file: manifests that say only what changes.
pub fn patch(path: &Path) -> Result<Arc<SourceText>, Diagnostic> {
    read(path, MAX_FILE_BYTES).map_err(|why| {
        Diagnostic::new(format!("the patch {why}")).help(
            "give the path of a YAML file, such as the recommendation.yaml of `rollcast tune`",
        )
    })
}

/// The text of a TOML file that goes with a scenario, called `what` in messages.
pub fn toml(path: &Path, what: &str) -> Result<Arc<SourceText>, Diagnostic> {
    read(path, MAX_SCENARIO_BYTES).map_err(|why| Diagnostic::new(format!("the {what} {why}")))
}

/// As [`load_patched`], with the texts that were read.
pub fn load_with_inputs(
    path: &Path,
    patches: &[Arc<SourceText>],
    overrides: &[Override],
) -> Result<(Scenario, Inputs), Diagnostic> {
    let parent = path.parent().unwrap_or(Path::new(""));
    let folder = parent.display().to_string();
    Inputs::assemble(
        &name(path),
        &scenario_text(path)?,
        patches,
        overrides,
        &Folder(parent),
        &folder,
    )
}

fn scenario_text(path: &Path) -> Result<Arc<SourceText>, Diagnostic> {
    read(path, MAX_SCENARIO_BYTES).map_err(|why| {
        Diagnostic::new(format!("the scenario {why}"))
            .help("give the path of a scenario file, such as scenarios/chaos30.toml")
    })
}

/// Most files of a folder of manifests.
const MAX_FILES: usize = 500;
/// Folders deeper than this below the one given are not searched.
const DEEPEST: usize = 16;
/// What standard input is called in messages.
pub const STDIN: &str = "stdin";

/// Manifests that were found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The texts, in order of their names within each path given.
    pub sources: Vec<Arc<SourceText>>,
    /// YAML files of folders that hold no Kubernetes object, and why.
    pub passed_over: Vec<String>,
}

/// Reads the manifests at `paths`: files, folders with all the YAML below them, and `-` for `stdin`.
///
/// # Errors
/// What cannot be read, or is no YAML. A file of a folder without any Kubernetes object (`values.yaml`) is no error; one that
/// was named is.
pub fn manifests(paths: &[PathBuf], stdin: &mut dyn Read) -> Result<Found, Diagnostic> {
    let mut found = Found::default();
    let mut unrendered = None;
    for path in paths {
        if path == Path::new("-") {
            found.sources.push(read_stdin(stdin)?);
        } else if path.is_dir() {
            let mut files = Vec::new();
            yaml_files(path, DEEPEST, &mut files).map_err(|error| {
                let why = reason(&error);
                Diagnostic::new(format!("`{}` cannot be read: {why}", path.display()))
            })?;
            if files.is_empty() {
                return Err(Diagnostic::new(format!(
                    "there is no YAML file in `{}`",
                    path.display()
                ))
                .help("names that end in .yaml, .yml or .json are read"));
            }
            for file in files {
                let source = read(&file, MAX_FILE_BYTES).map_err(file_error)?;
                match manifest::names_a_kind(&source) {
                    Ok(true) => found.sources.push(source),
                    Ok(false) => found
                        .passed_over
                        .push(format!("{} holds no Kubernetes object", source.name)),
                    // A chart beside plain manifests is passed over, and told; alone it is the error.
                    Err(diagnostic) if is_helm_template(&source, &diagnostic) => {
                        found.passed_over.push(format!(
                            "{} is a Helm template (helm template CHART | rollcast simulate -f - reads what it renders to)",
                            source.name
                        ));
                        unrendered.get_or_insert(rendered_first(&source, diagnostic));
                    }
                    Err(diagnostic) => return Err(diagnostic),
                }
            }
        } else {
            let source = read(path, MAX_FILE_BYTES).map_err(file_error)?;
            if let Err(diagnostic) = manifest::read(&source) {
                return Err(rendered_first(&source, diagnostic));
            }
            found.sources.push(source);
        }
        if found.sources.len() > MAX_FILES {
            return Err(
                Diagnostic::new(format!("there are more than {MAX_FILES} manifest files"))
                    .help("give the folder of one application"),
            );
        }
    }
    if let (Some(diagnostic), false) = (unrendered, found.sources.iter().any(has_a_canary)) {
        return Err(diagnostic);
    }
    let mut names: Vec<&str> = found.sources.iter().map(|s| s.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    if names.len() < found.sources.len() {
        let mut seen = Vec::new();
        found.sources.retain(|source| {
            let first = !seen.contains(&source.name);
            seen.push(source.name.clone());
            first
        });
    }
    Ok(found)
}

fn file_error(why: String) -> Diagnostic {
    Diagnostic::new(format!("the file {why}")).help("give manifests, or the folder they are in")
}

fn has_a_canary(source: &Arc<SourceText>) -> bool {
    manifest::read(source).is_ok_and(|documents| documents.iter().any(|d| d.kind == "Canary"))
}

/// A chart's templates are no YAML until Helm has filled them in.
fn is_helm_template(source: &SourceText, diagnostic: &Diagnostic) -> bool {
    source.text.contains("{{") && diagnostic.message.contains("not readable as YAML")
}

fn rendered_first(source: &SourceText, diagnostic: Diagnostic) -> Diagnostic {
    if is_helm_template(source, &diagnostic) {
        return diagnostic
            .help("it is a Helm template: helm template CHART | rollcast simulate -f -");
    }
    diagnostic
}

fn read_stdin(stdin: &mut dyn Read) -> Result<Arc<SourceText>, Diagnostic> {
    let refuse = |why: String| Diagnostic::new(format!("standard input cannot be read: {why}"));
    let mut bytes = Vec::new();
    let mut limited = stdin.take(MAX_FILE_BYTES as u64 + 1);
    limited
        .read_to_end(&mut bytes)
        .map_err(|error| refuse(reason(&error)))?;
    if bytes.len() > MAX_FILE_BYTES {
        return Err(refuse(format!("at most {MAX_FILE_BYTES} bytes are read")));
    }
    let text = String::from_utf8(bytes).map_err(|_| refuse("it is not UTF-8 text".to_owned()))?;
    let source = SourceText::new(STDIN, text);
    manifest::read(&source).map_err(|diagnostic| rendered_first(&source, diagnostic))?;
    Ok(source)
}

/// The YAML files below a folder, in order of their paths; what starts with a dot is left alone, and so are linked folders.
fn yaml_files(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    entries.sort();
    for path in entries {
        let hidden = path
            .file_name()
            .is_none_or(|name| name.to_string_lossy().starts_with('.'));
        if hidden || found.len() > MAX_FILES {
            continue;
        }
        if path.is_dir() {
            if depth > 0 && !path.is_symlink() {
                yaml_files(&path, depth - 1, found)?;
            }
        } else if path
            .extension()
            .is_some_and(|e| e == "yaml" || e == "yml" || e == "json")
        {
            found.push(path);
        }
    }
    Ok(())
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
