//! `[run] traffic_model = "aggregate"`: refused where requests could not be counted without being followed.

use std::collections::BTreeMap;

use super::{Reading, escaped};
use crate::diagnostic::Diagnostic;
use crate::scenario::model::{
    Action, Arrivals, Distribution, Fault, IngressController, LoadBalance, Manifests, NextUpstream,
    Prometheus, ScenarioEvent, Traffic, Version, WebhookScript,
};
use crate::scenario::units::shown;

/// Most requests that may have to wait for a slot, as a share.
const MAX_WAITING: f64 = 0.01;

/// What to do about any of it.
const CURE: &str = "set `run.traffic_model = \"requests\"`";

/// What decides whether counts can be drawn at once.
pub(super) struct Counted<'a> {
    pub(super) traffic: &'a Traffic,
    pub(super) ingress: &'a IngressController,
    pub(super) prometheus: &'a Prometheus,
    pub(super) versions: &'a BTreeMap<String, Version>,
    /// Whether pods export metrics of their own.
    pub(super) exports: bool,
    pub(super) manifests: &'a Manifests,
    pub(super) events: &'a [ScenarioEvent],
    pub(super) webhooks: &'a BTreeMap<String, WebhookScript>,
    pub(super) chaos: &'a [Fault],
}

impl Reading<'_> {
    /// Whether counts can be drawn at once, or why not.
    pub(super) fn can_be_aggregated(&self, counted: &Counted<'_>) -> Result<(), Diagnostic> {
        if counted.traffic.arrivals != Arrivals::Poisson {
            return Err(self.not_counted(
                "/traffic/arrivals",
                "counts are independent only where users are (`traffic.arrivals`)",
                &format!("{CURE}, or `traffic.arrivals = \"poisson\"`"),
            ));
        }
        if counted.exports || !counted.prometheus.series.is_empty() {
            return Err(self.not_counted(
                "/run/traffic_model",
                "pods export metrics of their own, which are counted request by request (`versions.NAME.metrics`, \
                 `prometheus.series`, provider `gatewayapi:v1`)",
                CURE,
            ));
        }
        if let Some((pointer, why, key)) = followed(counted) {
            return Err(self.not_counted(pointer, why, &format!("{CURE}, or take `{key}` out")));
        }
        if let Some(hook) = load_test(counted) {
            return Err(self.not_counted(
                "/run/traffic_model",
                &format!(
                    "the webhook `{hook}` starts a load test, whose workers wait for their answers (`spec.analysis.webhooks`)"
                ),
                &format!("{CURE}, or take the hook out"),
            ));
        }
        for (name, version) in counted.versions {
            self.version_is_countable(counted, name, version)?;
        }
        Ok(())
    }

    fn version_is_countable(
        &self,
        counted: &Counted<'_>,
        name: &str,
        version: &Version,
    ) -> Result<(), Diagnostic> {
        let at = |key: &str| format!("/versions/{}/{key}", escaped(name));
        if let Some((key, why)) = changes(version) {
            return Err(self.not_counted(
                &at(key),
                &format!("{why} (`versions.{name}.{key}`)"),
                &format!("{CURE}, or take `{key}` out"),
            ));
        }
        let read_timeout = counted.ingress.proxy.read_timeout;
        let timeout_ns = read_timeout.as_millis() as f64 * 1e6;
        let times = [Some(&version.service_time), version.failure_time.as_ref()];
        let mut mean_ns: f64 = 0.0;
        for (key, time) in ["service_time", "failure_time"].iter().zip(times) {
            let Some(time) = time else { continue };
            if nearly_longest(time) > timeout_ns {
                return Err(self.not_counted(
                    &at(key),
                    &format!(
                        "some requests take longer than the ingress waits, {} (`versions.{name}.{key}`, \
                         `ingress.read_timeout`)",
                        shown(read_timeout)
                    ),
                    &format!("{CURE}, or shorten `{key}`"),
                ));
            }
            mean_ns = mean_ns.max(mean(time));
        }
        let pods = smallest_pool(counted.manifests);
        let peak = (counted.traffic.rate.iter())
            .map(|point| point.per_second)
            .fold(0.0, f64::max);
        let waiting = erlang_c(version.concurrency, peak * mean_ns / 1e9 / pods);
        if waiting > MAX_WAITING {
            return Err(self.not_counted(
                "/traffic/rate",
                &format!(
                    "at {peak}/s {:.0} % of the requests would wait for one of the {} slots of {pods} pods of version \
                     `{name}`, and counts know no waiting (`traffic.rate`, `versions.{name}.concurrency`)",
                    100.0 * waiting,
                    version.concurrency
                ),
                &format!(
                    "{CURE}; counts are right up to {:.0} % waiting",
                    100.0 * MAX_WAITING
                ),
            ));
        }
        Ok(())
    }

    fn not_counted(&self, pointer: &str, why: &str, cure: &str) -> Diagnostic {
        let message = format!("`run.traffic_model` cannot be \"aggregate\": {why}");
        self.refuse(pointer, message).help(cure)
    }
}

