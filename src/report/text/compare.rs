//! Two runs side by side: one world and seed under two readings of the thresholds.

use std::collections::BTreeSet;

use crate::record::{Record, TimelineRow};
use crate::report::difference::difference;
use crate::report::verdict::verdict;
use crate::time::Timestamp;

use super::layout::{cell, paragraph, wrap};
use super::palette::Palette;
use super::timeline::short_remarks;
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
    out += &format!(
        "{}, one world under two readings, seed {}\n\n",
        first.canary, first.seed
    );
    table(first, second, palette, &mut out);
    out += "\n";
    out += &paragraph(&difference(first, second), WIDTH);
    for record in [first, second] {
        let verdict = verdict(record);
        let mut text = format!(
            "{} rules. {} {}",
            record.rules.as_str(),
            verdict.outcome,
            verdict.harm
        );
        for more in verdict.aftermath.iter().chain(&verdict.findings) {
            text.push(' ');
            text += more;
        }
        out += "\n";
        out += &paragraph(&text, WIDTH);
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
    let rows: Vec<&TimelineRow> = record.timeline.iter().filter(|row| row.at == at).collect();
    rows.into_iter()
        .flat_map(|row| short_remarks(record, row, CELL))
        .collect()
}

fn line(time: &str, [left, right]: &[String; 2], out: &mut String) {
    let text = format!("{time:TIME$}│ {left}│ {right}");
    *out += text.trim_end();
    *out += "\n";
}
