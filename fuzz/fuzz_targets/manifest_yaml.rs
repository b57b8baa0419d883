//! Any text as manifests: by themselves, as those of a scenario, and as all there is, imported and linted.

#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use rollcast::diagnostic::SourceText;
use rollcast::k8s::manifest;
use rollcast::lint::{effective, lint};
use rollcast::scenario::{Files, Wishes, assemble, import};

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
    let source = SourceText::new("any.yaml", text);
    let paths = ["any.yaml".to_owned()];
    let Ok(imported) = import(&[source], &paths, &Wishes::default()) else {
        return;
    };
    let scenario = SourceText::new("scenario.toml", imported.text);
    if let Ok(scenario) = assemble("any", &scenario, &[], &Given(text)) {
        for finding in lint(&scenario) {
            assert!(!finding.message.is_empty());
        }
        let _ = effective(&scenario);
    }
});
