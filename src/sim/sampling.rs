//! Times drawn from distributions: one random word, one table look-up, one multiplication and addition.
//!
//! A distribution is compiled into a table of its quantile function. The cells are geometric in both tails (32 to every
//! halving of the tail probability, 32 halvings deep), so that the far tail, which p99 and queueing hang on, is as
//! finely cut as the middle. Inside a cell the quantile function is a straight line, placed so that the cell's mean is
//! kept. For a lognormal with sigma 0.5 a value is at most 3e-5 off, the mean less than 1e-8.
//! What is left out: values rarer than 1 in 8 thousand million come out as the last cell's.
//!
//! Everything is built from `libm` and IEEE arithmetic, so that a table has the same bits on every machine.

mod probability;

use std::sync::Arc;

use probability::{empirical_quantile, gamma_quantile, mixture_quantile};

use crate::scenario::Distribution;

/// Binary digits of a position that pick a cell inside a halving.
const CELL_BITS: u32 = 5;

/// Halvings of the tail probability that are told apart.
const HALVINGS: u64 = 32;

/// Cells of one tail.
const TAIL: usize = (HALVINGS as usize) << CELL_BITS;

/// Cells of a table: the lower tail, then the upper one.
const CELLS: usize = 2 * TAIL;

/// Bits of a float that lie below those that name its cell.
const SHIFT: u32 = f64::MANTISSA_DIGITS - 1 - CELL_BITS;

/// Cell number, before subtraction, of the smallest position: two to the power of minus [`HALVINGS`].
const FIRST: u64 = (1023 - HALVINGS) << CELL_BITS;

/// No time is longer: 36 minutes. Keeps the rounding exact, also of a thousand times as much.
const LONGEST_NS: f64 = (1u64 << 41) as f64;

/// A straight piece of a quantile function, over the position in its tail.
#[derive(Clone, Copy, Debug)]
struct Chord {
    base: f64,
    slope: f64,
}

/// Compiled distributions, shared by all runs of a scenario.
#[derive(Clone, Debug)]
pub struct Tables {
    chords: Arc<[Chord]>,
}

/// One distribution among [`Tables`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableIx(u32);

impl Tables {
    /// Compiles distributions of times of at least a nanosecond; equal ones share a table. The answer names a table for each, in order.
    pub fn compile(distributions: &[Distribution]) -> (Tables, Vec<TableIx>) {
        let mut distinct: Vec<&Distribution> = Vec::new();
        let mut chords = Vec::new();
        let mut indices = Vec::with_capacity(distributions.len());
        for distribution in distributions {
            let known = distinct.iter().position(|known| *known == distribution);
            let index = known.unwrap_or_else(|| {
                distinct.push(distribution);
                append(&mut chords, |tail| quantile(distribution, tail).max(1.0));
                distinct.len() - 1
            });
            indices.push(TableIx((index * CELLS) as u32));
        }
        (
            Tables {
                chords: chords.into(),
            },
            indices,
        )
    }

    /// The exponential distribution of mean 1.
    pub fn unit_exponential() -> (Tables, TableIx) {
        let mut chords = Vec::new();
        append(&mut chords, exponential);
        (
            Tables {
                chords: chords.into(),
            },
            TableIx(0),
        )
    }

    /// The mean of a distribution.
    pub fn mean(&self, table: TableIx) -> f64 {
        let chords = &self.chords[table.0 as usize..][..CELLS];
        let means = chords.iter().enumerate().map(|(cell, chord)| {
            let number = (cell % TAIL) as u64 + FIRST;
            let left = f64::from_bits(number << SHIFT);
            let right = f64::from_bits((number + 1) << SHIFT);
            (right - left) / 2.0 * (chord.base + chord.slope * (left + right) / 2.0)
        });
        means.sum()
    }

    /// The pieces of a distribution: how likely each is, and the values it goes from and to.
    pub(crate) fn pieces(&self, table: TableIx) -> impl Iterator<Item = (f64, f64, f64)> {
        let chords = self.chords[table.0 as usize..][..CELLS].iter().enumerate();
        chords.map(|(cell, chord)| {
            let number = (cell % TAIL) as u64 + FIRST;
            let left = f64::from_bits(number << SHIFT);
            let right = f64::from_bits((number + 1) << SHIFT);
            // The first cell of a tail also stands for all that is rarer.
            let weight = if cell % TAIL == 0 {
                right
            } else {
                right - left
            } / 2.0;
            let at = |position: f64| chord.base + chord.slope * position;
            let (a, b) = (at(left), at(right));
            (weight, a.min(b), a.max(b))
        })
    }

    /// The value that a random word stands for.
    #[inline(always)]
    pub fn value(&self, table: TableIx, word: u64) -> f64 {
        let (cell, position) = locate(word);
        let chord = self.chords[table.0 as usize + cell];
        chord.base + chord.slope * position
    }
}

