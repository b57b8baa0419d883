//! The simulated world.

pub mod deployment;
pub mod hpa;
pub mod metrics_server;
mod names;
pub mod pods;
