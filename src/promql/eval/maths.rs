//! Functions from float to float, and a few more that need no series: all from `libm`, so that a result has the same bits on
//! every machine.

use super::time_functions::part_of;
use super::{Evaluated, Run, Sample};
use crate::promql::Options;
use crate::promql::ast::Expr;
use crate::promql::function::{Function, MathFunction};
use crate::tsdb::Queryable;

impl<Q: Queryable> Run<'_, Q> {
    /// A function that makes of each element another, without its name.
    pub(super) fn map_call(
        &mut self,
        expr: &Expr,
        function: Function,
        args: &[Expr],
        t: i64,
    ) -> Evaluated<Vec<Sample>> {
        let [first, rest @ ..] = args else {
            // The date functions speak of now where they have no argument.
            let value = part_of(function, t.div_euclid(1000));
            let mut samples = self.buffer();
            samples.push(Sample::plain(value));
            return Ok(samples);
        };
        let mut samples = self.vector(first, t)?;
        let mut scalars = [0.0; 2];
        for (slot, arg) in scalars.iter_mut().zip(rest) {
            *slot = self.scalar(arg, t)?;
        }
        let (low, high) = match function {
            Function::Clamp => (scalars[0], scalars[1]),
            Function::ClampMin => (scalars[0], f64::INFINITY),
            Function::ClampMax => (f64::NEG_INFINITY, scalars[0]),
            _ => (0.0, 0.0),
        };
        if high < low {
            samples.clear();
        }
        let nearest = if rest.is_empty() { 1.0 } else { scalars[0] };
        for sample in &mut samples {
            sample.value = match function {
                Function::Math(function) => function.of(sample.value),
                Function::Clamp | Function::ClampMin | Function::ClampMax => {
                    go_max(low, go_min(high, sample.value))
                }
                Function::Round => {
                    // Multiplying with the inverse loses less than dividing does.
                    let inverse = 1.0 / nearest;
                    (sample.value * inverse + 0.5).floor() / inverse
                }
                _ => part_of(function, go_int64(sample.value)),
            };
            self.drop_name(sample);
        }
        self.refuse_duplicates(&samples, expr)?;
        Ok(samples)
    }

    /// `sort` and `sort_desc`; NaN comes last in both.
    pub(super) fn sort(
        &mut self,
        expr: &Expr,
        function: Function,
        arg: &Expr,
        t: i64,
    ) -> Evaluated<Vec<Sample>> {
        let mut samples = self.vector(arg, t)?;
        if self.many_steps {
            self.warn(
                "sort is ineffective for range queries since results are always ordered by labels",
                &expr.span,
            );
        }
        // Upstream sorts with the arguments swapped, which puts NaN last.
        if function == Function::Sort {
            sort_as_go(&mut samples, |a, b| b.value.is_nan() || b.value > a.value);
        } else {
            sort_as_go(&mut samples, |a, b| b.value.is_nan() || b.value < a.value);
        }
        Ok(samples)
    }
}

impl MathFunction {
    fn of(self, x: f64) -> f64 {
        match self {
            MathFunction::Abs => x.abs(),
            MathFunction::Acos => libm::acos(x),
            // `libm::acosh` answers some of these with an infinity.
            MathFunction::Acosh if x < 1.0 => f64::NAN,
            MathFunction::Acosh => libm::acosh(x),
            MathFunction::Asin => libm::asin(x),
            MathFunction::Asinh => libm::asinh(x),
            MathFunction::Atan => libm::atan(x),
            MathFunction::Atanh => libm::atanh(x),
            MathFunction::Ceil => x.ceil(),
            MathFunction::Cos => libm::cos(x),
            MathFunction::Cosh => libm::cosh(x),
            MathFunction::Deg => x * 180.0 / std::f64::consts::PI,
            MathFunction::Exp => libm::exp(x),
            MathFunction::Floor => x.floor(),
            MathFunction::Ln => libm::log(x),
            MathFunction::Log10 => libm::log10(x),
            MathFunction::Log2 => libm::log2(x),
            MathFunction::Rad => x * std::f64::consts::PI / 180.0,
            MathFunction::Sgn if x < 0.0 => -1.0,
            MathFunction::Sgn if x > 0.0 => 1.0,
            MathFunction::Sgn => x,
            MathFunction::Sin => libm::sin(x),
            MathFunction::Sinh => libm::sinh(x),
            MathFunction::Sqrt => x.sqrt(),
            MathFunction::Tan => libm::tan(x),
            MathFunction::Tanh => libm::tanh(x),
        }
    }
}

