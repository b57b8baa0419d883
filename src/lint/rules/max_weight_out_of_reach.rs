//! `max-weight-out-of-reach`: a maximum above 100.

use crate::canary::Hang;
use crate::lint::case::Case;
use crate::lint::{Rule, Said, Severity};

pub(super) const RULE: Rule = Rule {
    code: "max-weight-out-of-reach",
    severity: Severity::Error,
    about: "A weight ends at 100, and the promotion waits for maxWeight. With more than 100 Flagger sets the weight to 100 at every tick \
            and never promotes; all users stay on the canary.",
    check,
};

fn check(case: &Case<'_>) -> Vec<Said> {
    if case.course.promoted != Err(Hang::MaxWeightOutOfReach) {
        return Vec::new();
    }
    let max = case.analysis.max_weight;
    vec![
        Said::new(
            case.at("/spec/analysis/maxWeight"),
            format!("`maxWeight: {max}` is never reached: the canary keeps all the traffic and is never promoted"),
        )
        .why("weights are percents and end at 100; the promotion waits for a weight of at least maxWeight")
        .change("set it to 100 or less")
        .patch("    maxWeight: 100"),
    ]
}
