//! Output directories: all files of a run appear, whole, or none does.
//!
//! Everything is first written into a temporary directory, then renamed into place. Where the final directory exists,
//! files of the same names are replaced and all others are left alone; if a replacement fails half-way, the replaced
//! files are put back. Directories made on the way are removed again when nothing came of them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::diagnostic::Diagnostic;

use super::files::File;

/// Writes `files` into `directory`.
pub fn write(directory: &Path, files: &[File]) -> Result<(), Diagnostic> {
    let mut made = Vec::new();
    let result = write_all(directory, files, &mut made);
    if result.is_err() {
        // Innermost first; a directory that something else uses meanwhile is not empty and stays.
        for parent in made.iter().rev() {
            let _ = fs::remove_dir(parent);
        }
    }
    result
}

fn write_all(directory: &Path, files: &[File], made: &mut Vec<PathBuf>) -> Result<(), Diagnostic> {
    if directory.exists() {
        return write_into(directory, files, made);
    }
    let Some(name) = directory.file_name() else {
        let message = format!("`{}` cannot be an output directory", directory.display());
        return Err(Diagnostic::new(message).help("name a directory that can be made"));
    };
    let parent = directory.parent().unwrap_or(Path::new(""));
    make_directories(parent, made).map_err(|error| failed("make", parent, &error))?;
    let mut beside = name.to_os_string();
    beside.push(format!(".partial-{}", std::process::id()));
    let temporary = Temporary::make(parent.join(beside))?;
    let new = temporary.0.join("new");
    write_new(&new, directory, files)?;
    fs::rename(&new, directory).map_err(|error| failed("write", directory, &error))
}

/// Writes into a directory that is there. The temporary one is inside it: what is beside it may be another file system.
fn write_into(directory: &Path, files: &[File], made: &mut Vec<PathBuf>) -> Result<(), Diagnostic> {
    if !directory.is_dir() {
        let message = format!("`{}` is a file, not a directory", directory.display());
        return Err(Diagnostic::new(message)
            .help("choose another directory with --out, or write no files with --no-out"));
    }
    let inside = format!(".partial-{}", std::process::id());
    let temporary = Temporary::make(directory.join(inside))?;
    let (new, old) = (temporary.0.join("new"), temporary.0.join("old"));
    write_new(&new, directory, files)?;
    replace(directory, files, &new, &old, made)
}

/// Writes all files into the new directory `new`; errors name the place they were meant for.
fn write_new(new: &Path, directory: &Path, files: &[File]) -> Result<(), Diagnostic> {
    fs::create_dir(new).map_err(|error| failed("make", new, &error))?;
    for file in files {
        let path = new.join(&file.path);
        make_directories(path.parent().unwrap_or(new), &mut Vec::new())
            .and_then(|()| fs::write(&path, &file.bytes))
            .map_err(|error| failed("write", &directory.join(&file.path), &error))?;
    }
    Ok(())
}

/// Moves each new file to its place, the one it replaces aside; undoes all of it when one fails.
fn replace(
    directory: &Path,
    files: &[File],
    new: &Path,
    old: &Path,
    made: &mut Vec<PathBuf>,
) -> Result<(), Diagnostic> {
    let mut done: Vec<(PathBuf, Option<PathBuf>)> = Vec::new();
    for (i, file) in files.iter().enumerate() {
        let target = directory.join(&file.path);
        let step = place(
            &new.join(&file.path),
            &target,
            &old.with_extension(i.to_string()),
            made,
        );
        match step {
            Ok(aside) => done.push((target, aside)),
            Err(error) => {
                for (target, aside) in done.into_iter().rev() {
                    // Nothing better can be done about a failure here than about the one being reported.
                    let _ = match aside {
                        Some(aside) => fs::rename(aside, target),
                        None => fs::remove_file(target),
                    };
                }
                return Err(failed("replace", &target, &error));
            }
        }
    }
    Ok(())
}

/// Moves `new` to `target` and what was there to `aside`, whose path is returned where something was.
fn place(
    new: &Path,
    target: &Path,
    aside: &Path,
    made: &mut Vec<PathBuf>,
) -> io::Result<Option<PathBuf>> {
    if let Some(parent) = target.parent() {
        make_directories(parent, made)?;
    }
    if target.is_dir() {
        return Err(io::Error::new(
            io::ErrorKind::IsADirectory,
            "a directory of this name is in the way",
        ));
    }
    // What is put aside is moved back if the new file cannot take its place.
    let aside = match fs::rename(target, aside) {
        Ok(()) => Some(aside.to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    if let Err(error) = fs::rename(new, target) {
        if let Some(aside) = &aside {
            let _ = fs::rename(aside, target);
        }
        return Err(error);
    }
    Ok(aside)
}

/// Makes a directory and its parents, noting those that were not there.
fn make_directories(path: &Path, made: &mut Vec<PathBuf>) -> io::Result<()> {
    if path.as_os_str().is_empty() || path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        make_directories(parent, made)?;
    }
    match fs::create_dir(path) {
        Ok(()) => {
            made.push(path.to_owned());
            Ok(())
        }
        // Another run made it in between.
        Err(_) if path.is_dir() => Ok(()),
        Err(error) => Err(error),
    }
}

/// A directory that is removed with all that is left in it.
struct Temporary(PathBuf);

impl Temporary {
    fn make(path: PathBuf) -> Result<Self, Diagnostic> {
        // One of the same name is what a killed process of the same id left.
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(failed("remove", &path, &error));
            }
            _ => {}
        }
        fs::create_dir(&path).map_err(|error| failed("make", &path, &error))?;
        Ok(Temporary(path))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // What cannot be removed was either moved into place or is not ours to report: the files are safe.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn failed(what: &str, path: &Path, error: &io::Error) -> Diagnostic {
    Diagnostic::new(format!("cannot {what} `{}`: {error}", path.display()))
        .help("choose another directory with --out, or write no files with --no-out")
}
