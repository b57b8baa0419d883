//! Manifests on the command line: what `simulate -f`, `import` and `lint` share.

use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::ProviderArg;
use super::shared::{Assignment, assignment};
use crate::canary::Provider;
use crate::diagnostic::{Diagnostic, SourceText};
use crate::scenario::{self, Files, Found, Imported, Inputs, Override, Scenario, Wishes, assemble};

/// Manifests, and what is wanted besides what they say.
#[derive(Debug, Args)]
pub struct ManifestArgs {
    /// Kubernetes manifests: files, folders with all the YAML below them, - for standard input.
    #[arg(short = 'f', long = "files", num_args = 1.., value_name = "DIR_OR_FILE")]
    pub files: Vec<PathBuf>,
    /// What else.
    #[command(flatten)]
    pub wishes: WishArgs,
}

/// What is wanted besides what manifests say.
#[derive(Debug, Args)]
pub struct WishArgs {
    /// Which Canary, where the manifests have several.
    #[arg(long, value_name = "NAMESPACE/NAME")]
    pub canary: Option<String>,
    /// What is different about the release: fail-rate=0.3, service-time=80ms, image=..., env.NAME=..., and a few more. May be
    /// repeated. Without it the release is a healthy one.
    #[arg(long, value_name = "KEY=VALUE", value_parser = assignment)]
    pub push: Vec<Assignment>,
    /// What users send; 100/s without it.
    #[arg(long, value_name = "RATE")]
    pub rate: Option<String>,
    /// Simulate this provider instead of the Canary's own.
    #[arg(long = "as", value_enum, value_name = "PROVIDER")]
    pub provider: Option<ProviderArg>,
}

impl WishArgs {
    /// As the library takes them.
    pub fn wishes(&self) -> Wishes {
        let push = self.push.iter();
        Wishes {
            canary: self.canary.clone(),
            push: push
                .map(|set| (set.key.clone(), set.value.clone()))
                .collect(),
            rate: self.rate.clone(),
            provider: self.provider.map(Provider::from),
        }
    }
}

impl ManifestArgs {
    /// Reads the manifests and makes a scenario of them.
    pub fn read(&self, stdin: &mut dyn Read) -> Result<Given, Diagnostic> {
        let found = scenario::manifests(&self.files, stdin)?;
        Given::new(found, &self.wishes.wishes())
    }
}

/// Manifests, and the scenario made of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    found: Found,
    imported: Imported,
}

impl Given {
    /// The scenario of these manifests, which it calls by their own names.
    pub fn new(found: Found, wishes: &Wishes) -> Result<Given, Diagnostic> {
        let names: Vec<String> = found.sources.iter().map(|s| s.name.clone()).collect();
        let imported = scenario::import(&found.sources, &names, wishes)?;
        Ok(Given { found, imported })
    }

    /// Reads the scenario, with `overrides` laid over it.
    pub fn scenario(&self, overrides: &[Override]) -> Result<Scenario, Diagnostic> {
        let source = self.text();
        assemble(&self.imported.name, &source, overrides, self)
    }

    /// As [`scenario`](Self::scenario), with patches of its objects laid over it before the overrides are, and the texts that
    /// were read.
    pub fn with_inputs(
        &self,
        patches: &[Arc<SourceText>],
        overrides: &[Override],
    ) -> Result<(Scenario, Inputs), Diagnostic> {
        let source = self.text();
        Inputs::assemble(&self.imported.name, &source, patches, overrides, self, "")
    }

    fn text(&self) -> Arc<SourceText> {
        SourceText::new("scenario made of -f", &*self.imported.text)
    }

    /// What was made up for it.
    pub fn assumed(&self) -> &[String] {
        &self.imported.assumed
    }

    /// Files without a Kubernetes object.
    pub fn passed_over(&self) -> &[String] {
        &self.found.passed_over
    }
}

impl Files for Given {
    fn matching(&self, pattern: &str) -> Result<Vec<Arc<SourceText>>, String> {
        let sources = self.found.sources.iter();
        Ok(sources
            .filter(|source| source.name == pattern)
            .cloned()
            .collect())
    }
}
