//! `threshold-direction`: a maximum where a minimum was meant.

use crate::lint::asked::Source;
use crate::lint::case::Case;
use crate::lint::{Rule, Said, Severity};

pub(super) const RULE: Rule = Rule {
    code: "threshold-direction",
    severity: Severity::Error,
    about: "`threshold` of a template or an inline query is a maximum; only the builtin request-success-rate takes it as a minimum. A \
            success rate with `threshold: 99` fails at 99.5 and passes at 70.",
    check,
};

fn check(case: &Case<'_>) -> Vec<Said> {
    let asked = case.asked.iter();
    asked
        .filter(|asked| !matches!(asked.source, Source::Builtin))
        .filter(|asked| asked.metric.threshold_range.is_none())
        .filter_map(|asked| {
            let threshold = asked.metric.threshold?;
            let name = asked.metric.name.to_lowercase();
            let higher_is_better = asked.success_rate() || name.contains("success") || name.contains("availability");
            higher_is_better.then(|| {
                Said::new(
                    case.at_metric(asked.index, "/threshold"),
                    format!("`threshold: {threshold}` of `{}` is a maximum: values above it fail, a rate of 0 passes", asked.metric.name),
                )
                .why("only the builtin request-success-rate takes `threshold` as a minimum")
                .change("say which bound it is")
                .patch(format!("        thresholdRange:\n          min: {threshold}"))
            })
        })
        .collect()
}
