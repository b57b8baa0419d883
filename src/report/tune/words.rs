//! How targets, settings and shares of a search read.

use crate::report::words::percent;
use crate::study::tune::{Candidate, Confirmation, Kind, Prefer, Target, Tuned, Verdict};
use crate::time::{Span, Timestamp};

/// A target in a few words, its release named: `healthy: rolled back in at most 1 % of the runs`.
pub(super) fn target(tuned: &Tuned, target: Target) -> String {
    let release = &tuned.releases[target.release()].name;
    let what = match target {
        Target::FalseRollback { most, .. } => {
            format!("rolled back in at most {} %", percent(most))
        }
        Target::MissedRegression { most, .. } => {
            format!("rolled back in at least {} %", percent(1.0 - most))
        }
        Target::DoneIn { within, .. } => {
            format!("promoted within {} in at least 95 %", clock(within))
        }
        Target::DetectedIn { within, .. } => {
            format!("rolled back within {} in at least 95 %", clock(within))
        }
        Target::FailedRequests { most, .. } => {
            format!("at most {most} failed requests in at least 95 %")
        }
        Target::ErrorBudget { most, .. } => format!(
            "at most {} % of the error budget in at least 95 %",
            percent(most)
        ),
    };
    format!("{release}: {what}")
}

/// The share that a target speaks of: of a missed regression, the caught ones.
pub(super) fn found(target: Target, verdict: &Verdict) -> String {
    let (p, lo, hi) = match target {
        Target::FalseRollback { .. } => (verdict.p, verdict.lo, verdict.hi),
        _ => (1.0 - verdict.p, 1.0 - verdict.hi, 1.0 - verdict.lo),
    };
    if verdict.of == 0 {
        return "no run to tell".to_owned();
    }
    format!("{} % ({} to {})", percent(p), percent(lo), percent(hi))
}

/// A candidate's settings in a line.
pub(super) fn settings(tuned: &Tuned, number: usize) -> String {
    let settings = &tuned.candidates[number].settings;
    if settings.is_empty() {
        return "the scenario as it stands".to_owned();
    }
    let settings = settings
        .iter()
        .map(|set| format!("{} {}", set.knob, set.value));
    settings.collect::<Vec<_>>().join(", ")
}

/// What speaks for a candidate, target by target, with the fresh seeds where there were any.
pub(super) fn evidence(tuned: &Tuned, number: usize) -> Vec<String> {
    let candidate = &tuned.candidates[number];
    let again = confirmation(tuned, number);
    let targets = tuned.targets.iter().enumerate();
    targets
        .map(|(at, of)| {
            let verdict = &candidate.verdicts[at];
            let mut line = format!("{}: {}", target(tuned, *of), found(*of, verdict));
            if let Some(again) = again {
                line += &format!("; on fresh seeds {}", found(*of, &again.verdicts[at]));
            }
            line
        })
        .collect()
}

/// A candidate's runs on fresh seeds.
pub(super) fn confirmation(tuned: &Tuned, number: usize) -> Option<&Confirmation> {
    let mut confirmations = tuned.confirmations.iter();
    confirmations.find(|confirmation| confirmation.candidate == number)
}

/// Runs of a candidate on one release; those of all releases are equally many.
pub(super) fn runs(candidate: &Candidate) -> u64 {
    candidate.evidence.first().map_or(0, |first| first.runs)
}

/// What decides among those that meet all targets.
pub(super) fn prefer(prefer: Prefer) -> &'static str {
    match prefer {
        Prefer::FailedRequests => "fewest failed requests under bad releases",
        Prefer::RolloutTime => "shortest rollout of good releases",
        Prefer::DetectionTime => "fastest detection of bad releases",
    }
}

/// Releases of a kind, named.
pub(super) fn releases(tuned: &Tuned, kind: Kind) -> String {
    let named = tuned.releases.iter().filter(|release| release.kind == kind);
    let named = named.map(|release| release.name.as_str());
    named.collect::<Vec<_>>().join(", ")
}

/// A share of the error budget in percent, without the sign; there may be more than all of it.
pub(super) fn budget(share: f64) -> String {
    if share >= 1.0 {
        format!("{:.0}", 100.0 * share)
    } else {
        percent(share)
    }
}

/// `2:30`.
pub(super) fn seconds(seconds: Option<f64>) -> String {
    let Some(seconds) = seconds else {
        return "never".to_owned();
    };
    Timestamp::from_millis((seconds * 1000.0).round() as i64).clock()
}

fn clock(span: Span) -> String {
    (Timestamp::ZERO + span).clock()
}
