//! `[run] traffic_model = "aggregate"`: refused where requests could not be counted without being followed.

use std::collections::BTreeMap;

use super::{Reading, escaped};
use crate::diagnostic::Diagnostic;
use crate::scenario::model::{Arrivals, Distribution, Manifests, Prometheus, Traffic, Version};

/// Most requests that may have to wait for a slot, as a share.
const MAX_WAITING: f64 = 0.01;

/// Shortest limit that a request could meet, in nanoseconds: nginx' `proxy-read-timeout`.
const TIMEOUT_NS: f64 = 60e9;

/// What to do about any of it.
const CURE: &str = "set `run.traffic_model = \"requests\"`";

impl Reading<'_> {
    /// Whether counts can be drawn at once, or why not. `exports`: pods export metrics of their own.
    pub(super) fn can_be_aggregated(
        &self,
        traffic: &Traffic,
        versions: &BTreeMap<String, Version>,
        prometheus: &Prometheus,
        exports: bool,
        manifests: &Manifests,
    ) -> Result<(), Diagnostic> {
        let refuse = |pointer: &str, why: String, cure: String| {
            let message = format!("`run.traffic_model` cannot be \"aggregate\": {why}");
            Err(self.refuse(pointer, message).help(cure))
        };
        if traffic.arrivals != Arrivals::Poisson {
            return refuse(
                "/traffic/arrivals",
                "counts are independent only where users are (`traffic.arrivals`)".to_owned(),
                format!("{CURE}, or `traffic.arrivals = \"poisson\"`"),
            );
        }
        if exports || !prometheus.series.is_empty() {
            return refuse(
                "/run/traffic_model",
                "pods export metrics of their own, which are counted request by request (`versions.NAME.metrics`, \
                 `prometheus.series`, provider `gatewayapi:v1`)"
                    .to_owned(),
                CURE.to_owned(),
            );
        }
        let pods = smallest_pool(manifests);
        let peak = (traffic.rate.iter())
            .map(|point| point.per_second)
            .fold(0.0, f64::max);
        for (name, version) in versions {
            let at = |key: &str| format!("/versions/{}/{key}", escaped(name));
            let course = &version.course;
            for (key, given) in [
                ("boot", course.boot.is_some()),
                ("crash_after", course.crash_after.is_some()),
                ("shutdown", course.shutdown.is_some()),
            ] {
                if given {
                    return refuse(
                        &at(key),
                        format!(
                            "pods that end break requests off, which are tried again (`versions.{name}.{key}`)"
                        ),
                        format!("{CURE}, or take `{key}` out"),
                    );
                }
            }
            let times = [Some(&version.service_time), version.failure_time.as_ref()];
            let mut mean_ns: f64 = 0.0;
            for (key, time) in ["service_time", "failure_time"].iter().zip(times) {
                let Some(time) = time else { continue };
                if nearly_longest(time) > TIMEOUT_NS {
                    return refuse(
                        &at(key),
                        format!(
                            "some requests take longer than the ingress waits, a minute (`versions.{name}.{key}`)"
                        ),
                        format!("{CURE}, or shorten `{key}`"),
                    );
                }
                mean_ns = mean_ns.max(mean(time));
            }
            let busy = peak * mean_ns / 1e9 / pods;
            let waiting = erlang_c(version.concurrency, busy);
            if waiting > MAX_WAITING {
                return refuse(
                    "/traffic/rate",
                    format!(
                        "at {peak}/s {:.0} % of the requests would wait for one of the {} slots of {pods} pods of version \
                         `{name}`, and counts know no waiting (`traffic.rate`, `versions.{name}.concurrency`)",
                        100.0 * waiting,
                        version.concurrency
                    ),
                    format!(
                        "{CURE}; counts are right up to {:.0} % waiting",
                        100.0 * MAX_WAITING
                    ),
                );
            }
        }
        Ok(())
    }
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
