//! What a scenario gives whoever runs the engine on it: the user's objects, the controller's flags, the queries that may be
//! asked. The simulated world and the replay of a recording start from the same.

use crate::canary::Provider;
use crate::engine::{Object, Settings};
use crate::promql;
use crate::scenario::{Manifests, Scenario};

/// The user's objects, without the Canary and its target: what their drivers make of those differs.
pub fn other_objects(manifests: &Manifests) -> impl Iterator<Item = Object> {
    (manifests.metric_templates.iter().cloned().map(Object::from))
        .chain(manifests.alert_providers.iter().cloned().map(Object::from))
        .chain(manifests.hpas.iter().cloned().map(Object::from))
        .chain(manifests.ingresses.iter().cloned().map(Object::from))
        .chain(manifests.http_routes.iter().cloned().map(Object::from))
        .chain(manifests.services.iter().cloned().map(Object::from))
        .chain(manifests.config_maps.iter().cloned().map(Object::from))
        .chain(manifests.secrets.iter().cloned().map(Object::from))
}

/// The controller's flags.
pub fn settings(scenario: &Scenario) -> Settings {
    Settings {
        rules: scenario.rules,
        provider: scenario.provider,
        mesh_provider: scenario.flagger.mesh_provider.clone(),
        metrics_server: scenario.flagger.metrics_server.clone(),
        ..Settings::default()
    }
}

/// Every query text that the Canary can ask, templates unrendered, that a rule asks, and what Flagger's builtin ones name.
pub fn query_texts(scenario: &Scenario) -> impl Iterator<Item = &str> {
    let builtin: &[&str] = match scenario.provider_in_force() {
        Provider::Nginx => &[
            "nginx_ingress_controller_requests",
            "nginx_ingress_controller_response_duration_seconds_sum",
            "nginx_ingress_controller_response_duration_seconds_count",
        ],
        Provider::Kubernetes | Provider::GatewayApiV1 | Provider::PodScaling => &[
            "http_request_duration_seconds_count",
            "http_request_duration_seconds_bucket",
        ],
    };
    let manifests = &scenario.manifests;
    let analysis = manifests.canary.spec.analysis.iter();
    let inline = analysis.flat_map(|analysis| &analysis.metrics);
    let groups = scenario.prometheus.rule_groups.iter();
    let recorded = groups.flat_map(|group| &group.rules);
    (manifests
        .metric_templates
        .iter()
        .map(|template| template.spec.query.as_str()))
    .chain(inline.map(|metric| metric.query.as_str()))
    .chain(recorded.map(|rule| rule.expr.as_str()))
    .chain(builtin.iter().copied())
}

/// How the scenario's Prometheus evaluates.
pub(super) fn promql_options(scenario: &Scenario) -> promql::Options {
    promql::Options {
        version: promql::Version::of_release(&scenario.prometheus.version).unwrap_or_default(),
        ..promql::Options::default()
    }
}
