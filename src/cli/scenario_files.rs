//! Scenario files on the command line: what `check` and `diff` find below a folder, and what each is called.

use std::path::{Component, Path, PathBuf};

use crate::diagnostic::Diagnostic;

/// Folders deeper than this below the one given are not searched.
const DEEPEST: usize = 16;

/// The scenarios at a path: the file itself, or every `.toml` below the folder, in order of their paths. What starts with a
/// dot is left alone, and so are linked folders.
pub(super) fn below(path: &Path) -> Result<Vec<PathBuf>, Diagnostic> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    search(path, DEEPEST, &mut found).map_err(|error| {
        Diagnostic::new(format!("`{}` cannot be read: {error}", path.display()))
    })?;
    if found.is_empty() {
        return Err(
            Diagnostic::new(format!("there is no scenario in `{}`", path.display()))
                .help("scenarios are files whose names end in .toml; rollcast import makes one of manifests"),
        );
    }
    Ok(found)
}

fn search(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    entries.sort();
    for path in entries {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with('.') {
            continue;
        }
        if path.is_dir() {
            if depth > 0 && !path.is_symlink() {
                search(&path, depth - 1, found)?;
            }
        } else if name.ends_with(".toml") {
            found.push(path);
        }
    }
    Ok(())
}

/// A file's path below a folder, its parts separated by `/`.
pub(super) fn name_in(folder: &Path, file: &Path) -> String {
    let below = file.strip_prefix(folder).unwrap_or(file);
    let parts = below.components().filter_map(|part| match part {
        Component::Normal(part) => Some(part.to_string_lossy()),
        _ => None,
    });
    parts.collect::<Vec<_>>().join("/")
}
