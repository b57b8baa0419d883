//! What Flagger's load tester was asked to run ([`load_tests`](crate::sim::load_tests)): what came of it, what was not run and
//! why, and load tests that do not do what they look like.

use std::collections::BTreeMap;

use super::{Case, finding};
use crate::canary::Webhook;
use crate::record::{Finding, LoadTest, QueryRecord, RequestTotals};
use crate::sim::load_tests::{Hey, NotHey, Target, commands, is_shell, target_of};
use crate::sim::truth::metric_window;
use crate::time::Timestamp;

/// Starts of one load test that are told one by one.
const STARTS_SHOWN: usize = 4;

/// Load tests that ran: their requests are in what was measured and not among the users'.
pub(super) fn ran(case: &Case<'_>) -> Option<Finding> {
    let mut by_command: BTreeMap<(&str, &str), Vec<&LoadTest>> = BTreeMap::new();
    for test in &case.record.load_tests {
        let key = (test.hook.as_str(), test.command.as_str());
        by_command.entry(key).or_default().push(test);
    }
    let told: Vec<String> = by_command
        .into_iter()
        .map(|((hook, command), tests)| {
            let sum = tests.iter().fold(RequestTotals::default(), |sum, test| RequestTotals {
                total: sum.total + test.requests.total,
                failed: sum.failed + test.requests.failed,
                canary: sum.canary + test.requests.canary,
                canary_failed: sum.canary_failed + test.requests.canary_failed,
            });
            let shown = tests.iter().take(STARTS_SHOWN);
            let mut starts: Vec<String> = shown.map(|test| test.started_at.clock().to_string()).collect();
            if tests.len() > STARTS_SHOWN {
                starts.push(format!("{} more times", tests.len() - STARTS_SHOWN));
            }
            let pace = Hey::parse(command).map_or_else(|_| String::new(), |hey| hey.in_words());
            format!(
                "`{hook}` ({pace}) was started at {} and sent {} requests to {}: {} reached the canary's pods, {} failed",
                starts.join(", "),
                sum.total,
                tests[0].target,
                sum.canary,
                sum.failed,
            )
        })
        .collect();
    if told.is_empty() {
        return None;
    }
    finding(
        "load-test",
        format!(
            "Load tests: {}. They load the pods and count where they pass, and are not among the users' requests above.",
            told.join("; ")
        ),
    )
}

/// Commands of the load tester that make no traffic here.
pub(super) fn not_run(case: &Case<'_>) -> Option<Finding> {
    let told: Vec<String> = commands(case.scenario)
        .into_iter()
        .filter_map(|(hook, command)| {
            Some(format!(
                "`{}`: {}",
                hook.name,
                why_not(case, hook, command)?
            ))
        })
        .collect();
    if told.is_empty() {
        return None;
    }
    finding(
        "load-test-not-run",
        format!(
            "Not run by the load tester here: {}. Checks see none of it; `[traffic]` can stand for it.",
            told.join("; ")
        ),
    )
}

fn why_not(case: &Case<'_>, hook: &Webhook, command: &str) -> Option<String> {
    let kind = hook
        .metadata
        .as_ref()
        .and_then(|metadata| metadata.get("type"));
    if !is_shell(kind.map(String::as_str)) {
        let kind = kind.map_or("", String::as_str).escape_debug();
        return Some(format!(
            "a task of type {kind} is not modelled, `{}`",
            command.escape_debug()
        ));
    }
    match Hey::parse(command) {
        Err(NotHey::Other) => Some(format!(
            "only a plain `hey` command is modelled, not `{}`",
            command.escape_debug()
        )),
        Err(NotHey::Usage(said)) => Some(format!(
            "hey exits with \"{}\", on a cluster too (`{}`)",
            said.escape_debug(),
            command.escape_debug()
        )),
        Ok(hey) => (target_of(case.scenario, &hook.url, &hey) == Target::Elsewhere).then(|| {
            format!(
                "its requests ({}) go to {} as host {}, which is neither a Service here nor a host of an Ingress",
                hey.in_words(),
                hey.url_host,
                hey.host()
            )
        }),
    }
}

/// A Host header that hey does not send.
pub(super) fn host_header(case: &Case<'_>) -> Option<Finding> {
    let (hook, ignored) = commands(case.scenario)
        .into_iter()
        .find_map(|(hook, command)| {
            let hey = Hey::parse(command).ok()?;
            Some((hook, hey.ignored_host.filter(|_| hey.host.is_none())?))
        })?;
    finding(
        "load-test-host-header",
        format!(
            "The load test of `{}` gives its host as -H \"Host: {ignored}\". hey does not send it, since Go's HTTP client takes the \
             host from the URL: the ingress sees another host and no rule for it. Write -host {ignored}.",
            hook.name
        ),
    )
}

/// Why a check that lives on a load test saw nothing of it, if that is so: no user had reached the canary by then.
pub(super) fn unseen(case: &Case<'_>, at: Timestamp, query: &QueryRecord) -> Option<Finding> {
    let (_, window) = metric_window(&query.text)?;
    let users = case.requests_in(query.evaluated_at - window, query.evaluated_at);
    let tests = &case.record.load_tests;
    if users.canary > 0 || tests.is_empty() {
        return None;
    }
    let Some(test) = tests.iter().find(|test| test.recorded) else {
        return finding(
            "load-test-bypasses-ingress",
            format!(
                "No values at {}: no user reached the canary, and the load test `{}` goes straight to {}, past the ingress, which \
                 counts none of it. Send it through the ingress: hey -host with the Ingress' host, and the URL of the controller.",
                at.clock(),
                tests[0].hook,
                tests[0].target,
            ),
        );
    };
    if test.started_at < at {
        return None;
    }
    finding(
        "load-test-late",
        format!(
            "No values at {0}: no user reached the canary, and the load test `{1}` was first started at {0} itself. Flagger calls \
             rollout hooks in the tick of the first check, just before its queries, so that check fails whatever the release is \
             like. Call the load test in a pre-rollout hook too, one interval earlier; with an `analysis.threshold` of 1 it is fatal.",
            at.clock(),
            test.hook,
        ),
    )
}
