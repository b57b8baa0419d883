//! `webhook-204`: success that Flagger takes for failure.

use crate::lint::case::Case;
use crate::lint::{Rule, Said, Severity};
use crate::scenario::HookResult;

pub(super) const RULE: Rule = Rule {
    code: "webhook-204",
    severity: Severity::Error,
    about: "Flagger takes answers up to 202 for success. A hook that answers 204 No Content, as many handlers do, fails.",
    check,
};

fn check(case: &Case<'_>) -> Vec<Said> {
    let hooks = case.analysis.webhooks.iter().enumerate();
    hooks
        .filter_map(|(index, hook)| {
            let scripted = case.scenario.webhooks.get(&hook.name)?;
            let status = scripted
                .answers
                .iter()
                .find_map(|answer| match &answer.result {
                    HookResult::Answer {
                        status: status @ 203..=299,
                        ..
                    } => Some(*status),
                    _ => None,
                })?;
            Some(
                Said::new(
                    case.at(&format!("/spec/analysis/webhooks/{index}/name")),
                    format!(
                        "`{}` answers {status}, which Flagger counts as a failure",
                        hook.name
                    ),
                )
                .why("its client takes statuses above 202 for errors")
                .change("answer 200"),
            )
        })
        .collect()
}
