//! What the HPA controller asks of the metrics APIs, and how it sums up what they answer.
//!
//! Follows `pkg/controller/podautoscaler/metrics/client.go` of Kubernetes v1.36.3.

use std::collections::BTreeMap;
use std::sync::Arc;

use thiserror::Error;

use super::spec::MetricIdentifier;
use crate::k8s::{ObjectReference, Quantity};
use crate::sim::metrics_server::PodMetrics;
use crate::sim::pods::requests::RequestError;
use crate::time::{Span, Timestamp};

/// The resource, custom and external metrics APIs. Every pod-wise answer is for the pods that the target selects.
pub trait MetricsClient {
    /// Usage by pod name, as metrics-server answers.
    fn resource(&mut self) -> Result<Vec<(Arc<str>, PodMetrics)>, MetricError>;
    /// A custom metric of pods.
    fn pods(&mut self, metric: &MetricIdentifier) -> Result<Vec<PodValue>, MetricError>;
    /// A custom metric of one object.
    fn object(
        &mut self,
        metric: &MetricIdentifier,
        described: &ObjectReference,
    ) -> Result<Quantity, MetricError>;
    /// An external metric: one value for each series.
    fn external(&mut self, metric: &MetricIdentifier) -> Result<Vec<Quantity>, MetricError>;
}

/// A metrics API that has no answer, or one that nothing can be made of.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct MetricError(pub String);

impl From<RequestError> for MetricError {
    fn from(error: RequestError) -> Self {
        MetricError(error.to_string())
    }
}

impl MetricError {
    pub(super) fn new(message: impl Into<String>) -> Self {
        MetricError(message.into())
    }
}

/// One pod's value of a custom metric.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodValue {
    /// The pod's name.
    pub pod: Arc<str>,
    /// When it was measured.
    pub timestamp: Timestamp,
    /// Over which time; a minute where `None`.
    pub window: Option<Span>,
    /// The value.
    pub value: Quantity,
}

/// A pod's metric as the replica calculator sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PodMetric {
    /// When it was measured.
    pub timestamp: Timestamp,
    /// Over which time.
    pub window: Span,
    /// In milli-units.
    pub value: i64,
}

/// Metrics by pod name.
pub type PodMetricsByName = BTreeMap<Arc<str>, PodMetric>;

/// `metricServerDefaultMetricWindow`.
const DEFAULT_WINDOW: Span = Span::from_secs(60);

/// One resource of whole pods, or of one container of each. Pods that do not report it in full are left out.
pub fn resource_metrics(
    client: &mut impl MetricsClient,
    resource: &str,
    container: Option<&str>,
) -> Result<PodMetricsByName, MetricError> {
    let pods = client.resource().map_err(|e| {
        MetricError(format!(
            "unable to get metrics for resource {resource}: {e}"
        ))
    })?;
    if pods.is_empty() {
        return Err(MetricError(format!(
            "unable to get metrics for resource {resource}: no metrics returned from resource metrics API"
        )));
    }
    let measured = pods.into_iter().filter_map(|(name, metrics)| {
        let value = usage(&metrics, resource, container)?;
        let (timestamp, window) = (metrics.timestamp, metrics.window);
        Some((
            name,
            PodMetric {
                timestamp,
                window,
                value,
            },
        ))
    });
    Ok(measured.collect())
}

/// Sum over the containers in milli-units; `None` where one of them lacks the resource.
fn usage(metrics: &PodMetrics, resource: &str, container: Option<&str>) -> Option<i64> {
    let mut total = None;
    for (name, used) in &metrics.containers {
        if container.is_none_or(|wanted| *wanted == **name) {
            let value = used.get(resource)?.milli_value();
            total = Some(value.saturating_add(total.unwrap_or(0)));
        }
    }
    total
}

/// A custom metric of pods.
pub fn pods_metrics(
    client: &mut impl MetricsClient,
    metric: &MetricIdentifier,
) -> Result<PodMetricsByName, MetricError> {
    let unable = |e: MetricError| MetricError(format!("unable to get metric {}: {e}", metric.name));
    let values = client.pods(metric).map_err(unable)?;
    if values.is_empty() {
        return Err(unable(MetricError::new(
            "no metrics returned from custom metrics API",
        )));
    }
    let measured = values.into_iter().map(|v| {
        let metric = PodMetric {
            timestamp: v.timestamp,
            window: v.window.unwrap_or(DEFAULT_WINDOW),
            value: v.value.milli_value(),
        };
        (v.pod, metric)
    });
    Ok(measured.collect())
}

/// Sum over an external metric's series in milli-units.
pub(super) fn external_metric(
    client: &mut impl MetricsClient,
    metric: &MetricIdentifier,
) -> Result<i64, MetricError> {
    let unable = |e: MetricError| {
        let name = &metric.name;
        MetricError(format!("unable to get external metric {name}: {e}"))
    };
    let values = client.external(metric).map_err(unable)?;
    if values.is_empty() {
        return Err(unable(MetricError::new(
            "no metrics returned from external metrics API",
        )));
    }
    Ok(sum(values.into_iter().map(Quantity::milli_value)))
}

/// Sum of an external metric's series, cut to the largest i64.
pub fn sum(values: impl IntoIterator<Item = i64>) -> i64 {
    values.into_iter().fold(0, i64::saturating_add)
}
