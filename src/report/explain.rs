//! One tick's checks in full: the query as it was asked, the samples it saw, what became of them, and the truth.

use crate::record::{QueryRecord, Record, SeriesSeen, TickRecord};
use crate::time::{Span, Timestamp};

use super::words::{comparison, metric, value};
use crate::engine::Bound;
use crate::record::CheckRow;

/// Samples shown of a series; of more, the first and the last are shown.
const SAMPLES: usize = 12;

/// The checks of the last tick at or before `at` that made any.
pub fn explain(record: &Record, at: Timestamp) -> String {
    let before = record.ticks.iter().take_while(|tick| tick.at <= at);
    let Some(tick) = before.filter(|tick| !tick.queries.is_empty()).last() else {
        return format!("No check was made by {}.\n", at.clock());
    };
    let mut out = format!(
        "{}: the tick at {} {} (phase {}, failed checks {}, weight {}%)\n",
        record.scenario_name,
        tick.at.clock(),
        came_to(tick),
        tick.phase,
        tick.failed_checks,
        tick.canary_weight,
    );
    for query in &tick.queries {
        out.push('\n');
        out += &check(record, query);
    }
    let said = said(record, tick);
    if !said.is_empty() {
        out += "\nFlagger said:\n";
        for line in said {
            out += &format!("  {line}\n");
        }
    }
    out
}

/// A tick's decision as a predicate.
fn came_to(tick: &TickRecord) -> String {
    match tick.decision.as_str() {
        "halted" => "halted the advancement".to_owned(),
        "advanced" => "advanced".to_owned(),
        other => format!("ended \"{other}\""),
    }
}

fn check(record: &Record, query: &QueryRecord) -> String {
    let row = CheckRow {
        at: query.evaluated_at,
        metric: query.metric.clone(),
        source: query.source,
        value: query.value,
        bound: query.bound,
        passed: query.passed,
    };
    let verdict = if query.passed { "PASS" } else { "FAIL" };
    let mut out = format!("{}: {verdict}, {}\n", metric(&row), comparison(&row));
    out += &format!("  asked at {}:\n", query.evaluated_at.clock());
    for line in query.text.trim().lines() {
        out += &format!("    {}\n", line.trim_end());
    }
    for selector in &query.selectors {
        let selected: Vec<&str> = selector.selector.split_whitespace().collect();
        out += &format!("  saw, for {}:\n", selected.join(" "));
        if selector.series.is_empty() {
            out += "    no series\n";
        }
        for series in &selector.series {
            out += &format!("    {}\n      {}\n", series.labels, samples(series));
        }
    }
    let bound = match query.bound {
        Some(Bound::Min(min)) => format!("at least {min}"),
        Some(Bound::Max(max)) => format!("at most {max}"),
        None => "none".to_owned(),
    };
    let shown = |number: Option<f64>, none: &str| number.map_or(none.to_owned(), value);
    out += &format!("  value:  {}\n", shown(query.value, "none"));
    out += &format!("  bound:  {bound}\n");
    // A recording does not know what users really got.
    if record.replay.is_none() {
        let truth = shown(query.truth, "not known, or no user reached the canary");
        out += &format!("  truth:  {truth} (what the canary's users got in the query's window)\n");
    }
    if let Some(message) = &query.message {
        out += &format!("  so:     {message}\n");
    }
    out
}

/// The samples of a series in one line.
pub(super) fn samples(series: &SeriesSeen) -> String {
    let shown = |(at, v): &(Timestamp, f64)| format!("{} {v}", at.clock());
    let all: Vec<String> = series.samples.iter().map(shown).collect();
    if all.is_empty() {
        return "no sample in the window".to_owned();
    }
    if all.len() <= SAMPLES {
        return all.join(", ");
    }
    let half = SAMPLES / 2;
    let (first, last) = (&all[..half], &all[all.len() - half..]);
    let hidden = all.len() - SAMPLES;
    format!(
        "{}, ... {hidden} more ..., {}",
        first.join(", "),
        last.join(", ")
    )
}

/// Events of the tick: those from its start to the next tick's.
fn said<'a>(record: &'a Record, tick: &TickRecord) -> Vec<&'a str> {
    let next = record.ticks.iter().find(|other| other.at > tick.at);
    let end = next.map_or(record.ended_at + Span::from_millis(1), |next| next.at);
    let events = record.events.iter();
    events
        .filter(|event| (tick.at..end).contains(&event.at))
        .map(|event| event.message.as_str())
        .collect()
}
