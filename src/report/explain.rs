//! One tick's checks in full: the query as it was asked, the samples it saw, the arithmetic from them to the value, the
//! truth, what followed, and what would have made the difference.

use crate::engine::Bound;
use crate::record::{CheckRow, QueryRecord, Record, SelectorSeen, SeriesSeen, TickRecord};
use crate::study::arithmetic::{Element, Step};
use crate::study::flip::{Flip, InVain, Search};
use crate::time::{Span, Timestamp};

use super::verdict::headline;
use super::words::{comparison, metric, value};

/// Samples shown of a series; of more, the first and the last are shown.
const SAMPLES: usize = 12;
/// Series shown of a selector, and elements of a step.
const SERIES: usize = 6;

/// A check, and what was found out about it besides the record.
#[derive(Debug)]
pub struct Explained<'a> {
    /// Its query.
    pub query: &'a QueryRecord,
    /// From the samples to the value.
    pub steps: Vec<Step>,
    /// What would have flipped it, where that was searched for.
    pub search: Option<Search>,
}

/// The last tick at or before `at` that made checks.
pub fn tick(record: &Record, at: Timestamp) -> Option<&TickRecord> {
    let before = record.ticks.iter().take_while(|tick| tick.at <= at);
    before.filter(|tick| !tick.queries.is_empty()).last()
}

/// What is said where no check was made by then.
pub fn nothing(at: Timestamp) -> String {
    format!("No check was made by {}.\n", at.clock())
}

