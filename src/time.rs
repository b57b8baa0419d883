//! Control-plane time: whole milliseconds, as Prometheus counts them.
//!
//! [`Timestamp`] is a moment, [`Span`] a length; neither is ever a float. Zero is the scenario's own zero
//! (in a simulation) or the Unix epoch (live, replay). Requests inside the simulator use integer nanoseconds instead.
//! Spans print and parse as Go's `time.Duration` does, since that is how Flagger and Kubernetes write them.

use std::fmt;
use std::ops::{Add, AddAssign, Mul, Neg, Sub};

use serde::{Deserialize, Serialize};

/// A moment, in whole milliseconds.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(i64);

/// A length of time, in whole milliseconds; may be negative.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Span(i64);

impl Timestamp {
    /// The zero of the clock in use.
    pub const ZERO: Timestamp = Timestamp(0);

    /// The moment `ms` milliseconds after zero.
    pub const fn from_millis(ms: i64) -> Self {
        Timestamp(ms)
    }

    /// The moment `s` seconds after zero.
    pub const fn from_secs(s: i64) -> Self {
        Timestamp(s * 1000)
    }

    /// Milliseconds since zero.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Seconds since zero, for output only.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1000.0
    }

    /// `m:ss`, with a leading minus before zero and milliseconds where there are some: `1:30`, `-0:05`, `1:00.250`.
    pub fn clock(self) -> String {
        let sign = if self.0 < 0 { "-" } else { "" };
        let ms = self.0.unsigned_abs();
        let (s, rest) = (ms / 1000, ms % 1000);
        let fraction = if rest == 0 {
            String::new()
        } else {
            format!(".{rest:03}")
        };
        format!("{sign}{}:{:02}{fraction}", s / 60, s % 60)
    }
}

impl Span {
    /// No time at all.
    pub const ZERO: Span = Span(0);

    /// `ms` milliseconds.
    pub const fn from_millis(ms: i64) -> Self {
        Span(ms)
    }

    /// `s` seconds.
    pub const fn from_secs(s: i64) -> Self {
        Span(s * 1000)
    }

    /// Whole milliseconds.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Seconds, for output and rates only.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1000.0
    }

    /// Parses a Go duration (`time.ParseDuration`): `30s`, `1m30s`, `1.5h`, `250ms`, `-5ms`, `0`.
    /// Fractions of a millisecond are cut off.
    pub fn parse_go(text: &str) -> Option<Span> {
        Some(Span(parse_go_nanos(text)? / 1_000_000))
    }
}

/// Parses a Go duration (`time.ParseDuration`) to whole nanoseconds.
pub fn parse_go_nanos(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total_ns: i128 = 0;
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(rest.len());
        let (number, after) = rest.split_at(digits);
        let unit_len = after
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_len);
        let unit_ns: i128 = match unit {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return None,
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() && fraction.is_empty() || fraction.contains('.') || number.len() > 18 {
            return None;
        }
        let whole: i128 = if whole.is_empty() {
            0
        } else {
            whole.parse().ok()?
        };
        total_ns += whole * unit_ns;
        if !fraction.is_empty() {
            let scale = 10i128.pow(fraction.len() as u32);
            total_ns += fraction.parse::<i128>().ok()? * unit_ns / scale;
        }
        rest = after;
    }
    let ns = i64::try_from(total_ns).ok()?;
    Some(if negative { -ns } else { ns })
}

/// As Go prints a `time.Duration`: `0s`, `999ms`, `1.515s`, `1m0s`, `1h1m1.5s`.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.0.unsigned_abs();
        let sign = if self.0 < 0 { "-" } else { "" };
        if ms == 0 {
            return f.write_str("0s");
        }
        if ms < 1000 {
            return write!(f, "{sign}{ms}ms");
        }
        let (hours, minutes, seconds, rest) =
            (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60, ms % 1000);
        f.write_str(sign)?;
        if hours > 0 {
            write!(f, "{hours}h")?;
        }
        if hours > 0 || minutes > 0 {
            write!(f, "{minutes}m")?;
        }
        if rest == 0 {
            write!(f, "{seconds}s")
        } else {
            let fraction = format!("{rest:03}");
            write!(f, "{seconds}.{}s", fraction.trim_end_matches('0'))
        }
    }
}

impl Add<Span> for Timestamp {
    type Output = Timestamp;
    fn add(self, span: Span) -> Timestamp {
        Timestamp(self.0 + span.0)
    }
}

impl AddAssign<Span> for Timestamp {
    fn add_assign(&mut self, span: Span) {
        self.0 += span.0;
    }
}

impl Sub<Span> for Timestamp {
    type Output = Timestamp;
    fn sub(self, span: Span) -> Timestamp {
        Timestamp(self.0 - span.0)
    }
}

impl Sub for Timestamp {
    type Output = Span;
    fn sub(self, earlier: Timestamp) -> Span {
        Span(self.0 - earlier.0)
    }
}

impl Add for Span {
    type Output = Span;
    fn add(self, other: Span) -> Span {
        Span(self.0 + other.0)
    }
}

impl Sub for Span {
    type Output = Span;
    fn sub(self, other: Span) -> Span {
        Span(self.0 - other.0)
    }
}

impl Mul<i64> for Span {
    type Output = Span;
    fn mul(self, times: i64) -> Span {
        Span(self.0 * times)
    }
}

impl Neg for Span {
    type Output = Span;
    fn neg(self) -> Span {
        Span(-self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_print_as_go_prints_durations() {
        for (ms, text) in [
            (0, "0s"),
            (2, "2ms"),
            (999, "999ms"),
            (1000, "1s"),
            (1515, "1.515s"),
            (61_000, "1m1s"),
            (3_600_000, "1h0m0s"),
            (3_661_500, "1h1m1.5s"),
            (-5, "-5ms"),
        ] {
            assert_eq!(Span::from_millis(ms).to_string(), text);
        }
    }

    #[test]
    fn go_durations_are_read() {
        for (text, ms) in [
            ("30s", Some(30_000)),
            ("1m30s", Some(90_000)),
            ("1.5h", Some(5_400_000)),
            (".5s", Some(500)),
            ("-5ms", Some(-5)),
            ("0", Some(0)),
            ("", None),
            ("5", None),
            ("5x", None),
            ("1.2.3s", None),
            (".s", None),
            ("99999999999999999999h", None),
        ] {
            assert_eq!(Span::parse_go(text).map(Span::as_millis), ms, "{text}");
        }
    }

    #[test]
    fn clocks_count_minutes() {
        assert_eq!(Timestamp::from_secs(90).clock(), "1:30");
        assert_eq!(Timestamp::from_secs(-5).clock(), "-0:05");
        assert_eq!(Timestamp::from_millis(60_250).clock(), "1:00.250");
    }
}
