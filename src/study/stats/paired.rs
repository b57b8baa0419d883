//! Differences of pairs: what two configurations make of the same traffic.

use super::Z95;

/// Mean of the differences with a 95 % interval around it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// Mean.
    pub mean: f64,
    /// Lower end.
    pub lo: f64,
    /// Upper end.
    pub hi: f64,
}

impl Difference {
    /// Whether the interval leaves no room for no difference.
    pub fn is_clear(self) -> bool {
        self.lo > 0.0 || self.hi < 0.0
    }
}

/// Of differences of independent pairs, by the normal limit; `None` of fewer than two. Where all differ by the same the
/// interval is that difference alone.
pub fn difference(differences: &[f64]) -> Option<Difference> {
    let n = differences.len() as f64;
    if differences.len() < 2 {
        return None;
    }
    let mean = differences.iter().sum::<f64>() / n;
    let squares: f64 = differences.iter().map(|d| (d - mean) * (d - mean)).sum();
    let half = Z95 * (squares / (n - 1.0) / n).sqrt();
    Some(Difference {
        mean,
        lo: mean - half,
        hi: mean + half,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_that_of_the_mean() {
        let found = difference(&[1.0, 2.0, 3.0, 4.0]).unwrap();
        // Standard error sqrt(5 / 3 / 4).
        assert!((found.mean - 2.5).abs() < 1e-12);
        assert!((found.hi - 2.5 - 1.959_964 * 0.645_497).abs() < 1e-5);
        assert!(found.is_clear());
        assert!(!difference(&[-1.0, 1.0]).unwrap().is_clear());
        assert!(difference(&[30.0, 30.0]).unwrap().is_clear());
        assert_eq!(difference(&[1.0]), None);
    }
}
