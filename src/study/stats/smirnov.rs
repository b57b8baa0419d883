//! Smirnov's two-sample test: whether two samples are of one distribution, whatever that is and in whatever it may differ.
//!
//! Exact and conditional on ties (Schröer and Trenkler 1995, "Exact and randomization distributions of Kolmogorov-Smirnov
//! tests two or three samples"): decisions fall on the ticks of an analysis, so ties are the rule, and the usual limit
//! distribution would be far off.

/// Probability, were both samples of one distribution, that their distribution functions are apart at least as far as they
/// are. Values in ascending order; 1 where a sample is empty.
pub fn two_sided(first: &[u64], second: &[u64]) -> f64 {
    let (m, n) = (first.len(), second.len());
    if m == 0 || n == 0 {
        return 1.0;
    }
    let mut pooled = [first, second].concat();
    pooled.sort_unstable();
    // A distribution function has no value half-way through a run of equal values.
    let settled =
        |taken: usize| taken == pooled.len() || taken == 0 || pooled[taken] != pooled[taken - 1];
    let apart = distance(first, second);
    if apart == 0 {
        return 1.0;
    }
    let reaches = |i: usize, j: usize| settled(i + j) && (i * n).abs_diff(j * m) >= apart;
    // Every order in which the samples can be mixed is a path from (0, 0) to (m, n), all equally likely. Counted are those
    // that stay below the distance found; each row is scaled so that its numbers are probabilities at the end.
    let mut below = vec![0.0; n + 1];
    for j in 0..=n {
        below[j] = if reaches(0, j) || (j > 0 && below[j - 1] == 0.0) {
            0.0
        } else {
            1.0
        };
    }
    for i in 1..=m {
        let scale = i as f64 / (i + n) as f64;
        below[0] = if reaches(i, 0) { 0.0 } else { scale * below[0] };
        for j in 1..=n {
            below[j] = if reaches(i, j) {
                0.0
            } else {
                scale * below[j] + below[j - 1]
            };
        }
    }
    (1.0 - below[n]).clamp(0.0, 1.0)
}

/// Greatest distance of the two distribution functions, times the product of the sample sizes.
fn distance(first: &[u64], second: &[u64]) -> usize {
    let (m, n) = (first.len(), second.len());
    let (mut i, mut j, mut greatest) = (0, 0, 0);
    while i < m && j < n {
        let value = first[i].min(second[j]);
        i += first[i..].iter().take_while(|v| **v == value).count();
        j += second[j..].iter().take_while(|v| **v == value).count();
        greatest = greatest.max((i * n).abs_diff(j * m));
    }
    greatest
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every way to deal the pooled values out to two samples, and the share that is at least as far apart.
    fn by_enumeration(first: &[u64], second: &[u64]) -> f64 {
        let pooled = [first, second].concat();
        let found = distance(first, second);
        let (mut as_far, mut all) = (0u32, 0u32);
        for taken in 0u32..1 << pooled.len() {
            if taken.count_ones() as usize != first.len() {
                continue;
            }
            let side = |wanted: u32| {
                let dealt = pooled.iter().enumerate();
                let mut side: Vec<u64> = dealt
                    .filter(|(at, _)| taken >> at & 1 == wanted)
                    .map(|(_, value)| *value)
                    .collect();
                side.sort_unstable();
                side
            };
            all += 1;
            as_far += u32::from(distance(&side(1), &side(0)) >= found);
        }
        f64::from(as_far) / f64::from(all)
    }

    #[test]
    fn small_samples_are_as_by_enumeration_with_ties_and_without() {
        for (first, second) in [
            (&[1u64, 2, 3, 4][..], &[5u64, 6, 7, 8][..]),
            (&[1, 3, 5, 7], &[2, 4, 6, 8]),
            (&[60, 60, 60, 90], &[90, 90, 90, 120, 120]),
            (&[60, 60, 60], &[60, 60, 90]),
            (&[1, 1, 2, 2, 3], &[1, 2, 2, 3, 3, 3]),
            (&[5], &[5, 5, 5, 6]),
        ] {
            let (found, counted) = (two_sided(first, second), by_enumeration(first, second));
            assert!(
                (found - counted).abs() < 1e-12,
                "{first:?} {second:?}: {found} {counted}"
            );
        }
    }

    #[test]
    fn samples_that_are_wholly_apart_are_as_unlikely_as_they_can_be() {
        let (first, second) = ([1u64; 100], [2u64; 100]);
        assert!(two_sided(&first, &second) < 1e-12);
        assert_eq!(two_sided(&first, &first), 1.0);
        assert_eq!(two_sided(&[], &first), 1.0);
    }
}
