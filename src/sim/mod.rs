//! The simulated world: a Kubernetes cluster, its ingress controller, its Prometheus and its users, around the engine.
//!
//! [`World`] owns the parts and moves time; [`simulate`] runs one from its warm-up to its horizon and gives the [`Record`].
//! Control-plane events (ticks, scrapes, HPA syncs, pods' transitions) leave one queue in (time, sequence) order; requests
//! never see a queue ([`requests`]). Nothing here reads a clock, a file or the environment.
//!
//! What is a model and not a reproduction, such as service times and start-up times, is a named distribution of the scenario.

#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

mod aggregate;
mod application;
mod autoscaling;
pub mod clock;
mod compiled;
mod deletion;
pub mod deployment;
mod driver;
mod event;
mod exporter;
mod faults;
mod findings;
mod finish;
mod fork;
mod gateway;
mod given;
pub mod hpa;
pub mod ingress;
mod kubelets;
mod label_sets;
mod load_tests;
pub mod metrics_server;
mod names;
mod path_plan;
mod pipeline;
mod pod_course;
pub mod pods;
mod queue;
pub mod requests;
mod revisions;
mod routing;
mod rules;
pub mod sampling;
mod scripted;
pub mod service;
mod ticker;
pub mod traffic;
mod truth;
mod webhooks;
mod workloads;
mod world;

use std::sync::Arc;

use crate::record::{Record, recorder};
use crate::scenario::Scenario;
use crate::tsdb::Storage;

pub use compiled::{Compiled, Runner};
pub use fork::{Brief, briefs};
pub use given::{other_objects, query_texts, settings};
pub use world::{World, interval};

/// Runs a scenario with its own seed, from its warm-up to its horizon.
pub fn simulate(scenario: &Scenario) -> Record {
    let mut world = World::new(Arc::new(scenario.clone()), scenario.run.seed);
    while world.step() {}
    world.finish()
}

/// As [`simulate`], with every series that the run's Prometheus scraped; the record is the same.
pub fn simulate_with_series(scenario: &Scenario) -> (Record, Storage) {
    let mut world = World::keeping_series(Arc::new(scenario.clone()), scenario.run.seed);
    while world.step() {}
    let series = world.series().clone();
    (world.finish(), series)
}
