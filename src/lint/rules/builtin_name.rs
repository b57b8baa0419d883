//! `builtin-name`: a template under the name of a builtin check.

use crate::canary::{Provider, Rules};
use crate::lint::asked::is_builtin;
use crate::lint::case::Case;
use crate::lint::{Rule, Said, Severity};

pub(super) const RULE: Rule = Rule {
    code: "builtin-name",
    severity: Severity::Error,
    about: "A metric named request-success-rate or request-duration is checked by Flagger's builtin query, whatever else the entry \
            says. With a templateRef or a query it is checked both ways, the builtin first; where the builtin finds no series, every \
            check fails and a healthy release is rolled back.",
    check,
};

fn check(case: &Case<'_>) -> Vec<Said> {
    if case.scenario.rules == Rules::Runbook {
        return Vec::new();
    }
    let entries = case.analysis.metrics.iter().enumerate();
    entries
        .filter(|(_, metric)| {
            is_builtin(&metric.name) && (metric.template_ref.is_some() || !metric.query.is_empty())
        })
        .map(|(index, metric)| {
            let name = &metric.name;
            let asks = match case.provider {
                Provider::Nginx => "nginx_ingress_controller_requests by `namespace`, `ingress` and `canary`",
                _ => "http_request_duration_seconds by `kubernetes_namespace` and `kubernetes_pod_name`",
            };
            let finds = match (case.provider, case.scenario.prometheus.honor_labels) {
                (Provider::Nginx, true) => "whose bounds it must meet as well",
                (Provider::Nginx, false) => "which finds nothing while Prometheus renames that label to exported_namespace",
                _ => "which finds nothing unless the application exports it",
            };
            Said::new(
                case.at_metric(index, "/name"),
                format!("`{name}` is checked both ways: by the builtin first, {finds}"),
            )
            .why(format!("the entry has the name of a builtin check; that of {} asks for {asks}", case.provider.as_str()))
            .change(format!("rename the entry, for example to `nginx-{name}`, and the template alone is asked"))
            .patch(format!("      - name: nginx-{name}"))
            .severity(match (case.provider, case.scenario.prometheus.honor_labels) {
                (Provider::Nginx, true) => Severity::Warning,
                _ => Severity::Error,
            })
        })
        .collect()
}
