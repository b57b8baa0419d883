//! What a run comes to, in sentences a person can act on. A plain function of the record.

use crate::engine::EventType;
use crate::record::{CheckRow, Outcome, Record, RequestTotals};
use crate::time::{Span, Timestamp};

use super::checks::{Round, all_rounds};
use super::words::{comparison, count, counted, latency, metric, share, value};

/// A run in sentences.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// How it ended, when that was decided and why; for a commit also how long its way there was.
    pub outcome: String,
    /// What users got meanwhile: failed requests, the canary's part in them, latency.
    pub harm: String,
    /// What followed the end of the rollout, where that is worth a word.
    pub aftermath: Option<String>,
    /// What a person should know about how it ended, most important first.
    pub findings: Vec<String>,
}

/// The verdict on a run.
pub fn verdict(record: &Record) -> Verdict {
    Verdict {
        outcome: match delivery(record) {
            Some(delivery) => format!("{} {delivery}", outcome(record)),
            None => outcome(record),
        },
        harm: harm(record),
        aftermath: aftermath(record),
        findings: record.findings.iter().map(|f| f.text.clone()).collect(),
    }
}

/// `Rolled back`, `Promoted`, ...
pub fn headline(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Promoted => "Promoted",
        Outcome::RolledBack => "Rolled back",
        Outcome::PromotionFailed => "Promotion failed",
        Outcome::Undecided => "Undecided",
        Outcome::NotStarted => "Not started",
    }
}

/// One line for the head of a picture: `Rolled back at 1:00: request-success-rate was 70.21 < 99`.
pub fn short(record: &Record) -> String {
    let head = headline(record.outcome);
    match (record.outcome, record.decided_at) {
        (Outcome::RolledBack, Some(at)) => match last_failure(record, at) {
            Some(check) => format!("{head} at {}: {}", at.clock(), said(check)),
            None => format!("{head} at {}", at.clock()),
        },
        (Outcome::Promoted, Some(at)) => {
            format!(
                "{head}: decided at {}{}",
                at.clock(),
                finish(record, "promotion")
            )
        }
        _ => format!(
            "{head} at {}, phase {}",
            end_of_rollout(record).clock(),
            record.phase
        ),
    }
}

fn outcome(record: &Record) -> String {
    let head = headline(record.outcome);
    let at = record
        .decided_at
        .map_or_else(String::new, |at| format!(" at {}", at.clock()));
    match record.outcome {
        Outcome::Promoted => {
            format!(
                "{head}: decided{at} {}{}.",
                rounds_made(record),
                finish(record, "promotion")
            )
        }
        Outcome::RolledBack => {
            format!(
                "{head}: decided{at} {}{}.",
                reason(record),
                finish(record, "rollback")
            )
        }
        Outcome::PromotionFailed => format!(
            "{head} at {}: the canary passed, but the primary did not get ready with the new version{}.",
            end_of_rollout(record).clock(),
            last_warning(record, None).map_or_else(String::new, |text| format!(" ({text})")),
        ),
        Outcome::Undecided => {
            let (weight, phase) = (
                record.timeline.last().map_or(0, |row| row.canary_weight),
                record.phase,
            );
            format!(
                "{head}: at the horizon ({}) the canary was still {phase} at weight {weight}%, {}{}.",
                record.ended_at.clock(),
                rounds_made(record),
                last_failure(record, record.ended_at).map_or_else(String::new, |check| format!(
                    "; the last failure at {}: {}",
                    check.at.clock(),
                    said(check)
                )),
            )
        }
        Outcome::NotStarted => format!(
            "{head}: no new revision was seen until {}, so nothing was analysed and the phase stays {}.",
            record.ended_at.clock(),
            record.phase,
        ),
    }
}

/// `From the commit of v2 it took 5:12 until it was detected (CI build 3:05, ...), 1:00 until the decision, 0:30 to the end.`
fn delivery(record: &Record) -> Option<String> {
    let delivery = record.delivery.as_ref()?;
    let clock = |span: Span| (Timestamp::ZERO + span).clock();
    let ends = [
        ("CI build", delivery.built_at),
        ("image scan", delivery.scanned_at),
        ("image commit", delivery.image_committed_at),
        ("Git poll", delivery.fetched_at),
        ("Kustomization", delivery.applied_at),
        ("Flagger's tick", Timestamp::ZERO),
    ];
    let mut from = delivery.committed_at;
    let stages = ends.map(|(stage, end)| {
        let took = end - from;
        from = end;
        format!("{stage} {}", clock(took))
    });
    let mut text = format!(
        "From the commit of {} it took {} until it was detected ({})",
        delivery.version,
        clock(delivery.commit_to_detected),
        stages.join(", ")
    );
    if let Some(span) = delivery.detected_to_decided {
        text += &format!(", {} until the decision", clock(span));
    }
    if let Some(span) = delivery.decided_to_finished {
        text += &format!(", {} from there to the end", clock(span));
    }
    Some(text + ".")
}

