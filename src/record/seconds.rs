//! Times as a record's files write them: seconds, as a number. Whole seconds are written as integers, anything finer as
//! the shortest decimal fraction that names the millisecond, so a time reads the same in every file. Each module here is
//! one for serde's `with`.

use serde::{Deserialize, Deserializer, Serializer};

use crate::time::{Span, Timestamp};

/// A moment.
pub(crate) mod timestamp {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(at: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
        write(at.as_millis(), to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
        Ok(Timestamp::from_millis(millis(f64::deserialize(from)?)))
    }
}

/// A moment that may be missing.
pub(crate) mod optional {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(
        at: &Option<Timestamp>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match at {
            Some(at) => timestamp::serialize(at, to),
            None => to.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Timestamp>, D::Error> {
        let seconds = Option::<f64>::deserialize(from)?;
        Ok(seconds.map(|seconds| Timestamp::from_millis(millis(seconds))))
    }
}

/// A length of time.
pub(crate) mod span {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(span: &Span, to: S) -> Result<S::Ok, S::Error> {
        write(span.as_millis(), to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Span, D::Error> {
        Ok(Span::from_millis(millis(f64::deserialize(from)?)))
    }
}

/// A length of time that may be missing.
pub(crate) mod optional_span {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(span: &Option<Span>, to: S) -> Result<S::Ok, S::Error> {
        match span {
            Some(span) => super::span::serialize(span, to),
            None => to.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Span>, D::Error> {
        let seconds = Option::<f64>::deserialize(from)?;
        Ok(seconds.map(|seconds| Span::from_millis(millis(seconds))))
    }
}

/// Samples as pairs of time and value; a value that is no number is null.
pub(crate) mod samples {
    use super::*;
    use serde::Serialize;

    pub(crate) fn serialize<S: Serializer>(
        samples: &[(Timestamp, f64)],
        to: S,
    ) -> Result<S::Ok, S::Error> {
        struct Moment(Timestamp);

        impl Serialize for Moment {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                timestamp::serialize(&self.0, to)
            }
        }

        to.collect_seq(samples.iter().map(|(at, value)| (Moment(*at), value)))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Vec<(Timestamp, f64)>, D::Error> {
        let samples = Vec::<(f64, Option<f64>)>::deserialize(from)?;
        let read = samples.into_iter().map(|(at, value)| {
            let at = Timestamp::from_millis(millis(at));
            (at, value.unwrap_or(f64::NAN))
        });
        Ok(read.collect())
    }
}

fn write<S: Serializer>(ms: i64, to: S) -> Result<S::Ok, S::Error> {
    if ms % 1000 == 0 {
        to.serialize_i64(ms / 1000)
    } else {
        to.serialize_f64(ms as f64 / 1000.0)
    }
}

fn millis(seconds: f64) -> i64 {
    (seconds * 1000.0).round() as i64
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
            let written =
                timestamp::serialize(&Timestamp::from_millis(ms), serde_json::value::Serializer);
            let written = written.unwrap();
            assert_eq!(written.to_string(), text);
            assert_eq!(timestamp::deserialize(written).unwrap().as_millis(), ms);
        }
    }
}
