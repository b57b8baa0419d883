//! How Prometheus is set up, where the manifests do not say: as the checks need it to be.
//!
//! A first forecast takes the checks at their word. Whether the cluster keeps it is for `rollcast lint` and the printed
//! assumption. The two set-ups told apart are those that Flagger's users have: the Prometheus of Flagger's own chart
//! (`charts/flagger/templates/prometheus.yaml`: every 5s, by annotations, labels kept) and the Prometheus Operator's.

use toml_edit::value;

use super::Draft;
use crate::canary::{MetricTemplate, Provider};
use crate::scenario::objects::typed;

/// What Flagger's builtin checks are called.
const BUILTIN: [&str; 2] = ["request-success-rate", "request-duration"];
/// What pods export in a first forecast, of what the checks may ask for.
const OF_PODS: [&str; 2] = ["http_requests_total", "http_request_duration_seconds"];
/// Labels that hold a status code in the wild; the first is the default.
const STATUS: [&str; 4] = ["status", "code", "status_code", "http_status"];
/// Labels that only the Prometheus Operator's scrapes give a pod's series.
const OF_OPERATOR: [&str; 2] = ["pod", "namespace"];

/// What the checks ask of Prometheus, as far as their text tells.
struct Asked {
    /// A builtin check asks for ingress-nginx' series, by `namespace`.
    builtin_of_nginx: bool,
    /// A builtin check asks for the pods' series.
    builtin_of_pods: bool,
    /// Queries of templates and of entries of their own.
    queries: Vec<String>,
    /// Addresses of the templates.
    addresses: Vec<String>,
}

impl Asked {
    /// Whether some query for series whose names begin so has a matcher on this label.
    fn by(&self, family: &str, label: &str) -> bool {
        let mut queries = self.queries.iter().filter(|query| query.contains(family));
        queries.any(|query| {
            query.match_indices(label).any(|(at, _)| {
                let before = query[..at].chars().next_back();
                let after = query[at + label.len()..].trim_start().chars().next();
                before.is_some_and(|c| matches!(c, '{' | ',' | ' ' | '\n' | '\t'))
                    && after.is_some_and(|c| matches!(c, '=' | '!'))
            })
        })
    }
}

impl Draft<'_> {
    /// What scrapes the ingress controller and the pods.
    pub(super) fn prometheus(&mut self, provider: Option<Provider>) {
        let asked = self.asked(provider);
        let monitored = self.documents.iter().any(|d| d.kind == "ServiceMonitor");
        if !monitored {
            self.labels(&asked);
        }
        self.pods(&asked, provider);
    }

    fn asked(&self, provider: Option<Provider>) -> Asked {
        let metrics = self.canary.spec.analysis.iter().flat_map(|a| &a.metrics);
        let builtin = metrics
            .clone()
            .any(|m| BUILTIN.contains(&&*m.name) && m.template_ref.is_none() && m.query.is_empty());
        let nginx = provider == Some(Provider::Nginx);
        let templates = self.documents.iter().filter(|d| d.kind == "MetricTemplate");
        let named = templates.filter(|d| {
            metrics
                .clone()
                .filter_map(|m| m.template_ref.as_ref())
                .any(|reference| reference.name == d.name)
        });
        let templates: Vec<MetricTemplate> = named.filter_map(|d| typed(d).ok()).collect();
        let inline = metrics.map(|m| m.query.clone()).filter(|q| !q.is_empty());
        Asked {
            builtin_of_nginx: builtin && nginx,
            builtin_of_pods: builtin && !nginx,
            queries: inline
                .chain(templates.iter().map(|t| t.spec.query.clone()))
                .collect(),
            addresses: templates
                .into_iter()
                .map(|t| t.spec.provider.address)
                .collect(),
        }
    }

    /// What becomes of the labels that the ingress controller exports.
    fn labels(&mut self, asked: &Asked) {
        let nginx = "nginx_ingress_controller_";
        let renamed = asked.by(nginx, "exported_namespace");
        let of_flagger = asked
            .addresses
            .iter()
            .any(|address| address.contains("flagger-prometheus"));
        let by_annotations = asked.builtin_of_pods
            || OF_PODS
                .iter()
                .any(|family| asked.by(family, "kubernetes_pod_name"));
        if renamed || !(asked.builtin_of_nginx || of_flagger || by_annotations) {
            self.assume(
                "Prometheus renames the exporter's `namespace` to `exported_namespace`, as it does behind a ServiceMonitor without \
                 honorLabels",
                "the controller's ServiceMonitor with -f, or `prometheus.honor_labels`",
            );
            return;
        }
        let comment = "Assumed: the Prometheus that Flagger's chart brings, which keeps the exporters' labels.";
        let prometheus = self.table(&["prometheus"], comment);
        prometheus["honor_labels"] = value(true);
        prometheus["scrape_interval"] = value("5s");
        self.assume(
            "Prometheus is the one that Flagger's chart brings: it scrapes every 5s and keeps the exporters' labels, which the checks \
             rely on. Behind a ServiceMonitor without honorLabels Flagger's builtin checks of ingress-nginx have no values",
            "the controller's ServiceMonitor with -f, or `prometheus.honor_labels` and `prometheus.scrape_interval`",
        );
    }

    /// Whether pods export what is asked of them, and under which labels.
    fn pods(&mut self, asked: &Asked, provider: Option<Provider>) {
        let family = OF_PODS
            .into_iter()
            .find(|family| asked.queries.iter().any(|query| query.contains(family)));
        if family.is_none() && !asked.builtin_of_pods {
            return;
        }
        let by_operator = family.is_some_and(|family| {
            OF_OPERATOR.iter().all(|label| asked.by(family, label)) && !asked.builtin_of_pods
        });
        if by_operator {
            let comment =
                "Assumed, since the checks ask by `pod`: a PodMonitor of the Prometheus Operator.";
            self.table(&["prometheus"], comment)["pod_discovery"] = value("pod-monitor");
            self.assume(
                "Prometheus finds pods by a PodMonitor, since the checks ask for their series by `pod`",
                "`prometheus.pod_discovery`",
            );
        }
        let status = family.and_then(|family| {
            STATUS
                .into_iter()
                .find(|label| asked.by(family, label))
                .filter(|label| *label != STATUS[0])
        });
        // The Gateway's default, told where the text is read.
        if provider == Some(Provider::GatewayApiV1) && status.is_none() {
            return;
        }
        let comment =
            "Assumed, since the checks ask for it: pods export their requests as podinfo does.";
        let metrics = self.table(&["versions", "v1", "metrics"], comment);
        if let Some(label) = status {
            metrics["status_label"] = value(label);
        }
        self.assume(
            "Pods export `http_requests_total` and `http_request_duration_seconds`, which the checks ask for",
            "`versions.v1.metrics`",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_told_from_one_whose_name_ends_alike() {
        let asked = Asked {
            builtin_of_nginx: false,
            builtin_of_pods: false,
            queries: vec![
                "sum(rate(nginx_ingress_controller_requests{exported_namespace=\"a\", ingress != \"b\"}[1m]))".to_owned(),
            ],
            addresses: Vec::new(),
        };
        let nginx = "nginx_ingress_controller_";
        assert!(asked.by(nginx, "exported_namespace"));
        assert!(asked.by(nginx, "ingress"));
        assert!(!asked.by(nginx, "namespace"));
        assert!(!asked.by("http_requests_total", "ingress"));
    }
}
