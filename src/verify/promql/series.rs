//! Series lines of scripts: labels, then values in upstream's short notation (`series_description` in
//! `promql/parser/generated_parser.y`).

use crate::promql::parse_metric;
use crate::tsdb::{Labels, STALE};

/// More values than any script has; a count beyond it is a typing error.
const MAX_VALUES: usize = 1_000_000;

/// A series and its values, `None` where it has none.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct SeriesLine {
    pub(super) labels: Labels,
    pub(super) values: Vec<Option<f64>>,
}

/// Reads a series line: `requests{status="200"} 0+10x5 _ stale`. Native histograms count as no value.
pub(super) fn parse_series(line: &str) -> Result<SeriesLine, String> {
    let (labels, end) = parse_metric(line).map_err(|error| error.message)?;
    let mut values = Vec::new();
    for item in items(&line[end..]) {
        values.extend(parse_item(item)?);
        if values.len() > MAX_VALUES {
            return Err(format!("more than {MAX_VALUES} values"));
        }
    }
    Ok(SeriesLine { labels, values })
}

/// Splits at blanks, except within `{{...}}`.
fn items(text: &str) -> Vec<&str> {
    let mut items = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let mut end = 0;
        while let Some(c) = rest[end..].chars().next() {
            if c == ' ' || c == '\t' {
                break;
            }
            end += match rest[end..]
                .strip_prefix("{{")
                .and_then(|inside| inside.find("}}"))
            {
                Some(close) => close + 4,
                None => c.len_utf8(),
            };
        }
        items.push(&rest[..end]);
        rest = rest[end..].trim_start();
    }
    items
}

/// One item: a value, a gap, or a run of them.
fn parse_item(item: &str) -> Result<Vec<Option<f64>>, String> {
    let bad =
        || format!("{item:?} is no value: 1, 1x5, 1+2x5, 1-2x5, _, _x5 or stale were expected");
    if item == "_" {
        return Ok(vec![None]);
    }
    if item == "stale" {
        return Ok(vec![Some(STALE)]);
    }
    if let Some(count) = item.strip_prefix("_x") {
        return Ok(vec![None; count_of(count).ok_or_else(bad)?]);
    }
    if item.starts_with("{{") {
        let repeated = item.rsplit_once("}}").map_or("", |(_, tail)| tail);
        let count = repeated
            .rsplit_once('x')
            .map_or(Some(0), |(_, count)| count_of(count));
        return Ok(vec![None; count.ok_or_else(bad)? + 1]);
    }
    let (mut value, rest) = take_number(item).ok_or_else(bad)?;
    if rest.is_empty() {
        return Ok(vec![Some(value)]);
    }
    let (step, count) = match rest.strip_prefix('x') {
        Some(count) => (0.0, count),
        None if rest.starts_with(['+', '-']) => {
            let (step, rest) = take_number(rest).ok_or_else(bad)?;
            (step, rest.strip_prefix('x').ok_or_else(bad)?)
        }
        None => return Err(bad()),
    };
    // Steps are added one by one, as upstream does: the last bits depend on it.
    let mut values = vec![Some(value)];
    for _ in 0..count_of(count).ok_or_else(bad)? {
        value += step;
        values.push(Some(value));
    }
    Ok(values)
}

fn count_of(text: &str) -> Option<usize> {
    text.parse().ok().filter(|count| *count <= MAX_VALUES)
}

/// A decimal number, Inf or NaN at the beginning of a text, and what follows it.
fn take_number(text: &str) -> Option<(f64, &str)> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let sign = text.len() - unsigned.len();
    let word = unsigned
        .get(..3)
        .filter(|word| word.eq_ignore_ascii_case("inf") || word.eq_ignore_ascii_case("nan"));
    let length = match word {
        Some(word) => word.len(),
        None => decimal_length(unsigned)?,
    };
    let (number, rest) = text.split_at(sign + length);
    Some((number.parse().ok()?, rest))
}

/// How long a decimal number with an optional exponent is.
fn decimal_length(text: &str) -> Option<usize> {
    let digits = |from: usize| {
        let tail = &text[from..];
        tail.len() - tail.trim_start_matches(|c: char| c.is_ascii_digit()).len()
    };
    let mut end = digits(0);
    if text[end..].starts_with('.') {
        end += 1 + digits(end + 1);
    }
    if end == 0 {
        return None;
    }
    if text[end..].starts_with(['e', 'E']) {
        let signed = usize::from(text[end + 1..].starts_with(['+', '-']));
        let exponent = digits(end + 1 + signed);
        if exponent > 0 {
            end += 1 + signed + exponent;
        }
    }
    Some(end)
}

/// A number that stands alone as an expected scalar; here hexadecimal is allowed.
pub(super) fn parse_scalar(text: &str) -> Option<f64> {
    if let Some(hex) = text.to_ascii_lowercase().strip_prefix("0x") {
        return i64::from_str_radix(hex, 16).ok().map(|value| value as f64);
    }
    match take_number(text) {
        Some((value, "")) => Some(value),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tsdb::is_stale;

    fn shown(line: &str) -> String {
        let text = |value: &Option<f64>| match value {
            None => "_".to_owned(),
            Some(value) if is_stale(*value) => "stale".to_owned(),
            Some(value) => value.to_string(),
        };
        let series = parse_series(line).unwrap();
        let values: Vec<_> = series.values.iter().map(text).collect();
        format!("{} {}", series.labels, values.join(" "))
    }

    #[test]
    fn short_notations_are_written_out() {
        for (line, expected) in [
            ("a 1 2.5 -3e2 .5", "a 1 2.5 -300 0.5"),
            ("a 1x2", "a 1 1 1"),
            ("a 1+2x2 10-5x3", "a 1 3 5 10 5 0 -5"),
            ("a -1-0.5x1", "a -1 -1.5"),
            ("a _ _x2 stale 0x2", "a _ _ _ stale 0 0 0"),
            ("a Inf -Inf NaN +infx1", "a inf -inf NaN inf inf"),
            ("{b=\"c d\"} 1", "{b=\"c d\"} 1"),
            ("a {{schema:0 count:1}} 2 {{count:1}}x1", "a _ 2 _ _"),
        ] {
            assert_eq!(shown(line), expected, "{line}");
        }
    }

    #[test]
    fn what_is_no_value_is_refused() {
        for line in [
            "a 1x",
            "a x5",
            "a 1+x5",
            "a 1+2",
            "a b",
            "a 0x9999999999",
            "5 1",
            "a 1..2",
        ] {
            assert!(parse_series(line).is_err(), "{line}");
        }
    }
}
