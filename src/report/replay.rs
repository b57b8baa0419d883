//! A replay on the terminal: a row a tick with what it decided, each value beside its bound and the samples it was made of, and
//! a line where the recorded series stop being those that this rollout would have made.

use crate::record::{CheckRow, Outcome, QueryRecord, Record, Replay, SeriesSeen, TickRecord};

use super::explain::samples;
use super::text::{Palette, WIDTH, paragraph, wrap};
use super::verdict::headline;
use super::words::{comparison, metric};

/// The replay as text.
pub fn render(record: &Record, palette: Palette) -> String {
    let Some(replay) = &record.replay else {
        return String::new();
    };
    let provider = record
        .provider
        .map_or("unknown", |provider| provider.as_str());
    let mut out = format!(
        "{}\n",
        palette.bold(&format!(
            "{}: replay of recorded series",
            record.scenario_name
        ))
    );
    out += &format!(
        "{}, rules {}, provider {provider}, interval {}, Prometheus {}\n\n",
        record.canary,
        record.rules.as_str(),
        record.interval,
        replay.prometheus_version
    );
    let rule = "─".repeat(WIDTH);
    out += &format!("{rule}\n");
    for tick in &record.ticks {
        if replay.guess_from == Some(tick.at) {
            out += &mark(replay);
        }
        out += &row(record, replay, tick, palette);
    }
    if replay.differs_at.is_some() && replay.guess_from.is_none() {
        out += &mark(replay);
    }
    out += &format!("{rule}\n\n{}", paragraph(&verdict(record, replay), WIDTH));
    if !replay.notes.is_empty() {
        out += "\nTaken as given, and told:\n";
        for note in &replay.notes {
            for line in wrap(&format!("- {note}"), WIDTH, "  ") {
                out += &format!("{line}\n");
            }
        }
    }
    out
}

/// A tick: its time, the weight it left, what it came to, what was measured, what Flagger says.
fn row(record: &Record, replay: &Replay, tick: &TickRecord, palette: Palette) -> String {
    let guess = if replay.guess_from.is_some_and(|from| tick.at >= from) {
        " (a guess)"
    } else {
        ""
    };
    let head = format!(
        "{:>8} │ canary {:>3}% │ {} │ failed checks {}{guess}",
        tick.at.clock(),
        tick.canary_weight,
        tick.decision,
        tick.failed_checks,
    );
    let mut out = format!("{}\n", palette.bold(&head));
    for query in &tick.queries {
        out += &check(query, palette);
    }
    let next = record.ticks.iter().find(|other| other.at > tick.at);
    for event in &record.events {
        if event.at >= tick.at && next.is_none_or(|next| event.at < next.at) {
            out += &format!("         │ {} {}\n", event.kind.as_str(), event.message);
        }
    }
    out
}

fn check(query: &QueryRecord, palette: Palette) -> String {
    let row = CheckRow::from(query);
    let mark = if query.passed { "✓" } else { "✗" };
    let line = format!("{} {} {mark}", metric(&row), comparison(&row));
    let mut out = format!("         │ {}\n", palette.passed(query.passed, &line));
    // Two selectors of one query mostly see the same series: each is shown once.
    let mut seen: Vec<&SeriesSeen> = Vec::new();
    for series in query.selectors.iter().flat_map(|selector| &selector.series) {
        if seen.iter().all(|known| known.labels != series.labels) {
            seen.push(series);
        }
    }
    let common = common_labels(&seen);
    for series in &seen {
        out += &format!(
            "         │   {}\n         │     {}\n",
            told_apart(&series.labels, &common),
            samples(series)
        );
    }
    if seen.is_empty() {
        out += "         │   no series with samples in the window\n";
    }
    out
}

/// The labels that all of several series have, as they are printed.
fn common_labels<'a>(seen: &[&'a SeriesSeen]) -> Vec<&'a str> {
    let [first, rest @ ..] = seen else {
        return Vec::new();
    };
    if rest.is_empty() {
        return Vec::new();
    }
    let everywhere = |label: &&str| {
        rest.iter()
            .all(|series| labels(&series.labels).1.contains(label))
    };
    labels(&first.labels)
        .1
        .into_iter()
        .filter(everywhere)
        .collect()
}

/// A series by its name and the labels that tell it from the others.
fn told_apart(series: &str, common: &[&str]) -> String {
    let (name, labels) = labels(series);
    let own: Vec<&str> = labels
        .into_iter()
        .filter(|label| !common.contains(label))
        .collect();
    format!("{name}{{{}}}", own.join(", "))
}

/// Name and labels of a printed series.
fn labels(series: &str) -> (&str, Vec<&str>) {
    match series.split_once('{') {
        None => (series, Vec::new()),
        Some((name, rest)) => {
            let inside = rest.strip_suffix('}').unwrap_or(rest);
            let mut labels = Vec::new();
            let mut start = 0;
            for (at, _) in inside.match_indices("\", ") {
                labels.push(&inside[start..=at]);
                start = at + 3;
            }
            labels.push(&inside[start..]);
            (name, labels)
        }
    }
}

/// The line from which on the recorded series say nothing certain.
fn mark(replay: &Replay) -> String {
    let at = replay.differs_at.map_or_else(String::new, |at| at.clock());
    let weight = |weight: Option<i64>| weight.map_or("unknown".to_owned(), |w| format!("{w}%"));
    format!(
        "═══ the series are valid up to here: at {at} the recorded rollout was set to {}, this one to {} ═══\n",
        weight(replay.recorded_weight),
        weight(replay.replayed_weight)
    )
}

fn verdict(record: &Record, replay: &Replay) -> String {
    let head = headline(record.outcome);
    let decided = record.decided_at;
    let mut text = match (record.outcome, decided) {
        (Outcome::Undecided, _) => format!(
            "{head}: the recording ends at {} with the canary {} at {}%.",
            record.ended_at.clock(),
            record.phase,
            record.timeline.last().map_or(0, |row| row.canary_weight)
        ),
        (_, Some(at)) => format!("{head}: decided at {}.", at.clock()),
        (_, None) => format!("{head}."),
    };
    text += &match (&replay.compared_with, replay.differs_at, replay.guess_from) {
        (None, ..) => " The weights of the recorded rollout are not known (--weights, or flagger_canary_weight among the \
                       series), so nothing says how far the series are those that these decisions would have met."
            .to_owned(),
        (Some(source), None, _) => {
            format!(" Every weight is the recorded one ({source}): the series are valid throughout.")
        }
        (Some(source), Some(at), Some(from)) => format!(
            " From {} on this is a guess: at {} it departs from the recorded weights ({source}), and the series after that \
             were made under others.",
            from.clock(),
            at.clock()
        ),
        (Some(source), Some(at), None) => format!(
            " It was decided on valid series; only the decision itself, at {}, is another than the recorded one ({source}).",
            at.clock()
        ),
    };
    text
}
