//! The simulated cluster: owns the parts, moves time, hands each event to whom it concerns.
//!
//! Control-plane events leave one queue in (time, sequence) order; between two of them the world is constant to requests,
//! and the request path runs them all in one go. A world can be stepped, paused, and copied (after its warm-up, say):
//! it is plain data.
//!
//! What happens at the start: the target's pods run and are ready, the user's objects exist, Flagger has just accepted the
//! Canary. The warm-up then lets Flagger initialise, so that the first push meets what a cluster would.

use std::collections::BTreeMap;
use std::sync::Arc;

use rand::RngExt;

use super::application::Targets;
use super::autoscaling::Autoscaling;
use super::clock::nanos;
use super::compiled::Compiled;
use super::driver::Desk;
use super::event::Event;
use super::exporter::IngressExporter;
use super::faults::Faults;
use super::gateway;
use super::given;
use super::ingress::{Backend, Group, ScrapeGrid};
use super::kubelets::Kubelets;
use super::load_tests::LoadTester;
use super::pipeline::Pipeline;
use super::pods::{Pod, PodId};
use super::queue::Queue;
use super::recorder::{AfterTick, Recorder, State};
use super::requests::RequestPath;
use super::revisions::Revisions;
use super::routing::{Endpoints, Routing, label_group, next_on_grid};
use super::rules::Rules;
use super::service::{PodIx, ServicePlan};
use super::ticker::Ticker;
use super::truth::truth;
use super::workloads::Workloads;
use crate::canary::{Canary, CanaryStatus, Phase, Provider};
use crate::engine::cluster::Cluster;
use crate::engine::{Decision, Kind, Object, ObjectRef, Settings};
use crate::evaluator::QueryCache;
use crate::scenario::Scenario;
use crate::seed::{Purpose, RunSeed, Stream};
use crate::time::{Span, Timestamp};
use crate::tsdb::Storage;

/// From a write to the reaction of the controller that watches the object.
pub(super) const WATCH_DELAY: Span = Span::from_millis(20);

/// How far back samples are kept: the metric windows of canary queries are a few minutes.
const RETENTION: Span = Span::from_secs(3600);

/// How much of a run is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Detail {
    /// Everything that a record has room for.
    Story,
    /// Outcome, checks and requests, for one run of many.
    Outline,
}

/// The simulated cluster and everything around it.
#[derive(Clone, Debug)]
pub struct World {
    pub(super) detail: Detail,
    pub(super) scenario: Arc<Scenario>,
    pub(super) seed: u64,
    pub(super) settings: Arc<Settings>,
    pub(super) provider: Provider,
    pub(super) canary: ObjectRef,
    pub(super) now: Timestamp,
    end: Timestamp,
    pub(super) queue: Queue<Event>,
    pub(super) cluster: Cluster,
    pub(super) workloads: Workloads,
    pub(super) kubelets: Kubelets,
    pub(super) revisions: Revisions,
    pub(super) routing: Routing,
    autoscaling: Autoscaling,
    pub(super) pipeline: Option<Pipeline>,
    pub(super) load_tester: LoadTester,
    pub(super) path: RequestPath,
    /// Pods as the request path knows them.
    pub(super) on_path: BTreeMap<PodId, PodIx>,
    pub(super) endpoints: Endpoints,
    pub(super) storage: Storage,
    /// One for each ingress controller.
    pub(super) exporters: Vec<IngressExporter>,
    pub(super) targets: Targets,
    /// Versions whose requests the process beside the cluster counts, by their numbers.
    pub(super) counted_beside: Vec<bool>,
    pub(super) faults: Faults,
    /// Knows the times to fail that faults bring.
    pub(super) fault_times: ServicePlan,
    pub(super) rules: Rules,
    pub(super) queries: QueryCache,
    pub(super) query_latency: Stream,
    /// Percent for primary and canary, as Flagger last reported them.
    weights: (i64, i64),
    /// When Flagger became Initialized.
    initialized_at: Option<Timestamp>,
    pub(super) ticker: Ticker,
    pub(super) recorder: Recorder,
}

impl World {
    /// The world of a scenario at the start of its warm-up. Its Prometheus keeps what queries need.
    pub fn new(scenario: Arc<Scenario>, seed: u64) -> World {
        Compiled::new(scenario).world(seed)
    }

