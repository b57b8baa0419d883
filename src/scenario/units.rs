//! Quantities as a scenario writes them: times and rates with their unit, shares as fractions.
//!
//! A quantity without its unit, or in another notation, is refused with what to write instead.

use std::fmt::Display;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error, Visitor};

use crate::time::{Span, parse_go_nanos};

/// A length of time in whole milliseconds, 0 or more: `"30s"`, `"1m30s"`, `"250ms"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Time(pub(super) Span);

/// A length of time in whole nanoseconds, 0 or more: `"20ms"`, `"350us"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FineTime(pub(super) u64);

/// Requests per second: `"200/s"`, `"50/m"`, `"1000/h"`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rate(pub(super) f64);

/// A share, from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Fraction(pub(super) f64);

/// How a quantity is read from a string or a bare number. The errors are predicates of the key; a second line helps.
trait Quantity: Sized {
    /// What it is, for values of another type.
    const WANTED: &'static str;
    /// From a string.
    fn parse(text: &str) -> Result<Self, String>;
    /// From a number.
    fn number(n: f64) -> Result<Self, String>;
}

impl Quantity for Time {
    const WANTED: &'static str = "a time such as \"30s\"";

    fn parse(text: &str) -> Result<Self, String> {
        let FineTime(ns) = FineTime::parse(text)?;
        if ns % 1_000_000 != 0 {
            return Err(format!(
                "is finer than a millisecond: {}\nthe control plane counts whole milliseconds: write \"{}ms\"",
                quoted(text),
                ns.div_ceil(1_000_000)
            ));
        }
        Ok(Time(Span::from_millis((ns / 1_000_000) as i64)))
    }

    fn number(n: f64) -> Result<Self, String> {
        FineTime::number(n).map(|_| Time(Span::ZERO))
    }
}

impl Quantity for FineTime {
    const WANTED: &'static str = "a time such as \"20ms\"";

    fn parse(text: &str) -> Result<Self, String> {
        match parse_go_nanos(text) {
            Some(ns) if ns < 0 => Err(format!("must not be negative, but is {}", quoted(text))),
            Some(ns) => Ok(FineTime(ns as u64)),
            None if text.parse::<f64>().is_ok() => Err(no_time_unit(text)),
            None => Err(format!(
                "is not a time: {}\nwrite numbers with the units h, m, s, ms, us: \"30s\", \"1m30s\", \"250ms\"",
                quoted(text)
            )),
        }
    }

    fn number(n: f64) -> Result<Self, String> {
        Err(no_time_unit(n))
    }
}

impl Quantity for Rate {
    const WANTED: &'static str = "a rate such as \"200/s\"";

    fn parse(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "is not a rate: {}\nwrite requests per second, minute or hour: \"200/s\", \"50/m\", \"1000/h\"",
                quoted(text)
            )
        };
        let (number, unit) = match text.split_once('/') {
            Some((number, unit)) => (number.trim(), unit.trim()),
            None if text.trim().parse::<f64>().is_ok() => return Self::no_unit(text.trim()),
            None => return Err(wrong()),
        };
        let n: f64 = number.parse().map_err(|_| wrong())?;
        let seconds = match unit {
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return Err(wrong()),
        };
        if !n.is_finite() {
            return Err(wrong());
        }
        if n < 0.0 {
            return Err(format!("must not be negative, but is {}", quoted(text)));
        }
        Ok(Rate(n / seconds))
    }

    fn number(n: f64) -> Result<Self, String> {
        Self::no_unit(n)
    }
}

impl Rate {
    fn no_unit(n: impl Display) -> Result<Self, String> {
        Err(format!(
            "needs a unit: {n}\nwrite \"{n}/s\" for requests per second, \"{n}/m\" for requests per minute"
        ))
    }
}

impl Quantity for Fraction {
    const WANTED: &'static str = "a fraction from 0 to 1";

    fn parse(text: &str) -> Result<Self, String> {
        let percent = text.trim().strip_suffix('%').map(str::trim);
        match (percent, text.trim().parse::<f64>()) {
            (Some(percent), _) => match percent.parse::<f64>() {
                Ok(p) if (0.0..=100.0).contains(&p) => Err(format!(
                    "must be a fraction, not a percentage: {}\nwrite {}",
                    quoted(text),
                    p / 100.0
                )),
                _ => Err(format!(
                    "must be a fraction from 0 to 1, not {}",
                    quoted(text)
                )),
            },
            (None, Ok(n)) => Err(format!(
                "must be a number, not the string {}\nwrite {n} without quotes",
                quoted(text)
            )),
            (None, Err(_)) => Err(format!(
                "must be a fraction from 0 to 1, not {}",
                quoted(text)
            )),
        }
    }