/// Rounds a non-negative number below 2^52 to the nearest whole one.
///
/// Adding 2^52 leaves no binary digit for a fraction, so the addition rounds and the low bits are the whole number.
/// A cast would check for values out of range, which costs more than the rest of a draw.
#[inline(always)]
pub(crate) fn round(value: f64) -> u64 {
    const TWO_TO_52: f64 = (1u64 << 52) as f64;
    (value + TWO_TO_52).to_bits() - TWO_TO_52.to_bits()
}

/// The cell a random word falls into and its position in the tail, in (0, 1]: twice the tail probability.
#[inline(always)]
fn locate(word: u64) -> (usize, f64) {
    const SMALLEST: f64 = f64::from_bits(FIRST << SHIFT);
    let upper = (word >> 11) & 1;
    // 52 random bits behind the exponent of 1.0 make a number in [1, 2).
    let position = f64::from_bits(1.0f64.to_bits() | (word >> 12)) - 1.0;
    let position = if position > SMALLEST {
        position
    } else {
        SMALLEST
    };
    let cell = (position.to_bits() >> SHIFT) - FIRST;
    ((cell + upper * TAIL as u64) as usize, position)
}

/// Which end of a distribution a probability counts from.
#[derive(Clone, Copy, Debug)]
enum Tail {
    /// A share of `.0` is below.
    Lower(f64),
    /// A share of `.0` is above.
    Upper(f64),
}

/// Appends the table of a quantile function.
fn append(chords: &mut Vec<Chord>, quantile: impl Fn(Tail) -> f64) {
    for side in [Tail::Lower, Tail::Upper] {
        let at = |position: f64| quantile(side(position / 2.0)).clamp(0.0, LONGEST_NS);
        let mut left = f64::from_bits(FIRST << SHIFT);
        let mut left_value = at(left);
        for cell in 1..=TAIL as u64 {
            let right = f64::from_bits((FIRST + cell) << SHIFT);
            let right_value = at(right);
            let middle = (left + right) / 2.0;
            // Simpson's rule; the error falls with the fourth power of the cell's width.
            let mean = (left_value + 4.0 * at(middle) + right_value) / 6.0;
            let slope = (right_value - left_value) / (right - left);
            chords.push(Chord {
                base: mean - slope * middle,
                slope,
            });
            (left, left_value) = (right, right_value);
        }
    }
}

/// The quantile function of a distribution, in nanoseconds.
fn quantile(distribution: &Distribution, tail: Tail) -> f64 {
    match *distribution {
        Distribution::Gamma { mean_ns, shape } => mean_ns as f64 * gamma_quantile(shape, tail),
        Distribution::Empirical { ref values_ns } => empirical_quantile(values_ns, tail),
        Distribution::Mixture { ref parts } => mixture_quantile(parts, tail),
        Distribution::Constant { ns } => ns as f64,
        Distribution::Uniform { min_ns, max_ns } => {
            let width = max_ns.saturating_sub(min_ns) as f64;
            match tail {
                Tail::Lower(p) => min_ns as f64 + width * p,
                Tail::Upper(p) => max_ns.max(min_ns) as f64 - width * p,
            }
        }
        Distribution::Exponential { mean_ns } => mean_ns as f64 * exponential(tail),
        Distribution::Lognormal { median_ns, sigma } => {
            let z = match tail {
                Tail::Lower(p) => -normal_upper(p),
                Tail::Upper(p) => normal_upper(p),
            };
            median_ns as f64 * libm::exp(sigma * z)
        }
    }
}

/// Quantiles of the exponential distribution of mean 1.
fn exponential(tail: Tail) -> f64 {
    match tail {
        Tail::Lower(p) => -libm::log1p(-p),
        Tail::Upper(p) => -libm::log(p),
    }
}

/// The value that a standard normal variable exceeds with probability `p`, for 0 < p <= 1/2.
///
/// Algorithm AS 241, PPND16 (Wichura 1988), good to about 1e-16.
fn normal_upper(p: f64) -> f64 {
    let q = 0.5 - p;
    if q <= 0.425 {
        let r = 0.180625 - q * q;
        return q * ratio(&MIDDLE, r);
    }
    let r = libm::sqrt(-libm::log(p));
    if r <= 5.0 {
        ratio(&NEAR, r - 1.6)
    } else {
        ratio(&FAR, r - 5.0)
    }
}

/// Numerator and denominator of a rational function, constant terms first.
type Ratio = ([f64; 8], [f64; 8]);

fn ratio((numerator, denominator): &Ratio, x: f64) -> f64 {
    let polynomial = |c: &[f64; 8]| c.iter().rev().fold(0.0, |sum, c| sum * x + c);
    polynomial(numerator) / polynomial(denominator)
}

const MIDDLE: Ratio = (
    [
        3.387_132_872_796_366_5,
        1.331_416_678_917_843_8e2,
        1.971_590_950_306_551_3e3,
        1.373_169_376_550_946e4,
        4.592_195_393_154_987e4,
        6.726_577_092_700_87e4,
        3.343_057_558_358_813e4,
        2.509_080_928_730_122_7e3,
    ],
    [
        1.0,
        4.231_333_070_160_091e1,
        6.871_870_074_920_579e2,
        5.394_196_021_424_751e3,
        2.121_379_430_158_659_7e4,
        3.930_789_580_009_271e4,
        2.872_908_573_572_194_3e4,
        5.226_495_278_852_854e3,
    ],
);

