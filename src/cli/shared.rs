//! What several commands take: changes of the scenario, and where the files go.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use crate::diagnostic::{Diagnostic, SourceText};
use crate::scenario::{self, Override};

/// A key of the scenario and the value it is to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The key, its parts separated by dots.
    pub key: String,
    /// The value as typed.
    pub value: String,
}

/// What is laid over a scenario.
#[derive(Debug, Args)]
pub struct ChangeArgs {
    /// Set a key of the scenario: a TOML value, else a string. May be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = assignment)]
    pub set: Vec<Assignment>,
    /// A patch of the manifests' objects, as for `kubectl patch --type merge`: what changes, each with its kind and name.
    /// May be repeated; --set comes after it.
    #[arg(long = "patch", value_name = "FILE")]
    pub patches: Vec<PathBuf>,
}

/// Where the files go.
#[derive(Debug, Args)]
pub struct OutArgs {
    /// Directory for the files; without it output/, then the path of the scenario under scenarios/.
    #[arg(long, value_name = "DIR", conflicts_with = "no_out")]
    pub out: Option<PathBuf>,
    /// Write no files.
    #[arg(long)]
    pub no_out: bool,
}

impl OutArgs {
    /// What was asked for, else a directory of the scenario's name.
    pub(super) fn directory(&self, scenario: &str) -> Option<PathBuf> {
        let named = || default_directory(scenario);
        (!self.no_out).then(|| self.out.clone().unwrap_or_else(named))
    }
}

/// Reads `KEY=VALUE`.
pub(super) fn assignment(text: &str) -> Result<Assignment, String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok(Assignment {
            key: key.trim().to_owned(),
            value: value.to_owned(),
        }),
        _ => Err("a key and a value are needed, as in traffic.rate=50/s".to_owned()),
    }
}

/// Assignments as the library takes them.
pub(super) fn overrides(set: &[Assignment]) -> Vec<Override> {
    let set = set.iter();
    set.map(|set| Override {
        key: set.key.clone(),
        value: set.value.clone(),
    })
    .collect()
}

/// The texts of patches.
pub(super) fn read_patches(paths: &[PathBuf]) -> Result<Vec<Arc<SourceText>>, Diagnostic> {
    paths.iter().map(|path| scenario::patch(path)).collect()
}

/// Counts requests between scrapes instead of following them one by one.
pub(super) fn counted() -> Override {
    Override {
        key: "run.traffic_model".to_owned(),
        value: "aggregate".to_owned(),
    }
}

/// `output/` and the scenario's name; a name that leads elsewhere (`../x`) stays inside.
fn default_directory(scenario: &str) -> PathBuf {
    let parts = Path::new(scenario).components();
    let inside = parts.filter(|part| matches!(part, Component::Normal(_)));
    Path::new("output").join(inside.collect::<PathBuf>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_go_below_output_whatever_a_scenario_is_called() {
        for (name, directory) in [
            ("chaos30", "output/chaos30"),
            ("library/a/b", "output/library/a/b"),
            ("../../elsewhere", "output/elsewhere"),
            ("/etc", "output/etc"),
        ] {
            assert_eq!(default_directory(name), Path::new(directory));
        }
    }

    #[test]
    fn an_assignment_is_split_at_its_first_equals_sign() {
        for (text, parsed) in [
            ("traffic.rate=50/s", Some(("traffic.rate", "50/s"))),
            ("a = b=c", Some(("a", " b=c"))),
            ("title=", Some(("title", ""))),
            ("traffic.rate", None),
            ("=50/s", None),
        ] {
            let found = assignment(text).ok();
            let found = found.as_ref().map(|set| (&*set.key, &*set.value));
            assert_eq!(found, parsed, "{text}");
        }
    }
}
