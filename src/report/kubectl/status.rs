//! A Canary's status at a moment, made again from the ticks of a run.

use crate::canary::{CanaryStatus, Phase};
use crate::engine::set_promoted_condition;
use crate::record::{Record, TickRecord};
use crate::time::Timestamp;

/// The status after the last tick that is not after `at`; before the first tick that of a Canary just accepted.
///
/// A record holds what a tick left, not what it wrote: that the status was written is read off a change of it, a step
/// taken, and the phase Failed, in which every tick writes (`scheduler.go: shouldAdvance`).
pub fn status_at(record: &Record, at: Timestamp) -> CanaryStatus {
    let canary = &record.scenario["manifests"]["canary"]["spec"];
    let kind = canary["targetRef"]["kind"].as_str().unwrap_or("Deployment");
    let iterates = canary["analysis"]["iterations"].as_i64().unwrap_or(0) > 0;
    let start = record.ticks.first().map_or(at, |tick| tick.at);
    let mut status = CanaryStatus::accepted(start, kind);
    for tick in record.ticks.iter().take_while(|tick| tick.at <= at) {
        let before = status.clone();
        status.phase = tick.phase;
        status.failed_checks = tick.failed_checks;
        status.iterations = tick.iterations;
        status.canary_weight = weight(tick, iterates);
        let writes = before.phase == Phase::Failed && tick.decision != "blocked"
            || tick.decision == "advanced"
            || before != status;
        if writes {
            status.last_transition_time = Some(tick.at);
        }
        set_promoted_condition(&mut status, kind, tick.at);
    }
    status
}

/// `status.canaryWeight`, which is not always what is routed: A/B and blue/green never write it, and it is 0 at a gate.
fn weight(tick: &TickRecord, iterates: bool) -> i64 {
    match tick.phase {
        // After a failed promotion all traffic is the canary's, and the status says so.
        Phase::Failed => tick.canary_weight,
        Phase::Progressing | Phase::Waiting | Phase::Promoting if !iterates => tick.canary_weight,
        _ => 0,
    }
}
