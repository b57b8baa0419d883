//! Two runs side by side: one world and seed under two readings of the thresholds, or two providers.

use std::collections::BTreeSet;

use crate::record::{Record, TimelineRow};
use crate::report::checks::{Round, rounds};
use crate::report::difference::{Between, difference};
use crate::report::providers;
use crate::report::verdict::verdict;
use crate::report::words::{comparison, metric};
use crate::time::Timestamp;

use super::layout::{cell, ends, len, paragraph, wrap};
use super::palette::Palette;
use super::timeline::{ROUNDS_SHOWN, decision_word, left_out};
use super::{WIDTH, scenario_title};

/// Columns of the time.
const TIME: usize = 7;
/// Columns of one run.
const CELL: usize = (WIDTH - TIME - 4) / 2;

/// Two runs as text.
pub fn compare(first: &Record, second: &Record, palette: Palette) -> String {
    let mut out = String::new();
    let name = match scenario_title(first) {
        Some(title) => format!("{}: {title}", first.scenario_name),
        None => first.scenario_name.clone(),
    };
    for line in wrap(&name, WIDTH, "") {
        out += &format!("{}\n", palette.bold(&line));
    }
    let between = Between::of(first, second);
    let two = match between {
        Between::Rules => "readings",
        Between::Providers => "providers",
    };
    out += &format!(
        "{}, one world under two {two}, seed {}\n\n",
        first.canary, first.seed
    );
    table(first, second, palette, &mut out);
    out += "\n";
    out += &paragraph(&difference(first, second), WIDTH);
    for record in [first, second] {
        let verdict = verdict(record);
        let whose = match between {
            Between::Rules => format!("{} rules", record.rules.as_str()),
            Between::Providers => providers::name(record).to_owned(),
        };
        let mut text = format!("{whose}. {} {}", verdict.outcome, verdict.harm);
        for more in verdict.aftermath.iter().chain(&verdict.findings) {
            text.push(' ');
            text += more;
        }
        out += "\n";
        out += &paragraph(&text, WIDTH);
    }
    if between == Between::Providers {
        let assumed = providers::assumed(first, second);
        if !assumed.is_empty() {
            out += &format!(
                "\nAssumed of {}, since the scenario does not say:\n",
                providers::name(second)
            );
        }
        for sentence in assumed {
            for (n, line) in wrap(sentence, WIDTH - 2, "").iter().enumerate() {
                out += &format!("{}{line}\n", if n == 0 { "- " } else { "  " });
            }
        }
    }
    out
}

fn table(first: &Record, second: &Record, palette: Palette, out: &mut String) {
    let rule = format!("{}\n", "─".repeat(WIDTH));
    *out += &rule;
    let heads = [first, second].map(|record| {
        let provider = record
            .provider
            .map_or("unknown", |provider| provider.as_str());
        let head = format!("rules {}, provider {provider}", record.rules.as_str());
        palette.bold(&cell(&head, CELL))
    });
    line("", &heads, out);
    let times: BTreeSet<Timestamp> = [first, second]
        .iter()
        .flat_map(|record| record.timeline.iter().map(|row| row.at))
        .collect();
    for at in times {
        let [left, right] = [first, second].map(|record| cells(record, at));
        for i in 0..left.len().max(right.len()) {
            let time = if i == 0 { at.clock() } else { String::new() };
            let pair = [&left, &right].map(|lines| {
                let text = lines.get(i).map_or("", String::as_str);
                cell(text, CELL)
            });
            line(&time, &pair, out);
        }
    }
    *out += &rule;
}

/// The lines of one run at one time; none where it set no weight then.
fn cells(record: &Record, at: Timestamp) -> Vec<String> {
    record
        .timeline
        .iter()
        .filter(|row| row.at == at)
        .flat_map(|row| row_lines(record, row))
        .collect()
}

fn row_lines(record: &Record, row: &TimelineRow) -> Vec<String> {
    let remark = match (decision_word(record, row), &row.note) {
        (Some((word, _)), _) => format!("({word})"),
        (None, Some(note)) => format!("({note})"),
        (None, None) => String::new(),
    };
    let weights = format!("{}/{} {remark}", row.primary_weight, row.canary_weight);
    let mut lines = wrap(&weights, CELL, "  ");
    let rounds: Vec<Round> = rounds(row).collect();
    let (first, hidden, last) = ends(&rounds, ROUNDS_SHOWN);
    lines.extend(first.iter().flat_map(round_lines));
    lines.extend(left_out(hidden).map(|line| format!("  {line}")));
    lines.extend(last.iter().flat_map(round_lines));
    lines
}

/// A line a round; what a failed one found goes to a second line where it does not fit.
fn round_lines(round: &Round) -> Vec<String> {
    let at = round.at.clock();
    let Some(check) = round.failure() else {
        return vec![format!("  {at} PASS")];
    };
    let (what, found) = (format!("  {at} FAIL {}", metric(check)), comparison(check));
    if len(&what) + 1 + len(&found) <= CELL {
        vec![format!("{what} {found}")]
    } else {
        vec![what, format!("    {found}")]
    }
}

fn line(time: &str, [left, right]: &[String; 2], out: &mut String) {
    let text = format!("{time:TIME$}│ {left}│ {right}");
    *out += text.trim_end();
    *out += "\n";
}
