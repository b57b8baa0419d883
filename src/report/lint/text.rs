//! For people: first what Flagger makes of the Canary, then the findings.

use super::{Linted, counts, position};
use crate::lint::{Effective, EffectiveMetric, Finding};
use crate::report::text::wrap;
use crate::report::text::{Palette, WIDTH};

/// The report as text.
pub fn render(all: &[Linted], palette: Palette) -> String {
    let mut out = String::new();
    for linted in all {
        if let Some(effective) = &linted.effective {
            configuration(effective, palette, &mut out);
            out.push('\n');
        }
        for finding in &linted.findings {
            told(finding, palette, &mut out);
            out.push('\n');
        }
    }
    let [errors, warnings, infos] = counts(all);
    out += &format!("{errors} errors, {warnings} warnings, {infos} notes\n");
    out
}

fn configuration(effective: &Effective, palette: Palette, out: &mut String) {
    let title = format!(
        "{}: provider {}, rules {}, strategy {}",
        effective.canary, effective.provider, effective.rules, effective.strategy
    );
    *out += &format!("{}\n", palette.bold(&title));
    let mut row = |key: &str, value: String| block(&format!("  {key:<20}"), &value, 22, out);
    row("interval", effective.interval.clone());
    row(
        "threshold",
        match effective.rules.as_str() {
            "runbook" => format!(
                "{} successful checks; one failed check rolls back",
                effective.threshold
            ),
            _ => format!("{} failed checks", effective.threshold),
        },
    );
    if let Some(iterations) = effective.iterations {
        row("iterations", iterations.to_string());
    }
    if let Some(max) = effective.max_weight {
        let weights: Vec<String> = effective.weights.iter().map(|w| format!("{w} %")).collect();
        row("maxWeight", max.to_string());
        row("weights", weights.join(", "));
    }
    if effective.step_weight_promotion > 0 {
        row(
            "stepWeightPromotion",
            effective.step_weight_promotion.to_string(),
        );
    }
    row(
        "ready thresholds",
        format!(
            "primary {} %, canary {} %, progress deadline {}",
            effective.primary_ready_threshold,
            effective.canary_ready_threshold,
            effective.progress_deadline
        ),
    );
    for metric in &effective.metrics {
        row("metric", self::metric(metric));
    }
    for hook in &effective.webhooks {
        row(
            "webhook",
            format!("{} ({}), timeout {}", hook.name, hook.kind, hook.timeout),
        );
    }
    let arithmetic = &effective.arithmetic;
    row(
        "fastest promotion",
        match (
            &arithmetic.fastest_promotion,
            arithmetic.fastest_promotion_intervals,
        ) {
            (Some(time), Some(intervals)) => {
                format!(
                    "{time} after detection ({intervals} intervals); over {}",
                    over(effective)
                )
            }
            _ => format!(
                "never: {}",
                arithmetic.never.as_deref().unwrap_or("it has no end")
            ),
        },
    );
    row(
        "fastest rollback",
        format!(
            "{} ({} intervals), when every check fails",
            arithmetic.fastest_rollback, arithmetic.fastest_rollback_intervals
        ),
    );
    row(
        "slowest rollback",
        match (
            &arithmetic.slowest_rollback,
            arithmetic.slowest_rollback_intervals,
        ) {
            (Some(time), Some(intervals)) => {
                format!("{time} ({intervals} intervals), when only the last checks fail")
            }
            _ => "any time: the analysis has no end".to_owned(),
        },
    );
    for note in &effective.notes {
        row("note", note.clone());
    }
}

fn over(effective: &Effective) -> String {
    match (
        &effective.arithmetic.finished,
        effective.arithmetic.finished_intervals,
    ) {
        (Some(time), Some(intervals)) => format!("after {time} ({intervals})"),
        _ => "never".to_owned(),
    }
}

fn metric(metric: &EffectiveMetric) -> String {
    let bounds: Vec<String> = [("at least", metric.min), ("at most", metric.max)]
        .into_iter()
        .filter_map(|(word, bound)| Some(format!("{word} {}", bound?)))
        .collect();
    let interval = match metric.interval.as_str() {
        "" => "no interval",
        given => given,
    };
    let bounds = match bounds.is_empty() {
        true => "no bound".to_owned(),
        false => bounds.join(" and "),
    };
    format!("{} ({}), {interval}, {bounds}", metric.name, metric.source)
}

fn told(finding: &Finding, palette: Palette, out: &mut String) {
    let (file, line, column) = position(finding);
    let head = format!("{}[{}]", finding.severity.as_str(), finding.code);
    *out += &format!("{} {file}:{line}:{column}\n", palette.bold(&head));
    let mut paragraph = |head: &str, text: &str| {
        if !text.is_empty() {
            block("  ", &format!("{head}{text}"), 2, out);
        }
    };
    paragraph("", &finding.message);
    paragraph("why: ", &finding.why);
    paragraph("change: ", &finding.change);
    if let Some(patch) = &finding.patch {
        for line in patch.lines() {
            *out += &format!("    | {line}\n");
        }
    }
}

/// A text behind a head, its lines below each other from `indent` on.
fn block(head: &str, text: &str, indent: usize, out: &mut String) {
    for (index, line) in wrap(text, WIDTH - indent, "").iter().enumerate() {
        let margin = " ".repeat(indent);
        let before = if index == 0 { head } else { &margin };
        *out += &format!("{before}{line}\n");
    }
}
