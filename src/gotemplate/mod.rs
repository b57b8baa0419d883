//! The part of Go's text/template that metric templates use.
//!
//! A template may call Flagger's functions (`name`, `namespace`, `target`, `service`, `ingress`, `route`, `interval`,
//! `variables`), look up `variables.key`, and use pipelines, variables, `if`, `with`, `range`, `else`, `break`, `continue`,
//! comments, trim markers, and the functions `and or not eq ne lt le gt ge len index slice print printf println`. Everything
//! else of text/template is refused by name: `define`, `template`, `block`, the escaping functions, `call`, complex numbers, and
//! the rarer verbs of `printf`.
//!
//! Follows `text/template` of Go 1.26 and Flagger's `RenderQuery` in `pkg/metrics/observers/render.go` (option `missingkey=error`, no data).
//! Errors carry Go's positions and words.

mod exec;
mod funcs;
mod lex;
mod node;
mod number;
mod parse;
mod printf;
mod value;

use std::collections::BTreeMap;

use thiserror::Error;

use node::Node;
pub(crate) use printf::{format_fixed, format_float};

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
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TemplateError {
    /// It cannot be read.
    #[error("template parsing failed: {0}")]
    Parse(String),
    /// It cannot be filled in. (The spelling is Flagger's.)
    #[error("template excution failed: {0}")]
    Execute(String),
}

/// A template that has been read.
#[derive(Clone, Debug)]
pub struct Template {
    text: String,
    nodes: Vec<Node>,
}

impl Template {
    /// Reads a template.
    pub fn parse(text: &str) -> Result<Template, TemplateError> {
        let nodes = parse::parse(text).map_err(TemplateError::Parse)?;
        Ok(Template {
            text: text.to_owned(),
            nodes,
        })
    }

    /// Fills it in.
    pub fn render(&self, model: &Model<'_>) -> Result<String, TemplateError> {
        exec::execute(&self.text, &self.nodes, model).map_err(TemplateError::Execute)
    }
}

/// Reads a template and fills it in.
pub fn render(template: &str, model: &Model<'_>) -> Result<String, TemplateError> {
    Template::parse(template)?.render(model)
}
