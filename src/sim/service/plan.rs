//! The versions of a scenario, compiled for the hot loop.

use std::sync::Arc;

use crate::scenario::Version;
use crate::sim::sampling::{TableIx, Tables};

/// The workloads of a scenario, compiled.
#[derive(Clone, Debug)]
pub struct ServicePlan {
    pub(super) tables: Tables,
    pub(super) versions: Arc<[VersionPlan]>,
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

impl ServicePlan {
    /// By version: the table of requests that succeed, and of those that fail.
    pub(crate) fn tables(&self) -> (&Tables, Vec<[TableIx; 2]>) {
        let versions = self.versions.iter().map(|version| version.tables);
        (&self.tables, versions.collect())
    }

    /// Compiles versions; a pod names its version by its place here.
    pub fn new<'a>(versions: impl IntoIterator<Item = &'a Version>) -> Self {
        let versions: Vec<&Version> = versions.into_iter().collect();
        let times: Vec<_> = versions
            .iter()
            .flat_map(|version| {
                let success = &version.service_time;
                [success, version.failure_time.as_ref().unwrap_or(success)]
            })
            .cloned()
            .collect();
        let (tables, indices) = Tables::compile(&times);
        let versions = versions.iter().zip(indices.chunks_exact(2));
        ServicePlan {
            versions: versions
                .map(|(version, indices)| VersionPlan {
                    tables: [indices[0], indices[1]],
                    mean_ns: tables.mean(indices[0]),
                    concurrency: version.concurrency.max(1),
                    cpu_per_request_ns: version.cpu_per_request_ns,
                    base_failure_rate: version.base_failure_rate,
                })
                .collect(),
            tables,
        }
    }
}