    /// The same world, whose Prometheus keeps every series it scrapes, from the first sample on: memory grows with the
    /// length of the run.
    pub fn keeping_series(scenario: Arc<Scenario>, seed: u64) -> World {
        Compiled::of(scenario, true).world(seed)
    }

    pub(super) fn of(compiled: &Compiled, seed: u64, detail: Detail) -> World {
        let scenario = Arc::clone(&compiled.scenario);
        let run_seed = RunSeed(seed);
        let now = Timestamp::ZERO - scenario.run.warm_up;
        let settings = Arc::new(given::settings(&scenario));
        let provider = scenario.provider_in_force();
        let canary = &scenario.manifests.canary;

        let mut phases = run_seed.stream(Purpose::Phases, 0);
        let scrape_interval = scenario.prometheus.scrape_interval;
        let controllers = compiled.plan.ingress.controllers;
        let first_scrapes: Vec<Timestamp> = (0..controllers)
            .map(|_| {
                let phase = phases.random_range(0..scrape_interval.as_millis());
                let phase = Span::from_millis(phase);
                next_on_grid(now + Span::from_millis(1), scrape_interval, phase)
            })
            .collect();

        let mut storage = compiled.storage.clone();
        let targets = compiled.targets(run_seed);
        let beside = targets.own_versions();
        let counted_beside = (scenario.versions.keys())
            .map(|version| beside.contains(version))
            .collect();
        let options = given::promql_options(&scenario);
        let groups = &scenario.prometheus.rule_groups;
        let rules = Rules::new(groups, &options, run_seed, &mut storage);
        let retention = RETENTION.max(rules.reach() + scrape_interval);
        storage.set_retention((!compiled.keep_series).then_some(retention));

        let mut plan = compiled.plan.clone();
        if detail == Detail::Outline {
            plan.truth_seconds = 0;
        }
        if scenario.prometheus.service_monitor {
            let interval = nanos(Timestamp::ZERO + scrape_interval);
            let grid = |first: &Timestamp| ScrapeGrid {
                first: nanos(*first),
                interval,
            };
            plan.scrapes = first_scrapes.iter().map(grid).collect();
        }
        let fault_times = plan.service.clone();

        let mut world = World {
            detail,
            seed,
            settings,
            provider,
            canary: ObjectRef::new(
                Kind::Canary,
                &canary.metadata.namespace,
                &canary.metadata.name,
            ),
            now,
            end: Timestamp::ZERO + scenario.run.horizon,
            queue: Queue::new(),
            cluster: compiled.cluster.clone(),
            workloads: Workloads::default(),
            kubelets: compiled.kubelets(run_seed),
            revisions: compiled.revisions.clone(),
            routing: Routing::new(
                canary,
                provider,
                &Settings::default().ingress_annotations_prefix,
                &scenario,
                run_seed,
            ),
            autoscaling: Autoscaling::new(&scenario, provider, run_seed),
            pipeline: Pipeline::new(&scenario, run_seed),
            load_tester: LoadTester::new(run_seed),
            path: RequestPath::new(plan, run_seed, nanos(now)),
            on_path: BTreeMap::new(),
            endpoints: Endpoints::default(),
            storage,
            exporters: compiled.exporters.clone(),
            targets,
            counted_beside,
            faults: Faults::new(run_seed),
            fault_times,
            rules,
            queries: QueryCache::new(options),
            query_latency: run_seed.stream(Purpose::ControlPlane, 0),
            weights: (100, 0),
            initialized_at: None,
            ticker: Ticker::new(now, interval(canary)),
            recorder: Recorder::default(),
            scenario: Arc::clone(&scenario),
        };
        world.set_up(&first_scrapes);
        world
    }

    /// The present moment on the scenario's clock.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// What the world's Prometheus holds.
    pub fn series(&self) -> &Storage {
        &self.storage
    }

