//! A scenario compiled once, for many runs: what does not depend on the seed is shared by all worlds.

use std::sync::Arc;

use super::ingress::IngressPlan;
use super::kubelets::{Kubelets, containers_end};
use super::requests::PathPlan;
use super::routing::{Entry, entry};
use super::world::World;
use crate::record::Record;
use crate::scenario::{RatePoint, Scenario, TrafficModel};
use crate::seed::RunSeed;
use crate::time::Span;

/// A scenario, and the tables made of its distributions.
#[derive(Clone, Debug)]
pub struct Compiled {
    pub(super) scenario: Arc<Scenario>,
    /// Without the grid of scrapes, which has a phase of the run's.
    pub(super) plan: PathPlan,
    kubelets: Kubelets,
}

impl Compiled {
    /// Compiles a scenario.
    pub fn new(scenario: Arc<Scenario>) -> Self {
        let entry = entry(&scenario);
        let mut traffic = scenario.traffic.clone();
        if entry == Entry::NoRule {
            traffic.rate = vec![RatePoint {
                at: Span::ZERO,
                per_second: 0.0,
            }];
        }
        let mut plan = PathPlan::new(
            &traffic,
            scenario.versions.values(),
            &scenario.ingress,
            entry == Entry::Recorded,
        );
        if scenario.gateway.is_some() {
            plan.ingress = IngressPlan::gateway(traffic.via);
        }
        plan.kills = containers_end(&scenario);
        if scenario.run.traffic_model == TrafficModel::Aggregate {
            plan = plan.aggregated();
        }
        Compiled {
            kubelets: Kubelets::new(&scenario, RunSeed(0)),
            plan,
            scenario,
        }
    }

    /// The scenario's world under a seed, at the start of its warm-up.
    pub fn world(&self, seed: u64) -> World {
        World::of(self, seed, false)
    }

    /// One run, as [`simulate`](super::simulate) of the scenario with this seed.
    pub fn simulate(&self, seed: u64) -> Record {
        let mut world = self.world(seed);
        while world.step() {}
        world.finish()
    }

    pub(super) fn kubelets(&self, seed: RunSeed) -> Kubelets {
        self.kubelets.clone().seeded(seed)
    }
}
