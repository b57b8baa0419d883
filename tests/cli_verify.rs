//! `rollcast verify`: what it prints of a replay, and how it ends.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use rollcast::cli::verify::{Recordings, Replayed, run};
use rollcast::diagnostic::Diagnostic;

#[test]
fn files_without_differences_are_listed_and_all_is_well() {
    let (code, printed) = verified(20, &[("a.jsonl", 0), ("b.jsonl", 0)]);
    assert_eq!(code, ExitCode::SUCCESS);
    assert_eq!(
        printed,
        "a.jsonl: 5 cases, 0 mismatches\nb.jsonl: 5 cases, 0 mismatches\n"
    );
}

#[test]
fn differences_come_before_their_file_and_end_the_run_with_1() {
    let (code, printed) = verified(2, &[("a", 1), ("b", 3)]);
    assert_eq!(code, ExitCode::FAILURE);
    assert_eq!(
        printed,
        "a differs in 0\n\
         a: 5 cases, 1 mismatches\n\
         b differs in 0\n\
         b: 5 cases, 3 mismatches\n\
         2 more differences: --show 4 prints all\n"
    );
}

#[test]
fn a_recording_that_cannot_be_read_is_an_error() {
    let recordings = recordings(20, &["a"]);
    let refuse = |path: &Path| {
        Err(Diagnostic::new(format!(
            "`{}` is no recording",
            path.display()
        )))
    };
    let error = run(&recordings, refuse, &mut Vec::new()).unwrap_err();
    assert!(rollcast::cli::message(&error).contains("`a` is no recording"));
}

fn verified(show: usize, files: &[(&str, usize)]) -> (ExitCode, String) {
    let names: Vec<&str> = files.iter().map(|(name, _)| *name).collect();
    let mut printed = Vec::new();
    let replay = |path: &Path| {
        let (name, differ) = files
            .iter()
            .find(|(name, _)| Path::new(name) == path)
            .unwrap();
        let mismatches: Vec<String> = (0..*differ)
            .map(|i| format!("{name} differs in {i}"))
            .collect();
        Ok(Replayed::new(
            &format!("5 cases, {differ} mismatches"),
            &mismatches,
        ))
    };
    let code = run(&recordings(show, &names), replay, &mut printed).unwrap();
    (code, String::from_utf8(printed).unwrap())
}

fn recordings(show: usize, files: &[&str]) -> Recordings {
    Recordings {
        files: files.iter().map(PathBuf::from).collect(),
        show,
    }
}
