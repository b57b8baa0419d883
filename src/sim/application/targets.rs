//! Pods, and the process beside them, as targets of Prometheus.

use std::collections::BTreeMap;

use rand_xoshiro::rand_core::Rng;

use super::PodCounters;
use super::synthetic::Synthetic;
use crate::scenario::{
    PodDiscovery, Scenario, SyntheticKind, SyntheticSeries, VersionMetrics, sanitised,
};
use crate::seed::{Purpose, RunSeed};
use crate::sim::ingress::BUCKET_BOUNDS;
use crate::sim::pods::{Pod, PodId};
use crate::sim::routing::next_on_grid;
use crate::sim::service::PodIx;
use crate::time::{Span, Timestamp};
use crate::tsdb::{Labels, ScrapeLabels, SeriesId, Storage, TargetId};

/// Entities of the streams that scrape phases of pods are drawn from start here.
const SCRAPE_PHASES: u64 = 1 << 33;

/// Who scrapes pods, what they export, and the pods that are scraped.
#[derive(Clone, Debug)]
pub(in crate::sim) struct Targets {
    discovery: PodDiscovery,
    interval: Span,
    honor_labels: bool,
    normalise_bounds: bool,
    /// Namespace and name of the Canary's target; name of the apex Service.
    namespace: String,
    service: String,
    /// By version, in the order of their names.
    exports: Vec<Export>,
    /// The scenario's, those that some query names.
    series: Vec<SyntheticSeries>,
    pods: BTreeMap<PodId, Target>,
    /// The process beside the cluster.
    own: Option<Target>,
    seed: RunSeed,
}

/// What the pods of a version export.
#[derive(Clone, Debug, Default)]
struct Export {
    /// Names that no query has are empty.
    metrics: Option<VersionMetrics>,
    /// Places in `series`.
    synthetic: Vec<usize>,
}

/// One target.
#[derive(Clone, Debug)]
struct Target {
    target: TargetId,
    labels: ScrapeLabels,
    /// The process' number on the request path; `None` while none runs, and for the process beside the cluster.
    process: Option<PodIx>,
    version: usize,
    /// Of answers with 200 and with 500: the counter, then the histogram; empty until they are born.
    requests: [Vec<SeriesId>; 2],
    durations: [Vec<SeriesId>; 2],
    synthetic: Vec<(Synthetic, Vec<SeriesId>)>,
}

impl Targets {
    /// Reads what is exported. `texts` are the queries that may be asked; what none of them names is not kept, unless
    /// `all` is wanted.
    pub(in crate::sim) fn new(
        scenario: &Scenario,
        texts: &[&str],
        all: bool,
        seed: RunSeed,
    ) -> Self {
        let wanted = |name: &str| {
            !name.is_empty()
                && (all
                    || texts
                        .iter()
                        .any(|t| t.contains(name) || t.contains("__name__")))
        };
        let kept = |name: &String| {
            if wanted(name) {
                name.clone()
            } else {
                String::new()
            }
        };
        let discovery = scenario.prometheus.pod_discovery;
        let series: Vec<SyntheticSeries> = (scenario.prometheus.series.iter())
            .filter(|series| wanted(&series.name))
            .cloned()
            .collect();
        let exports = scenario.versions.keys().map(|name| {
            let metrics = scenario.metrics.get(name).map(|metrics| VersionMetrics {
                requests: kept(&metrics.requests),
                duration: kept(&metrics.duration),
                ..metrics.clone()
            });
            let of_version =
                |series: &SyntheticSeries| !series.own_target && series.versions.contains(name);
            let synthetic = (0..series.len()).filter(|&n| of_version(&series[n]));
            Export {
                metrics: metrics.filter(|m| !m.requests.is_empty() || !m.duration.is_empty()),
                synthetic: synthetic.collect(),
            }
        });
        let canary = &scenario.manifests.canary;
        Targets {
            exports: match discovery {
                None => vec![Export::default(); scenario.versions.len()],
                Some(_) => exports.collect(),
            },
            discovery: discovery.unwrap_or(PodDiscovery::None),
            interval: scenario.prometheus.scrape_interval,
            honor_labels: scenario.prometheus.honor_labels,
            normalise_bounds: scenario.prometheus.version.starts_with('3'),
            namespace: canary.metadata.namespace.clone(),
            service: canary.spec.apex_service().to_owned(),
            series,
            pods: BTreeMap::new(),
            own: None,
            seed,
        }
    }

