//! The probabilities behind distributions that have no quantile function in closed form: found by inverting them.
//!
//! Tails are told apart throughout, so that a value rarer than 1 in 10^9 is as exact as the median.

use super::{Tail, quantile};
use crate::scenario::{Distribution, Part};

/// Steps of a bisection: the 52 digits of a float, and some for where it starts.
const STEPS: usize = 64;

/// The value that a share of a mixture's times is below, or above.
///
/// A part's quantile at the same share bounds the mixture's: some part has less below, some more.
pub(super) fn mixture_quantile(parts: &[Part], tail: Tail) -> f64 {
    let ends = || {
        let heard = parts.iter().filter(|part| part.weight > 0.0);
        heard.map(|part| quantile(&part.of, tail))
    };
    let (low, high) = ends().fold((f64::MAX, 0.0f64), |(low, high), x| {
        (low.min(x), high.max(x))
    });
    bisect(
        low,
        high,
        |x| {
            let share = |part: &Part| part.weight * probability(&part.of, x, tail);
            parts.iter().map(share).sum()
        },
        tail,
    )
}

/// The value that a share of gamma times with mean 1 is below, or above.
pub(super) fn gamma_quantile(shape: f64, tail: Tail) -> f64 {
    let probability = |x: f64| {
        let (below, above) = gamma(shape, x * shape);
        match tail {
            Tail::Lower(_) => below,
            Tail::Upper(_) => above,
        }
    };
    let mut high = 1.0;
    while below_enough(probability(high), tail) {
        high *= 2.0;
    }
    let mut low = high / 2.0;
    while low > 1e-300 && !below_enough(probability(low), tail) {
        low /= 2.0;
    }
    bisect(low, high, probability, tail)
}

/// Whether a value with this probability in the tail is below the quantile.
fn below_enough(probability: f64, tail: Tail) -> bool {
    match tail {
        Tail::Lower(p) => probability < p,
        Tail::Upper(p) => probability > p,
    }
}

