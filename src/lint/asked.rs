//! The questions that a check asks, filled in and read.

use std::ops::Range;

use crate::canary::{Metric, MetricTemplate, Provider, Rules};
use crate::diagnostic::Place;
use crate::gotemplate::{self, Model};
use crate::k8s::manifest::Document;
use crate::promql::{Options, Query, SelectorUse, Version};
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
    /// Each label that series must carry to be found, with their name.
    pub(super) labels: Vec<(String, String)>,
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
            false => {
                let suffix = match metric.name.as_str() {
                    DURATION => "bucket",
                    _ => "count",
                };
                vec![format!("http_request_duration_seconds_{suffix}")]
            }
        },
        labels: Vec::new(),
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
        version: Version::of_release(&scenario.prometheus.version).unwrap_or_default(),
        ..Options::default()
    };
    let mut place = place;
    let query = gotemplate::render(written, &model)
        .map_err(|error| error.to_string())
        .and_then(|text| {
            // Flagger joins the lines; the place is that in the lines as they are written.
            let joined = text.split_whitespace().collect::<Vec<_>>().join(" ");
            Query::compile(&joined, &options).map_err(|error| {
                match Query::compile(&text, &options) {
                    Ok(_) => format!("{}: {joined}", error.message),
                    Err(placed) => {
                        let help = placed
                            .help
                            .map_or_else(String::new, |help| format!(" ({help})"));
                        if let Some(exact) = place_in(&place, written, &text, placed.span) {
                            place = exact;
                        }
                        format!("{}{help}", placed.message)
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
        labels: Vec::new(),
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
            asked.labels = selectors.iter().flat_map(required).collect();
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

/// The labels that a selector's series must carry, beside the name they have.
fn required(selector: &SelectorUse) -> Vec<(String, String)> {
    let mut named = selector.matchers.iter().filter(|m| m.name() == "__name__");
    let Some(name) = named.find(|m| m.accepts(m.value())).map(|m| m.value()) else {
        return Vec::new();
    };
    let wanted = selector.matchers.iter();
    wanted
        .filter(|m| m.name() != "__name__" && !m.accepts(""))
        .map(|m| (name.to_owned(), m.name().to_owned()))
        .collect()
}

/// Where a part of a rendered query stands in the text it was written in, or the line that it is of. Nothing, where the text
/// has other lines than the query, as a quoted string has.
fn place_in(whole: &Place, written: &str, rendered: &str, part: Range<usize>) -> Option<Place> {
    let before = rendered.get(..part.start)?;
    let number = before.matches('\n').count();
    let rendered_line = &before[before.rfind('\n').map_or(0, |at| at + 1)..];
    let mut lines = written.lines();
    let earlier = lines.by_ref().take(number).collect::<Vec<_>>();
    let line = lines.next()?;
    let shown = line.trim();
    if shown.is_empty() || rendered.lines().count() != written.lines().count() {
        return None;
    }
    // The same words may stand in lines above.
    let same = earlier.iter().map(|above| above.matches(shown).count());
    let text = whole.0.text.get(whole.1.clone())?;
    let (at, _) = text.match_indices(shown).nth(same.sum())?;
    let start = whole.1.start + at;
    // So may the part in its line; what is filled in moves columns, and seldom changes which one it is.
    let token = rendered.get(part)?.lines().next().unwrap_or("").trim();
    let nth = match token {
        "" => None,
        token => shown
            .match_indices(token)
            .nth(rendered_line.matches(token).count()),
    };
    let range = match nth {
        Some((found, token)) => start + found..start + found + token.len(),
        None => start..start + shown.len(),
    };
    Some((whole.0.clone(), range))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::SourceText;

    #[test]
    fn a_part_of_a_query_is_found_in_the_manifest_that_has_it() {
        let text = "query: |\n  sum(\n    rate(x{a=\"{{ name }}\"}[1m])\n  ) foo\n  rate(x{a=\"{{ name }}\"}[1m]) foo\n";
        let source = SourceText::new("a.yaml", text);
        let whole = (source, 7..text.len());
        let written =
            "sum(\n  rate(x{a=\"{{ name }}\"}[1m])\n) foo\nrate(x{a=\"{{ name }}\"}[1m]) foo\n";
        let rendered = written.replace("{{ name }}", "a much longer name");
        let found = |word: &str, nth: usize| {
            let (at, _) = rendered.match_indices(word).nth(nth).unwrap();
            let place = place_in(&whole, written, &rendered, at..at + word.len()).unwrap();
            let (line, column) = place.0.line_column(place.1.start);
            (line, column, text[place.1].to_owned())
        };
        assert_eq!(found("foo", 0), (4, 5, "foo".to_owned()));
        assert_eq!(found("foo", 1), (5, 31, "foo".to_owned()));
        assert_eq!(found("[1m]", 0), (3, 27, "[1m]".to_owned()));
        // What a variable was filled in with stands nowhere: the line does.
        assert_eq!(
            found("a much longer name", 1).2,
            "rate(x{a=\"{{ name }}\"}[1m]) foo"
        );
    }
}
