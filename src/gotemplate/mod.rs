//! The part of Go's text/template that metric templates use.

use std::collections::BTreeMap;
use std::fmt;

/// What a metric template may ask for (`MetricTemplateModel` in `pkg/apis/flagger/v1beta1/metric.go`).
#[derive(Clone, Copy, Debug)]
pub struct Model<'a> {
    /// `name`: the Canary's name.
    pub name: &'a str,
    /// `namespace`: the Canary's namespace.
    pub namespace: &'a str,
    /// `target`: the target's name.
    pub target: &'a str,
    /// `service`: the apex Service's name.
    pub service: &'a str,
    /// `ingress`: the source Ingress' name.
    pub ingress: &'a str,
    /// `route`: the route's name.
    pub route: &'a str,
    /// `interval`: the metric window.
    pub interval: &'a str,
    /// `variables`: the entry's templateVariables.
    pub variables: &'a BTreeMap<String, String>,
}

/// A template that cannot be read or filled in, in Flagger's and Go's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateError(String);

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for TemplateError {}

/// Fills a template in.
pub fn render(template: &str, model: &Model<'_>) -> Result<String, TemplateError> {
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((text, after)) = rest.split_once("{{") {
        out.push_str(text);
        let (action, after) = after.split_once("}}").ok_or_else(|| {
            TemplateError("template parsing failed: template: tmpl:1: unclosed action".to_owned())
        })?;
        out.push_str(value(action.trim(), model)?);
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

fn value<'a>(action: &str, model: &Model<'a>) -> Result<&'a str, TemplateError> {
    Ok(match action {
        "name" => model.name,
        "namespace" => model.namespace,
        "target" => model.target,
        "service" => model.service,
        "ingress" => model.ingress,
        "route" => model.route,
        "interval" => model.interval,
        other => match other.strip_prefix("variables.") {
            Some(key) => model.variables.get(key).ok_or_else(|| {
                TemplateError(format!(
                    "template excution failed: template: tmpl:1: map has no entry for key {key:?}"
                ))
            })?,
            None => {
                return Err(TemplateError(format!(
                    "template parsing failed: template: tmpl:1: {{{{ {other} }}}} is not supported"
                )));
            }
        },
    })
}
