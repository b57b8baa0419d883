//! Why a query found no values.

use super::{Case, finding, load_tests};
use crate::canary::{Provider, Rules};
use crate::diagnostic::nearest;
use crate::engine::QuerySource;
use crate::promql::{Options, Query};
use crate::record::{Finding, QueryRecord};
use crate::scenario::{Fault, FaultKind, exported};
use crate::sim::routing::Entry;
use crate::sim::truth::metric_window;
use crate::time::Timestamp;

/// The cause of the first check without a value, where there is one.
pub(super) fn cause(case: &Case<'_>) -> Option<Finding> {
    let (at, query) = case.first_failed()?;
    if query.value.is_some_and(|value| !value.is_nan()) {
        return None;
    }
    if case.provider == Provider::GatewayApiV1 && query.text.contains("nginx_ingress_controller_") {
        return left_behind(case, query);
    }
    let of_pods = !query.text.contains("nginx_ingress_controller_");
    if query.source == QuerySource::Builtin
        && series(query) == 0
        && !(of_pods && case.pods_export())
    {
        return builtin(case, query);
    }
    if let Some(found) = not_exported(case, query) {
        return Some(found);
    }
    if let Some(found) = load_tests::unseen(case, at, query) {
        return Some(found);
    }
    if of_pods {
        return not_visited(case, at, query).or_else(|| scrape_interval(case, at, query));
    }
    match case.entry {
        Entry::NoRule => return no_rule(case),
        Entry::Unrecorded => return unrecorded(case),
        Entry::Recorded => {}
    }
    if !case.scenario.prometheus.service_monitor {
        return finding(
            "no-service-monitor",
            "No values, because Prometheus does not scrape the ingress controller: there is no ServiceMonitor for it \
             (prometheus.service_monitor = false). Check Status > Targets in Prometheus; in the ingress-nginx chart set \
             controller.metrics.enabled and controller.metrics.serviceMonitor.enabled."
                .to_owned(),
        );
    }
    scrape_interval(case, at, query)
}

/// Under a Gateway a query for ingress-nginx' own series.
fn left_behind(case: &Case<'_>, query: &QueryRecord) -> Option<Finding> {
    let canary = &case.scenario.manifests.canary;
    finding(
        "asks-the-ingress-that-left",
        format!(
            "No values for {}, because it asks for series of ingress-nginx, and under gatewayapi:v1 no request passes it. Ask the canary's pods: `http_request_duration_seconds` with              kubernetes_pod_name=~\"{}-[0-9a-zA-Z]+(-[0-9a-zA-Z]+)\", as Flagger's builtin checks do, or take the templateRef \
             out of an entry named request-success-rate or request-duration.",
            query.metric, canary.spec.target_ref.name
        ),
    )
}

fn builtin(case: &Case<'_>, query: &QueryRecord) -> Option<Finding> {
    let family = query
        .text
        .split(['{', '(', ' '])
        .find(|word| word.contains("_seconds") || word.contains("_requests"))?;
    let metrics = case
        .scenario
        .manifests
        .canary
        .spec
        .analysis
        .iter()
        .flat_map(|analysis| &analysis.metrics);
    let shadowed = metrics
        .into_iter()
        .any(|metric| metric.name == query.metric && metric.template_ref.is_some());
    let provider = case.provider.as_str();
    let both_ways = if shadowed && case.scenario.rules == Rules::Flagger {
        format!(
            "The metric entry `{0}` has a templateRef and the name of a builtin check, so Flagger evaluates both, the builtin first. ",
            query.metric
        )
    } else {
        String::new()
    };
    let cure = if shadowed {
        format!(
            "Rename the entry (for example to `nginx-{}`), and the template alone is asked.",
            query.metric
        )
    } else {
        "Use a MetricTemplate that asks for what is exported.".to_owned()
    };
    let why = if family.starts_with("nginx") {
        format!(
            "asks for {family} by the label `namespace`, which a ServiceMonitor's target labels rename to `exported_namespace` \
             (unless honorLabels is set)"
        )
    } else {
        format!("asks for {family}, which nothing exports here")
    };
    finding(
        "builtin-without-series",
        format!(
            "{both_ways}The builtin of provider {provider} {why}: no values, whatever the release is like. {cure}"
        ),
    )
}

