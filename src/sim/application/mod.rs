//! What pods export of themselves: the requests they answered, and series that a scenario makes up.
//!
//! `counters` is on the request path, `targets` on Prometheus' side of it; `synthetic` gives made-up series their values.
//! A pod becomes a target when it first gets requests and stays one until its object is gone; a process that ends takes its
//! counters with it, and the next starts at zero. Names and labels are the scenario's (by default those of podinfo,
//! `pkg/api/metrics.go`), the labels of the target those of the job that finds it. Left out: scrapes of a pod before it
//! serves, the metrics `up` and `scrape_*`, and the process metrics every client library adds.

mod counters;
mod synthetic;
mod targets;

pub(crate) use counters::{AppCounters, PodCounters};
pub(super) use targets::Targets;
