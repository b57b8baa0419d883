//! The provider `gatewayapi:v1`: what a scenario written for another one lacks is assumed, and said.
//!
//! A Canary that names this provider itself is taken as it is. Where the scenario's `provider` puts it in the place of
//! another, the question is what would change: then gateways, and queries for what left with the old provider, are filled in.

use std::collections::BTreeMap;

use serde_json::json;

use super::Reading;
use crate::canary::Provider;
use crate::diagnostic::Diagnostic;
use crate::scenario::model::{Gateway, Manifests, PodDiscovery, Version, VersionMetrics};
use crate::scenario::schema::File;
use crate::time::Span;

/// What ingress-nginx exports, and nothing else does.
const NGINX: &str = "nginx_ingress_controller_";

impl Reading<'_> {
    /// The Gateway, if it is the provider in force.
    pub(super) fn gateway(
        &mut self,
        file: &File,
        flag: Provider,
        manifests: &mut Manifests,
        metrics: &mut BTreeMap<String, VersionMetrics>,
        versions: &BTreeMap<String, Version>,
    ) -> Result<Option<Gateway>, Diagnostic> {
        let own = Provider::parse(&manifests.canary.spec.provider);
        if file.provider.or(own).unwrap_or(flag) != Provider::GatewayApiV1 {
            return Ok(None);
        }
        let programming_delay = self.delay(
            "gateway.programming_delay",
            file.gateway.programming_delay,
            1000,
        )?;
        if file.gateway.programming_delay.is_none() {
            self.assume(
                "The Gateway accepts the HTTPRoute that Flagger writes, and goes by it within 1s of every change \
                 (`gateway.programming_delay`)."
                    .to_owned(),
            );
        }
        if metrics.is_empty() {
            for version in versions.keys() {
                metrics.insert(version.clone(), VersionMetrics::default());
            }
            let first = versions.keys().next().map_or("v1", String::as_str);
            self.assume(format!(
                "Pods export `http_requests_total` and `http_request_duration_seconds`, which Flagger's builtin checks ask \
                 for under `gatewayapi:v1` (`versions.{first}.metrics`)."
            ));
        }
        if own != Some(Provider::GatewayApiV1) {
            self.put_in_place(file, manifests);
        }
        if !manifests
            .canary
            .spec
            .analysis
            .as_ref()
            .is_none_or(|a| a.session_affinity.is_null())
        {
            self.assume(
                "Every request is a new client's, so that session affinity keeps nobody (no key changes this).".to_owned(),
            );
        }
        Ok(Some(Gateway {
            programming_delay,
            matching: file.gateway.matching.map_or(0.0, |share| share.0),
        }))
    }

    /// Fills in what a Canary of another provider lacks.
    fn put_in_place(&mut self, file: &File, manifests: &mut Manifests) {
        let service = &mut manifests.canary.spec.service;
        if service.gateway_refs.as_array().is_none_or(Vec::is_empty) {
            service.gateway_refs = json!([{
                "group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "gateway", "namespace": "gateway-system",
            }]);
            self.assume(
                "There is a Gateway `gateway` in `gateway-system` that the Canary's HTTPRoute attaches to \
                 (`canary.spec.service.gatewayRefs`)."
                    .to_owned(),
            );
        }
        let discovery = file
            .prometheus
            .pod_discovery
            .unwrap_or(PodDiscovery::Annotations);
        for template in &mut manifests.metric_templates {
            let query = &mut template.spec.query;
            if !query.contains(NGINX) {
                continue;
            }
            let name = &template.metadata.name;
            if let Some(instead) = instead(query, discovery) {
                self.assumptions.push(format!(
                    "The MetricTemplate `{name}` asks the canary's pods for the same as Flagger's builtin check does, since \
                     what it asks of ingress-nginx leaves with it (`metric_templates.{name}.spec.query`)."
                ));
                *query = instead;
            }
        }
    }
}

/// What asks the canary's pods the question that a query asks of ingress-nginx, if it is one of Flagger's two: the queries of
/// `pkg/metrics/observers/http.go`, in the unit and with the window of the one they stand for.
fn instead(query: &str, discovery: PodDiscovery) -> Option<String> {
    let mut ranges = query.split('[').skip(1);
    let window = ranges.next()?.split([']', ':']).next()?;
    Span::parse_go(window)?;
    let (namespace, pod) = match discovery {
        PodDiscovery::PodMonitor | PodDiscovery::ServiceMonitor => ("namespace", "pod"),
        PodDiscovery::Annotations | PodDiscovery::None => {
            ("kubernetes_namespace", "kubernetes_pod_name")
        }
    };
    let of_canary = format!(
        r#"{namespace}="{{{{ namespace }}}}", {pod}=~"{{{{ target }}}}-[0-9a-zA-Z]+(-[0-9a-zA-Z]+)""#
    );
    let compact: String = query.split_whitespace().collect();
    if let Some((_, rest)) = compact.split_once("histogram_quantile(") {
        let quantile = rest.split(',').next()?;
        quantile.parse::<f64>().ok()?;
        let unit = if compact.contains("*1000") {
            " * 1000"
        } else {
            ""
        };
        return Some(format!(
            "histogram_quantile({quantile}, sum(rate(http_request_duration_seconds_bucket{{{of_canary}}}[{window}])) by (le)){unit}"
        ));
    }
    if compact.contains("status!~\"5") && compact.contains(")/sum(") {
        let unit = if compact.contains("*100") {
            " * 100"
        } else {
            ""
        };
        return Some(format!(
            "sum(rate(http_request_duration_seconds_count{{{of_canary}, status!~\"5.*\"}}[{window}])) / \
             sum(rate(http_request_duration_seconds_count{{{of_canary}}}[{window}])){unit}"
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_usual_questions_are_asked_of_the_pods() {
        let success = instead(
            "sum(rate(nginx_ingress_controller_requests{ingress=\"x\", status!~\"5..\"}[90s]))\n/ \
             sum(rate(nginx_ingress_controller_requests{ingress=\"x\"}[90s])) * 100",
            PodDiscovery::PodMonitor,
        );
        assert_eq!(
            success.as_deref(),
            Some(
                "sum(rate(http_request_duration_seconds_count{namespace=\"{{ namespace }}\", \
                 pod=~\"{{ target }}-[0-9a-zA-Z]+(-[0-9a-zA-Z]+)\", status!~\"5.*\"}[90s])) / \
                 sum(rate(http_request_duration_seconds_count{namespace=\"{{ namespace }}\", \
                 pod=~\"{{ target }}-[0-9a-zA-Z]+(-[0-9a-zA-Z]+)\"}[90s])) * 100"
            )
        );
        let latency = "histogram_quantile( 0.95, sum by (le) (rate(nginx_ingress_controller_request_duration_seconds_bucket[1m])))";
        let asked = instead(latency, PodDiscovery::Annotations).unwrap();
        assert!(
            asked.starts_with("histogram_quantile(0.95, ") && asked.ends_with("by (le))"),
            "{asked}"
        );
        for other in [
            "sum(nginx_ingress_controller_requests)",
            "sum(rate(nginx_ingress_controller_requests[1m]))",
        ] {
            assert_eq!(instead(other, PodDiscovery::Annotations), None, "{other}");
        }
    }
}