    /// The same, with the draws of a seed.
    pub(in crate::sim) fn seeded(self, seed: RunSeed) -> Self {
        Targets { seed, ..self }
    }

    /// Whether the pods of a version are worth scraping.
    pub(in crate::sim) fn exports(&self, version: usize) -> bool {
        let export = &self.exports[version];
        export.metrics.is_some() || !export.synthetic.is_empty()
    }

    /// The versions whose requests the process beside the cluster counts, if there is one.
    pub(in crate::sim) fn own_versions(&self) -> Vec<String> {
        let own = self.series.iter().filter(|series| series.own_target);
        let mut versions: Vec<String> = own.flat_map(|s| s.versions.iter().cloned()).collect();
        versions.sort();
        versions.dedup();
        versions
    }

    /// A pod's process, which serves from now on. Says when it is scraped first, and whether that is the pod's first scrape
    /// of all.
    pub(in crate::sim) fn serves(
        &mut self,
        pod: &Pod,
        process: PodIx,
        version: usize,
        storage: &mut Storage,
        now: Timestamp,
    ) -> (Timestamp, bool) {
        let entity = u64::from(process.0);
        let synthetic = self.exports[version].synthetic.iter();
        let synthetic: Vec<_> = synthetic
            .map(|&n| {
                let made = Synthetic::new(&self.series[n], n, entity, now, self.seed);
                (made, Vec::new())
            })
            .collect();
        let known = self.pods.contains_key(&pod.id);
        if !known {
            let labels = ScrapeLabels {
                target: self.target_labels(pod),
                honor_labels: self.honor_labels,
                normalise_bounds: self.normalise_bounds,
            };
            self.pods.insert(
                pod.id,
                Target {
                    target: storage.add_target(),
                    labels,
                    process: None,
                    version,
                    requests: Default::default(),
                    durations: Default::default(),
                    synthetic: Vec::new(),
                },
            );
        }
        let target = self.pods.get_mut(&pod.id).expect("it was just made");
        // A second process has the first one's series, its values starting anew.
        let ids = std::mem::take(&mut target.synthetic);
        target.synthetic = synthetic;
        for (made, before) in target.synthetic.iter_mut().zip(ids) {
            made.1 = before.1;
        }
        target.process = Some(process);
        let first = self.next_scrape(pod.id, now);
        (first, !known)
    }

    /// The process of a pod has ended.
    pub(in crate::sim) fn ended(&mut self, pod: PodId) {
        if let Some(target) = self.pods.get_mut(&pod) {
            target.process = None;
        }
    }

    /// A pod's process on the request path; the inner `None` if it does not run, the outer if it is no target.
    pub(in crate::sim) fn process(&self, pod: PodId) -> Option<Option<PodIx>> {
        Some(self.pods.get(&pod)?.process)
    }

    /// Stores what a scrape of a pod at `now` sees; without counters there is nothing to see.
    /// Answers when the next scrape is due.
    pub(in crate::sim) fn scrape(
        &mut self,
        pod: PodId,
        counters: Option<&PodCounters>,
        storage: &mut Storage,
        now: Timestamp,
    ) {
        if let Some(target) = self.pods.get_mut(&pod) {
            let export = &self.exports[target.version];
            match counters {
                None => storage.fail_scrape(target.target, now),
                Some(counters) => {
                    let series = export.synthetic.iter().map(|&n| &self.series[n]);
                    let series: Vec<&SyntheticSeries> = series.collect();
                    target.scrape(export.metrics.as_ref(), &series, counters, storage, now);
                }
            }
        }
    }

    /// A pod's object is gone: Prometheus forgets the target, whose series are stale.
    pub(in crate::sim) fn gone(&mut self, pod: PodId, storage: &mut Storage, now: Timestamp) {
        if let Some(target) = self.pods.remove(&pod) {
            // In the very moment of a scrape the scrape comes first.
            let last = storage.last_scrape(target.target);
            let after = last.map_or(now, |last| last + Span::from_millis(1));
            storage.fail_scrape(target.target, now.max(after));
        }
    }

