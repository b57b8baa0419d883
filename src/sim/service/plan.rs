//! Versions, compiled.

use std::sync::Arc;

use crate::scenario::{ClassBehaviour, Distribution, RequestClass, Version};
use crate::sim::sampling::{TableIx, Tables};

/// The workloads of a scenario, compiled.
#[derive(Clone, Debug)]
pub struct ServicePlan {
    pub(super) tables: Tables,
    pub(super) versions: Arc<[VersionPlan]>,
    /// By version, then class: where the class is served otherwise.
    classes: Arc<[ClassService]>,
    class_count: usize,
    fault_times: Arc<[TableIx]>,
}

/// A version, compiled.
#[derive(Clone, Copy, Debug)]
pub(super) struct VersionPlan {
    /// Service time of a request that succeeds, and of one that fails.
    pub(super) tables: [TableIx; 2],
    /// Mean service time of a request that succeeds, in nanoseconds.
    pub(super) mean_ns: f64,
    pub(super) concurrency: u32,
    pub(super) cpu_per_request_ns: u64,
    pub(super) base_failure_rate: f64,
}

/// What a version does with the requests of a class.
#[derive(Clone, Copy, Debug)]
pub(super) struct ClassService {
    /// Service time of a request that succeeds, and of one that fails.
    pub(super) tables: [TableIx; 2],
    pub(super) base_failure_rate: f64,
}

impl ServicePlan {
    /// By version: the table of requests that succeed, and of those that fail.
    pub(crate) fn tables(&self) -> (&Tables, Vec<[TableIx; 2]>) {
        let versions = self.versions.iter().map(|version| version.tables);
        (&self.tables, versions.collect())
    }

    /// Compiles versions; a pod names its version by its place here. `fault_times` are times to fail that pods can be
    /// given during the run.
    pub fn new<'a>(
        versions: impl IntoIterator<Item = &'a Version>,
        classes: &[RequestClass],
        fault_times: &[Distribution],
    ) -> Self {
        let versions: Vec<&Version> = versions.into_iter().collect();
        let plain = ClassBehaviour::default();
        // For each version its own times, then those of every class.
        let times = |version: &Version, class: &ClassBehaviour| {
            let success = class.service_time.as_ref().unwrap_or(&version.service_time);
            let failure = (class.failure_time.as_ref())
                .or(version.failure_time.as_ref())
                .unwrap_or(success);
            [success.clone(), failure.clone()]
        };
        let behaviour =
            |version: &'a Version, class: &RequestClass| version.behaviour.classes.get(&class.name);
        let mut distributions: Vec<Distribution> = Vec::new();
        for version in &versions {
            distributions.extend(times(version, &plain));
            for class in classes {
                distributions.extend(times(version, behaviour(version, class).unwrap_or(&plain)));
            }
        }
        distributions.extend(fault_times.iter().cloned());
        let (tables, indices) = Tables::compile(&distributions);
        let (pairs, _) = indices.as_chunks::<2>();
        let each = 1 + classes.len();
        let served = versions.iter().zip(pairs.chunks_exact(each));
        let of_classes = served.flat_map(|(version, pairs)| {
            classes.iter().zip(&pairs[1..]).map(|(class, &tables)| {
                let own = behaviour(version, class).and_then(|own| own.base_failure_rate);
                ClassService {
                    tables,
                    base_failure_rate: own.unwrap_or(version.base_failure_rate),
                }
            })
        });
        let classes_served = of_classes.collect();
        let served = versions.iter().zip(pairs.chunks_exact(each));
        ServicePlan {
            versions: served
                .map(|(version, pairs)| VersionPlan {
                    tables: pairs[0],
                    mean_ns: tables.mean(pairs[0][0]),
                    concurrency: version.concurrency.max(1),
                    cpu_per_request_ns: version.cpu_per_request_ns,
                    base_failure_rate: version.base_failure_rate,
                })
                .collect(),
            classes: classes_served,
            class_count: classes.len(),
            fault_times: indices[versions.len() * each * 2..].into(),
            tables,
        }
    }

    /// How a version serves a class; `None` is as any other request.
    pub(super) fn class(&self, version: usize, class: usize) -> Option<ClassService> {
        let known = class < self.class_count;
        known.then(|| self.classes[version * self.class_count + class])
    }

    /// One of the times to fail, by its place.
    pub fn fault_time(&self, index: usize) -> Option<TableIx> {
        self.fault_times.get(index).copied()
    }
}
