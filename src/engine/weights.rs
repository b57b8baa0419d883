//! How much traffic the canary gets next: plain arithmetic on whole percents.
//!
//! Follows `runCanary` and `runPromotionTrafficShift` in `pkg/controller/scheduler.go`; how far a step goes is
//! [`canary::course`](crate::canary::course)'s.

use serde::{Deserialize, Serialize};

use crate::canary::Analysis;
pub(crate) use crate::canary::course::{TOTAL_WEIGHT, max_weight, next_step};

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
