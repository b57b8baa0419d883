//! Flagger's load tester (`cmd/loadtester`, `pkg/loadtester` of Flagger): what webhooks ask it to run, and the traffic of it.
//!
//! A webhook whose metadata has a `cmd` is taken for one to the load tester, which answers 202 and runs the command in the
//! background: its runner looks every 100 ms for new tasks, starts none that is running already, and kills one after an
//! hour. A `hey` command becomes requests ([`RequestPath::start_load`](super::requests::RequestPath::start_load)); all
//! others, tasks of another `type` and what `[webhooks.NAME]` lets fail run nothing. Left out: the load tester's own pod.

mod hey;
mod target;

use std::collections::BTreeSet;

use rand::RngExt;

use super::clock::{MILLISECOND, SECOND, nanos};
use super::requests::{LoadEntry, LoadIx, LoadLength, LoadPlan};
use super::routing::next_on_grid;
use super::world::World;
use crate::canary::Webhook;
use crate::engine::{HookCall, Kind, Object, ObjectRef};
use crate::record::LoadTest;
use crate::scenario::{Action, Scenario};
use crate::seed::{Purpose, RunSeed};
use crate::time::{Span, Timestamp};

pub(super) use hey::{Hey, NotHey};
pub(super) use target::Target;

/// How often the load tester looks for new tasks.
const RUNNER: Span = Span::from_millis(100);

/// After how long it kills a command (`-timeout`).
const LONGEST: i64 = 3600 * SECOND;

/// What the load tester has been asked for.
#[derive(Clone, Debug)]
pub(super) struct LoadTester {
    /// When its runner looks.
    phase: Span,
    started: Vec<Started>,
    /// Services that load tests go to, by their number on the request path.
    services: Vec<ObjectRef>,
}

/// A command that it has started.
#[derive(Clone, Debug)]
struct Started {
    hook: String,
    command: String,
    target: Target,
    at: Timestamp,
    load: LoadIx,
}

impl LoadTester {
    pub(super) fn new(seed: RunSeed) -> Self {
        let mut draws = seed.stream(Purpose::LoadTests, 0);
        LoadTester {
            phase: Span::from_millis(draws.random_range(0..RUNNER.as_millis())),
            started: Vec::new(),
            services: Vec::new(),
        }
    }

    fn service(&mut self, service: &ObjectRef) -> usize {
        let known = self.services.iter().position(|known| known == service);
        known.unwrap_or_else(|| {
            self.services.push(service.clone());
            self.services.len() - 1
        })
    }
}

impl World {
    /// The load tester gets a call at `at` and answers that it will do it.
    pub(super) fn ask_load_tester(&mut self, hook: &HookCall, at: Timestamp) {
        let Some(command) = command_of(&hook.payload["metadata"]) else {
            return;
        };
        let Ok(hey) = Hey::parse(command) else {
            return;
        };
        let running =
            |started: &Started| started.command == command && self.path.load_runs(started.load);
        if self.is_over() || self.load_tester.started.iter().any(running) {
            return;
        }
        let target = target_of(&self.scenario, &hook.url, &hey);
        let entry = match &target {
            Target::Elsewhere => return,
            Target::Ingress { recorded, .. } => LoadEntry::Ingress {
                recorded: *recorded,
            },
            Target::Service(service) => LoadEntry::Service(self.load_tester.service(service)),
        };
        let plan = LoadPlan {
            workers: hey.workers,
            period: hey.period(),
            lasts: match hey.lasts {
                LoadLength::For(span) => LoadLength::For(span.min(LONGEST)),
                requests => requests,
            },
            entry,
            timeout: hey.timeout,
            keep_alive: hey.keep_alive,
        };
        let at = next_on_grid(at, RUNNER, self.load_tester.phase);
        let load = self.path.start_load(plan, nanos(at));
        self.load_tester.started.push(Started {
            hook: hook.name.clone(),
            command: command.to_owned(),
            target,
            at,
            load,
        });
        self.refresh_load_targets();
    }

    /// Tells the request path who answers at the Services that load tests go to.
    pub(super) fn refresh_load_targets(&mut self) {
        for number in 0..self.load_tester.services.len() {
            let service = &self.load_tester.services[number];
            let pods = self.routing.behind(service, &self.cluster, &self.workloads);
            let on_path = pods.iter().filter_map(|pod| self.on_path.get(pod).copied());
            let on_path = on_path.collect();
            self.path.set_service(number, on_path);
        }
    }

