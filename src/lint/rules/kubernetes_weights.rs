//! `kubernetes-weights`: the provider that routes nobody, asked for weights.

use crate::canary::Provider;
use crate::lint::case::Case;
use crate::lint::{Rule, Said, Severity};

pub(super) const RULE: Rule = Rule {
    code: "kubernetes-weights",
    severity: Severity::Error,
    about: "The provider `kubernetes` has no router. With stepWeight, Flagger warns at each tick, sets iterations to 10 and runs the \
            checks against a canary that no user reaches; when they pass, all users get the new version at once.",
    check,
};

fn check(case: &Case<'_>) -> Vec<Said> {
    let key = match (
        case.analysis.step_weight > 0,
        case.analysis.step_weights.is_empty(),
    ) {
        (true, _) => "stepWeight",
        (false, false) => "stepWeights",
        (false, true) => return Vec::new(),
    };
    if case.provider != Provider::Kubernetes {
        return Vec::new();
    }
    vec![
        Said::new(
            case.at(&format!("/spec/analysis/{key}")),
            format!(
                "`{key}` never shifts traffic with the provider kubernetes: 10 iterations without a user, then everybody at once at {}",
                case.interval * 12
            ),
        )
        .why("that provider has no router; Flagger logs `Progressive traffic is not supported when using the kubernetes provider` and sets iterations to 10")
        .change("choose a provider that routes (nginx with an ingressRef, gatewayapi:v1), or say `iterations` and test the canary with a rollout webhook")
        .patch("  provider: nginx"),
    ]
}
