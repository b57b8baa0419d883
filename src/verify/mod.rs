//! Recorded truth held against ours.

pub mod traces;
pub mod deployments;
pub mod hpa;
pub mod recording;
//! To come.

pub mod promql;
