//! Who may use whom: reads the `crate::` paths of every module and holds them against the table.
//!
//! One crate has no compiler between its modules; this test is what keeps `engine` free of `sim` and so on.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A module and the modules it may use besides itself. `diagnostic` is for everyone, as `std` is.
const TABLE: &[(&str, &[&str])] = &[
    ("time", &[]),
    ("seed", &[]),
    ("diagnostic", &[]),
    ("gotemplate", &[]),
    ("k8s", &["time"]),
    ("tsdb", &["time"]),
    ("canary", &["k8s", "time"]),
    ("engine", &["canary", "k8s", "gotemplate", "time"]),
    ("promql", &["tsdb", "time"]),
    ("openmetrics", &["tsdb", "time"]),
    (
        "lint",
        &["scenario", "canary", "k8s", "promql", "gotemplate", "time"],
    ),
    ("scenario", &["canary", "k8s", "promql", "time"]),
    ("record", &["engine", "canary", "time"]),
    ("evaluator", &["engine", "promql", "tsdb", "record", "time"]),
    (
        "replay",
        &[
            "engine",
            "canary",
            "k8s",
            "promql",
            "tsdb",
            "evaluator",
            "record",
            "time",
        ],
    ),
    (
        "sim",
        &[
            "scenario",
            "engine",
            "canary",
            "k8s",
            "promql",
            "tsdb",
            "evaluator",
            "record",
            "seed",
            "time",
        ],
    ),
    (
        "study",
        // `promql` and `tsdb`: a recorded query is evaluated again to show its arithmetic.
        &[
            "sim", "scenario", "record", "engine", "canary", "promql", "tsdb", "seed", "time",
        ],
    ),
    (
        "verify",
        &[
            "engine", "sim", "promql", "tsdb", "canary", "k8s", "record", "time",
        ],
    ),
    // `scenario` as data: the effective scenario is what the report says was assumed.
    (
        "report",
        &["study", "lint", "record", "canary", "engine", "time"],
    ),
];

/// May use everything, and only `main` uses it.
const TOP: &str = "cli";

#[test]
fn modules_use_only_what_the_table_allows() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut offences = Vec::new();
    for file in rust_files(&src) {
        let relative = file.strip_prefix(&src).unwrap();
        let module = module_of(relative);
        if ["lib", "main", TOP].contains(&module.as_str()) {
            continue;
        }
        let Some((_, allowed)) = TABLE.iter().find(|(name, _)| *name == module) else {
            offences.push(format!(
                "{}: module `{module}` is not in the table",
                relative.display()
            ));
            continue;
        };
        for used in used_modules(&fs::read_to_string(&file).unwrap()) {
            if used != module && used != "diagnostic" && !allowed.contains(&used.as_str()) {
                offences.push(format!(
                    "{}: `{module}` may not use `{used}`",
                    relative.display()
                ));
            }
        }
    }
    assert!(offences.is_empty(), "{}", offences.join("\n"));
}

fn module_of(relative: &Path) -> String {
    let first = relative
        .components()
        .next()
        .unwrap()
        .as_os_str()
        .to_string_lossy()
        .into_owned();
    first.trim_end_matches(".rs").to_owned()
}

/// The first segment after each `crate::`, lists in braces included; test code may use anything of its own module's tests.
fn used_modules(text: &str) -> BTreeSet<String> {
    let code: String = text
        .lines()
        .map(|line| line.split("//").next().unwrap())
        .collect::<Vec<_>>()
        .join("\n");
    let mut used = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        if let Some(list) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut name = String::new();
            for c in list.chars() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => {
                        used.insert(std::mem::take(&mut name));
                    }
                    _ if depth == 0 => name.push(c),
                    _ => {}
                }
            }
            used.insert(name);
        } else {
            used.insert(rest.to_owned());
        }
    }
    used.into_iter()
        .map(|path| {
            path.trim()
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect::<String>()
        })
        .filter(|name| !name.is_empty() && name.chars().next().unwrap().is_lowercase())
        .collect()
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

#[test]
fn paths_in_braces_are_seen() {
    assert_eq!(
        used_modules(
            "use crate::{time::Timestamp, tsdb::{Labels, Storage}};\nfn f() { crate::sim::run() } // crate::cli"
        ),
        BTreeSet::from(["time".to_owned(), "tsdb".to_owned(), "sim".to_owned()])
    );
}
