//! `query-fault`: a query that Flagger cannot fill in or Prometheus cannot read.

use crate::lint::case::Case;
use crate::lint::{Rule, Said, Severity};

pub(super) const RULE: Rule = Rule {
    code: "query-fault",
    severity: Severity::Error,
    about: "A template that fails to render, whose provider has no address, or whose query Prometheus refuses fails every check: three failed checks later a healthy \
            release is rolled back.",
    check,
};

fn check(case: &Case<'_>) -> Vec<Said> {
    let asked = case.asked.iter();
    asked
        // Said by `template-interval`.
        .filter(|asked| !(asked.metric.interval.is_empty() && asked.written.contains("interval")))
        .filter_map(|asked| {
            let fault = asked.fault.as_ref()?;
            Some(
                Said::new(
                    asked.place.clone(),
                    format!("{} cannot be asked: {fault}", asked.what()),
                )
                .why("a query that fails is a failed check")
                .change("correct it; `rollcast query` tries a query on recorded series"),
            )
        })
        .collect()
}
