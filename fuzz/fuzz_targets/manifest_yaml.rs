//! Any text as a manifest: by itself, and as the manifests of a scenario.

#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use rollcast::diagnostic::SourceText;
use rollcast::k8s::manifest;
use rollcast::scenario::{Files, assemble};

const SCENARIO: &str = "manifests = [\"*.yaml\"]\n\n[versions.v1]\n\n[versions.v2]\ninherits = \"v1\"\n\n[[events]]\nat = \"0s\"\npush = \"v2\"\n";

struct Given<'a>(&'a str);

impl Files for Given<'_> {
    fn matching(&self, _pattern: &str) -> Result<Vec<Arc<SourceText>>, String> {
        Ok(vec![SourceText::new("any.yaml", self.0)])
    }
}

fuzz_target!(|text: &str| {
    let read = manifest::read(&SourceText::new("any.yaml", text));
    let scenario = SourceText::new("scenario.toml", SCENARIO);
    match assemble("any", &scenario, &[], &Given(text)) {
        Ok(_) => assert!(read.is_ok()),
        Err(diagnostic) => assert!(diagnostic.render().starts_with("error: ")),
    }
});
