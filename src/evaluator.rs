//! The Prometheus that a driver of the engine has where it holds the series itself: queries compiled once, evaluated at an
//! instant, answered as Flagger's client (`pkg/metrics/providers/prometheus.go`) reads the HTTP API, with a note of what
//! each of them saw.
//!
//! Simulation and replay share it. Left out: the network in between, which is the driver's.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::engine::{Check, Query, QueryError, QuerySource, Sample, prometheus};
use crate::promql::{self, Evaluator};
use crate::record::{QueryRecord, SelectorSeen, SeriesSeen};
use crate::time::Timestamp;
use crate::tsdb::Storage;

/// Queries compiled once and evaluated at every tick, by their text.
#[derive(Clone, Debug, Default)]
pub(crate) struct QueryCache {
    options: promql::Options,
    compiled: BTreeMap<String, Result<Evaluator, String>>,
}

impl QueryCache {
    /// An empty cache for a Prometheus of these options.
    pub(crate) fn new(options: promql::Options) -> Self {
        QueryCache {
            options,
            compiled: BTreeMap::new(),
        }
    }

    /// Asks a query at a moment: the answer as Flagger's client reads it, and what was measured on the way, with the samples
    /// that it saw if those are wanted. A query that does not parse sees nothing.
    pub(crate) fn ask(
        &mut self,
        query: &Query,
        storage: &Storage,
        at: Timestamp,
        samples_wanted: bool,
    ) -> (Result<Vec<Sample>, QueryError>, Option<QueryRecord>) {
        let evaluator = match self.compile(&query.text) {
            Ok(evaluator) => evaluator,
            Err(error) => return (Err(error), None),
        };
        let selectors = match samples_wanted {
            true => seen(&evaluator.query(), storage, at),
            false => Vec::new(),
        };
        let samples = answer(evaluator, storage, at);
        let record = QueryRecord {
            metric: query.metric.clone(),
            source: query.source,
            text: query.text.clone(),
            evaluated_at: at,
            selectors,
            value: samples
                .as_deref()
                .ok()
                .and_then(|all| all.last())
                .map(|last| last.value),
            bound: None,
            passed: true,
            message: None,
            truth: None,
        };
        (samples, Some(record))
    }

    fn compile(&mut self, text: &str) -> Result<&mut Evaluator, QueryError> {
        if !self.compiled.contains_key(text) {
            let compiled = promql::Query::compile(text, &self.options);
            let evaluator = compiled.map(|query| query.evaluator());
            let evaluator = evaluator.map_err(|error| error.to_string());
            self.compiled.insert(text.to_owned(), evaluator);
        }
        let compiled = self.compiled.get_mut(text).expect("it was just put in");
        compiled
            .as_mut()
            .map_err(|error| refused(400, "bad_data", error))
    }
}

/// Writes into what was asked in a tick what the engine made of it. Checks come in the order of their queries.
pub(crate) fn judge(queries: &mut [QueryRecord], checks: &[Check]) {
    let asked = queries
        .iter_mut()
        .filter(|query| query.source != QuerySource::Availability);
    for (query, check) in asked.zip(checks) {
        query.value = check.value;
        query.bound = check.bound;
        query.passed = check.passed;
        query.message.clone_from(&check.message);
    }
}

/// What Prometheus answers a query at a moment, as Flagger's client reads it.
fn answer(
    evaluator: &mut Evaluator,
    storage: &Storage,
    at: Timestamp,
) -> Result<Vec<Sample>, QueryError> {
    match evaluator.instant(storage, at).map(|answer| answer.value) {
        Ok(promql::Value::Vector(vector)) => Ok(vector
            .into_iter()
            .map(|sample| Sample {
                value: sample.value,
            })
            .collect()),
        // Flagger decodes instant vectors alone; what it says of the others is the engine's to know.
        Ok(promql::Value::Scalar(value)) => {
            let result = json!([at.as_secs_f64(), value.to_string()]);
            prometheus::decode(200, &success("scalar", &result))
        }
        Ok(promql::Value::String(value)) => {
            prometheus::decode(200, &success("string", &json!([at.as_secs_f64(), value])))
        }
        Ok(promql::Value::Matrix(matrix)) => {
            let series = matrix.iter().map(|series| {
                let values = series
                    .samples
                    .iter()
                    .map(|(at, value)| json!([at.as_secs_f64(), value.to_string()]));
                json!({ "metric": {}, "values": values.collect::<Vec<_>>() })
            });
            prometheus::decode(200, &success("matrix", &series.collect()))
        }
        Err(error) => Err(refused(422, "execution", &error.to_string())),
    }
}

fn success(kind: &str, result: &Value) -> String {
    json!({ "status": "success", "data": { "resultType": kind, "result": result } }).to_string()
}

/// A refusal of the HTTP API, decoded.
fn refused(status: u16, kind: &str, error: &str) -> QueryError {
    let body = json!({ "status": "error", "errorType": kind, "error": error }).to_string();
    prometheus::decode(status, &body).expect_err("an error status is an error")
}

/// The samples a query is about to see.
fn seen(query: &promql::Query, storage: &Storage, at: Timestamp) -> Vec<SelectorSeen> {
    let selectors = query.samples_seen(storage, at);
    selectors
        .into_iter()
        .map(|seen| SelectorSeen {
            selector: query.text()[query.selectors()[seen.selector].span.clone()].to_owned(),
            series: seen
                .series
                .into_iter()
                .map(|series| SeriesSeen {
                    labels: series.labels.to_string(),
                    samples: series.samples,
                })
                .collect(),
        })
        .collect()
}
