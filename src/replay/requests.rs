//! How many requests the ingress counted, as far as the recording has its counters.

use crate::canary::Canary;
use crate::record::RequestTotals;
use crate::time::Timestamp;
use crate::tsdb::{Matcher, Queryable, Storage};

use super::REQUESTS;

/// The counters of the Canary's Ingress.
pub(super) struct Requests {
    series: Vec<Counter>,
}

struct Counter {
    canary: bool,
    failed: bool,
    samples: Vec<(Timestamp, f64)>,
}

impl Requests {
    pub(super) fn new(storage: &Storage, canary: &Canary) -> Self {
        let spec = &canary.spec;
        let ingress = spec
            .ingress_ref
            .as_ref()
            .map_or(&spec.target_ref.name, |r| &r.name);
        let matchers = [
            Matcher::equal("__name__", REQUESTS),
            Matcher::equal("ingress", ingress.as_str()),
        ];
        let counter = |series| {
            let labels = storage.labels(series);
            Counter {
                canary: !labels.get("canary").is_empty(),
                failed: labels.get("status").starts_with('5'),
                samples: storage.samples(series).collect(),
            }
        };
        Requests {
            series: storage.select(&matchers).into_iter().map(counter).collect(),
        }
    }

    /// What was counted from `start` to `at`: as far as scrapes show it, so up to a scrape interval less than there was.
    pub(super) fn until(&self, at: Timestamp, start: Timestamp) -> RequestTotals {
        let mut totals = RequestTotals::default();
        for counter in &self.series {
            let counted = counter.increase(start, at);
            totals.total += counted;
            totals.failed += if counter.failed { counted } else { 0 };
            totals.canary += if counter.canary { counted } else { 0 };
            totals.canary_failed += if counter.failed && counter.canary {
                counted
            } else {
                0
            };
        }
        totals
    }
}

impl Counter {
    /// A counter that was not there at the start began at 0; one that fell began anew.
    fn increase(&self, start: Timestamp, at: Timestamp) -> u64 {
        let mut before = 0.0;
        let mut counted = 0.0;
        for (time, value) in &self.samples {
            if *time > at || value.is_nan() {
                continue;
            }
            if *time > start {
                counted += if *value < before {
                    *value
                } else {
                    value - before
                };
            }
            before = *value;
        }
        counted.round() as u64
    }
}
