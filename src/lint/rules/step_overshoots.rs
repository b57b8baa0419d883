//! `step-overshoots`: steps that do not end at the maximum.

use crate::canary::Strategy;
use crate::canary::course::max_weight;
use crate::lint::case::Case;
use crate::lint::{Rule, Said, Severity};

pub(super) const RULE: Rule = Rule {
    code: "step-overshoots",
    severity: Severity::Warning,
    about: "maxWeight is the weight from which a release is promoted, not a limit: where stepWeight does not divide it, the last step \
            goes beyond (step 30, maximum 50: 30 %, 60 %).",
    check,
};

fn check(case: &Case<'_>) -> Vec<Said> {
    let analysis = case.analysis;
    let max = max_weight(analysis);
    let Some(&last) = case.course.weights.last() else {
        return Vec::new();
    };
    let stepped = case.course.strategy == Strategy::Canary && analysis.step_weights.is_empty();
    if !stepped || case.course.promoted.is_err() || last <= max || !analysis.matches.is_empty() {
        return Vec::new();
    }
    let step = analysis.step_weight;
    let within = max - max % step;
    vec![
        Said::new(
            case.at("/spec/analysis/stepWeight"),
            format!("`stepWeight: {step}` does not divide `maxWeight: {max}`: the canary gets up to {last} % of the traffic"),
        )
        .why("Flagger compares with maxWeight before a step and does not cut the step short")
        .change(match within {
            0 => format!("take a stepWeight that divides {max}"),
            within => format!("set `maxWeight: {within}`, or take a stepWeight that divides {max}"),
        })
        .patch(match within {
            0 => format!("    stepWeight: {max}"),
            within => format!("    maxWeight: {within}"),
        }),
    ]
}
