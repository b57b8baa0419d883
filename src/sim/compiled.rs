//! A scenario compiled once, for many runs: what does not depend on the seed is shared by all worlds.

use std::sync::Arc;

use super::kubelets::Kubelets;
use super::path_plan::path_plan;
use super::requests::PathPlan;
use super::routing::entry;
use super::world::World;
use crate::record::Record;
use crate::scenario::Scenario;
use crate::seed::RunSeed;

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
        Compiled {
            kubelets: Kubelets::new(&scenario, RunSeed(0)),
            plan: path_plan(&scenario, entry(&scenario)),
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
