//! `unknown-label`: a query by a label that the series do not carry.

use crate::diagnostic::nearest;
use crate::lint::case::Case;
use crate::lint::{Rule, Said, Severity};
use crate::scenario::exported;

pub(super) const RULE: Rule = Rule {
    code: "unknown-label",
    severity: Severity::Warning,
    about: "A selector by a label that no series of the metric carries finds nothing: no values, and every check fails whatever the \
            release is like. Which labels there are depends on the exporter and on how Prometheus finds it.",
    check,
};

/// Told by `namespace-label`, which knows what the scrape does to them.
const RENAMED: [&str; 2] = ["namespace", "exported_namespace"];

fn check(case: &Case<'_>) -> Vec<Said> {
    let exported = exported(case.scenario);
    let asked = case.asked.iter();
    asked
        .filter_map(|asked| {
            let (metric, label) = asked.labels.iter().find_map(|(name, label)| {
                let mut series = exported.iter().filter(|metric| metric.name == *name).peekable();
                let metric = *series.peek()?;
                let carried = series.any(|metric| metric.labels.contains(label));
                let renamed = RENAMED.contains(&label.as_str()) && metric.by == "the ingress controller";
                (!carried && !renamed).then_some((metric, label))
            })?;
            let labels: Vec<&str> = metric.labels.iter().map(String::as_str).collect();
            Some(
                Said::new(
                    asked.place.clone(),
                    format!(
                        "{} asks for `{}` by `{label}`, which no series of it carries: no values, whatever the release is like",
                        asked.what(),
                        metric.name
                    ),
                )
                .why(format!(
                    "{} exports it, and as it is scraped here its series carry {}",
                    metric.by,
                    nearest::listed(&labels)
                ))
                .change(match nearest::nearest(label, labels.iter().copied()) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => "ask by one of the labels that there are; where your cluster has others, say how Prometheus finds pods \
                             (`prometheus.pod_discovery`) and which labels they set (`versions.v1.metrics.labels`)"
                        .to_owned(),
                }),
            )
        })
        .collect()
}
