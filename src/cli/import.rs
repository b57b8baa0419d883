//! `rollcast import`: writes down, as a scenario, what `simulate -f` would run.

use std::io::{Read, Write};
use std::path::{Component, Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;

use super::manifests::{Given, ManifestArgs};
use crate::scenario::{self, Found};

/// Arguments of `import`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Import {
    /// Where from.
    #[command(flatten)]
    pub manifests: ManifestArgs,
    /// The scenario's file. Manifests from standard input go into a file of the same name beside it, with .yaml. Without it
    /// the scenario is printed.
    #[arg(short, long, value_name = "SCENARIO.toml")]
    pub out: Option<PathBuf>,
    /// Write over files that are there.
    #[arg(long, requires = "out")]
    pub force: bool,
}

const EXAMPLES: &str = "\
Examples:
  rollcast import -f k8s/ -o scenarios/mine.toml
  helm template my-chart | rollcast import -f - -o scenarios/mine.toml
  rollcast simulate scenarios/mine.toml";

/// Runs the command.
pub fn run(args: &Import, stdin: &mut dyn Read, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    if args.manifests.files.is_empty() {
        bail!("no manifests are given: rollcast import -f DIR_OR_FILE... -o SCENARIO.toml");
    }
    let wishes = args.manifests.wishes.wishes();
    let found = scenario::manifests(&args.manifests.files, stdin)?;
    // Read as `simulate -f` reads it: what is refused there is not written down here.
    let assumptions = Given::new(found.clone(), &wishes)?
        .scenario(&[])?
        .assumptions;
    let beside = |name: &str| name_beside(name, args.out.as_deref());
    let paths: Vec<String> = found.sources.iter().map(|s| beside(&s.name)).collect();
    let imported = scenario::import(&found.sources, &paths, &wishes)?;
    let text = imported.text + &comment(&assumptions, &found);
    let Some(path) = &args.out else {
        out.write_all(text.as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    };
    let mut files = vec![(path.clone(), text)];
    for source in found.sources.iter().filter(|s| s.name == scenario::STDIN) {
        files.push((path.with_extension("yaml"), source.text.clone()));
    }
    for (path, text) in &files {
        write(path, text, args.force)?;
        writeln!(out, "wrote {}", path.display())?;
    }
    writeln!(out, "next: rollcast simulate {}", path.display())?;
    Ok(ExitCode::SUCCESS)
}

/// What the scenario leaves to defaults, and files it does not name, as comments.
fn comment(assumptions: &[String], found: &Found) -> String {
    let mut text = String::new();
    for (heading, lines) in [
        (
            "Left to defaults; the key in parentheses changes each:",
            assumptions,
        ),
        ("Not read:", &found.passed_over),
    ] {
        if !lines.is_empty() {
            text += &format!("\n# {heading}\n");
            for line in lines {
                text += &format!("# - {}\n", line.replace(['\n', '\r'], " "));
            }
        }
    }
    text
}

/// How a scenario at `out` names a manifest.
fn name_beside(name: &str, out: Option<&Path>) -> String {
    let Some(out) = out else {
        return name.to_owned();
    };
    if name == scenario::STDIN {
        let file = out.with_extension("yaml");
        return file
            .file_name()
            .map_or_else(String::new, |f| f.to_string_lossy().into_owned());
    }
    let folder = match out.parent() {
        Some(folder) if folder != Path::new("") => folder.to_owned(),
        _ => PathBuf::from("."),
    };
    match (std::path::absolute(name), std::path::absolute(folder)) {
        (Ok(file), Ok(folder)) => relative(&file, &folder),
        _ => name.to_owned(),
    }
}

/// The way from a folder to a file, both absolute.
fn relative(file: &Path, folder: &Path) -> String {
    let (file, folder) = (parts(file), parts(folder));
    let common = file.iter().zip(&folder).take_while(|(a, b)| a == b).count();
    let up = folder[common..].iter().map(|_| "..".to_owned());
    let down = file[common..].iter().cloned();
    up.chain(down).collect::<Vec<_>>().join("/")
}

/// The names along a path, `..` taken back.
fn parts(path: &Path) -> Vec<String> {
    let mut parts = Vec::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => parts.push(name.to_string_lossy().into_owned()),
            Component::ParentDir => {
                parts.pop();
            }
            _ => {}
        }
    }
    parts
}

fn write(path: &Path, text: &str, force: bool) -> anyhow::Result<()> {
    if path.exists() && !force {
        bail!(
            "`{}` is there already: --force writes over it",
            path.display()
        );
    }
    let refused = || format!("`{}` cannot be written", path.display());
    if let Some(folder) = path.parent().filter(|folder| *folder != Path::new("")) {
        std::fs::create_dir_all(folder).with_context(refused)?;
    }
    // Whole or not at all.
    let temporary = path.with_extension("partial");
    std::fs::write(&temporary, text).with_context(refused)?;
    std::fs::rename(&temporary, path).with_context(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manifests_are_named_from_where_the_scenario_is() {
        for (file, folder, expected) in [
            ("/a/k8s/x.yaml", "/a/scenarios", "../k8s/x.yaml"),
            ("/a/x.yaml", "/a", "x.yaml"),
            ("/a/b/../x.yaml", "/a/c/d", "../../x.yaml"),
        ] {
            assert_eq!(relative(Path::new(file), Path::new(folder)), expected);
        }
        assert_eq!(
            name_beside("stdin", Some(Path::new("s/mine.toml"))),
            "mine.yaml"
        );
        assert_eq!(name_beside("k8s/x.yaml", None), "k8s/x.yaml");
    }
}
