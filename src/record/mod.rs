//! What one run leaves behind, whoever drove it: ticks, events, measured values, traffic, outcome.
//!
//! Times count from the tick that detected the new revision (for a run that never started: the scenario's zero).
//! No wall-clock time, host, thread count or output path is in it, so two runs compare byte for byte.
//!
//! `run.json` is the whole of it ([`Record::to_json`]): times are seconds (keys ending in `_s`), ratios fractions, a value that
//! JSON has no number for (NaN, infinities) is null. The effective scenario inside it keeps the units of the scenario's own data.

pub(crate) mod recorder;
pub(crate) mod seconds;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::canary::{Phase, Provider, Rules};
use crate::engine::{Bound, EventType, QuerySource};
use crate::time::{Span, Timestamp};

/// Version of the record's shape.
pub const SCHEMA_VERSION: u32 = 1;

/// One run. In JSON, times (keys ending in `_s`) are seconds after the tick that detected the new revision, ratios are
/// fractions, and a value that JSON has no number for (NaN, infinities) is null.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "rollcast record of one run (run.json)")]
pub struct Record {
    /// Version of this shape.
    pub schema_version: u32,
    /// Version of rollcast.
    pub rollcast_version: String,
    /// Name of the scenario.
    pub scenario_name: String,
    /// The effective scenario and manifests, in the units of the scenario's own data: times in it are whole milliseconds
    /// unless their key says otherwise.
    pub scenario: Value,
    /// Seed of the run.
    pub seed: u64,
    /// How thresholds were read.
    pub rules: Rules,
    /// What realised the weights.
    pub provider: Option<Provider>,
    /// `<canary>.<namespace>`.
    pub canary: String,
    /// The analysis interval in force.
    #[serde(rename = "interval_s", with = "seconds::span")]
    #[schemars(with = "f64")]
    pub interval: Span,
    /// How it ended.
    pub outcome: Outcome,
    /// The Canary's phase at the end.
    pub phase: Phase,
    /// When promotion (the copy) or rollback was decided.
    #[serde(rename = "decided_at_s", with = "seconds::optional")]
    #[schemars(with = "Option<f64>")]
    pub decided_at: Option<Timestamp>,
    /// When the phase became Succeeded or Failed.
    #[serde(rename = "finished_at_s", with = "seconds::optional")]
    #[schemars(with = "Option<f64>")]
    pub finished_at: Option<Timestamp>,
    /// How the new version came to the cluster, where it was committed and not pushed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<Delivery>,
    /// When the run ended.
    #[serde(rename = "ended_at_s", with = "seconds::timestamp")]
    #[schemars(with = "f64")]
    pub ended_at: Timestamp,
    /// Weights as they were set, with the checks that judged them.
    pub timeline: Vec<TimelineRow>,
    /// Every tick, warm-up included.
    pub ticks: Vec<TickRecord>,
    /// Every event, warm-up included.
    pub events: Vec<EventRecord>,
    /// A row a second from time zero on, of users alone.
    pub traffic: Vec<TrafficSecond>,
    /// Requests of users from time zero on.
    pub requests: RequestTotals,
    /// Latency of all requests of users from time zero on.
    pub latency: Latency,
    /// Load tests that webhooks started. Their requests reach pods and counters as any others, and are in no other figure
    /// of this record but what queries measured.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub load_tests: Vec<LoadTest>,
    /// What a person should know about how it ended, most important first.
    pub findings: Vec<Finding>,
    /// How the run compares with the recording it was replayed over; absent where nothing was replayed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay: Option<Replay>,
}

impl Record {
    /// The record as `run.json` holds it: indented, keys in the order of the fields, a line break at the end.
    pub fn to_json(&self) -> serde_json::Result<String> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        Ok(text)
    }

    /// Reads what [`to_json`](Self::to_json) wrote. A sample's null is NaN again, whatever it was.
    pub fn from_json(text: &str) -> serde_json::Result<Record> {
        serde_json::from_str(text)
    }

    /// The query behind a check on the timeline.
    pub fn query_of(&self, check: &CheckRow) -> Option<&QueryRecord> {
        let tick = self.ticks.iter().find(|tick| tick.at == check.at)?;
        tick.queries
            .iter()
            .find(|query| query.metric == check.metric && query.source == check.source)
    }
}

/// A replay beside the rollout that its series were recorded of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Replay {
    /// Whose rules the queries were evaluated by: `3`, `2.53`, `2.42`.
    pub prometheus_version: String,
    /// What the replayed weights were compared with; null where the recorded ones are not known.
    pub compared_with: Option<String>,
    /// The first tick that set another weight than the recorded one did: from here on the recorded series are no longer those
    /// that this rollout would have made.
    #[serde(rename = "differs_at_s", with = "seconds::optional")]
    #[schemars(with = "Option<f64>")]
    pub differs_at: Option<Timestamp>,
    /// The recorded weight of the canary after that tick, in percent.
    pub recorded_weight: Option<i64>,
    /// The replayed one.
    pub replayed_weight: Option<i64>,
    /// The first tick that was decided on such series; null where none was.
    #[serde(rename = "guess_from_s", with = "seconds::optional")]
    #[schemars(with = "Option<f64>")]
    pub guess_from: Option<Timestamp>,
    /// What was not given and was taken as present, and what else a reader should know.
    pub notes: Vec<String>,
}

