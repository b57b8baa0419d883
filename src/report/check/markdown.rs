//! For a step summary or a pull request: what failed with a table of before and now and the picture, what passed folded away.

use super::sentences::{
    chance, change, decided, deciding, figure, level, of_sample, outcomes, unchanged, unmet,
};
use super::{BaselineUse, Checked, Found, Ran, Report, Verdict, picture};
use crate::report::words::counted;
use crate::study::shift::{Figure, SIGNIFICANCE};

/// The report as GitHub's Markdown.
pub fn render(report: &Report) -> String {
    let [passed, failed, broken] = report.counts();
    let all = report.scenarios.len();
    let said = match (failed, broken) {
        (0, 0) => format!("{} passed", counted(all as u64, "scenario")),
        (_, 0) => format!("{failed} of {} failed", counted(all as u64, "scenario")),
        _ => format!(
            "{failed} of {} failed, {broken} could not be run",
            counted(all as u64, "scenario")
        ),
    };
    let mut out = format!("## rollcast check {}: {said}\n", code(&report.paths));
    for checked in &report.scenarios {
        match &checked.found {
            Found::Broken(diagnostic) => {
                out += &format!(
                    "\n### ⚠ {}\n\n{}",
                    text(&checked.name),
                    fence(&diagnostic.to_string())
                );
            }
            Found::Ran(ran) => {
                let differs = ran
                    .compared
                    .as_ref()
                    .is_some_and(|compared| !compared.changes.is_empty());
                if checked.verdict() == Verdict::Failed || (report.show_differences && differs) {
                    let mark = if checked.verdict() == Verdict::Failed {
                        '✗'
                    } else {
                        '✓'
                    };
                    out += &format!("\n### {mark} {}\n\n", text(&checked.name));
                    details(ran, report, &mut out);
                }
            }
        }
    }
    if passed > 0 {
        out += &format!(
            "\n<details>\n<summary>{} passed</summary>\n\n| scenario | outcome | decided | failed requests | p99 |\n|---|---|---|---|---|\n",
            counted(passed as u64, "scenario")
        );
        let scenarios = report.scenarios.iter();
        for checked in scenarios.filter(|checked| checked.verdict() == Verdict::Passed) {
            row(checked, &mut out);
        }
        out += "\n</details>\n";
    }
    end(report, &mut out);
    out
}

fn details(ran: &Ran, report: &Report, out: &mut String) {
    for (result, position) in ran.unmet() {
        let place = code(&format!("{}:{}", position.file, position.line));
        *out += &format!("- {} ({place})\n", text(&unmet(result)));
    }
    if let Some(check) = deciding(ran) {
        *out += &format!("- decided by {}\n", text(&check));
    }
    let Some(compared) = &ran.compared else {
        return;
    };
    *out += "\n| | before | now | |\n|---|---|---|---|\n";
    for shift in &compared.shifts {
        let name = text(&figure(shift.figure));
        let [before, after] =
            [shift.before, shift.after].map(|value| text(&level(shift.figure, value)));
        *out += &if shift.counts() {
            format!(
                "| **{name}** | {before} | **{after}** | {} |\n",
                text(&chance(shift))
            )
        } else {
            format!("| {name} | {before} | {after} | |\n")
        };
    }
    *out += "\nChanged since the baseline:\n\n";
    if compared.changes.is_empty() {
        *out += &format!("- {}\n", text(&unchanged(&report.baseline)));
    }
    for (changed, place) in compared.changes.iter().zip(&ran.change_places) {
        let place = match place {
            Some(place) => format!(" ({})", code(&format!("{}:{}", place.file, place.line))),
            None => String::new(),
        };
        *out += &format!("- {}{place}\n", code(&change(changed)));
    }
    let drawn = picture::weights(&[("before", &compared.before.story), ("now", &ran.story)]);
    *out += &format!("\nThe canary's weight over time:\n\n{}", fence(&drawn));
}

fn row(checked: &Checked, out: &mut String) {
    if let Found::Ran(ran) = &checked.found {
        *out += &format!(
            "| {} | {} | {} | {} | {} |\n",
            text(&checked.name),
            text(&outcomes(&ran.sample)),
            text(&decided(&ran.sample)),
            text(&of_sample(Figure::FailedRequests, &ran.sample)),
            text(&of_sample(Figure::LatencyP99, &ran.sample)),
        );
    }
}

fn end(report: &Report, out: &mut String) {
    let [expectations, comparisons] = report.held();
    *out += &format!("\n{}", counted(expectations as u64, "expectation"));
    match &report.baseline {
        BaselineUse::Compared(file, version) => {
            *out += &format!(
                ", {} with {} (rollcast {}); a difference counts below p = {SIGNIFICANCE} after Holm's correction and \
                 beyond a size that matters.\n",
                counted(comparisons as u64, "comparison"),
                code(file),
                text(version)
            );
        }
        BaselineUse::Missing(file) => {
            *out += &format!(
                "; no baseline {}, so expectations alone were checked.\n",
                code(file)
            );
        }
        BaselineUse::Updated(file) => *out += &format!("; recorded {}.\n", code(file)),
    }
}

/// Text that Markdown takes as it is.
pub(in crate::report) fn text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | '|' | '*' | '_' | '`' | '[' | ']' | '#' | '~' => out.extend(['\\', c]),
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '&' => out += "&amp;",
            '\n' | '\r' => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// Text as code, whatever quotes are in it.
pub(in crate::report) fn code(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let quotes = "`".repeat(longest + 1);
    let text = text.replace(['\n', '\r'], " ");
    if longest == 0 {
        format!("{quotes}{text}{quotes}")
    } else {
        format!("{quotes} {text} {quotes}")
    }
}

/// Lines as they are.
pub(in crate::report) fn fence(lines: &str) -> String {
    let mut quotes = "```".to_owned();
    while lines.contains(&quotes) {
        quotes.push('`');
    }
    let gap = if lines.ends_with('\n') { "" } else { "\n" };
    format!("{quotes}text\n{lines}{gap}{quotes}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_markdown_would_read_is_written_so_that_it_does_not() {
        assert_eq!(text("a_b | <c> *d*"), "a\\_b \\| &lt;c&gt; \\*d\\*");
        assert_eq!(code("a `b` c"), "`` a `b` c ``");
        assert_eq!(code("a"), "`a`");
        assert_eq!(fence("```\n"), "````text\n```\n````\n");
    }
}
