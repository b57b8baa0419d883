//! `no-step`: steps that lead nowhere.

use crate::canary::Hang;
use crate::lint::case::Case;
use crate::lint::{Rule, Said, Severity};

pub(super) const RULE: Rule = Rule {
    code: "no-step",
    severity: Severity::Error,
    about: "With stepWeight 0, or an entry of stepWeights that is not above the one before, the next step is nothing: the analysis goes \
            on with every tick, never advances, and ends only when checks fail.",
    check,
};

fn check(case: &Case<'_>) -> Vec<Said> {
    let Err(Hang::NoStep { at }) = case.course.promoted else {
        return Vec::new();
    };
    let steps = &case.analysis.step_weights;
    let said = match steps
        .windows(2)
        .position(|pair| pair[0] == at && pair[1] <= at)
    {
        Some(index) => {
            let sorted = {
                let mut sorted = steps.clone();
                sorted.sort_unstable();
                sorted.dedup();
                sorted
            };
            Said::new(
                case.at(&format!("/spec/analysis/stepWeights/{}", index + 1)),
                format!("`stepWeights` does not rise after {at}: the rollout hangs at {at} %"),
            )
            .why("the step is the difference to the next entry, and a step of 0 or less does nothing")
            .change("list rising weights")
            .patch(format!("    stepWeights: {sorted:?}"))
        }
        None => Said::new(
            case.at("/spec/analysis/stepWeight"),
            "`stepWeight` is 0: the canary never gets a request, and the rollout hangs",
        )
        .why("Flagger has no default for it, and a step of 0 does nothing")
        .change("say how far each step goes")
        .patch("    stepWeight: 10"),
    };
    vec![said]
}
