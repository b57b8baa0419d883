//! `window-too-short`: a range that cannot hold two scrapes.

use crate::lint::case::Case;
use crate::lint::{Rule, Said, Severity};
use crate::time::Span;

pub(super) const RULE: Rule = Rule {
    code: "window-too-short",
    severity: Severity::Error,
    about: "rate() and increase() need two samples in their range. A range shorter than two scrape intervals holds two at lucky moments \
            only; at the others the query has no values, which fails the check.",
    check,
};

fn check(case: &Case<'_>) -> Vec<Said> {
    let scrape = case.scrape_interval();
    let asked = case.asked.iter().filter(|asked| asked.nginx);
    asked
        .filter_map(|asked| {
            let window = asked.window.filter(|window| *window < scrape * 2)?;
            let never = window <= scrape;
            let needed = scrape * 4;
            let said = Said::new(
                asked.place.clone(),
                format!(
                    "a window of {window} {} two scrapes, which come every {scrape}: {} has no values {}",
                    if never { "never holds" } else { "does not always hold" },
                    asked.what(),
                    if never { "at any check" } else { "at some checks" },
                ),
            )
            .why("rate() needs two samples, and no values is a failed check")
            .change(format!("take a window of {needed}, or scrape every {}", window_quarter(window)));
            Some(match asked.metric.interval.is_empty() {
                true => said,
                false => said.patch(format!("        interval: {}", short(needed))),
            })
        })
        .collect()
}

/// A scrape interval of which four fit.
fn window_quarter(window: Span) -> Span {
    Span::from_millis((window.as_millis() / 4000).max(1) * 1000)
}

/// Whole minutes or seconds, as the CRD takes them.
fn short(span: Span) -> String {
    let seconds = span.as_millis() / 1000;
    if seconds % 60 == 0 {
        format!("{}m", seconds / 60)
    } else {
        format!("{seconds}s")
    }
}
