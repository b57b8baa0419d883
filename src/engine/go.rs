//! Go's conversions and formats, where they reach a message or a verdict: `%v`, `%.2f`, `%q`, `time.Duration`, `strconv`.
//!
//! Follows `strconv/ftoa.go`, `strconv/atoi.go`, `time/format.go` and `time/time.go` of the Go standard library.
//! Float-to-integer conversion is that of amd64, where Flagger's oddities at infinity come from.

use std::fmt;

use crate::gotemplate::format_fixed;
pub(crate) use crate::gotemplate::format_float as float;
use crate::time::Span;

/// `%.2f` of a float64: rounded from the exact binary value, ties to even.
pub(crate) fn fixed2(value: f64) -> String {
    format_fixed(value, 2)
}

/// A `time.Duration`: whole nanoseconds, which wrap around as Go's do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Duration(i64);

impl Duration {
    /// `time.Duration(int64(ms)) * time.Millisecond`: cut towards zero; what does not fit becomes the smallest
    /// int64 first (amd64's `CVTTSD2SI`), and the product wraps.
    pub(crate) fn from_float_millis(ms: f64) -> Duration {
        const LIMIT: f64 = 9_223_372_036_854_775_808.0;
        let whole = if (-LIMIT..LIMIT).contains(&ms) {
            ms as i64
        } else {
            i64::MIN
        };
        Duration(whole.wrapping_mul(1_000_000))
    }

    /// `Duration.Seconds()`.
    pub(crate) fn as_secs_f64(self) -> f64 {
        let whole = self.0 / 1_000_000_000;
        let rest = self.0 % 1_000_000_000;
        whole as f64 + rest as f64 / 1e9
    }

    /// Milliseconds, with a fraction only after a wrap.
    pub(crate) fn as_millis_f64(self) -> f64 {
        self.0 as f64 / 1e6
    }
}

/// `Duration.String()`: `0s`, `2ms`, `1.515s`, `1h1m1.5s`.
impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ns = self.0.unsigned_abs();
        if ns == 0 {
            return f.write_str("0s");
        }
        if self.0 < 0 {
            f.write_str("-")?;
        }
        let (unit, per_unit) = match ns {
            0..1_000 => return write!(f, "{ns}ns"),
            1_000..1_000_000 => ("µs", 1_000),
            1_000_000..1_000_000_000 => ("ms", 1_000_000),
            _ => ("s", 1_000_000_000),
        };
        let mut whole = ns / per_unit;
        if unit == "s" {
            let (hours, minutes) = (whole / 3600, whole / 60 % 60);
            if hours > 0 {
                write!(f, "{hours}h")?;
            }
            if hours > 0 || minutes > 0 {
                write!(f, "{minutes}m")?;
            }
            whole %= 60;
        }
        write!(f, "{whole}")?;
        let rest = ns % per_unit;
        if rest > 0 {
            let width = per_unit.ilog10() as usize;
            let fraction = format!("{rest:0width$}");
            write!(f, ".{}", fraction.trim_end_matches('0'))?;
        }
        f.write_str(unit)
    }
}

/// `strconv.Quote`, for text without unprintable characters beyond the usual escapes.
pub(crate) fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{b}' => out.push_str("\\v"),
            c if c < ' ' || c == '\u{7f}' => out.push_str(&format!("\\x{:02x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// `strconv.Atoi`; the error is Go's.
pub(crate) fn atoi(text: &str) -> Result<i64, String> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let fault = if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        "invalid syntax"
    } else {
        match text.parse() {
            Ok(value) => return Ok(value),
            Err(_) => "value out of range",
        }
    };
    Err(format!("strconv.Atoi: parsing {}: {fault}", quote(text)))
}

/// `strconv.ParseFloat(text, 64)`; the error is Go's. Hexadecimal floats and underscores, which no
/// Prometheus writes, are refused.
pub(crate) fn parse_float(text: &str) -> Result<f64, String> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let signed_nan = unsigned.len() < text.len() && unsigned.eq_ignore_ascii_case("nan");
    let fault = match text.parse::<f64>() {
        Ok(value)
            if value.is_infinite() && unsigned.starts_with(|c: char| !matches!(c, 'i' | 'I')) =>
        {
            "value out of range"
        }
        Ok(value) if !signed_nan => return Ok(value),
        _ => "invalid syntax",
    };
    Err(format!(
        "strconv.ParseFloat: parsing {}: {fault}",
        quote(text)
    ))
}

/// `time.ParseDuration`; the error is Go's. Fractions of a millisecond are cut off.
pub(crate) fn parse_duration(text: &str) -> Result<Span, String> {
    Span::parse_go(text).ok_or_else(|| format!("time: {}", duration_fault(text)))
}