    fn number(n: f64) -> Result<Self, String> {
        if (0.0..=1.0).contains(&n) {
            return Ok(Fraction(n));
        }
        let help = if n > 1.0 && n <= 100.0 {
            format!("\nwrite {} for {n} %", n / 100.0)
        } else {
            String::new()
        };
        Err(format!("must be a fraction from 0 to 1, not {n}{help}"))
    }
}

fn no_time_unit(n: impl Display) -> String {
    format!(
        "needs a unit: {n}\nwrite \"{n}s\" for seconds, \"{n}m\" for minutes, \"{n}ms\" for milliseconds"
    )
}

/// A length of time as a scenario would write it: `15m` where Go prints `15m0s`.
pub(super) fn shown(span: Span) -> String {
    let go = span.to_string();
    let short = match go.strip_suffix("m0s") {
        Some(minutes) => format!("{minutes}m"),
        None => go,
    };
    match short.strip_suffix("h0m") {
        Some(hours) => format!("{hours}h"),
        None => short,
    }
}

fn quoted(text: &str) -> String {
    let shown: String = text.chars().take(40).flat_map(char::escape_debug).collect();
    let more = if text.chars().nth(40).is_some() {
        "..."
    } else {
        ""
    };
    format!("\"{shown}{more}\"")
}

struct QuantityVisitor<Q>(PhantomData<Q>);

impl<Q: Quantity> Visitor<'_> for QuantityVisitor<Q> {
    type Value = Q;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(Q::WANTED)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Q, E> {
        Q::parse(text).map_err(E::custom)
    }

    fn visit_i64<E: Error>(self, n: i64) -> Result<Q, E> {
        Q::number(n as f64).map_err(E::custom)
    }

    fn visit_u64<E: Error>(self, n: u64) -> Result<Q, E> {
        Q::number(n as f64).map_err(E::custom)
    }

    fn visit_f64<E: Error>(self, n: f64) -> Result<Q, E> {
        Q::number(n).map_err(E::custom)
    }
}

macro_rules! quantities {
    ($($name:ident: $schema:tt;)*) => {$(
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(QuantityVisitor(PhantomData))
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    )*};
}

quantities! {
    Time: {
        "type": "string",
        "description": "A length of time in whole milliseconds, with units h, m, s or ms: \"30s\", \"1m30s\", \"250ms\".",
        "pattern": "^(0|([0-9]+(\\.[0-9]*)?|\\.[0-9]+)(h|m|s|ms|us|ns)(([0-9]+(\\.[0-9]*)?|\\.[0-9]+)(h|m|s|ms|us|ns))*)$"
    };
    FineTime: {
        "type": "string",
        "description": "A length of time in whole nanoseconds, with units h, m, s, ms, us or ns: \"20ms\", \"350us\".",
        "pattern": "^(0|([0-9]+(\\.[0-9]*)?|\\.[0-9]+)(h|m|s|ms|us|ns)(([0-9]+(\\.[0-9]*)?|\\.[0-9]+)(h|m|s|ms|us|ns))*)$"
    };
    Rate: {
        "type": "string",
        "description": "Requests per second, minute or hour: \"200/s\", \"50/m\", \"1000/h\".",
        "pattern": "^[0-9]+(\\.[0-9]+)?/(s|m|h)$"
    };
    Fraction: {
        "type": "number",
        "description": "A share as a fraction from 0 to 1.",
        "minimum": 0,
        "maximum": 1
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shown_as_one_would_write_them() {
        for (seconds, expected) in [
            (0, "0s"),
            (30, "30s"),
            (60, "1m"),
            (90, "1m30s"),
            (600, "10m"),
            (3600, "1h"),
            (3660, "1h1m"),
            (3601, "1h0m1s"),
            (36_000, "10h"),
        ] {
            assert_eq!(shown(Span::from_secs(seconds)), expected);
        }
    }

    #[test]
    fn rates_are_per_second_whatever_their_unit() {
        for (text, expected) in [
            ("200/s", 200.0),
            ("90/m", 1.5),
            ("1800 / h", 0.5),
            ("0/s", 0.0),
        ] {
            assert_eq!(Rate::parse(text), Ok(Rate(expected)), "{text}");
        }
        for text in ["", "/s", "200", "200/d", "nan/s", "inf/s", "1/s/s"] {
            assert!(Rate::parse(text).is_err(), "{text}");
        }
    }
}
