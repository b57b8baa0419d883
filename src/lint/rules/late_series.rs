//! `late-series`: a first check that comes before the canary's series has two samples.

use crate::canary::Provider;
use crate::lint::case::Case;
use crate::lint::{Rule, Said, Severity};

pub(super) const RULE: Rule = Rule {
    code: "late-series",
    severity: Severity::Error,
    about: "The canary's series is born with the first scrape after its first request, and rate() needs two samples. The first check comes \
            one analysis interval after the first step: with scrapes half as often or less, it has no values at all or at some phases.",
    check,
};

fn check(case: &Case<'_>) -> Vec<Said> {
    let scrape = case.scrape_interval();
    let attributed = case.scenario.ingress.attribution == crate::scenario::Attribution::Canary;
    let weighted = !case.course.weights.is_empty() || case.provider == Provider::Nginx;
    if scrape * 2 <= case.interval || !weighted {
        return Vec::new();
    }
    let never = scrape >= case.interval;
    let asked = case.asked.iter();
    asked
        .filter(|asked| asked.nginx && (asked.canary_only || attributed) && asked.namespaces.iter().all(|(label, _)| finds(case, label)))
        .map(|asked| {
            let when = match never {
                true => "at the first check of every rollout",
                false => "at the first check of some rollouts",
            };
            let counts = case.analysis.threshold();
            Said::new(
                asked.place.clone(),
                format!(
                    "{} has no values {when}: scrapes come every {scrape}, checks every {}{}",
                    asked.what(),
                    case.interval,
                    match counts {
                        1 => "; with threshold 1 that rolls a healthy release back".to_owned(),
                        n => format!("; that is one of the {n} failed checks that roll back"),
                    }
                ),
            )
            .why("a series begins at the first scrape after the canary's first request, and rate() needs two samples of it")
            .change(format!("scrape the ingress controller every {} or more often, or lengthen the analysis interval to {}", case.interval_third(), scrape * 3))
            .severity(match never || counts == 1 {
                true => Severity::Error,
                false => Severity::Warning,
            })
        })
        .collect()
}

/// Whether series have the label that a query asks by.
fn finds(case: &Case<'_>, label: &str) -> bool {
    (label == "namespace") == case.scenario.prometheus.honor_labels
}
