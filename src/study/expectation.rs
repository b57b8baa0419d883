//! `[expect]` held against a run, and against many: plain functions from what was expected and what came to pass.

use crate::canary::Phase;
use crate::record::{EventRecord, Record};
use crate::scenario::{EventPattern, Expect, WeightAt};
use crate::time::{Span, Timestamp};

use super::monte_carlo::Run;
use super::stats::Z95;
use super::stats::wilson;

/// One thing that was expected, and whether it held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectationResult {
    /// The key: `outcome`, `decided_by`, ...
    pub key: &'static str,
    /// Which element of the key's list or table it is.
    pub element: Option<String>,
    /// What was expected: `rolled-back`, `1:00`, `120`, `500ms`.
    pub expected: String,
    /// What it was, in the same form.
    pub found: String,
    /// When that came to pass, where it was at one moment.
    pub at: Option<Timestamp>,
    /// Whether it held.
    pub met: bool,
}

/// Holds each key that is given against the run, in the order of the file's documentation. Bounds on probabilities, of which
/// one run says nothing, are left to [`evaluate_runs`].
pub fn evaluate(expect: &Expect, record: &Record) -> Vec<ExpectationResult> {
    let decided = record.decided_at;
    let decided_text = decided.map_or_else(|| "undecided".to_owned(), Timestamp::clock);
    let result = |key, expected: String, found: String, at, met| ExpectationResult {
        key,
        element: None,
        expected,
        found,
        at,
        met,
    };
    let mut results = Vec::new();
    if let Some(outcome) = &expect.outcome {
        let found = record.outcome.as_str();
        let at = decided.or(record.finished_at);
        results.push(result(
            "outcome",
            outcome.clone(),
            found.to_owned(),
            at,
            outcome == found,
        ));
    }
    if let Some(by) = expect.decided_by.map(moment) {
        let met = decided.is_some_and(|at| at <= by);
        let found = decided_text.clone();
        results.push(result("decided_by", by.clock(), found, decided, met));
    }
    if let Some(before) = expect.not_before.map(moment) {
        let met = decided.is_none_or(|at| at >= before);
        let found = decided_text;
        results.push(result("not_before", before.clock(), found, decided, met));
    }
    if let Some(most) = expect.max_failed_requests {
        let failed = record.requests.failed;
        results.push(result(
            "max_failed_requests",
            most.to_string(),
            failed.to_string(),
            exceeded(record, most),
            failed <= most,
        ));
    }
    if let Some(most) = expect.max_p99 {
        let p99 = record.latency.p99_ms;
        results.push(result(
            "max_p99",
            most.to_string(),
            format!("{p99:.1}ms"),
            None,
            p99 <= most.as_millis() as f64,
        ));
    }
    if !expect.phases.is_empty() {
        results.push(phases(&expect.phases, record));
    }
    results.extend(
        expect
            .weights
            .iter()
            .map(|weight| weight_at(*weight, record)),
    );
    let events = expect.events.iter().enumerate();
    results.extend(events.map(|(index, pattern)| event("events", index, pattern, record, true)));
    let none = expect.no_events.iter().enumerate();
    results.extend(none.map(|(index, pattern)| event("no_events", index, pattern, record, false)));
    results
}

/// Holds each bound on a probability against the first so many of these runs. Where there are fewer, against those.
pub fn evaluate_runs(expect: &Expect, runs: &[Run]) -> Vec<ExpectationResult> {
    let bounds = expect.probabilities.iter().enumerate();
    bounds
        .map(|(index, bound)| {
            let wanted = usize::try_from(bound.runs).unwrap_or(usize::MAX);
            let runs = &runs[..runs.len().min(wanted)];
            let by = bound.by.map(moment);
            let counts = |run: &&Run| {
                run.outcome.as_str() == bound.outcome
                    && by.is_none_or(|by| run.decided_at.is_some_and(|at| at <= by))
            };
            let (count, of) = (runs.iter().filter(counts).count() as u64, runs.len() as u64);
            let share = wilson::interval(count, of, Z95);
            ExpectationResult {
                key: "probabilities",
                element: Some(index.to_string()),
                expected: format!("{} {}", bound.counted(), bound.bound()),
                found: format!(
                    "{:.3}: {count} of {of} runs, 95 % interval {:.3} to {:.3}",
                    share.p, share.lo, share.hi
                ),
                at: None,
                met: bound.holds(count, of),
            }
        })
        .collect()
}

/// Most runs that a bound asks for.
pub fn runs_wanted(expect: &Expect) -> u64 {
    let runs = expect.probabilities.iter().map(|bound| bound.runs);
    runs.max().unwrap_or(0)
}

/// The second in which more than so many requests had failed.
fn exceeded(record: &Record, most: u64) -> Option<Timestamp> {
    let mut failed = 0;
    let mut from_zero = record.traffic.iter().filter(|second| second.at_s >= 0);
    let second = from_zero.find(|second| {
        failed += second.failed;
        failed > most
    })?;
    Some(Timestamp::ZERO + Span::from_secs(second.at_s))
}

/// The phases from time zero on, each once where it lasts, with the tick that brought it.
fn phases_of(record: &Record) -> Vec<(Timestamp, Phase)> {
    let mut found: Vec<(Timestamp, Phase)> = Vec::new();
    for tick in record
        .ticks
        .iter()
        .filter(|tick| tick.at >= Timestamp::ZERO)
    {
        if found.last().is_none_or(|(_, phase)| *phase != tick.phase) {
            found.push((tick.at, tick.phase));
        }
    }
    found
}

fn phases(expected: &[Phase], record: &Record) -> ExpectationResult {
    let found = phases_of(record);
    let mut rest = found.iter();
    let met = expected
        .iter()
        .all(|phase| rest.any(|(_, found)| found == phase));
    let named = |phases: &mut dyn Iterator<Item = Phase>| {
        let names: Vec<&str> = phases.map(Phase::as_str).collect();
        names.join(", ")
    };
    ExpectationResult {
        key: "phases",
        element: None,
        expected: named(&mut expected.iter().copied()),
        found: named(&mut found.iter().map(|(_, phase)| *phase)),
        at: found.last().map(|(at, _)| *at),
        met,
    }
}

fn weight_at(expected: WeightAt, record: &Record) -> ExpectationResult {
    let at = moment(expected.at);
    let last = record.ticks.iter().take_while(|tick| tick.at <= at).last();
    let found = last.map_or(0, |tick| tick.canary_weight);
    ExpectationResult {
        key: "weights",
        element: Some(expected.at.to_string()),
        expected: format!("{} % at {}", expected.canary, at.clock()),
        found: format!("{found} %"),
        at: Some(at),
        met: found == expected.canary,
    }
}

fn event(
    key: &'static str,
    index: usize,
    pattern: &EventPattern,
    record: &Record,
    wanted: bool,
) -> ExpectationResult {
    let mut events = record.events.iter();
    let is_it = |event: &&EventRecord| event.at >= Timestamp::ZERO && pattern.is_in(&event.message);
    let first = events.find(is_it);
    ExpectationResult {
        key,
        element: Some(index.to_string()),
        expected: format!("\"{}\"", pattern.0),
        found: match first {
            Some(event) => format!("\"{}\"", event.message),
            None => "no such event".to_owned(),
        },
        at: first.map(|event| event.at),
        met: first.is_some() == wanted,
    }
}

/// Expected times count from time zero, as those of a record do.
fn moment(span: Span) -> Timestamp {
    Timestamp::ZERO + span
}
