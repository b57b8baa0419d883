//! The events as Flagger's log has them: the bare messages, so that they can be laid beside a cluster's.

use crate::record::{EventRecord, Record};
use crate::time::Timestamp;

use super::layout::ends;
use super::palette::Palette;

/// Messages shown; of more, the first and the last are shown.
const SHOWN: usize = 30;

/// Appends the log from time zero on. What the warm-up logged is in `events.log`.
pub(super) fn log(record: &Record, palette: Palette, out: &mut String) {
    let (warm_up, run): (Vec<_>, Vec<_>) = record
        .events
        .iter()
        .partition(|event| event.at < Timestamp::ZERO);
    *out += "Flagger logs:\n";
    let lines = folded(&run);
    let (first, hidden, last) = ends(&lines, SHOWN);
    out.extend(first.iter().map(String::as_str));
    if !hidden.is_empty() {
        let line = format!("... {} more lines", hidden.len());
        *out += &format!("{}\n", palette.dim(&line));
    }
    out.extend(last.iter().map(String::as_str));
    if lines.is_empty() {
        *out += &format!("{}\n", palette.dim("(nothing from 0:00 on)"));
    }
    if !warm_up.is_empty() {
        let line = format!(
            "(before 0:00: {})",
            match warm_up.len() {
                1 => format!("\"{}\"", warm_up[0].message),
                n => format!("{n} messages, the last \"{}\"", warm_up[n - 1].message),
            }
        );
        *out += &format!("{}\n", palette.dim(&line));
    }
}

/// A line for each run of equal messages.
fn folded(events: &[&EventRecord]) -> Vec<String> {
    events
        .chunk_by(|a, b| a.message == b.message)
        .map(|same| match same.len() {
            1 => format!("{}\n", same[0].message),
            n => format!(
                "{}\n  (the same {} more times until {})\n",
                same[0].message,
                n - 1,
                same[n - 1].at.clock()
            ),
        })
        .collect()
}
