//! `rollcast check` and `rollcast diff`, run as the command line runs them, on scenarios that are sensitive to what changes.

mod baseline;
mod diff;
mod junit;
mod mutations;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use rollcast::cli::{Args, Command, check, diff as diff_command};
use rollcast::report::text::Palette;

/// Runs of each scenario: few, since what the tests change is plain.
const RUNS: &str = "20";

/// The scenarios with their baseline, in a folder of the test's own.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Folder {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/check/scenarios");
        let folder = tempfile::tempdir().unwrap();
        copy(&source, folder.path());
        Folder(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Replaces what stands once in a file.
    fn edit(&self, name: &str, from: &str, to: &str) {
        let path = self.path(name);
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.matches(from).count(), 1, "`{from}` in {name}");
        fs::write(path, text.replace(from, to)).unwrap();
    }

    /// `rollcast check` of the folder, or of a file in it, with more arguments; the exit code and what was printed.
    fn check(&self, name: &str, more: &[&str]) -> (ExitCode, String) {
        self.try_check(name, more).unwrap()
    }

    fn try_check(&self, name: &str, more: &[&str]) -> anyhow::Result<(ExitCode, String)> {
        let path = self.path(name);
        let mut line = vec!["rollcast", "check", path.to_str().unwrap(), "--runs", RUNS];
        line.extend(more);
        let Command::Check(args) = Args::parse_from(line).command else {
            unreachable!("the line says check")
        };
        let mut printed = Vec::new();
        let code = check::run(&args, Palette::Plain, &mut printed)?;
        Ok((code, String::from_utf8(printed)?))
    }
}

/// `rollcast diff` with these arguments.
fn diff(arguments: &[&str]) -> anyhow::Result<String> {
    let line = ["rollcast", "diff"].iter().chain(arguments);
    let Command::Diff(args) = Args::parse_from(line).command else {
        unreachable!("the line says diff")
    };
    let mut printed = Vec::new();
    diff_command::run(&args, Palette::Plain, &mut printed)?;
    Ok(String::from_utf8(printed).unwrap())
}

/// What is told of one scenario below the list.
fn section<'a>(printed: &'a str, name: &str) -> &'a str {
    let heading = format!("---- {name}\n");
    let (_, after) = printed
        .split_once(&heading)
        .unwrap_or_else(|| panic!("nothing is told of {name}:\n{printed}"));
    after.split("\n\n").next().unwrap()
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            fs::create_dir(&target).unwrap();
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}
