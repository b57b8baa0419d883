//! From what a scenario says to what is simulated: defaults, inheritance, limits, and a sentence for each assumption.

mod aggregate;
mod chaos;
mod classes;
mod distributions;
mod events;
mod expect;
mod gateway;
mod metrics;
mod nodes;
mod pipeline;
mod traffic;
mod versions;
mod webhooks;

pub(super) use versions::is_fraction;

use std::collections::BTreeSet;

use super::assemble::Files;
use super::model::{
    Action, Attribution, ClusterTiming, Flagger, IngressController, Manifests, Prometheus, Proxy,
    Run, Scenario, TrafficModel,
};
use super::rules;
use super::schema::{File, IngressKeys, PrometheusVersion};
use super::service_monitor;
use super::units::{Time, shown};
use crate::canary::Provider;
use crate::diagnostic::{Diagnostic, Node};
use crate::promql;
use crate::time::Span;

/// Longest run.
const MAX_HORIZON: Span = Span::from_secs(24 * 3600);
/// Most requests a pod may work on at once, and most nginx workers.
const MAX_COUNT: u32 = 10_000;

const DEFAULT_HORIZON: Span = Span::from_secs(15 * 60);
const DEFAULT_WARM_UP: Span = Span::from_secs(5 * 60);
const DEFAULT_SCRAPE: Span = Span::from_secs(30);

/// Everything there is to say about one scenario, with the texts for places.
struct Reading<'a> {
    text: &'a Node,
    files: &'a dyn Files,
    assumptions: Vec<String>,
}

/// Fills in what was not said. The manifests come last, so that a mistake in the scenario itself is told first.
pub(super) fn effective(
    text: &Node,
    file: File,
    name: &str,
    files: &dyn Files,
    manifests: impl FnOnce() -> Result<(Manifests, Vec<String>), Diagnostic>,
) -> Result<Scenario, Diagnostic> {
    let mut reading = Reading {
        text,
        files,
        assumptions: Vec::new(),
    };
    let horizon = reading.horizon(&file)?;
    let traffic = reading.traffic(&file, horizon)?;
    // Where the sentence on scrapes goes, once the manifests are known.
    let scrapes_told_at = reading.assumptions.len();
    let mut prometheus = reading.prometheus(&file)?;
    let ingress = reading.ingress(&file)?;
    let cluster = reading.cluster(&file)?;
    let versions = reading.versions(&file)?;
    let mut metrics = reading.metrics(&file)?;
    prometheus.series = reading.series(&file, &versions)?;
    let initial_version = reading.initial_version(&file, &versions)?;
    let pipeline = reading.pipeline(&file)?;
    let mut events = reading.events(&file, &versions, horizon)?;
    let chaos = reading.chaos(&file, &versions, horizon)?;
    let expect = reading.expect(&file, horizon)?;
    let (mut manifests, mut converted) = manifests()?;
    reading.assumptions.append(&mut converted);
    reading.classes_fit(&traffic.classes, &versions, &manifests.ingresses)?;
    reading.edits(&mut events, &manifests)?;
    let webhooks = reading.webhooks(&file, &events, &manifests, horizon)?;
    if let Some(sentence) = reading.scraped(&file, &manifests, &mut prometheus)? {
        reading.assumptions.insert(scrapes_told_at, sentence);
    }
    let given = manifests.documents.iter();
    for document in given.filter(|document| document.kind == "PrometheusRule") {
        let groups = rules::of_manifest(document, version_of(&file))?;
        prometheus.rule_groups.extend(groups);
    }
    let pushed = events.iter().filter_map(|event| match &event.action {
        Action::Push(version) | Action::Commit(version) => Some(version),
        _ => None,
    });
    let used: BTreeSet<&String> = pushed.chain([&initial_version]).collect();
    reading.distinct(&used, &versions, &manifests.deployment.spec.template)?;
    reading.pod_fits(&cluster, &manifests.deployment)?;
    let provider = reading.provider(&file, &manifests)?;
    let gateway = reading.gateway(&file, provider, &mut manifests, &mut metrics, &versions)?;
    let exports = !metrics.is_empty() || prometheus.series.iter().any(|s| !s.own_target);
    prometheus.pod_discovery = reading.pod_discovery(&file, exports);
    let run = Run {
        seed: file.run.seed.unwrap_or(1),
        horizon,
        warm_up: reading.warm_up(&file, &manifests)?,
        traffic_model: file.run.traffic_model.unwrap_or_default(),
    };
    if run.traffic_model == TrafficModel::Aggregate {
        reading.can_be_aggregated(&aggregate::Counted {
            traffic: &traffic,
            ingress: &ingress,
            prometheus: &prometheus,
            versions: &versions,
            exports: exports || !metrics.is_empty(),
            manifests: &manifests,
            events: &events,
            webhooks: &webhooks,
            chaos: &chaos,
        })?;
    }
    Ok(Scenario {
        title: file.title.unwrap_or_else(|| name.to_owned()),
        name: name.to_owned(),
        rules: file.rules.unwrap_or_default(),
        provider: file.provider,
        run,
        flagger: Flagger {
            mesh_provider: provider.as_str().to_owned(),
            metrics_server: (file.flagger.metrics_server)
                .or_else(|| manifests.flagger.as_ref()?.metrics_server.clone())
                .unwrap_or_else(|| "http://prometheus:9090".to_owned()),
        },
        traffic,
        ingress,
        gateway,
        prometheus,
        cluster,
        versions,
        metrics,
        initial_version,
        pipeline,
        events,
        webhooks,
        chaos,
        expect,
        manifests,
        assumptions: reading.assumptions,
        text: text.clone(),
    })
}

