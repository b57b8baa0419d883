//! Recorded truth held against ours: Flagger's controller, Kubernetes' controllers, Prometheus' own test scripts.

pub mod deployments;
pub mod hpa;
pub mod promql;
pub mod recording;
pub mod traces;
