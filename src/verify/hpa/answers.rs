//! The metrics APIs of a trace: answers in the order in which the real controller asked.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;

use crate::k8s::{ObjectReference, Quantity};
use crate::sim::hpa::spec::MetricIdentifier;
use crate::sim::hpa::{MetricError, MetricsClient, PodValue};
use crate::sim::metrics_server::{ContainerUsage, PodMetrics};
use crate::time::Span;
use crate::verify::recording::{Moment, Seconds};

/// One answer of a metrics API.
#[derive(Deserialize)]
pub(super) struct Answer {
    api: Api,
    /// The error status, where that was the answer.
    http: Option<u16>,
    #[serde(default)]
    pods: BTreeMap<String, PodAnswer>,
    value: Option<Amount>,
    #[serde(default)]
    values: Vec<Amount>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Api {
    Resource,
    Pods,
    Object,
    External,
}

#[derive(Deserialize)]
struct PodAnswer {
    t: Moment,
    #[serde(default)]
    containers: BTreeMap<String, Usage>,
    window: Option<GoSpan>,
    value: Option<Amount>,
    window_s: Option<Seconds>,
}

#[derive(Deserialize)]
struct Usage {
    cpu: Option<Amount>,
    memory: Option<Amount>,
}

/// A quantity as text.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
struct Amount(Quantity);

impl TryFrom<String> for Amount {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        Quantity::parse(&text)
            .map(Amount)
            .ok_or_else(|| format!("\"{text}\" is no quantity"))
    }
}

/// A Go duration as text.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
struct GoSpan(Span);

impl TryFrom<String> for GoSpan {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        Span::parse_go(&text)
            .map(GoSpan)
            .ok_or_else(|| format!("\"{text}\" is no duration"))
    }
}

/// Plays the answers back.
pub(super) struct Answers<'a> {
    left: std::slice::Iter<'a, Answer>,
    surprise: Option<Surprise>,
}

/// The controllers asked for different metrics.
pub(super) struct Surprise {
    pub(super) expected: String,
    pub(super) got: String,
}

impl<'a> Answers<'a> {
    pub(super) fn new(answers: &'a [Answer]) -> Self {
        Answers {
            left: answers.iter(),
            surprise: None,
        }
    }

    /// The first difference, an answer nobody asked for included.
    pub(super) fn surprise(mut self) -> Option<Surprise> {
        let left = self.left.next();
        self.surprise.or_else(|| {
            let answer = left?;
            Some(Surprise {
                expected: format!("{:?}", answer.api),
                got: "nothing".to_owned(),
            })
        })
    }

    fn next(&mut self, api: Api) -> Result<&'a Answer, MetricError> {
        let answer = self.left.next();
        match answer {
            Some(answer) if answer.api == api => match answer.http {
                None => Ok(answer),
                Some(code) => Err(MetricError(format!("the server answered {code}"))),
            },
            _ => {
                self.surprise.get_or_insert(Surprise {
                    expected: answer.map_or("nothing".to_owned(), |a| format!("{:?}", a.api)),
                    got: format!("{api:?}"),
                });
                Err(MetricError("not in the recording".to_owned()))
            }
        }
    }
}

impl MetricsClient for Answers<'_> {
    fn resource(&mut self) -> Result<Vec<(Arc<str>, PodMetrics)>, MetricError> {
        let pods = self.next(Api::Resource)?.pods.iter();
        let metrics = |pod: &PodAnswer| PodMetrics {
            timestamp: pod.t.0,
            window: pod.window.map_or(Span::ZERO, |w| w.0),
            containers: pod
                .containers
                .iter()
                .map(|(name, usage)| {
                    let usage = ContainerUsage {
                        cpu: usage.cpu.map(|a| a.0),
                        memory: usage.memory.map(|a| a.0),
                    };
                    (name.as_str().into(), usage)
                })
                .collect(),
        };
        Ok(pods
            .map(|(name, pod)| (name.as_str().into(), metrics(pod)))
            .collect())
    }

    fn pods(&mut self, _: &MetricIdentifier) -> Result<Vec<PodValue>, MetricError> {
        let pods = self.next(Api::Pods)?.pods.iter();
        Ok(pods
            .map(|(name, pod)| PodValue {
                pod: name.as_str().into(),
                timestamp: pod.t.0,
                window: pod.window_s.map(|s| s.0),
                value: pod.value.map_or(Quantity::default(), |a| a.0),
            })
            .collect())
    }

    fn object(
        &mut self,
        _: &MetricIdentifier,
        _: &ObjectReference,
    ) -> Result<Quantity, MetricError> {
        let answer = self.next(Api::Object)?;
        Ok(answer.value.map_or(Quantity::default(), |a| a.0))
    }

    fn external(&mut self, _: &MetricIdentifier) -> Result<Vec<Quantity>, MetricError> {
        let values = self.next(Api::External)?.values.iter();
        Ok(values.map(|a| a.0).collect())
    }
}
