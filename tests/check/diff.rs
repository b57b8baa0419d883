//! `rollcast diff`: what a change makes of rollouts, of folders, manifests and git revisions.

use std::path::Path;
use std::process::Command;

use crate::{Folder, diff};

/// The folder as it was and with a higher threshold.
fn edited() -> [Folder; 2] {
    let [before, after] = [Folder::new(), Folder::new()];
    after.edit("k8s/canary.yaml", "threshold: 3", "threshold: 5");
    [before, after]
}

#[test]
fn a_scenario_is_compared_with_itself_under_other_manifests() {
    let [before, after] = edited();
    let [old, new] = [&before, &after].map(|folder| folder.path("failing.toml"));
    let printed = diff(&[old.to_str().unwrap(), new.to_str().unwrap(), "--runs", "10"]).unwrap();
    for said in [
        "failing.toml: A bad release",
        "Canary web: spec.analysis.threshold 3 → 5",
        "+60 s",
        "1 scenario: 1 with a difference, 0 the same to the last request",
    ] {
        assert!(printed.contains(said), "{said}:\n{printed}");
    }
    // Under common random numbers, what does not depend on the change is the same to the last request.
    let p99 = printed
        .lines()
        .find(|line| line.contains("P(rolled-back)"))
        .unwrap();
    assert!(p99.contains("100%"), "{printed}");
}

#[test]
fn what_is_the_same_is_said_to_be() {
    let folder = Folder::new();
    let path = folder.path("slow-start.toml");
    let path = path.to_str().unwrap();
    let printed = diff(&[path, path, "--runs", "2"]).unwrap();
    assert!(
        printed.contains("0 with a difference, 1 the same to the last request"),
        "{printed}"
    );
}

#[test]
fn manifests_alone_are_compared_as_a_first_forecast_would_run_them() {
    let [before, after] = edited();
    let [old, new] = [&before, &after].map(|folder| folder.path("k8s"));
    let [old, new] = [old.to_str().unwrap(), new.to_str().unwrap()];
    let arguments = [
        old,
        new,
        "--push",
        "fail-rate=0.3",
        "--rate",
        "20/s",
        "--runs",
        "4",
        "--format",
        "markdown",
    ];
    let printed = diff(&arguments).unwrap();
    assert!(printed.starts_with("## Rollouts: "), "{printed}");
    assert!(
        printed.contains("`Canary web: spec.analysis.threshold 3 → 5`"),
        "{printed}"
    );
    assert!(printed.contains("| **decided at** |"), "{printed}");
}

#[test]
fn a_folder_of_a_git_revision_is_one_side() {
    let [before, after] = edited();
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        command.current_dir(before.path("")).args(arguments);
        let named = [
            ("GIT_AUTHOR_NAME", "t"),
            ("GIT_AUTHOR_EMAIL", "t@example.com"),
        ];
        let also = [
            ("GIT_COMMITTER_NAME", "t"),
            ("GIT_COMMITTER_EMAIL", "t@example.com"),
        ];
        let output = command.envs(named).envs(also).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    git(&["init", "--quiet"]);
    git(&["add", "."]);
    git(&["commit", "--quiet", "--message", "as it was"]);
    std::fs::copy(
        after.path("k8s/canary.yaml"),
        before.path("k8s/canary.yaml"),
    )
    .unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_rollcast"))
        .current_dir(before.path(""))
        .args(["diff", "HEAD:failing.toml", "failing.toml", "--runs", "2"])
        .output()
        .unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(printed.contains("threshold 3 → 5"), "{printed}");
    // The repository's own index is as it was, and nothing is left behind.
    let status = Command::new("git")
        .current_dir(before.path(""))
        .args(["status", "--porcelain"])
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8(status.stdout).unwrap(),
        " M k8s/canary.yaml\n"
    );
}

#[test]
fn sides_that_are_not_there_are_refused_with_what_to_write() {
    let folder = Folder::new();
    let path = folder.path("");
    let error = diff(&["no-such-folder", path.to_str().unwrap()]).unwrap_err();
    let said = rollcast::cli::message(&error);
    assert!(
        said.contains("there is no file or folder `no-such-folder`"),
        "{said}"
    );
    assert!(said.contains("no-such-folder:scenarios"), "{said}");
    if Path::new(".git").exists() {
        let error = diff(&["no-such-revision:scenarios", path.to_str().unwrap()]).unwrap_err();
        let said = rollcast::cli::message(&error);
        assert!(said.contains("no revision `no-such-revision`"), "{said}");
    }
}
