//! `ignores-canary`: a query that counts the primary's requests too.

use crate::canary::Provider;
use crate::lint::case::{Case, bounds};
use crate::lint::{Rule, Said, Severity};
use crate::scenario::Attribution;

pub(super) const RULE: Rule = Rule {
    code: "ignores-canary",
    severity: Severity::Warning,
    about: "NGINX counts primary and canary under one `ingress` label; only `canary` tells them apart. A query without it measures both, \
            so at a weight of 10 % a canary must fail ten times as often before the bound is passed.",
    check,
};

fn check(case: &Case<'_>) -> Vec<Said> {
    let routed = matches!(case.provider, Provider::Nginx | Provider::PodScaling);
    if !routed || case.scenario.ingress.attribution == Attribution::Canary {
        return Vec::new();
    }
    let asked = case.asked.iter();
    asked
        .filter(|asked| asked.nginx && !asked.canary_only)
        .map(|asked| {
            let numbers = match bounds(asked.metric).min {
                Some(bound) if asked.success_rate() && bound < 100.0 => format!(": {}", needed(case, bound)),
                _ => String::new(),
            };
            let cure = match case.provider {
                Provider::Nginx => "add `canary!=\"\"` to each selector",
                _ => "use the provider nginx, whose canary has an Ingress of its own, and add `canary!=\"\"` to each selector",
            };
            Said::new(
                asked.place.clone(),
                format!("{} counts the primary's requests too{numbers}", asked.what()),
            )
            .why("the controller's series of both have the same `ingress` label, and the window still holds the time before the canary")
            .change(cure)
        })
        .collect()
}

/// How often the canary must fail at each weight until the mixture passes the bound, when the window is the canary's in full
/// and at the first check.
fn needed(case: &Case<'_>, bound: f64) -> String {
    let mut weights = case.course.weights.clone();
    weights.truncate(5);
    let share = |weight: i64| (100.0 - bound) / weight as f64;
    let each: Vec<String> = weights
        .iter()
        .map(|&weight| match share(weight) {
            share if share >= 1.0 => format!("{weight} %: nothing does"),
            share => format!("{weight} %: {:.1} %", 100.0 * share),
        })
        .collect();
    let per_check: Vec<String> = weights
        .first()
        .map(|&weight| {
            let requests = case.rate() * case.interval.as_secs_f64() * weight as f64 / 100.0;
            format!("about {requests:.0} of {:.0} requests between two checks are the canary's at {weight} %", case.rate() * case.interval.as_secs_f64())
        })
        .into_iter()
        .collect();
    format!(
        "the share of its requests that the canary must fail before {bound} is passed is, by weight, {}; {}",
        each.join(", "),
        per_check.join("")
    )
}