/// How a run ended.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The primary runs the new version.
    Promoted,
    /// All traffic went back to the primary.
    RolledBack,
    /// The primary did not get ready with the new version.
    PromotionFailed,
    /// The horizon came first.
    Undecided,
    /// No new revision was seen.
    NotStarted,
}

impl Outcome {
    /// As files and scenarios write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Promoted => "promoted",
            Outcome::RolledBack => "rolled-back",
            Outcome::PromotionFailed => "promotion-failed",
            Outcome::Undecided => "undecided",
            Outcome::NotStarted => "not-started",
        }
    }
}

/// The way of a commit through the pipeline to the tick that detected it, and from there to the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Delivery {
    /// The version committed.
    pub version: String,
    /// When it was committed.
    #[serde(rename = "committed_at_s", with = "seconds::timestamp")]
    #[schemars(with = "f64")]
    pub committed_at: Timestamp,
    /// When CI had built its image.
    #[serde(rename = "built_at_s", with = "seconds::timestamp")]
    #[schemars(with = "f64")]
    pub built_at: Timestamp,
    /// When Flux saw the image.
    #[serde(rename = "scanned_at_s", with = "seconds::timestamp")]
    #[schemars(with = "f64")]
    pub scanned_at: Timestamp,
    /// When Flux had committed the image's tag.
    #[serde(rename = "image_committed_at_s", with = "seconds::timestamp")]
    #[schemars(with = "f64")]
    pub image_committed_at: Timestamp,
    /// When Flux had fetched that commit.
    #[serde(rename = "fetched_at_s", with = "seconds::timestamp")]
    #[schemars(with = "f64")]
    pub fetched_at: Timestamp,
    /// When it was applied to the cluster.
    #[serde(rename = "applied_at_s", with = "seconds::timestamp")]
    #[schemars(with = "f64")]
    pub applied_at: Timestamp,
    /// From the commit to the tick that detected it.
    #[serde(rename = "commit_to_detected_s", with = "seconds::span")]
    #[schemars(with = "f64")]
    pub commit_to_detected: Span,
    /// From there to the decision.
    #[serde(rename = "detected_to_decided_s", with = "seconds::optional_span")]
    #[schemars(with = "Option<f64>")]
    pub detected_to_decided: Option<Span>,
    /// From there to the end of the rollout.
    #[serde(rename = "decided_to_finished_s", with = "seconds::optional_span")]
    #[schemars(with = "Option<f64>")]
    pub decided_to_finished: Option<Span>,
}

/// A weight as it was set.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct TimelineRow {
    /// When it was set.
    #[serde(rename = "at_s", with = "seconds::timestamp")]
    #[schemars(with = "f64")]
    pub at: Timestamp,
    /// The phase after that tick.
    pub phase: Phase,
    /// Percent for the primary, as requested.
    pub primary_weight: i64,
    /// Percent for the canary, as requested.
    pub canary_weight: i64,
    /// Share of the requests that the canary's pods served until the next row; `None` without requests.
    pub canary_share: Option<f64>,
    /// What happened, in a few words: `new revision detected`, `promotion decided`, `rolled back`.
    pub note: Option<String>,
    /// Checks that judged this weight.
    pub checks: Vec<CheckRow>,
}

/// A check on the timeline.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct CheckRow {
    /// When it was made.
    #[serde(rename = "at_s", with = "seconds::timestamp")]
    #[schemars(with = "f64")]
    pub at: Timestamp,
    /// The metric's name.
    pub metric: String,
    /// Which of the entry's checks it is.
    pub source: QuerySource,
    /// What the query returned.
    pub value: Option<f64>,
    /// What it was held against.
    pub bound: Option<Bound>,
    /// Whether it held.
    pub passed: bool,
}

impl From<&QueryRecord> for CheckRow {
    fn from(query: &QueryRecord) -> Self {
        CheckRow {
            at: query.evaluated_at,
            metric: query.metric.clone(),
            source: query.source,
            value: query.value,
            bound: query.bound,
            passed: query.passed,
        }
    }
}

/// One tick.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct TickRecord {
    /// When.
    #[serde(rename = "at_s", with = "seconds::timestamp")]
    #[schemars(with = "f64")]
    pub at: Timestamp,
    /// The phase it ended with.
    pub phase: Phase,
    /// What it came to: `idle`, `advanced`, `halted`, ...
    pub decision: String,
    /// Percent for the primary after it.
    pub primary_weight: i64,
    /// Percent for the canary after it.
    pub canary_weight: i64,
    /// `status.failedChecks` after it.
    pub failed_checks: i64,
    /// `status.iterations` after it.
    pub iterations: i64,
    /// The primary's pods.
    pub primary_replicas: Replicas,
    /// The canary's pods.
    pub canary_replicas: Replicas,
    /// What it asked Prometheus.
    pub queries: Vec<QueryRecord>,
}

