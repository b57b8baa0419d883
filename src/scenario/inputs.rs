//! What a scenario was read from, whole: its text, what was set over it, and the texts of the files it points at.
//!
//! A run leaves them behind as `inputs.json`, so that whoever explains it can make it again, as it was or with something
//! changed. File names in it are relative to the scenario's folder: the same scenario leaves the same bytes wherever it is.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::assemble::{Files, assemble_patched};
use super::model::Scenario;
use super::text::Override;
use crate::diagnostic::{Diagnostic, SourceText};

/// All that a scenario was read from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inputs {
    /// What the scenario is called.
    pub name: String,
    /// The seed of the run, whatever the text says.
    pub seed: u64,
    /// The scenario's text.
    pub scenario: String,
    /// Patches of its objects, laid over it first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub patches: Vec<InputFile>,
    /// What was set over it, in order.
    pub set: Vec<Override>,
    /// The files it points at, by the pattern that matches them.
    pub files: BTreeMap<String, Vec<InputFile>>,
}

/// A file's text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputFile {
    /// Its name, relative to the scenario's folder.
    pub name: String,
    /// What is in it.
    pub text: String,
}

impl InputFile {
    fn source(&self) -> Arc<SourceText> {
        SourceText::new(&*self.name, &*self.text)
    }
}

impl Inputs {
    /// Makes the scenario called `name` as [`assemble_patched`] does, and keeps what it was made of. Names of files lose `folder`.
    ///
    /// # Errors
    /// As [`assemble_patched`].
    pub fn assemble(
        name: &str,
        source: &Arc<SourceText>,
        patches: &[Arc<SourceText>],
        overrides: &[Override],
        files: &dyn Files,
        folder: &str,
    ) -> Result<(Scenario, Inputs), Diagnostic> {
        let kept = Kept {
            files,
            seen: RefCell::default(),
        };
        let scenario = assemble_patched(name, source, patches, overrides, &kept)?;
        let input = |source: &Arc<SourceText>| InputFile {
            name: relative(&source.name, folder).to_owned(),
            text: source.text.clone(),
        };
        let seen = kept.seen.into_inner().into_iter();
        let inputs = Inputs {
            name: name.to_owned(),
            seed: scenario.run.seed,
            scenario: source.text.clone(),
            patches: patches.iter().map(input).collect(),
            set: overrides.to_vec(),
            files: seen
                .map(|(pattern, sources)| (pattern, sources.iter().map(input).collect()))
                .collect(),
        };
        Ok((scenario, inputs))
    }

    /// The scenario once more, with `more` laid over what was set.
    ///
    /// # Errors
    /// When it cannot be read with that.
    pub fn scenario(&self, more: &[Override]) -> Result<Scenario, Diagnostic> {
        let source = SourceText::new(format!("{}.toml", self.name), &*self.scenario);
        let set: Vec<Override> = self.set.iter().chain(more).cloned().collect();
        let patches: Vec<_> = self.patches.iter().map(InputFile::source).collect();
        let mut scenario = assemble_patched(&self.name, &source, &patches, &set, self)?;
        scenario.run.seed = self.seed;
        Ok(scenario)
    }
}

impl Files for Inputs {
    fn matching(&self, pattern: &str) -> Result<Vec<Arc<SourceText>>, String> {
        let files = self.files.get(pattern).into_iter().flatten();
        Ok(files.map(InputFile::source).collect())
    }
}

/// A file's name without the folder it is in.
fn relative<'a>(name: &'a str, folder: &str) -> &'a str {
    let rest = name.strip_prefix(folder).unwrap_or(name);
    rest.strip_prefix('/').unwrap_or(rest)
}

/// Files, and a memory of those that were asked for.
struct Kept<'a> {
    files: &'a dyn Files,
    seen: RefCell<BTreeMap<String, Vec<Arc<SourceText>>>>,
}

impl Files for Kept<'_> {
    fn matching(&self, pattern: &str) -> Result<Vec<Arc<SourceText>>, String> {
        let found = self.files.matching(pattern)?;
        let mut seen = self.seen.borrow_mut();
        seen.insert(pattern.to_owned(), found.clone());
        Ok(found)
    }
}