/// What Go finds wrong with a duration that cannot be read.
fn duration_fault(text: &str) -> String {
    let invalid = || format!("invalid duration {}", quote(text));
    let mut rest = text.strip_prefix(['+', '-']).unwrap_or(text);
    while !rest.is_empty() {
        let number_end = rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(rest.len());
        let (whole, after) = rest.split_at(number_end);
        let (fraction, after) = match after.strip_prefix('.') {
            Some(after) => {
                let end = after
                    .find(|c: char| !c.is_ascii_digit())
                    .unwrap_or(after.len());
                after.split_at(end)
            }
            None => ("", after),
        };
        if whole.is_empty() && fraction.is_empty() {
            return invalid();
        }
        let unit_end = after
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_end);
        if unit.is_empty() {
            return format!("missing unit in duration {}", quote(text));
        }
        if !matches!(unit, "ns" | "us" | "µs" | "μs" | "ms" | "s" | "m" | "h") {
            return format!("unknown unit {} in duration {}", quote(unit), quote(text));
        }
        rest = after;
    }
    invalid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_print_as_go_prints_them() {
        for (value, text) in [
            (99.0, "99"),
            (99.5, "99.5"),
            (0.0, "0"),
            (-0.0, "-0"),
            (-1.5, "-1.5"),
            (999_999.0, "999999"),
            (999_999.5, "999999.5"),
            (1e6, "1e+06"),
            (1_234_567.0, "1.234567e+06"),
            (123_456_789.0, "1.23456789e+08"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (1.5e-7, "1.5e-07"),
            (1e100, "1e+100"),
            (1e21, "1e+21"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(float(value), text);
        }
    }

    #[test]
    fn two_decimals_come_from_the_exact_binary_value() {
        for (value, text) in [
            (250.005, "250.00"),
            (0.125, "0.12"),
            (0.375, "0.38"),
            (2.675, "2.67"),
            (70.0, "70.00"),
            (-0.001, "-0.00"),
            (1e21, "1000000000000000000000.00"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
        ] {
            assert_eq!(fixed2(value), text);
        }
    }

    #[test]
    fn durations_print_as_go_prints_them() {
        for (ms, text) in [
            (0.0, "0s"),
            (0.9, "0s"),
            (2.0, "2ms"),
            (-5.9, "-5ms"),
            (999.0, "999ms"),
            (1515.9, "1.515s"),
            (61_000.0, "1m1s"),
            (3_600_000.0, "1h0m0s"),
            (3_661_500.0, "1h1m1.5s"),
            (f64::INFINITY, "0s"),
            (f64::NEG_INFINITY, "0s"),
        ] {
            assert_eq!(Duration::from_float_millis(ms).to_string(), text);
        }
        assert_eq!(Duration(1).to_string(), "1ns");
        assert_eq!(Duration(1_100).to_string(), "1.1µs");
    }

    #[test]
    fn faulty_numbers_are_refused_in_gos_words() {
        for (text, value) in [("5", Ok(5)), ("+5", Ok(5)), ("-5", Ok(-5))] {
            assert_eq!(atoi(text), value);
        }
        for (text, fault) in [
            ("ten", r#"strconv.Atoi: parsing "ten": invalid syntax"#),
            ("", r#"strconv.Atoi: parsing "": invalid syntax"#),
            ("1_0", r#"strconv.Atoi: parsing "1_0": invalid syntax"#),
            (
                "99999999999999999999",
                r#"strconv.Atoi: parsing "99999999999999999999": value out of range"#,
            ),
        ] {
            assert_eq!(atoi(text), Err(fault.to_owned()));
        }
        assert_eq!(parse_float("1e3"), Ok(1000.0));
        assert_eq!(parse_float("+Inf"), Ok(f64::INFINITY));
        assert!(parse_float("NaN").is_ok_and(f64::is_nan));
        for (text, fault) in [
            (
                "bogus",
                r#"strconv.ParseFloat: parsing "bogus": invalid syntax"#,
            ),
            ("", r#"strconv.ParseFloat: parsing "": invalid syntax"#),
            (
                "-NaN",
                r#"strconv.ParseFloat: parsing "-NaN": invalid syntax"#,
            ),
            (
                "1e999",
                r#"strconv.ParseFloat: parsing "1e999": value out of range"#,
            ),
        ] {
            assert_eq!(parse_float(text), Err(fault.to_owned()));
        }
    }

    #[test]
    fn faulty_durations_are_refused_in_gos_words() {
        for (text, fault) in [
            ("5x", r#"time: unknown unit "x" in duration "5x""#),
            (
                "10mfoo",
                r#"time: unknown unit "mfoo" in duration "10mfoo""#,
            ),
            ("10", r#"time: missing unit in duration "10""#),
            ("1s5", r#"time: missing unit in duration "1s5""#),
            ("", r#"time: invalid duration """#),
            ("-", r#"time: invalid duration "-""#),
            ("s", r#"time: invalid duration "s""#),
            (".s", r#"time: invalid duration ".s""#),
        ] {
            assert_eq!(parse_duration(text), Err(fault.to_owned()));
        }
    }
}