impl Reading<'_> {
    fn refuse(&self, pointer: &str, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(message).at_place(&self.text.place_of(pointer))
    }

    fn assume(&mut self, sentence: String) {
        self.assumptions.push(sentence);
    }

    /// The controller's flag; says so where it decides and was not given.
    fn provider(&mut self, file: &File, manifests: &Manifests) -> Result<Provider, Diagnostic> {
        let canary = &manifests.canary.spec;
        let release = manifests.flagger.as_ref().and_then(|r| r.mesh_provider);
        let given = file.flagger.mesh_provider.or(release);
        let flag = given.unwrap_or(Provider::Kubernetes);
        let spoken = file.provider.or_else(|| Provider::parse(&canary.provider));
        if spoken.is_none() && given.is_none() {
            self.assume(
                "Flagger runs with the provider `kubernetes`, since neither the Canary nor the scenario names one \
                 (`flagger.mesh_provider`)."
                    .to_owned(),
            );
        }
        if spoken.unwrap_or(flag) == Provider::Nginx && canary.ingress_ref.is_none() {
            let pointer = if file.provider.is_some() {
                "/provider"
            } else {
                "/flagger/mesh_provider"
            };
            return Err(self
                .refuse(
                    pointer,
                    "the provider `nginx` needs the Canary's `spec.ingressRef`, which is not given",
                )
                .help("name the Ingress under `[canary.spec.ingressRef]` with apiVersion, kind and name"));
        }
        Ok(flag)
    }

    fn horizon(&self, file: &File) -> Result<Span, Diagnostic> {
        let horizon = file.run.horizon.map_or(DEFAULT_HORIZON, |t| t.0);
        if horizon > Span::ZERO && horizon <= MAX_HORIZON {
            return Ok(horizon);
        }
        Err(self
            .refuse(
                "/run/horizon",
                format!(
                    "`run.horizon` must be above 0 and at most {}, not {}",
                    shown(MAX_HORIZON),
                    shown(horizon)
                ),
            )
            .help("a rollout is decided within minutes; \"15m\" is the default"))
    }

    fn warm_up(&self, file: &File, manifests: &Manifests) -> Result<Span, Diagnostic> {
        let analysis = manifests.canary.spec.analysis.as_ref();
        let interval = analysis.map_or(Span::from_secs(60), |a| a.interval());
        let step = interval.as_millis();
        let Some(Time(warm_up)) = file.run.warm_up else {
            let intervals = (DEFAULT_WARM_UP.as_millis() + step - 1) / step;
            return Ok(interval * intervals.max(3));
        };
        if warm_up > MAX_HORIZON {
            return Err(self
                .refuse(
                    "/run/warm_up",
                    format!(
                        "`run.warm_up` must be at most {}, not {}",
                        shown(MAX_HORIZON),
                        shown(warm_up)
                    ),
                )
                .help("\"5m\" is the default"));
        }
        if warm_up.as_millis() % step != 0 {
            let below = warm_up.as_millis() / step;
            return Err(self
                .refuse(
                    "/run/warm_up",
                    format!(
                        "`run.warm_up` must be a whole number of analysis intervals of {}, not {}",
                        shown(interval),
                        shown(warm_up)
                    ),
                )
                .help(format!(
                    "write \"{}\" or \"{}\"",
                    shown(interval * below),
                    shown(interval * (below + 1))
                )));
        }
        Ok(warm_up)
    }

    fn prometheus(&self, file: &File) -> Result<Prometheus, Diagnostic> {
        let keys = &file.prometheus;
        let scrape_interval = match keys.scrape_interval {
            Some(_) => self.period("prometheus.scrape_interval", keys.scrape_interval, 0)?,
            None => DEFAULT_SCRAPE,
        };
        let rule_groups = rules::of_scenario(self.text, &keys.rules, version_of(file))?;
        Ok(Prometheus {
            rule_groups,
            version: match keys.version.unwrap_or(PrometheusVersion::V3) {
                PrometheusVersion::V3 => "3",
                PrometheusVersion::V2_53 => "2.53",
                PrometheusVersion::V2_42 => "2.42",
            }
            .to_owned(),
            scrape_interval,
            honor_labels: keys.honor_labels.unwrap_or(false),
            service_monitor: keys.service_monitor.unwrap_or(true),
            query_latency: self.delay("prometheus.query_latency", keys.query_latency, 20)?,
            pod_discovery: None,
            series: Vec::new(),
        })
    }

    /// What the controller's ServiceMonitor says of the scrape, where the scenario does not; and what is assumed where neither does.
    fn scraped(
        &self,
        file: &File,
        manifests: &Manifests,
        prometheus: &mut Prometheus,
    ) -> Result<Option<String>, Diagnostic> {
        let mut interval = None;
        let given = manifests.documents.iter();
        for document in given.filter(|document| document.kind == "ServiceMonitor") {
            if let Some(monitor) = service_monitor::of_ingress(document)? {
                interval = interval.or(monitor.interval);
                if file.prometheus.honor_labels.is_none() {
                    prometheus.honor_labels |= monitor.honor_labels;
                }
            }
        }
        if file.prometheus.scrape_interval.is_some() {
            return Ok(None);
        }
        if let Some(interval) = interval {
            prometheus.scrape_interval = interval;
            return Ok(None);
        }
        Ok(Some(format!(
            "Prometheus scrapes every {DEFAULT_SCRAPE}, as kube-prometheus-stack does (`prometheus.scrape_interval`)."
        )))
    }

    fn ingress(&mut self, file: &File) -> Result<IngressController, Diagnostic> {
        let keys = &file.ingress;
        Ok(IngressController {
            attribution: keys.attribution.unwrap_or(Attribution::Shared),
            workers: self.count(
                "/ingress/workers",
                "ingress.workers",
                keys.workers.unwrap_or(2),
            )?,
            sync_delay: self.delay("ingress.sync_delay", keys.sync_delay, 3300)?,
            worker_poll: self.period("ingress.worker_poll", keys.worker_poll, 1000)?,
            flush_interval: self.period("ingress.flush_interval", keys.flush_interval, 1000)?,
            proxy: self.proxy(keys)?,
        })
    }

    fn proxy(&self, keys: &IngressKeys) -> Result<Proxy, Diagnostic> {
        let default = Proxy::default();
        let count = |key: &str, given: Option<u32>, default: u32| {
            let pointer = format!("/ingress/{key}");
            self.count(
                &pointer,
                &format!("ingress.{key}"),
                given.unwrap_or(default),
            )
        };
        Ok(Proxy {
            controllers: count("controllers", keys.controllers, default.controllers)?,
            connect_timeout: self.period("ingress.connect_timeout", keys.connect_timeout, 5000)?,
            read_timeout: self.period("ingress.read_timeout", keys.read_timeout, 60_000)?,
            next_upstream: match &keys.next_upstream {
                Some(causes) => causes.iter().copied().collect(),
                None => default.next_upstream,
            },
            tries: count("tries", keys.tries, default.tries)?,
            load_balance: keys.load_balance.unwrap_or(default.load_balance),
            metrics_per_host: keys.metrics_per_host.unwrap_or(default.metrics_per_host),
            report_status_classes: (keys.report_status_classes)
                .unwrap_or(default.report_status_classes),
        })
    }

    fn cluster(&mut self, file: &File) -> Result<ClusterTiming, Diagnostic> {
        let keys = &file.cluster;
        Ok(ClusterTiming {
            endpoint_removal: self.delay(
                "cluster.endpoint_removal",
                keys.endpoint_removal,
                2000,
            )?,
            endpoint_addition: self.delay(
                "cluster.endpoint_addition",
                keys.endpoint_addition,
                1000,
            )?,
            hpa_sync: self.period("cluster.hpa_sync", keys.hpa_sync, 15_000)?,
            metrics_resolution: self.period(
                "cluster.metrics_resolution",
                keys.metrics_resolution,
                15_000,
            )?,
            nodes: keys.nodes.as_ref().map(|n| self.nodes(n)).transpose()?,
        })
    }

    /// A time that may be nothing, up to an hour.
    fn delay(&self, key: &str, given: Option<Time>, default_ms: i64) -> Result<Span, Diagnostic> {
        self.delay_at(&pointer(key), key, given, default_ms)
    }

    /// As [`delay`](Self::delay), for a key within a list.
    fn delay_at(
        &self,
        pointer: &str,
        key: &str,
        given: Option<Time>,
        default_ms: i64,
    ) -> Result<Span, Diagnostic> {
        let span = given.map_or(Span::from_millis(default_ms), |t| t.0);
        if span > Span::from_secs(3600) {
            let message = format!("`{key}` must be at most 1h, not {}", shown(span));
            return Err(self
                .refuse(pointer, message)
                .help("it is a delay within a cluster"));
        }
        Ok(span)
    }

    /// A time between repetitions: never nothing.
    fn period(&self, key: &str, given: Option<Time>, default_ms: i64) -> Result<Span, Diagnostic> {
        let span = self.delay(key, given, default_ms)?;
        if span < Span::from_millis(10) {
            let message = format!("`{key}` must be at least 10ms, not {}", shown(span));
            return Err(self
                .refuse(&pointer(key), message)
                .help("it is the time between two repetitions"));
        }
        Ok(span)
    }

    /// A number of things of which there must be some.
    fn count(&self, pointer: &str, key: &str, count: u32) -> Result<u32, Diagnostic> {
        if (1..=MAX_COUNT).contains(&count) {
            return Ok(count);
        }
        let message = format!("`{key}` must be from 1 to {MAX_COUNT}, not {count}");
        Err(self
            .refuse(pointer, message)
            .help("there must be one at least"))
    }
}

/// Whose rules evaluate queries.
fn version_of(file: &File) -> promql::Version {
    match file.prometheus.version.unwrap_or(PrometheusVersion::V3) {
        PrometheusVersion::V3 => promql::Version::V3,
        PrometheusVersion::V2_53 => promql::Version::V2_53,
        PrometheusVersion::V2_42 => promql::Version::V2_42,
    }
}

/// The JSON pointer of a dotted key.
fn pointer(key: &str) -> String {
    format!("/{}", key.replace('.', "/"))
}

/// A name as a step of a JSON pointer.
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
