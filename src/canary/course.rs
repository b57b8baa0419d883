//! What a Canary's spec comes to before anything runs: its strategy, its weights, and how many ticks a release needs.
//!
//! Follows `DeploymentStrategy` in `pkg/apis/flagger/v1beta1/canary.go`, and `nextStepWeight`, `maxWeight`, `runCanary`, `runAB`
//! and `runBlueGreen` in `pkg/controller/scheduler.go`. Their oddities are kept: max weight is a trigger and not a cap, so a
//! step may overshoot it; a max weight above 100 is never reached; a step weight of 0 never moves. Left out: readiness,
//! gates and slow hooks, each of which adds ticks.

use super::{Analysis, Provider, Rules};

/// Percent of traffic in all.
pub(crate) const TOTAL_WEIGHT: i64 = 100;

/// Iterations that the provider `kubernetes` sets where the spec has none.
const KUBERNETES_ITERATIONS: i64 = 10;

/// How a Canary is analysed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// By weights.
    Canary,
    /// By conditions on requests, for a number of iterations.
    AbTesting,
    /// For a number of iterations, then all at once.
    BlueGreen,
}

impl Strategy {
    /// The strategy of a spec.
    pub fn of(analysis: &Analysis) -> Strategy {
        match (analysis.iterations > 0, analysis.matches.is_empty()) {
            (false, _) => Strategy::Canary,
            (true, false) => Strategy::AbTesting,
            (true, true) => Strategy::BlueGreen,
        }
    }

    /// As Flagger's metrics label it.
    pub fn as_str(self) -> &'static str {
        match self {
            Strategy::Canary => "canary",
            Strategy::AbTesting => "ab-testing",
            Strategy::BlueGreen => "blue-green",
        }
    }
}

/// Why an analysis whose checks all pass never promotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hang {
    /// No step leads on from this weight.
    NoStep {
        /// The weight at which it stays.
        at: i64,
    },
    /// All traffic is the canary's, and the max weight is still higher.
    MaxWeightOutOfReach,
    /// Each tick starts the analysis again, since the router never reports the mirroring it was asked for.
    MirrorNeverReported,
    /// The primary gets its first share of the traffic back, again and again.
    PromotionNeverDone,
}

/// The ticks of a release, counted from the one that detects it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Course {
    /// What decides the steps, after what the provider makes of the spec.
    pub strategy: Strategy,
    /// The weights that are set, one a tick, from tick 1 on; empty where nothing is routed by weight.
    pub weights: Vec<i64>,
    /// Iterations of the strategies that count them.
    pub iterations: i64,
    /// The tick of the first metric check.
    pub first_check: i64,
    /// The tick that copies the new version to the primary when every check passes.
    pub promoted: Result<i64, Hang>,
    /// The tick at which the rollout is over then.
    pub finished: Result<i64, Hang>,
    /// The rollback when every check fails.
    pub earliest_rollback: i64,
    /// The rollback when every check passes until the last ones that could still fail; `None` where the analysis has no end.
    pub latest_rollback: Option<i64>,
}

impl Course {
    /// The course of an analysis under a provider and a reading of the thresholds.
    pub fn of(analysis: &Analysis, provider: Provider, rules: Rules) -> Course {
        let mut strategy = Strategy::of(analysis);
        let mut iterations = analysis.iterations.max(0);
        if provider == Provider::Kubernetes {
            strategy = Strategy::BlueGreen;
            if iterations < 1 {
                iterations = KUBERNETES_ITERATIONS;
            }
        }
        let passes = match rules {
            Rules::Flagger => 0,
            Rules::Runbook => analysis.threshold(),
        };
        let (weights, checked) = match strategy {
            Strategy::Canary => {
                let (weights, hang) = climb(analysis, provider);
                let steps = (weights.len() as i64).max(passes);
                (weights, hang.map_or(Ok(steps), Err))
            }
            Strategy::AbTesting => (Vec::new(), Ok(iterations.max(passes))),
            // One check more than iterations: the tick that switches the traffic checks too.
            Strategy::BlueGreen => (Vec::new(), Ok(iterations.max(passes) + 1)),
        };
        let promoted = checked.map(|checks| checks + 1);
        let shift = shift_ticks(analysis, provider, strategy, &weights);
        let finished = match (promoted, shift) {
            (Ok(at), Ok(shift)) => Ok(at + shift + 1),
            (Err(hang), _) | (_, Err(hang)) => Err(hang),
        };
        let allowed = match rules {
            Rules::Flagger => analysis.threshold(),
            Rules::Runbook => 1,
        };
        // Flagger's limit is tested at the start of the next tick, the runbook's in the same.
        let lag = i64::from(rules == Rules::Flagger);
        Course {
            strategy,
            weights,
            iterations,
            first_check: 2,
            promoted,
            finished,
            earliest_rollback: 1 + allowed + lag,
            latest_rollback: checked.ok().map(|checks| checks + allowed + lag),
        }
    }
}

/// The weights that are set one after the other while every check passes, and why that never ends.
fn climb(analysis: &Analysis, provider: Provider) -> (Vec<i64>, Option<Hang>) {
    let routed = matches!(provider, Provider::Nginx | Provider::GatewayApiV1);
    if analysis.mirror && routed {
        return (Vec::new(), Some(Hang::MirrorNeverReported));
    }
    let max = max_weight(analysis);
    let mut weights = Vec::new();
    let mut now = 0;
    while now < max {
        let step = next_step(analysis, now);
        if step <= 0 {
            return (weights, Some(Hang::NoStep { at: now }));
        }
        if now == TOTAL_WEIGHT {
            return (weights, Some(Hang::MaxWeightOutOfReach));
        }
        now = (now + step).min(TOTAL_WEIGHT);
        weights.push(now);
        // The annotations of a match say nothing of weights: from then on everything counts as the canary's.
        if provider == Provider::Nginx && !analysis.matches.is_empty() {
            break;
        }
    }
    (weights, None)
}

