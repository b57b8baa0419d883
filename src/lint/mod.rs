//! What is wrong with a Canary before a rollout meets it: the effective configuration, its arithmetic, and coded findings.
//!
//! A rule is a plain function of the effective scenario; each has a file of its own under `rules`, with its code, what it is
//! about, and the change to make. Nothing is simulated here: what a rule predicts, the tests simulate. Left out: what the API
//! server refuses (told where manifests are read) and whatever only a run can show (`sim::findings`).

#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

mod asked;
mod case;
mod effective;
mod rules;

pub use effective::{Arithmetic, Effective, EffectiveMetric, EffectiveWebhook, effective};

use serde::Serialize;

use self::case::Case;
use crate::diagnostic::{Diagnostic, Place};
use crate::scenario::Scenario;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// The rollout does something else than it looks like.
    Warning,
    /// The rollout cannot do what it is for.
    Error,
}

impl Severity {
    /// As it is printed.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }
}

/// Something a rule found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The rule's code.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What is the matter, and what will happen.
    pub message: String,
    /// Why.
    pub why: String,
    /// The change to make.
    pub change: String,
    /// The lines to write instead, where the change is that plain.
    pub patch: Option<String>,
    /// Where it stands.
    pub place: Place,
}

/// A rule, for `--explain` and for tools that list them.
#[derive(Clone, Copy)]
pub struct Rule {
    /// Its name, in findings and for `--deny` and `--allow`.
    pub code: &'static str,
    /// How bad a finding of it is.
    pub severity: Severity,
    /// What it is about, in a few sentences.
    pub about: &'static str,
    check: fn(&Case<'_>) -> Vec<Said>,
}

/// What a rule says; the rule itself adds code and severity.
struct Said {
    message: String,
    why: String,
    change: String,
    patch: Option<String>,
    place: Place,
    severity: Option<Severity>,
}

impl Said {
    fn new(place: Place, message: impl Into<String>) -> Said {
        Said {
            message: message.into(),
            why: String::new(),
            change: String::new(),
            patch: None,
            place,
            severity: None,
        }
    }

    fn why(mut self, why: impl Into<String>) -> Said {
        self.why = why.into();
        self
    }

    fn change(mut self, change: impl Into<String>) -> Said {
        self.change = change.into();
        self
    }

    fn patch(mut self, patch: impl Into<String>) -> Said {
        self.patch = Some(patch.into());
        self
    }

    /// Another severity than the rule's own.
    fn severity(mut self, severity: Severity) -> Said {
        self.severity = Some(severity);
        self
    }
}

/// The code of what cannot be read or is not simulated.
pub const REFUSED: &str = "refused";

/// Every rule, in the order in which their findings are told.
pub fn rules() -> &'static [Rule] {
    rules::ALL
}

/// What the rules find in a scenario; worst first, then in the order of the rules.
pub fn lint(scenario: &Scenario) -> Vec<Finding> {
    let Some(case) = Case::of(scenario) else {
        return Vec::new();
    };
    let mut findings: Vec<Finding> = rules::ALL
        .iter()
        .flat_map(|rule| {
            (rule.check)(&case).into_iter().map(|said| Finding {
                code: rule.code,
                severity: said.severity.unwrap_or(rule.severity),
                message: said.message,
                why: said.why,
                change: said.change,
                patch: said.patch,
                place: said.place,
            })
        })
        .collect();
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    findings
}

/// The finding that stands for manifests that cannot be read, or are not simulated.
pub fn refused(diagnostic: &Diagnostic, otherwise: Place) -> Finding {
    Finding {
        code: REFUSED,
        severity: Severity::Error,
        message: diagnostic.message.clone(),
        why: "rollcast cannot read this, or does not simulate it; nothing else was looked at"
            .to_owned(),
        change: diagnostic.help.clone().unwrap_or_default(),
        patch: None,
        place: diagnostic.place.clone().unwrap_or(otherwise),
    }
}
