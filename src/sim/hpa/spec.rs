//! Typed views of an HPA's `spec.metrics` and `spec.behavior`, with the API server's defaults filled in.
//!
//! Follows `pkg/apis/autoscaling/v2/defaults.go` of Kubernetes v1.36.3. Manifests are taken as valid:
//! what the API server would refuse is read as absent.

use serde_json::{Value, json};

use crate::k8s::{ObjectReference, Quantity};
use crate::time::Span;

/// One entry of `spec.metrics`.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricSpec {
    /// Where the value comes from.
    pub source: MetricSource,
    /// What it should be.
    pub target: MetricTarget,
}

/// Where a metric's value comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum MetricSource {
    /// CPU or memory of whole pods, or of one container of each.
    Resource {
        /// `cpu` or `memory`.
        name: String,
        /// The one container, with type ContainerResource.
        container: Option<String>,
    },
    /// A custom metric with a value for each pod.
    Pods(MetricIdentifier),
    /// A custom metric of one object.
    Object {
        /// The metric.
        metric: MetricIdentifier,
        /// The object.
        described: ObjectReference,
    },
    /// A metric from outside the cluster.
    External(MetricIdentifier),
    /// Something else: the text of `type`.
    Unknown(String),
}

/// Name and selector of a custom or external metric.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MetricIdentifier {
    /// Name.
    pub name: String,
    /// Label selector, as written; null where there is none.
    pub selector: Value,
}

/// A metric's target; the fields that are not given are `None`. Values in milli-units.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MetricTarget {
    /// `value`.
    pub value: Option<i64>,
    /// `averageValue`.
    pub average_value: Option<i64>,
    /// `averageUtilization`, in percent of the request.
    pub average_utilization: Option<i32>,
}

impl MetricSpec {
    /// Reads `spec.metrics`; without any it is CPU at 80 % of the request.
    pub fn read_all(metrics: &Value) -> Vec<Self> {
        let list = metrics.as_array().map_or(&[][..], Vec::as_slice);
        if list.is_empty() {
            let name = "cpu".to_owned();
            let target = MetricTarget {
                average_utilization: Some(80),
                ..MetricTarget::default()
            };
            let container = None;
            let source = MetricSource::Resource { name, container };
            return vec![MetricSpec { source, target }];
        }
        list.iter().map(Self::read).collect()
    }

    fn read(metric: &Value) -> Self {
        let kind = text(metric, "type");
        let (body, source) = match kind.as_str() {
            "Resource" => {
                let body = &metric["resource"];
                let name = text(body, "name");
                let container = None;
                (body, MetricSource::Resource { name, container })
            }
            "ContainerResource" => {
                let body = &metric["containerResource"];
                let name = text(body, "name");
                let container = Some(text(body, "container"));
                (body, MetricSource::Resource { name, container })
            }
            "Pods" => {
                let body = &metric["pods"];
                (body, MetricSource::Pods(MetricIdentifier::read(body)))
            }
            "Object" => {
                let body = &metric["object"];
                let described = body["describedObject"].clone();
                let source = MetricSource::Object {
                    metric: MetricIdentifier::read(body),
                    described: serde_json::from_value(described).unwrap_or_default(),
                };
                (body, source)
            }
            "External" => {
                let body = &metric["external"];
                (body, MetricSource::External(MetricIdentifier::read(body)))
            }
            _ => (&Value::Null, MetricSource::Unknown(kind)),
        };
        let target = MetricTarget::read(&body["target"]);
        MetricSpec { source, target }
    }
}

impl MetricIdentifier {
    fn read(body: &Value) -> Self {
        MetricIdentifier {
            name: text(&body["metric"], "name"),
            selector: body["metric"]["selector"].clone(),
        }
    }

    /// As a status names it.
    pub(super) fn json(&self) -> Value {
        match &self.selector {
            Value::Null => json!({ "name": self.name }),
            selector => json!({ "name": self.name, "selector": selector }),
        }
    }
}

impl MetricTarget {
    fn read(target: &Value) -> Self {
        MetricTarget {
            value: Quantity::read(&target["value"]).map(Quantity::milli_value),
            average_value: Quantity::read(&target["averageValue"]).map(Quantity::milli_value),
            average_utilization: integer(&target["averageUtilization"]),
        }
    }
}

/// `spec.behavior`.
#[derive(Clone, Debug, PartialEq)]
pub struct Behavior {
    /// Rules for scaling up.
    pub up: ScalingRules,
    /// Rules for scaling down.
    pub down: ScalingRules,
}

