//! What replica counts make of weights: shares that a pool of pods cannot give, and a primary that has shrunk meanwhile.

use super::{Case, finding, percent};
use crate::canary::Provider;
use crate::engine::router::pod_scaling::split;
use crate::record::{Finding, Outcome, Record, TrafficSecond};
use crate::time::{Span, Timestamp};

/// A share further from its weight than this is worth a word, in percent points.
const TOLERATED: f64 = 3.0;

/// How long a primary that has everybody back is watched.
const AFTERMATH: Span = Span::from_secs(90);

/// A latency so many times what it was is felt.
const FELT: f64 = 3.0;

/// Under pod scaling: weights that the pool of pods cannot give.
pub(super) fn not_to_be_had(case: &Case<'_>) -> Option<Finding> {
    if case.provider != Provider::PodScaling {
        return None;
    }
    let missed: Vec<Missed> = case
        .record
        .timeline
        .iter()
        .filter(|row| (1..100).contains(&row.canary_weight))
        .filter_map(|row| {
            let tick = case.record.ticks.iter().find(|tick| tick.at == row.at)?;
            let pool = tick.primary_replicas.wanted + tick.canary_replicas.wanted;
            let (_, pods) = split(row.canary_weight, pool);
            let share = 100.0 * f64::from(pods) / f64::from(pool.max(1));
            let missed = Missed {
                at: row.at,
                weight: row.canary_weight,
                pods,
                pool,
                realised: row.canary_share,
            };
            ((share - row.canary_weight as f64).abs() > TOLERATED).then_some(missed)
        })
        .collect();
    let first = missed.first()?;
    let realised = first.realised.map_or_else(
        || "served no request".to_owned(),
        |share| format!("served {} of the requests", percent(share)),
    );
    finding(
        "share-not-to-be-had",
        format!(
            "A weight of {} % cannot be had from {} pods: at {} the canary had {} of them and {realised} until the next step{}. \
             Under pod scaling a share is a number of pods: steps of {} % take {} pods (minReplicas of the HPA, or replicas of \
             the Deployment), or a provider that routes by weight.",
            first.weight,
            first.pool,
            first.at.clock(),
            first.pods,
            match missed.len() {
                1 => String::new(),
                n => format!(" ({n} weights were missed like this)"),
            },
            first.weight,
            (100 + first.weight - 1) / first.weight,
        ),
    )
}

struct Missed {
    at: Timestamp,
    weight: i64,
    pods: i32,
    pool: i32,
    realised: Option<f64>,
}

/// Everybody came back at once to a primary that its HPA had scaled down while the canary had the traffic.
pub(super) fn shrunken_primary(case: &Case<'_>) -> Option<Finding> {
    let record = case.record;
    if !matches!(record.outcome, Outcome::Promoted | Outcome::RolledBack)
        || case.scenario.manifests.hpas.is_empty()
    {
        return None;
    }
    let returned = returned(record)?;
    let before = record
        .traffic
        .iter()
        .take_while(|s| s.at_s < 0 || s.canary_weight == 0);
    let most = before.map(|s| s.primary_ready).max()?;
    let left = second(record, returned)?.primary_ready;
    let calm = median_p99(record, Timestamp::ZERO - AFTERMATH, returned)?;
    let after = || {
        let from = returned.as_millis() / 1000;
        let to = (returned + AFTERMATH).as_millis() / 1000;
        record
            .traffic
            .iter()
            .filter(move |s| (from..to).contains(&s.at_s))
    };
    let worst = after().max_by(|a, b| a.p99_ms.total_cmp(&b.p99_ms))?;
    if left >= most || worst.p99_ms < FELT * calm {
        return None;
    }
    let (failed, requests) = after().fold((0, 0), |(f, r), s| (f + s.failed, r + s.requests));
    let what = match record.outcome {
        Outcome::Promoted => "promotion",
        _ => "rollback",
    };
    let cure = match record.outcome {
        Outcome::Promoted => {
            "`stepWeightPromotion` gives the traffic back step by step; a `minReplicas` of the primary (`primaryScalerReplicas` in \
             the Canary's autoscalerRef) that carries everybody also helps."
        }
        _ => {
            "A rollback knows no steps: a `minReplicas` of the primary (`primaryScalerReplicas` in the Canary's autoscalerRef) that \
             carries everybody, or a lower maxWeight, leaves it room."
        }
    };
    finding(
        "shrunken-primary",
        format!(
            "The {what} at {} sent all traffic to a primary of {left} pods, which had {most} before the rollout: its HPA had scaled it \
             down while the canary had the requests. In the next {AFTERMATH} p99 rose from about {} to {} (at {}), and {failed} of {requests} \
             requests failed, until the HPA caught up. {cure}",
            returned.clock(),
            milliseconds(calm),
            milliseconds(worst.p99_ms),
            Timestamp::from_secs(worst.at_s).clock(),
        ),
    )
}

/// When the canary's weight fell to nothing from a step that had given it something.
fn returned(record: &Record) -> Option<Timestamp> {
    let rows = record.timeline.windows(2);
    rows.into_iter()
        .find(|rows| rows[0].canary_weight > 0 && rows[1].canary_weight == 0)
        .map(|rows| rows[1].at)
}

fn second(record: &Record, at: Timestamp) -> Option<&TrafficSecond> {
    let at_s = at.as_millis().div_euclid(1000);
    record.traffic.iter().find(|second| second.at_s == at_s)
}

/// The middle one of the seconds' p99, in milliseconds.
fn median_p99(record: &Record, from: Timestamp, to: Timestamp) -> Option<f64> {
    let inside = record.traffic.iter().filter(|s| {
        let at = Timestamp::from_secs(s.at_s);
        at >= from && at < to && s.requests > 0
    });
    let mut values: Vec<f64> = inside.map(|s| s.p99_ms).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

fn milliseconds(ms: f64) -> String {
    if ms >= 1000.0 {
        format!("{:.1}s", ms / 1000.0)
    } else {
        format!("{ms:.0}ms")
    }
}
