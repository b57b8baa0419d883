//! What a query answers with.

use std::fmt;
use std::ops::Range;

use crate::time::Timestamp;
use crate::tsdb::Labels;

/// The value of a query.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A number without labels.
    Scalar(f64),
    /// A string literal.
    String(String),
    /// One sample per series, in evaluation order.
    Vector(Vec<VectorSample>),
    /// Several samples per series: of a range selector, or of a range query (then sorted by labels).
    Matrix(Vec<MatrixSeries>),
}

/// A sample of an instant vector.
#[derive(Clone, Debug, PartialEq)]
pub struct VectorSample {
    /// What identifies it.
    pub labels: Labels,
    /// When the query was evaluated.
    pub timestamp: Timestamp,
    /// Its value.
    pub value: f64,
}

/// A series of a range vector or of a range query's answer.
#[derive(Clone, Debug, PartialEq)]
pub struct MatrixSeries {
    /// What identifies it.
    pub labels: Labels,
    /// Its samples, oldest first.
    pub samples: Vec<(Timestamp, f64)>,
}

/// What a query answers with, and what Prometheus remarks about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The value.
    pub value: Value,
    /// Remarks, each once, in the order they first came up. Prometheus 2.42 makes none.
    pub annotations: Vec<Annotation>,
}

/// A remark on an evaluation that succeeded (`util/annotations/annotations.go`).
#[derive(Clone, Debug, PartialEq)]
pub struct Annotation {
    /// How serious it is.
    pub severity: Severity,
    /// The remark in Prometheus' words, without its `PromQL info: ` and without the position.
    pub message: String,
    /// The part of the query it is about, in bytes.
    pub span: Range<usize>,
}

/// Whether an annotation doubts the result or only the query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// `PromQL info`
    Info,
    /// `PromQL warning`
    Warning,
}

impl Annotation {
    /// As the API prints it for this query text: `PromQL info: ... (1:6)`.
    pub fn render(&self, query: &str) -> String {
        let kind = match self.severity {
            Severity::Info => "PromQL info",
            Severity::Warning => "PromQL warning",
        };
        let before = &query.as_bytes()[..self.span.start.min(query.len())];
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        let column = before
            .iter()
            .rev()
            .take_while(|byte| **byte != b'\n')
            .count()
            + 1;
        format!("{kind}: {} ({line}:{column})", self.message)
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Scalar(value) => write!(f, "{value}"),
            Value::String(text) => f.write_str(text),
            Value::Vector(samples) => {
                for (i, sample) in samples.iter().enumerate() {
                    let newline = if i == 0 { "" } else { "\n" };
                    write!(f, "{newline}{} {}", sample.labels, sample.value)?;
                }
                Ok(())
            }
            Value::Matrix(series) => {
                for (i, one) in series.iter().enumerate() {
                    let newline = if i == 0 { "" } else { "\n" };
                    write!(f, "{newline}{}", one.labels)?;
                    for (at, value) in &one.samples {
                        write!(f, " {value}@{}", at.as_secs_f64())?;
                    }
                }
                Ok(())
            }
        }
    }
}
