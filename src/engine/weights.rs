//! How much traffic the canary gets next: plain arithmetic on whole percents.
//!
//! Follows `nextStepWeight`, `maxWeight`, `runCanary` and `runPromotionTrafficShift` in `pkg/controller/scheduler.go`.
//! Its oddities are kept: max weight is a trigger and not a cap, so a step may overshoot it; a max weight above 100 is
//! never reached; a step weight of 0 never moves.

use serde::{Deserialize, Serialize};

use crate::canary::Analysis;

/// Percent of traffic in all.
pub(crate) const TOTAL_WEIGHT: i64 = 100;

/// How traffic is split.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Routes {
    /// Percent to the primary.
    pub primary: i64,
    /// Percent to the canary.
    pub canary: i64,
    /// Requests to the primary are copied to the canary.
    pub mirrored: bool,
}

impl Routes {
    /// Everything to the primary.
    pub const PRIMARY: Routes = Routes {
        primary: TOTAL_WEIGHT,
        canary: 0,
        mirrored: false,
    };

    /// Everything to the canary.
    pub const CANARY: Routes = Routes {
        primary: 0,
        canary: TOTAL_WEIGHT,
        mirrored: false,
    };

    /// Everything to the primary, a copy of it to the canary.
    pub const MIRRORED: Routes = Routes {
        primary: TOTAL_WEIGHT,
        canary: 0,
        mirrored: true,
    };
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

/// The routes after one step of the analysis; with mirroring the first step copies traffic and moves none.
pub(crate) fn advance(analysis: &Analysis, now: Routes) -> Routes {
    let step = next_step(analysis, now.canary);
    if analysis.mirror && now.canary == 0 {
        return if now.mirrored {
            Routes {
                primary: TOTAL_WEIGHT - step,
                canary: step,
                mirrored: false,
            }
        } else {
            Routes::MIRRORED
        };
    }
    Routes {
        primary: (now.primary - step).max(0),
        canary: (now.canary + step).min(TOTAL_WEIGHT),
        mirrored: now.mirrored,
    }
}

/// The routes after one step of moving traffic back to the primary.
pub(crate) fn shift_back(step_weight_promotion: i64, now: Routes) -> Routes {
    Routes {
        primary: (now.primary + step_weight_promotion).min(TOTAL_WEIGHT),
        canary: (now.canary - step_weight_promotion).max(0),
        mirrored: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_step_follows_stepweight_first_and_then_the_list() {
        for (step_weight, step_weights, canary, next) in [
            (10, vec![], 0, 10),
            (10, vec![], 95, 10),
            (0, vec![], 0, 0),
            // The schema forbids both; the code takes the step of the one and the maximum of the other.
            (10, vec![1, 80], 0, 10),
            (0, vec![1, 2, 10, 80], 0, 1),
            (0, vec![1, 2, 10, 80], 2, 8),
            (0, vec![1, 2, 10, 80], 80, 20),
            (0, vec![1, 2, 10, 80], 5, 95),
            (0, vec![1, 2, 10, 80], 100, 1),
            (0, vec![120], 0, 100),
        ] {
            let analysis = Analysis {
                step_weight,
                step_weights: step_weights.clone(),
                ..Analysis::default()
            };
            let found = next_step(&analysis, canary);
            assert_eq!(found, next, "{step_weight} {step_weights:?} at {canary}");
        }
    }
}
