//! `no-source`: a query for what nothing exports, as far as the simulated world goes.

use crate::canary::Provider;
use crate::diagnostic::nearest;
use crate::lint::asked::Source;
use crate::lint::case::Case;
use crate::lint::{Rule, Said, Severity};
use crate::scenario::exported;

pub(super) const RULE: Rule = Rule {
    code: "no-source",
    severity: Severity::Warning,
    about: "The simulated Prometheus has what the ingress controller exports, what pods export as the scenario says, series of the \
            scenario's own and recording rules. A query for anything else has no values in a forecast, and in a cluster wherever \
            the name is wrong.",
    check,
};

fn check(case: &Case<'_>) -> Vec<Said> {
    let exported = exported(case.scenario);
    let groups = case.scenario.prometheus.rule_groups.iter();
    let recorded = groups
        .flat_map(|group| &group.rules)
        .map(|rule| rule.record.as_str());
    let known: Vec<&str> = exported
        .iter()
        .map(|metric| metric.name.as_str())
        .chain(recorded)
        .collect();
    let asked = case.asked.iter();
    asked
        // A builtin check beside a template is told by `builtin-name`.
        .filter(|asked| {
            !(matches!(asked.source, Source::Builtin)
                && (asked.metric.template_ref.is_some() || !asked.metric.query.is_empty()))
        })
        .filter_map(|asked| {
            let name = asked.metrics.iter().find(|name| !known.contains(&name.as_str()))?;
            let change = match (nearest::nearest(name, known.iter().copied()), asked.source) {
                (Some(meant), _) => format!("did you mean `{meant}`?"),
                (None, _) if name.starts_with("nginx_") && case.provider == Provider::GatewayApiV1 => {
                    "under gatewayapi:v1 no request passes ingress-nginx: ask the canary's pods".to_owned()
                }
                (None, Source::Builtin) => {
                    "make sure that the application exports it; for a forecast say so under `versions.v1.metrics`".to_owned()
                }
                (None, _) => {
                    "make sure that the cluster has it; a forecast has what `versions.v1.metrics`, `[[prometheus.series]]` and \
                     `prometheus.rules` make"
                        .to_owned()
                }
            };
            Some(
                Said::new(
                    asked.place.clone(),
                    format!("{} asks for `{name}`, which nothing in the simulated world exports: no values in a forecast", asked.what()),
                )
                .why("simulated are the ingress controller's requests and durations, what pods are said to export, and recording rules")
                .change(change),
            )
        })
        .collect()
}
