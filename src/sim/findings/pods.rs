//! Pods that did not get ready: Flagger looks at Deployments and not at pods, so its events do not say why.

use super::{Case, finding};
use crate::record::{Finding, Outcome};
use crate::sim::kubelets::Trouble;
use crate::time::{Span, Timestamp};

/// An image that does not exist, or not yet.
pub(super) fn image_pull(case: &Case<'_>) -> Option<Finding> {
    let trouble = case.troubles.iter().find(|t| t.failed_pulls > 0)?;
    let version = &case.scenario.versions[&trouble.version];
    let image = version.image.as_deref().unwrap_or("of the manifest");
    let (what, cure) = match version.course.image_pull_fails_until {
        Some(_) => (
            "ran late",
            "The longer a registry is down, the longer after its return the next attempt comes.",
        ),
        None => ("never ran", "Correct the tag."),
    };
    finding(
        "image-pull",
        format!(
            "The pods of {} {what}: their image ({image}) could not be pulled. The kubelets failed {} and wait 10s, 20s, 40s, \
             at last 5m between two attempts (ImagePullBackOff in `kubectl get pods`). {cure} {}",
            trouble.version,
            times(trouble.failed_pulls),
            unsaid(case),
        ),
    )
}

/// Containers that the kernel kills.
pub(super) fn out_of_memory(case: &Case<'_>) -> Option<Finding> {
    let trouble = case.troubles.iter().find(|t| t.out_of_memory > 0)?;
    let version = &case.scenario.versions[&trouble.version];
    let leaks = version.course.memory?.leak_bytes_per_second > 0;
    finding(
        "out-of-memory",
        format!(
            "Containers of {} grew above their memory limit and were killed by the kernel (OOMKilled, exit code 137), {} in all; \
             what each worked on is lost, and the kubelet starts it again after 0s, 10s, 20s, 40s, at last 5m. {} {}",
            trouble.version,
            times(trouble.out_of_memory),
            if leaks {
                "A leak that takes longer than the analysis is not seen by it: a longer analysis, or a metric over \
                 `container_memory_working_set_bytes`, would."
            } else {
                "Raise `resources.limits.memory`, or use less."
            },
            unsaid(case),
        ),
    )
}

/// Containers that end again and again.
pub(super) fn crash_loop(case: &Case<'_>) -> Option<Finding> {
    let own = |t: &&Trouble| t.crashes > t.out_of_memory;
    let trouble = case.troubles.iter().find(own)?;
    let how = match trouble.killed {
        0 => "ended of their own".to_owned(),
        killed if killed >= trouble.crashes => {
            "were killed by a startup or liveness probe that ran out of patience".to_owned()
        }
        killed => format!("ended of their own or were killed by a probe ({killed})"),
    };
    finding(
        "crash-loop",
        format!(
            "Containers of {} {how}, {} in all, and the kubelets start each pod's again after 0s, 10s, 20s, 40s, at last 5m \
             (CrashLoopBackOff in `kubectl get pods`). What a container worked on when it ended is lost. {}",
            trouble.version,
            times(trouble.crashes),
            unsaid(case),
        ),
    )
}

/// Pods that fitted on no node.
pub(super) fn no_room(case: &Case<'_>) -> Option<Finding> {
    let troubles = case.troubles.iter().filter(|t| t.unplaced > 0);
    let waited: u32 = troubles.map(|t| t.unplaced).sum();
    let nodes = case.scenario.cluster.nodes.as_ref()?;
    if waited == 0 {
        return None;
    }
    let stuck = match (case.record.outcome, case.record.traffic.last()) {
        (Outcome::PromotionFailed, Some(last)) => format!(
            "The canary had taken the room that the primary's rolling update needed: the canary is well, the primary's copy of it is \
             not, and Flagger leaves the requests where they were, {} % of them with the canary. ",
            last.canary_weight
        ),
        _ => String::new(),
    };
    finding(
        "no-room",
        format!(
            "{} Pending for want of room on the {} nodes of `cluster.nodes`. {stuck}During a rollout the cluster holds \
             the primary's pods, the canary's, and the surge of a rolling update: add a node, lower the requests, or let the \
             rolling update take pods away first (maxUnavailable).",
            match waited {
                1 => "A pod was".to_owned(),
                n => format!("{n} pods were"),
            },
            nodes.count
        ),
    )
}

/// The analysis never began, because pods took longer than the deadline.
pub(super) fn slow_start(case: &Case<'_>) -> Option<Finding> {
    let record = case.record;
    let decided = record.decided_at?;
    let judged = case
        .queries()
        .any(|(at, _)| at >= Timestamp::ZERO && at <= decided);
    // A check that failed before it had a query (a template that cannot be filled in) is a check.
    let judged = judged
        || record
            .ticks
            .iter()
            .any(|t| t.at >= Timestamp::ZERO && t.failed_checks > 0);
    let explained = |t: &Trouble| t.failed_pulls > 0 || t.crashes > 0 || t.unplaced > 0;
    if record.outcome != Outcome::RolledBack || judged || case.troubles.iter().any(explained) {
        return None;
    }
    let deadline = deadline(case);
    let never = case.troubles.iter().any(|t| t.never_ready > 0);
    let cure = if never {
        "The readiness probe never succeeds: look at what it asks.".to_owned()
    } else {
        format!(
            "Raise `spec.progressDeadlineSeconds` of the Canary above the slowest start, or make the start faster; a longer \
             analysis interval ({}) does not help.",
            record.interval
        )
    };
    finding(
        "slow-start",
        format!(
            "Rolled back at {} without a single check: the canary's pods were not all ready {deadline} after the Deployment had \
             last made progress, and that is the Canary's progress deadline. {cure}",
            decided.clock(),
        ),
    )
}

/// What Flagger said of it, where the deadline ended it.
fn unsaid(case: &Case<'_>) -> String {
    match (case.record.outcome, case.record.decided_at) {
        (Outcome::RolledBack, Some(at)) => format!(
            "Flagger does not look at pods: it waited for the Canary's progress deadline ({}) and rolled back at {}.",
            deadline(case),
            at.clock()
        ),
        _ => "Flagger does not look at pods, only at what the Deployment says is available."
            .to_owned(),
    }
}

fn deadline(case: &Case<'_>) -> Span {
    let canary = &case.scenario.manifests.canary.spec;
    Span::from_secs(canary.progress_deadline())
}

fn times(n: u32) -> String {
    match n {
        1 => "once".to_owned(),
        n => format!("{n} times"),
    }
}
