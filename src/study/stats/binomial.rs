//! The binomial distribution, from `libm`'s logarithm of the gamma function: the same digits on every machine.

/// Probability of at most `k` successes in `n` trials that each succeed with probability `p`.
pub fn cdf(k: u64, n: u64, p: f64) -> f64 {
    if k >= n || p <= 0.0 {
        return 1.0;
    }
    if p >= 1.0 {
        return 0.0;
    }
    // The shorter tail is summed, so that neither is the difference of two numbers near 1.
    let mean = n as f64 * p;
    if (k as f64) < mean {
        (0..=k).map(|i| point(i, n, p)).sum::<f64>().min(1.0)
    } else {
        1.0 - (k + 1..=n).map(|i| point(i, n, p)).sum::<f64>().min(1.0)
    }
}

/// Probability of exactly `k` successes.
pub fn point(k: u64, n: u64, p: f64) -> f64 {
    if k > n {
        return 0.0;
    }
    if p <= 0.0 || p >= 1.0 {
        let certain = if p <= 0.0 { 0 } else { n };
        return f64::from(u8::from(k == certain));
    }
    let (n, k) = (n as f64, k as f64);
    let choices = libm::lgamma(n + 1.0) - libm::lgamma(k + 1.0) - libm::lgamma(n - k + 1.0);
    libm::exp(choices + k * libm::log(p) + (n - k) * libm::log1p(-p))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_sum_to_one_and_match_small_cases() {
        for (n, p) in [(1, 0.5), (10, 0.3), (1000, 0.01), (1000, 0.5)] {
            let sum: f64 = (0..=n).map(|k| point(k, n, p)).sum();
            assert!((sum - 1.0).abs() < 1e-9, "{n} {p}: {sum}");
        }
        assert!((point(2, 4, 0.5) - 0.375).abs() < 1e-12);
        assert!((cdf(1, 4, 0.5) - 0.3125).abs() < 1e-12);
        assert!((cdf(3, 4, 0.5) - 0.9375).abs() < 1e-12);
        for (p, at_zero) in [(0.0, 1.0), (1.0, 0.0)] {
            assert_eq!(cdf(0, 5, p), at_zero);
        }
    }
}
