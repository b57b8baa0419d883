//! What the exporter shows at a scrape.
//!
//! Families, buckets and units are those of `internal/ingress/metric/collectors/socket.go` and `pkg/flags/flags.go`.

use super::{Group, Status};

/// Upper bounds of the time histograms' buckets in seconds, without the last one, `+Inf`.
pub const BUCKET_BOUNDS: [f64; 11] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// Buckets of a time histogram, `+Inf` included.
pub const BUCKETS: usize = BUCKET_BOUNDS.len() + 1;

/// Number of cells of so many groups: one for every group and status.
pub(super) const fn cells(groups: u8) -> usize {
    groups as usize * Status::ALL.len()
}

/// A time histogram as exported: buckets are cumulative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    /// Observations at or below each bound; the last is the count of all.
    pub buckets: [u64; BUCKETS],
    /// Sum of the observations in milliseconds: nginx measures in whole ones.
    pub sum_ms: u64,
}

impl Histogram {
    /// Number of observations.
    pub fn count(&self) -> u64 {
        self.buckets[BUCKETS - 1]
    }

    /// Sum of the observations in seconds.
    pub fn sum_seconds(&self) -> f64 {
        self.sum_ms as f64 / 1000.0
    }
}

/// The series of one group and status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    /// `nginx_ingress_controller_requests`.
    pub requests: u64,
    /// `nginx_ingress_controller_request_duration_seconds`.
    pub request_duration: Histogram,
    /// `nginx_ingress_controller_response_duration_seconds`; lacks requests that reached no pod and those tried again.
    pub response_duration: Histogram,
}

/// Everything that a scrape sees, since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    cells: Vec<Cell>,
}

impl Counters {
    pub(crate) fn new(groups: u8) -> Self {
        Counters {
            cells: vec![Cell::default(); cells(groups)],
        }
    }

    /// The series of a group and status; all zero while not born.
    pub fn cell(&self, group: Group, status: Status) -> &Cell {
        &self.cells[cell_of(group, status)]
    }

    /// The series that exist: those that have counted a request. A histogram is born with its first observation,
    /// so the upstream one may still be missing.
    pub fn born(&self) -> impl Iterator<Item = (Group, Status, &Cell)> {
        (0..(self.cells.len() / Status::ALL.len()) as Group)
            .flat_map(|group| Status::ALL.map(|status| (group, status)))
            .zip(&self.cells)
            .filter(|(_, cell)| cell.requests > 0)
            .map(|((group, status), cell)| (group, status, cell))
    }

    /// Adds requests of one group and status, by bucket; `upstream` says whether a pod answered them.
    pub(crate) fn credit(
        &mut self,
        group: Group,
        status: Status,
        buckets: &[u64; BUCKETS],
        sum_ms: u64,
        upstream: bool,
    ) {
        let cell = &mut self.cells[cell_of(group, status)];
        let add = |histogram: &mut Histogram| {
            let mut below = 0;
            for (bucket, count) in histogram.buckets.iter_mut().zip(buckets) {
                below += count;
                *bucket += below;
            }
            histogram.sum_ms += sum_ms;
        };
        add(&mut cell.request_duration);
        if upstream {
            add(&mut cell.response_duration);
        }
        cell.requests = cell.request_duration.count();
    }

    /// What has been counted since it was `before`.
    pub(crate) fn since(&self, before: &Counters) -> Counters {
        let less = |now: &Histogram, then: &Histogram| Histogram {
            buckets: std::array::from_fn(|bucket| now.buckets[bucket] - then.buckets[bucket]),
            sum_ms: now.sum_ms - then.sum_ms,
        };
        let cells = self.cells.iter().zip(&before.cells);
        Counters {
            cells: cells
                .map(|(now, then)| Cell {
                    requests: now.requests - then.requests,
                    request_duration: less(&now.request_duration, &then.request_duration),
                    response_duration: less(&now.response_duration, &then.response_duration),
                })
                .collect(),
        }
    }

    pub(super) fn cell_mut(&mut self, cell: usize) -> &mut Cell {
        &mut self.cells[cell]
    }
}

/// The number of a cell.
#[inline(always)]
pub(super) fn cell_of(group: Group, status: Status) -> usize {
    usize::from(group) * Status::ALL.len() + status as usize
}
