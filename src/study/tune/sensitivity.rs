//! How much of the difference between candidates a knob makes: the correlation ratio (Pearson's η²), the variance of the
//! means by the knob's value as a share of all variance. 1: the knob alone decides; 0: it makes no difference alone, though
//! it may together with others.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Merits;

/// A knob's share in the variance of each merit, over all candidates of the first round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Sensitivity {
    /// The knob.
    pub knob: String,
    /// Of the false rollbacks.
    pub false_rollback: f64,
    /// Of the missed regressions.
    pub missed_regression: f64,
    /// Of the failed requests.
    pub failed_requests: f64,
    /// Of the rollout time.
    pub rollout: f64,
}

/// A knob's sensitivity: `points` are the candidates' levels of it with what they came to.
pub(super) fn sensitivity(knob: &str, points: &[(usize, Merits)]) -> Sensitivity {
    let ratio = |merit: fn(&Merits) -> Option<f64>| {
        let values = points.iter();
        let values = values.filter_map(|(level, merits)| Some((*level, merit(merits)?)));
        correlation_ratio(&values.collect::<Vec<_>>())
    };
    Sensitivity {
        knob: knob.to_owned(),
        false_rollback: ratio(|merits| Some(merits.false_rollback)),
        missed_regression: ratio(|merits| Some(merits.missed_regression)),
        failed_requests: ratio(|merits| Some(merits.failed_requests)),
        rollout: ratio(|merits| merits.rollout_s),
    }
}

fn correlation_ratio(values: &[(usize, f64)]) -> f64 {
    let all = values.len() as f64;
    let mean = values.iter().map(|(_, value)| value).sum::<f64>() / all;
    let square = |x: f64| x * x;
    let total: f64 = values.iter().map(|(_, value)| square(value - mean)).sum();
    let levels = values.iter().map(|(level, _)| level + 1).max().unwrap_or(0);
    let between: f64 = (0..levels)
        .map(|level| {
            let of: Vec<f64> = values
                .iter()
                .filter(|(other, _)| *other == level)
                .map(|(_, value)| *value)
                .collect();
            let count = of.len() as f64;
            if of.is_empty() {
                return 0.0;
            }
            count * square(of.iter().sum::<f64>() / count - mean)
        })
        .sum();
    if total > 0.0 {
        (between / total).min(1.0)
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_knob_that_decides_alone_has_one_and_one_without_effect_none() {
        let decides = [(0, 1.0), (0, 1.0), (1, 3.0), (1, 3.0)];
        let idle = [(0, 1.0), (1, 1.0), (0, 3.0), (1, 3.0)];
        // Means 1.5 and 2.5 around 2: 4 times a quarter, of 1 + 0 + 0 + 1.
        let half = [(0, 1.0), (0, 2.0), (1, 2.0), (1, 3.0)];
        assert_eq!(correlation_ratio(&decides), 1.0);
        assert_eq!(correlation_ratio(&idle), 0.0);
        assert_eq!(correlation_ratio(&half), 0.5);
        assert_eq!(correlation_ratio(&[(0, 2.0), (1, 2.0)]), 0.0);
    }
}
