//! What can go wrong with a query: before it runs, and while it does.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, SourceText};

/// The text is no valid query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// What is wrong, in Prometheus' words where it has words for it.
    pub message: String,
    /// Where in the text, in bytes.
    pub span: Range<usize>,
    /// What to do about it.
    pub help: Option<String>,
}

impl ParseError {
    pub(super) fn new(message: impl Into<String>, span: Range<usize>) -> Self {
        ParseError {
            message: message.into(),
            span,
            help: None,
        }
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The error for the user, when `source` is the query alone.
    pub fn diagnostic(&self, source: &Arc<SourceText>) -> Diagnostic {
        self.diagnostic_at(source, 0)
    }

    /// The error for the user, when the query stands at byte `offset` of a longer text.
    pub fn diagnostic_at(&self, source: &Arc<SourceText>, offset: usize) -> Diagnostic {
        let span = offset + self.span.start..offset + self.span.end;
        let diagnostic = Diagnostic::new(&*self.message).at(source, span);
        match &self.help {
            Some(help) => diagnostic.help(help),
            None => diagnostic,
        }
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ParseError {}

/// A valid query could not be answered: matching failed, labels collided, a limit was reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvalError {
    /// What happened, in Prometheus' words.
    pub message: String,
    /// The part of the query that failed, in bytes.
    pub span: Range<usize>,
}

impl EvalError {
    pub(super) fn new(message: impl Into<String>, span: &Range<usize>) -> Self {
        EvalError {
            message: message.into(),
            span: span.clone(),
        }
    }

    /// The error for the user.
    pub fn diagnostic(&self, source: &Arc<SourceText>) -> Diagnostic {
        Diagnostic::new(&*self.message).at(source, self.span.clone())
    }
}

impl fmt::Display for EvalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for EvalError {}
