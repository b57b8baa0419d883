//! From requests to counters: which scrape sees which request.
//!
//! nginx records a request when it completes; the record stays with its worker until the worker's next flush and is in the
//! exporter's counters from then on. Since a completion is known when the request arrives, the request is credited there
//! and then to the scrape that will see it first: the next one, the one after, or a list of late ones. No event per
//! request and no search: all that is needed of a worker is its last flush before each of the two scrapes.
//!
//! nginx measures times in whole milliseconds, as the difference of two clock readings that are each cut off
//! (`ngx_http_variable_request_time`), so a request that takes 5.4 ms is reported as 5 or 6.

use std::sync::LazyLock;

use super::counters::{BUCKET_BOUNDS, Counters, Histogram, cell_of, cells};
use super::losses::{Losses, Restart};
use super::{Group, IngressPlan, ScrapeGrid, Status};
use crate::seed::{Purpose, RunSeed};
use crate::sim::clock::{NEVER, Nanos, Tick, millisecond, tick};
use crate::sim::requests::Answered;
use rand_xoshiro::rand_core::Rng;

/// Scrapes that requests are credited to directly.
const WINDOWS: usize = 2;

/// Every window is kept so many times, and neighbouring requests count in different copies: most requests count in the
/// same few places, and an addition that waits for the one before it costs more than all else here.
const COPIES: usize = 4;

/// Counters kept for a cell and window: the buckets, and some that keep cells apart.
const STRIDE: usize = 16;

/// A counter holds the requests of a bucket above this bit and the sum of their milliseconds below it, so that a request is
/// one addition: room for 67 million requests of one scrape window, and for 76,000 hours of theirs.
const COUNT_BIT: u32 = 38;
const ONE: u64 = 1 << COUNT_BIT;

/// Entities of the streams that flush phases are drawn from start here.
const FLUSH_PHASES: u64 = 1 << 32;

/// One more than the largest number of milliseconds that has a bucket of its own.
const LAST_BOUND_MS: u64 = 10_000;

/// Bucket by milliseconds, up to the last bound and one more.
static BUCKET_BY_MS: LazyLock<Vec<u8>> =
    LazyLock::new(|| (0..=LAST_BOUND_MS + 1).map(bucket_of).collect());

#[derive(Clone, Debug)]
pub(crate) struct Recorder {
    records: bool,
    cells: usize,
    status_classes: bool,
    losses: Option<Losses>,
    flush_interval: Nanos,
    /// Time of a flush of each worker; the others are whole intervals away.
    phases: Vec<Nanos>,
    grid: Option<ScrapeGrid>,
    next_scrape: Nanos,
    /// By worker: the last flush before the next scrape and before the one after it.
    last_flush: Vec<[Tick; WINDOWS]>,
    /// By window, copy and cell: [`STRIDE`] counters.
    windows: Vec<u64>,
    /// By window and cell: the same of requests without an upstream time.
    blind: [Box<[u64]>; WINDOWS],
    /// Requests that no scrape of the two sees.
    late: Vec<Late>,
    /// What the scrapes so far have seen.
    exported: Counters,
}

/// A request as the ingress records it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record {
    pub(crate) worker: u32,
    pub(crate) group: Group,
    pub(crate) status: Status,
    pub(crate) arrival: Tick,
    pub(crate) completion: Tick,
    /// Whether its upstream time is a number, and so is observed.
    pub(crate) upstream: bool,
}

/// A request that completes after the scrape after next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Late {
    completion: Tick,
    worker: u32,
    place: Place,
}

/// What a request adds where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    cell: usize,
    bucket: usize,
    ms: u64,
    upstream: bool,
}

