//! Any text as a scenario, beside the load-harness manifests: a scenario or a message, never a panic.

#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use rollcast::diagnostic::SourceText;
use rollcast::scenario::{Files, assemble};

/// The manifests, whatever a pattern asks for; tables of rates are answered with one.
struct LoadHarness;

const MANIFESTS: [(&str, &str); 6] = [
    ("canary.yaml", include_str!("../../scenarios/load-harness/canary.yaml")),
    ("deployment.yaml", include_str!("../../scenarios/load-harness/deployment.yaml")),
    ("hpa.yaml", include_str!("../../scenarios/load-harness/hpa.yaml")),
    ("ingress.yaml", include_str!("../../scenarios/load-harness/ingress.yaml")),
    ("metrictemplate.yaml", include_str!("../../scenarios/load-harness/metrictemplate.yaml")),
    ("service.yaml", include_str!("../../scenarios/load-harness/service.yaml")),
];

impl Files for LoadHarness {
    fn matching(&self, pattern: &str) -> Result<Vec<Arc<SourceText>>, String> {
        if pattern.ends_with(".csv") {
            return Ok(vec![SourceText::new(pattern, "at_s,rate\n0,10\n60,200\n")]);
        }
        let texts = MANIFESTS.iter();
        Ok(texts.map(|(name, text)| SourceText::new(*name, *text)).collect())
    }
}

fuzz_target!(|text: &str| {
    let source = SourceText::new("scenario.toml", text);
    if let Err(diagnostic) = assemble("any", &source, &[], &LoadHarness) {
        assert!(diagnostic.render().starts_with("error: "));
    }
});
