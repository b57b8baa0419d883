//! Summation that keeps track of what rounding lost (`util/kahansum`: Kahan's algorithm with Neumaier's improvement).

/// A running sum and the compensation to add to it at the end.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Kahan {
    pub(super) sum: f64,
    pub(super) compensation: f64,
}

impl Kahan {
    pub(super) fn of(sum: f64) -> Self {
        Kahan {
            sum,
            compensation: 0.0,
        }
    }

    /// The sum with one more term. Infinite sums carry no compensation, so that they stay infinite.
    #[inline]
    pub(super) fn plus(self, term: f64) -> Self {
        let total = self.sum + term;
        let compensation = if total.is_infinite() {
            0.0
        } else if self.sum.abs() >= term.abs() {
            self.compensation + ((self.sum - total) + term)
        } else {
            self.compensation + ((term - total) + self.sum)
        };
        Kahan {
            sum: total,
            compensation,
        }
    }

    /// The same until 2.53, when what an infinite sum left as compensation was NaN.
    pub(super) fn plus_before_v3(self, term: f64) -> Self {
        let total = self.sum + term;
        let lost = if self.sum.abs() >= term.abs() {
            (self.sum - total) + term
        } else {
            (term - total) + self.sum
        };
        Kahan {
            sum: total,
            compensation: self.compensation + lost,
        }
    }

    pub(super) fn total(self) -> f64 {
        self.sum + self.compensation
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_terms_survive_large_ones() {
        let sum = [1.0, 1e100, 1.0, -1e100]
            .into_iter()
            .fold(Kahan::default(), Kahan::plus);
        assert_eq!(sum.total(), 2.0);
    }
}