/// Go's `math.Max`: infinity where either is, else NaN where either is (Rust's answers the other), and 0 above -0.
fn go_max(a: f64, b: f64) -> f64 {
    if a == f64::INFINITY || b == f64::INFINITY {
        f64::INFINITY
    } else if a.is_nan() || b.is_nan() {
        f64::NAN
    } else if a > b || a == b && !a.is_sign_negative() {
        a
    } else {
        b
    }
}

/// Go's `math.Min`.
fn go_min(a: f64, b: f64) -> f64 {
    -go_max(-a, -b)
}

/// A float cut to an integer as Go does on amd64, where all that no i64 holds becomes the least.
fn go_int64(value: f64) -> i64 {
    let fits = value >= i64::MIN as f64 && value < i64::MAX as f64;
    if fits { value as i64 } else { i64::MIN }
}

/// The value below which the share `q` of the values lies, linear between ranks (`quantile` in `promql/quantile.go`). Sorts
/// them, NaN first.
pub(super) fn quantile(q: f64, values: &mut [f64], options: &Options) -> f64 {
    if values.is_empty() || q.is_nan() {
        return f64::NAN;
    }
    if q < 0.0 {
        return f64::NEG_INFINITY;
    }
    if q > 1.0 {
        return f64::INFINITY;
    }
    values.sort_by(|a, b| {
        b.is_nan()
            .cmp(&a.is_nan())
            .then(a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal))
    });
    let last = values.len() - 1;
    let rank = q * last as f64;
    let lower = rank.floor();
    let upper = (lower as usize + 1).min(last);
    let weight = rank - lower;
    if weight == 0.0 && options.ranks_exactly() {
        return values[lower as usize];
    }
    values[lower as usize] * (1.0 - weight) + values[upper] * weight
}

/// A float as Go's `%g` prints it.
pub(super) fn shortest(value: f64) -> String {
    crate::tsdb::format_general(value)
}

/// Sorts as Go's `sort.Sort` does: by insertion up to twelve elements, whatever `less` is; beyond that upstream's order of
/// equal elements is its sort's own affair, and here it is that of the input.
pub(super) fn sort_as_go<T>(items: &mut [T], less: impl Fn(&T, &T) -> bool) {
    if items.len() <= 12 {
        for i in 1..items.len() {
            let mut j = i;
            while j > 0 && less(&items[j], &items[j - 1]) {
                items.swap(j, j - 1);
                j -= 1;
            }
        }
        return;
    }
    items.sort_by(|a, b| match (less(a, b), less(b, a)) {
        (true, false) => std::cmp::Ordering::Less,
        (false, true) => std::cmp::Ordering::Greater,
        _ => std::cmp::Ordering::Equal,
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::promql::Version;

    #[test]
    fn acosh_has_no_value_below_1() {
        for x in [0.999, 0.0, -2.0, -1e5, -1e9, f64::NEG_INFINITY, f64::NAN] {
            assert!(MathFunction::Acosh.of(x).is_nan(), "acosh({x})");
        }
        assert_eq!(MathFunction::Acosh.of(1.0), 0.0);
    }

    #[test]
    fn a_quantile_that_is_a_sample_s_own_rank_is_that_sample_in_3_and_blended_in_2() {
        let median = |version, mut values: Vec<f64>| {
            let options = Options {
                version,
                ..Options::default()
            };
            quantile(0.5, &mut values, &options)
        };
        for values in [vec![f64::INFINITY], vec![1.0, 2.0, f64::INFINITY]] {
            let found = median(Version::V3, values.clone());
            assert_eq!(found, values[values.len() / 2], "{values:?}");
            assert!(median(Version::V2_42, values).is_nan());
        }
        assert_eq!(median(Version::V3, vec![4.0, 1.0]), 2.5);
    }
}