const NEAR: Ratio = (
    [
        1.423_437_110_749_683_5,
        4.630_337_846_156_546,
        5.769_497_221_460_691,
        3.647_848_324_763_204_5,
        1.270_458_252_452_368_4,
        2.417_807_251_774_506e-1,
        2.272_384_498_926_918_4e-2,
        7.745_450_142_783_414e-4,
    ],
    [
        1.0,
        2.053_191_626_637_759,
        1.676_384_830_183_803_8,
        6.897_673_349_851e-1,
        1.481_039_764_274_800_8e-1,
        1.519_866_656_361_645_7e-2,
        5.475_938_084_995_345e-4,
        1.050_750_071_644_416_9e-9,
    ],
);

const FAR: Ratio = (
    [
        6.657_904_643_501_103,
        5.463_784_911_164_114,
        1.784_826_539_917_291_3,
        2.965_605_718_285_048_7e-1,
        2.653_218_952_657_612_4e-2,
        1.242_660_947_388_078_4e-3,
        2.711_555_568_743_487_6e-5,
        2.010_334_399_292_288_1e-7,
    ],
    [
        1.0,
        5.998_322_065_558_88e-1,
        1.369_298_809_227_358e-1,
        1.487_536_129_085_061_5e-2,
        7.868_691_311_456_133e-4,
        1.846_318_317_510_054_8e-5,
        1.421_511_758_316_446e-7,
        2.044_263_103_389_939_8e-15,
    ],
);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::{Purpose, RunSeed};
    use rand_xoshiro::rand_core::Rng;

    #[test]
    fn normal_quantiles_invert_the_normal_distribution() {
        for p in [0.5, 0.3, 0.1, 0.075, 0.01, 1e-3, 1e-6, 1e-10, 1e-13] {
            let back = libm::erfc(normal_upper(p) / std::f64::consts::SQRT_2) / 2.0;
            assert!((back / p - 1.0).abs() < 1e-12, "{p}: {back}");
        }
    }

    #[test]
    fn tables_follow_the_quantile_function_far_into_both_tails() {
        let lognormal = Distribution::Lognormal {
            median_ns: 20_000_000,
            sigma: 0.5,
        };
        let exponential = Distribution::Exponential { mean_ns: 7_000_000 };
        for (distribution, tolerance) in [(lognormal, 4e-5), (exponential, 3e-4)] {
            let (tables, index) = Tables::compile(std::slice::from_ref(&distribution));
            let mut word_stream = RunSeed(3).stream(Purpose::Service, 0);
            for round in 0..20_000u32 {
                // Smaller and smaller positions, random digits behind.
                let word = word_stream.next_u64() >> (round % 28);
                let word = word & !(1 << 11) | u64::from(round & 1) << 11;
                let (_, position) = locate(word);
                let tail = if round & 1 == 1 {
                    Tail::Upper(position / 2.0)
                } else {
                    Tail::Lower(position / 2.0)
                };
                let exact = quantile(&distribution, tail);
                let value = tables.value(index[0], word);
                assert!(
                    (value - exact).abs() <= tolerance * exact + 1.0,
                    "{distribution:?} {tail:?}: {value} for {exact}"
                );
            }
        }
    }

    #[test]
    fn tables_keep_the_mean() {
        let sigma: f64 = 0.5;
        for (distribution, mean) in [
            (Distribution::Constant { ns: 5_000 }, 5_000.0),
            (
                Distribution::Uniform {
                    min_ns: 1_000,
                    max_ns: 4_000,
                },
                2_500.0,
            ),
            (
                Distribution::Exponential { mean_ns: 7_000_000 },
                7_000_000.0,
            ),
            (
                Distribution::Lognormal {
                    median_ns: 20_000_000,
                    sigma,
                },
                20e6 * libm::exp(sigma * sigma / 2.0),
            ),
        ] {
            let (tables, index) = Tables::compile(std::slice::from_ref(&distribution));
            let kept = tables.mean(index[0]);
            assert!(
                (kept / mean - 1.0).abs() < 1e-8,
                "{distribution:?}: {kept} for {mean}"
            );
        }
    }

    #[test]
    fn equal_distributions_share_a_table() {
        let fast = Distribution::Constant { ns: 1 };
        let slow = Distribution::Exponential { mean_ns: 9 };
        let (tables, indices) = Tables::compile(&[fast.clone(), slow, fast]);
        assert_eq!(indices[0], indices[2]);
        assert_ne!(indices[0], indices[1]);
        assert_eq!(tables.chords.len(), 2 * CELLS);
        assert_eq!(tables.value(indices[0], u64::MAX), 1.0);
        assert_eq!(tables.value(indices[0], 0), 1.0);
    }

    #[test]
    fn rounding_goes_to_the_nearest() {
        for (value, whole) in [(0.0, 0), (0.4, 0), (0.6, 1), (1e15 + 0.25, 10u64.pow(15))] {
            assert_eq!(round(value), whole);
        }
    }
}
