//! `low-power`: too few requests for the bound.

use crate::canary::Provider;
use crate::lint::case::{Case, bounds};
use crate::lint::{Rule, Said, Severity};

pub(super) const RULE: Rule = Rule {
    code: "low-power",
    severity: Severity::Warning,
    about: "A success rate of 99 % can be told from 100 requests on: with fewer, a single failed one already falls below. A healthy \
            release is then rolled back by chance, or the check says nothing.",
    check,
};

fn check(case: &Case<'_>) -> Vec<Said> {
    let routed = matches!(case.provider, Provider::Nginx | Provider::PodScaling);
    let Some(&first) = case.course.weights.first().filter(|_| routed) else {
        return Vec::new();
    };
    let asked = case
        .asked
        .iter()
        .filter(|asked| asked.nginx && asked.success_rate());
    asked
        .filter_map(|asked| {
            let bound = bounds(asked.metric).min.or(asked.metric.threshold)?;
            let window = asked.window?;
            // At the first check the canary has served for one interval.
            let seconds = match asked.canary_only {
                true => window.min(case.interval),
                false => window,
            };
            let share = match asked.canary_only {
                true => first as f64 / 100.0,
                false => 1.0,
            };
            let requests = case.rate() * share * seconds.as_secs_f64();
            let needed = 100.0 / (100.0 - bound);
            if bound >= 100.0 || requests >= needed {
                return None;
            }
            let rate = libm::ceil(needed / share / seconds.as_secs_f64());
            Some(
                Said::new(
                    case.at_metric(asked.index, "/name"),
                    format!(
                        "`{}` has about {requests:.0} requests at the first check, and {bound} % needs {:.0}: one failed request is below the bound",
                        asked.metric.name,
                        libm::ceil(needed)
                    ),
                )
                .why(format!("the window holds {seconds} of {:.0} requests/s (--rate) at a weight of {first} %", case.rate()))
                .change(format!("raise the first step, lengthen the interval, lower the bound, or send test traffic: {rate:.0} requests/s are enough")),
            )
        })
        .collect()
}