    /// Starts the process beside the cluster. Says when it is scraped first.
    pub(in crate::sim) fn start_own(
        &mut self,
        storage: &mut Storage,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let own = (0..self.series.len()).filter(|&n| self.series[n].own_target);
        let synthetic: Vec<_> = own
            .map(|n| {
                let made = Synthetic::new(&self.series[n], n, OWN.0.into(), now, self.seed);
                (made, Vec::new())
            })
            .collect();
        if synthetic.is_empty() {
            return None;
        }
        self.own = Some(Target {
            target: storage.add_target(),
            labels: ScrapeLabels {
                target: Labels::new([("instance", "10.0.0.20:8080"), ("job", "scenario")]),
                honor_labels: self.honor_labels,
                normalise_bounds: self.normalise_bounds,
            },
            process: None,
            version: 0,
            requests: Default::default(),
            durations: Default::default(),
            synthetic,
        });
        Some(self.next_scrape(OWN, now))
    }

    /// Stores what a scrape of the process beside the cluster sees, and answers when the next is due.
    pub(in crate::sim) fn scrape_own(
        &mut self,
        counters: &PodCounters,
        storage: &mut Storage,
        now: Timestamp,
    ) {
        let series: Vec<&SyntheticSeries> = self.series.iter().filter(|s| s.own_target).collect();
        if let Some(own) = &mut self.own {
            own.scrape(None, &series, counters, storage, now);
        }
    }

    /// When the process beside the cluster is scraped after `now`.
    pub(in crate::sim) fn next_own_scrape(&self, now: Timestamp) -> Timestamp {
        self.next_scrape(OWN, now)
    }

    /// The first scrape of a target after `now`: each has a phase of its own.
    pub(in crate::sim) fn next_scrape(&self, pod: PodId, now: Timestamp) -> Timestamp {
        let draw = self
            .seed
            .stream(Purpose::Phases, SCRAPE_PHASES + u64::from(pod.0))
            .next_u64();
        let phase = Span::from_millis((draw % self.interval.as_millis() as u64) as i64);
        next_on_grid(now + Span::from_millis(1), self.interval, phase)
    }

    /// The labels that discovery gives a pod.
    ///
    /// `annotations`: `charts/flagger/templates/prometheus.yaml` of Flagger, job `kubernetes-pods`. The monitors: as the
    /// Prometheus Operator generates its scrape configurations (`pkg/prometheus/promcfg.go`).
    fn target_labels(&self, pod: &Pod) -> Labels {
        let instance = format!("10.1.{}.{}:8080", pod.id.0 / 250, pod.id.0 % 250 + 1);
        let container = pod.revision.template.container_name().unwrap_or_default();
        let job = match self.discovery {
            PodDiscovery::PodMonitor => format!("{}/{}", self.namespace, self.service),
            PodDiscovery::ServiceMonitor => self.service.clone(),
            PodDiscovery::Annotations | PodDiscovery::None => "kubernetes-pods".to_owned(),
        };
        let mut labels = vec![("instance".to_owned(), instance), ("job".to_owned(), job)];
        let mut add = |name: &str, value: &str| labels.push((name.to_owned(), value.to_owned()));
        match self.discovery {
            PodDiscovery::Annotations | PodDiscovery::None => {
                for (name, value) in &pod.revision.labels {
                    add(&sanitised(name), value);
                }
                add("kubernetes_namespace", &pod.revision.namespace);
                add("kubernetes_pod_name", &pod.name);
            }
            PodDiscovery::PodMonitor | PodDiscovery::ServiceMonitor => {
                add("container", container);
                add("endpoint", "http");
                add("namespace", &pod.revision.namespace);
                add("pod", &pod.name);
                if self.discovery == PodDiscovery::ServiceMonitor {
                    let side = if pod.revision.deployment.ends_with("-primary") {
                        "primary"
                    } else {
                        "canary"
                    };
                    add("service", &format!("{}-{side}", self.service));
                }
            }
        }
        Labels::new(labels.iter().map(|(n, v)| (n.as_str(), v.as_str())))
    }
}

/// Stands for the process beside the cluster where pods have numbers.
const OWN: PodId = PodId(u32::MAX);

