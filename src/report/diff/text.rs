//! For a terminal: each scenario that differs, with what changed, the figures of both sides and the weights over time.

use super::{Compared, Report, difference, is_clear, mean, name, shown};
use crate::report::check::{change, picture};
use crate::report::text::{Palette, WIDTH, wrap};
use crate::report::words::counted;

/// Columns of a figure's name and of each side.
const NAME: usize = 20;
const SIDE: usize = 14;

/// The report as text.
pub fn render(report: &Report, palette: Palette) -> String {
    let mut out = format!(
        "{} → {}: {} a side, the same traffic on both\n",
        report.old,
        report.new,
        counted(report.runs, "run")
    );
    for compared in report.differing() {
        scenario(compared, palette, &mut out);
    }
    out.push('\n');
    for (what, names) in [("added", &report.added), ("removed", &report.removed)] {
        for name in names {
            out += &format!("{what}: {name}\n");
        }
    }
    let differing = report.scenarios.len() - report.alike();
    out += &format!(
        "{}: {differing} with a difference, {} the same to the last request\n",
        counted(report.scenarios.len() as u64, "scenario"),
        report.alike()
    );
    out
}

fn scenario(compared: &Compared, palette: Palette, out: &mut String) {
    let Compared {
        name: scenario,
        title,
        pair,
    } = compared;
    *out += &format!("\n{}\n", palette.bold(&format!("{scenario}: {title}")));
    for changed in &pair.changes {
        for line in wrap(&format!("  {}", change(changed)), WIDTH - 2, "    ") {
            *out += &format!("  {line}\n");
        }
    }
    if pair.runs[0] == pair.runs[1] {
        *out += "  every run is the same to the last request\n";
        return;
    }
    *out += &format!(
        "\n  {:NAME$}{:>SIDE$}{:>SIDE$}   difference (95 % interval)\n",
        "", "before", "after"
    );
    for figure in shown(pair) {
        let mark = if is_clear(figure) { '*' } else { ' ' };
        let line = format!(
            "{mark} {:NAME$}{:>SIDE$}{:>SIDE$}   {}",
            name(figure.what),
            mean(figure, 0),
            mean(figure, 1),
            difference(figure)
        );
        *out += &format!("{}\n", line.trim_end());
    }
    let [before, after] = &pair.stories;
    out.push('\n');
    for line in picture::weights(&[("before", before), ("after", after)]).lines() {
        *out += &format!("  {line}\n");
    }
}
