//! A recorded world: the engine over series that a real Prometheus scraped, tick by tick, as it decided or would have decided.
//!
//! Queries are evaluated by our own PromQL at the instant of their tick. The cluster is the Canary's objects, of which what was
//! not given is taken as present and ready, as are webhooks: recorded series do not say otherwise. The series were made under
//! the weights of the recorded rollout; where a replayed tick sets another weight than the recorded one did, the series after
//! it are no longer those that this decision would have met, and what follows is a guess ([`Replay::differs_at`]).
//!
//! Left out: pods that do not get ready, hooks that refuse, ticks that overrun. What is given in place of the series' own
//! evidence (ticks, weights, version) arrives as an argument; nothing here reads a file.

#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

mod cluster;
mod requests;
mod ticks;
mod weights;
mod world;

pub use ticks::{Ticks, parse_ticks};
pub use weights::{Weights, parse_weights, parse_weights_gauge};

use serde_json::Value;

use crate::canary::{Canary, CanaryStatus, Phase, Provider};
use crate::diagnostic::Diagnostic;
use crate::engine::{self, Object, ObjectRef, Settings};
use crate::promql;
use crate::record::recorder::{AfterTick, Recorder};
use crate::record::{Latency, Record, Replay, SCHEMA_VERSION};
use crate::time::{Span, Timestamp};
use crate::tsdb::Storage;
use requests::Requests;
use world::ReplayWorld;

/// What is replayed.
#[derive(Clone, Debug)]
pub struct Case {
    /// How the record calls it.
    pub name: String,
    /// The objects and settings in force, as the record keeps them.
    pub scenario: Value,
    /// The Canary.
    pub canary: Canary,
    /// Everything else that the engine may read.
    pub objects: Vec<Object>,
    /// The controller's settings.
    pub settings: Settings,
    /// What realises weights.
    pub provider: Provider,
    /// The Prometheus that answers.
    pub options: promql::Options,
    /// When the engine ticks.
    pub ticks: Ticks,
    /// The weights under which the series were made, where they are known.
    pub weights: Option<Weights>,
}

/// The name of the metric that an ingress counts requests in.
pub const REQUESTS: &str = "nginx_ingress_controller_requests";

/// Runs the engine over the series.
///
/// # Errors
/// When the Canary cannot be initialised at all: its objects contradict each other.
pub fn replay(case: &Case, storage: &Storage) -> Result<Record, Diagnostic> {
    let interval = interval(&case.canary);
    let start = case.ticks.start();
    let mut world = ReplayWorld::new(case, storage);
    initialize(case, &mut world, start, interval)?;
    world.push_revision();

    let canary = world.canary.clone();
    let requests = Requests::new(storage, &case.canary);
    let mut recorder = Recorder::default();
    let mut differs: Option<(Timestamp, i64, i64)> = None;
    let mut guess_from = None;
    let mut decided = false;
    let mut ticks = case.ticks.iter(interval, storage_end(storage)).peekable();
    let mut ended = start;
    // What follows the last tick that there are samples for is certain where nothing is asked any more.
    let mut asks_nothing = false;
    while let Some(at) = ticks
        .next()
        .or_else(|| asks_nothing.then(|| ended + interval))
    {
        ended = at;
        if differs.is_some() && !decided {
            guess_from.get_or_insert(at);
        }
        world.begin(at);
        let ticked = engine::tick(&canary, &case.settings, at, &mut world);
        let said = world.end(&ticked);
        for event in said.events {
            recorder.event(at, event);
        }
        let status = world.status();
        recorder.tick(
            &ticked,
            AfterTick {
                at,
                ended: at,
                status: &status,
                weights: world.weights,
                primary_replicas: world.replicas(true),
                canary_replicas: world.replicas(false),
                queries: said.queries,
                served: requests.until(at, start),
            },
        );
        if differs.is_none() && !decided {
            let next = ticks.peek().copied().unwrap_or(at + interval);
            let recorded = case
                .weights
                .as_ref()
                .and_then(|weights| weights.after(at, next));
            differs = recorded
                .filter(|recorded| *recorded != world.weights.1)
                .map(|recorded| (at, recorded, world.weights.1));
        }
        decided |= matches!(
            ticked.decision,
            engine::Decision::Promoting
                | engine::Decision::RolledBack
                | engine::Decision::Succeeded
                | engine::Decision::PromotionFailed
        );
        if matches!(status.phase, Phase::Succeeded | Phase::Failed) {
            break;
        }
        asks_nothing = nothing_left_to_ask(&status, case);
    }
    let served = requests.until(ended, start);
    let recording = recorder.finish(served, start);
    let since = |at: Timestamp| at - (start - Timestamp::ZERO);
    Ok(Record {
        schema_version: SCHEMA_VERSION,
        rollcast_version: env!("CARGO_PKG_VERSION").to_owned(),
        scenario_name: case.name.clone(),
        scenario: case.scenario.clone(),
        seed: 0,
        rules: case.settings.rules,
        provider: Some(case.provider),
        canary: canary.to_string(),
        interval,
        outcome: recording.outcome,
        phase: world.status().phase,
        decided_at: recording.decided_at,
        finished_at: recording.finished_at,
        delivery: None,
        ended_at: since(ended),
        timeline: recording.timeline,
        ticks: recording.ticks,
        events: recording.events,
        traffic: Vec::new(),
        requests: served,
        latency: Latency::default(),
        load_tests: Vec::new(),
        findings: Vec::new(),
        replay: Some(Replay {
            prometheus_version: version_name(case.options.version).to_owned(),
            compared_with: case
                .weights
                .as_ref()
                .map(|weights| weights.source().to_owned()),
            differs_at: differs.map(|(at, ..)| since(at)),
            recorded_weight: differs.map(|(_, recorded, _)| recorded),
            replayed_weight: differs.map(|(.., replayed)| replayed),
            guess_from: guess_from.map(since),
            notes: Vec::new(),
        }),
    })
}

