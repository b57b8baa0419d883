//! The tables of an output directory, as CSV with a header line: times in seconds, ratios as fractions, an empty cell
//! where there is nothing, values that are no number as Prometheus spells them (`NaN`, `+Inf`).

use csv::Writer;

use crate::engine::{Bound, QuerySource};
use crate::record::Record;
use crate::time::Timestamp;

/// `timeline.csv`: a row for each weight as it was set.
pub fn timeline(record: &Record) -> csv::Result<Vec<u8>> {
    let header = [
        "at_s",
        "phase",
        "primary_weight",
        "canary_weight",
        "canary_share",
        "note",
    ];
    let rows = record.timeline.iter().map(|row| {
        [
            seconds(row.at),
            row.phase.to_string(),
            row.primary_weight.to_string(),
            row.canary_weight.to_string(),
            row.canary_share.map(number).unwrap_or_default(),
            row.note.clone().unwrap_or_default(),
        ]
    });
    table(header, rows)
}

/// `checks.csv`: a row for each check, with the weight it judged and what the canary's users really got.
pub fn checks(record: &Record) -> csv::Result<Vec<u8>> {
    let header = [
        "at_s",
        "weight_set_at_s",
        "canary_weight",
        "metric",
        "source",
        "value",
        "bound_type",
        "bound",
        "passed",
        "true_value",
        "message",
    ];
    let rows = record.timeline.iter().flat_map(|row| {
        row.checks.iter().map(|check| {
            let query = record.query_of(check);
            let (bound_type, bound) = match check.bound {
                Some(Bound::Min(min)) => ("min", number(min)),
                Some(Bound::Max(max)) => ("max", number(max)),
                None => ("", String::new()),
            };
            [
                seconds(check.at),
                seconds(row.at),
                row.canary_weight.to_string(),
                check.metric.clone(),
                source(check.source).to_owned(),
                check.value.map(number).unwrap_or_default(),
                bound_type.to_owned(),
                bound,
                check.passed.to_string(),
                query
                    .and_then(|query| query.truth)
                    .map(number)
                    .unwrap_or_default(),
                query
                    .and_then(|query| query.message.clone())
                    .unwrap_or_default(),
            ]
        })
    });
    table(header, rows)
}

/// `traffic.csv`: a row for each second from time zero on.
pub fn traffic(record: &Record) -> csv::Result<Vec<u8>> {
    let header = [
        "at_s",
        "requests",
        "failed",
        "canary",
        "canary_failed",
        "p50_ms",
        "p99_ms",
        "canary_weight",
        "primary_wanted",
        "primary_ready",
        "canary_wanted",
        "canary_ready",
    ];
    let rows = record.traffic.iter().map(|second| {
        let latency = |ms| {
            if second.requests == 0 {
                String::new()
            } else {
                number(ms)
            }
        };
        [
            second.at_s.to_string(),
            second.requests.to_string(),
            second.failed.to_string(),
            second.canary.to_string(),
            second.canary_failed.to_string(),
            latency(second.p50_ms),
            latency(second.p99_ms),
            second.canary_weight.to_string(),
            second.primary_wanted.to_string(),
            second.primary_ready.to_string(),
            second.canary_wanted.to_string(),
            second.canary_ready.to_string(),
        ]
    });
    table(header, rows)
}

pub(super) fn table<H, R>(header: H, rows: impl Iterator<Item = R>) -> csv::Result<Vec<u8>>
where
    H: IntoIterator<Item: AsRef<[u8]>>,
    R: IntoIterator<Item = String>,
{
    let mut writer = Writer::from_writer(Vec::new());
    writer.write_record(header)?;
    for row in rows {
        writer.write_record(row)?;
    }
    writer
        .into_inner()
        .map_err(|error| error.into_error().into())
}

fn source(source: QuerySource) -> &'static str {
    match source {
        QuerySource::Builtin => "builtin",
        QuerySource::Inline => "inline",
        QuerySource::Template => "template",
        QuerySource::Availability => "availability",
    }
}

pub(super) fn seconds(at: Timestamp) -> String {
    (at.as_millis() as f64 / 1000.0).to_string()
}

pub(super) fn number(v: f64) -> String {
    if v.is_nan() {
        "NaN".to_owned()
    } else if v.is_infinite() {
        if v > 0.0 { "+Inf" } else { "-Inf" }.to_owned()
    } else {
        v.to_string()
    }
}
