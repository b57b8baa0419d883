//! Feeds the engine: one Flagger tick over the simulated cluster.
//!
//! [`Desk`] is the engine's view of the world during a tick: it answers reads from the cluster's objects, queries from the
//! simulated Prometheus, and takes down what was said. What a write sets in motion (pods, weights) begins after the tick,
//! as in a cluster whose controllers react to watches.
//!
//! A tick takes no time but that of its queries and webhooks. A query is evaluated when it arrives, the world around it as
//! at the start of the tick; while a webhook is waited for, the world goes on, and what is said afterwards is said later.

use rand::RngExt;

use super::webhooks;
use super::world::{Detail, World};

use crate::engine::{
    self, Event, Gauge, HookCall, HookError, Notice, Object, ObjectRef, Query, QueryError,
    ReadError, Sample, Settings, Ticked, Write, WriteError,
};
use crate::evaluator::judge;
use crate::record::QueryRecord;
use crate::time::{Span, Timestamp};

/// What a tick left behind besides its changes of the cluster.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// When the tick ended: when its weights were set.
    pub(super) ended: Timestamp,
    pub(super) events: Vec<(Timestamp, Event)>,
    pub(super) queries: Vec<QueryRecord>,
    /// The weights last reported by `flagger_canary_weight`.
    pub(super) weights: Option<(i64, i64)>,
}

/// The engine's view of the simulated cluster during one tick.
pub(super) struct Desk<'w> {
    world: &'w mut World,
    /// When the next query or call leaves.
    now: Timestamp,
    /// Time spent on webhooks. What is said is said so long after the start of the tick: a query's few milliseconds do
    /// not count.
    waited: Span,
    started: Timestamp,
    /// Something has been written that no controller has seen yet.
    written: bool,
    said: Said,
}

impl<'w> Desk<'w> {
    /// The desk of a tick that starts now.
    pub(super) fn new(world: &'w mut World) -> Self {
        let now = world.now();
        Desk {
            world,
            now,
            waited: Span::ZERO,
            started: now,
            written: false,
            said: Said::default(),
        }
    }

    /// Runs the tick and pairs its checks with the queries it asked. `None` where the run ended before the tick did.
    pub(super) fn tick(
        mut self,
        canary: &ObjectRef,
        settings: &Settings,
    ) -> Option<(Ticked, Said)> {
        let ticked = engine::tick(canary, settings, self.now, &mut self);
        if self.world.is_over() {
            return None;
        }
        if self.written {
            self.world.react();
        }
        judge(&mut self.said.queries, &ticked.checks);
        self.said.ended = self.started + self.waited;
        Some((ticked, self.said))
    }

    /// Does something else than a tick; says what was said meanwhile.
    pub(super) fn act<R>(mut self, act: impl FnOnce(&mut Self) -> R) -> (R, Said) {
        let done = act(&mut self);
        if self.written {
            self.world.react();
        }
        (done, self.said)
    }

    /// Waits for an answer while the world goes on: controllers act on what has been written so far.
    fn wait(&mut self, span: Span) {
        if span <= Span::ZERO {
            return;
        }
        if std::mem::take(&mut self.written) {
            self.world.react();
        }
        if let Some(weights) = self.said.weights {
            self.world.report_weights(weights);
        }
        self.now += span;
        self.waited = self.waited + span;
        self.world.run_until(self.now);
    }
}

impl engine::World for Desk<'_> {
    fn look(
        &mut self,
        object: &ObjectRef,
        see: &mut dyn FnMut(Option<&Object>),
    ) -> Result<(), ReadError> {
        see(self.world.cluster.get(object));
        Ok(())
    }

    fn write(&mut self, write: Write) -> Result<(), WriteError> {
        // Nothing that would have happened after the run's end happens.
        if self.world.is_over() {
            return Ok(());
        }
        self.world.cluster.write(write)?;
        self.written = true;
        Ok(())
    }

    fn query(&mut self, query: &Query) -> Result<Vec<Sample>, QueryError> {
        let world = &mut *self.world;
        let longest = world.scenario.prometheus.query_latency.as_millis();
        let latency = world.query_latency.random_range(1..=longest.max(1));
        self.now += Span::from_millis(latency);
        if world.prometheus_is_down() {
            return Err(unreachable(
                &world.scenario.flagger.metrics_server,
                &query.text,
            ));
        }
        let seen = world.detail == Detail::Story;
        let (samples, record) = world.queries.ask(query, &world.storage, self.now, seen);
        self.said.queries.extend(record);
        samples
    }

    fn call(&mut self, hook: &HookCall) -> Result<(), HookError> {
        let script = self.world.scenario.webhooks.get(&hook.name);
        let (answer, took) = webhooks::call(script, hook, self.now);
        self.wait(took);
        if answer.is_ok() {
            self.world.ask_load_tester(hook, self.now);
        }
        answer
    }

    fn tell(&mut self, notice: Notice) {
        match notice {
            Notice::Event(event) => {
                let at = self.started + self.waited;
                self.said.events.push((at, event));
            }
            Notice::Gauge(Gauge::Weight { primary, canary }) => {
                self.said.weights = Some((primary, canary))
            }
            Notice::Gauge(_) | Notice::Alert(_) | Notice::Log(_) => {}
        }
    }
}

/// What Go's HTTP client says of a server that does not listen, as `RunQuery` of `pkg/metrics/providers/prometheus.go`
/// hands it on.
fn unreachable(server: &str, query: &str) -> QueryError {
    let escaped: String = query
        .bytes()
        .map(|byte| match byte {
            b' ' => "+".to_owned(),
            b'-' | b'_' | b'.' | b'~' | b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect();
    let host = server.split("://").last().unwrap_or(server);
    QueryError(format!(
        "request failed: Get \"{server}/api/v1/query?query={escaped}\": dial tcp: connect to {host}: connection refused"
    ))
}
