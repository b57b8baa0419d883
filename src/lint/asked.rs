//! The questions that a check asks, filled in and read.

use crate::canary::{Metric, MetricTemplate, Provider, Rules};
use crate::diagnostic::{Place, SourceText};
use crate::gotemplate::{self, Model};
use crate::k8s::manifest::Document;
use crate::promql::{Options, Query, Version};
use crate::scenario::Scenario;
use crate::time::Span;

/// The metric window of builtin and inline entries without one.
const DEFAULT_WINDOW: &str = "1m";
/// What the ingress controller exports begins so.
const NGINX: &str = "nginx_ingress_controller_";

/// Where a question comes from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source<'a> {
    /// The entry's name is that of a builtin check.
    Builtin,
    /// The entry's own `query`.
    Inline,
    /// A MetricTemplate.
    Template(&'a MetricTemplate),
}

/// One question.
pub(super) struct Asked<'a> {
    /// Its entry among the metrics.
    pub(super) index: usize,
    pub(super) metric: &'a Metric,
    pub(super) source: Source<'a>,
    /// Why it cannot be filled in or read, in Flagger's or Prometheus' words.
    pub(super) fault: Option<String>,
    /// Its longest range.
    pub(super) window: Option<Span>,
    /// Whether it reads the ingress controller's series, those of the builtin check included.
    pub(super) nginx: bool,
    /// Whether it counts the canary's requests alone.
    pub(super) canary_only: bool,
    /// The names of the series that it asks for, as far as they are written out.
    pub(super) metrics: Vec<String>,
    /// Each `namespace` or `exported_namespace` that it asks for by value.
    pub(super) namespaces: Vec<(String, String)>,
    /// The query as it stands in the template or the entry; nothing for a builtin check.
    pub(super) written: &'a str,
    pub(super) place: Place,
}

impl Asked<'_> {
    /// Whether it asks for a share of requests that went well, in percent.
    pub(super) fn success_rate(&self) -> bool {
        match self.source {
            Source::Builtin => self.metric.name == SUCCESS_RATE,
            _ => self.written.contains("status!~\"5") && self.written.contains('/'),
        }
    }

    /// What it is called in messages.
    pub(super) fn what(&self) -> String {
        match self.source {
            Source::Builtin => format!("the builtin check `{}`", self.metric.name),
            Source::Inline => format!("the query of `{}`", self.metric.name),
            Source::Template(template) => {
                format!("the MetricTemplate `{}`", template.metadata.name)
            }
        }
    }
}

pub(super) const SUCCESS_RATE: &str = "request-success-rate";
const DURATION: &str = "request-duration";

/// Whether a name is that of a builtin check.
pub(super) fn is_builtin(name: &str) -> bool {
    name == SUCCESS_RATE || name == DURATION
}

/// Everything that a check asks: builtin and inline queries first, templates afterwards
/// (`runMetricChecks` in `pkg/controller/scheduler_metrics.go`).
pub(super) fn asked<'a>(
    scenario: &'a Scenario,
    canary: &Document,
    provider: Provider,
) -> Vec<Asked<'a>> {
    let spec = &scenario.manifests.canary.spec;
    let metrics = || {
        spec.analysis
            .iter()
            .flat_map(|analysis| &analysis.metrics)
            .enumerate()
    };
    let mut all = Vec::new();
    for (index, metric) in metrics() {
        let place = |key: &str| canary.place_of(&format!("/spec/analysis/metrics/{index}/{key}"));
        let shadowed = scenario.rules == Rules::Runbook && metric.template_ref.is_some();
        if is_builtin(&metric.name) && !shadowed {
            all.push(builtin(scenario, provider, index, metric, place("name")));
        }
        if !metric.query.is_empty() {
            let window = match metric.interval.as_str() {
                "" => DEFAULT_WINDOW,
                given => given,
            };
            let question = (&*metric.query, window);
            all.push(read(
                scenario,
                index,
                metric,
                Source::Inline,
                question,
                place("query"),
            ));
        }
    }
    for (index, metric) in metrics() {
        let Some(reference) = &metric.template_ref else {
            continue;
        };
        let namespace = match reference.namespace.as_str() {
            "" => &scenario.manifests.canary.metadata.namespace,
            given => given,
        };
        let template = scenario.manifests.metric_templates.iter().find(|template| {
            template.metadata.name == reference.name && template.metadata.namespace == namespace
        });
        if let Some(template) = template {
            let documents = &scenario.manifests.documents;
            let place = documents
                .iter()
                .find(|d| d.kind == "MetricTemplate" && d.name == reference.name)
                .map_or_else(|| canary.place_of(""), |d| d.place_of("/spec/query"));
            let question = (&*template.spec.query, &*metric.interval);
            let source = Source::Template(template);
            let mut asked = read(scenario, index, metric, source, question, place);
            let address = &template.spec.provider.address;
            if !address.contains("://") {
                asked
                    .fault
                    .get_or_insert(format!("prometheus address {address} is not a valid URL"));
            }
            all.push(asked);
        }
    }
    all
}

