//! What the outcome hides: releases nobody tried, pushes that were none, weights that routed nobody.

use super::{Case, finding, percent};
use crate::canary::{Phase, Provider, Rules, Webhook};
use crate::record::{Finding, Outcome};
use crate::scenario::Action;
use crate::time::{Span, Timestamp};

/// No new revision was seen.
pub(super) fn not_started(case: &Case<'_>) -> Option<Finding> {
    if case.record.outcome != Outcome::NotStarted {
        return None;
    }
    let target = &case.scenario.manifests.canary.spec.target_ref.name;
    let annotated = case
        .scenario
        .events
        .iter()
        .find_map(|event| match &event.action {
            Action::Annotate(annotations) => Some((event.at, annotations.keys().next()?)),
            _ => None,
        });
    let cure = format!(
        "Change the pod template: push a new image or environment, or `kubectl rollout restart deployment/{target}`, which \
         annotates the template."
    );
    match annotated {
        Some((at, key)) => finding(
            "metadata-is-no-revision",
            format!(
                "The annotation {key} was put on the Deployment's metadata at {}, and nothing happened: Flagger compares a hash of \
                 the pod template (spec.template), and metadata of the Deployment is not part of it. {cure}",
                (Timestamp::ZERO + at).clock()
            ),
        ),
        None => finding(
            "nothing-pushed",
            format!(
                "Initialized is where a Canary waits for its first change: no new pod template was seen. {cure}"
            ),
        ),
    }
}

/// Promoted without a user ever having met it.
pub(super) fn promoted_unseen(case: &Case<'_>) -> Option<Finding> {
    let record = case.record;
    let decided = record.decided_at?;
    // Load tests that reached it are told of by themselves.
    if record
        .load_tests
        .iter()
        .any(|test| test.requests.canary > 0)
    {
        return None;
    }
    if record.outcome != Outcome::Promoted || case.requests_in(Timestamp::ZERO, decided).canary > 0
    {
        return None;
    }
    let passes = record
        .ticks
        .iter()
        .filter(|tick| tick.at >= Timestamp::ZERO && !tick.queries.is_empty())
        .count();
    // The primary's rolling update is over when Flagger says so.
    let settled = record.finished_at.unwrap_or(decided);
    let after = case.requests_in(settled, record.ended_at);
    let success = if after.requests == 0 {
        1.0
    } else {
        1.0 - after.failed as f64 / after.requests as f64
    };
    let iterations = record
        .ticks
        .iter()
        .map(|tick| tick.iterations)
        .max()
        .unwrap_or(0)
        .min(10);
    let rate = percent(success);
    finding(
        "promoted-unseen",
        format!(
            "Promoted without a single user request on the canary: {passes} checks over {iterations} iterations measured the \
             primary alone, since provider kubernetes routes nobody to the new version before promotion. Its true success rate is {rate}: \
             from {} on, when the primary ran it, {} of {} requests failed. Use a provider that shifts traffic, or a rollout \
             webhook that sends test traffic to the canary Service and a metric that sees it.",
            settled.clock(),
            after.failed,
            after.requests,
        ),
    )
}

/// A push after the rollback that is no new revision.
pub(super) fn reverted(case: &Case<'_>) -> Option<Finding> {
    let finished = case
        .record
        .finished_at
        .filter(|_| case.record.phase == Phase::Failed)?;
    let shift = shift(case);
    let pushes = case.scenario.events.iter();
    let mut pushes = pushes.filter_map(|event| match &event.action {
        Action::Push(version) => Some((Timestamp::ZERO + event.at - shift, version)),
        _ => None,
    });
    let (at, version) = pushes.clone().find(|(at, _)| *at > finished)?;
    let failed = pushes.rfind(|(at, _)| *at <= finished);
    if failed.is_some_and(|(_, failed)| failed == version) {
        return finding(
            "failed-version-again",
            format!(
                "{version} was pushed again at {} and the phase stays Failed: its pod template is the one that failed, and so to Flagger no \
                 new revision (lastAppliedSpec). Users stay with the version before. To try it again change something in the pod template, \
                 an annotation in spec.template.metadata or `kubectl rollout restart`.",
                at.clock()
            ),
        );
    }
    finding(
        "revert-is-no-revision",
        format!(
            "{version} was pushed at {} and the phase stays Failed: its pod template is the one promoted last, so to Flagger it is no \
             new revision (lastPromotedSpec). Users are served by the primary, which runs it already; the next real change starts a new analysis.",
            at.clock()
        ),
    )
}

/// Flagger's kubernetes provider asked for weights.
pub(super) fn weights_not_routed(case: &Case<'_>) -> Option<Finding> {
    let analysis = case.scenario.manifests.canary.spec.analysis.as_ref()?;
    let asks = case.provider == Provider::Kubernetes
        && case.scenario.rules == Rules::Flagger
        && analysis.iterations < 1;
    if !asks || case.record.outcome == Outcome::NotStarted {
        return None;
    }
    finding(
        "weights-not-routed",
        "Provider kubernetes has no traffic to shift: stepWeight and maxWeight are not applied, and Flagger runs 10 iterations of a \
         blue/green analysis instead (its two warnings at every passing check say so)."
            .to_owned(),
    )
}

/// Recording rules that could not be recorded.
pub(super) fn rules_failed(case: &Case<'_>) -> Option<Finding> {
    let failed = case.rules.failed();
    let (first, why) = failed.values().min()?;
    let others = match failed.len() - 1 {
        0 => String::new(),
        1 => "; so did another".to_owned(),
        others => format!("; so did {others} others"),
    };
    finding(
        "recording-rule-failed",
        format!(
            "A recording rule failed first at {}: {why}{others}.",
            (*first - shift(case)).clock()
        ),
    )
}

/// Webhooks that nobody scripted.
pub(super) fn hooks_assumed(case: &Case<'_>) -> Option<Finding> {
    let hooks = case
        .scenario
        .manifests
        .canary
        .spec
        .analysis
        .iter()
        .flat_map(|analysis| &analysis.webhooks);
    // The load tester's are told of by themselves.
    let is_command = |hook: &&Webhook| {
        hook.metadata
            .as_ref()
            .is_some_and(|m| m.contains_key("cmd"))
    };
    let names: Vec<&str> = hooks
        .filter(|hook| !is_command(hook))
        .map(|hook| hook.name.as_str())
        .filter(|name| !case.scenario.webhooks.contains_key(*name))
        .collect();
    if names.is_empty() {
        return None;
    }
    finding(
        "webhooks-assumed",
        format!(
            "Webhooks were not called but taken as answering 200 at once: {}. `[webhooks.NAME]` scripts one.",
            names.join(", ")
        ),
    )
}

/// From the scenario's zero to the record's.
fn shift(case: &Case<'_>) -> Span {
    Timestamp::ZERO + case.scenario.run.horizon - case.record.ended_at
}