/// The first setting that makes requests be followed one by one: where it is, why, and its key.
fn followed(counted: &Counted<'_>) -> Option<(&'static str, &'static str, &'static str)> {
    let (traffic, proxy) = (counted.traffic, &counted.ingress.proxy);
    let settings = [
        (
            traffic.timeout.is_some(),
            "/traffic/timeout",
            "users who go away are followed one by one (`traffic.timeout`)",
            "traffic.timeout",
        ),
        (
            traffic.clients.is_some(),
            "/traffic/clients",
            "users who wait for their answers are not independent (`traffic.clients`)",
            "traffic.clients",
        ),
        (
            !traffic.classes.is_empty(),
            "/traffic/classes",
            "counts know one kind of request (`traffic.classes`)",
            "traffic.classes",
        ),
        (
            proxy.controllers > 1,
            "/ingress/controllers",
            "counts know one controller (`ingress.controllers`)",
            "ingress.controllers",
        ),
        (
            proxy.load_balance != LoadBalance::RoundRobin,
            "/ingress/load_balance",
            "who gets a request hangs on how the pods are doing (`ingress.load_balance`)",
            "ingress.load_balance",
        ),
        (
            proxy.next_upstream.contains(&NextUpstream::Http500),
            "/ingress/next_upstream",
            "requests that fail are tried again (`ingress.next_upstream` with `http_500`)",
            "ingress.next_upstream",
        ),
        (
            !counted.chaos.is_empty(),
            "/chaos",
            "faults act on requests and pods one by one (`chaos`)",
            "chaos",
        ),
    ];
    let found = settings.into_iter().find(|(given, ..)| *given);
    found.map(|(_, pointer, why, key)| (pointer, why, key))
}

/// The first key of a version whose pods change or end during the run, and why that matters.
fn changes(version: &Version) -> Option<(&'static str, &'static str)> {
    const ENDS: &str = "pods that end break requests off, which are tried again";
    const AGES: &str = "counts know pods that stay as fast as they are";
    let (course, behaviour) = (&version.course, &version.behaviour);
    let grows = (course.memory.as_ref()).is_some_and(|memory| memory.leak_bytes_per_second > 0);
    [
        (course.boot.is_some(), "boot", ENDS),
        (course.crash_after.is_some(), "crash_after", ENDS),
        (course.shutdown.is_some(), "shutdown", ENDS),
        (grows, "memory_leak", ENDS),
        (behaviour.warm_up.is_some(), "warm_up", AGES),
        (behaviour.leak_ns_per_minute > 0, "leak_per_minute", AGES),
        (behaviour.cpu_throttling, "cpu_throttling", AGES),
    ]
    .into_iter()
    .find_map(|(given, key, why)| given.then_some((key, why)))
}

