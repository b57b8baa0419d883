//! Who gets traffic, and when a change of that reaches the request path.
//!
//! Under `nginx` the canary Ingress' weight is the truth: the controller syncs a change after a while (rate limit 0.3/s),
//! and each worker picks it up at its next poll, so workers switch one by one
//! (`internal/ingress/controller/controller.go`, `rootfs/etc/nginx/lua/balancer.lua` of ingress-nginx 1.15).
//! Under `kubernetes` only the apex Service routes; under `pod-scaling` requests spread over all ready pods of both
//! Deployments. Under `gatewayapi:v1` the HTTPRoute is the truth ([`gateway`]), and the Gateway goes by a change at one
//! moment. Headers, cookies and affinity under `nginx` are the request path's to know.

use std::sync::Arc;

use rand::RngExt;

use super::event::Event;
use super::gateway::{self, Request};
use super::ingress::Conditions;
use super::pods::PodId;
use super::queue::Queue;
use super::workloads::Workloads;
use crate::canary::{Canary, Provider};
use crate::engine::cluster::Cluster;
use crate::engine::{Kind, Object, ObjectRef};
use crate::scenario::{Attribution, Gateway, IngressController, Scenario, Via};
use crate::seed::{Purpose, RunSeed, Stream};
use crate::time::{Span, Timestamp};

/// Who gets traffic now: pods of the apex Service, and pods behind the canary Ingress.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Endpoints {
    pub(super) main: Vec<PodId>,
    pub(super) alternative: Vec<PodId>,
}

/// What decides who gets traffic.
#[derive(Clone, Debug)]
pub(super) struct Routing {
    provider: Provider,
    apex: ObjectRef,
    target: ObjectRef,
    primary: ObjectRef,
    canary_ingress: Option<ObjectRef>,
    weight_annotation: String,
    annotations_prefix: String,
    controller: IngressController,
    /// Phase of each worker's poll.
    poll_phases: Vec<Span>,
    delays: Stream,
    /// The weight that is on its way or has arrived.
    weight: u32,
    gateway: Option<Gateway>,
    /// The generation of the HTTPRoute that is on its way or has arrived.
    route_generation: i64,
    /// The conditions that are on their way or have arrived.
    conditions: Arc<Conditions>,
}

impl Routing {
    /// Reads names from the Canary, draws the workers' phases.
    pub(super) fn new(
        canary: &Canary,
        provider: Provider,
        annotations_prefix: &str,
        scenario: &Scenario,
        seed: RunSeed,
    ) -> Self {
        let namespace = &canary.metadata.namespace;
        let target = &canary.spec.target_ref.name;
        let apex = if canary.spec.service.name.is_empty() {
            target
        } else {
            &canary.spec.service.name
        };
        let controller = scenario.ingress.clone();
        let mut phases = seed.stream(Purpose::Phases, 1);
        let poll_ms = controller.worker_poll.as_millis().max(1);
        let poll_phases = (0..controller.workers * controller.proxy.controllers)
            .map(|_| Span::from_millis(phases.random_range(0..poll_ms)))
            .collect();
        Routing {
            provider,
            apex: ObjectRef::new(Kind::Service, namespace, apex),
            target: ObjectRef::new(Kind::Deployment, namespace, target),
            primary: ObjectRef::new(Kind::Deployment, namespace, format!("{target}-primary")),
            canary_ingress: (canary.spec.ingress_ref.as_ref())
                .filter(|_| provider == Provider::Nginx)
                .map(|ingress| {
                    ObjectRef::new(Kind::Ingress, namespace, format!("{}-canary", ingress.name))
                }),
            annotations_prefix: annotations_prefix.to_owned(),
            weight_annotation: format!("{annotations_prefix}/canary-weight"),
            controller,
            poll_phases,
            delays: seed.stream(Purpose::ControlPlane, 1),
            weight: 0,
            gateway: scenario.gateway.clone(),
            route_generation: 0,
            conditions: Arc::default(),
        }
    }

    /// The target Deployment: the canary.
    pub(super) fn target(&self) -> &ObjectRef {
        &self.target
    }

    /// The primary Deployment.
    pub(super) fn primary(&self) -> &ObjectRef {
        &self.primary
    }

