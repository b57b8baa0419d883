//! The summary that `--format json` prints. Its keys are a contract, committed as `schema/summary.schema.json`.
//!
//! Times are seconds, ratios fractions. A value that JSON has no number for (NaN, infinities) is null, as a missing one is.

use schemars::{JsonSchema, Schema};
use serde::Serialize;

use crate::canary::{Phase, Rules};
use crate::engine::Bound;
use crate::record::{
    CheckRow, EventRecord, Outcome, Record, Replay, RequestTotals, TimelineRow, seconds,
};
use crate::time::Timestamp;

/// One run in short.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "rollcast summary of one run")]
pub struct Summary<'a> {
    /// Name of the scenario.
    pub scenario: &'a str,
    /// Seed of the run.
    pub seed: u64,
    /// How thresholds were read.
    pub rules: Rules,
    /// How it ended.
    pub outcome: Outcome,
    /// The Canary's phase at the end.
    pub phase: Phase,
    /// When promotion (the copy) or rollback was decided, in seconds after the tick that detected the new revision.
    #[serde(serialize_with = "seconds::optional::serialize")]
    #[schemars(with = "Option<f64>")]
    pub decided_at_s: Option<Timestamp>,
    /// When the phase became Succeeded or Failed.
    #[serde(serialize_with = "seconds::optional::serialize")]
    #[schemars(with = "Option<f64>")]
    pub finished_at_s: Option<Timestamp>,
    /// Weights as they were set, each with the checks that judged it.
    pub timeline: Vec<Row<'a>>,
    /// Every event in order; those of the warm-up have negative times.
    pub events: &'a [EventRecord],
    /// Requests from time zero on.
    pub requests: RequestTotals,
    /// 99 % of the requests were at most so slow; null without requests.
    pub latency_p99_ms: Option<f64>,
    /// How a replay compares with the recording; absent where nothing was replayed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replay: Option<&'a Replay>,
}

/// A weight as it was set.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Row<'a> {
    /// When it was set.
    #[serde(serialize_with = "seconds::timestamp::serialize")]
    #[schemars(with = "f64")]
    pub at_s: Timestamp,
    /// The phase after that tick.
    pub phase: Phase,
    /// Percent for the primary, as requested.
    pub primary_weight: i64,
    /// Percent for the canary, as requested.
    pub canary_weight: i64,
    /// Share of the requests that the canary's pods served until the next row; null without requests.
    pub canary_share: Option<f64>,
    /// Checks that judged this weight.
    pub checks: Vec<Check<'a>>,
}

/// One check.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Check<'a> {
    /// When it was made.
    #[serde(serialize_with = "seconds::timestamp::serialize")]
    #[schemars(with = "f64")]
    pub at_s: Timestamp,
    /// The metric's name.
    pub metric: &'a str,
    /// What the query returned, in the query's own unit.
    pub value: Option<f64>,
    /// What it was held against; null where there was no value to hold against it.
    pub bound: Option<f64>,
    /// Which side of the bound fails: `min` values below it, `max` values above it.
    pub bound_type: Option<BoundType>,
    /// Whether it held.
    pub passed: bool,
}

/// Which side of a bound fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BoundType {
    /// Values below.
    Min,
    /// Values above.
    Max,
}

/// The summary of a run.
pub fn summary(record: &Record) -> Summary<'_> {
    Summary {
        scenario: &record.scenario_name,
        seed: record.seed,
        rules: record.rules,
        outcome: record.outcome,
        phase: record.phase,
        decided_at_s: record.decided_at,
        finished_at_s: record.finished_at,
        timeline: record.timeline.iter().map(row).collect(),
        events: &record.events,
        requests: record.requests,
        latency_p99_ms: (record.requests.total > 0 && record.replay.is_none())
            .then_some(record.latency.p99_ms),
        replay: record.replay.as_ref(),
    }
}

/// The summary as it is printed: indented, a line break at the end.
pub fn render(record: &Record) -> serde_json::Result<String> {
    lines(&summary(record))
}

/// Two summaries, as `--compare-rules` and `--compare-provider` print them: an array.
pub fn render_both(first: &Record, second: &Record) -> serde_json::Result<String> {
    lines(&[summary(first), summary(second)])
}

/// The JSON Schema of [`Summary`].
pub fn schema() -> Schema {
    schemars::schema_for!(Summary<'static>)
}

fn lines(value: &impl Serialize) -> serde_json::Result<String> {
    let mut text = serde_json::to_string_pretty(value)?;
    text.push('\n');
    Ok(text)
}

fn row(row: &TimelineRow) -> Row<'_> {
    Row {
        at_s: row.at,
        phase: row.phase,
        primary_weight: row.primary_weight,
        canary_weight: row.canary_weight,
        canary_share: row.canary_share,
        checks: row.checks.iter().map(check).collect(),
    }
}

fn check(check: &CheckRow) -> Check<'_> {
    let (bound, bound_type) = match check.bound {
        Some(Bound::Min(min)) => (Some(min), Some(BoundType::Min)),
        Some(Bound::Max(max)) => (Some(max), Some(BoundType::Max)),
        None => (None, None),
    };
    Check {
        at_s: check.at,
        metric: &check.metric,
        value: check.value,
        bound,
        bound_type,
        passed: check.passed,
    }
}
