//! PromQL as Prometheus evaluates it, over float series.
//!
//! ```
//! use rollcast::promql::{Options, Query, Value};
//! use rollcast::time::Timestamp;
//! use rollcast::tsdb::{Labels, Storage};
//!
//! let mut storage = Storage::new();
//! let target = storage.add_target();
//! let requests = storage.series(target, &Labels::new([("__name__", "requests_total")]))?;
//! for (secs, value) in [(15, 0.0), (30, 30.0), (45, 60.0)] {
//!     let mut scrape = storage.scrape(target, Timestamp::from_secs(secs));
//!     scrape.append(requests, value);
//!     scrape.commit();
//! }
//! let query = Query::compile("sum(rate(requests_total[1m]))", &Options::default())?;
//! let mut evaluator = query.evaluator(); // keep it: it remembers selections and buffers
//! let answer = evaluator.instant(&storage, Timestamp::from_secs(45))?;
//! let Value::Vector(samples) = answer.value else { panic!() };
//! assert_eq!(samples[0].value, 1.0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Followed: `promql/engine.go`, `functions.go`, `quantile.go` and `promql/parser/` of Prometheus; [`Version`] selects what
//! changed between 2.42 and 3. Left out: native histograms (functions on them alone answer with nothing), experimental
//! functions and modifiers, start timestamps, type and unit labels.
//!
//! From text to answer: lexer, parser (operator precedence, every node knows its place in the text), type check, and then
//! [`Evaluator`], which walks the tree. Label sets are numbers inside an evaluation; what a node makes of a label set
//! (its group, its matching key, its name dropped) is looked up once per set and remembered. Nothing here reads a clock, a
//! file or a random number, and all mathematics comes from `libm`, so that an answer has the same bits on every machine.

#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

mod ast;
mod check;
#[cfg(test)]
mod differential;
mod error;
mod eval;
mod function;
mod lexer;
mod metric;
mod parser;
mod query;
pub mod rules;
mod unquote;
mod value;

pub use error::{EvalError, ParseError};
pub use eval::Evaluator;
pub use metric::parse_metric;
pub use query::{Query, SeenSelector, SelectorUse};
pub use value::{Annotation, Answer, MatrixSeries, Severity, Value, VectorSample};

use crate::time::Span;

/// Whose rules apply. What differs is listed in `docs/promql-2.42.md`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Version {
    /// 2.42: windows closed at both ends, the zero limit before the extrapolation threshold, plain summation.
    V2_42,
    /// 2.53, the last 2.x with long-term support: as 2.42, but extrapolation as in 3.
    V2_53,
    /// 3.x: windows open at the left, compensated summation, numbers as durations.
    #[default]
    V3,
}

impl Version {
    /// The rules of a release; nothing for what is none.
    ///
    /// ```
    /// use rollcast::promql::Version;
    ///
    /// assert_eq!(Version::of_release("2.42.0"), Some(Version::V2_42));
    /// assert_eq!(Version::of_release("2.53"), Some(Version::V2_53));
    /// assert_eq!(Version::of_release("3"), Some(Version::V3));
    /// assert_eq!(Version::of_release("1.8"), None);
    /// ```
    pub fn of_release(release: &str) -> Option<Version> {
        let mut parts = release.split('.');
        let (major, minor) = (parts.next()?, parts.next());
        match (major, minor.and_then(|minor| minor.parse::<u32>().ok())) {
            ("3", _) => Some(Version::V3),
            // Extrapolation changed in 2.51.
            ("2", Some(minor)) if minor >= 51 => Some(Version::V2_53),
            ("2", Some(_)) => Some(Version::V2_42),
            _ => None,
        }
    }
}

/// What a Prometheus server is configured with, as far as queries notice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Whose rules apply.
    pub version: Version,
    /// How old a sample may be and still count as current (`--query.lookback-delta`, 5m).
    pub lookback: Span,
    /// The step of subqueries that name none (the global `evaluation_interval`, 1m).
    pub default_subquery_step: Span,
    /// Whether names are dropped at the end only (`--enable-feature=promql-delayed-name-removal`, off).
    pub delayed_name_removal: bool,
    /// How many samples and steps one evaluation may go through before it is given up; about `--query.max-samples`.
    pub max_work: u64,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            version: Version::default(),
            lookback: Span::from_secs(5 * 60),
            default_subquery_step: Span::from_secs(60),
            delayed_name_removal: false,
            max_work: 50_000_000,
        }
    }
}