    /// Who gets traffic, as the cluster stands.
    pub(super) fn endpoints(&self, cluster: &Cluster, workloads: &Workloads) -> Endpoints {
        let main = match self.provider {
            Provider::PodScaling => {
                let mut pods = workloads.serving_of(&self.primary);
                pods.extend(workloads.serving_of(&self.target));
                pods
            }
            Provider::GatewayApiV1 if cluster.get(&self.route()).is_some() => {
                let behind = |side| self.behind(&self.service_of(side), cluster, workloads);
                return Endpoints {
                    main: behind("primary"),
                    alternative: behind("canary"),
                };
            }
            _ => self.behind(&self.apex, cluster, workloads),
        };
        let alternative = match &self.canary_ingress {
            Some(ingress) if cluster.get(ingress).is_some() => {
                self.behind(&self.service_of("canary"), cluster, workloads)
            }
            _ => Vec::new(),
        };
        Endpoints { main, alternative }
    }

    /// The Service in front of the primary or the canary.
    fn service_of(&self, side: &str) -> ObjectRef {
        ObjectRef {
            name: format!("{}-{side}", self.apex.name),
            ..self.apex.clone()
        }
    }

    /// The HTTPRoute that Flagger writes.
    pub(super) fn route(&self) -> ObjectRef {
        ObjectRef {
            kind: Kind::HttpRoute,
            ..self.apex.clone()
        }
    }

    /// If the HTTPRoute has changed, sends the change on its way to the Gateway.
    pub(super) fn sync_route(
        &mut self,
        cluster: &Cluster,
        now: Timestamp,
        queue: &mut Queue<Event>,
    ) {
        let Some(gateway) = &self.gateway else { return };
        let Some(Object::HttpRoute(route)) = cluster.get(&self.route()) else {
            return;
        };
        let generation = route.metadata.generation;
        if generation == self.route_generation {
            return;
        }
        self.route_generation = generation;
        let canary = self.service_of("canary").name;
        let plain = Request {
            method: "GET",
            path: "/",
            ..Request::default()
        };
        let (headers, query) = gateway::insider(&route.spec);
        let insider = Request {
            headers: &headers,
            query: &query,
            ..plain
        };
        let share = |request| f64::from(gateway::share(&route.spec, request, &canary).unwrap_or(0));
        let all = gateway.matching * share(&insider) + (1.0 - gateway.matching) * share(&plain);
        let longest = gateway.programming_delay.as_millis().max(0);
        let at = now + Span::from_millis(self.delays.random_range(0..=longest));
        queue.push(
            at,
            Event::RouteProgrammed {
                generation,
                share: all.round() as u32,
            },
        );
    }

    /// If the canary Ingress asks for another weight than the one on its way, or has other conditions, sends it on its way.
    pub(super) fn sync_weight(
        &mut self,
        cluster: &Cluster,
        now: Timestamp,
        queue: &mut Queue<Event>,
    ) {
        let asked = self.asked_weight(cluster);
        let conditions = self.asked_conditions(cluster);
        let other_conditions = conditions != *self.conditions;
        if asked == self.weight && !other_conditions {
            return;
        }
        self.weight = asked;
        if other_conditions {
            self.conditions = Arc::new(conditions);
        }
        let longest = self.controller.sync_delay.as_millis().max(0);
        let mut synced = now;
        for (worker, phase) in self.poll_phases.iter().enumerate() {
            // Each controller syncs on its own.
            if (worker as u32).is_multiple_of(self.controller.workers) {
                synced = now + Span::from_millis(self.delays.random_range(0..=longest));
            }
            let poll = next_on_grid(synced, self.controller.worker_poll, *phase);
            let worker = worker as u32;
            queue.push(
                poll,
                Event::WorkerPoll {
                    worker,
                    weight: asked,
                },
            );
            if other_conditions {
                let conditions = Arc::clone(&self.conditions);
                queue.push(poll, Event::WorkerConditions { worker, conditions });
            }
        }
    }

    fn asked_conditions(&self, cluster: &Cluster) -> Conditions {
        let ingress = self.canary_ingress.as_ref();
        let Some(Object::Ingress(ingress)) = ingress.and_then(|i| cluster.get(i)) else {
            return Conditions::default();
        };
        let annotation = |suffix: &str| {
            let key = format!("{}/{suffix}", self.annotations_prefix);
            ingress.metadata.annotations.get(&key).cloned()
        };
        Conditions {
            header: annotation("canary-by-header").map(|name| name.to_ascii_lowercase()),
            header_value: annotation("canary-by-header-value").filter(|v| !v.is_empty()),
            header_pattern: annotation("canary-by-header-pattern").filter(|p| !p.is_empty()),
            cookie: annotation("canary-by-cookie"),
        }
    }

