//! `load-test-late`: test traffic that starts with the first check.

use crate::canary::Webhook;
use crate::lint::case::Case;
use crate::lint::{Rule, Said, Severity};

pub(super) const RULE: Rule = Rule {
    code: "load-test-late",
    severity: Severity::Warning,
    about: "A rollout webhook first runs in the tick of the first metric check, just before it. Where the canary's only traffic is the load \
            test that it starts, that check has no values and fails.",
    check,
};

fn check(case: &Case<'_>) -> Vec<Said> {
    let hooks = &case.analysis.webhooks;
    if hooks
        .iter()
        .any(|hook| hook.kind == "pre-rollout" && generates_load(hook))
    {
        return Vec::new();
    }
    let late = hooks
        .iter()
        .enumerate()
        .find(|(_, hook)| matches!(hook.kind.as_str(), "" | "rollout") && generates_load(hook));
    let Some((index, hook)) = late else {
        return Vec::new();
    };
    vec![
        Said::new(
            case.at(&format!("/spec/analysis/webhooks/{index}/name")),
            format!("`{}` starts its load in the tick of the first check: without users' requests that check has no values", hook.name),
        )
        .why("rollout webhooks run from the second tick on, just before the metrics; the query looks back over a time without load")
        .change("start a load test in a pre-rollout webhook as well, long enough to last until the first check")
        .patch(format!(
            "      - name: {}-before\n        type: pre-rollout\n        url: {}\n        metadata:\n          cmd: \"{}\"",
            hook.name,
            hook.url,
            command(hook).escape_default()
        )),
    ]
}

fn command(hook: &Webhook) -> &str {
    let metadata = hook.metadata.as_ref();
    metadata
        .and_then(|m| m.get("cmd"))
        .map_or("", String::as_str)
}

/// Whether a hook's command is one of the load generators that Flagger's load tester has.
fn generates_load(hook: &Webhook) -> bool {
    let first = command(hook).split_whitespace().next().unwrap_or("");
    matches!(first, "hey" | "ghz" | "wrk" | "k6")
}
