//! `match-without-iterations`: conditions on requests beside weights.

use crate::canary::{Provider, Strategy};
use crate::lint::case::Case;
use crate::lint::{Rule, Said, Severity};

pub(super) const RULE: Rule = Rule {
    code: "match-without-iterations",
    severity: Severity::Error,
    about: "A/B testing is `match` with `iterations`. With weights instead, ingress-nginx gets the header or cookie at the first step, \
            from then on the route counts as all the canary's, and one passed check promotes.",
    check,
};

fn check(case: &Case<'_>) -> Vec<Said> {
    let weighted = case.course.strategy == Strategy::Canary && !case.analysis.matches.is_empty();
    if !weighted || case.provider != Provider::Nginx {
        return Vec::new();
    }
    vec![
        Said::new(
            case.at("/spec/analysis/match"),
            format!("`match` without `iterations` promotes after one check, {} after detection", case.interval * 2),
        )
        .why("with a header or cookie set, the nginx router reads the canary's weight as 100, whatever the steps are")
        .change("say how many passes the A/B test has instead of stepWeight and maxWeight")
        .patch("    iterations: 10"),
    ]
}
