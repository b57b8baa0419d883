//! Fisher's exact test of two shares (Fisher 1934, "Statistical Methods for Research Workers", 21.02): no assumption but that
//! trials are independent, and right for the smallest counts, zero included.

use libm::{exp, lgamma};

/// Two-sided: the probability, were both shares the same, of a table at most as likely as this one, of `first` of
/// `first_of` successes against `second` of `second_of`. 1 where a side has no trials.
pub fn two_sided(first: u64, first_of: u64, second: u64, second_of: u64) -> f64 {
    let all = first_of + second_of;
    let successes = first + second;
    if first_of == 0 || second_of == 0 || successes == 0 || successes == all {
        return 1.0;
    }
    let choices = ln_choose(all, first_of);
    let likely =
        |k: u64| exp(ln_choose(successes, k) + ln_choose(all - successes, first_of - k) - choices);
    // Tables that are as likely as the one found differ from it by rounding.
    const ROUNDING: f64 = 1.0 + 1e-7;
    let found = likely(first) * ROUNDING;
    let lowest = first_of.saturating_sub(all - successes);
    let highest = first_of.min(successes);
    let sum: f64 = (lowest..=highest).map(likely).filter(|p| *p <= found).sum();
    sum.min(1.0)
}

/// Logarithm of the number of ways to choose `k` of `n`.
fn ln_choose(n: u64, k: u64) -> f64 {
    let (n, k) = (n as f64, k as f64);
    lgamma(n + 1.0) - lgamma(k + 1.0) - lgamma(n - k + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_tables() {
        for (table, p) in [
            // Fisher's tea: 3 of 4 against 1 of 4.
            ((3, 4, 1, 4), 34.0 / 70.0),
            ((4, 4, 0, 4), 2.0 / 70.0),
            // R: fisher.test(matrix(c(1, 9, 11, 3), 2))
            ((1, 10, 11, 14), 0.002_759),
            ((50, 100, 50, 100), 1.0),
            ((0, 100, 0, 100), 1.0),
            ((7, 7, 0, 0), 1.0),
        ] {
            let (a, n, b, m) = table;
            let found = two_sided(a, n, b, m);
            assert!((found - p).abs() < 1e-6, "{table:?}: {found}");
            assert!((two_sided(b, m, a, n) - found).abs() < 1e-9, "{table:?}");
        }
    }
}
