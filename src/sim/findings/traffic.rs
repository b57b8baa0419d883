//! What the traffic makes of a query: dilution, and too few requests to tell.

use super::{Case, finding};
use crate::engine::Bound;
use crate::record::{Finding, QueryRecord};
use crate::scenario::Attribution;
use crate::sim::routing::Entry;
use crate::sim::truth::metric_window;
use crate::time::Timestamp;

/// The query mixes the primary's requests in: what it read against what the canary's users got.
pub(super) fn diluted(case: &Case<'_>) -> Option<Finding> {
    if case.scenario.ingress.attribution != Attribution::Shared {
        return None;
    }
    let readings: Vec<Reading> = case
        .queries()
        // Percent, that is; what a mixed p99 hides is another matter.
        .filter(|(_, query)| is_success_rate(query) && !asks_canary_alone(query))
        .filter_map(|(at, query)| Reading::of(at, query))
        .collect();
    let masked: Vec<&Reading> = readings
        .iter()
        .filter(|r| r.truth_fails() && r.masks())
        .collect();
    let first = masked.first()?;
    let passed: Vec<&&Reading> = masked.iter().filter(|r| r.passed).collect();
    let caught = masked.iter().find(|r| !r.passed);
    let verdict = match (passed.first(), caught) {
        (Some(missed), Some(caught)) => format!(
            "The bad release passed the check at {}, and was caught at {}, when it read {:.2}.",
            missed.at.clock(),
            caught.at.clock(),
            caught.value
        ),
        (Some(_), None) => "The bad release passed.".to_owned(),
        (None, Some(caught)) => format!(
            "It was caught at {}, by {:.2} points; other seeds read up to about 99.1 at the first check and let it pass until 1:30.",
            caught.at.clock(),
            caught.margin()
        ),
        (None, None) => String::new(),
    };
    finding(
        "diluted",
        format!(
            "NGINX counts primary and canary under one ingress label, and the window still holds the time before the canary: \
             at {} the query read {:.2} while the canary's users got {:.2}. {verdict} Ask for the canary's requests alone: add canary!=\"\" to the \
             query's selectors where the canary has an Ingress of its own (provider nginx).",
            first.at.clock(),
            first.value,
            first.truth,
        ),
    )
}

/// Failures that no rate shows, because a series begins with them.
pub(super) fn born_with_failures(case: &Case<'_>) -> Option<Finding> {
    let missed = case.queries().find_map(|(at, query)| {
        let reading = Reading::of(at, query).filter(|r| r.passed && r.truth_fails())?;
        let series = query.selectors.iter().flat_map(|selector| &selector.series);
        let failing = series.filter(|series| series.labels.contains("status=\"5"));
        let ends = failing
            .filter_map(|series| Some((series.samples.first()?.1, series.samples.last()?.1)));
        let unseen = ends.clone().map(|(first, _)| first).reduce(f64::max)?;
        let none_seen = ends.clone().all(|(first, last)| first == last);
        (is_success_rate(query) && asks_canary_alone(query) && none_seen)
            .then_some((reading, unseen))
    });
    let (reading, unseen) = missed?;
    finding(
        "born-with-failures",
        format!(
            "At {} the query read {:.2} while the canary's users got {:.2}: the series of that status began with {unseen} failures already \
             counted, and rate() knows only what a series gains after its first sample. A fault that goes on is seen one scrape later; \
             one that is over between two scrapes never. Scrape more often, or ask for counters that start at 0.",
            reading.at.clock(),
            reading.value,
            reading.truth,
        ),
    )
}

/// One failing request is more than the bound allows.
pub(super) fn too_few_requests(case: &Case<'_>) -> Option<Finding> {
    // Where nothing is counted at all, traffic is not what is missing.
    if case.entry != Entry::Recorded || !case.scenario.prometheus.service_monitor {
        return None;
    }
    let (at, query) = case
        .queries()
        .find(|(_, query)| !query.passed && is_success_rate(query))?;
    let Some(Bound::Min(bound)) = query.bound.or(bound_of(case, query)) else {
        return None;
    };
    let (written, window) = metric_window(&query.text)?;
    let counted = case.requests_in(query.evaluated_at - window, query.evaluated_at);
    if counted.requests == 0 && !case.record.load_tests.is_empty() {
        // All that was counted is a load test's.
        return None;
    }
    let canary_only =
        case.scenario.ingress.attribution == Attribution::Canary || asks_canary_alone(query);
    let requests = if canary_only {
        counted.canary
    } else {
        counted.requests
    };
    let needed = 100.0 / (100.0 - bound);
    if bound >= 100.0 || requests as f64 >= needed {
        return None;
    }
    let whose = if canary_only {
        "the canary got"
    } else {
        "the ingress got"
    };
    let one = if requests == 0 {
        "there was nothing to measure".to_owned()
    } else {
        format!(
            "a single failed one already reads {:.2}",
            100.0 * (1.0 - 1.0 / requests as f64)
        )
    };
    finding(
        "too-few-requests",
        format!(
            "Too little traffic for this bound: in the window [{written}] of the check at {} {whose} {requests} requests, and {one}, \
             below {bound}. A success rate of {bound} % can only be told from {} requests on. Lengthen the window, raise the first step, \
             send test traffic from a pre-rollout webhook, or lower the bound.",
            at.clock(),
            libm::ceil(needed),
        ),
    )
}

/// A check whose truth is known.
struct Reading {
    at: Timestamp,
    value: f64,
    truth: f64,
    bound: Bound,
    passed: bool,
}

impl Reading {
    fn of(at: Timestamp, query: &QueryRecord) -> Option<Reading> {
        let value = query.value.filter(|value| value.is_finite())?;
        Some(Reading {
            at,
            value,
            truth: query.truth?,
            bound: query.bound?,
            passed: query.passed,
        })
    }

    fn truth_fails(&self) -> bool {
        match self.bound {
            Bound::Min(min) => self.truth < min,
            Bound::Max(max) => self.truth > max,
        }
    }

    /// The truth is another, by more than chance makes it.
    fn masks(&self) -> bool {
        let apart = (self.value - self.truth).abs();
        apart > 5.0 || (self.passed && apart > 2.0)
    }

    fn margin(&self) -> f64 {
        match self.bound {
            Bound::Min(bound) | Bound::Max(bound) => (bound - self.value).abs(),
        }
    }
}

/// The query keeps the primary's requests out by itself.
fn asks_canary_alone(query: &QueryRecord) -> bool {
    query.text.contains("canary!=")
}

fn is_success_rate(query: &QueryRecord) -> bool {
    query.text.contains("status") && query.text.contains("_requests")
}

/// The bound that the Canary gives a metric, for a check that had no value to hold against it.
fn bound_of(case: &Case<'_>, query: &QueryRecord) -> Option<Bound> {
    let metrics = case
        .scenario
        .manifests
        .canary
        .spec
        .analysis
        .iter()
        .flat_map(|analysis| &analysis.metrics);
    let metric = metrics
        .into_iter()
        .find(|metric| metric.name == query.metric)?;
    metric.threshold_range?.min.map(Bound::Min)
}
