//! For a comment on a pull request: a table of the scenarios that differ, then each of them with its figures, folded away.

use super::{Compared, Report, difference, is_clear, mean, name, shown};
use crate::report::check::markdown::{code, fence, text};
use crate::report::check::{change, picture};
use crate::report::words::counted;
use crate::study::difference::{PairedFigure, What};

/// Scenarios that are shown open; where there are more, all are folded away.
const OPEN: usize = 3;

/// The report as GitHub's Markdown.
pub fn render(report: &Report) -> String {
    let differing: Vec<&Compared> = report.differing().collect();
    let mut out = format!(
        "## Rollouts: {} → {}\n\n",
        code(&report.old),
        code(&report.new)
    );
    out += &match differing.len() {
        0 => format!(
            "No difference: {} the same to the last request.\n",
            counted(report.alike() as u64, "scenario")
        ),
        some => format!(
            "{} with a difference, {} the same to the last request. {} a side, the same traffic on both.\n",
            counted(some as u64, "scenario"),
            report.alike(),
            counted(report.runs, "run")
        ),
    };
    if !differing.is_empty() {
        out += "\n| scenario | outcome | decided at | failed requests |\n|---|---|---|---|\n";
        for compared in &differing {
            row(compared, &mut out);
        }
    }
    for compared in &differing {
        details(compared, differing.len() <= OPEN, &mut out);
    }
    for (what, names) in [("Added", &report.added), ("Removed", &report.removed)] {
        if !names.is_empty() {
            let names: Vec<String> = names.iter().map(|name| code(name)).collect();
            out += &format!("\n{what}: {}\n", names.join(", "));
        }
    }
    out
}

fn row(compared: &Compared, out: &mut String) {
    let figures = &compared.pair.figures;
    let both = |figure: &PairedFigure| {
        let (before, after) = (mean(figure, 0), mean(figure, 1));
        if before == after {
            after
        } else {
            format!("{before} → {after}")
        }
    };
    let of = |what| {
        let figure = figures.iter().find(|figure| figure.what == what);
        figure.map_or_else(String::new, both)
    };
    let outcomes = figures
        .iter()
        .filter(|figure| matches!(figure.what, What::Probability(_)));
    let outcomes: Vec<String> = outcomes
        .map(|figure| format!("{} {}", name(figure.what), both(figure)))
        .collect();
    *out += &format!(
        "| {} | {} | {} | {} |\n",
        text(&compared.name),
        text(&outcomes.join(", ")),
        text(&of(What::Decided)),
        text(&of(What::FailedRequests))
    );
}

fn details(compared: &Compared, open: bool, out: &mut String) {
    let Compared {
        name: scenario,
        title,
        pair,
    } = compared;
    let open = if open { " open" } else { "" };
    *out += &format!(
        "\n<details{open}>\n<summary>{}: {}</summary>\n\n",
        text(scenario),
        text(title)
    );
    for changed in &pair.changes {
        *out += &format!("- {}\n", code(&change(changed)));
    }
    if pair.runs[0] == pair.runs[1] {
        *out += "\nEvery run is the same to the last request.\n\n</details>\n";
        return;
    }
    *out += "\n| | before | after | difference (95 % interval) |\n|---|---|---|---|\n";
    for figure in shown(pair) {
        let strong = if is_clear(figure) { "**" } else { "" };
        *out += &format!(
            "| {strong}{}{strong} | {} | {} | {} |\n",
            text(&name(figure.what)),
            text(&mean(figure, 0)),
            text(&mean(figure, 1)),
            text(&difference(figure))
        );
    }
    let [before, after] = &pair.stories;
    let drawn = picture::weights(&[("before", before), ("after", after)]);
    *out += &format!(
        "\nThe canary's weight over time:\n\n{}\n</details>\n",
        fence(&drawn)
    );
}
