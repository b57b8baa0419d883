//! From a check's samples to its value: what the query computes on the way, step by step.
//!
//! The record keeps the samples that a query saw, and the query is evaluated once more on these alone, part by part, by the
//! evaluator that answered it. What it asked outside of them is not there: a query whose parts do not come to the recorded
//! value, such as one with a subquery whose steps saw stale series, gets no arithmetic.

use std::collections::BTreeMap;

use crate::promql::{self, Options, Query, Value, Version};
use crate::record::QueryRecord;
use crate::time::Timestamp;
use crate::tsdb::{Labels, Storage};

/// Something that a query computes.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The name that later steps call it by: `a`, `b`, ...
    pub name: String,
    /// What is computed: names of steps, selectors as `S1`, `S2`, operators and functions.
    pub formula: String,
    /// What it came to, by the labels that tell the elements apart; empty where there was nothing.
    pub values: Vec<Element>,
}

/// An element of a step's value.
#[derive(Clone, Debug, PartialEq)]
pub struct Element {
    /// Labels that not all elements share, as `status="200"`; empty for the only one.
    pub labels: String,
    /// Its value.
    pub value: f64,
    /// For a rate or an increase, what the samples say.
    pub rise: Option<Rise>,
}

/// How a counter rose in the samples of a window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rise {
    /// By how much, falls taken for new starts.
    pub by: f64,
    /// From the first sample to the last, in seconds.
    pub seconds: f64,
    /// How much of it the function makes of the window, whose ends have no samples.
    pub extrapolated: f64,
    /// The window in seconds.
    pub window: f64,
}

/// The steps from the samples to the value; none where they do not lead there.
pub fn arithmetic(query: &QueryRecord, prometheus: &str) -> Vec<Step> {
    steps(query, prometheus).unwrap_or_default()
}

fn steps(query: &QueryRecord, prometheus: &str) -> Option<Vec<Step>> {
    let options = Options {
        version: Version::of_release(prometheus).unwrap_or_default(),
        ..Options::default()
    };
    let storage = storage(query)?;
    let whole = Query::compile(&query.text, &options).ok()?;
    let parts = whole.parts();
    let selectors: Vec<_> = whole.selectors().iter().map(|s| s.span.clone()).collect();
    let mut steps = Vec::new();
    for (index, part) in parts.iter().enumerate() {
        let text = &query.text[part.clone()];
        let answer = Query::compile(text, &options).ok()?;
        let answer = answer.instant(&storage, query.evaluated_at).ok()?;
        let inner = |place: &&std::ops::Range<usize>| {
            part.start <= place.start && place.end <= part.end && *place != part
        };
        // What is inside a step before it is in there already.
        let known = parts[..index].iter().enumerate();
        let named = known.filter(|(_, place)| inner(place));
        let outermost: Vec<(usize, &std::ops::Range<usize>)> = named
            .clone()
            .filter(|(_, place)| {
                let mut others = named.clone();
                !others.any(|(_, other)| {
                    other != *place && other.start <= place.start && place.end <= other.end
                })
            })
            .collect();
        let mut replaced: Vec<(std::ops::Range<usize>, String)> = outermost
            .iter()
            .map(|(step, place)| ((*place).clone(), name(*step)))
            .collect();
        let unnamed = selectors.iter().enumerate().filter(|(_, place)| {
            let within = |(_, other): &(usize, &std::ops::Range<usize>)| {
                other.start <= place.start && place.end <= other.end
            };
            inner(place) && !outermost.iter().any(within)
        });
        replaced.extend(unnamed.map(|(n, place)| (place.clone(), format!("S{}", n + 1))));
        replaced.sort_by_key(|(place, _)| place.start);
        let mut values = elements(answer.value)?;
        let ranges = whole.selectors().iter();
        let mut ranges = ranges.filter(|selector| inner(&&selector.span));
        if let Some(range) = ranges.find_map(|selector| selector.range) {
            let window = range.as_secs_f64();
            let per = match text.split_once('(').map(|(function, _)| function) {
                Some("rate") => Some(window),
                Some("increase") => Some(1.0),
                _ => None,
            };
            if let Some(per) = per {
                let rises = rises(query);
                for (labels, element) in &mut values {
                    element.rise = rises.get(labels).map(|(by, seconds)| Rise {
                        by: *by,
                        seconds: *seconds,
                        extrapolated: element.value * per,
                        window,
                    });
                }
            }
        }
        steps.push(Step {
            name: name(index),
            formula: formula(&query.text, part, &replaced),
            values: values.into_iter().map(|(_, element)| element).collect(),
        });
    }
    let came_to = steps.last()?.values.last().map(|element| element.value);
    let same = match (came_to, query.value) {
        (Some(found), Some(recorded)) => found.to_bits() == recorded.to_bits(),
        (found, None) => found.is_none_or(f64::is_nan),
        (None, Some(_)) => false,
    };
    same.then_some(steps)
}

