//! What `lint` found, as text, as JSON and as SARIF.

pub mod json;
pub mod sarif;
pub mod text;

use crate::lint::{Effective, Finding, Severity};

/// One Canary's part of the report.
#[derive(Clone, Debug)]
pub struct Linted {
    /// `NAMESPACE/NAME`; empty where nothing could be read.
    pub canary: String,
    /// Its effective configuration; nothing where it could not be read or has no analysis.
    pub effective: Option<Effective>,
    /// What was found.
    pub findings: Vec<Finding>,
}

/// How many findings there are of each severity: errors, warnings, infos.
pub fn counts(all: &[Linted]) -> [usize; 3] {
    let of = |severity| {
        let findings = all.iter().flat_map(|linted| &linted.findings);
        findings
            .filter(|finding| finding.severity == severity)
            .count()
    };
    [Severity::Error, Severity::Warning, Severity::Info].map(of)
}

/// File, line and column of a finding, from 1.
fn position(finding: &Finding) -> (&str, usize, usize) {
    let (source, range) = &finding.place;
    let (line, column) = source.line_column(range.start);
    (&source.name, line, column)
}
