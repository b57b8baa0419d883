//! One analysis: hooks, builtin and inline metrics, template metrics, in that order; the first failure ends it.
//!
//! Follows `runAnalysis` in `pkg/controller/scheduler.go`, and `checkMetricProviderAvailability`, `runBuiltinMetricChecks` and
//! `runMetricChecks` in `pkg/controller/scheduler_metrics.go`. Left out: metric providers other than Prometheus.

use std::rc::Rc;

use super::checks::{self, Measured};
use super::context::{Context, Failure};
use super::dialect::Provider;
use super::event::Gauge;
use super::object::{Kind, ObjectRef};
use super::prometheus::{trim_query, value_of};
use super::queries::{self, Builtin, DEFAULT_INTERVAL, Observer};
use super::{Check, Query, QueryError, QuerySource, gates, go};
use crate::canary::metric_template::MetricProvider;
use crate::canary::spec::NamespacedRef;
use crate::canary::{Metric, MetricTemplate};
use crate::k8s::Secret;

/// Flagger's words for a query without a value.
const NO_VALUES: &str = "no values found";

/// Metric backends that Flagger knows and that are not modelled; unknown types are asked as Prometheus.
const OTHER_BACKENDS: [&str; 10] = [
    "datadog",
    "externalmetrics",
    "cloudwatch",
    "newrelic",
    "graphite",
    "stackdriver",
    "influxdb",
    "dynatrace",
    "keptn",
    "splunk",
];

/// A query's value, or why there is none.
enum NoValue {
    /// Asked, and nothing came.
    Empty,
    /// The query failed.
    Failed(QueryError),
}

/// A metric server and how to reach it.
#[derive(Clone, Debug)]
struct Server {
    address: String,
    secret: Option<ObjectRef>,
    insecure_skip_verify: bool,
}

/// Runs the analysis; false if anything failed.
pub(crate) fn run(cx: &mut Context<'_>, provider: Provider) -> bool {
    if !gates::rollout(cx) {
        return false;
    }
    let analysis = Rc::clone(&cx.analysis);
    // All builtin and inline checks come before all templates, whatever the order of the list.
    analysis
        .metrics
        .iter()
        .all(|metric| check_builtin(cx, provider, metric) && check_inline(cx, metric))
        && analysis
            .metrics
            .iter()
            .all(|metric| check_template(cx, metric))
}

/// Asks every metric server that is used whether it is there; the first that is not is the error.
pub(crate) fn check_availability(cx: &mut Context<'_>) -> Result<(), Failure> {
    let analysis = Rc::clone(&cx.analysis);
    for metric in &analysis.metrics {
        if Builtin::named(&metric.name).is_some() && asks_besides_template(cx, metric) {
            let server = metrics_server(cx);
            check_online(cx, &server)
                .map_err(|e| e.context(format_args!("prometheus not avaiable")))?;
        } else if let Some(reference) = &metric.template_ref {
            let (template, server) = resolve(cx, reference)
                .map_err(|e| Failure::new(format!("metric template {}", e.message)))?;
            let kind = &template.spec.provider.kind;
            let name = ObjectRef::new(
                Kind::MetricTemplate,
                template.metadata.namespace,
                template.metadata.name,
            );
            check_online(cx, &server).map_err(|e| {
                e.context(format_args!(
                    "{kind} in metric template {name} not avaiable"
                ))
            })?;
        }
    }
    Ok(())
}

/// Whether a metric is asked for by name or inline query; in the runbook's reading a template stands alone.
fn asks_besides_template(cx: &Context<'_>, metric: &Metric) -> bool {
    metric.template_ref.is_none() || !cx.rules.template_alone
}