    /// What the load tests have come to, with times counted from `zero`.
    pub(super) fn load_tests(&self, zero: Timestamp) -> Vec<LoadTest> {
        let tests = self.load_tester.started.iter().map(|started| {
            let stats = self.path.load_stats(started.load);
            let since_zero = |at: Timestamp| Timestamp::ZERO + (at - zero);
            LoadTest {
                hook: started.hook.clone(),
                command: started.command.clone(),
                target: started.target.in_words(),
                recorded: matches!(started.target, Target::Ingress { recorded: true, .. }),
                started_at: since_zero(started.at),
                ended_at: stats
                    .ended
                    .map(|at| since_zero(Timestamp::from_millis(at / MILLISECOND))),
                requests: stats.requests,
                p99_ms: stats.p99_ms,
            }
        });
        tests.collect()
    }
}

impl Target {
    fn in_words(&self) -> String {
        match self {
            Target::Ingress { host, .. } => format!("the ingress, as host {host}"),
            Target::Service(service) => format!("Service {}.{}", service.name, service.namespace),
            Target::Elsewhere => "elsewhere".to_owned(),
        }
    }
}

/// The hooks of a scenario's Canary, at the start or after an edit, that ask the load tester to run a command, each with it.
pub(super) fn commands(scenario: &Scenario) -> Vec<(&Webhook, &str)> {
    let edited = scenario
        .events
        .iter()
        .filter_map(|event| match &event.action {
            Action::Edit { spec, .. } => Some(&**spec),
            _ => None,
        });
    let specs = [&scenario.manifests.canary.spec].into_iter().chain(edited);
    let hooks = specs
        .filter_map(|spec| spec.analysis.as_ref())
        .flat_map(|analysis| &analysis.webhooks);
    let mut seen = BTreeSet::new();
    hooks
        .filter_map(|hook| Some((hook, hook.metadata.as_ref()?.get("cmd")?.trim())))
        .filter(|(hook, command)| seen.insert((hook.name.as_str(), *command)))
        .collect()
}

/// Where the load tester behind a hook's URL sends requests. Services are those that Flagger makes, and the scenario's own.
pub(super) fn target_of(scenario: &Scenario, url: &str, hey: &Hey) -> Target {
    let canary = &scenario.manifests.canary;
    let spec = &canary.spec;
    let apex = if spec.service.name.is_empty() {
        &spec.target_ref.name
    } else {
        &spec.service.name
    };
    let made = ["", "-primary", "-canary"].map(|suffix| {
        ObjectRef::new(
            Kind::Service,
            &canary.metadata.namespace,
            format!("{apex}{suffix}"),
        )
    });
    let given = |service: &ObjectRef| {
        let mut given = scenario.manifests.services.iter();
        given.any(|given| Object::from(given.clone()).reference() == *service)
    };
    let ingresses = &scenario.manifests.ingresses;
    let hosts: Vec<Option<&str>> = ingresses.iter().flat_map(|i| i.hosts()).collect();
    let services = |service: &ObjectRef| made.contains(service) || given(service);
    target::target(hey, url, &canary.metadata.namespace, services, &hosts)
}

/// Whether any load test of a scenario may be counted by the ingress.
pub(super) fn are_recorded(scenario: &Scenario) -> bool {
    commands(scenario).into_iter().any(|(hook, command)| {
        Hey::parse(command).is_ok_and(|hey| {
            let target = target_of(scenario, &hook.url, &hey);
            matches!(target, Target::Ingress { recorded: true, .. })
        })
    })
}

/// Whether a task of this type is a shell command (`pkg/loadtester/server.go`, `task_shell.go`).
pub(super) fn is_shell(kind: Option<&str>) -> bool {
    kind.is_none_or(|kind| kind == "cmd")
}

fn command_of(metadata: &serde_json::Value) -> Option<&str> {
    let kind = metadata.get("type").map(|kind| kind.as_str().unwrap_or(""));
    is_shell(kind).then_some(())?;
    Some(metadata.get("cmd")?.as_str()?.trim())
}
