//! A scenario compiled once, for many runs: what does not depend on the seed is shared by all worlds.

use std::sync::Arc;

use super::application::Targets;
use super::exporter::IngressExporter;
use super::given;
use super::kubelets::Kubelets;
use super::path_plan::path_plan;
use super::requests::PathPlan;
use super::revisions::Revisions;
use super::routing::entry;
use super::world::{Detail, World};
use crate::canary::CanaryStatus;
use crate::engine::cluster::Cluster;
use crate::evaluator::QueryCache;
use crate::record::Record;
use crate::scenario::Scenario;
use crate::seed::RunSeed;
use crate::time::Timestamp;
use crate::tsdb::Storage;

/// A scenario, and what its worlds start from.
#[derive(Clone, Debug)]
pub struct Compiled {
    pub(super) scenario: Arc<Scenario>,
    /// Without the grid of scrapes, which has a phase of the run's.
    pub(super) plan: PathPlan,
    kubelets: Kubelets,
    pub(super) revisions: Revisions,
    /// The user's objects.
    pub(super) cluster: Cluster,
    /// Whether Prometheus keeps every series it scrapes.
    pub(super) keep_series: bool,
    /// With a target for each ingress controller.
    pub(super) storage: Storage,
    pub(super) exporters: Vec<IngressExporter>,
    targets: Targets,
}

impl Compiled {
    /// Compiles a scenario.
    pub fn new(scenario: Arc<Scenario>) -> Self {
        Compiled::of(scenario, false)
    }

    /// Compiles a scenario; Prometheus keeps every series it scrapes, if that is wanted, else what queries can select.
    pub(super) fn of(scenario: Arc<Scenario>, keep_series: bool) -> Self {
        let plan = path_plan(&scenario, entry(&scenario));
        let revisions = Revisions::new(&scenario);
        let texts: Vec<&str> = given::query_texts(&scenario).collect();
        let mut storage = Storage::new();
        let exporters = (0..plan.ingress.controllers)
            .map(|n| IngressExporter::new(&scenario, &texts, keep_series, n, &mut storage))
            .collect();
        Compiled {
            kubelets: Kubelets::new(&scenario, RunSeed(0)),
            cluster: first_objects(&scenario, &revisions),
            targets: Targets::new(&scenario, &texts, keep_series, RunSeed(0)),
            plan,
            revisions,
            keep_series,
            storage,
            exporters,
            scenario,
        }
    }

    /// The scenario's world under a seed, at the start of its warm-up.
    pub fn world(&self, seed: u64) -> World {
        World::of(self, seed, Detail::Story)
    }

    /// One run, as [`simulate`](super::simulate) of the scenario with this seed.
    pub fn simulate(&self, seed: u64) -> Record {
        let mut world = self.world(seed);
        while world.step() {}
        world.finish()
    }

    /// Whoever runs it under many seeds asks this.
    pub fn runner(&self) -> Runner<'_> {
        Runner {
            compiled: self,
            queries: None,
        }
    }

    pub(super) fn kubelets(&self, seed: RunSeed) -> Kubelets {
        self.kubelets.clone().seeded(seed)
    }

    pub(super) fn targets(&self, seed: RunSeed) -> Targets {
        self.targets.clone().seeded(seed)
    }
}

/// The objects that the user has made, and the Canary as Flagger has just accepted it.
fn first_objects(scenario: &Scenario, revisions: &Revisions) -> Cluster {
    let manifests = &scenario.manifests;
    let mut deployment = manifests.deployment.clone();
    if let Some(template) = revisions.template(&scenario.initial_version) {
        deployment.spec.template = template.clone();
    }
    // An HPA has long since had its way.
    let smallest = manifests
        .hpas
        .iter()
        .find(|hpa| hpa.spec.scale_target_ref.name == deployment.metadata.name);
    if let Some(smallest) = smallest.and_then(|hpa| hpa.spec.min_replicas) {
        let replicas = deployment.spec.replicas.unwrap_or(1);
        deployment.spec.replicas = Some(replicas.max(smallest));
    }
    let mut canary = manifests.canary.clone();
    let accepted = Timestamp::ZERO - scenario.run.warm_up;
    canary.status = CanaryStatus::accepted(accepted, &canary.spec.target_ref.kind);

    let mut cluster = Cluster::default();
    cluster.apply(canary.into());
    cluster.apply(deployment.into());
    given::other_objects(manifests).for_each(|object| cluster.apply(object));
    cluster
}

/// Runs a compiled scenario under one seed after the other, and keeps from run to run what takes time to make and changes no
/// answer: the queries, and what they know of the series they select.
#[derive(Debug)]
pub struct Runner<'a> {
    compiled: &'a Compiled,
    queries: Option<QueryCache>,
}

impl Runner<'_> {
    /// The outline of one run: a record without the scenario, the samples that queries saw and the truth behind them,
    /// findings and the commit's way. All else is as [`Compiled::simulate`] has it.
    pub fn outline(&mut self, seed: u64) -> Record {
        let mut world = World::of(self.compiled, seed, Detail::Outline);
        if let Some(queries) = self.queries.take() {
            world.queries = queries;
        }
        while world.step() {}
        self.queries = Some(std::mem::take(&mut world.queries));
        world.finish()
    }
}
