//! The line that says whether a run met its scenario's `[expect]`.

use crate::study::expectation::ExpectationResult;

use super::WIDTH;
use super::layout::wrap;
use super::palette::Palette;

/// `expect: outcome rolled-back ✓, decided by 1:00 ✗ (1:30)`, and a line break; nothing where nothing was expected.
pub fn expectations(results: &[ExpectationResult], palette: Palette) -> String {
    if results.is_empty() {
        return String::new();
    }
    let shown: Vec<String> = results.iter().map(shown).collect();
    let text = format!("expect: {}", shown.join(", "));
    let mut out = String::new();
    for line in wrap(&text, WIDTH, "  ") {
        let painted = line
            .replace('✓', &palette.passed(true, "✓"))
            .replace('✗', &palette.passed(false, "✗"));
        out += &format!("{painted}\n");
    }
    out
}

fn shown(result: &ExpectationResult) -> String {
    let key = result.key.replace('_', " ");
    let ExpectationResult {
        expected, found, ..
    } = result;
    match (
        result.met,
        result.at.filter(|_| found_at_a_moment(result.key)),
    ) {
        (true, _) => format!("{key} {expected} ✓"),
        (false, None) => format!("{key} {expected} ✗ ({found})"),
        (false, Some(at)) => format!("{key} {expected} ✗ ({found} at {})", at.clock()),
    }
}

/// Whether a moment adds to what was found; the others' texts name it.
fn found_at_a_moment(key: &str) -> bool {
    key == "no_events"
}
