//! Recording rules: the scenario's `[[prometheus.rules]]` and those of PrometheusRule manifests.
//!
//! Checked as Prometheus checks a rule file when it loads it (`RuleGroups.Validate` in `model/rulefmt/rulefmt.go`). Left out:
//! alerting rules, which no query of a Canary reads, and a group's `labels`, `limit` and `query_offset`.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::model::{RecordingRule, RuleGroup};
use super::objects::typed;
use super::schema::RuleKeys;
use super::units::shown;
use crate::diagnostic::{Diagnostic, Node, Place, SourceText};
use crate::k8s::manifest::Document;
use crate::promql::{self, Options, Version};
use crate::time::Span;

/// kube-prometheus-stack's `evaluationInterval`.
const DEFAULT_INTERVAL: Span = Span::from_secs(30);

/// The scenario's own rules, those of one interval in one group.
pub(super) fn of_scenario(
    scenario: &Node,
    keys: &[RuleKeys],
    version: Version,
) -> Result<Vec<RuleGroup>, Diagnostic> {
    let mut groups: Vec<RuleGroup> = Vec::new();
    for (index, keys) in keys.iter().enumerate() {
        let place = |key: &str| scenario.place_of(&format!("/prometheus/rules/{index}/{key}"));
        let owner = "";
        let path = format!("prometheus.rules[{index}]");
        let rule = RecordingRule {
            record: keys.record.clone(),
            expr: keys.expr.clone(),
            labels: keys.labels.clone(),
        };
        check(&rule, version, (owner, &path), place)?;
        let interval = keys.interval.map_or(DEFAULT_INTERVAL, |time| time.0);
        check_interval(interval, (owner, &path), &place("interval"))?;
        match groups.iter_mut().find(|group| group.interval == interval) {
            Some(group) => group.rules.push(rule),
            None => groups.push(RuleGroup {
                name: format!("scenario/{}", shown(interval)),
                interval,
                rules: vec![rule],
            }),
        }
    }
    Ok(groups)
}

/// A PrometheusRule as far as it is read.
#[derive(Deserialize)]
struct PrometheusRule {
    #[serde(default)]
    spec: Spec,
}

#[derive(Default, Deserialize)]
struct Spec {
    #[serde(default)]
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    name: String,
    interval: Option<String>,
    #[serde(default)]
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
struct Rule {
    record: Option<String>,
    expr: Expr,
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

/// The operator's IntOrString.
#[derive(Deserialize)]
#[serde(untagged)]
enum Expr {
    Text(String),
    Number(i64),
}

/// The recording rules of a PrometheusRule; groups without any are left out.
pub(super) fn of_manifest(
    document: &Document,
    version: Version,
) -> Result<Vec<RuleGroup>, Diagnostic> {
    let rule: PrometheusRule = typed(document)?;
    let mut groups = Vec::new();
    for (g, group) in rule.spec.groups.into_iter().enumerate() {
        let at = format!("/spec/groups/{g}");
        let owner = format!("PrometheusRule `{}`: ", document.name);
        let path = format!("spec.groups[{g}]");
        let place = document.place_of(&format!("{at}/interval"));
        let interval = match &group.interval {
            None => DEFAULT_INTERVAL,
            Some(text) => Span::parse_go(text).ok_or_else(|| {
                let message = format!("{owner}`{path}.interval` is not a duration: \"{text}\"");
                Diagnostic::new(message)
                    .at_place(&place)
                    .help("write numbers with the units h, m, s, ms: \"30s\", \"1m30s\"")
            })?,
        };
        check_interval(interval, (&owner, &path), &place)?;
        let mut rules = Vec::new();
        for (r, rule) in group.rules.into_iter().enumerate() {
            let Some(record) = rule.record else { continue };
            let rule = RecordingRule {
                record,
                expr: match rule.expr {
                    Expr::Text(text) => text,
                    Expr::Number(number) => number.to_string(),
                },
                labels: rule.labels,
            };
            let place = |key: &str| document.place_of(&format!("{at}/rules/{r}/{key}"));
            check(
                &rule,
                version,
                (&owner, &format!("{path}.rules[{r}]")),
                place,
            )?;
            rules.push(rule);
        }
        if !rules.is_empty() {
            groups.push(RuleGroup {
                name: format!("{}/{}", document.name, group.name),
                interval,
                rules,
            });
        }
    }
    Ok(groups)
}

/// Whether Prometheus would load the rule, which messages call by its owner and path; `place` is that of one of its keys.
fn check(
    rule: &RecordingRule,
    version: Version,
    (owner, path): (&str, &str),
    place: impl Fn(&str) -> Place,
) -> Result<(), Diagnostic> {
    if !is_name(&rule.record, true) {
        let message = format!(
            "{owner}`{path}.record` is not a metric name: {:?}",
            rule.record
        );
        return Err(Diagnostic::new(message)
            .at_place(&place("record"))
            .help("write letters, digits, `_` and `:`, as in job:requests:rate1m"));
    }
    for label in rule.labels.keys() {
        if !is_name(label, false) || label == "__name__" {
            let message = format!("{owner}`{path}.labels` has no label name: {label:?}");
            return Err(Diagnostic::new(message)
                .at_place(&place(&format!("labels/{label}")))
                .help("write letters, digits and `_`; the name is `record`"));
        }
    }
    let options = Options {
        version,
        ..Options::default()
    };
    promql::Query::compile(&rule.expr, &options).map_err(|error| {
        let (line, column) = SourceText::new("", &*rule.expr).line_column(error.span.start);
        let message = format!(
            "{owner}`{path}.expr`: {} (line {line}, column {column} of the query)",
            error.message
        );
        let diagnostic = Diagnostic::new(message).at_place(&place("expr"));
        match error.help {
            Some(help) => diagnostic.help(help),
            None => diagnostic,
        }
    })?;
    Ok(())
}

fn check_interval(
    interval: Span,
    (owner, path): (&str, &str),
    place: &Place,
) -> Result<(), Diagnostic> {
    if (Span::from_millis(100)..=Span::from_secs(3600)).contains(&interval) {
        return Ok(());
    }
    let message = format!(
        "{owner}`{path}.interval` must be from 100ms to 1h, not {}",
        shown(interval)
    );
    Err(Diagnostic::new(message)
        .at_place(place)
        .help("it is the time between two evaluations"))
}

/// A name of a metric or a label as every version of Prometheus takes it.
pub(super) fn is_name(text: &str, metric: bool) -> bool {
    let letter = |c: char| c.is_ascii_alphabetic() || c == '_' || metric && c == ':';
    text.starts_with(letter) && text.chars().all(|c| letter(c) || c.is_ascii_digit())
}
