//! Quantiles of a sample, with intervals that assume nothing of its distribution: the number of values below the true
//! quantile is binomial, so two order statistics bracket it (David and Nagaraja, "Order Statistics", 7.1).

use super::binomial::cdf;

/// A quantile of a sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantile<T> {
    /// The smallest value that at least this share of the sample does not exceed.
    pub value: T,
    /// Lower end of a 95 % interval; `None` where the sample is too small to have one.
    pub lo: Option<T>,
    /// Upper end.
    pub hi: Option<T>,
}

/// The `q`-quantile (0 < q < 1) of values in ascending order; `None` of no values.
pub fn quantile<T: Copy>(ascending: &[T], q: f64) -> Option<Quantile<T>> {
    let n = ascending.len() as u64;
    let at = |rank: u64| {
        ascending
            .get(usize::try_from(rank.checked_sub(1)?).ok()?)
            .copied()
    };
    let rank = libm::ceil(q * n as f64).max(1.0) as u64;
    Some(Quantile {
        value: at(rank)?,
        lo: at(first(n, |k| cdf(k, n, q) > 0.025)),
        hi: at(first(n, |k| cdf(k, n, q) >= 0.975) + 1),
    })
}

/// The first `k` in `0..=n` of which a property holds that, once it does, goes on to.
fn first(n: u64, holds: impl Fn(u64) -> bool) -> u64 {
    let (mut low, mut high) = (0, n);
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranks(n: u32, q: f64) -> Quantile<u32> {
        let values: Vec<u32> = (1..=n).collect();
        quantile(&values, q).unwrap()
    }

    #[test]
    fn order_statistics_bracket_the_quantile() {
        // Published tables of ranks for the median at 95 %: n 10: 2 and 9, n 20: 6 and 15, n 100: 40 and 61.
        for (n, q, value, lo, hi) in [
            (10, 0.5, 5, Some(2), Some(9)),
            (20, 0.5, 10, Some(6), Some(15)),
            (100, 0.5, 50, Some(40), Some(61)),
            (5, 0.5, 3, None, None),
            (100, 0.95, 95, Some(90), Some(100)),
            (10, 0.95, 10, Some(8), None),
        ] {
            let found = ranks(n, q);
            assert_eq!(
                (found.value, found.lo, found.hi),
                (value, lo, hi),
                "{n} {q}"
            );
        }
        assert_eq!(quantile::<u32>(&[], 0.5), None);
    }

    #[test]
    fn brackets_hold_the_true_quantile_often_enough() {
        for n in [10u64, 50, 200, 1000] {
            for q in [0.05, 0.25, 0.5, 0.95] {
                let found = ranks(n as u32, q);
                // P(at least `lo` values lie below the quantile) - P(at least `hi` do).
                let below = found.lo.map_or(0.0, |lo| cdf(u64::from(lo) - 1, n, q));
                let above = found
                    .hi
                    .map_or(0.0, |hi| 1.0 - cdf(u64::from(hi) - 1, n, q));
                assert!(below <= 0.025 + 1e-12 && above <= 0.025 + 1e-12, "{n} {q}");
            }
        }
    }
}
