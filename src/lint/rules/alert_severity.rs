//! `alert-severity`: an alert that nobody gets.

use crate::lint::case::Case;
use crate::lint::{Rule, Said, Severity};

pub(super) const RULE: Rule = Rule {
    code: "alert-severity",
    severity: Severity::Warning,
    about: "An entry of `alerts` without severity matches no alert, and turns the global notifier off for this Canary.",
    check,
};

fn check(case: &Case<'_>) -> Vec<Said> {
    let alerts = case.analysis.alerts.iter().enumerate();
    alerts
        .filter(|(_, alert)| alert.severity.is_empty())
        .map(|(index, alert)| {
            Said::new(
                case.at(&format!("/spec/analysis/alerts/{index}/name")),
                format!("the alert `{}` has no severity, and never fires", alert.name),
            )
            .why("an empty severity matches no alert, whatever Flagger's documentation says of a default")
            .change("say which: info (everything), warn or error")
            .patch("        severity: error")
        })
        .collect()
}