fn check_builtin(cx: &mut Context<'_>, provider: Provider, metric: &Metric) -> bool {
    let Some(builtin) = Builtin::named(&metric.name).filter(|_| asks_besides_template(cx, metric))
    else {
        return true;
    };
    let observer = Observer::of(provider);
    let query = observer.query(builtin, cx, interval_or_default(metric));
    let server = metrics_server(cx);
    let query = query_for(metric, QuerySource::Builtin, &server, &query);
    let prefix = observer.error_prefix(builtin);
    match ask(cx, &query) {
        Ok(value) => {
            let measured = match builtin {
                Builtin::SuccessRate => Measured::SuccessRate(value),
                Builtin::Duration => {
                    let unit_millis = observer.duration_unit_millis();
                    Measured::Duration {
                        value: go::Duration::from_float_millis(value * unit_millis),
                        unit_millis,
                    }
                }
            };
            judge(cx, metric, &query, value, measured)
        }
        Err(NoValue::Empty) => {
            let tail = match builtin {
                Builtin::SuccessRate => format!(": {prefix}{NO_VALUES}"),
                Builtin::Duration => String::new(),
            };
            let message = format!(
                "Halt advancement no values found for {} metric {} probably {} is not receiving traffic{tail}",
                provider.as_str(),
                metric.name,
                cx.target()
            );
            fail(cx, &query, message)
        }
        Err(NoValue::Failed(error)) => fail(
            cx,
            &query,
            format!("Prometheus query failed: {prefix}{error}"),
        ),
    }
}

fn check_inline(cx: &mut Context<'_>, metric: &Metric) -> bool {
    if metric.query.is_empty() || !asks_besides_template(cx, metric) {
        return true;
    }
    // Flagger passes over render errors here and sends the empty query.
    let text = queries::render(&metric.query, cx, metric, interval_or_default(metric));
    let server = metrics_server(cx);
    let query = query_for(
        metric,
        QuerySource::Inline,
        &server,
        &text.unwrap_or_default(),
    );
    match ask(cx, &query) {
        Ok(value) => judge(cx, metric, &query, value, Measured::Custom(value)),
        Err(NoValue::Empty) => {
            let message = format!("Halt advancement {NO_VALUES} for metric: {}", metric.name);
            fail(cx, &query, message)
        }
        Err(NoValue::Failed(error)) => {
            let message = format!("Prometheus query failed for {}: {error}", metric.name);
            fail(cx, &query, message)
        }
    }
}

fn check_template(cx: &mut Context<'_>, metric: &Metric) -> bool {
    let Some(reference) = &metric.template_ref else {
        if Builtin::named(&metric.name).is_none() && metric.query.is_empty() {
            cx.warning(
                "Metric query failed for no usable metrics template and query were configured",
            );
            return false;
        }
        return true;
    };
    let (template, server) = match resolve(cx, reference) {
        Ok(resolved) => resolved,
        Err(error) => {
            cx.warning(format!("Metric template {}", error.message));
            return false;
        }
    };
    // The default interval is not applied to templates.
    let text = match queries::render(&template.spec.query, cx, metric, &metric.interval) {
        Ok(text) => text,
        Err(error) => {
            let name = &template.metadata;
            cx.warning(format!(
                "Metric template {}.{} query render error: {error}",
                name.name, name.namespace
            ));
            return false;
        }
    };
    let query = query_for(metric, QuerySource::Template, &server, &text);
    match ask(cx, &query) {
        Ok(value) => judge(cx, metric, &query, value, Measured::Custom(value)),
        Err(NoValue::Empty) => {
            let message = format!(
                "Halt advancement {NO_VALUES} for custom metric: {}: {NO_VALUES}",
                metric.name
            );
            fail(cx, &query, message)
        }
        Err(NoValue::Failed(error)) => {
            let message = format!("Metric query failed for {}: {error}", metric.name);
            fail(cx, &query, message)
        }
    }
}

fn interval_or_default(metric: &Metric) -> &str {
    match metric.interval.as_str() {
        "" => DEFAULT_INTERVAL,
        interval => interval,
    }
}

/// The server for builtin and inline metrics.
fn metrics_server(cx: &Context<'_>) -> Server {
    let address = match cx.spec.metrics_server.as_str() {
        "" => &cx.settings.metrics_server,
        address => address,
    };
    Server {
        address: address.to_owned(),
        secret: None,
        insecure_skip_verify: false,
    }
}