impl Recorder {
    /// The recorder of the controller with this number.
    pub(crate) fn new(
        plan: &IngressPlan,
        controller: u32,
        grid: Option<ScrapeGrid>,
        seed: RunSeed,
    ) -> Self {
        let cells = cells(plan.groups);
        let first = u64::from(controller) * u64::from(plan.workers);
        let reloads: Vec<Tick> = plan.reloads.iter().map(|&at| tick(at)).collect();
        let restarts = plan.restarts.iter().filter_map(|&at| {
            let grid = grid?;
            Some(Restart {
                at: tick(at),
                seen: at - (at - grid.first).rem_euclid(grid.interval),
            })
        });
        let phases = (first..first + u64::from(plan.workers))
            .map(|worker| {
                let draw = seed
                    .stream(Purpose::Phases, FLUSH_PHASES + worker)
                    .next_u64();
                (draw % plan.flush_interval as u64) as Nanos
            })
            .collect();
        let mut recorder = Recorder {
            records: plan.records,
            cells,
            status_classes: plan.status_classes,
            losses: Losses::new(&reloads, restarts.collect(), plan.batch_limit, plan.workers),
            flush_interval: plan.flush_interval,
            phases,
            grid,
            next_scrape: grid.map_or(Nanos::MAX, |grid| grid.first),
            last_flush: vec![[NEVER; WINDOWS]; plan.workers as usize],
            windows: vec![0; WINDOWS * COPIES * cells * STRIDE],
            blind: std::array::from_fn(|_| vec![0; cells * STRIDE].into()),
            late: Vec::new(),
            exported: Counters::new(plan.groups),
        };
        recorder.aim();
        recorder
    }

    /// How often a worker hands its records over, and a moment of each at which it does.
    pub(crate) fn flushes(&self) -> (Nanos, Vec<Nanos>) {
        (self.flush_interval, self.phases.clone())
    }

    /// Whether every record reaches the exporter.
    pub(crate) fn loses_nothing(&self) -> bool {
        self.losses.is_none()
    }

    /// Credits requests that pods answered to the scrapes that will see them.
    pub(crate) fn record(&mut self, answered: Answered) {
        let requests = answered.workers.iter().zip(answered.endpoints);
        let requests = requests.zip(answered.failed);
        let times = answered.arrivals.iter().zip(answered.completions);
        let cells = self.cells;
        let windows = &mut self.windows[..];
        let last_flush = &self.last_flush[..];
        let bucket_by_ms = &BUCKET_BY_MS[..];
        for (request, (((worker, endpoint), failed), (arrival, completion))) in
            requests.zip(times).enumerate()
        {
            let status = if *failed {
                Status::InternalError
            } else {
                Status::Ok
            };
            let cell = cell_of(endpoint.group, status);
            let ms = millisecond(*completion) - millisecond(*arrival);
            let bucket = usize::from(bucket_by_ms[ms.min(LAST_BOUND_MS + 1) as usize]);
            let [next, after] = last_flush[*worker as usize];
            let window = usize::from(*completion > next) + usize::from(*completion > after);
            if window < WINDOWS {
                let start = start_of(cells, window, request % COPIES, cell);
                let counters = &mut windows[start..start + STRIDE];
                counters[bucket] = counters[bucket].wrapping_add(ONE + ms);
            } else {
                self.late.push(Late {
                    completion: *completion,
                    worker: *worker,
                    place: Place {
                        cell,
                        bucket,
                        ms,
                        upstream: true,
                    },
                });
            }
        }
    }

    /// Credits one request of any kind.
    pub(crate) fn record_one(&mut self, record: &Record) {
        if self.loses(record) {
            return;
        }
        let place = self.place(record);
        match self.window(record.worker, record.completion) {
            Some(window) => self.credit(window, place, 1),
            None => self.late.push(Late {
                completion: record.completion,
                worker: record.worker,
                place,
            }),
        }
    }

    /// Takes a request back that no scrape has seen yet.
    pub(crate) fn forget(&mut self, record: &Record) {
        if self.loses(record) {
            return;
        }
        let place = self.place(record);
        match self.window(record.worker, record.completion) {
            Some(window) => self.credit(window, place, -1),
            None => {
                let entry = Late {
                    completion: record.completion,
                    worker: record.worker,
                    place,
                };
                if let Some(index) = self.late.iter().position(|late| *late == entry) {
                    self.late.swap_remove(index);
                }
            }
        }
    }

    /// The counters as the scrape at `at` sees them.
    ///
    /// To be called at every time of the grid, whether or not the answer arrives anywhere: only two scrapes ahead are
    /// counted in place. Panics if `at` is not the grid's next time or a later one.
    pub(crate) fn scrape(&mut self, at: Nanos) -> &Counters {
        let Some(grid) = self.grid.filter(|_| self.records) else {
            return &self.exported;
        };
        assert!(
            at >= self.next_scrape && (at - grid.first) % grid.interval == 0,
            "a scrape at {at} ns is not on the grid or out of order"
        );
        while self.next_scrape <= at {
            self.export_next_window();
            self.next_scrape += grid.interval;
            self.aim();
            self.credit_late();
        }
        &self.exported
    }

    /// The counters as the last scrape saw them.
    pub(crate) fn exported(&self) -> &Counters {
        &self.exported
    }

