//! A run on the terminal: a title, the timeline in the shape of the load-harness runbook's own table, the events as
//! Flagger logs them, the verdict. 100 columns wide, but for log lines, which stay whole so that they can be searched for.

mod compare;
mod events;
mod expectations;
mod layout;
mod links;
mod palette;
mod timeline;

pub use compare::compare;
pub use expectations::expectations;
pub use layout::wrap;
pub use palette::Palette;

use crate::record::Record;

use super::verdict::{Verdict, verdict};
pub(in crate::report) use layout::{indented, paragraph};

/// Columns of the text.
pub const WIDTH: usize = 100;

/// Assumptions shown before the rest is left to `run.json`.
const ASSUMPTIONS_SHOWN: usize = 3;

/// A run as text.
pub fn render(record: &Record, palette: Palette) -> String {
    render_in(record, None, palette)
}

/// A run as text; with the directory its files are in, each paragraph of the verdict names the command that explains it.
pub fn render_in(record: &Record, directory: Option<&str>, palette: Palette) -> String {
    let mut out = story(record, directory, palette);
    assumptions(record, palette, &mut out);
    out
}

/// A run of manifests alone as text: `assumed` and everything else that was assumed stands below it, and `unmodelled`.
pub fn render_first(
    record: &Record,
    assumed: &[String],
    unmodelled: &[String],
    directory: Option<&str>,
    palette: Palette,
) -> String {
    let mut out = story(record, directory, palette);
    let rest = record.scenario["assumptions"].as_array();
    let rest = rest.into_iter().flatten().filter_map(|text| text.as_str());
    let all: Vec<&str> = assumed.iter().map(String::as_str).chain(rest).collect();
    let unmodelled: Vec<&str> = unmodelled.iter().map(String::as_str).collect();
    for (heading, lines) in [
        (
            "Assumed; --set KEY=VALUE changes a key, rollcast import writes all of it down:",
            all,
        ),
        ("Given, and without a part in the forecast:", unmodelled),
    ] {
        if !lines.is_empty() {
            out += &format!("\n{heading}\n");
            lines.iter().for_each(|line| bullet(line, &mut out));
        }
    }
    out
}

fn story(record: &Record, directory: Option<&str>, palette: Palette) -> String {
    let mut out = String::new();
    title(record, palette, &mut out);
    out.push('\n');
    timeline::table(record, palette, &mut out);
    out.push('\n');
    events::log(record, palette, &mut out);
    out.push('\n');
    let told = Told {
        verdict: verdict(record),
        record,
        directory,
    };
    paragraphs(&told, palette, &mut out);
    out
}

/// A verdict, and where it can be looked into.
struct Told<'a> {
    verdict: Verdict,
    record: &'a Record,
    directory: Option<&'a str>,
}

fn title(record: &Record, palette: Palette, out: &mut String) {
    let named = match scenario_title(record) {
        Some(title) => format!("{}: {title}", record.scenario_name),
        None => record.scenario_name.clone(),
    };
    for line in layout::wrap(&named, WIDTH, "") {
        *out += &format!("{}\n", palette.bold(&line));
    }
    *out += &format!(
        "{}, rules {}, provider {}, interval {}, seed {}\n",
        record.canary,
        record.rules.as_str(),
        record
            .provider
            .map_or("unknown", |provider| provider.as_str()),
        record.interval,
        record.seed
    );
}

fn scenario_title(record: &Record) -> Option<&str> {
    record.scenario["title"]
        .as_str()
        .filter(|title| !title.is_empty())
}

fn paragraphs(told: &Told<'_>, palette: Palette, out: &mut String) {
    let Told {
        verdict,
        record,
        directory,
    } = told;
    let colour = palette.outcome(record.outcome);
    let link = |command: Option<String>, out: &mut String| {
        if let Some(command) = command {
            *out += &format!("{}\n", palette.dim(&format!("  {command}")));
        }
    };
    let mut first = verdict.outcome.clone();
    first.push(' ');
    first += &verdict.harm;
    if let Some(aftermath) = &verdict.aftermath {
        first.push(' ');
        first += aftermath;
    }
    let text = paragraph(&first, WIDTH);
    // The headline is the paragraph's first word or two, up to the colon; it never breaks across lines.
    let (head, rest) = text.split_once(':').unwrap_or((&text, ""));
    *out += &format!("{}:{rest}", palette.paint(colour, head));
    link(directory.and_then(|dir| links::deciding(record, dir)), out);
    for finding in &verdict.findings {
        *out += "\n";
        *out += &paragraph(finding, WIDTH);
        link(
            directory.and_then(|dir| links::named(record, finding, dir)),
            out,
        );
    }
}

fn bullet(text: &str, out: &mut String) {
    for line in layout::wrap(&format!("- {text}"), WIDTH, "  ") {
        *out += &format!("{line}\n");
    }
}

fn assumptions(record: &Record, palette: Palette, out: &mut String) {
    let Some(all) = record.scenario["assumptions"].as_array() else {
        return;
    };
    let shown: Vec<&str> = all.iter().filter_map(|text| text.as_str()).collect();
    if shown.is_empty() {
        return;
    }
    *out += "\nAssumed, since the scenario does not say:\n";
    for text in shown.iter().take(ASSUMPTIONS_SHOWN) {
        bullet(text, out);
    }
    if let Some(more) = shown
        .len()
        .checked_sub(ASSUMPTIONS_SHOWN)
        .filter(|n| *n > 0)
    {
        let line = format!("- and {more} more, listed in run.json under scenario.assumptions");
        *out += &format!("{}\n", palette.dim(&line));
    }
}
