//! Studies of many runs: `rollcast tune` and `rollcast power` as a user meets them, what they rest on, and the laws that
//! decisions follow where these are known.

#[path = "../engine_support/mod.rs"]
mod engine_support;

mod closed_forms;
mod control_plane;
mod forks;
mod job;
mod power;
mod tune;
mod tutorial;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Runs the program in the repository's root.
fn rollcast(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rollcast"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(args)
        .output()
        .unwrap()
}

/// What a command that ends with this code prints.
fn printed(output: Output, code: i32) -> String {
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(code), "{errors}{text}");
    text
}

/// The message of a command that could not run.
fn refusal(output: Output) -> String {
    assert_eq!(output.status.code(), Some(2));
    String::from_utf8(output.stderr).unwrap()
}

/// The files of a directory, by name.
fn files(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let bytes = std::fs::read(&path).unwrap();
            (PathBuf::from(path.file_name().unwrap()), bytes)
        })
        .collect()
}

/// A path as an argument.
fn arg(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}
