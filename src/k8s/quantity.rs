//! Resource quantities: `250m`, `91554370n`, `200Mi`, `1.5`, `2e3`.
//!
//! Follows `k8s.io/apimachinery/pkg/api/resource/quantity.go`: the finest step is one nano-unit, anything finer is
//! rounded up, and so is every conversion to a coarser unit. Numbers beyond an i64 of milli-units are cut to its bounds.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

/// A quantity, in whole nano-units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quantity {
    nanos: i128,
}

const NANOS: i128 = 1_000_000_000;
const NANOS_PER_MILLI: i128 = 1_000_000;

impl Quantity {
    /// `nanos` nano-units, as metrics-server counts CPU.
    pub const fn from_nanos(nanos: i64) -> Self {
        Quantity {
            nanos: nanos as i128,
        }
    }

    /// `millis` milli-units.
    pub const fn from_millis(millis: i64) -> Self {
        Quantity {
            nanos: millis as i128 * NANOS_PER_MILLI,
        }
    }

    /// `units` whole units: bytes, cores.
    pub const fn from_units(units: i64) -> Self {
        Quantity {
            nanos: units as i128 * NANOS,
        }
    }

    /// Reads a quantity as the API server does; `None` where it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = |c: char| c.is_ascii_digit() || c == '.';
        let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
        let negative = text.starts_with('-');
        let end = unsigned.find(|c| !digits(c)).unwrap_or(unsigned.len());
        let (number, suffix) = unsigned.split_at(end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() && fraction.is_empty() || fraction.contains('.') || number.len() > 30 {
            return None;
        }
        let scale = Scale::parse(suffix)?;
        let mantissa: i128 = format!("0{whole}{fraction}").parse().ok()?;
        let nanos = scale.apply(mantissa, fraction.len() as u32)?;
        Some(Quantity {
            nanos: if negative { -nanos } else { nanos },
        })
    }

    /// Reads a quantity from JSON or YAML, which may write it as a string or as a number.
    pub fn read(value: &Value) -> Option<Self> {
        match value {
            Value::String(s) => Quantity::parse(s),
            Value::Number(n) => Quantity::parse(&n.to_string()),
            _ => None,
        }
    }

    /// Reads a map of quantities, such as `resources.requests`; what is none is left out.
    pub fn read_map(map: &Value) -> BTreeMap<String, Self> {
        let entries = map.as_object().into_iter().flatten();
        entries
            .filter_map(|(name, value)| Some((name.clone(), Quantity::read(value)?)))
            .collect()
    }

    /// Whole milli-units, rounded up (`MilliValue`).
    pub fn milli_value(self) -> i64 {
        clamp(ceil_div(self.nanos, NANOS_PER_MILLI))
    }

    /// Whole units, rounded up (`Value`).
    pub fn value(self) -> i64 {
        clamp(ceil_div(self.nanos, NANOS))
    }

    /// The nearest float, as `AsApproximateFloat64` computes it from the canonical form.
    pub fn approximate_f64(self) -> f64 {
        let (mantissa, power) = self.canonical();
        const SCALES: [f64; 10] = [1e-9, 1e-6, 1e-3, 1.0, 1e3, 1e6, 1e9, 1e12, 1e15, 1e18];
        mantissa as f64 * SCALES[power]
    }

    /// Mantissa and index of the largest decimal suffix that needs no fraction.
    fn canonical(self) -> (i128, usize) {
        if self.nanos == 0 {
            return (0, 3);
        }
        let (mut mantissa, mut power) = (self.nanos, 0);
        while mantissa % 1000 == 0 && power < DECIMAL.len() - 1 {
            mantissa /= 1000;
            power += 1;
        }
        (mantissa, power)
    }

    /// As Kubernetes prints bytes: `200Mi` where that is exact, else as [`Display`](fmt::Display).
    pub fn binary(self) -> String {
        let units = self.nanos / NANOS;
        if self.nanos % NANOS != 0 || units.abs() < 1024 {
            return self.to_string();
        }
        let (mut mantissa, mut power) = (units, 0);
        while mantissa % 1024 == 0 && power < BINARY.len() - 1 {
            mantissa /= 1024;
            power += 1;
        }
        format!("{mantissa}{}", BINARY[power])
    }
}