/// The analysis interval of a Canary.
pub fn interval(canary: &Canary) -> Span {
    let analysis = canary.spec.analysis.as_ref();
    analysis.map_or(Span::from_secs(60), |analysis| analysis.interval())
}

/// A version as scenarios and the command line spell it.
pub fn version_name(version: promql::Version) -> &'static str {
    match version {
        promql::Version::V2_42 => "2.42",
        promql::Version::V2_53 => "2.53",
        promql::Version::V3 => "3",
    }
}

/// Ticks before the recording until the Canary is Initialized, as it was when the rollout began.
fn initialize(
    case: &Case,
    world: &mut ReplayWorld<'_>,
    start: Timestamp,
    interval: Span,
) -> Result<(), Diagnostic> {
    /// One creates the primary, one sees it ready; more never helps.
    const MOST: i64 = 4;
    let canary = world.canary.clone();
    let mut warnings = Vec::new();
    for before in (1..=MOST).rev() {
        let at = start - interval * before;
        world.begin(at);
        let ticked = engine::tick(&canary, &case.settings, at, world);
        let said = world.end(&ticked);
        if world.status().phase == Phase::Initialized {
            return Ok(());
        }
        warnings = said.events;
    }
    let why = warnings
        .last()
        .map_or("nothing says why", |event| &event.message);
    Err(Diagnostic::new(format!(
        "the Canary {canary} does not get initialised, so no rollout of it can be replayed: {why}"
    ))
    .help("give the objects that belong to it, or correct the Canary"))
}

/// Whether the next tick ends the rollout, or moves it on, without asking Prometheus.
fn nothing_left_to_ask(status: &CanaryStatus, case: &Case) -> bool {
    let limit = case
        .canary
        .spec
        .analysis
        .as_ref()
        .map_or(1, |a| a.threshold());
    match status.phase {
        Phase::Promoting | Phase::Finalising => true,
        Phase::Progressing | Phase::WaitingPromotion => status.failed_checks >= limit,
        _ => false,
    }
}

/// The newest sample's time.
fn storage_end(storage: &Storage) -> Timestamp {
    let newest = |series| storage.samples(series).last().map(|(at, _)| at);
    storage
        .all_series()
        .filter_map(newest)
        .max()
        .unwrap_or(Timestamp::ZERO)
}

/// The Canary's reference.
fn reference(canary: &Canary) -> ObjectRef {
    Object::from(canary.clone()).reference()
}
