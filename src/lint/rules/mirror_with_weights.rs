//! `mirror-with-weights`: mirroring where the provider cannot report it.

use crate::canary::Hang;
use crate::lint::case::Case;
use crate::lint::{Rule, Said, Severity};

pub(super) const RULE: Rule = Rule {
    code: "mirror-with-weights",
    severity: Severity::Error,
    about: "With `mirror: true` and weights, the first step mirrors traffic and the next one shifts it. The providers nginx and \
            gatewayapi:v1 never report that traffic is mirrored, so each tick takes the first step again.",
    check,
};

fn check(case: &Case<'_>) -> Vec<Said> {
    if case.course.promoted != Err(Hang::MirrorNeverReported) {
        return Vec::new();
    }
    vec![
        Said::new(
            case.at("/spec/analysis/mirror"),
            format!("`mirror` with weights loops on {}: every tick starts the analysis again, at weight 0", case.provider.as_str()),
        )
        .why("its router never reports mirrored traffic, and the weight only rises once that is reported")
        .change("take `mirror` out, or use `iterations` with gatewayapi:v1")
        .patch("    mirror: false"),
    ]
}