/// `after 5 metrics checks, all passed`.
fn rounds_made(record: &Record) -> String {
    let until = record.decided_at.unwrap_or(record.ended_at);
    let rounds: Vec<Round> = all_rounds(record)
        .filter(|round| round.at <= until)
        .collect();
    let failed = rounds.iter().filter(|round| !round.passed()).count() as u64;
    let made = counted(rounds.len() as u64, "metrics check");
    match (rounds.len() as u64, failed) {
        (0, _) => "without a single metrics check".to_owned(),
        (1, 0) => "after 1 metrics check, which passed".to_owned(),
        (1, 1) => "after 1 metrics check, which failed".to_owned(),
        (_, 0) => format!("after {made}, all passed"),
        (n, failed) if failed == n => format!("after {made}, all failed"),
        (_, failed) => format!("after {made}, {} of them failed", count(failed)),
    }
}

/// Why it was rolled back: the failed checks, else the warning that came before.
fn reason(record: &Record) -> String {
    let until = record.decided_at.unwrap_or(record.ended_at);
    let failed = all_rounds(record)
        .filter(|round| round.at <= until && !round.passed())
        .count() as u64;
    let Some(check) = last_failure(record, until) else {
        return match last_warning(record, Some(until)) {
            Some(text) => format!("without a failed metrics check; Flagger said: {text}"),
            None => "without a failed metrics check".to_owned(),
        };
    };
    let truth = record
        .query_of(check)
        .and_then(|query| query.truth)
        .map_or_else(String::new, |truth| {
            format!(" (what the canary's users really got: {})", value(truth))
        });
    if failed == 1 {
        format!("after 1 failed metrics check: {}{truth}", said(check))
    } else {
        let last = check.at.clock();
        format!(
            "after {}, the last at {last}: {}{truth}",
            counted(failed, "failed metrics check"),
            said(check)
        )
    }
}

/// `request-success-rate was 70.21 < 99`.
fn said(check: &CheckRow) -> String {
    let verb = if check.value.is_some() { "was" } else { "had" };
    format!("{} {verb} {}", metric(check), comparison(check))
}

fn last_failure(record: &Record, until: Timestamp) -> Option<&CheckRow> {
    all_rounds(record)
        .filter(|round| round.at <= until)
        .filter_map(|round| round.failure())
        .last()
}

/// The last warning that explains something: a rollback's own two announcements do not (`scheduler.go: rollback`).
fn last_warning(record: &Record, until: Option<Timestamp>) -> Option<&str> {
    record
        .events
        .iter()
        .rev()
        .filter(|event| {
            event.kind == EventType::Warning && until.is_none_or(|until| event.at <= until)
        })
        .map(|event| event.message.as_str())
        .find(|text| !text.starts_with("Rolling back ") && !text.starts_with("Canary failed!"))
}

fn finish(record: &Record, what: &str) -> String {
    match record.finished_at {
        Some(at) if Some(at) == record.decided_at => String::new(),
        Some(at) => format!("; the {what} was finished at {}", at.clock()),
        None => format!(
            "; the {what} was not finished when the run ended at {}",
            record.ended_at.clock()
        ),
    }
}

fn harm(record: &Record) -> String {
    if record.requests.total == 0 {
        return "No user request reached a pod.".to_owned();
    }
    let rollout = during(record, Timestamp::ZERO, end_of_rollout(record));
    let when = match record.finished_at {
        Some(at) => format!("Until it was over at {}", at.clock()),
        None => "In the whole run".to_owned(),
    };
    let failures = if rollout.failed == 0 {
        format!("none of {} failed", counted(rollout.total, "user request"))
    } else {
        format!(
            "users got {} out of {} ({})",
            counted(rollout.failed, "failed request"),
            count(rollout.total),
            share(rollout.failed, rollout.total)
        )
    };
    format!(
        "{when} {failures}. {} 99% of the run's requests took at most {}.",
        exposure(record.requests),
        latency(record.latency.p99_ms),
    )
}

fn exposure(all: RequestTotals) -> String {
    if all.canary == 0 {
        return "The canary served no user request.".to_owned();
    }
    let failed = match all.canary_failed {
        0 => "none of which failed".to_owned(),
        n => format!("{} of which failed ({})", count(n), share(n, all.canary)),
    };
    format!(
        "The canary served {} ({} of all), {failed}.",
        counted(all.canary, "request"),
        share(all.canary, all.total)
    )
}

/// What users still got when it was over: after a promotion everybody is on the new version, and what they get there is
/// what the analysis was meant to find out.
fn aftermath(record: &Record) -> Option<String> {
    record.finished_at?;
    let after = during(record, end_of_rollout(record), record.ended_at);
    (after.failed > 0).then(|| {
        format!(
            "After that {} of {} failed ({}).",
            count(after.failed),
            counted(after.total, "user request"),
            share(after.failed, after.total)
        )
    })
}

fn end_of_rollout(record: &Record) -> Timestamp {
    record.finished_at.unwrap_or(record.ended_at)
}

/// Requests that arrived from `start` to `end`.
fn during(record: &Record, start: Timestamp, end: Timestamp) -> RequestTotals {
    let mut totals = RequestTotals::default();
    for second in &record.traffic {
        if (start..end).contains(&Timestamp::from_secs(second.at_s)) {
            totals.total += second.requests;
            totals.failed += second.failed;
            totals.canary += second.canary;
            totals.canary_failed += second.canary_failed;
        }
    }
    totals
}
