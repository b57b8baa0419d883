//! Holm's correction (Holm 1979, "A simple sequentially rejective multiple test procedure"): of many comparisons, none of
//! which found a thing, the chance that any claims one stays below the level asked for, however they depend on each other.

/// Corrected probabilities in the order of the given ones: each may be held against the level as if it were alone.
pub fn corrected(probabilities: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..probabilities.len()).collect();
    order.sort_by(|a, b| probabilities[*a].total_cmp(&probabilities[*b]));
    let mut corrected = vec![1.0; probabilities.len()];
    let mut least: f64 = 0.0;
    for (rank, at) in order.into_iter().enumerate() {
        let left = (probabilities.len() - rank) as f64;
        least = least.max((left * probabilities[at]).min(1.0));
        corrected[at] = least;
    }
    corrected
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_is_held_to_the_strictest_level() {
        // R: p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm")
        let found = corrected(&[0.01, 0.04, 0.03, 0.005]);
        let expected = [0.03, 0.06, 0.06, 0.02];
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        }
        assert!(corrected(&[]).is_empty());
    }
}
