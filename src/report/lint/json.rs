//! JSON: `effective` and `findings`, whose keys are a contract.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::{Linted, position};
use crate::lint::{Finding, Severity};

/// A finding.
#[derive(Serialize)]
struct JsonFinding<'a> {
    canary: &'a str,
    code: &'a str,
    severity: Severity,
    message: &'a str,
    why: &'a str,
    change: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch: Option<&'a str>,
    file: &'a str,
    line: usize,
    column: usize,
}

#[derive(Serialize)]
struct Report<'a> {
    /// Of the one Canary; of several, by `NAMESPACE/NAME`.
    effective: Value,
    findings: Vec<JsonFinding<'a>>,
}

/// The report as JSON.
///
/// # Errors
/// When a number cannot be written, which none is.
pub fn render(all: &[Linted]) -> serde_json::Result<String> {
    let effective = match all {
        [one] => serde_json::to_value(&one.effective)?,
        several => {
            let each = several.iter();
            let by_name: BTreeMap<&str, _> = each.map(|l| (&*l.canary, &l.effective)).collect();
            serde_json::to_value(by_name)?
        }
    };
    let findings = all
        .iter()
        .flat_map(|linted| linted.findings.iter().map(|f| finding(&linted.canary, f)));
    let report = Report {
        effective,
        findings: findings.collect(),
    };
    Ok(serde_json::to_string_pretty(&report)? + "\n")
}

fn finding<'a>(canary: &'a str, finding: &'a Finding) -> JsonFinding<'a> {
    let (file, line, column) = position(finding);
    JsonFinding {
        canary,
        code: finding.code,
        severity: finding.severity,
        message: &finding.message,
        why: &finding.why,
        change: &finding.change,
        patch: finding.patch.as_deref(),
        file,
        line,
        column,
    }
}
