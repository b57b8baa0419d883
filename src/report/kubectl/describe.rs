//! `kubectl describe canary`.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use super::{StoredEvent, status_at, stored};
use crate::record::Record;
use crate::time::{Span, Timestamp};

/// The description of a run's Canary at a moment: its spec as at the start, its status and events as at `at`.
pub fn describe(record: &Record, at: Timestamp) -> String {
    let canary = &record.scenario["manifests"]["canary"];
    let (name, namespace) = record
        .canary
        .split_once('.')
        .unwrap_or((&record.canary, ""));
    let mut lines = Lines::default();
    lines.pair(0, "Name", name);
    lines.pair(0, "Namespace", namespace);
    lines.map(0, "Labels", &canary["metadata"]["labels"]);
    lines.map(0, "Annotations", &canary["metadata"]["annotations"]);
    lines.pair(0, "API Version", "flagger.app/v1beta1");
    lines.pair(0, "Kind", "Canary");
    lines.content(0, &json!({ "spec": written(&canary["spec"]) }));
    lines.content(0, &json!({ "status": status(record, at) }));
    let mut out = lines.aligned();
    out += &events(&stored(&record.events, at), at);
    out
}

/// What a manifest says of a spec: a record also holds what it leaves unsaid, as false, 0 and nothing.
fn written(spec: &Value) -> Value {
    match spec {
        Value::Object(map) => {
            let said = map.iter().map(|(key, value)| (key.clone(), written(value)));
            Value::Object(said.filter(|(_, value)| !is_nothing(value)).collect())
        }
        Value::Array(list) => list.iter().map(written).collect(),
        other => other.clone(),
    }
}

/// The status as its fields are spelled, with the run's own time for dates.
fn status(record: &Record, at: Timestamp) -> Value {
    let status = status_at(record, at);
    let clock = |at: Option<Timestamp>| at.map(Timestamp::clock).unwrap_or_default();
    let conditions = status.conditions.iter().map(|condition| {
        json!({
            "type": condition.kind,
            "status": condition.status,
            "reason": condition.reason,
            "message": condition.message,
            "lastUpdateTime": clock(condition.last_update_time),
            "lastTransitionTime": clock(condition.last_transition_time),
        })
    });
    json!({
        "canaryWeight": status.canary_weight,
        "conditions": conditions.collect::<Vec<Value>>(),
        "failedChecks": status.failed_checks,
        "iterations": status.iterations,
        "lastTransitionTime": clock(status.last_transition_time),
        "phase": status.phase.as_str(),
    })
}

/// Lines of one or two cells.
#[derive(Debug, Default)]
struct Lines(Vec<(String, Option<String>)>);

impl Lines {
    fn pair(&mut self, level: usize, label: &str, value: &str) {
        let label = format!("{}{label}:", "  ".repeat(level));
        self.0.push((label, Some(value.to_owned())));
    }

    fn alone(&mut self, level: usize, text: &str) {
        self.0.push((format!("{}{text}", "  ".repeat(level)), None));
    }

    /// Labels and annotations: one a line, the first beside the title.
    fn map(&mut self, level: usize, label: &str, map: &Value) {
        let pairs: Vec<String> = (map.as_object().into_iter().flatten())
            .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
            .collect();
        let mut pairs = pairs.into_iter();
        self.pair(level, label, &pairs.next().unwrap_or("<none>".to_owned()));
        for pair in pairs {
            self.0.push((String::new(), Some(pair)));
        }
    }

    /// An object whose kind kubectl does not know (`printUnstructuredContent`).
    fn content(&mut self, level: usize, object: &Value) {
        let none = Map::new();
        for (key, value) in object.as_object().unwrap_or(&none) {
            let label = label(key);
            match value {
                Value::Object(_) => {
                    self.alone(level, &format!("{label}:"));
                    self.content(level + 1, value);
                }
                Value::Array(list) => {
                    self.alone(level, &format!("{label}:"));
                    for element in list {
                        if element.is_object() {
                            self.content(level + 1, element);
                        } else {
                            self.alone(level + 1, &plain(element));
                        }
                    }
                }
                value => self.pair(level, &label, &plain(value)),
            }
        }
    }

