//! rollcast forecasts canary rollouts.

pub mod canary;
pub mod cli;
pub mod diagnostic;
pub mod engine;
pub mod gotemplate;
pub mod k8s;
pub mod openmetrics;
pub mod promql;
pub mod record;
pub mod report;
pub mod scenario;
pub mod seed;
pub mod sim;
pub mod time;
pub mod tsdb;
pub mod verify;