/// Finds a metric template and its server. Errors start with the template's name.
fn resolve(
    cx: &mut Context<'_>,
    reference: &NamespacedRef,
) -> Result<(MetricTemplate, Server), Failure> {
    let namespace = match reference.namespace.as_str() {
        "" => cx.namespace.clone(),
        namespace => namespace.to_owned(),
    };
    let name = ObjectRef::new(Kind::MetricTemplate, namespace, &*reference.name);
    let template: MetricTemplate = cx
        .get(&name)
        .map_err(|e| Failure::new(format!("{name} error: {e}")))?;
    let provider = &template.spec.provider;
    let mut secret = None;
    if let Some(secret_ref) = &provider.secret_ref {
        let found = ObjectRef::new(Kind::Secret, &*name.namespace, &*secret_ref.name);
        let credentials: Secret = cx
            .get(&found)
            .map_err(|e| Failure::new(format!("{name} secret {} error: {e}", secret_ref.name)))?;
        secret = Some((found, credentials));
    }
    check_provider(provider, secret.as_ref().map(|(_, s)| s))
        .map_err(|e| Failure::new(format!("{name} provider {} error: {e}", provider.kind)))?;
    let server = Server {
        address: provider.address.clone(),
        secret: secret.map(|(reference, _)| reference),
        insecure_skip_verify: provider.insecure_skip_verify,
    };
    Ok((template, server))
}

/// What Flagger refuses before it asks anything (`NewPrometheusProvider`).
fn check_provider(provider: &MetricProvider, credentials: Option<&Secret>) -> Result<(), String> {
    let kind = &provider.kind;
    if OTHER_BACKENDS.contains(&kind.as_str()) {
        return Err(format!("provider type {kind} is not modelled"));
    }
    if provider.address.is_empty() {
        return Err(format!("{kind} address  is not a valid URL"));
    }
    let Some(credentials) = credentials else {
        return Ok(());
    };
    if credentials.data.contains_key("token") {
        return Ok(());
    }
    match ["username", "password"]
        .iter()
        .find(|key| !credentials.data.contains_key(**key))
    {
        Some(missing) => Err(format!("{kind} credentials does not contain a {missing}")),
        None => Ok(()),
    }
}

fn query_for(metric: &Metric, source: QuerySource, server: &Server, text: &str) -> Query {
    Query {
        metric: metric.name.clone(),
        source,
        address: server.address.clone(),
        text: trim_query(text),
        secret: server.secret.clone(),
        insecure_skip_verify: server.insecure_skip_verify,
    }
}

fn ask(cx: &mut Context<'_>, query: &Query) -> Result<f64, NoValue> {
    let samples = cx.world().query(query).map_err(NoValue::Failed)?;
    value_of(&samples).ok_or(NoValue::Empty)
}

/// `IsOnline`.
fn check_online(cx: &mut Context<'_>, server: &Server) -> Result<(), Failure> {
    let query = Query {
        metric: String::new(),
        source: QuerySource::Availability,
        address: server.address.clone(),
        text: "vector(1)".to_owned(),
        secret: server.secret.clone(),
        insecure_skip_verify: server.insecure_skip_verify,
    };
    let fault = match ask(cx, &query) {
        Ok(1.0) => return Ok(()),
        Ok(_) => "value is not 1 for query: vector(1)".to_owned(),
        Err(NoValue::Empty) => format!("running query failed: {NO_VALUES}"),
        Err(NoValue::Failed(error)) => format!("running query failed: {error}"),
    };
    Err(Failure::new(fault))
}

/// Exports a value, holds it against its bounds and records the check; false if it does not fit.
fn judge(
    cx: &mut Context<'_>,
    metric: &Metric,
    query: &Query,
    value: f64,
    measured: Measured,
) -> bool {
    cx.gauge(Gauge::Analysis {
        metric: metric.name.clone(),
        value: match measured {
            Measured::Duration { value, .. } => value.as_secs_f64(),
            Measured::SuccessRate(value) | Measured::Custom(value) => value,
        },
    });
    let verdict = checks::judge(metric, measured);
    let message = verdict.fault.map(|fault| {
        if cx.rules.plain_faults {
            format!("Halt advancement {} {}", cx.canary(), fault.plain)
        } else {
            format!("Halt {} advancement {}", cx.canary(), fault.text)
        }
    });
    if let Some(message) = &message {
        cx.warning(message.clone());
    }
    let passed = message.is_none();
    cx.checks.push(Check {
        metric: metric.name.clone(),
        source: query.source,
        query: query.text.clone(),
        value: Some(value),
        bound: verdict.bound,
        passed,
        message,
    });
    passed
}

/// Records a check that had no value to judge.
fn fail(cx: &mut Context<'_>, query: &Query, message: String) -> bool {
    cx.warning(message.clone());
    cx.checks.push(Check {
        metric: query.metric.clone(),
        source: query.source,
        query: query.text.clone(),
        value: None,
        bound: None,
        passed: false,
        message: Some(message),
    });
    false
}
