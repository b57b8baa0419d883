//! Feeds the engine: one Flagger tick over the simulated cluster.
//!
//! [`Desk`] is the engine's view of the world during a tick: it answers reads from the cluster's objects, queries from the
//! simulated Prometheus, and takes down what was said. What a write sets in motion (pods, weights) begins after the tick,
//! as in a cluster whose controllers react to watches.
//!
//! Left out: webhooks are not called; each is taken as answering 200, and the record says so.

use std::collections::BTreeMap;

use rand::RngExt;
use serde_json::{Value, json};

use crate::engine::cluster::Cluster;
use crate::engine::{
    self, Event, Gauge, HookCall, HookError, Notice, Object, ObjectRef, Query, QueryError,
    QuerySource, ReadError, Sample, Settings, Ticked, Write, WriteError, prometheus,
};
use crate::promql;
use crate::record::{QueryRecord, SelectorSeen, SeriesSeen};
use crate::seed::Stream;
use crate::time::{Span, Timestamp};
use crate::tsdb::Storage;

/// Queries compiled once and evaluated at every tick, by their text.
#[derive(Clone, Debug, Default)]
pub(super) struct QueryCache {
    options: promql::Options,
    compiled: BTreeMap<String, Result<promql::Query, String>>,
}

/// What a tick left behind besides its changes of the cluster.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub(super) events: Vec<Event>,
    pub(super) queries: Vec<QueryRecord>,
    /// The weights last reported by `flagger_canary_weight`.
    pub(super) weights: Option<(i64, i64)>,
    /// Objects written.
    pub(super) written: Vec<ObjectRef>,
    /// Webhooks that were taken as answering 200.
    pub(super) hooks: Vec<String>,
}

/// The engine's view of the simulated cluster during one tick.
pub(super) struct Desk<'w> {
    pub(super) cluster: &'w mut Cluster,
    pub(super) storage: &'w Storage,
    pub(super) queries: &'w mut QueryCache,
    /// Draws how long each query takes to reach Prometheus.
    pub(super) latency: &'w mut Stream,
    /// The longest it takes.
    pub(super) longest_latency: Span,
    /// When the next query leaves.
    pub(super) now: Timestamp,
    pub(super) said: Said,
}

impl Desk<'_> {
    /// Runs the tick and pairs its checks with the queries it asked.
    pub(super) fn tick(mut self, canary: &ObjectRef, settings: &Settings) -> (Ticked, Said) {
        let ticked = engine::tick(canary, settings, self.now, &mut self);
        let asked = self
            .said
            .queries
            .iter_mut()
            .filter(|query| query.source != QuerySource::Availability);
        for (query, check) in asked.zip(&ticked.checks) {
            query.value = check.value;
            query.bound = check.bound;
            query.passed = check.passed;
            query.message.clone_from(&check.message);
        }
        (ticked, self.said)
    }
}

impl engine::World for Desk<'_> {
    fn read(&mut self, object: &ObjectRef) -> Result<Option<Object>, ReadError> {
        Ok(self.cluster.get(object).cloned())
    }

    fn write(&mut self, write: Write) -> Result<(), WriteError> {
        let written = match &write {
            Write::Create(object) | Write::Update(object) => object.reference(),
            Write::Scale { deployment, .. } => deployment.clone(),
            Write::CanaryStatus { canary, .. } | Write::Finalizers { canary, .. } => canary.clone(),
        };
        self.cluster.write(write)?;
        self.said.written.push(written);
        Ok(())
    }

    fn query(&mut self, query: &Query) -> Result<Vec<Sample>, QueryError> {
        let latency = self
            .latency
            .random_range(1..=self.longest_latency.as_millis().max(1));
        self.now += Span::from_millis(latency);
        let compiled = self.queries.compile(&query.text)?;
        let mut record = QueryRecord {
            metric: query.metric.clone(),
            source: query.source,
            text: query.text.clone(),
            evaluated_at: self.now,
            selectors: seen(&compiled, self.storage, self.now),
            value: None,
            bound: None,
            passed: true,
            message: None,
            truth: None,
        };
        let samples = answer(&compiled, self.storage, self.now);
        if let Ok([.., last]) = samples.as_deref() {
            record.value = Some(last.value);
        }
        self.said.queries.push(record);
        samples
    }

    fn call(&mut self, hook: &HookCall) -> Result<(), HookError> {
        self.said.hooks.push(hook.name.clone());
        Ok(())
    }

    fn tell(&mut self, notice: Notice) {
        match notice {
            Notice::Event(event) => self.said.events.push(event),
            Notice::Gauge(Gauge::Weight { primary, canary }) => {
                self.said.weights = Some((primary, canary))
            }
            Notice::Gauge(_) | Notice::Alert(_) | Notice::Log(_) => {}
        }
    }
}

impl QueryCache {
    /// An empty cache for a Prometheus of these options.
    pub(super) fn new(options: promql::Options) -> Self {
        QueryCache {
            options,
            compiled: BTreeMap::new(),
        }
    }

    fn compile(&mut self, text: &str) -> Result<promql::Query, QueryError> {
        if !self.compiled.contains_key(text) {
            let compiled = promql::Query::compile(text, &self.options).map_err(|e| e.to_string());
            self.compiled.insert(text.to_owned(), compiled);
        }
        self.compiled[text]
            .clone()
            .map_err(|error| refused(400, "bad_data", &error))
    }
}

/// What Prometheus answers a query at a moment, as Flagger's client reads it.
fn answer(
    query: &promql::Query,
    storage: &Storage,
    at: Timestamp,
) -> Result<Vec<Sample>, QueryError> {
    match query.instant(storage, at).map(|answer| answer.value) {
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