    /// Runs everything up to and including the next control-plane event; `false` once the horizon is reached.
    pub fn step(&mut self) -> bool {
        match self.queue.next_at() {
            Some(at) if at < self.end => {
                let (at, event) = self.queue.pop().expect("an event is due");
                self.advance_to(at);
                // These change neither weights nor wanted replicas nor which pods are ready.
                let visible = !matches!(
                    event,
                    Event::Scrape(_)
                        | Event::PodScrape(_)
                        | Event::OwnScrape
                        | Event::Rules(_)
                        | Event::MetricsServer
                        | Event::WorkerPoll { .. }
                        | Event::WorkerConditions { .. }
                        | Event::Pace
                        | Event::PodScheduled(_)
                        | Event::PodPulls(_)
                        | Event::PodServes(_)
                        | Event::PodDropped(_)
                );
                self.handle(event);
                if visible {
                    self.note_state();
                }
                true
            }
            _ => {
                self.advance_to(self.end);
                false
            }
        }
    }

    /// Runs everything before `until`, or to the horizon if that comes first; `false` once the horizon is reached.
    pub fn run_until(&mut self, until: Timestamp) -> bool {
        while self.queue.next_at().is_some_and(|at| at < until) {
            if !self.step() {
                return false;
            }
        }
        self.advance_to(until.min(self.end));
        self.now < self.end
    }

    fn advance_to(&mut self, at: Timestamp) {
        debug_assert_eq!(
            self.workloads.stray(),
            None,
            "a pod gets requests that is gone, or not ready and not about to be dropped"
        );
        if at > self.now {
            self.path.advance(nanos(at));
            self.now = at;
        }
    }

    /// Starts the target's pods as if they had long been running, and puts the first events in.
    fn set_up(&mut self, first_scrapes: &[Timestamp]) {
        let scenario = Arc::clone(&self.scenario);
        if let Some(first) = self.targets.start_own(&mut self.storage, self.now) {
            let interval = Timestamp::ZERO + scenario.prometheus.scrape_interval;
            self.path
                .applications
                .watch_own(nanos(first), nanos(interval));
            self.queue.push(first, Event::OwnScrape);
        }
        self.find_running_pods();

        self.queue.push(Timestamp::ZERO, Event::Zero);
        self.start_faults();
        for (index, event) in scenario.events.iter().enumerate() {
            self.queue
                .push(Timestamp::ZERO + event.at, Event::Scenario(index));
        }
        self.queue.push(self.now, Event::Tick);
        if scenario.prometheus.service_monitor {
            for (controller, at) in first_scrapes.iter().enumerate() {
                self.queue.push(*at, Event::Scrape(controller));
            }
        }
        self.rules.start(self.now, &mut self.queue);
        let reapply = self.pipeline.as_mut().map(|p| p.first_reapply(self.now));
        if let Some(at) = reapply.flatten() {
            self.queue.push(at, Event::Reapply);
        }
        self.autoscaling.start(self.now, &mut self.queue);
        self.autoscaling
            .discover(&self.cluster, false, self.now, &mut self.queue);
    }

    fn handle(&mut self, event: Event) {
        let now = self.now;
        match event {
            Event::Zero => self.path.start_totals(nanos(now)),
            Event::Scenario(index) => self.scenario_event(index),
            Event::Tick => self.tick(),
            Event::ControlLoop => self.start_job(),
            Event::Scrape(controller) => self.scrape(controller),
            Event::PodScrape(pod) => self.scrape_pod(pod),
            Event::OwnScrape => self.scrape_own(),
            Event::Rules(index) if self.prometheus_is_down() => {
                self.rules.skip(index, now, &mut self.queue);
            }
            Event::Rules(index) => {
                self.rules
                    .evaluate(index, &mut self.storage, now, &mut self.queue);
            }
            Event::Deployments => self.look_at_deployments(),
            Event::PodScheduled(pod) => self.pod_scheduled(pod),
            Event::PodPulls(pod) => self.pod_pulls(pod),
            Event::ContainerStarts(pod) => self.container_starts(pod),
            Event::PodReady(container) => self.pod_ready(container),
            Event::ContainerExits(container) => self.container_exits(container),
            Event::PodServes(pod) => self.pod_serves(pod),
            Event::PodDropped(pod) => self.pod_dropped(pod),
            Event::PodGone(pod) => self.pod_gone(pod),
            Event::CommitApplied(index) => self.commit_applied(index),
            Event::Reapply => self.reapply(),
            Event::Terminate(tries) => self.terminate(tries),
            Event::WorkerPoll { worker, weight } => self.path.set_weight(worker, weight),
            Event::RouteProgrammed { generation, share } => {
                self.route_programmed(generation, share)
            }
            Event::WorkerConditions { worker, conditions } => {
                self.path.set_conditions(worker, (*conditions).clone());
            }
            Event::Fault(index) => self.fault_turns(index),
            Event::Pace => self.pace(),
            Event::MetricsServer => {
                let (path, on_path) = (&self.path, &self.on_path);
                let cpu = |pod: PodId| on_path.get(&pod).map(|index| path.cpu_ns(*index));
                let memory = |pod: &Pod| self.kubelets.working_set(pod, now);
                let pods = &self.workloads.pods;
                self.autoscaling
                    .sample(pods, cpu, memory, now, &mut self.queue);
            }
            Event::Hpa(index) => {
                let written = self.autoscaling.reconcile(
                    index,
                    &mut self.cluster,
                    &self.workloads.pods,
                    now,
                    &mut self.queue,
                );
                if written {
                    self.workloads.look(now + WATCH_DELAY, &mut self.queue);
                }
            }
        }
    }