/// The ticks in which traffic goes back to the primary.
fn shift_ticks(
    analysis: &Analysis,
    provider: Provider,
    strategy: Strategy,
    weights: &[i64],
) -> Result<i64, Hang> {
    let step = analysis.step_weight_promotion;
    if step <= 0 || provider == Provider::Kubernetes {
        return Ok(1);
    }
    if provider == Provider::Nginx && !analysis.matches.is_empty() && step < TOTAL_WEIGHT {
        return Err(Hang::PromotionNeverDone);
    }
    let from = match strategy {
        Strategy::Canary => weights.last().copied().unwrap_or(0),
        Strategy::AbTesting | Strategy::BlueGreen => TOTAL_WEIGHT,
    };
    Ok(from.max(1).unsigned_abs().div_ceil(step.unsigned_abs()) as i64)
}

/// The weight at which a promotion starts. With step weights it is the last of them, whatever else is set.
pub(crate) fn max_weight(analysis: &Analysis) -> i64 {
    match analysis.step_weights.last() {
        Some(&last) => last.min(TOTAL_WEIGHT),
        None if analysis.max_weight > 0 => analysis.max_weight,
        None => TOTAL_WEIGHT,
    }
}

/// How far the next step goes from the canary's present weight; 0 or less means that nothing happens at all.
pub(crate) fn next_step(analysis: &Analysis, canary_weight: i64) -> i64 {
    let steps = &analysis.step_weights;
    if analysis.step_weight > 0 || steps.is_empty() {
        return analysis.step_weight;
    }
    let rest = TOTAL_WEIGHT - canary_weight;
    if rest == 0 {
        // Any step will do: the next thing is the promotion.
        return 1;
    }
    if canary_weight == 0 {
        return rest.min(steps[0]);
    }
    let following = steps
        .iter()
        .zip(&steps[1..])
        .find_map(|(&step, &next)| (step == canary_weight).then_some(next));
    match following {
        Some(next) => rest.min(next - canary_weight),
        None => rest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weights(step: i64, max: i64) -> Analysis {
        Analysis {
            threshold: 3,
            step_weight: step,
            max_weight: max,
            ..Analysis::default()
        }
    }

    #[test]
    fn a_healthy_release_of_the_runbook_is_copied_at_tick_six_and_done_at_eight() {
        let course = Course::of(&weights(10, 50), Provider::Nginx, Rules::Flagger);
        assert_eq!(course.weights, [10, 20, 30, 40, 50]);
        assert_eq!((course.promoted, course.finished), (Ok(6), Ok(8)));
        assert_eq!(course.earliest_rollback, 5);
        assert_eq!(course.latest_rollback, Some(9));
        let course = Course::of(&weights(10, 50), Provider::PodScaling, Rules::Runbook);
        assert_eq!(
            (course.promoted, course.earliest_rollback),
            (Ok(6), 2),
            "the runbook rolls back in the tick of the first failed check"
        );
    }

    #[test]
    fn kubernetes_counts_ten_iterations_whatever_the_weights() {
        let course = Course::of(&weights(10, 50), Provider::Kubernetes, Rules::Flagger);
        assert_eq!(course.weights, [] as [i64; 0]);
        assert_eq!(
            (course.iterations, course.promoted, course.finished),
            (10, Ok(12), Ok(14))
        );
    }

    #[test]
    fn steps_go_where_flagger_takes_them() {
        let stepped = |steps: &[i64]| Analysis {
            step_weights: steps.to_vec(),
            ..Analysis::default()
        };
        let mirrored = Analysis {
            mirror: true,
            ..weights(10, 50)
        };
        let matched = Analysis {
            matches: vec![serde_json::json!({})],
            ..weights(10, 50)
        };
        for (analysis, expected, promoted) in [
            (weights(30, 50), vec![30, 60], Ok(3)),
            (stepped(&[1, 2, 10, 80]), vec![1, 2, 10, 80], Ok(5)),
            (weights(0, 50), vec![], Err(Hang::NoStep { at: 0 })),
            (
                stepped(&[10, 10, 50]),
                vec![10],
                Err(Hang::NoStep { at: 10 }),
            ),
            (
                weights(50, 120),
                vec![50, 100],
                Err(Hang::MaxWeightOutOfReach),
            ),
            (mirrored, vec![], Err(Hang::MirrorNeverReported)),
            (matched, vec![10], Ok(2)),
        ] {
            let course = Course::of(&analysis, Provider::Nginx, Rules::Flagger);
            assert_eq!(
                (course.weights, course.promoted),
                (expected, promoted),
                "{analysis:?}"
            );
        }
    }

    #[test]
    fn giving_the_traffic_back_in_steps_takes_a_tick_for_each() {
        let slowly = Analysis {
            step_weight_promotion: 20,
            ..weights(50, 50)
        };
        let course = Course::of(&slowly, Provider::Nginx, Rules::Flagger);
        assert_eq!((course.promoted, course.finished), (Ok(2), Ok(6)));
        let conditions = Analysis {
            iterations: 2,
            matches: vec![serde_json::json!({})],
            ..slowly
        };
        let course = Course::of(&conditions, Provider::Nginx, Rules::Flagger);
        assert_eq!(course.finished, Err(Hang::PromotionNeverDone));
    }
}
