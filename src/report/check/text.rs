//! For people at a terminal: a line a scenario, then what failed and why, then a line of counts.

use super::sentences::{
    chance, change, decided, deciding, figure, level, outcomes, shown, unchanged, unmet,
};
use super::{BaselineUse, Checked, Found, Position, Ran, Report, Verdict, picture};
use crate::report::text::{Palette, WIDTH, wrap};
use crate::report::words::counted;
use crate::study::check::Compared;
use crate::study::shift::SIGNIFICANCE;

/// The report as text.
pub fn render(report: &Report, palette: Palette) -> String {
    let mut out = String::new();
    let width = report
        .scenarios
        .iter()
        .map(|checked| checked.name.chars().count());
    let width = width.max().unwrap_or(0).min(WIDTH / 2);
    for checked in &report.scenarios {
        line(checked, width, palette, &mut out);
    }
    for checked in &report.scenarios {
        match &checked.found {
            Found::Broken(diagnostic) => {
                out += &format!("\n{}\n{diagnostic}\n", heading(checked, palette));
            }
            Found::Ran(ran) => {
                let differs = ran.compared.as_ref().is_some_and(differs);
                if checked.verdict() == Verdict::Failed || (report.show_differences && differs) {
                    out += &format!("\n{}\n", heading(checked, palette));
                    details(ran, report, &mut out);
                }
            }
        }
    }
    out.push('\n');
    end(report, palette, &mut out);
    out
}

/// Whether anything is not what it was.
fn differs(compared: &Compared) -> bool {
    !compared.changes.is_empty() || !shown(compared, true).is_empty()
}

fn line(checked: &Checked, width: usize, palette: Palette, out: &mut String) {
    let word = match checked.verdict() {
        Verdict::Passed => palette.passed(true, "PASS"),
        Verdict::Failed => palette.passed(false, "FAIL"),
        Verdict::Broken => palette.passed(false, "ERROR"),
    };
    let said = match &checked.found {
        Found::Broken(diagnostic) => diagnostic.message.clone(),
        Found::Ran(ran) => format!(
            "{}, decided {}",
            outcomes(&ran.sample),
            decided(&ran.sample)
        ),
    };
    let gap = if checked.verdict() == Verdict::Broken {
        ""
    } else {
        " "
    };
    *out += &format!("{word}{gap} {:width$}  {said}\n", checked.name);
}

fn heading(checked: &Checked, palette: Palette) -> String {
    palette.bold(&format!("---- {}", checked.name))
}

fn details(ran: &Ran, report: &Report, out: &mut String) {
    for (result, position) in ran.unmet() {
        item(&format!("{}  [{}]", unmet(result), at(position)), 2, out);
    }
    if ran.unmet().next().is_some()
        && let Some(check) = deciding(ran)
    {
        item(&format!("what decided it: {check}"), 4, out);
    }
    let Some(compared) = &ran.compared else {
        return;
    };
    let shifts = shown(compared, report.show_differences);
    if !shifts.is_empty() {
        *out += "  since the baseline:\n";
    }
    for shift in shifts {
        let name = figure(shift.figure);
        let [before, after] = [shift.before, shift.after].map(|value| level(shift.figure, value));
        item(
            &format!("{name}: {before} → {after}  ({})", chance(shift)),
            4,
            out,
        );
    }
    if compared.counting().next().is_some()
        && let Some(check) = deciding(ran)
    {
        item(&format!("decided now by: {check}"), 4, out);
    }
    *out += "  changed since the baseline:\n";
    if compared.changes.is_empty() {
        item(&unchanged(&report.baseline), 4, out);
    }
    for (changed, place) in compared.changes.iter().zip(&ran.change_places) {
        let place = place
            .as_ref()
            .map_or_else(String::new, |place| format!("  [{}]", at(place)));
        item(&format!("{}{place}", change(changed)), 4, out);
    }
    if compared.counting().next().is_some() {
        let drawn = picture::weights(&[("before", &compared.before.story), ("now", &ran.story)]);
        for line in drawn.lines() {
            *out += &format!("    {line}\n");
        }
    }
}

fn at(position: &Position) -> String {
    format!("{}:{}", position.file, position.line)
}

fn item(text: &str, indent: usize, out: &mut String) {
    let rest = " ".repeat(indent + 2);
    for (index, line) in wrap(text, WIDTH - indent, &rest).iter().enumerate() {
        let lead = if index == 0 { indent } else { 0 };
        *out += &format!("{:lead$}{line}\n", "");
    }
}

fn end(report: &Report, palette: Palette, out: &mut String) {
    for name in &report.gone {
        *out += &format!("note: the baseline has {name}, which is not there\n");
    }
    let new: Vec<&str> = report
        .scenarios
        .iter()
        .filter(|checked| match &checked.found {
            Found::Ran(ran) => ran.compared.is_none(),
            Found::Broken(_) => false,
        })
        .map(|checked| &*checked.name)
        .collect();
    match &report.baseline {
        BaselineUse::Missing(file) => {
            *out += &format!(
                "note: there is no baseline {file}: expectations alone were checked; --update-baseline records one\n"
            );
        }
        BaselineUse::Updated(file) => *out += &format!("recorded: {file}\n"),
        BaselineUse::Compared(..) => {
            for name in new {
                *out += &format!(
                    "note: the baseline does not have {name}; --update-baseline records it\n"
                );
            }
        }
    }
    let [passed, failed, broken] = report.counts();
    let [expectations, comparisons] = report.held();
    let mut words = vec![format!("{passed} passed")];
    if failed > 0 {
        words.push(format!("{failed} failed"));
    }
    if broken > 0 {
        words.push(format!("{broken} could not be run"));
    }
    let scenarios = counted(report.scenarios.len() as u64, "scenario");
    let summary = palette.passed(failed + broken == 0, &words.join(", "));
    *out += &format!(
        "{scenarios}: {summary}; {}",
        counted(expectations as u64, "expectation")
    );
    if comparisons > 0 {
        *out += &format!(
            ", {} with the baseline (p < {SIGNIFICANCE} after Holm's correction)",
            counted(comparisons as u64, "comparison")
        );
    }
    out.push('\n');
}
