//! `no-source`: a query for what nothing exports, as far as the simulated world goes.

use crate::diagnostic::nearest;
use crate::lint::asked::Source;
use crate::lint::case::Case;
use crate::lint::{Rule, Said, Severity};

pub(super) const RULE: Rule = Rule {
    code: "no-source",
    severity: Severity::Warning,
    about: "The simulated Prometheus scrapes the ingress controller and evaluates recording rules; the application's own metrics are not \
            simulated. A query for anything else has no values in a forecast, and in a cluster wherever the name is wrong.",
    check,
};

/// What the ingress controller exports and a forecast has.
const EXPORTED: [&str; 7] = [
    "nginx_ingress_controller_requests",
    "nginx_ingress_controller_request_duration_seconds_bucket",
    "nginx_ingress_controller_request_duration_seconds_sum",
    "nginx_ingress_controller_request_duration_seconds_count",
    "nginx_ingress_controller_response_duration_seconds_bucket",
    "nginx_ingress_controller_response_duration_seconds_sum",
    "nginx_ingress_controller_response_duration_seconds_count",
];

fn check(case: &Case<'_>) -> Vec<Said> {
    let groups = case.scenario.prometheus.rule_groups.iter();
    let recorded: Vec<&str> = groups
        .flat_map(|group| &group.rules)
        .map(|rule| rule.record.as_str())
        .collect();
    let known = |name: &str| EXPORTED.contains(&name) || recorded.contains(&name);
    let asked = case.asked.iter();
    asked
        // A builtin check beside a template is told by `builtin-name`.
        .filter(|asked| {
            !(matches!(asked.source, Source::Builtin)
                && (asked.metric.template_ref.is_some() || !asked.metric.query.is_empty()))
        })
        .filter_map(|asked| {
            let name = asked.metrics.iter().find(|name| !known(name))?;
            let candidates = EXPORTED.iter().copied().chain(recorded.iter().copied());
            let meant = nearest::nearest(name, candidates);
            Some(
                Said::new(
                    asked.place.clone(),
                    format!("{} asks for `{name}`, which nothing in the simulated world exports: no values in a forecast", asked.what()),
                )
                .why("simulated are the ingress controller's requests and durations, and recording rules; the application's own metrics are not")
                .change(match (meant, asked.source) {
                    (Some(meant), _) => format!("did you mean `{meant}`?"),
                    (None, Source::Builtin) => {
                        "make sure that the application exports it; for a forecast use a MetricTemplate on the ingress controller's metrics".to_owned()
                    }
                    (None, _) => "make sure that the cluster has it; a recording rule (`prometheus.rules`) can stand for it in a forecast".to_owned(),
                }),
            )
        })
        .collect()
}