    fn asked_weight(&self, cluster: &Cluster) -> u32 {
        let Some(Object::Ingress(ingress)) = self
            .canary_ingress
            .as_ref()
            .and_then(|ingress| cluster.get(ingress))
        else {
            return 0;
        };
        ingress
            .metadata
            .annotations
            .get(&self.weight_annotation)
            .and_then(|weight| weight.parse().ok())
            .unwrap_or(0)
    }

    /// Pods that get the requests of a Service.
    pub(super) fn behind(
        &self,
        service: &ObjectRef,
        cluster: &Cluster,
        workloads: &Workloads,
    ) -> Vec<PodId> {
        match cluster.get(service) {
            Some(Object::Service(s)) => workloads.endpoints(&service.namespace, &s.spec.selector),
            // Without a manifest for it the apex Service leads to the target until Flagger takes it over.
            _ if *service == self.apex => workloads.serving_of(&self.target),
            _ => Vec::new(),
        }
    }
}

/// Label group of a request in the ingress' metrics: 1 is the canary's.
pub(super) fn label_group(attribution: Attribution, alternative: bool, canary_pod: bool) -> u8 {
    match attribution {
        Attribution::Shared => u8::from(alternative),
        Attribution::Canary => u8::from(alternative || canary_pod),
    }
}

/// What becomes of a request that enters as the scenario says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// Proxied and counted.
    Recorded,
    /// It reaches the pods, and the ingress counts nothing: it went around it, or its host stands in no rule literally.
    Unrecorded,
    /// No rule fits: the default backend answers 404, and no pod sees it.
    NoRule,
}

/// How requests enter: ingress-nginx counts only those whose host stands literally in an Ingress
/// (`internal/ingress/metric/collectors/socket.go`, `--metrics-per-undefined-host` off), or all with `--metrics-per-host` off.
pub(super) fn entry(scenario: &Scenario) -> Entry {
    entry_of(scenario, scenario.traffic.host.as_deref())
}

/// How requests with this `Host` header enter.
pub(super) fn entry_of(scenario: &Scenario, host: Option<&str>) -> Entry {
    if scenario.traffic.via == Via::Service {
        return Entry::Unrecorded;
    }
    if scenario.gateway.is_some() {
        let hosts = &scenario.manifests.canary.spec.service.hosts;
        return gateway::entry(hosts, scenario.traffic.host.as_deref());
    }
    let hosts: Vec<Option<&str>> = scenario
        .manifests
        .ingresses
        .iter()
        .flat_map(|ingress| ingress.hosts())
        .collect();
    let counts_all = !scenario.ingress.proxy.metrics_per_host;
    let Some(host) = host.or(hosts.iter().copied().flatten().next()) else {
        return if hosts.is_empty() {
            Entry::NoRule
        } else if counts_all {
            Entry::Recorded
        } else {
            Entry::Unrecorded
        };
    };
    match entry_at(host, &hosts) {
        Entry::Unrecorded if counts_all => Entry::Recorded,
        entry => entry,
    }
}

/// How requests for a host enter, given the hosts of all Ingress rules, with `--metrics-per-host` as it is by default.
pub(super) fn entry_at(host: &str, hosts: &[Option<&str>]) -> Entry {
    if hosts.contains(&Some(host)) && !host.starts_with('*') {
        return Entry::Recorded;
    }
    let fits = |rule: &Option<&str>| match rule {
        None => true,
        Some(pattern) => pattern.strip_prefix('*').is_some_and(|suffix| {
            host.strip_suffix(suffix)
                .is_some_and(|label| !label.is_empty() && !label.contains('.'))
        }),
    };
    if hosts.iter().any(fits) {
        Entry::Unrecorded
    } else {
        Entry::NoRule
    }
}

/// The first moment of the grid `phase + k * period` that is not before `at`.
pub(super) fn next_on_grid(at: Timestamp, period: Span, phase: Span) -> Timestamp {
    let period = period.as_millis().max(1);
    let since = at.as_millis() - phase.as_millis();
    Timestamp::from_millis(phase.as_millis() + since.div_euclid(period) * period)
        + Span::from_millis(if since.rem_euclid(period) == 0 {
            0
        } else {
            period
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grids_go_on_before_zero() {
        let at = Timestamp::from_millis;
        for (now, expected) in [
            (0, 300),
            (300, 300),
            (301, 1300),
            (-1, 300),
            (-700, -700),
            (-701, -700),
        ] {
            let next = next_on_grid(at(now), Span::from_secs(1), Span::from_millis(300));
            assert_eq!(next, at(expected), "{now}");
        }
    }
}