impl Target {
    fn scrape(
        &mut self,
        metrics: Option<&VersionMetrics>,
        series: &[&SyntheticSeries],
        counters: &PodCounters,
        storage: &mut Storage,
        now: Timestamp,
    ) {
        if let Some(metrics) = metrics {
            self.bear(metrics, counters, storage);
        }
        let mut made = Vec::with_capacity(series.len());
        for ((synthetic, ids), series) in self.synthetic.iter_mut().zip(series) {
            let values = synthetic.values(counters, now);
            if ids.is_empty() {
                *ids = ids_of(self.target, &self.labels, series, storage);
            }
            made.push(values);
        }
        let mut scrape = storage.scrape(self.target, now);
        for (answers, place) in [(&counters.ok, 0), (&counters.failed, 1)] {
            if let [id] = self.requests[place][..] {
                scrape.append(id, answers.count() as f64);
            }
            let ids = &self.durations[place];
            if let [buckets @ .., sum, count] = &ids[..] {
                let mut below = 0;
                for (id, bucket) in buckets.iter().zip(answers.buckets) {
                    below += bucket;
                    scrape.append(*id, below as f64);
                }
                scrape.append(*sum, answers.sum_ns as f64 / 1e9);
                scrape.append(*count, below as f64);
            }
        }
        for ((_, ids), values) in self.synthetic.iter().zip(&made) {
            for (id, value) in ids.iter().zip(values) {
                scrape.append(*id, *value);
            }
        }
        scrape.commit();
    }

    /// Makes the series of a status that has occurred for the first time.
    fn bear(&mut self, metrics: &VersionMetrics, counters: &PodCounters, storage: &mut Storage) {
        for (place, code, answers) in [(0, "200", &counters.ok), (1, "500", &counters.failed)] {
            if answers.count() == 0
                || !self.requests[place].is_empty()
                || !self.durations[place].is_empty()
            {
                continue;
            }
            let status = [(metrics.status_label.as_str(), code)];
            let status = status
                .iter()
                .copied()
                .filter(|(label, _)| !label.is_empty());
            let own = metrics.labels.iter().map(|(n, v)| (n.as_str(), v.as_str()));
            let labels: Vec<(&str, &str)> = status.chain(own).collect();
            let mut make = |name: String, le: Option<String>| {
                let le = le.as_deref().map(|le| ("le", le));
                let exposed = [("__name__", name.as_str())].into_iter();
                let exposed = exposed.chain(labels.iter().copied()).chain(le);
                series_of(self.target, &self.labels, exposed, storage)
            };
            if !metrics.requests.is_empty() {
                let made = make(metrics.requests.clone(), None);
                self.requests[place] = made.into_iter().collect();
            }
            if !metrics.duration.is_empty() {
                self.durations[place] = histogram_ids(&metrics.duration, &BUCKET_BOUNDS, make);
            }
        }
    }
}

/// The series of a made-up metric.
fn ids_of(
    target: TargetId,
    scraped: &ScrapeLabels,
    series: &SyntheticSeries,
    storage: &mut Storage,
) -> Vec<SeriesId> {
    let labels: Vec<(&str, &str)> = (series.labels.iter())
        .map(|(n, v)| (n.as_str(), v.as_str()))
        .collect();
    let mut make = |name: String, le: Option<String>| {
        let le = le.as_deref().map(|le| ("le", le));
        let exposed = [("__name__", name.as_str())].into_iter();
        let exposed = exposed.chain(labels.iter().copied()).chain(le);
        series_of(target, scraped, exposed, storage)
    };
    match &series.kind {
        SyntheticKind::Counter | SyntheticKind::Gauge => {
            make(series.name.clone(), None).into_iter().collect()
        }
        SyntheticKind::Histogram { buckets, .. } => histogram_ids(&series.name, buckets, make),
    }
}

/// The series of a histogram: buckets, sum and count; none where one of them is taken.
fn histogram_ids(
    name: &str,
    bounds: &[f64],
    mut make: impl FnMut(String, Option<String>) -> Option<SeriesId>,
) -> Vec<SeriesId> {
    let bounds = bounds.iter().map(f64::to_string).chain(["+Inf".to_owned()]);
    let mut ids: Vec<Option<SeriesId>> = bounds
        .map(|bound| make(format!("{name}_bucket"), Some(bound)))
        .collect();
    ids.push(make(format!("{name}_sum"), None));
    ids.push(make(format!("{name}_count"), None));
    ids.into_iter().collect::<Option<_>>().unwrap_or_default()
}

/// A series; `None` where a recording rule has made one with the same labels.
fn series_of<'a>(
    target: TargetId,
    labels: &ScrapeLabels,
    exposed: impl IntoIterator<Item = (&'a str, &'a str)>,
    storage: &mut Storage,
) -> Option<SeriesId> {
    storage.series(target, &labels.resolve(exposed)).ok()
}