    /// Adds the first window to what is exported; the second becomes the first.
    fn export_next_window(&mut self) {
        let window = COPIES * self.cells * STRIDE;
        let mut sums = vec![[0u64; STRIDE]; self.cells];
        let first = self.windows[..window].chunks_exact(STRIDE).enumerate();
        for (number, counters) in first {
            for (sum, counter) in sums[number % self.cells].iter_mut().zip(counters) {
                // A copy may be below zero by what was taken back from another.
                *sum = sum.wrapping_add(*counter);
            }
        }
        let blind = self.blind[0].as_chunks::<STRIDE>().0;
        for (cell, (counters, blind)) in sums.iter().zip(blind).enumerate() {
            let exported = self.exported.cell_mut(cell);
            add(&mut exported.request_duration, counters);
            exported.requests = exported.request_duration.count();
            let seen = std::array::from_fn(|bucket| counters[bucket].wrapping_sub(blind[bucket]));
            add(&mut exported.response_duration, &seen);
        }
        self.windows.copy_within(window.., 0);
        self.windows[window..].fill(0);
        self.blind.swap(0, 1);
        self.blind[1].fill(0);
    }

    /// Finds each worker's last flush before the next two scrapes.
    fn aim(&mut self) {
        let Some(grid) = self.grid else {
            return;
        };
        for (last_flush, phase) in self.last_flush.iter_mut().zip(&self.phases) {
            for (window, last_flush) in last_flush.iter_mut().enumerate() {
                let scrape = self.next_scrape + window as Nanos * grid.interval;
                *last_flush = tick(scrape - (scrape - phase).rem_euclid(self.flush_interval));
            }
        }
    }

    /// Credits late requests that the scrape after next sees by now.
    fn credit_late(&mut self) {
        let mut late = std::mem::take(&mut self.late);
        late.retain(|late| {
            let window = self.window(late.worker, late.completion);
            if let Some(window) = window {
                self.credit(window, late.place, 1);
            }
            window.is_none()
        });
        self.late = late;
    }

    /// The window of the scrape that sees a completion first; `None` if neither does.
    fn window(&self, worker: u32, completion: Tick) -> Option<usize> {
        let last_flush = &self.last_flush[worker as usize];
        last_flush.iter().position(|&last| completion <= last)
    }

    /// Whether a record never reaches the exporter.
    fn loses(&mut self, record: &Record) -> bool {
        let worker = record.worker;
        let flush = (worker, self.phases[worker as usize], self.flush_interval);
        self.losses
            .as_mut()
            .is_some_and(|losses| losses.takes(flush, record.arrival, record.completion))
    }

    fn place(&self, record: &Record) -> Place {
        let status = if self.status_classes {
            record.status.class()
        } else {
            record.status
        };
        let ms = millisecond(record.completion) - millisecond(record.arrival);
        Place {
            cell: cell_of(record.group, status),
            bucket: BUCKET_BY_MS[ms.min(LAST_BOUND_MS + 1) as usize].into(),
            ms,
            upstream: record.upstream,
        }
    }

    /// Adds a request to a window, or takes it back with a `sign` of -1.
    fn credit(&mut self, window: usize, place: Place, sign: i64) {
        let add = |counters: &mut [u64], start: usize| {
            let counters = &mut counters[start..start + STRIDE];
            let request = (ONE + place.ms) as i64;
            counters[place.bucket] = counters[place.bucket].wrapping_add_signed(sign * request);
        };
        add(
            &mut self.windows,
            start_of(self.cells, window, 0, place.cell),
        );
        if !place.upstream {
            add(&mut self.blind[window], place.cell * STRIDE);
        }
    }
}

/// Where the counters of a cell start.
#[inline(always)]
fn start_of(cells: usize, window: usize, copy: usize, cell: usize) -> usize {
    ((window * COPIES + copy) * cells + cell) * STRIDE
}

/// Adds a window's counters to a cumulative histogram.
fn add(histogram: &mut Histogram, counters: &[u64; STRIDE]) {
    let mut below = 0;
    for (bucket, counter) in histogram.buckets.iter_mut().zip(counters) {
        below += counter >> COUNT_BIT;
        *bucket += below;
        histogram.sum_ms += counter & (ONE - 1);
    }
}

/// The bucket that a time in milliseconds falls into.
fn bucket_of(ms: u64) -> u8 {
    BUCKET_BOUNDS.partition_point(|&bound| bound < ms as f64 / 1000.0) as u8
}
