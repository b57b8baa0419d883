//! The timeline in the runbook's table shape, extended by the share of requests the canary really got and by each check
//! with its value against its bound.

use crate::record::{CheckRow, Outcome, Record, TimelineRow};
use crate::report::checks::{Round, rounds};
use crate::report::words::{comparison, metric};

use super::WIDTH;
use super::layout::{cell, fit, len, wrap};
use super::palette::{Colour, Palette};

/// Rounds of checks shown on one row; of more, the first and the last are shown.
const ROUNDS_SHOWN: usize = 6;

/// Appends the table.
pub(super) fn table(record: &Record, palette: Palette, out: &mut String) {
    let rule = format!("{}\n", "─".repeat(WIDTH));
    *out += &rule;
    if record.timeline.is_empty() {
        *out += "(no weight was ever set)\n";
    }
    let columns = Columns::of(record);
    for row in &record.timeline {
        let mut lead = columns.lead(row);
        let room = WIDTH - len(&lead);
        for line in remarks(record, row, palette, room) {
            *out += &lead;
            *out += &line;
            *out += "\n";
            lead = columns.empty.clone();
        }
    }
    *out += &rule;
}

/// `ROLLBACK` and `PROMOTED`, the runbook's words for the row on which it was decided.
pub(super) fn decision_word(record: &Record, row: &TimelineRow) -> Option<(&'static str, Colour)> {
    if record.decided_at != Some(row.at) {
        return None;
    }
    match record.outcome {
        Outcome::Promoted => Some(("PROMOTED", Colour::Good)),
        Outcome::RolledBack => Some(("ROLLBACK", Colour::Bad)),
        Outcome::PromotionFailed => Some(("PROMOTION DECIDED", Colour::Neutral)),
        Outcome::Undecided | Outcome::NotStarted => None,
    }
}

/// The cells before the remarks.
struct Columns {
    time: usize,
    empty: String,
}

impl Columns {
    fn of(record: &Record) -> Self {
        let time = record
            .timeline
            .iter()
            .map(|row| row.at.clock().len() + 1)
            .fold(7, usize::max);
        Columns {
            time,
            empty: format!("{:time$}│{:16}│{:15}│{:14}│ ", "", "", "", ""),
        }
    }

    fn lead(&self, row: &TimelineRow) -> String {
        let time = self.time;
        let share = row.canary_share.map_or_else(
            || "no requests".to_owned(),
            |share| format!("got {:.1}%", 100.0 * share),
        );
        format!(
            "{:time$}│ Primary: {:6}│ Canary: {:6}│ {:13}│ ",
            row.at.clock(),
            format!("{}%", row.primary_weight),
            format!("{}%", row.canary_weight),
            share,
        )
    }
}

/// The lines beside a row: what happened, then what judged the weight.
fn remarks(record: &Record, row: &TimelineRow, palette: Palette, room: usize) -> Vec<String> {
    let mut lines = Vec::new();
    match (decision_word(record, row), &row.note) {
        (Some((word, colour)), _) => lines.push(palette.paint(colour, &format!("({word})"))),
        (None, Some(note)) => lines.extend(wrap(&format!("({note})"), room, " ")),
        (None, None) => {}
    }
    let rounds: Vec<Round> = rounds(row).collect();
    let (first, last) = if rounds.len() > ROUNDS_SHOWN {
        (ROUNDS_SHOWN / 2, ROUNDS_SHOWN - ROUNDS_SHOWN / 2)
    } else {
        (rounds.len(), 0)
    };
    for round in &rounds[..first] {
        lines.extend(round_lines(round, palette, room));
    }
    let hidden = &rounds[first..rounds.len() - last];
    if !hidden.is_empty() {
        let failed = hidden.iter().filter(|round| !round.passed()).count();
        lines.push(palette.dim(&format!(
            "... {} more, {failed} of them failed",
            hidden.len()
        )));
    }
    for round in &rounds[rounds.len() - last..] {
        lines.extend(round_lines(round, palette, room));
    }
    if lines.is_empty() {
        lines.push("(not checked)".to_owned());
    }
    lines
}

fn round_lines(round: &Round, palette: Palette, room: usize) -> Vec<String> {
    let passed = round.passed();
    let word = palette.passed(passed, if passed { "PASS" } else { "FAIL" });
    let mut lines = vec![format!("metrics check at {}: {word}", round.at.clock())];
    lines.extend(
        round
            .checks
            .iter()
            .map(|check| check_line(check, palette, room)),
    );
    lines
}

/// `  request-success-rate 70.21 < 99 ✗`: the name gives way where the line is too long.
fn check_line(check: &CheckRow, palette: Palette, room: usize) -> String {
    let comparison = comparison(check);
    let mark = if check.passed { "✓" } else { "✗" };
    let name = fit(&metric(check), room.saturating_sub(len(&comparison) + 5));
    let text = format!("{name} {comparison}");
    if check.passed {
        format!("  {text} {}", palette.passed(true, mark))
    } else {
        format!("  {}", palette.passed(false, &format!("{text} {mark}")))
    }
}

/// One cell of a table beside another.
pub(super) fn short_remarks(record: &Record, row: &TimelineRow, room: usize) -> Vec<String> {
    let weights = cell(&format!("{}/{}", row.primary_weight, row.canary_weight), 7);
    let word = match (decision_word(record, row), &row.note) {
        (Some((word, _)), _) => format!("({word})"),
        (None, Some(note)) => format!("({note})"),
        (None, None) => String::new(),
    };
    let mut lines = wrap(&format!("{weights} {word}"), room, "        ");
    for round in rounds(row) {
        let at = round.at.clock();
        lines.extend(match round.failure() {
            None => vec![format!("  {at} PASS")],
            Some(check) => wrap(
                &format!("{at} FAIL {} {}", metric(check), comparison(check)),
                room,
                "    ",
            ),
        });
    }
    lines
}
