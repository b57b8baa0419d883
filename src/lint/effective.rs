//! What Flagger makes of a Canary: every value after defaults and floors, and what the analysis comes to in time.
//!
//! Defaults and floors are those of `pkg/apis/flagger/v1beta1/canary.go`; the ticks are [`Course`]'s.

use serde::Serialize;

use super::asked::{SUCCESS_RATE, is_builtin};
use crate::canary::course::max_weight;
use crate::canary::{Analysis, Course, Hang, Metric, Rules, Strategy, ThresholdRange};
use crate::scenario::Scenario;
use crate::time::Span;

/// The effective configuration of one Canary. Durations are written as Go writes them: `10s`, `1m0s`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Effective {
    /// `NAMESPACE/NAME`.
    pub canary: String,
    /// What realises weights.
    pub provider: String,
    /// How `threshold` is read.
    pub rules: String,
    /// `canary`, `ab-testing` or `blue-green`; what the provider makes of it.
    pub strategy: String,
    /// Time between ticks.
    pub interval: String,
    /// Failed checks that roll back; with the rules `runbook`, successful checks that promote.
    pub threshold: i64,
    /// The weight at which the promotion starts; `null` where nothing goes by weights.
    pub max_weight: Option<i64>,
    /// Percent added per step; `null` where steps are listed, or nothing goes by weights.
    pub step_weight: Option<i64>,
    /// The weights that are really set, one a tick.
    pub weights: Vec<i64>,
    /// Percent per promotion step; 0 means all at once.
    pub step_weight_promotion: i64,
    /// Passes of an analysis that counts them; `null` for weights.
    pub iterations: Option<i64>,
    /// Percent of the primary's pods that must be available.
    pub primary_ready_threshold: i64,
    /// Percent of the canary's pods that must be available.
    pub canary_ready_threshold: i64,
    /// Until an unready workload ends the rollout.
    pub progress_deadline: String,
    /// What is measured.
    pub metrics: Vec<EffectiveMetric>,
    /// What is called.
    pub webhooks: Vec<EffectiveWebhook>,
    /// Time between two scrapes.
    pub scrape_interval: String,
    /// What the analysis comes to.
    pub arithmetic: Arithmetic,
    /// Values that are not what was written or what one might expect.
    pub notes: Vec<String>,
}

/// An entry of `metrics`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EffectiveMetric {
    /// Its name.
    pub name: String,
    /// Who answers: `builtin`, `inline`, `template NAME`, several of them, or `nothing`.
    pub source: String,
    /// `{{ interval }}`; empty where a template gets none.
    pub interval: String,
    /// Values below fail.
    pub min: Option<f64>,
    /// Values above fail.
    pub max: Option<f64>,
}

/// An entry of `webhooks`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EffectiveWebhook {
    /// Its name.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Per attempt.
    pub timeout: String,
    /// Attempts after the first.
    pub retries: i64,
}

/// Ticks from detection, and the time they take while pods are ready, hooks quick and gates open.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Arithmetic {
    /// Until the new version is copied to the primary; `null` where that never happens.
    pub fastest_promotion_intervals: Option<i64>,
    /// The same as a time.
    pub fastest_promotion: Option<String>,
    /// Until the rollout is over then.
    pub finished_intervals: Option<i64>,
    /// The same as a time.
    pub finished: Option<String>,
    /// Until the rollback when every check fails.
    pub fastest_rollback_intervals: i64,
    /// The same as a time.
    pub fastest_rollback: String,
    /// Until the rollback when only the last checks fail; `null` where the analysis has no end.
    pub slowest_rollback_intervals: Option<i64>,
    /// The same as a time.
    pub slowest_rollback: Option<String>,
    /// Why it never promotes.
    pub never: Option<String>,
}

/// The effective configuration; nothing where there is no analysis.
pub fn effective(scenario: &Scenario) -> Option<Effective> {
    let canary = &scenario.manifests.canary;
    let analysis = canary.spec.analysis.as_ref()?;
    let provider = scenario.provider_in_force();
    let course = Course::of(analysis, provider, scenario.rules);
    let weighted = course.strategy == Strategy::Canary;
    let interval = analysis.interval();
    Some(Effective {
        canary: format!("{}/{}", canary.metadata.namespace, canary.metadata.name),
        provider: provider.as_str().to_owned(),
        rules: scenario.rules.as_str().to_owned(),
        strategy: course.strategy.as_str().to_owned(),
        interval: interval.to_string(),
        threshold: analysis.threshold(),
        max_weight: weighted.then(|| max_weight(analysis)),
        step_weight: (weighted && analysis.step_weights.is_empty()).then_some(analysis.step_weight),
        weights: course.weights.clone(),
        step_weight_promotion: analysis.step_weight_promotion,
        iterations: (!weighted).then_some(course.iterations),
        primary_ready_threshold: analysis.primary_ready_threshold(),
        canary_ready_threshold: analysis.canary_ready_threshold(),
        progress_deadline: format!("{}s", canary.spec.progress_deadline()),
        metrics: analysis
            .metrics
            .iter()
            .map(|m| metric(m, scenario.rules))
            .collect(),
        webhooks: webhooks(analysis),
        scrape_interval: scenario.prometheus.scrape_interval.to_string(),
        arithmetic: arithmetic(&course, interval),
        notes: notes(analysis, scenario.rules, weighted),
    })
}

