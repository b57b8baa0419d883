//! A revision of a git repository as files: `main:scenarios` on the command line.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::diagnostic::Diagnostic;

/// A path to read from, and the folder that goes away with it where it was made for it.
#[derive(Debug)]
pub(super) struct Side {
    /// As it was given.
    pub shown: String,
    /// Where it is.
    pub path: PathBuf,
    _folder: Option<Folder>,
}

/// A folder that goes away with its owner.
#[derive(Debug)]
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left of it is in the system's folder for what may be lost.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A path that is there, or the path of a revision, `REV:PATH`, as git writes it: relative to the repository's top, or to
/// the present folder where it starts with `./`.
pub(super) fn side(given: &str) -> Result<Side, Diagnostic> {
    if Path::new(given).exists() {
        return Ok(Side {
            shown: given.to_owned(),
            path: PathBuf::from(given),
            _folder: None,
        });
    }
    let Some((revision, path)) = given.split_once(':') else {
        return Err(
            Diagnostic::new(format!("there is no file or folder `{given}`")).help(format!(
                "of a git revision, write which folder is meant: {given}:scenarios"
            )),
        );
    };
    let top = git(Path::new("."), &["rev-parse", "--show-toplevel"])?;
    let top = PathBuf::from(top);
    let path = match path.strip_prefix("./") {
        Some(below) => {
            let prefix = git(Path::new("."), &["rev-parse", "--show-prefix"])?;
            Path::new(&prefix).join(below)
        }
        None => PathBuf::from(path),
    };
    let commit = format!("{revision}^{{commit}}");
    let commit = git(
        &top,
        &[
            "rev-parse",
            "--verify",
            "--quiet",
            "--end-of-options",
            &commit,
        ],
    )
    .map_err(|_| {
        Diagnostic::new(format!("git knows no revision `{revision}`"))
            .help("in CI, fetch the whole history (fetch-depth: 0), and name it as origin/main")
    })?;
    let folder = Folder(made_for(&commit)?);
    checkout(&top, &commit, &folder.0)?;
    let path = folder.0.join("tree").join(path);
    if !path.exists() {
        return Err(Diagnostic::new(format!("`{given}` is not there"))
            .help(format!("git ls-tree {revision} shows what is")));
    }
    Ok(Side {
        shown: given.to_owned(),
        path,
        _folder: Some(folder),
    })
}

/// The whole tree, since a scenario may point at manifests anywhere in it; by way of an index of its own, so that the
/// repository's stays as it is.
fn checkout(top: &Path, commit: &str, folder: &Path) -> Result<(), Diagnostic> {
    let index = folder.join("index");
    let prefix = format!("--prefix={}/tree/", folder.display());
    for arguments in [
        &["read-tree", commit][..],
        &["checkout-index", "--all", "--quiet", &prefix],
    ] {
        let mut command = Command::new("git");
        command.current_dir(top).env("GIT_INDEX_FILE", &index);
        output(command.args(arguments))?;
    }
    Ok(())
}

/// A new folder. Two sides of one revision, or two programs, each get their own.
fn made_for(commit: &str) -> Result<PathBuf, Diagnostic> {
    let short = commit.get(..12).unwrap_or(commit);
    for attempt in 0..100 {
        let name = format!("rollcast-{short}-{}-{attempt}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        match std::fs::create_dir(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => {
                let message = format!("`{}` cannot be made: {error}", folder.display());
                return Err(Diagnostic::new(message));
            }
        }
    }
    Err(Diagnostic::new(
        "no folder can be made for the revision's files",
    ))
}

/// What git prints, without the line break.
fn git(folder: &Path, arguments: &[&str]) -> Result<String, Diagnostic> {
    output(Command::new("git").current_dir(folder).args(arguments))
}

fn output(command: &mut Command) -> Result<String, Diagnostic> {
    let result = command.output().map_err(|error| {
        Diagnostic::new(format!("git cannot be run: {error}"))
            .help("it is needed to read a revision; give two folders instead")
    })?;
    if result.status.success() {
        return Ok(String::from_utf8_lossy(&result.stdout)
            .trim_end()
            .to_owned());
    }
    let arguments: Vec<_> = command.get_args().map(OsStr::to_string_lossy).collect();
    let said = String::from_utf8_lossy(&result.stderr);
    Err(Diagnostic::new(format!(
        "git {} failed: {}",
        arguments.join(" "),
        said.trim()
    )))
}
