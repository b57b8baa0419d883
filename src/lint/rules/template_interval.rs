//! `template-interval`: `{{ interval }}` in a template, and none in the entry.

use crate::lint::asked::Source;
use crate::lint::case::Case;
use crate::lint::{Rule, Said, Severity};

pub(super) const RULE: Rule = Rule {
    code: "template-interval",
    severity: Severity::Error,
    about: "Builtin checks and inline queries fill in 1m for `{{ interval }}` where a metric has none; a MetricTemplate gets nothing. \
            Prometheus refuses `[]`, and each check fails.",
    check,
};

fn check(case: &Case<'_>) -> Vec<Said> {
    let asked = case.asked.iter();
    asked
        .filter(|asked| {
            matches!(asked.source, Source::Template(_))
                && asked.metric.interval.is_empty()
                && uses_interval(asked.written)
        })
        .map(|asked| {
            Said::new(
                case.at_metric(asked.index, "/name"),
                format!("`{}` has no `interval`, and {} uses it: the query reads `[]`, and every check fails", asked.metric.name, asked.what()),
            )
            .why("the default of 1m holds for builtin checks and inline queries only")
            .change("give the metric an interval")
            .patch("        interval: 1m")
        })
        .collect()
}

/// Whether an action of the template names the variable.
fn uses_interval(template: &str) -> bool {
    let actions = template
        .split("{{")
        .skip(1)
        .filter_map(|rest| rest.split("}}").next());
    actions.into_iter().any(|action| {
        action
            .split(|c: char| !c.is_alphanumeric() && c != '_' && c != '.')
            .any(|word| word == "interval")
    })
}
