//! Query texts: Flagger's two builtin checks per observer, and templates filled in for a Canary.
//!
//! Follows `pkg/metrics/observers/` (`nginx.go`, `http.go`, `render.go`) and `toMetricModel` in
//! `pkg/controller/scheduler_metrics.go`. The builtin texts are the result of rendering: white space already reduced.

use super::context::Context;
use super::dialect::Provider;
use crate::canary::{CanarySpec, Metric};
use crate::gotemplate::{self, Model};

/// The metric window of builtin and inline entries without one. Templates do not get it.
pub(crate) const DEFAULT_INTERVAL: &str = "1m";

/// What a builtin check measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Builtin {
    SuccessRate,
    Duration,
}

impl Builtin {
    /// By the metric entry's name.
    pub(crate) fn named(name: &str) -> Option<Builtin> {
        match name {
            "request-success-rate" => Some(Builtin::SuccessRate),
            "request-duration" => Some(Builtin::Duration),
            _ => None,
        }
    }
}

/// Who answers the builtin checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Observer {
    /// ingress-nginx' own metrics; durations are a mean, in milliseconds.
    Nginx,
    /// The application's `http_request_duration_seconds`; durations are a 99th percentile, in seconds.
    Http,
}

impl Observer {
    pub(crate) fn of(provider: Provider) -> Observer {
        match provider {
            Provider::Nginx => Observer::Nginx,
            Provider::Kubernetes | Provider::GatewayApiV1 | Provider::PodScaling => Observer::Http,
        }
    }

    /// Milliseconds in the unit of the duration query.
    pub(crate) fn duration_unit_millis(self) -> f64 {
        match self {
            Observer::Nginx => 1.0,
            Observer::Http => 1000.0,
        }
    }

    /// What Flagger puts before a query's error; the HTTP observer's success rate is the exception.
    pub(crate) fn error_prefix(self, builtin: Builtin) -> &'static str {
        match (self, builtin) {
            (Observer::Http, Builtin::SuccessRate) => "",
            _ => "running query failed: ",
        }
    }

    /// The builtin query for a Canary.
    pub(crate) fn query(self, builtin: Builtin, cx: &Context<'_>, interval: &str) -> String {
        let namespace = &cx.namespace;
        match (self, builtin) {
            (Observer::Nginx, Builtin::SuccessRate) => {
                let ingress = ingress(&cx.spec);
                format!(
                    r#" sum( rate( nginx_ingress_controller_requests{{ namespace="{namespace}", ingress="{ingress}", canary!="", status!~"5.*" }}[{interval}] ) ) / sum( rate( nginx_ingress_controller_requests{{ namespace="{namespace}", ingress="{ingress}", canary!="" }}[{interval}] ) ) * 100"#
                )
            }
            (Observer::Nginx, Builtin::Duration) => {
                let ingress = ingress(&cx.spec);
                format!(
                    r#" sum( rate( nginx_ingress_controller_response_duration_seconds_sum{{ namespace="{namespace}", ingress="{ingress}", canary!="" }}[{interval}] ) ) / sum( rate( nginx_ingress_controller_response_duration_seconds_count{{ namespace="{namespace}", ingress="{ingress}", canary!="" }}[{interval}] ) ) * 1000"#
                )
            }
            (Observer::Http, Builtin::SuccessRate) => {
                let target = &cx.spec.target_ref.name;
                format!(
                    r#" sum( rate( http_request_duration_seconds_count{{ kubernetes_namespace="{namespace}", kubernetes_pod_name=~"{target}-[0-9a-zA-Z]+(-[0-9a-zA-Z]+)", status!~"5.*" }}[{interval}] ) ) / sum( rate( http_request_duration_seconds_count{{ kubernetes_namespace="{namespace}", kubernetes_pod_name=~"{target}-[0-9a-zA-Z]+(-[0-9a-zA-Z]+)" }}[{interval}] ) ) * 100"#
                )
            }
            (Observer::Http, Builtin::Duration) => {
                let target = &cx.spec.target_ref.name;
                format!(
                    r#" histogram_quantile( 0.99, sum( rate( http_request_duration_seconds_bucket{{ kubernetes_namespace="{namespace}", kubernetes_pod_name=~"{target}-[0-9a-zA-Z]+(-[0-9a-zA-Z]+)" }}[{interval}] ) ) by (le) )"#
                )
            }
        }
    }
}

/// Fills a template in; the error is Flagger's (`RenderQuery`).
pub(crate) fn render(
    template: &str,
    cx: &Context<'_>,
    metric: &Metric,
    interval: &str,
) -> Result<String, String> {
    let spec = &cx.spec;
    let target = &spec.target_ref.name;
    let model = Model {
        name: &cx.name,
        namespace: &cx.namespace,
        target,
        service: spec.apex_service(),
        ingress: ingress(spec),
        route: spec.route_ref.as_ref().map_or(target, |r| &r.name),
        interval,
        variables: &metric.template_variables,
    };
    gotemplate::render(template, &model).map_err(|error| error.to_string())
}

/// The source Ingress, without `-canary`.
fn ingress(spec: &CanarySpec) -> &str {
    let reference = spec.ingress_ref.as_ref();
    reference.map_or(&spec.target_ref.name, |r| &r.name)
}
