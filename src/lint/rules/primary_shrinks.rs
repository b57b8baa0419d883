//! `primary-shrinks`: an HPA that takes pods from the primary while the canary has its traffic.

use crate::canary::Provider;
use crate::lint::case::Case;
use crate::lint::{Rule, Said, Severity};
use crate::time::Span;

pub(super) const RULE: Rule = Rule {
    code: "primary-shrinks",
    severity: Severity::Warning,
    about: "While the canary takes traffic over, the primary's HPA sees less load and removes pods. A promotion or rollback gives all the \
            traffic back at once, to a primary that is too small until its HPA catches up.",
    check,
};

/// The HPA's default stabilisation window for scaling down.
const STABILISATION: Span = Span::from_secs(300);

fn check(case: &Case<'_>) -> Vec<Said> {
    let (Some(hpa), Some(&last)) = (case.hpa(), case.course.weights.last()) else {
        return Vec::new();
    };
    let reference = case.canary.spec.autoscaler_ref.as_ref();
    let kept = reference
        .and_then(|r| r.primary_scaler_replicas.as_ref())
        .and_then(|r| r.min_replicas);
    let (Some(before), Some(left)) = (case.pods_for(1.0), case.pods_for(1.0 - last as f64 / 100.0))
    else {
        return Vec::new();
    };
    let least = kept.or(hpa.spec.min_replicas).unwrap_or(1);
    let (before, left) = (
        before.max(least).min(hpa.spec.max_replicas),
        left.max(least).min(hpa.spec.max_replicas),
    );
    let lasts = case.interval * case.course.weights.len() as i64;
    let long_enough = lasts >= STABILISATION || !hpa.spec.behavior.is_null();
    if case.provider != Provider::Nginx
        || left >= before
        || !long_enough
        || case.analysis.step_weight_promotion > 0
    {
        return Vec::new();
    }
    vec![
        Said::new(
            case.at_object("HorizontalPodAutoscaler", &hpa.metadata.name, "/spec/minReplicas"),
            format!(
                "the HPA leaves the primary {left} of {before} pods at a canary weight of {last} %, and the promotion sends everybody back at once \
                 (at {:.0} requests/s)",
                case.rate()
            ),
        )
        .why("it scales the primary by the load that is left, and follows the return of the traffic only after its sync and the pods' start-up")
        .change(format!("keep {before} pods (`primaryScalerReplicas` in the Canary's autoscalerRef), or give the traffic back in steps (`stepWeightPromotion`)"))
        .patch(format!("    primaryScalerReplicas:\n      minReplicas: {before}")),
    ]
}
