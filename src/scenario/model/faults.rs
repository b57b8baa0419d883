//! Chaos: faults that are put into a run on purpose.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Distribution;
use crate::time::Span;

/// `[[chaos]]`: a fault, from when to when, and whom it strikes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Fault {
    /// When it begins, from the scenario's zero.
    pub start: Span,
    /// When it ends; `None` is never.
    pub end: Option<Span>,
    /// Only pods of this version; `None` is all.
    pub version: Option<String>,
    /// Only pods of this workload; `None` is both.
    pub workload: Option<Workload>,
    /// What it does.
    pub kind: FaultKind,
}

impl Fault {
    /// Whether it goes on at a moment.
    pub fn is_on(&self, at: Span) -> bool {
        self.start <= at && self.end.is_none_or(|end| at < end)
    }
}

/// What serves the promoted revision, or the new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Workload {
    /// The primary's pods.
    Primary,
    /// The canary's.
    Canary,
}

/// What a fault does.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// Requests fail, as when something they depend on is down.
    Failures {
        /// Share of them.
        share: f64,
        /// How long they take to fail; `None`: as the version's others.
        time: Option<Distribution>,
    },
    /// Requests take so many nanoseconds longer.
    Latency(u64),
    /// Requests take so many times as long.
    Slowdown(f64),
    /// Requests take longer by so many nanoseconds with every minute of the fault.
    Leak(u64),
    /// So many pods are deleted at the start, without a grace period.
    PodKill(u32),
    /// Containers crash so long after they start, or after the fault starts.
    CrashLoop(Span),
    /// Pods are ready so much later.
    SlowStart(Span),
    /// Nothing reaches the pods: connections are not refused but time out.
    Unreachable,
    /// Prometheus gets no answer from the ingress controllers.
    ScrapeGap,
    /// Prometheus neither scrapes nor evaluates nor answers.
    PrometheusDown,
    /// So many times as many requests arrive.
    Burst(f64),
    /// The ingress controllers reload nginx.
    Reload,
    /// The ingress controllers' processes restart, and count from nothing.
    IngressRestart,
    /// Flagger does not run.
    FlaggerDown,
}

impl FaultKind {
    /// Its key in a scenario.
    pub const fn key(&self) -> &'static str {
        match self {
            FaultKind::Failures { .. } => "fail_rate",
            FaultKind::Latency(_) => "latency",
            FaultKind::Slowdown(_) => "slowdown",
            FaultKind::Leak(_) => "leak",
            FaultKind::PodKill(_) => "kill_pods",
            FaultKind::CrashLoop(_) => "crash_after",
            FaultKind::SlowStart(_) => "slow_start",
            FaultKind::Unreachable => "unreachable",
            FaultKind::ScrapeGap => "scrape_gap",
            FaultKind::PrometheusDown => "prometheus_down",
            FaultKind::Burst(_) => "burst",
            FaultKind::Reload => "reload",
            FaultKind::IngressRestart => "ingress_restart",
            FaultKind::FlaggerDown => "flagger_down",
        }
    }
}
