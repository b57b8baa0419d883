//! `ab-promotion-steps`: an A/B test that gives its traffic back in steps.

use crate::canary::Hang;
use crate::lint::case::Case;
use crate::lint::{Rule, Said, Severity};

pub(super) const RULE: Rule = Rule {
    code: "ab-promotion-steps",
    severity: Severity::Error,
    about: "With `match` on ingress-nginx the canary's route reads as 100 % for as long as the header or cookie is set, so a promotion \
            in steps takes its first step again and again.",
    check,
};

fn check(case: &Case<'_>) -> Vec<Said> {
    if case.course.finished != Err(Hang::PromotionNeverDone) {
        return Vec::new();
    }
    let step = case.analysis.step_weight_promotion;
    vec![
        Said::new(
            case.at("/spec/analysis/stepWeightPromotion"),
            format!("`stepWeightPromotion: {step}` with `match` hangs in Promoting: `Advance ... primary weight {step}` at every tick"),
        )
        .why("the nginx router reads the canary's weight as 100 while a header or cookie is set")
        .change("take `stepWeightPromotion` out: an A/B test's traffic goes back in one step")
        .patch("    stepWeightPromotion: 100"),
    ]
}
