//! Wilson's score interval for a binomial share (Wilson 1927, "Probable inference, the law of succession, and statistical
//! inference"): close to its nominal coverage from a handful of trials on, and never outside 0..=1, even where every trial
//! came out the same. The Wald interval (p ± z sqrt(p(1-p)/n)) has neither virtue.

/// A share with an interval around it. All are fractions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share {
    /// Successes of trials; 0 without trials.
    pub p: f64,
    /// Lower end.
    pub lo: f64,
    /// Upper end.
    pub hi: f64,
}

impl Share {
    /// Distance of the ends.
    pub fn width(self) -> f64 {
        self.hi - self.lo
    }
}

/// The interval at `z` standard normal deviations for `successes` of `trials`; all of 0..=1 without trials.
pub fn interval(successes: u64, trials: u64, z: f64) -> Share {
    if trials == 0 {
        return Share {
            p: 0.0,
            lo: 0.0,
            hi: 1.0,
        };
    }
    let n = trials as f64;
    let p = successes as f64 / n;
    let zz = z * z;
    let centre = (p + zz / (2.0 * n)) / (1.0 + zz / n);
    let half = z * (p * (1.0 - p) / n + zz / (4.0 * n * n)).sqrt() / (1.0 + zz / n);
    Share {
        p,
        // Where nothing or everything succeeded that end is exact, whatever rounding makes of it.
        lo: if successes == 0 {
            0.0
        } else {
            (centre - half).max(0.0)
        },
        hi: if successes == trials {
            1.0
        } else {
            (centre + half).min(1.0)
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::study::stats::Z95;
    use crate::study::stats::binomial::cdf;

    #[test]
    fn known_intervals() {
        // Agresti and Coull 1998, Brown, Cai and DasGupta 2001.
        for (k, n, lo, hi) in [
            (0, 10, 0.0, 0.2775),
            (5, 10, 0.2366, 0.7634),
            (10, 10, 0.7225, 1.0),
            (81, 263, 0.2553, 0.3662),
        ] {
            let share = interval(k, n, Z95);
            assert!((share.lo - lo).abs() < 1e-4, "{k} of {n}: {share:?}");
            assert!((share.hi - hi).abs() < 1e-4, "{k} of {n}: {share:?}");
        }
        assert_eq!(interval(0, 0, Z95).width(), 1.0);
    }

    /// The exact probability that the interval covers the true share, summed over all outcomes.
    #[test]
    fn coverage_is_near_its_nominal_value() {
        for (n, p) in [
            (20, 0.3),
            (50, 0.1),
            (100, 0.02),
            (100, 0.5),
            (1000, 0.01),
            (1000, 0.7),
        ] {
            let point = |k: u64| cdf(k, n, p) - if k == 0 { 0.0 } else { cdf(k - 1, n, p) };
            let covered: f64 = (0..=n)
                .filter(|k| {
                    let share = interval(*k, n, Z95);
                    (share.lo..=share.hi).contains(&p)
                })
                .map(point)
                .sum();
            assert!((0.92..=0.985).contains(&covered), "n {n}, p {p}: {covered}");
        }
    }
}
