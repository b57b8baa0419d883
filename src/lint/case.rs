//! What rules look at: one Canary with everything around it.

use super::asked::{Asked, asked};
use crate::canary::{Analysis, Canary, Course, Metric, Provider, ThresholdRange};
use crate::diagnostic::Place;
use crate::k8s::HorizontalPodAutoscaler;
use crate::k8s::manifest::Document;
use crate::scenario::Scenario;
use crate::time::Span;

pub(super) struct Case<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) canary: &'a Canary,
    pub(super) analysis: &'a Analysis,
    pub(super) provider: Provider,
    pub(super) course: Course,
    pub(super) interval: Span,
    /// Every question that a check asks, in Flagger's order.
    pub(super) asked: Vec<Asked<'a>>,
    document: &'a Document,
}

impl<'a> Case<'a> {
    /// Nothing, where there is no analysis.
    pub(super) fn of(scenario: &'a Scenario) -> Option<Case<'a>> {
        let canary = &scenario.manifests.canary;
        let analysis = canary.spec.analysis.as_ref()?;
        if canary.spec.skip_analysis {
            return None;
        }
        let provider = scenario.provider_in_force();
        let mut documents = scenario.manifests.documents.iter();
        let document = documents.find(|d| d.kind == "Canary")?;
        Some(Case {
            scenario,
            canary,
            analysis,
            provider,
            course: Course::of(analysis, provider, scenario.rules),
            interval: analysis.interval(),
            asked: asked(scenario, document, provider),
            document,
        })
    }

    /// A place in the Canary.
    pub(super) fn at(&self, pointer: &str) -> Place {
        self.document.place_of(pointer)
    }

    /// A place in another object, else in the Canary.
    pub(super) fn at_object(&self, kind: &str, name: &str, pointer: &str) -> Place {
        let documents = &self.scenario.manifests.documents;
        match documents.iter().find(|d| d.kind == kind && d.name == name) {
            Some(document) => document.place_of(pointer),
            None => self.at("/spec"),
        }
    }

    /// The entry of a metric.
    pub(super) fn at_metric(&self, index: usize, key: &str) -> Place {
        self.at(&format!("/spec/analysis/metrics/{index}{key}"))
    }

    pub(super) fn scrape_interval(&self) -> Span {
        self.scenario.prometheus.scrape_interval
    }

    /// A scrape interval with room for three scrapes between two checks.
    pub(super) fn interval_third(&self) -> Span {
        Span::from_millis((self.interval.as_millis() / 3000).max(1) * 1000)
    }

    /// Requests a second, at the scenario's zero.
    pub(super) fn rate(&self) -> f64 {
        let rate = &self.scenario.traffic.rate;
        let zero = rate.iter().rev().find(|point| point.at <= Span::ZERO);
        zero.or(rate.first()).map_or(0.0, |point| point.per_second)
    }

    /// The HPA of the target.
    pub(super) fn hpa(&self) -> Option<&'a HorizontalPodAutoscaler> {
        self.scenario.manifests.hpas.first()
    }

    /// Pods before the rollout starts, as far as the manifests say.
    pub(super) fn pods(&self) -> i32 {
        match self.hpa() {
            Some(hpa) => hpa
                .spec
                .min_replicas
                .unwrap_or(1)
                .max(self.pods_for(1.0).unwrap_or(1))
                .min(hpa.spec.max_replicas),
            None => self
                .scenario
                .manifests
                .deployment
                .spec
                .replicas
                .unwrap_or(1),
        }
    }

    /// Pods that the HPA keeps for a share of the traffic: enough that each spends its target of the CPU it requests.
    pub(super) fn pods_for(&self, share: f64) -> Option<i32> {
        let hpa = self.hpa()?;
        let metrics = hpa.spec.metrics.as_array()?;
        let target = metrics.iter().find_map(|metric| {
            (metric.pointer("/resource/name")? == "cpu")
                .then(|| {
                    metric
                        .pointer("/resource/target/averageUtilization")?
                        .as_f64()
                })
                .flatten()
        })?;
        let template = self.scenario.manifests.deployment.spec.template.json();
        let containers = template.pointer("/spec/containers")?.as_array()?;
        let requested: i64 = containers
            .iter()
            .filter_map(|c| crate::k8s::Quantity::read(c.pointer("/resources/requests/cpu")?))
            .map(crate::k8s::Quantity::milli_value)
            .sum();
        let versions = &self.scenario.versions;
        let version = versions.get(&self.scenario.initial_version)?;
        let milli_used = self.rate() * share * version.cpu_per_request_ns as f64 / 1e6;
        let milli_each = requested as f64 * target / 100.0;
        (milli_each > 0.0).then(|| libm::ceil(milli_used / milli_each).clamp(1.0, 1e6) as i32)
    }
}

/// The bounds of a metric, as far as it has any.
pub(super) fn bounds(metric: &Metric) -> ThresholdRange {
    metric.threshold_range.unwrap_or_default()
}
