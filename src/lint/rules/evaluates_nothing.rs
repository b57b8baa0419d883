//! `evaluates-nothing`: a metric that asks nothing, or that nothing can fail.

use crate::lint::asked::is_builtin;
use crate::lint::case::{Case, bounds};
use crate::lint::{Rule, Said, Severity};

pub(super) const RULE: Rule = Rule {
    code: "evaluates-nothing",
    severity: Severity::Error,
    about: "A metric under a name that is no builtin's, without query and templateRef, fails every check. One whose thresholdRange has \
            neither min nor max always passes. One without any bound has the bound 0.",
    check,
};

fn check(case: &Case<'_>) -> Vec<Said> {
    let entries = case.analysis.metrics.iter().enumerate();
    entries
        .filter_map(|(index, metric)| {
            let name = &metric.name;
            let place = case.at_metric(index, "/name");
            if !is_builtin(name) && metric.query.is_empty() && metric.template_ref.is_none() {
                return Some(
                    Said::new(place, format!("`{name}` asks nothing: every check fails with `no usable metrics template and query were configured`"))
                        .why("it is neither a builtin check (request-success-rate, request-duration), nor has it `query` or `templateRef`")
                        .change("give it a templateRef, or the name of a builtin check"),
                );
            }
            let range = bounds(metric);
            if metric.threshold_range.is_some() && range.min.is_none() && range.max.is_none() {
                return Some(
                    Said::new(place, format!("`{name}` has a thresholdRange without min and max: whatever its value, it passes"))
                        .why("each bound that is not there is not tested")
                        .change("say `min` or `max`")
                        .severity(Severity::Warning),
                );
            }
            if metric.threshold_range.is_none() && metric.threshold.is_none() {
                let passes = name == "request-success-rate" && metric.template_ref.is_none() && metric.query.is_empty();
                return Some(
                    Said::new(
                        place,
                        match passes {
                            true => format!("`{name}` has no bound: the minimum is 0, and every value passes"),
                            false => format!("`{name}` has no bound: the maximum is 0, and every value above 0 fails"),
                        },
                    )
                    .why("a threshold that is not given is 0")
                    .change("give it a thresholdRange"),
                );
            }
            None
        })
        .collect()
}
