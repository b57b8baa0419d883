//! Times as a record's files write them: seconds, as a number. Whole seconds are written as integers, anything finer as
//! the shortest decimal fraction that names the millisecond, so a time reads the same in every file.

use serde::{Serialize, Serializer};

use crate::time::{Span, Timestamp};

/// Writes a moment.
pub(crate) fn timestamp<S: Serializer>(at: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
    millis(at.as_millis(), to)
}

/// Writes a moment that may be missing.
pub(crate) fn optional<S: Serializer>(at: &Option<Timestamp>, to: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => timestamp(at, to),
        None => to.serialize_none(),
    }
}

/// Writes a length of time.
pub(crate) fn span<S: Serializer>(span: &Span, to: S) -> Result<S::Ok, S::Error> {
    millis(span.as_millis(), to)
}

/// Writes a length of time that may be missing.
pub(crate) fn optional_span<S: Serializer>(span: &Option<Span>, to: S) -> Result<S::Ok, S::Error> {
    match span {
        Some(at) => self::span(at, to),
        None => to.serialize_none(),
    }
}

/// Writes samples as pairs of time and value.
pub(crate) fn samples<S: Serializer>(
    samples: &[(Timestamp, f64)],
    to: S,
) -> Result<S::Ok, S::Error> {
    struct Moment(Timestamp);

    impl Serialize for Moment {
        fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
            timestamp(&self.0, to)
        }
    }

    to.collect_seq(samples.iter().map(|(at, value)| (Moment(*at), value)))
}

fn millis<S: Serializer>(ms: i64, to: S) -> Result<S::Ok, S::Error> {
    if ms % 1000 == 0 {
        to.serialize_i64(ms / 1000)
    } else {
        to.serialize_f64(ms as f64 / 1000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_seconds_are_integers_and_others_name_the_millisecond() {
        for (ms, text) in [
            (0, "0"),
            (90_000, "90"),
            (-30_000, "-30"),
            (60_250, "60.25"),
            (1, "0.001"),
            (-1, "-0.001"),
        ] {
            let written = timestamp(&Timestamp::from_millis(ms), serde_json::value::Serializer);
            assert_eq!(written.unwrap().to_string(), text);
        }
    }
}
