//! Numbers, durations and strings.

use super::{Parsed, Parser};
use crate::promql::Version;
use crate::promql::ast::Text;
use crate::promql::error::ParseError;
use crate::promql::lexer::{Kind, Token};
use crate::promql::unquote::unquote;

/// Nanoseconds in a second, and the longest duration Go has, in seconds.
const NANOS: f64 = 1e9;
const MAX_SECONDS: f64 = 9_223_372_036.854_776;

impl Parser<'_> {
    /// A duration greater than zero, in whole milliseconds.
    pub(super) fn positive_duration(&mut self, context: &str) -> Parsed<i64> {
        let span = self.current().span.clone();
        let seconds = self.bare_duration(context)?;
        let millis = whole_millis(seconds);
        if seconds <= 0.0 || millis < 1 {
            return Err(ParseError::new("duration must be greater than 0", span)
                .help("Prometheus counts time in whole milliseconds"));
        }
        Ok(millis)
    }

    /// A duration, or since version 3 a number of seconds.
    pub(super) fn bare_duration(&mut self, context: &str) -> Parsed<f64> {
        let token = self.current().clone();
        let seconds = match token.kind {
            Kind::Duration => self.duration(&token)?,
            Kind::Number if self.version == Version::V3 => self.number(&token)?,
            Kind::Number => {
                // The lexer of 2.x reads nothing but durations in brackets.
                let error = match context {
                    "offset" => self.unexpected(context, "duration"),
                    _ => ParseError::new("missing unit character in duration", token.span),
                };
                return Err(error.help("numbers are durations only since Prometheus 3"));
            }
            _ if self.version == Version::V3 => {
                return Err(self.unexpected(context, "number or duration"));
            }
            _ => return Err(self.unexpected(context, "duration")),
        };
        if seconds.is_nan() || seconds.abs() > MAX_SECONDS {
            return Err(ParseError::new("duration out of range", token.span));
        }
        self.advance();
        Ok(seconds)
    }

    /// The seconds of a duration token: `1h30m`, each unit once, large to small (`model.ParseDuration`).
    pub(super) fn duration(&self, token: &Token) -> Parsed<f64> {
        let text = self.text_of(token);
        let bad = || {
            ParseError::new(
                format!("not a valid duration string: {text:?}"),
                token.span.clone(),
            )
        };
        let mut rest = text;
        let mut millis: u64 = 0;
        let mut smallest = u64::MAX;
        while !rest.is_empty() {
            let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let (number, after) = rest.split_at(digits);
            let letters = after.len()
                - after
                    .trim_start_matches(|c: char| c.is_ascii_alphabetic())
                    .len();
            let (unit, after) = after.split_at(letters);
            let unit_ms: u64 = match unit {
                "ms" => 1,
                "s" => 1000,
                "m" => 60_000,
                "h" => 3_600_000,
                "d" => 86_400_000,
                "w" => 7 * 86_400_000,
                "y" => 365 * 86_400_000,
                _ => return Err(bad()),
            };
            if unit_ms >= smallest {
                return Err(bad());
            }
            smallest = unit_ms;
            let range = || ParseError::new("duration out of range", token.span.clone());
            let number: u64 = number.parse().map_err(|_| range())?;
            let part = number.checked_mul(unit_ms).ok_or_else(range)?;
            millis = millis.checked_add(part).ok_or_else(range)?;
            if millis > (i64::MAX / 1_000_000) as u64 {
                return Err(range());
            }
            rest = after;
        }
        // As Go's Duration.Seconds: whole seconds and the rest apart.
        Ok((millis / 1000) as f64 + ((millis % 1000) * 1_000_000) as f64 / NANOS)
    }

    /// The value of a number token (Go's `strconv.ParseInt` with base 0, else `ParseFloat`).
    pub(super) fn number(&self, token: &Token) -> Parsed<f64> {
        let text = self.text_of(token);
        let bad = || {
            ParseError::new(
                format!("error parsing number: {text:?}"),
                token.span.clone(),
            )
        };
        if text.contains('_') && self.version != Version::V3 {
            return Err(bad());
        }
        let plain: String = text.chars().filter(|c| *c != '_').collect();
        let lower = plain.to_ascii_lowercase();
        if let Some(hex) = lower.strip_prefix("0x") {
            return i64::from_str_radix(hex, 16)
                .map(|n| n as f64)
                .map_err(|_| bad());
        }
        // A leading zero makes an integer octal in Go, if it can be.
        match i64::from_str_radix(&lower, 8) {
            Ok(octal) if lower.starts_with('0') => return Ok(octal as f64),
            _ => {}
        }
        let value: f64 = lower.parse().map_err(|_| bad())?;
        if value.is_infinite() && !lower.contains("inf") {
            return Err(bad());
        }
        Ok(value)
    }

    pub(super) fn string(&self, token: &Token) -> String {
        Text {
            bytes: unquote(self.text_of(token)),
        }
        .lossy()
    }
}

/// Seconds as Prometheus takes them: rounded to nanoseconds, cut to milliseconds.
pub(super) fn whole_millis(seconds: f64) -> i64 {
    ((seconds * NANOS).round() as i64) / 1_000_000
}