/// A query for what nothing exports, or by a label that none of it carries.
fn not_exported(case: &Case<'_>, query: &QueryRecord) -> Option<Finding> {
    let exported = exported(case.scenario);
    let groups = case.scenario.prometheus.rule_groups.iter();
    let recorded = groups
        .flat_map(|group| &group.rules)
        .map(|rule| rule.record.as_str());
    let recorded: Vec<&str> = recorded.collect();
    let unmatched = query
        .selectors
        .iter()
        .filter(|selector| selector.series.is_empty());
    unmatched
        .filter_map(|seen| Query::compile(&seen.selector, &Options::default()).ok())
        .flat_map(|parsed| parsed.selectors().to_vec())
        .find_map(|selector| {
            let mut names = selector.matchers.iter().filter(|m| m.name() == "__name__");
            let name = names.find(|m| m.accepts(m.value()))?.value();
            if recorded.contains(&name) {
                return None;
            }
            let series: Vec<_> = exported.iter().filter(|metric| metric.name == name).collect();
            if series.is_empty() {
                let meant = nearest::nearest(name, exported.iter().map(|metric| metric.name.as_str()));
                return finding(
                    "nothing-exports",
                    format!(
                        "No values for {}, because it asks for `{name}`, which nothing in the simulated world exports. {}What pods \
                         export is said under versions.NAME.metrics, anything else under [[prometheus.series]]; in a cluster, make sure \
                         that Prometheus has it.",
                        query.metric,
                        meant.map_or_else(String::new, |meant| format!("Was `{meant}` meant? ")),
                    ),
                );
            }
            let wanted = selector.matchers.iter().filter(|m| m.name() != "__name__" && !m.accepts(""));
            let label = wanted
                .map(|m| m.name())
                .find(|label| series.iter().all(|metric| !metric.labels.contains(*label)))?;
            let labels: Vec<&str> = series[0].labels.iter().map(String::as_str).collect();
            finding(
                "no-such-label",
                format!(
                    "No values for {}, because it asks for `{name}` by `{label}`, which no series of it carries; there are {}.",
                    query.metric,
                    nearest::listed(&labels),
                ),
            )
        })
}

/// Pods have counted nothing yet.
fn not_visited(case: &Case<'_>, at: Timestamp, query: &QueryRecord) -> Option<Finding> {
    let (_, window) = metric_window(&query.text)?;
    let requests = case.requests_in(query.evaluated_at - window, query.evaluated_at);
    if requests.canary > 0 {
        return None;
    }
    let canary = &case.scenario.manifests.canary;
    let why = match case.provider {
        Provider::Kubernetes => "Provider kubernetes leads no user to it before the promotion: s",
        _ => "S",
    };
    finding(
        "canary-without-requests",
        format!(
            "No values at {}, because no request had reached the canary's pods. {why}end test traffic from a pre-rollout webhook, to \
             http://{}-canary.{}/.",
            at.clock(),
            canary.spec.apex_service(),
            canary.metadata.namespace,
        ),
    )
}

fn no_rule(case: &Case<'_>) -> Option<Finding> {
    let host = case.scenario.traffic.host.as_deref().unwrap_or_default();
    finding(
        "host-without-rule",
        format!(
            "No values, because no Ingress rule has the host of the requests, \"{host}\": NGINX's default backend answers them \
             with 404, no pod sees them, and none is counted. Send the Host header that the Ingress names{}.",
            hosts(case)
        ),
    )
}

fn unrecorded(case: &Case<'_>) -> Option<Finding> {
    use crate::scenario::Via;
    if case.scenario.traffic.via == Via::Service {
        return finding(
            "traffic-bypasses-ingress",
            "No values, because requests go straight to the Service (traffic.via = \"service\"): users are served, and the \
             ingress controller counts none of it. Send them through the ingress."
                .to_owned(),
        );
    }
    finding(
        "host-not-recorded",
        format!(
            "No values, because NGINX counts requests only for hosts that stand literally in an Ingress rule{}: give the rule \
             the literal host, or start the controller with --metrics-per-host=false.",
            hosts(case)
        ),
    )
}

fn hosts(case: &Case<'_>) -> String {
    let hosts: Vec<&str> = case
        .scenario
        .manifests
        .ingresses
        .iter()
        .flat_map(|i| i.hosts())
        .flatten()
        .collect();
    if hosts.is_empty() {
        String::new()
    } else {
        format!(" ({})", hosts.join(", "))
    }
}

/// Too few samples: `rate` needs two in its window, and a series has none before its first scrape.
fn scrape_interval(case: &Case<'_>, at: Timestamp, query: &QueryRecord) -> Option<Finding> {
    let (written, window) = metric_window(&query.text)?;
    let requests = case.requests_in(query.evaluated_at - window, query.evaluated_at);
    if requests.canary == 0 {
        return None;
    }
    let most = query
        .selectors
        .iter()
        .flat_map(|s| &s.series)
        .map(|series| series.samples.len())
        .max()
        .unwrap_or(0);
    let unseen =
        |fault: &Fault| matches!(fault.kind, FaultKind::PrometheusDown | FaultKind::ScrapeGap);
    // What was put in on purpose is told by itself.
    if most >= 2 || case.scenario.chaos.iter().any(unseen) {
        return None;
    }
    let interval = case.scenario.prometheus.scrape_interval;
    finding(
        "scrape-interval",
        format!(
            "No values at {}, because of the scrape interval: the canary had served {} requests, but with \
             scrape_interval = \"{interval}\" its series had {} in the window [{written}], and rate() needs two. \
             A series begins at the first scrape after the canary's first request. Scrape the ingress controller every 5s \
             (10s at the most for a check one interval after the first step), or the check fails whatever the release is like.",
            at.clock(),
            requests.canary,
            if most == 0 { "no sample" } else { "one sample" },
        ),
    )
}

fn series(query: &QueryRecord) -> usize {
    query
        .selectors
        .iter()
        .map(|selector| selector.series.len())
        .sum()
}
