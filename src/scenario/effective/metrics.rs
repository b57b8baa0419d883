//! What pods and targets of their own export.

use std::collections::BTreeMap;

use super::{Reading, escaped};
use crate::diagnostic::Diagnostic;
use crate::scenario::model::{
    Distribution, PodDiscovery, SyntheticKind, SyntheticSeries, Terms, Version, VersionMetrics,
};
use crate::scenario::rules::is_name;
use crate::scenario::schema::{Exporter, File, MetricsKeys, SeriesKeys, SeriesType};

/// client_golang's `DefBuckets`.
const DEFAULT_BUCKETS: [f64; 11] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// Labels that say which series it is, and of which target.
const TAKEN: [&str; 3] = ["__name__", "le", "instance"];

/// Most series of one kind a scenario may make up.
const MAX_SERIES: usize = 1000;

impl Reading<'_> {
    /// What each version's pods export; a version that says nothing exports what it inherits.
    pub(super) fn metrics(
        &self,
        file: &File,
    ) -> Result<BTreeMap<String, VersionMetrics>, Diagnostic> {
        let mut metrics = BTreeMap::new();
        for (name, keys) in &file.versions {
            if let Some(keys) = &keys.metrics {
                metrics.insert(name.clone(), self.exported(name, keys)?);
            }
        }
        // Lines of inheritance are known to end: versions have been read.
        let own = metrics.clone();
        for name in file.versions.keys() {
            let mut at = name;
            while let Some(parent) = &file.versions[at].inherits {
                if own.contains_key(at) {
                    break;
                }
                at = parent;
            }
            if let Some(inherited) = own.get(at) {
                metrics.insert(name.clone(), inherited.clone());
            }
        }
        Ok(metrics)
    }

    fn exported(&self, version: &str, keys: &MetricsKeys) -> Result<VersionMetrics, Diagnostic> {
        let table = format!("versions.{version}.metrics");
        let pointer = format!("/versions/{}/metrics", escaped(version));
        let standard = VersionMetrics::default();
        let name = |key: &str, given: &Option<String>, default: String, metric: bool| match given {
            Some(name) if !name.is_empty() && !is_name(name, metric) => Err(self
                .refuse(
                    &format!("{pointer}/{key}"),
                    format!(
                        "`{table}.{key}` is not a {} name: {name:?}",
                        if metric { "metric" } else { "label" }
                    ),
                )
                .help("write letters, digits and `_`, as in http_requests_total")),
            Some(name) => Ok(name.clone()),
            None => Ok(default),
        };
        self.label_names(&keys.labels, &pointer, &table)?;
        Ok(VersionMetrics {
            requests: name("requests", &keys.requests, standard.requests, true)?,
            duration: name("duration", &keys.duration, standard.duration, true)?,
            status_label: name(
                "status_label",
                &keys.status_label,
                standard.status_label,
                false,
            )?,
            labels: keys.labels.clone(),
        })
    }

    fn label_names(
        &self,
        labels: &BTreeMap<String, String>,
        pointer: &str,
        table: &str,
    ) -> Result<(), Diagnostic> {
        match labels
            .keys()
            .find(|label| !is_name(label, false) || TAKEN.contains(&label.as_str()))
        {
            None => Ok(()),
            Some(label) => Err(self
                .refuse(
                    &format!("{pointer}/labels/{}", escaped(label)),
                    format!("`{table}.labels` cannot have a label named {label:?}"),
                )
                .help("write letters, digits and `_`; `__name__`, `le` and `instance` are taken")),
        }
    }

    /// How pods are found; says so where something is exported and it was not said.
    pub(super) fn pod_discovery(&mut self, file: &File, exports: bool) -> Option<PodDiscovery> {
        match file.prometheus.pod_discovery {
            Some(PodDiscovery::None) => None,
            Some(given) => Some(given),
            None if exports => {
                self.assume(
                    "Prometheus finds pods as the one that Flagger's chart brings does, which labels their series \
                     `kubernetes_namespace` and `kubernetes_pod_name` (`prometheus.pod_discovery`)."
                        .to_owned(),
                );
                Some(PodDiscovery::Annotations)
            }
            None => None,
        }
    }

    /// The series that the scenario makes up.
    pub(super) fn series(
        &self,
        file: &File,
        versions: &BTreeMap<String, Version>,
    ) -> Result<Vec<SyntheticSeries>, Diagnostic> {
        let all = &file.prometheus.series;
        if all.len() > MAX_SERIES {
            return Err(self
                .refuse(
                    "/prometheus/series",
                    format!("`prometheus.series` has more than {MAX_SERIES} elements"),
                )
                .help("take some out"));
        }
        let mut series = Vec::with_capacity(all.len());
        for (index, keys) in all.iter().enumerate() {
            series.push(self.one_series(index, keys, versions)?);
        }
        Ok(series)
    }

    fn one_series(
        &self,
        index: usize,
        keys: &SeriesKeys,
        versions: &BTreeMap<String, Version>,
    ) -> Result<SyntheticSeries, Diagnostic> {
        let table = format!("prometheus.series[{index}]");
        let pointer = format!("/prometheus/series/{index}");
        let refuse = |key: &str, why: String, help: &str| {
            Err(self
                .refuse(
                    &format!("{pointer}/{key}"),
                    format!("`{table}.{key}` {why}"),
                )
                .help(help.to_owned()))
        };
        if !is_name(&keys.name, true) {
            return refuse(
                "name",
                format!("is not a metric name: {:?}", keys.name),
                "write letters, digits, `_` and `:`, as in queue_depth",
            );
        }
        self.label_names(&keys.labels, &pointer, &table)?;
        for (n, version) in keys.versions.iter().enumerate() {
            if !versions.contains_key(version) {
                let at = format!("{pointer}/versions/{n}");
                return Err(self.unknown_version(&at, version, versions.keys()));
            }
        }
        let terms = [
            ("constant", keys.constant),
            ("per_second", keys.per_second),
            ("per_request", keys.per_request),
            ("per_failure", keys.per_failure),
        ];
        let histogram = keys.kind == SeriesType::Histogram;
        for (key, value) in terms {
            let Some(value) = value else { continue };
            if histogram {
                return refuse(
                    key,
                    "means nothing for a histogram".to_owned(),
                    "give `observes`, what each request is observed as",
                );
            }
            if keys.kind == SeriesType::Counter && value < 0.0 {
                return refuse(
                    key,
                    format!("must not be below 0 for a counter, not {value}"),
                    "a counter never falls: make it a gauge, or the number positive",
                );
            }
        }
        let points: Vec<_> = keys.points.iter().map(|p| (p.at.0, p.value)).collect();
        let rises = points.windows(2).all(|pair| pair[0].0 <= pair[1].0);
        let falls = points.windows(2).any(|pair| pair[0].1 > pair[1].1);
        if !rises {
            return refuse(
                "points",
                "are not in order of time".to_owned(),
                "sort them by `at`",
            );
        }
        if !points.is_empty() && (histogram || keys.kind == SeriesType::Counter && falls) {
            return refuse(
                "points",
                "must rise in a counter, and a histogram has none".to_owned(),
                "make it a gauge",
            );
        }
        let kind = match keys.kind {
            SeriesType::Counter => SyntheticKind::Counter,
            SeriesType::Gauge => SyntheticKind::Gauge,
            SeriesType::Histogram => self.histogram(&pointer, &table, keys)?,
        };
        let only_histograms = [
            ("observes", keys.observes.is_some()),
            ("buckets", !keys.buckets.is_empty()),
        ];
        for (key, given) in only_histograms {
            if given && !histogram {
                return refuse(
                    key,
                    "is for a histogram alone".to_owned(),
                    "set `type = \"histogram\"`, or take it out",
                );
            }
        }
        Ok(SyntheticSeries {
            name: keys.name.clone(),
            kind,
            own_target: keys.exported_by == Some(Exporter::Target),
            versions: match keys.versions.as_slice() {
                [] => versions.keys().cloned().collect(),
                some => some.to_vec(),
            },
            labels: keys.labels.clone(),
            terms: Terms {
                constant: keys.constant.unwrap_or(0.0),
                per_second: keys.per_second.unwrap_or(0.0),
                per_request: keys.per_request.unwrap_or(0.0),
                per_failure: keys.per_failure.unwrap_or(0.0),
                points,
            },
        })
    }

    fn histogram(
        &self,
        pointer: &str,
        table: &str,
        keys: &SeriesKeys,
    ) -> Result<SyntheticKind, Diagnostic> {
        let Some(observes) = &keys.observes else {
            return Err(self
                .refuse(
                    pointer,
                    format!("`{table}` is a histogram that observes nothing"),
                )
                .help(
                    "give `observes`: a time such as \"20ms\", or a distribution as in versions.NAME.service_time",
                ));
        };
        let at = format!("{pointer}/observes");
        let observes: Distribution =
            self.distribution(&at, &format!("{table}.observes"), observes)?;
        let buckets = match keys.buckets.as_slice() {
            [] => DEFAULT_BUCKETS.to_vec(),
            given => given.to_vec(),
        };
        let ascending = buckets.windows(2).all(|pair| pair[0] < pair[1]);
        if !ascending || buckets.len() > 200 {
            return Err(self
                .refuse(
                    &format!("{pointer}/buckets"),
                    format!("`{table}.buckets` must be at most 200 ascending numbers"),
                )
                .help("sort them, and leave +Inf out"));
        }
        Ok(SyntheticKind::Histogram { observes, buckets })
    }
}