fn metric(metric: &Metric, rules: Rules) -> EffectiveMetric {
    let mut sources = Vec::new();
    let template = metric.template_ref.as_ref();
    if is_builtin(&metric.name) && (rules == Rules::Flagger || template.is_none()) {
        sources.push("builtin".to_owned());
    }
    if !metric.query.is_empty() {
        sources.push("inline".to_owned());
    }
    if let Some(template) = template {
        sources.push(format!("template {}", template.name));
    }
    let asked = match sources.is_empty() {
        true => "nothing".to_owned(),
        false => sources.join(" and "),
    };
    // Builtin and inline queries get 1m, a template what is written.
    let interval = match (metric.interval.as_str(), template) {
        ("", None) => "1m",
        (given, _) => given,
    };
    let ThresholdRange { min, max } = metric.threshold_range.unwrap_or_else(|| {
        let bound = Some(metric.threshold.unwrap_or(0.0));
        match metric.name == SUCCESS_RATE && template.is_none() {
            true => ThresholdRange {
                min: bound,
                max: None,
            },
            false => ThresholdRange {
                min: None,
                max: bound,
            },
        }
    });
    EffectiveMetric {
        name: metric.name.clone(),
        source: asked,
        interval: interval.to_owned(),
        min,
        max,
    }
}

fn webhooks(analysis: &Analysis) -> Vec<EffectiveWebhook> {
    let hooks = analysis.webhooks.iter();
    hooks
        .map(|hook| EffectiveWebhook {
            name: hook.name.clone(),
            kind: match hook.kind.as_str() {
                "" => "rollout".to_owned(),
                kind => kind.to_owned(),
            },
            timeout: match hook.timeout.as_str() {
                short if short.len() < 2 => "10s".to_owned(),
                given => Span::parse_go(given).map_or_else(|| given.to_owned(), |t| t.to_string()),
            },
            retries: hook.retries,
        })
        .collect()
}

fn arithmetic(course: &Course, interval: Span) -> Arithmetic {
    let time = |ticks: i64| (interval * ticks).to_string();
    let never = course.promoted.err().or(course.finished.err());
    Arithmetic {
        fastest_promotion_intervals: course.promoted.ok(),
        fastest_promotion: course.promoted.ok().map(time),
        finished_intervals: course.finished.ok(),
        finished: course.finished.ok().map(time),
        fastest_rollback_intervals: course.earliest_rollback,
        fastest_rollback: time(course.earliest_rollback),
        slowest_rollback_intervals: course.latest_rollback,
        slowest_rollback: course.latest_rollback.map(time),
        never: never.map(|hang| {
            match hang {
                Hang::NoStep { .. } => "no step leads on",
                Hang::MaxWeightOutOfReach => "maxWeight is out of reach",
                Hang::MirrorNeverReported => "the provider never reports mirrored traffic",
                Hang::PromotionNeverDone => "the traffic never gets back to the primary",
            }
            .to_owned()
        }),
    }
}

/// Values that differ from what was written, and from the table of defaults that the load-harness runbook has.
fn notes(analysis: &Analysis, rules: Rules, weighted: bool) -> Vec<String> {
    let mut notes = Vec::new();
    let written = Span::parse_go(&analysis.interval);
    if written.is_none_or(|written| written != analysis.interval()) {
        let why = match written {
            Some(_) => "10s is Flagger's floor",
            None => "Flagger cannot read that as a duration, and takes 60s",
        };
        notes.push(format!(
            "interval is {}, written as \"{}\": {why}",
            analysis.interval(),
            analysis.interval
        ));
    }
    if analysis.threshold < 1 {
        notes.push(format!(
            "threshold is 1, written as {}: at least one check must fail",
            analysis.threshold
        ));
    }
    if rules == Rules::Flagger {
        notes.push(format!(
            "threshold {} is the failed checks that roll back, counted over the whole rollout, not successful checks \
             that promote (the load-harness runbook's reading: --rules runbook)",
            analysis.threshold()
        ));
    }
    if weighted && analysis.step_weights.is_empty() && analysis.max_weight <= 0 {
        notes.push(
            "maxWeight is 100, Flagger's default; the load-harness runbook's table has 50"
                .to_owned(),
        );
    }
    if weighted && analysis.step_weights.is_empty() && analysis.step_weight <= 0 {
        notes.push(
            "stepWeight has no default: 0 never advances; the load-harness runbook's table has 10"
                .to_owned(),
        );
    }
    if !analysis.step_weights.is_empty() && analysis.step_weight > 0 {
        notes.push("stepWeight wins over stepWeights for the size of a step; the last of stepWeights is the maximum".to_owned());
    }
    for (key, value) in [
        ("primaryReadyThreshold", analysis.primary_ready_threshold),
        ("canaryReadyThreshold", analysis.canary_ready_threshold),
    ] {
        match value {
            Some(value) if value > 100 => notes.push(format!(
                "{key} {value} is never met: there are no more than 100 %"
            )),
            Some(value) if value <= 0 => notes.push(format!(
                "{key} {value} lets pods that are not available pass"
            )),
            _ => {}
        }
    }
    notes
}
