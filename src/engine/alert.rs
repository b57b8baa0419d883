//! Alerts: who is told, and the fields that go along.
//!
//! Follows `alert` and `alertMetadata` in `pkg/controller/events.go`. Left out: what a notifier makes of an alert, and addresses kept
//! in Secrets, which are the driver's to look up.

use std::rc::Rc;

use super::context::Context;
use super::event::{Alert, AlertField, Notice, Severity};
use super::object::{Kind, ObjectRef};
use super::strategy::Strategy;
use crate::canary::AlertProvider;

/// Notifier types that Flagger knows (`pkg/notifier/factory.go`).
const NOTIFIERS: [&str; 5] = ["slack", "discord", "rocket", "msteams", "gchat"];

/// Alerts without details of the rollout.
pub(crate) fn tell(cx: &mut Context<'_>, severity: Severity, message: impl Into<String>) {
    deliver(cx, severity, message.into(), Vec::new());
}

/// Alerts with the target, thresholds and routing as fields.
pub(crate) fn tell_with_details(
    cx: &mut Context<'_>,
    severity: Severity,
    message: impl Into<String>,
) {
    let details = details(cx);
    deliver(cx, severity, message.into(), details);
}

/// Without alert entries the global notifier is told, otherwise each entry whose severity lets the alert through.
fn deliver(cx: &mut Context<'_>, severity: Severity, message: String, details: Vec<AlertField>) {
    let cluster = cx.settings.cluster_name.as_ref();
    let mut fields: Vec<AlertField> = cluster
        .map(|name| field("Cluster", name.clone()))
        .into_iter()
        .collect();
    fields.extend(details);
    let analysis = Rc::clone(&cx.analysis);
    let alert = |provider: Option<String>| {
        Notice::Alert(Alert {
            severity,
            message: message.clone(),
            fields: fields.clone(),
            provider,
        })
    };
    if analysis.alerts.is_empty() {
        return cx.world().tell(alert(None));
    }
    for entry in &analysis.alerts {
        if !receives(&entry.severity, severity) {
            continue;
        }
        let namespace = match entry.provider_ref.namespace.as_str() {
            "" => cx.namespace.clone(),
            namespace => namespace.to_owned(),
        };
        let provider = ObjectRef::new(Kind::AlertProvider, namespace, &*entry.provider_ref.name);
        match cx.get::<AlertProvider>(&provider) {
            Err(error) => cx.log(format!("alert provider {provider} error: {error}")),
            Ok(found) => {
                let kind = found.spec["type"].as_str().unwrap_or_default();
                if NOTIFIERS.contains(&kind) {
                    cx.world().tell(alert(Some(provider.name)));
                } else {
                    cx.log(format!(
                        "alert provider {provider} error: provider {kind} not supported"
                    ));
                }
            }
        }
    }
}

/// An entry without severity receives nothing, whatever the documentation says.
fn receives(entry: &str, severity: Severity) -> bool {
    match entry {
        "info" => true,
        "warn" => matches!(severity, Severity::Warn | Severity::Error),
        "error" => severity == Severity::Error,
        _ => false,
    }
}

fn details(cx: &Context<'_>) -> Vec<AlertField> {
    let analysis = &cx.analysis;
    let kind = &cx.spec.target_ref.kind;
    let mut fields = vec![
        field("Target", format!("{kind}/{}", cx.target())),
        field("Failed checks threshold", analysis.threshold().to_string()),
        field(
            "Progress deadline",
            format!("{}s", cx.spec.progress_deadline()),
        ),
    ];
    let routing = match Strategy::of(analysis) {
        Strategy::AbTesting => Some("A/B Testing".to_owned()),
        Strategy::BlueGreen => Some("Blue/Green".to_owned()),
        // The maximum is told as written, 0 where it is absent.
        Strategy::Canary if analysis.step_weight > 0 => Some(format!(
            "Weight step: {} max: {}",
            analysis.step_weight, analysis.max_weight
        )),
        Strategy::Canary if !analysis.step_weights.is_empty() => {
            let steps: Vec<String> = analysis.step_weights.iter().map(i64::to_string).collect();
            Some(format!(
                "Weight steps: {} max: {}",
                steps.join(","),
                analysis.max_weight
            ))
        }
        Strategy::Canary => None,
    };
    fields.extend(routing.map(|routing| field("Traffic routing", routing)));
    fields
}

fn field(name: &str, value: String) -> AlertField {
    AlertField {
        name: name.to_owned(),
        value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_receive_by_severity_and_none_without_one() {
        use Severity::{Error, Info, Warn};
        for (entry, received) in [
            ("", vec![]),
            ("info", vec![Info, Warn, Error]),
            ("warn", vec![Warn, Error]),
            ("error", vec![Error]),
        ] {
            let found: Vec<Severity> = [Info, Warn, Error]
                .into_iter()
                .filter(|severity| receives(entry, *severity))
                .collect();
            assert_eq!(found, received, "{entry:?}");
        }
    }
}
