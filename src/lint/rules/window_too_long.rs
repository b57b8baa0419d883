//! `window-too-long`: one bad moment that many checks see.

use crate::lint::case::Case;
use crate::lint::{Rule, Said, Severity};

pub(super) const RULE: Rule = Rule {
    code: "window-too-long",
    severity: Severity::Warning,
    about: "Each check looks back over the whole range of its query. Where the range is several analysis intervals long, one bad burst is \
            in the range of that many checks, and each of them counts as failed.",
    check,
};

fn check(case: &Case<'_>) -> Vec<Said> {
    let interval = case.interval;
    let threshold = case.analysis.threshold();
    let asked = case.asked.iter();
    asked
        .filter_map(|asked| {
            let window = asked.window?;
            let checks = (window.as_millis() + interval.as_millis() - 1) / interval.as_millis();
            if checks <= 3 {
                return None;
            }
            let end = match checks >= threshold {
                true => format!("one burst of failures is enough for the {threshold} failed checks that roll back"),
                false => format!("one burst of failures counts {checks} times, of {threshold} that roll back"),
            };
            Some(
                Said::new(
                    asked.place.clone(),
                    format!("a window of {window} reaches over {checks} checks, {interval} apart: {end}"),
                )
                .why("failed checks are counted over the whole rollout, and every check whose window holds the burst fails")
                .change(format!("take a window of about {} for {}, or a longer analysis interval", interval * 2, asked.what())),
            )
        })
        .collect()
}
