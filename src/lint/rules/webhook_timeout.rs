//! `webhook-timeout`: hooks that may outlast the interval.

use crate::lint::case::Case;
use crate::lint::{Rule, Said, Severity};
use crate::time::Span;

pub(super) const RULE: Rule = Rule {
    code: "webhook-timeout",
    severity: Severity::Warning,
    about: "Webhooks are called inside a tick, one after the other. One that waits longer than the interval makes the tick overrun: the \
            next one starts at once, and those in between are lost.",
    check,
};

fn check(case: &Case<'_>) -> Vec<Said> {
    let hooks = case.analysis.webhooks.iter().enumerate();
    hooks
        .filter_map(|(index, hook)| {
            let timeout = Span::parse_go(&hook.timeout)?;
            if timeout <= case.interval || hook.kind == "event" {
                return None;
            }
            Some(
                Said::new(
                    case.at(&format!("/spec/analysis/webhooks/{index}/timeout")),
                    format!("`{}` may take {timeout}, longer than the interval of {}: slow answers delay and drop ticks", hook.name, case.interval),
                )
                .why("webhooks run inside the tick; of the ticks that pass meanwhile one is made up for")
                .change(format!("let it answer within the interval, or take an interval above {timeout}"))
                .patch(format!("        timeout: {}s", case.interval.as_millis() / 1000)),
            )
        })
        .collect()
}
