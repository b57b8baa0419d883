//! From the store to text.

use std::io::{self, Write};

use crate::time::Timestamp;
use crate::tsdb::{METRIC_NAME, Queryable, SeriesId, Storage, format_open_metrics, is_stale};

/// Writes all samples of a store, series by series in the order of their labels, each series' samples in time order. Stale
/// markers are left out.
///
/// # Errors
/// Those of the writer.
pub fn write(storage: &Storage, out: &mut impl Write) -> io::Result<()> {
    write_since(storage, Timestamp::ZERO, out)
}

/// As [`write()`], times counted from `zero`: for a clock that runs below zero, which the format allows and
/// `promtool tsdb create-blocks-from openmetrics` drops without a word.
///
/// # Errors
/// Those of the writer.
pub fn write_since(storage: &Storage, zero: Timestamp, out: &mut impl Write) -> io::Result<()> {
    let mut series: Vec<SeriesId> = storage.all_series().collect();
    series.sort_by_key(|id| Queryable::labels(storage, *id));
    for id in series {
        let name = series_text(storage, id);
        for (at, value) in storage.samples(id).filter(|(_, value)| !is_stale(*value)) {
            let at = seconds((at - zero).as_millis());
            writeln!(out, "{name} {} {at}", format_open_metrics(value))?;
        }
    }
    writeln!(out, "# EOF")
}

/// A series as it stands before its value: `name{a="b"}`, or `{"a name",a="b"}` where the name needs quotes.
fn series_text(storage: &Storage, id: SeriesId) -> String {
    let labels = Queryable::labels(storage, id);
    let name = labels.metric_name();
    let plain = is_metric_name(name);
    let mut pairs = Vec::new();
    if !name.is_empty() && !plain {
        pairs.push(quoted(name));
    }
    for (label, value) in labels.iter().filter(|(label, _)| *label != METRIC_NAME) {
        let label = if is_label_name(label) {
            label.to_owned()
        } else {
            quoted(label)
        };
        pairs.push(format!("{label}={}", quoted(value)));
    }
    let name = if plain { name } else { "" };
    match pairs.as_slice() {
        [] if plain => name.to_owned(),
        pairs => format!("{name}{{{}}}", pairs.join(",")),
    }
}

/// Milliseconds as seconds, exactly.
fn seconds(ms: i64) -> String {
    let sign = if ms < 0 { "-" } else { "" };
    let (whole, rest) = (ms.unsigned_abs() / 1000, ms.unsigned_abs() % 1000);
    if rest == 0 {
        return format!("{sign}{whole}");
    }
    let fraction = format!("{rest:03}");
    format!("{sign}{whole}.{}", fraction.trim_end_matches('0'))
}

fn quoted(text: &str) -> String {
    let escaped = text
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n");
    format!("\"{escaped}\"")
}

fn is_metric_name(name: &str) -> bool {
    is_word(name, |c| c == ':')
}

fn is_label_name(name: &str) -> bool {
    is_word(name, |_| false)
}

fn is_word(text: &str, also: impl Fn(char) -> bool) -> bool {
    let letter = |c: char| c.is_ascii_alphabetic() || c == '_' || also(c);
    text.starts_with(letter) && text.chars().all(|c| letter(c) || c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tsdb::{Labels, STALE};

    #[test]
    fn series_are_written_in_order_and_names_quoted_where_need_be() {
        let mut storage = Storage::new();
        for (labels, samples) in [
            (
                vec![("__name__", "b")],
                vec![(1500, 1.0), (3000, STALE), (4000, f64::NAN)],
            ),
            (
                vec![("__name__", "a"), ("x", "1\"\\\n")],
                vec![(-1, f64::INFINITY)],
            ),
            (vec![("__name__", "a.b"), ("x y", "2")], vec![(0, 1e-7)]),
            (vec![("x", "3")], vec![(10, -0.0)]),
        ] {
            let samples = samples
                .into_iter()
                .map(|(ms, value)| (Timestamp::from_millis(ms), value));
            storage.insert(&Labels::new(labels), samples).unwrap();
        }
        let mut out = Vec::new();
        write(&storage, &mut out).unwrap();
        let expected = "a{x=\"1\\\"\\\\\\n\"} +Inf -0.001\n{\"a.b\",\"x y\"=\"2\"} 1e-07 0\nb 1.0 1.5\nb NaN 4\n{x=\"3\"} -0.0 0.01\n# EOF\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn times_can_be_counted_from_another_zero() {
        let mut storage = Storage::new();
        let samples = [(Timestamp::from_secs(-5), 1.0), (Timestamp::ZERO, 2.0)];
        let labels = Labels::new([("__name__", "a")]);
        storage.insert(&labels, samples).unwrap();
        let mut out = Vec::new();
        write_since(&storage, Timestamp::from_millis(-5500), &mut out).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "a 1.0 0.5\na 2.0 5.5\n# EOF\n"
        );
    }
}