    /// Prometheus scrapes a controller, unless one of them is down. The request path's grid goes on all the same.
    fn scrape(&mut self, controller: usize) {
        let now = self.now;
        let (down, fails) = (self.prometheus_is_down(), self.scrapes_fail());
        let counters = self.path.scrape_controller(controller, nanos(now));
        let exporter = &mut self.exporters[controller];
        if fails && !down {
            exporter.fail(&mut self.storage, now);
        } else if !down {
            exporter.scrape(counters, &mut self.storage, now);
        }
        let next = now + self.scenario.prometheus.scrape_interval;
        self.queue.push(next, Event::Scrape(controller));
    }

    /// The Gateway goes by the HTTPRoute, and says so in its status.
    fn route_programmed(&mut self, generation: i64, share: u32) {
        self.path
            .set_share((u64::from(share) << 32).div_ceil(u64::from(gateway::ALL)));
        if let Some(Object::HttpRoute(route)) = self.cluster.get_mut(&self.routing.route()) {
            route.status = gateway::accepted(&route.spec, generation);
        }
    }

    /// Prometheus scrapes a pod, if it is still there, unless Prometheus is down. The pod's grid goes on all the same.
    fn scrape_pod(&mut self, pod: PodId) {
        let now = self.now;
        let Some(process) = self.targets.process(pod) else {
            return;
        };
        let counters = process.and_then(|process| {
            let counters = self.path.applications.scrape(process, nanos(now));
            counters.copied()
        });
        if !self.prometheus_is_down() {
            self.targets
                .scrape(pod, counters.as_ref(), &mut self.storage, now);
        }
        let next = self.targets.next_scrape(pod, now);
        self.queue.push(next, Event::PodScrape(pod));
    }

    /// Prometheus scrapes the process beside the cluster, unless Prometheus is down.
    fn scrape_own(&mut self) {
        let now = self.now;
        let counters = self.path.applications.scrape_own(nanos(now));
        let counters = counters.copied().unwrap_or_default();
        if !self.prometheus_is_down() {
            self.targets.scrape_own(&counters, &mut self.storage, now);
        }
        let next = self.targets.next_own_scrape(now);
        self.queue.push(next, Event::OwnScrape);
    }

    /// Takes down what the per-second table shows of the control plane.
    fn note_state(&mut self) {
        let replicas = |deployment| self.workloads.replicas(&self.cluster, deployment);
        let state = State {
            at: self.now,
            canary_weight: self.weights.1,
            primary: replicas(self.routing.primary()),
            canary: replicas(self.routing.target()),
        };
        self.recorder.state(state);
    }