fn bisect(low: f64, high: f64, probability: impl Fn(f64) -> f64, tail: Tail) -> f64 {
    let (mut low, mut high) = (low, high);
    for _ in 0..STEPS {
        let middle = (low + high) / 2.0;
        if below_enough(probability(middle), tail) {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

/// The share of times up to `x`, or of those beyond it.
fn probability(distribution: &Distribution, x: f64, tail: Tail) -> f64 {
    let (below, above) = match distribution {
        Distribution::Constant { ns } => {
            let below = if x >= *ns as f64 { 1.0 } else { 0.0 };
            (below, 1.0 - below)
        }
        Distribution::Uniform { min_ns, max_ns } => {
            let (min, max) = (*min_ns as f64, *max_ns as f64);
            let below = ((x - min) / (max - min).max(1e-9)).clamp(0.0, 1.0);
            (below, 1.0 - below)
        }
        Distribution::Exponential { mean_ns } => {
            let load = x / (*mean_ns as f64).max(1e-9);
            (-libm::expm1(-load), libm::exp(-load))
        }
        Distribution::Lognormal { median_ns, sigma } => {
            let log = libm::log((x / (*median_ns as f64).max(1e-9)).max(1e-300));
            let z = if *sigma > 0.0 {
                log / sigma
            } else {
                log * f64::MAX
            };
            let half = |z: f64| libm::erfc(z / std::f64::consts::SQRT_2) / 2.0;
            (half(-z), half(z))
        }
        Distribution::Gamma { mean_ns, shape } => {
            gamma(*shape, x / (*mean_ns as f64).max(1e-9) * shape)
        }
        Distribution::Empirical { values_ns } => {
            let below = empirical_below(values_ns, x);
            (below, 1.0 - below)
        }
        // Scenarios do not nest them.
        Distribution::Mixture { parts } => parts.iter().fold((0.0, 0.0), |(below, above), part| {
            let share = |tail| part.weight * probability(&part.of, x, tail);
            (
                below + share(Tail::Lower(0.5)),
                above + share(Tail::Upper(0.5)),
            )
        }),
    };
    match tail {
        Tail::Lower(_) => below,
        Tail::Upper(_) => above,
    }
}

/// The share of recorded times up to `x`, straight lines between them.
fn empirical_below(values: &[u64], x: f64) -> f64 {
    let after = values.partition_point(|&value| value as f64 <= x);
    let [first, .., last] = values else {
        return if after > 0 { 1.0 } else { 0.0 };
    };
    if x < *first as f64 {
        return 0.0;
    }
    if x >= *last as f64 {
        return 1.0;
    }
    let (left, right) = (values[after - 1] as f64, values[after] as f64);
    ((after - 1) as f64 + (x - left) / (right - left)) / (values.len() - 1) as f64
}

/// The recorded time at a share of the way through the ascending list.
pub(super) fn empirical_quantile(values: &[u64], tail: Tail) -> f64 {
    let last = values.len() - 1;
    let place = match tail {
        Tail::Lower(p) => p * last as f64,
        Tail::Upper(p) => (1.0 - p) * last as f64,
    };
    let left = (place.floor() as usize).min(last);
    let right = (left + 1).min(last);
    let (a, b) = (values[left] as f64, values[right] as f64);
    a + (b - a) * (place - left as f64)
}

/// The regularised incomplete gamma functions P and Q (Abramowitz and Stegun 6.5.29; a continued fraction, 6.5.31, where
/// the series would be long).
fn gamma(shape: f64, x: f64) -> (f64, f64) {
    if x <= 0.0 {
        return (0.0, 1.0);
    }
    let front = libm::exp(shape * libm::log(x) - x - libm::lgamma(shape));
    if x < shape + 1.0 {
        let (mut term, mut sum, mut n) = (1.0 / shape, 1.0 / shape, shape);
        while term > sum * 1e-17 {
            n += 1.0;
            term *= x / n;
            sum += term;
        }
        let below = (front * sum).min(1.0);
        (below, 1.0 - below)
    } else {
        // Lentz' method.
        let mut b = x + 1.0 - shape;
        let mut c = 1e300;
        let mut d = 1.0 / b;
        let mut fraction = d;
        for n in 1..1000 {
            let a = -f64::from(n) * (f64::from(n) - shape);
            b += 2.0;
            d = 1.0 / nonzero(a * d + b);
            c = nonzero(b + a / c);
            fraction *= c * d;
            if (c * d - 1.0).abs() < 1e-16 {
                break;
            }
        }
        let above = (front * fraction).clamp(0.0, 1.0);
        (1.0 - above, above)
    }
}

fn nonzero(x: f64) -> f64 {
    if x.abs() < 1e-300 { 1e-300 } else { x }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gamma_times_of_whole_shapes_are_sums_of_exponential_ones() {
        // Erlang: the share above x is the chance that a Poisson process of rate 1 has fewer than k arrivals in x.
        for (shape, x) in [
            (1u32, 0.3),
            (1, 20.0),
            (3, 2.0),
            (3, 9.0),
            (10, 4.0),
            (10, 30.0),
        ] {
            let mut term = libm::exp(-x);
            let mut fewer = 0.0;
            for k in 0..shape {
                fewer += term;
                term *= x / f64::from(k + 1);
            }
            let (below, above) = gamma(f64::from(shape), x);
            assert!(
                (above / fewer - 1.0).abs() < 1e-12,
                "{shape} {x}: {above} for {fewer}"
            );
            assert!((below + above - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn quantiles_invert_probabilities_in_both_tails() {
        let mixture = Distribution::Mixture {
            parts: vec![
                Part {
                    weight: 0.9,
                    of: Distribution::Lognormal {
                        median_ns: 20_000_000,
                        sigma: 0.5,
                    },
                },
                Part {
                    weight: 0.08,
                    of: Distribution::Exponential {
                        mean_ns: 200_000_000,
                    },
                },
                Part {
                    weight: 0.02,
                    of: Distribution::Gamma {
                        mean_ns: 1_000_000_000,
                        shape: 4.0,
                    },
                },
            ],
        };
        let gamma = Distribution::Gamma {
            mean_ns: 30_000_000,
            shape: 0.7,
        };
        for distribution in [mixture, gamma] {
            for p in [0.5, 0.1, 1e-3, 1e-6, 1e-9] {
                for tail in [Tail::Lower(p), Tail::Upper(p)] {
                    let x = quantile(&distribution, tail);
                    let back = probability(&distribution, x, tail);
                    assert!(
                        (back / p - 1.0).abs() < 1e-6,
                        "{distribution:?} {tail:?}: {back}"
                    );
                }
            }
        }
    }

    #[test]
    fn recorded_times_come_back_as_they_were() {
        let values = [10, 20, 20, 40, 100];
        assert_eq!(empirical_quantile(&values, Tail::Lower(0.5)), 20.0);
        assert_eq!(empirical_quantile(&values, Tail::Upper(0.0)), 100.0);
        assert_eq!(empirical_quantile(&values, Tail::Upper(0.25)), 40.0);
        assert_eq!(empirical_below(&values, 70.0), 0.875);
        assert_eq!(empirical_below(&values, 5.0), 0.0);
        assert_eq!(empirical_quantile(&[7], Tail::Upper(0.1)), 7.0);
    }
}
