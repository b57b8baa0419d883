//! `rollcast lint`: what is wrong with Canaries before a rollout meets them.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use clap::{Args, ValueEnum};

use super::manifests::{Given, WishArgs};
use super::shared::{Assignment, assignment};
use super::{RulesArg, shared};
use crate::diagnostic::{Diagnostic, SourceText};
use crate::k8s::manifest;
use crate::lint::{self, REFUSED, Severity};
use crate::report::lint::{Linted, json, sarif, text};
use crate::report::text::{Palette, WIDTH, wrap};
use crate::scenario::{self, Found, Override, Scenario, Wishes};

/// Arguments of `lint`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Lint {
    /// Manifests: files, folders with all the YAML below them, - for standard input; or one scenario (.toml).
    #[arg(required_unless_present = "explain", value_name = "FILE_OR_DIR")]
    pub paths: Vec<PathBuf>,
    /// What else is wanted.
    #[command(flatten)]
    pub wishes: WishArgs,
    /// What to print.
    #[arg(long, value_enum, default_value_t)]
    pub format: LintFormat,
    /// How thresholds are read.
    #[arg(long, value_enum)]
    pub rules: Option<RulesArg>,
    /// Set a key of the scenario that the manifests are looked at in, such as prometheus.scrape_interval=5s. May be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = assignment)]
    pub set: Vec<Assignment>,
    /// Take findings of this code for errors. May be repeated.
    #[arg(long, value_name = "CODE")]
    pub deny: Vec<String>,
    /// Leave findings of this code out. May be repeated.
    #[arg(long, value_name = "CODE")]
    pub allow: Vec<String>,
    /// Say what a code is about.
    #[arg(long, value_name = "CODE")]
    pub explain: Option<String>,
}

/// How findings are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LintFormat {
    /// For people.
    #[default]
    Text,
    /// The effective configuration and the findings.
    Json,
    /// SARIF 2.1.0, for code hosts.
    Sarif,
}

const EXAMPLES: &str = "\
Examples:
  rollcast lint k8s/
  kustomize build overlays/prod | rollcast lint - --format sarif
  rollcast lint k8s/ --rate 20/s --set prometheus.scrape_interval=15s --deny ignores-canary
  rollcast lint --explain late-series

Exits with 1 when there is an error among the findings.";

/// Runs the command.
pub fn run(
    args: &Lint,
    palette: Palette,
    stdin: &mut dyn Read,
    out: &mut impl Write,
) -> anyhow::Result<ExitCode> {
    for code in args.deny.iter().chain(&args.allow).chain(&args.explain) {
        known(code)?;
    }
    if let Some(code) = &args.explain {
        explain(code, out)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut all = linted(args, stdin)?;
    for finding in all.iter_mut().flat_map(|linted| &mut linted.findings) {
        if args.deny.iter().any(|code| code == finding.code) {
            finding.severity = Severity::Error;
        }
    }
    for linted in &mut all {
        linted.findings.retain(|finding| {
            let denied = args.deny.iter().any(|code| code == finding.code);
            denied || args.allow.iter().all(|code| code != finding.code)
        });
    }
    let printed = match args.format {
        LintFormat::Text => text::render(&all, palette),
        LintFormat::Json => json::render(&all)?,
        LintFormat::Sarif => sarif::render(&all)?,
    };
    out.write_all(printed.as_bytes())?;
    let mut findings = all.iter().flat_map(|linted| &linted.findings);
    let errors = findings.any(|finding| finding.severity == Severity::Error);
    Ok(ExitCode::from(u8::from(errors)))
}

/// Every Canary that the paths have, or the one that was chosen.
fn linted(args: &Lint, stdin: &mut dyn Read) -> anyhow::Result<Vec<Linted>> {
    let overrides = overrides(args);
    if let [path] = args.paths.as_slice()
        && path
            .extension()
            .is_some_and(|extension| extension == "toml")
    {
        let scenario = scenario::load(path, &overrides);
        return Ok(vec![one(path.display().to_string(), scenario)]);
    }
    let found = match scenario::manifests(&args.paths, stdin) {
        Ok(found) => found,
        // A manifest with a mistake is a finding; a path that is not there is not.
        Err(diagnostic) if diagnostic.place.is_some() => {
            return Ok(vec![one(String::new(), Err(diagnostic))]);
        }
        Err(diagnostic) => return Err(diagnostic.into()),
    };
    let mut wishes = args.wishes.wishes();
    let names = match &wishes.canary {
        Some(canary) => vec![canary.clone()],
        None => canaries(&found),
    };
    if names.is_empty() {
        bail!("there is no Canary among the manifests: give the file or the folder that has it");
    }
    let each = names.into_iter().map(|name| {
        wishes.canary = Some(name.clone());
        one(name, scenario_of(&found, &wishes, &overrides))
    });
    Ok(each.collect())
}

fn overrides(args: &Lint) -> Vec<Override> {
    let rules = args.rules.map(|rules| Override {
        key: "rules".to_owned(),
        value: crate::canary::Rules::from(rules).as_str().to_owned(),
    });
    shared::overrides(&args.set)
        .into_iter()
        .chain(rules)
        .collect()
}

fn canaries(found: &Found) -> Vec<String> {
    let documents: Vec<_> = found
        .sources
        .iter()
        .flat_map(|source| manifest::read(source).unwrap_or_default())
        .collect();
    scenario::canary_names(&documents)
}

fn scenario_of(
    found: &Found,
    wishes: &Wishes,
    overrides: &[Override],
) -> Result<Scenario, Diagnostic> {
    Given::new(found.clone(), wishes)?.scenario(overrides)
}

fn one(canary: String, scenario: Result<Scenario, Diagnostic>) -> Linted {
    match scenario {
        Ok(scenario) => {
            let effective = lint::effective(&scenario);
            Linted {
                canary: effective.as_ref().map_or(canary, |e| e.canary.clone()),
                findings: lint::lint(&scenario),
                effective,
            }
        }
        Err(diagnostic) => {
            let nowhere = (SourceText::new(&*canary, ""), 0..0);
            Linted {
                findings: vec![lint::refused(&diagnostic, nowhere)],
                canary,
                effective: None,
            }
        }
    }
}

fn known(code: &str) -> anyhow::Result<()> {
    let codes: Vec<&str> = lint::rules()
        .iter()
        .map(|rule| rule.code)
        .chain([REFUSED])
        .collect();
    if codes.contains(&code) {
        return Ok(());
    }
    match crate::diagnostic::nearest::nearest(code, codes.iter().copied()) {
        Some(meant) => bail!("there is no rule `{code}`: did you mean `{meant}`?"),
        None => bail!("there is no rule `{code}`; there are {}", codes.join(", ")),
    }
}

fn explain(code: &str, out: &mut impl Write) -> anyhow::Result<()> {
    let (severity, about) = match lint::rules().iter().find(|rule| rule.code == code) {
        Some(rule) => (rule.severity, rule.about),
        None => (
            Severity::Error,
            "What cannot be read, or is not simulated; the message says which.",
        ),
    };
    writeln!(out, "{code} ({})", severity.as_str())?;
    for line in wrap(about, WIDTH, "") {
        writeln!(out, "{line}")?;
    }
    Ok(())
}
