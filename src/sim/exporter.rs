//! From the ingress controller's counters to the series that Prometheus keeps of them.
//!
//! A target for each controller pod, scraped as the Prometheus Operator's ServiceMonitor does it: the target's own `namespace` and
//! `service` win, so those of the Ingress become `exported_namespace` and `exported_service` (unless labels are honoured).
//! Families and labels are the exporter's (`internal/ingress/metric/collectors/socket.go` of ingress-nginx 1.15).
//! Only families that some loaded query can select are kept. Left out: the size and byte families, constant labels of the
//! exporter other than the controller's class, namespace and pod.

use std::sync::{Arc, OnceLock};

use crate::canary::Canary;
use crate::k8s::Ingress;
use crate::scenario::{Attribution, Scenario};
use crate::time::Timestamp;
use crate::tsdb::{Labels, ScrapeLabels, SeriesId, Storage, TargetId};

use super::ingress::{BUCKET_BOUNDS, BUCKETS, Cell, Counters, GROUPS, Group, Histogram, Status};
use super::label_sets::{LabelSet, label_sets};
use super::names::pod_suffix;

/// A family of the exporter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    Requests,
    RequestDuration,
    ResponseDuration,
}

impl Family {
    const ALL: [Family; 3] = [
        Family::Requests,
        Family::RequestDuration,
        Family::ResponseDuration,
    ];

    fn name(self) -> &'static str {
        match self {
            Family::Requests => "nginx_ingress_controller_requests",
            Family::RequestDuration => "nginx_ingress_controller_request_duration_seconds",
            Family::ResponseDuration => "nginx_ingress_controller_response_duration_seconds",
        }
    }

    fn histogram(self, cell: &Cell) -> Option<&Histogram> {
        match self {
            Family::Requests => None,
            Family::RequestDuration => Some(&cell.request_duration),
            Family::ResponseDuration => Some(&cell.response_duration),
        }
    }
}

/// The controller as a scrape target.
#[derive(Clone, Debug)]
pub(super) struct IngressExporter {
    target: TargetId,
    labels: ScrapeLabels,
    families: Vec<Family>,
    /// The Ingress' labels, by group.
    groups: Vec<GroupLabels>,
    /// Name of the controller's pod.
    pod: String,
    /// Whether statuses are shown by their class.
    status_classes: bool,
    /// What was counted before the present process, where it is not the first.
    before: Option<Counters>,
    /// Series of a family, group and status, once born.
    series: Vec<Option<Vec<SeriesId>>>,
    /// Their labels, once some run has asked for them: the same in every run.
    series_labels: Arc<[OnceLock<Vec<Labels>>]>,
}

/// What tells the two groups of requests apart, and what they share.
#[derive(Clone, Debug, Default)]
struct GroupLabels {
    namespace: String,
    ingress: String,
    service: String,
    host: String,
    path: String,
    canary: String,
    method: String,
}

impl IngressExporter {
    /// The target of the n-th controller in `storage`. `texts` are the queries that may be asked; what none of them names is not kept, unless
    /// `all` families are wanted.
    pub(super) fn new(
        scenario: &Scenario,
        texts: &[&str],
        all: bool,
        controller: u32,
        storage: &mut Storage,
    ) -> Self {
        let pod = controller_pod(controller);
        let instance = format!("10.0.0.{}:10254", 10 + controller);
        let groups = group_labels(scenario);
        let wanted = |family: &Family| {
            all || texts
                .iter()
                .any(|text| text.contains(family.name()) || text.contains("__name__"))
        };
        let families: Vec<Family> = Family::ALL.into_iter().filter(wanted).collect();
        let target_labels = [
            ("container", "controller"),
            ("endpoint", "metrics"),
            ("instance", &*instance),
            ("job", "ingress-nginx-controller-metrics"),
            ("namespace", "ingress-nginx"),
            ("pod", &*pod),
            ("service", "ingress-nginx-controller-metrics"),
        ];
        let slots = families.len() * groups.len() * Status::ALL.len();
        IngressExporter {
            target: storage.add_target(),
            labels: ScrapeLabels {
                target: Labels::new(target_labels),
                honor_labels: scenario.prometheus.honor_labels,
                normalise_bounds: scenario.prometheus.version.starts_with('3'),
            },
            series: vec![None; slots],
            series_labels: (0..slots).map(|_| OnceLock::new()).collect(),
            families,
            groups,
            pod,
            status_classes: scenario.ingress.proxy.report_status_classes,
            before: None,
        }
    }

    /// Stores what a scrape at `at` sees.
    pub(super) fn scrape(&mut self, counters: &Counters, storage: &mut Storage, at: Timestamp) {
        let since = self.before.as_ref().map(|before| counters.since(before));
        let counters = since.as_ref().unwrap_or(counters);
        self.bear(counters, storage);
        let groups = self.groups.len();
        let mut scrape = storage.scrape(self.target, at);
        for (index, family) in self.families.iter().enumerate() {
            for (group, status, cell) in counters.born() {
                let Some(ids) = &self.series[slot(index, groups, group, status)] else {
                    continue;
                };
                match family.histogram(cell) {
                    None => scrape.append(ids[0], cell.requests as f64),
                    Some(histogram) => {
                        for (id, count) in ids.iter().zip(histogram.buckets) {
                            scrape.append(*id, count as f64);
                        }
                        scrape.append(ids[BUCKETS], histogram.sum_seconds());
                        scrape.append(ids[BUCKETS + 1], histogram.count() as f64);
                    }
                }
            }
        }
        scrape.commit();
    }

    /// The process ends, and another counts from nothing: what it has not counted yet it does not expose.
    pub(super) fn restart(&mut self, counted: &Counters) {
        self.before = Some(counted.clone());
    }

