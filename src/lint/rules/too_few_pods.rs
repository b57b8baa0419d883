//! `too-few-pods`: a first step that replica counts cannot give.

use crate::canary::Provider;
use crate::lint::case::Case;
use crate::lint::{Rule, Said, Severity};

pub(super) const RULE: Rule = Rule {
    code: "too-few-pods",
    severity: Severity::Warning,
    about: "Under pod scaling a weight is a number of pods, one at least. From two pods a weight of 10 % is 50 % of the users.",
    check,
};

/// A share further from its weight than this, in percent points, is another step than was asked for.
const TOLERATED: i64 = 3;

fn check(case: &Case<'_>) -> Vec<Said> {
    let Some(&first) = case.course.weights.first() else {
        return Vec::new();
    };
    let pods = i64::from(case.pods().max(1));
    let canary = ((2 * first * pods + 100) / 200).clamp(1, pods);
    let share = 100 * canary / pods;
    if case.provider != Provider::PodScaling || (share - first).abs() <= TOLERATED {
        return Vec::new();
    }
    let needed = (100 + first - 1) / first;
    let (place, patch) = match case.hpa() {
        Some(hpa) => (
            case.at_object(
                "HorizontalPodAutoscaler",
                &hpa.metadata.name,
                "/spec/minReplicas",
            ),
            format!("  minReplicas: {needed}"),
        ),
        None => {
            let name = &case.scenario.manifests.deployment.metadata.name;
            (
                case.at_object("Deployment", name, "/spec/replicas"),
                format!("  replicas: {needed}"),
            )
        }
    };
    vec![
        Said::new(place, format!("the first step of {first} % cannot be had from {pods} pods: {canary} of them serve {share} % of the requests"))
            .why("under pod scaling a share of the traffic is a number of pods")
            .change(format!("run at least {needed} pods, or use a provider that routes by weight"))
            .patch(patch),
    ]
}
