//! `namespace-label`: `namespace` where the scrape renames it, and the reverse.

use crate::canary::Rules;
use crate::lint::asked::Source;
use crate::lint::case::Case;
use crate::lint::{Rule, Said, Severity};

pub(super) const RULE: Rule = Rule {
    code: "namespace-label",
    severity: Severity::Error,
    about: "A ServiceMonitor's target has a `namespace` of its own, the controller's. Without honorLabels Prometheus renames the exported \
            one to `exported_namespace`; with it, there is no `exported_namespace`. A query by the wrong one finds nothing.",
    check,
};

fn check(case: &Case<'_>) -> Vec<Said> {
    let honored = case.scenario.prometheus.honor_labels;
    let (wrong, right) = match honored {
        true => ("exported_namespace", "namespace"),
        false => ("namespace", "exported_namespace"),
    };
    let own = &case.canary.metadata.namespace;
    let asked = case.asked.iter();
    asked
        .filter(|asked| asked.namespaces.iter().any(|(label, value)| label == wrong && value == own))
        .map(|asked| {
            let cure = match (asked.source, honored) {
                (Source::Builtin, _) if case.scenario.rules == Rules::Flagger => {
                    "set honorLabels in the controller's ServiceMonitor (controller.metrics.serviceMonitor.honorLabels of the chart), or use a \
                     MetricTemplate under another name that asks by `exported_namespace`"
                        .to_owned()
                }
                (_, false) => format!("ask by `{right}`, or set honorLabels in the controller's ServiceMonitor"),
                (_, true) => format!("ask by `{right}`"),
            };
            let said = Said::new(
                asked.place.clone(),
                format!("{} asks by `{wrong}=\"{own}\"`, which no series has: no values, whatever the release is like", asked.what()),
            )
            .why(match honored {
                false => "honorLabels is not set (`prometheus.honor_labels`), so `namespace` is the controller's and the Ingress' is `exported_namespace`",
                true => "honorLabels is set, so the Ingress' namespace keeps its name",
            })
            .change(cure);
            match asked.source {
                Source::Builtin => said,
                _ => said.patch(format!("{right}=\"{own}\"")),
            }
        })
        .collect()
}
