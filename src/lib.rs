//! rollcast forecasts canary rollouts.
//!
//! It simulates a Kubernetes cluster (pods, Deployments, HPA, NGINX ingress, Prometheus) around the decision logic of
//! Flagger v1.44 and says when a release would be promoted or rolled back, why, and what users would have met meanwhile.
//! No cluster is needed, and the manifests are the user's own.
//!
//! ```text
//!  scenario.toml + manifests
//!        │ scenario::load
//!        ▼
//!    Scenario ───────► sim::World ◄──────► engine::tick ───────► Record ───────► report
//!                      pods, ingress,       Flagger's decisions   ticks, events,   text, csv, json, svg
//!                      requests, scrapes,   over one small trait  traffic, truth
//!                      promql over tsdb
//! ```
//!
//! ```no_run
#![doc = include_str!("../examples/one_run.rs")]
//! ```
//!
//! # A map of the code
//!
//! From what is read to what is written:
//!
//! - [`scenario`]: the scenario file, its defaults, its errors; joined with the manifests.
//! - [`canary`], [`k8s`]: Flagger's and Kubernetes' vocabulary, as data.
//! - [`engine`]: one tick of Flagger as a plain function over [`engine::World`]. It has no clock, no IO and no memory.
//! - [`gotemplate`]: the part of Go's text/template that metric templates use.
//! - [`sim`]: the simulated world, and the loop that serves its requests.
//! - [`tsdb`], [`promql`]: what Prometheus stores, and how it answers.
//! - [`record`]: what one run leaves behind.
//! - [`replay`]: the engine over series that a real Prometheus recorded.
//! - [`lint`]: what is wrong with a Canary before a rollout meets it, one rule a file.
//! - [`study`]: what many runs, or expectations held against one, come to; which settings would do better, and which
//!   failures an analysis sees.
//! - [`report`]: a record as text, tables, JSON and pictures.
//! - [`verify`]: recorded truth (Flagger's, Kubernetes', Prometheus') held against ours.
//! - [`cli`]: one file a subcommand; [`diagnostic`]: messages that point into what the user wrote.
//! - [`time`], [`seed`]: whole milliseconds, and named random streams.

pub mod canary;
pub mod cli;
pub mod diagnostic;
pub mod engine;
mod evaluator;
pub mod gotemplate;
pub mod k8s;
pub mod lint;
pub mod openmetrics;
pub mod promql;
pub mod record;
pub mod replay;
pub mod report;
pub mod scenario;
pub mod seed;
pub mod sim;
pub mod study;
pub mod time;
pub mod tsdb;
pub mod verify;
