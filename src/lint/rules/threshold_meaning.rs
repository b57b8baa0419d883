//! `threshold-meaning`: what `threshold` counts.

use crate::canary::{Course, Rules};
use crate::lint::case::Case;
use crate::lint::{Rule, Said, Severity};

pub(super) const RULE: Rule = Rule {
    code: "threshold-meaning",
    severity: Severity::Info,
    about: "`threshold` is the number of failed checks that rolls back, counted over the whole rollout. It is not the number of successful \
            checks before a promotion, as the load-harness runbook has it, where one failed check rolls back at once.",
    check,
};

fn check(case: &Case<'_>) -> Vec<Said> {
    if case.scenario.rules == Rules::Runbook || case.analysis.threshold() < 2 {
        return Vec::new();
    }
    let threshold = case.analysis.threshold();
    let read = |rules| Course::of(case.analysis, case.provider, rules).earliest_rollback;
    let (flagger, runbook) = (read(Rules::Flagger), read(Rules::Runbook));
    vec![
        Said::new(
            case.at("/spec/analysis/threshold"),
            format!(
                "`threshold: {threshold}` allows failed checks: a release that fails every check is rolled back after {}; read as \
                 successes needed, as the load-harness runbook does, it would be after {}",
                case.interval * flagger,
                case.interval * runbook
            ),
        )
        .why("Flagger counts failed checks, and tests the limit at the start of the next tick")
        .change("for a rollback at the first failed check set `threshold: 1`; `rollcast simulate --compare-rules` shows both readings")
        .patch("    threshold: 1"),
    ]
}