/// Pods of one Deployment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Replicas {
    /// `spec.replicas`.
    pub wanted: i32,
    /// Ready pods.
    pub ready: i32,
}

/// One query, what it saw and what became of it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct QueryRecord {
    /// The metric's name.
    pub metric: String,
    /// Which of the entry's checks asked.
    pub source: QuerySource,
    /// The text as sent.
    pub text: String,
    /// When Prometheus evaluated it.
    #[serde(rename = "evaluated_at_s", with = "seconds::timestamp")]
    #[schemars(with = "f64")]
    pub evaluated_at: Timestamp,
    /// What it saw, selector by selector.
    pub selectors: Vec<SelectorSeen>,
    /// What it returned; `None` where there was no value.
    pub value: Option<f64>,
    /// What it was held against.
    pub bound: Option<Bound>,
    /// Whether it held.
    pub passed: bool,
    /// Flagger's message, where it did not.
    pub message: Option<String>,
    /// What the canary's users really got in the query's window, in the query's unit, where the meaning of the query is known.
    pub truth: Option<f64>,
}

/// What one selector of a query saw.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SelectorSeen {
    /// The selector as written.
    pub selector: String,
    /// The series it matched and their samples in the window.
    pub series: Vec<SeriesSeen>,
}

/// A series and its samples in a window.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SeriesSeen {
    /// Its labels, as Prometheus prints them.
    pub labels: String,
    /// Time and value.
    #[serde(with = "seconds::samples")]
    #[schemars(with = "Vec<(f64, Option<f64>)>")]
    pub samples: Vec<(Timestamp, f64)>,
}

/// One event.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct EventRecord {
    /// When.
    #[serde(rename = "at_s", with = "seconds::timestamp")]
    #[schemars(with = "f64")]
    pub at: Timestamp,
    /// Normal or Warning.
    #[serde(rename = "type")]
    pub kind: EventType,
    /// The bare message.
    pub message: String,
}

/// One second of traffic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TrafficSecond {
    /// Start of the second, in seconds.
    pub at_s: i64,
    /// Requests that arrived.
    pub requests: u64,
    /// Of these, answered with 5xx.
    pub failed: u64,
    /// Of the arrived, served by the canary's pods.
    pub canary: u64,
    /// Of these, answered with 5xx.
    pub canary_failed: u64,
    /// 50 % were at most so slow; 0 without requests.
    pub p50_ms: f64,
    /// 99 % were at most so slow; 0 without requests.
    pub p99_ms: f64,
    /// Percent requested for the canary.
    pub canary_weight: i64,
    /// Pods wanted of the primary (`spec.replicas`) at the end of the second.
    pub primary_wanted: i32,
    /// The primary's ready pods at the end of the second.
    pub primary_ready: i32,
    /// Pods wanted of the canary at the end of the second.
    pub canary_wanted: i32,
    /// The canary's ready pods at the end of the second.
    pub canary_ready: i32,
}

/// Requests of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RequestTotals {
    /// All.
    pub total: u64,
    /// Answered with 5xx.
    pub failed: u64,
    /// Served by the canary's pods (exposure).
    pub canary: u64,
    /// Of these, answered with 5xx.
    pub canary_failed: u64,
}

/// A command that Flagger's load tester ran for a webhook.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct LoadTest {
    /// Name of the webhook.
    pub hook: String,
    /// The command.
    pub command: String,
    /// Where its requests went, in words.
    pub target: String,
    /// Whether the ingress counted them.
    pub recorded: bool,
    /// When it was started.
    #[serde(rename = "started_at_s", with = "seconds::timestamp")]
    #[schemars(with = "f64")]
    pub started_at: Timestamp,
    /// When it ended; `None` where the run did first.
    #[serde(rename = "ended_at_s", with = "seconds::optional")]
    #[schemars(with = "Option<f64>")]
    pub ended_at: Option<Timestamp>,
    /// Its requests; failed are those answered with 5xx, or not in time.
    pub requests: RequestTotals,
    /// 99 % of them were at most so slow; 0 without requests.
    pub p99_ms: f64,
}

/// Latency that users saw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Latency {
    /// Median.
    pub p50_ms: f64,
    /// 90 % were at most so slow.
    pub p90_ms: f64,
    /// 99 % were at most so slow.
    pub p99_ms: f64,
    /// The slowest.
    pub max_ms: f64,
}

/// Something a person should know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// A word for programs: `scrape-interval`, `diluted`, `builtin-shadows-template`.
    pub code: String,
    /// A sentence or two for people, ending with what to change where there is something.
    pub text: String,
}