/// The first hook of the Canary, at the start or after an edit, that has the load tester run hey, unless it is scripted.
fn load_test<'a>(counted: &Counted<'a>) -> Option<&'a str> {
    let edited = counted
        .events
        .iter()
        .filter_map(|event| match &event.action {
            Action::Edit { spec, .. } => Some(&**spec),
            _ => None,
        });
    let specs = [&counted.manifests.canary.spec].into_iter().chain(edited);
    let mut hooks = specs
        .filter_map(|spec| spec.analysis.as_ref())
        .flat_map(|analysis| &analysis.webhooks)
        .filter(|hook| !counted.webhooks.contains_key(&hook.name));
    let runs_hey = |command: &String| {
        let program = command.split_whitespace().next();
        program.is_some_and(|program| program.rsplit('/').next() == Some("hey"))
    };
    let hook = hooks.find(|hook| {
        let command = hook.metadata.as_ref().and_then(|data| data.get("cmd"));
        command.is_some_and(runs_hey)
    });
    hook.map(|hook| hook.name.as_str())
}

/// Pods that may have to serve everybody: the fewest that the Deployment or its HPA asks for.
fn smallest_pool(manifests: &Manifests) -> f64 {
    let deployment = &manifests.deployment;
    let hpa = manifests
        .hpas
        .iter()
        .find(|hpa| hpa.spec.scale_target_ref.name == deployment.metadata.name);
    let pods = match hpa {
        Some(hpa) => hpa.spec.min_replicas.unwrap_or(1),
        None => deployment.spec.replicas.unwrap_or(1),
    };
    f64::from(pods.max(1))
}

/// A time that one request in a million exceeds, or nobody.
fn nearly_longest(time: &Distribution) -> f64 {
    match *time {
        Distribution::Constant { ns } => ns as f64,
        Distribution::Lognormal { median_ns, sigma } => median_ns as f64 * libm::exp(4.76 * sigma),
        Distribution::Exponential { mean_ns } => 13.8 * mean_ns as f64,
        Distribution::Uniform { max_ns, .. } => max_ns as f64,
        // A bound on the tail of sums of exponential times: beyond it lies less than e^-13.8.
        Distribution::Gamma { mean_ns, shape } => {
            mean_ns as f64 * (1.0 + (27.6 / shape).sqrt() + 13.8 / shape)
        }
        Distribution::Empirical { ref values_ns } => values_ns.last().copied().unwrap_or(0) as f64,
        Distribution::Mixture { ref parts } => (parts.iter())
            .map(|part| nearly_longest(&part.of))
            .fold(0.0, f64::max),
    }
}

fn mean(time: &Distribution) -> f64 {
    match *time {
        Distribution::Constant { ns } => ns as f64,
        Distribution::Lognormal { median_ns, sigma } => {
            median_ns as f64 * libm::exp(sigma * sigma / 2.0)
        }
        Distribution::Exponential { mean_ns } => mean_ns as f64,
        Distribution::Uniform { min_ns, max_ns } => (min_ns + max_ns) as f64 / 2.0,
        Distribution::Gamma { mean_ns, .. } => mean_ns as f64,
        Distribution::Empirical { ref values_ns } => {
            values_ns.iter().map(|&ns| ns as f64).sum::<f64>() / values_ns.len().max(1) as f64
        }
        Distribution::Mixture { ref parts } => {
            let weights: f64 = parts.iter().map(|part| part.weight).sum();
            let sum: f64 = (parts.iter().map(|part| part.weight * mean(&part.of))).sum();
            sum / weights
        }
    }
}

/// Probability that a request waits, with so many slots of which `busy` are in the mean (Erlang C, by Erlang B's recursion).
fn erlang_c(slots: u32, busy: f64) -> f64 {
    let c = f64::from(slots);
    if busy >= c {
        return 1.0;
    }
    let mut blocked = 1.0;
    for k in 1..=slots {
        blocked = busy * blocked / (f64::from(k) + busy * blocked);
    }
    blocked / (1.0 - busy / c * (1.0 - blocked))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_that_waits_is_erlangs() {
        // M/M/1 waits as often as the slot is busy; 8 slots, 70 % busy: 0.270603.
        for (slots, busy, expected) in [(1, 0.3, 0.3), (8, 5.6, 0.270_603), (2, 2.5, 1.0)] {
            let found = erlang_c(slots, busy);
            assert!((found - expected).abs() < 1e-5, "{slots} {busy}: {found}");
        }
    }
}