    fn tick(&mut self) {
        let now = self.now;
        if !self.ticker.fires(now) || !self.has_canary() {
            return;
        }
        if self.flagger_is_down() {
            // The grid goes on, and nobody is there to look.
            let next = self.ticker.next(now, now);
            self.queue.push(next, Event::Tick);
            return;
        }
        let (canary, settings) = (self.canary.clone(), self.settings.clone());
        let Some((ticked, said)) = Desk::new(self).tick(&canary, &settings) else {
            return;
        };
        for (at, event) in said.events {
            self.recorder.event(at, event);
        }
        let status = match self.cluster.get(&self.canary) {
            Some(Object::Canary(canary)) => canary.status.clone(),
            _ => CanaryStatus::default(),
        };
        if let Some(reported) = said.weights {
            self.report_weights(reported);
        }
        self.path.settle();
        let mut queries = said.queries;
        if self.detail == Detail::Story {
            for query in &mut queries {
                query.truth = truth(&query.text, &self.path, query.evaluated_at);
            }
        }
        if ticked.phase_before == Phase::Initializing && ticked.phase_after != Phase::Initializing {
            self.initialized_at = Some(self.now);
        }
        if ticked.decision == Decision::Detected && self.recorder.detected_at().is_none() {
            self.path.start_totals(nanos(self.now));
        }
        self.recorder.tick(
            &ticked,
            AfterTick {
                at: now,
                ended: said.ended,
                status: &status,
                weights: self.weights,
                primary_replicas: self
                    .workloads
                    .replicas(&self.cluster, self.routing.primary()),
                canary_replicas: self
                    .workloads
                    .replicas(&self.cluster, self.routing.target()),
                queries,
                served: self.path.totals(),
            },
        );
        let next = self.ticker.next(now, self.now);
        self.queue.push(next, Event::Tick);
    }

    /// Takes down the weights that Flagger reports.
    pub(super) fn report_weights(&mut self, reported: (i64, i64)) {
        self.weights = match (self.provider, self.cluster.get(&self.canary)) {
            // The kubernetes provider reports 0/100 while it iterates, though no request is routed to the canary
            // (`router/nop.go`): its status tells the truth.
            (Provider::Kubernetes, Some(Object::Canary(canary))) => (
                100 - canary.status.canary_weight,
                canary.status.canary_weight,
            ),
            _ => reported,
        };
    }

    /// Whether the horizon is reached.
    pub(super) fn is_over(&self) -> bool {
        self.now >= self.end
    }

    /// Sets in motion what follows from changed objects.
    pub(super) fn react(&mut self) {
        self.workloads.look(self.now + WATCH_DELAY, &mut self.queue);
        self.routing
            .sync_weight(&self.cluster, self.now, &mut self.queue);
        self.routing
            .sync_route(&self.cluster, self.now, &mut self.queue);
        self.autoscaling
            .discover(&self.cluster, true, self.now, &mut self.queue);
        self.refresh_endpoints();
    }

    /// Tells the request path who gets traffic, if that changed.
    pub(super) fn refresh_endpoints(&mut self) {
        self.refresh_load_targets();
        let endpoints = self.routing.endpoints(&self.cluster, &self.workloads);
        if endpoints == self.endpoints {
            return;
        }
        self.path
            .set_endpoints(Backend::Main, &self.with_groups(&endpoints.main, false));
        self.path.set_endpoints(
            Backend::Alternative,
            &self.with_groups(&endpoints.alternative, true),
        );
        self.endpoints = endpoints;
    }

    fn with_groups(&self, pods: &[PodId], alternative: bool) -> Vec<(PodIx, Group)> {
        let target = &self.routing.target().name;
        // The target's pods are the primary to everyone until Flagger has made one; the canary's are those made since.
        let of_canary = |pod: &Pod| {
            pod.revision.deployment == *target
                && self
                    .initialized_at
                    .is_some_and(|initialized| pod.created >= initialized)
        };
        let group = |pod: &PodId| {
            let canary_pod = self.workloads.pods.get(*pod).is_some_and(of_canary);
            label_group(self.scenario.ingress.attribution, alternative, canary_pod)
        };
        pods.iter()
            .filter_map(|pod| Some((*self.on_path.get(pod)?, group(pod))))
            .collect()
    }

    /// The Canary's phase.
    pub(super) fn phase(&self) -> Phase {
        match self.cluster.get(&self.canary) {
            Some(Object::Canary(canary)) => canary.status.phase,
            _ => Phase::Unset,
        }
    }
}

/// The analysis interval of a Canary.
pub fn interval(canary: &Canary) -> Span {
    canary
        .spec
        .analysis
        .as_ref()
        .map_or(Span::from_secs(60), |analysis| analysis.interval())
}
