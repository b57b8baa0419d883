//! Output directories: whole or not at all.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use rollcast::report::files::{File, files, under};
use rollcast::report::write::write;

use crate::fixture;

#[test]
fn all_files_of_a_run_appear_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("output/a/b");
    write(&out, &files(&fixture::chaos30()).unwrap()).unwrap();
    let names: Vec<String> = tree(dir.path()).into_keys().collect();
    assert_eq!(
        names,
        [
            "output/",
            "output/a/",
            "output/a/b/",
            "output/a/b/checks.csv",
            "output/a/b/events.log",
            "output/a/b/run.json",
            "output/a/b/timeline.csv",
            "output/a/b/timeline.svg",
            "output/a/b/traffic.csv",
        ]
    );
}

#[test]
fn an_earlier_run_is_replaced_and_foreign_files_stay() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    write(&out, &[file("a", "old"), file("sub/b", "old")]).unwrap();
    fs::write(out.join("notes.txt"), "mine").unwrap();
    write(
        &out,
        &[file("a", "new"), file("sub/b", "new"), file("c", "new")],
    )
    .unwrap();
    let expected = [
        ("a", "new"),
        ("c", "new"),
        ("notes.txt", "mine"),
        ("sub/", ""),
        ("sub/b", "new"),
    ];
    assert_eq!(tree(&out), map(&expected));
}

#[test]
fn a_failure_half_way_leaves_an_earlier_run_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    write(&out, &[file("a", "old")]).unwrap();
    // The third file cannot take its place: a directory of its name is there.
    fs::create_dir_all(out.join("c/d")).unwrap();
    let before = tree(dir.path());
    let error = write(
        &out,
        &[file("a", "new"), file("new/b", "new"), file("c", "new")],
    );
    let shown = error.unwrap_err().to_string();
    assert!(
        shown.contains("cannot replace") && shown.contains("a directory of this name"),
        "{shown}"
    );
    assert_eq!(tree(dir.path()), before);
}

#[test]
fn a_failure_half_way_leaves_no_new_directory_behind() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("output/deep/run");
    // The second file would need the first one to be a directory.
    let error = write(&out, &[file("a", "x"), file("a/b", "x")]);
    assert!(error.unwrap_err().message.contains("cannot write"));
    assert_eq!(tree(dir.path()), BTreeMap::new());
}

#[test]
fn a_file_in_the_place_of_the_directory_is_refused_and_kept() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    fs::write(&out, "mine").unwrap();
    let error = write(&out, &[file("a", "x")]).unwrap_err();
    assert!(
        error.message.contains("is a file, not a directory"),
        "{error}"
    );
    let error = write(&out.join("below"), &[file("a", "x")]).unwrap_err();
    assert!(error.help.is_some(), "{error}");
    assert_eq!(tree(dir.path()), map(&[("out", "mine")]));
}

#[test]
fn two_runs_can_share_a_directory_each_in_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let mut all = under("flagger", vec![file("a", "1")]);
    all.extend(under("runbook", vec![file("a", "2")]));
    write(&out, &all).unwrap();
    assert_eq!(
        tree(&out),
        map(&[
            ("flagger/", ""),
            ("flagger/a", "1"),
            ("runbook/", ""),
            ("runbook/a", "2")
        ])
    );
}

fn file(path: &str, text: &str) -> File {
    File {
        path: path.to_owned(),
        bytes: text.as_bytes().to_vec(),
    }
}

fn map(entries: &[(&str, &str)]) -> BTreeMap<String, String> {
    entries
        .iter()
        .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
        .collect()
}

/// Everything below a directory: directories end in `/`.
fn tree(root: &Path) -> BTreeMap<String, String> {
    fn walk(root: &Path, at: &Path, found: &mut BTreeMap<String, String>) {
        for entry in fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            let name = path
                .strip_prefix(root)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            if path.is_dir() {
                found.insert(format!("{name}/"), String::new());
                walk(root, &path, found);
            } else {
                found.insert(name, fs::read_to_string(&path).unwrap());
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(root, root, &mut found);
    found
}