/// The samples that the query saw. `None` where a series cannot be read back.
fn storage(query: &QueryRecord) -> Option<Storage> {
    let mut storage = Storage::new();
    for series in query.selectors.iter().flat_map(|seen| &seen.series) {
        let (labels, _) = promql::parse_metric(&series.labels).ok()?;
        storage
            .insert(&labels, series.samples.iter().copied())
            .ok()?;
    }
    Some(storage)
}

/// `a` to `z`, then `a1` and so on.
fn name(index: usize) -> String {
    let letter = char::from(b'a' + (index % 26) as u8);
    match index / 26 {
        0 => letter.to_string(),
        more => format!("{letter}{more}"),
    }
}

/// The text of a part, on one line, with names in the place of what has one.
fn formula(
    text: &str,
    part: &std::ops::Range<usize>,
    replaced: &[(std::ops::Range<usize>, String)],
) -> String {
    let mut out = String::new();
    let mut at = part.start;
    for (place, name) in replaced {
        out += &text[at..place.start];
        out += name;
        at = place.end;
    }
    out += &text[at..part.end];
    let words: Vec<&str> = out.split_whitespace().collect();
    words.join(" ").replace("( ", "(").replace(" )", ")")
}

/// By how much each counter rose in the samples, and in how many seconds, by its labels without a name.
fn rises(query: &QueryRecord) -> BTreeMap<String, (f64, f64)> {
    let series = query.selectors.iter().flat_map(|seen| &seen.series);
    let rise = |samples: &[(Timestamp, f64)]| {
        let pairs = samples.windows(2);
        // A counter that falls has started anew.
        let gained = pairs.map(|pair| match pair[1].1 - pair[0].1 {
            less if less < 0.0 => pair[1].1,
            more => more,
        });
        let (first, last) = (samples.first()?, samples.last()?);
        (samples.len() > 1).then(|| (gained.sum::<f64>(), (last.0 - first.0).as_secs_f64()))
    };
    series
        .filter_map(|series| {
            let (labels, _) = promql::parse_metric(&series.labels).ok()?;
            Some((labels.without_name().to_string(), rise(&series.samples)?))
        })
        .collect()
}

/// The elements of a value, by all of their labels.
fn elements(value: Value) -> Option<Vec<(String, Element)>> {
    match value {
        Value::Scalar(value) => {
            let only = Element {
                labels: String::new(),
                value,
                rise: None,
            };
            Some(vec![(String::new(), only)])
        }
        Value::Vector(vector) => {
            let all: Vec<&Labels> = vector.iter().map(|sample| &sample.labels).collect();
            let differs = |name: &str| {
                let first = all.first().map_or("", |labels| labels.get(name));
                all.iter().any(|labels| labels.get(name) != first)
            };
            let element = |sample: &promql::VectorSample| {
                let kept = sample.labels.iter().filter(|(name, _)| differs(name));
                let kept: Vec<String> = kept.map(|(n, v)| format!("{n}={v:?}")).collect();
                let element = Element {
                    labels: kept.join(", "),
                    value: sample.value,
                    rise: None,
                };
                (sample.labels.without_name().to_string(), element)
            };
            Some(vector.iter().map(element).collect())
        }
        Value::String(_) | Value::Matrix(_) => None,
    }
}