/// Canonical decimal form: the largest suffix that needs no fraction. `92m`, `2k`, `91554370n`.
impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mantissa, power) = self.canonical();
        write!(f, "{mantissa}{}", DECIMAL[power])
    }
}

const DECIMAL: [&str; 10] = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];
const BINARY: [&str; 7] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];

/// What a suffix multiplies by.
#[derive(Clone, Copy)]
enum Scale {
    /// A power of ten, relative to one nano-unit.
    Decimal(i32),
    /// A power of 1024, relative to one unit.
    Binary(u32),
}

impl Scale {
    fn parse(suffix: &str) -> Option<Scale> {
        if let Some(power) = DECIMAL.iter().position(|s| *s == suffix) {
            return Some(Scale::Decimal(3 * power as i32));
        }
        if let Some(power) = BINARY.iter().position(|s| *s == suffix) {
            return Some(Scale::Binary(power as u32));
        }
        let exponent = suffix.strip_prefix(['e', 'E'])?;
        let exponent: i32 = exponent.parse().ok()?;
        (-30..=18)
            .contains(&exponent)
            .then_some(Scale::Decimal(exponent + 9))
    }

    /// `mantissa / 10^decimals`, scaled to nano-units and rounded up; `None` beyond all bounds.
    fn apply(self, mantissa: i128, decimals: u32) -> Option<i128> {
        match self {
            Scale::Decimal(power) => {
                let shift = power - decimals as i32;
                let factor = 10i128.checked_pow(shift.unsigned_abs())?;
                if shift >= 0 {
                    mantissa.checked_mul(factor)
                } else {
                    Some(ceil_div(mantissa, factor))
                }
            }
            Scale::Binary(power) => {
                let scaled = mantissa.checked_mul(1024i128.pow(power) * NANOS)?;
                Some(ceil_div(scaled, 10i128.checked_pow(decimals)?))
            }
        }
    }
}

fn ceil_div(n: i128, by: i128) -> i128 {
    n.div_euclid(by) + i128::from(n.rem_euclid(by) != 0)
}

fn clamp(n: i128) -> i64 {
    n.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_and_rounded_up_to_milli_units() {
        for (text, millis) in [
            ("250m", 250),
            ("91554370n", 92),
            ("92000000n", 92),
            ("1", 1000),
            ("1.5", 1500),
            (".5", 500),
            ("2.", 2000),
            ("0.0001", 1),
            ("200Mi", 200 * 1024 * 1024 * 1000),
            ("1.5Ki", 1536 * 1000),
            ("2k", 2_000_000),
            ("2e3", 2_000_000),
            ("5E-1", 500),
            (
                "1E",
                1_000_000_000_000_000_000_000_i128.min(i128::from(i64::MAX)) as i64,
            ),
            ("-1500u", -1),
            ("+3", 3000),
            ("0", 0),
        ] {
            assert_eq!(
                Quantity::parse(text).map(Quantity::milli_value),
                Some(millis),
                "{text}"
            );
        }
        for text in ["", "m", ".", "1.2.3", "1x", "1 m", "--1", "1e", "1e99", "é"] {
            assert_eq!(Quantity::parse(text), None, "{text}");
        }
    }

    #[test]
    fn quantities_print_in_canonical_form() {
        for (text, decimal, binary) in [
            ("92m", "92m", "92m"),
            ("1000m", "1", "1"),
            ("2000", "2k", "2000"),
            ("1024", "1024", "1Ki"),
            ("112604Ki", "115306496", "112604Ki"),
            ("200Mi", "209715200", "200Mi"),
            ("1500.5", "1500500m", "1500500m"),
            ("0", "0", "0"),
        ] {
            let quantity = Quantity::parse(text).unwrap();
            assert_eq!(quantity.to_string(), decimal, "{text}");
            assert_eq!(quantity.binary(), binary, "{text}");
        }
    }
}
