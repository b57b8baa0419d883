//! SARIF 2.1.0, which code hosts show beside the lines of a change.

use serde_json::{Value, json};

use super::{Linted, position};
use crate::lint::{self, Finding, Severity};

/// The report as SARIF.
///
/// # Errors
/// When a number cannot be written, which none is.
pub fn render(all: &[Linted]) -> serde_json::Result<String> {
    let rules: Vec<Value> = lint::rules()
        .iter()
        .map(|rule| {
            json!({
                "id": rule.code,
                "fullDescription": { "text": rule.about },
                "defaultConfiguration": { "level": level(rule.severity) },
            })
        })
        .collect();
    let results: Vec<Value> = all
        .iter()
        .flat_map(|linted| &linted.findings)
        .map(result)
        .collect();
    let sarif = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "rollcast",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            } },
            "results": results,
        }],
    });
    Ok(serde_json::to_string_pretty(&sarif)? + "\n")
}

fn result(finding: &Finding) -> Value {
    let (file, line, column) = position(finding);
    json!({
        "ruleId": finding.code,
        "level": level(finding.severity),
        "message": { "text": format!("{}. {}. {}.", finding.message, finding.why, finding.change) },
        "locations": [{ "physicalLocation": {
            "artifactLocation": { "uri": file },
            "region": { "startLine": line, "startColumn": column },
        } }],
    })
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "note",
        Severity::Warning => "warning",
        Severity::Error => "error",
    }
}