/// The builtin check: nginx asks for the canary's requests by the Ingress' namespace, everybody else for the application's
/// own metrics (`pkg/metrics/observers/`).
fn builtin<'a>(
    scenario: &Scenario,
    provider: Provider,
    index: usize,
    metric: &'a Metric,
    place: Place,
) -> Asked<'a> {
    let window = match metric.interval.as_str() {
        "" => DEFAULT_WINDOW,
        given => given,
    };
    let nginx = provider == Provider::Nginx;
    let namespace = scenario.manifests.canary.metadata.namespace.clone();
    Asked {
        index,
        metric,
        source: Source::Builtin,
        fault: None,
        window: Span::parse_go(window),
        nginx,
        canary_only: nginx,
        metrics: match nginx {
            true => Vec::new(),
            false => vec!["http_request_duration_seconds".to_owned()],
        },
        namespaces: match nginx {
            true => vec![("namespace".to_owned(), namespace)],
            false => Vec::new(),
        },
        written: "",
        place,
    }
}

fn read<'a>(
    scenario: &'a Scenario,
    index: usize,
    metric: &'a Metric,
    source: Source<'a>,
    (written, interval): (&'a str, &str),
    place: Place,
) -> Asked<'a> {
    let canary = &scenario.manifests.canary;
    let spec = &canary.spec;
    let target = spec.target_ref.name.as_str();
    let model = Model {
        name: &canary.metadata.name,
        namespace: &canary.metadata.namespace,
        target,
        service: spec.apex_service(),
        ingress: spec.ingress_ref.as_ref().map_or(target, |r| &r.name),
        route: spec.route_ref.as_ref().map_or(target, |r| &r.name),
        interval,
        variables: &metric.template_variables,
    };
    let options = Options {
        version: match scenario.prometheus.version.as_str() {
            "2.42" => Version::V2_42,
            "2.53" => Version::V2_53,
            _ => Version::V3,
        },
        ..Options::default()
    };
    let query = gotemplate::render(written, &model)
        .map_err(|error| error.to_string())
        .and_then(|text| {
            // Flagger joins the lines; the place is that in the lines as they are written.
            let joined = text.split_whitespace().collect::<Vec<_>>().join(" ");
            Query::compile(&joined, &options).map_err(|error| {
                match Query::compile(&text, &options) {
                    Ok(_) => format!("{}: {joined}", error.message),
                    Err(placed) => {
                        let source = SourceText::new("query", text);
                        let (line, column) = source.line_column(placed.span.start);
                        let help = placed
                            .help
                            .map_or_else(String::new, |help| format!("; {help}"));
                        format!(
                            "{} (line {line}, column {column} of the query{help})",
                            placed.message
                        )
                    }
                }
            })
        });
    let mut asked = Asked {
        index,
        metric,
        source,
        fault: None,
        window: None,
        nginx: false,
        canary_only: false,
        metrics: Vec::new(),
        namespaces: Vec::new(),
        written,
        place,
    };
    match query {
        Err(fault) => asked.fault = Some(fault),
        Ok(query) => {
            let selectors = query.selectors();
            asked.window = selectors.iter().filter_map(|selector| selector.range).max();
            let matchers = selectors.iter().flat_map(|selector| &selector.matchers);
            asked.metrics = matchers
                .filter(|m| m.name() == "__name__" && m.accepts(m.value()))
                .map(|m| m.value().to_owned())
                .collect();
            let of_nginx: Vec<_> = selectors
                .iter()
                .filter(|selector| {
                    let mut matchers = selector.matchers.iter();
                    matchers.any(|m| m.name() == "__name__" && m.value().starts_with(NGINX))
                })
                .collect();
            asked.nginx = !of_nginx.is_empty();
            asked.canary_only = asked.nginx
                && of_nginx.iter().all(|selector| {
                    let mut matchers = selector.matchers.iter();
                    matchers.any(|m| m.name() == "canary" && !m.accepts(""))
                });
            let matchers = of_nginx.iter().flat_map(|selector| &selector.matchers);
            asked.namespaces = matchers
                .filter(|m| m.name().ends_with("namespace") && m.accepts(m.value()))
                .map(|m| (m.name().to_owned(), m.value().to_owned()))
                .collect();
        }
    }
    asked
}