/// The checks of a tick.
pub fn explain(record: &Record, tick: &TickRecord, checks: &[Explained<'_>]) -> String {
    let mut out = format!(
        "{}: the tick at {} {} (phase {}, failed checks {}, weight {}%)\n",
        record.scenario_name,
        tick.at.clock(),
        came_to(tick),
        tick.phase,
        tick.failed_checks,
        tick.canary_weight,
    );
    for explained in checks {
        out.push('\n');
        out += &check(record, tick, explained);
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

fn check(record: &Record, tick: &TickRecord, explained: &Explained<'_>) -> String {
    let query = explained.query;
    let row = CheckRow::from(query);
    let verdict = if query.passed { "PASS" } else { "FAIL" };
    let mut out = format!("{}: {verdict}, {}\n", metric(&row), comparison(&row));
    out += &format!("  asked at {}:\n", query.evaluated_at.clock());
    for line in query.text.trim().lines() {
        out += &format!("    {}\n", line.trim_end());
    }
    out += &samples_seen(query);
    out += &arithmetic(&explained.steps);
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
    out += &format!("  then:   {}\n", consequence(record, tick, query));
    if let Some(search) = &explained.search {
        out += &difference(search);
    }
    out
}

/// The selectors with their series, labels that all of them share said once.
fn samples_seen(query: &QueryRecord) -> String {
    let shared = shared_labels(&query.selectors);
    let mut out = String::new();
    if !shared.is_empty() {
        out += &format!("  every series has {}\n", shared.join(", "));
    }
    for (number, selector) in query.selectors.iter().enumerate() {
        let selected: Vec<&str> = selector.selector.split_whitespace().collect();
        out += &format!("  saw, for S{} = {}:\n", number + 1, selected.join(" "));
        if selector.series.is_empty() {
            out += "    no series\n";
        }
        for series in selector.series.iter().take(SERIES) {
            let mut own = labels(&series.labels);
            own.retain(|label| !shared.contains(label));
            let named = if own.is_empty() {
                "the series".to_owned()
            } else {
                own.join(", ")
            };
            out += &format!("    {named}\n      {}\n", samples(series));
        }
        if let Some(more) = selector.series.len().checked_sub(SERIES).filter(|n| *n > 0) {
            out += &format!("    ... and {more} more series, in run.json\n");
        }
    }
    out
}

/// Labels that every series of the query has, where there are several to say them of or they are many.
fn shared_labels(selectors: &[SelectorSeen]) -> Vec<&str> {
    let mut all = selectors.iter().flat_map(|selector| &selector.series);
    let Some(first) = all.next() else {
        return Vec::new();
    };
    let rest: Vec<&SeriesSeen> = all.collect();
    let mut shared = labels(&first.labels);
    for series in rest {
        let its = labels(&series.labels);
        shared.retain(|label| its.contains(label));
    }
    shared
}

/// The labels in a printed series, `status="200"` each.
fn labels(series: &str) -> Vec<&str> {
    let mut rest = series.split_once('{').map_or("", |(_, rest)| rest);
    let mut labels = Vec::new();
    while let Some(start) = rest.find("=\"").map(|equals| equals + 2) {
        let mut escaped = false;
        let quote = rest[start..].find(|c| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        });
        let Some(end) = quote.map(|quote| start + quote + 1) else {
            break;
        };
        labels.push(&rest[..end]);
        rest = rest[end..].trim_start_matches([',', ' ']);
    }
    labels
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

fn arithmetic(steps: &[Step]) -> String {
    if steps.is_empty() {
        return String::new();
    }
    let mut out = "  arithmetic:\n".to_owned();
    for step in steps {
        let head = format!("    {} = {}", step.name, step.formula);
        match step.values.as_slice() {
            [] => out += &format!("{head} = nothing\n"),
            [only] => out += &format!("{head} = {}\n", element(only)),
            several => {
                out += &format!("{head}:\n");
                for one in several.iter().take(SERIES) {
                    out += &format!("        {}: {}\n", one.labels, element(one));
                }
                if let Some(more) = several.len().checked_sub(SERIES).filter(|n| *n > 0) {
                    out += &format!("        ... and {more} more\n");
                }
            }
        }
    }
    out
}

fn element(element: &Element) -> String {
    let number = digits(element.value);
    match element.rise {
        Some(rise) => format!(
            "{number} ({} more in {:.1} s, extrapolated to {} in the window's {} s)",
            rise.by,
            rise.seconds,
            digits(rise.extrapolated),
            rise.window,
        ),
        None => number,
    }
}

/// A number to five digits, as people read it.
fn digits(number: f64) -> String {
    if !number.is_finite() || number == 0.0 {
        return value(number);
    }
    let text = if (1e-3..1e7).contains(&number.abs()) {
        format!("{number:.4}")
    } else {
        format!("{number:.3e}")
    };
    match text.contains('.') && !text.contains('e') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

/// What Flagger did with it.
fn consequence(record: &Record, tick: &TickRecord, query: &QueryRecord) -> String {
    let weight = tick.canary_weight;
    if query.passed {
        return match tick.decision.as_str() {
            "halted" => "it passed, and another check of this tick did not".to_owned(),
            "advanced" => format!("it passed, and the weight went to {weight}%"),
            "promoting" => "it passed, and the release was promoted".to_owned(),
            "waiting" => format!("it passed, and a gate keeps the canary at {weight}%"),
            _ => "it passed".to_owned(),
        };
    }
    if tick.decision == "rolled-back" {
        return "this tick rolled back: the first failed check ends it under these rules"
            .to_owned();
    }
    let limit = record.scenario["manifests"]["canary"]["spec"]["analysis"]["threshold"]
        .as_i64()
        .unwrap_or(1)
        .max(1);
    let counted = format!("failed check {} of {limit}", tick.failed_checks);
    let next = record.ticks.iter().find(|other| other.at > tick.at);
    match next {
        Some(next) if next.decision == "rolled-back" => format!(
            "{counted}; Flagger tests the count at its next tick, and rolled back at {}",
            next.at.clock()
        ),
        Some(next) => format!(
            "{counted}; the canary stays at {weight}%, and {} looks again",
            next.at.clock()
        ),
        None => format!("{counted}; the canary stays at {weight}%"),
    }
}

/// The nearest change that flips the check, the others, and what was turned in vain.
fn difference(search: &Search) -> String {
    let (would, other) = if search.failed {
        ("passed", "fails")
    } else {
        ("failed", "passes")
    };
    let mut out = format!("  it would have {would} with (each alone, on the same seed):\n");
    if search.flips.is_empty() {
        out = format!("  no single change that was tried flips it; it {other} with:\n");
    }
    for (index, flip) in search.flips.iter().enumerate() {
        let nearest = if index == 0 { "nearest: " } else { "" };
        out += &format!("    {nearest}{}\n", changed(flip));
    }
    for vain in &search.in_vain {
        out += &format!("    not by {}\n", unchanged(vain));
    }
    out
}

fn changed(flip: &Flip) -> String {
    let reads = flip.value.map_or("no value".to_owned(), |reads| {
        format!("reads {}", value(reads))
    });
    let decided = flip
        .decided_at
        .map_or_else(String::new, |at| format!(" at {}", at.clock()));
    let how = if flip.set.value.contains("\\n") {
        format!("in {}", flip.set.key)
    } else {
        format!("--set {}={}", flip.set.key, flip.set.value)
    };
    format!(
        "{} {} instead of {} ({how}): {reads}; the run then ends {}{decided}",
        flip.knob.words(),
        flip.to,
        flip.from,
        headline(flip.outcome).to_lowercase(),
    )
}

fn unchanged(vain: &InVain) -> String {
    let (lowest, highest) = &vain.tried;
    format!(
        "{} (it is {}; tried from {lowest} to {highest})",
        vain.knob.words(),
        vain.from
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
