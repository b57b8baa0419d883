//! Poisson counts, the same on every machine: only `libm` and IEEE arithmetic.

use rand_xoshiro::rand_core::Rng;

use crate::seed::Stream;

/// Up to this mean by inversion, above it by rejection.
const INVERTED: f64 = 10.0;

/// A count of this mean.
pub(super) fn poisson(mean: f64, draws: &mut Stream) -> u64 {
    if mean <= 0.0 {
        0
    } else if mean < INVERTED {
        invert(mean, draws)
    } else {
        reject(mean, draws)
    }
}

/// A number in (0, 1).
pub(super) fn unit(draws: &mut Stream) -> f64 {
    ((draws.next_u64() >> 12) as f64 + 0.5) / (1u64 << 52) as f64
}

/// Goes up the distribution function until it passes a uniform number.
fn invert(mean: f64, draws: &mut Stream) -> u64 {
    let mut left = unit(draws);
    // Most cells are all but empty: no exponential is needed to see that.
    if left < 1.0 - mean {
        return 0;
    }
    let mut probability = libm::exp(-mean);
    let mut count = 0;
    while left > probability && count < 200 {
        left -= probability;
        count += 1;
        probability *= mean / count as f64;
    }
    count
}

/// Transformed rejection with squeeze (PTRS; W. Hörmann 1993, "The transformed rejection method for generating Poisson random
/// variables").
fn reject(mean: f64, draws: &mut Stream) -> u64 {
    let b = 0.931 + 2.53 * mean.sqrt();
    let a = -0.059 + 0.02483 * b;
    let inverse_alpha = 1.1239 + 1.1328 / (b - 3.4);
    let v_r = 0.9277 - 3.6224 / (b - 2.0);
    loop {
        let u = unit(draws) - 0.5;
        let v = unit(draws);
        let us = 0.5 - u.abs();
        let k = ((2.0 * a / us + b) * u + mean + 0.43).floor();
        if us >= 0.07 && v <= v_r {
            return k as u64;
        }
        if k < 0.0 || us < 0.013 && v > us {
            continue;
        }
        let accepted = libm::log(v * inverse_alpha / (a / (us * us) + b));
        if accepted <= k * libm::log(mean) - mean - libm::lgamma(k + 1.0) {
            return k as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::{Purpose, RunSeed};

    #[test]
    fn means_and_variances_are_the_mean() {
        let seed = 5;
        let n = 40_000;
        for (entity, mean) in [0.003, 0.4, 3.0, 9.9, 10.1, 40.0, 2_000.0]
            .into_iter()
            .enumerate()
        {
            let mut draws = RunSeed(seed).stream(Purpose::Arrivals, entity as u64);
            let (mut sum, mut squares) = (0.0, 0.0);
            for _ in 0..n {
                let count = poisson(mean, &mut draws) as f64;
                sum += count;
                squares += (count - mean) * (count - mean);
            }
            let (found, variance) = (sum / f64::from(n), squares / f64::from(n));
            // Five standard errors of each: the fourth moment is mean (1 + 3 mean).
            let error = 5.0 * (mean / f64::from(n)).sqrt();
            assert!(
                (found - mean).abs() < error,
                "seed {seed}: {found} for {mean}"
            );
            let error = 5.0 * (mean * (1.0 + 2.0 * mean) / f64::from(n)).sqrt();
            assert!(
                (variance - mean).abs() < error,
                "seed {seed}: {variance} for {mean}"
            );
        }
    }
}