    /// Stores that a scrape at `at` got no answer.
    pub(super) fn fail(&self, storage: &mut Storage, at: Timestamp) {
        storage.fail_scrape(self.target, at);
    }

    /// Makes the series of what has counted for the first time.
    fn bear(&mut self, counters: &Counters, storage: &mut Storage) {
        let groups = self.groups.len();
        for (index, family) in self.families.iter().enumerate() {
            for (group, status, cell) in counters.born() {
                let slot = slot(index, groups, group, status);
                if self.series[slot].is_some()
                    || family
                        .histogram(cell)
                        .is_some_and(|histogram| histogram.count() == 0)
                {
                    continue;
                }
                let labels =
                    self.series_labels[slot].get_or_init(|| self.labels_of(*family, group, status));
                let id = |labels| {
                    let id = storage.series(self.target, labels);
                    id.expect("one target exposes each label set once")
                };
                self.series[slot] = Some(labels.iter().map(id).collect());
            }
        }
    }

    /// The labels of a family's series: one, or those of buckets, sum and count.
    fn labels_of(&self, family: Family, group: Group, status: Status) -> Vec<Labels> {
        let code = match (self.status_classes, status.code()) {
            (true, code) => format!("{}xx", code / 100),
            (false, code) => code.to_string(),
        };
        let labels = |suffix: &str, le: Option<&str>| {
            let name = format!("{}{suffix}", family.name());
            let exposed = self.groups[usize::from(group)].exposed(&name, &code, &self.pod);
            let exposed = exposed.into_iter().chain(le.map(|le| ("le", le)));
            self.labels.resolve(exposed)
        };
        if family == Family::Requests {
            return vec![labels("", None)];
        }
        let bounds = BUCKET_BOUNDS.iter().map(f64::to_string);
        let buckets = bounds.chain(["+Inf".to_owned()]);
        let buckets = buckets.map(|bound| labels("_bucket", Some(&bound)));
        buckets
            .chain([labels("_sum", None), labels("_count", None)])
            .collect()
    }
}

/// Pod name of the n-th simulated controller.
fn controller_pod(number: u32) -> String {
    const REPLICA_SET: &str = "ingress-nginx-controller-6d675964ff";
    match number {
        0 => format!("{REPLICA_SET}-x7k2p"),
        _ => format!("{REPLICA_SET}-{}", pod_suffix(REPLICA_SET, number)),
    }
}

fn slot(family: usize, groups: usize, group: Group, status: Status) -> usize {
    (family * groups + usize::from(group)) * Status::ALL.len() + status as usize
}

impl GroupLabels {
    fn exposed<'a>(
        &'a self,
        name: &'a str,
        status: &'a str,
        pod: &'a str,
    ) -> [(&'a str, &'a str); 12] {
        [
            ("__name__", name),
            ("canary", &self.canary),
            ("controller_class", "k8s.io/ingress-nginx"),
            ("controller_namespace", "ingress-nginx"),
            ("controller_pod", pod),
            ("host", &self.host),
            ("ingress", &self.ingress),
            ("method", &self.method),
            ("namespace", &self.namespace),
            ("path", &self.path),
            ("service", &self.service),
            ("status", status),
        ]
    }
}

/// Labels of the requests that the main Ingress leads to the primary (0) and the canary (1), and again for each set of
/// labels that tells classes of requests apart.
fn group_labels(scenario: &Scenario) -> Vec<GroupLabels> {
    let ingress = source_ingress(&scenario.manifests.canary, &scenario.manifests.ingresses);
    let (sets, _) = label_sets(scenario, ingress);
    sets.iter()
        .flat_map(|set| labels_of(scenario, set))
        .collect()
}

fn labels_of(scenario: &Scenario, set: &LabelSet) -> [GroupLabels; GROUPS] {
    let canary = &scenario.manifests.canary;
    let ingress = source_ingress(canary, &scenario.manifests.ingresses);
    let service = apex(canary);
    let shared = GroupLabels {
        namespace: canary.metadata.namespace.clone(),
        ingress: ingress.map_or_else(|| service.to_owned(), |i| i.metadata.name.clone()),
        service: service.to_owned(),
        host: match scenario.ingress.proxy.metrics_per_host {
            true => set.host.clone(),
            false => String::new(),
        },
        path: set.path.clone(),
        canary: String::new(),
        method: set.method.clone(),
    };
    match scenario.ingress.attribution {
        // `upstreamName` in internal/ingress/controller/util.go.
        Attribution::Shared => {
            let port = canary.spec.service.port;
            let upstream = format!("{}-{service}-canary-{port}", shared.namespace);
            [
                shared.clone(),
                GroupLabels {
                    canary: upstream,
                    ..shared
                },
            ]
        }
        // The primary's requests go under an Ingress of their own, which no query names.
        Attribution::Canary => {
            let primary = format!("{}-primary", shared.ingress);
            [
                GroupLabels {
                    ingress: primary,
                    ..shared.clone()
                },
                shared,
            ]
        }
    }
}

fn apex(canary: &Canary) -> &str {
    let service = &canary.spec.service.name;
    if service.is_empty() {
        &canary.spec.target_ref.name
    } else {
        service
    }
}

/// The Ingress that the Canary names, else the first that leads to the apex Service.
pub(super) fn source_ingress<'a>(canary: &Canary, ingresses: &'a [Ingress]) -> Option<&'a Ingress> {
    let named = canary.spec.ingress_ref.as_ref();
    ingresses.iter().find(|ingress| match named {
        Some(reference) => ingress.metadata.name == reference.name,
        None => ingress.backends().contains(&apex(canary)),
    })
}
