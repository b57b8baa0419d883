//! A histogram of latencies, fine enough to read percentiles from.
//!
//! Buckets are 32 to every doubling, from a microsecond to two and a half hours, so a percentile, read from the middle of
//! its bucket, is at most 1.6 % off. Faster requests count as a microsecond, slower ones as the last bucket.

/// Binary digits of a latency that pick a bucket inside a doubling.
const BUCKET_BITS: u32 = 5;

/// Bits of a float that lie below those that name its bucket.
const SHIFT: u32 = f64::MANTISSA_DIGITS - 1 - BUCKET_BITS;

/// Doublings: from 2^10 ns to 2^43 ns.
const DOUBLINGS: u64 = 33;

/// Number, before subtraction, of the first bucket.
const FIRST: u64 = (1023 + 10) << BUCKET_BITS;

/// Number of buckets.
pub(super) const LATENCY_BUCKETS: usize = (DOUBLINGS as usize) << BUCKET_BITS;

/// The bucket that a latency falls into.
#[inline(always)]
pub(super) fn bucket(latency_ns: u64) -> usize {
    let number = (latency_ns as i64 as f64).to_bits() >> SHIFT;
    number.saturating_sub(FIRST).min(LATENCY_BUCKETS as u64 - 1) as usize
}

/// The middle of a bucket, in milliseconds.
fn middle_ms(bucket: usize) -> f64 {
    let edge = |number: u64| f64::from_bits(number << SHIFT);
    let number = FIRST + bucket as u64;
    (edge(number) + edge(number + 1)) / 2.0 / 1e6
}

/// The latency in milliseconds that a share `q` of the requests does not exceed; 0 without requests.
///
/// `counts` are buckets and how many requests are in them, in order of the buckets; `total` is the sum of all.
pub(super) fn quantile_ms(
    counts: impl IntoIterator<Item = (usize, u64)>,
    total: u64,
    q: f64,
) -> f64 {
    let rank = ((q * total as f64).ceil() as u64).max(1);
    let mut seen = 0;
    for (bucket, count) in counts {
        seen += count;
        if seen >= rank {
            return middle_ms(bucket);
        }
    }
    0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_at_most_two_percent_off() {
        let mut latency_ns = 1_500u64;
        while latency_ns < 8_000_000_000_000 {
            let read = quantile_ms([(bucket(latency_ns), 1)], 1, 0.99);
            let error = read / (latency_ns as f64 / 1e6) - 1.0;
            assert!(error.abs() < 0.02, "{latency_ns} ns read as {read} ms");
            latency_ns += latency_ns / 7;
        }
    }

    #[test]
    fn the_rank_of_a_percentile_is_the_smallest_that_covers_it() {
        let counts = [(100, 98), (200, 1), (300, 1)];
        let at = |q| quantile_ms(counts, 100, q);
        assert_eq!(at(0.5), middle_ms(100));
        assert_eq!(at(0.98), middle_ms(100));
        assert_eq!(at(0.99), middle_ms(200));
        assert_eq!(at(1.0), middle_ms(300));
        assert_eq!(quantile_ms([], 0, 0.99), 0.0);
    }

    #[test]
    fn latencies_beyond_the_scale_fall_into_its_ends() {
        assert_eq!(bucket(0), 0);
        assert_eq!(bucket(1_000), 0);
        assert_eq!(bucket(u64::MAX >> 1), LATENCY_BUCKETS - 1);
    }
}