    /// The lines, second cells two columns after the longest first one of their neighbours (Go's `text/tabwriter`).
    fn aligned(self) -> String {
        let mut out = String::new();
        for block in self.0.chunk_by(|a, b| a.1.is_some() == b.1.is_some()) {
            let widest = block
                .iter()
                .map(|(first, _)| first.len())
                .max()
                .unwrap_or(0);
            for (first, second) in block {
                match second {
                    Some(second) => _ = writeln!(out, "{first:width$}{second}", width = widest + 2),
                    None => _ = writeln!(out, "{first}"),
                }
            }
        }
        out
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(true) => false,
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        // A whole number is one, whatever it was read as.
        Value::Number(number) => number
            .as_f64()
            .map_or(number.to_string(), |n| n.to_string()),
        other => other.to_string(),
    }
}

/// `canaryWeight` as `Canary Weight` and `apiVersion` as `API Version` (`smartLabelFor`).
fn label(key: &str) -> String {
    let mut words = vec![String::new()];
    for c in key.chars() {
        if c.is_uppercase() {
            words.push(String::new());
        }
        words.last_mut().expect("there is a word").push(c);
    }
    let shown = words.iter().filter(|word| !word.is_empty()).map(|word| {
        let upper = word.to_uppercase();
        if ["API", "URL", "UID", "OSB", "GUID"].contains(&upper.as_str()) {
            return upper;
        }
        let mut letters = word.chars();
        let first = letters.next().into_iter().flat_map(char::to_uppercase);
        first.chain(letters).collect()
    });
    shown.collect::<Vec<String>>().join(" ")
}

/// The table of events (`DescribeEvents`).
fn events(events: &[StoredEvent], at: Timestamp) -> String {
    if events.is_empty() {
        return "Events:  <none>\n".to_owned();
    }
    let head = ["Type", "Reason", "Age", "From", "Message"].map(str::to_owned);
    let rule = head.clone().map(|title| match title.as_str() {
        // As wide as kubectl draws them.
        "Reason" => "------".to_owned(),
        "Message" => "-------".to_owned(),
        _ => "----".to_owned(),
    });
    let row = |event: &StoredEvent| {
        let last = human(at - event.last);
        let age = if event.count > 1 {
            format!("{last} (x{} over {})", event.count, human(at - event.first))
        } else {
            last
        };
        let message = event.message.trim().replace('\n', " ");
        [
            event.kind.as_str().to_owned(),
            "Synced".to_owned(),
            age,
            "flagger".to_owned(),
            message,
        ]
    };
    let rows: Vec<[String; 5]> = [head, rule]
        .into_iter()
        .chain(events.iter().map(row))
        .collect();
    let widths: Vec<usize> = (0..5)
        .map(|column| rows.iter().map(|row| row[column].len()).max().unwrap_or(0) + 2)
        .collect();
    let mut out = "Events:\n".to_owned();
    for row in rows {
        let mut line = "  ".to_owned();
        for (cell, width) in row.iter().zip(&widths) {
            line += &format!("{cell:width$}", width = *width);
        }
        out += line.trim_end();
        out.push('\n');
    }
    out
}

/// A span as kubectl shows ages (`apimachinery/pkg/util/duration`, `HumanDuration`), up to two days.
fn human(span: Span) -> String {
    let seconds = span.as_millis().max(0) / 1000;
    let minutes = seconds / 60;
    let with_rest = |whole: i64, unit: &str, rest: i64, small: &str| {
        if rest == 0 {
            format!("{whole}{unit}")
        } else {
            format!("{whole}{unit}{rest}{small}")
        }
    };
    if seconds < 120 {
        format!("{seconds}s")
    } else if minutes < 10 {
        with_rest(minutes, "m", seconds % 60, "s")
    } else if minutes < 180 {
        format!("{minutes}m")
    } else if minutes < 8 * 60 {
        with_rest(minutes / 60, "h", minutes % 60, "m")
    } else {
        format!("{}h", minutes / 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_words_and_acronyms() {
        for (key, text) in [
            ("canaryWeight", "Canary Weight"),
            ("apiVersion", "API Version"),
            ("url", "URL"),
        ] {
            assert_eq!(label(key), text);
        }
    }

    #[test]
    fn ages_are_cut_off_where_kubectl_cuts_them() {
        for (seconds, text) in [
            (-3, "0s"),
            (119, "119s"),
            (120, "2m"),
            (599, "9m59s"),
            (600, "10m"),
            (10_799, "179m"),
            (10_800, "3h"),
            (11_000, "3h3m"),
            (28_800, "8h"),
        ] {
            assert_eq!(human(Span::from_secs(seconds)), text);
        }
    }
}