/// Rules for one direction.
#[derive(Clone, Debug, PartialEq)]
pub struct ScalingRules {
    /// Which policy counts.
    pub select: SelectPolicy,
    /// Stabilization window; `None` is the controller's flag (down only).
    pub window: Option<Span>,
    /// Policies.
    pub policies: Vec<Policy>,
    /// Tolerance; `None` is the controller's flag.
    pub tolerance: Option<f64>,
}

/// Which of several policies counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SelectPolicy {
    /// The one that allows the largest change.
    Max,
    /// The one that allows the smallest change.
    Min,
    /// None: no scaling in this direction.
    Disabled,
}

/// How much may change within a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Pods or percent.
    pub kind: PolicyKind,
    /// How many.
    pub value: i32,
    /// The period.
    pub period: Span,
}

/// What a policy's value counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyKind {
    /// Pods.
    Pods,
    /// Percent of the replicas at the start of the period.
    Percent,
}

impl Policy {
    const fn new(kind: PolicyKind, value: i32, period_seconds: i64) -> Self {
        Policy {
            kind,
            value,
            period: Span::from_secs(period_seconds),
        }
    }

    fn read(policy: &Value) -> Option<Self> {
        let kind = match policy["type"].as_str()? {
            "Pods" => PolicyKind::Pods,
            "Percent" => PolicyKind::Percent,
            _ => return None,
        };
        let value = integer(&policy["value"])?;
        let period = integer(&policy["periodSeconds"])?;
        Some(Policy::new(kind, value, i64::from(period)))
    }
}

impl Default for Behavior {
    fn default() -> Self {
        Behavior {
            up: ScalingRules {
                select: SelectPolicy::Max,
                window: Some(Span::ZERO),
                policies: vec![
                    Policy::new(PolicyKind::Pods, 4, 15),
                    Policy::new(PolicyKind::Percent, 100, 15),
                ],
                tolerance: None,
            },
            down: ScalingRules {
                select: SelectPolicy::Max,
                window: None,
                policies: vec![Policy::new(PolicyKind::Percent, 100, 15)],
                tolerance: None,
            },
        }
    }
}

impl Behavior {
    /// Reads `spec.behavior`. `None` where it is absent, which is not the same as its defaults.
    pub fn read(behavior: &Value) -> Option<Self> {
        if behavior.is_null() {
            return None;
        }
        let defaults = Behavior::default();
        Some(Behavior {
            up: defaults.up.overridden_by(&behavior["scaleUp"]),
            down: defaults.down.overridden_by(&behavior["scaleDown"]),
        })
    }
}

impl ScalingRules {
    fn overridden_by(self, rules: &Value) -> Self {
        let policies = rules["policies"].as_array().map(|list| {
            let read = list.iter().filter_map(Policy::read);
            read.collect::<Vec<_>>()
        });
        let window = integer(&rules["stabilizationWindowSeconds"]);
        ScalingRules {
            select: match rules["selectPolicy"].as_str() {
                Some("Max") => SelectPolicy::Max,
                Some("Min") => SelectPolicy::Min,
                Some("Disabled") => SelectPolicy::Disabled,
                _ => self.select,
            },
            window: window
                .map(|s| Span::from_secs(i64::from(s)))
                .or(self.window),
            policies: policies.filter(|p| !p.is_empty()).unwrap_or(self.policies),
            tolerance: Quantity::read(&rules["tolerance"]).map(Quantity::approximate_f64),
        }
    }

    /// The longest period of any policy.
    pub(super) fn longest_period(&self) -> Span {
        let periods = self.policies.iter().map(|p| p.period);
        periods.max().unwrap_or(Span::ZERO)
    }
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}

fn integer(value: &Value) -> Option<i32> {
    i32::try_from(value.as_i64()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absent_behavior_is_not_the_default_behavior() {
        assert_eq!(Behavior::read(&Value::Null), None);
        assert_eq!(Behavior::read(&json!({})), Some(Behavior::default()));
    }

    #[test]
    fn one_direction_given_leaves_the_other_at_its_defaults() {
        let behavior = Behavior::read(&json!({"scaleDown": {
            "stabilizationWindowSeconds": 60,
            "tolerance": "50m",
            "policies": [{"type": "Pods", "value": 1, "periodSeconds": 30}],
        }}));
        let mut expected = Behavior::default();
        expected.down.window = Some(Span::from_secs(60));
        expected.down.tolerance = Some(0.05);
        expected.down.policies = vec![Policy::new(PolicyKind::Pods, 1, 30)];
        assert_eq!(behavior, Some(expected));
    }

    #[test]
    fn no_metrics_mean_cpu_at_80_percent() {
        let metrics = MetricSpec::read_all(&Value::Null);
        assert_eq!(metrics.len(), 1);
        assert_eq!(metrics[0].target.average_utilization, Some(80));
    }
}
