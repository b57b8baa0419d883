//! Records that never reach the exporter.
//!
//! A worker keeps at most `MAX_BATCH_SIZE` records between two flushes; beyond, requests are dropped from all metrics
//! (`rootfs/etc/nginx/lua/monitor.lua`). A reload ends its workers: a flush that their end brings about sends nothing, so
//! what they had since the last one is lost, and so are the requests that they finish after it. A restart of the controller
//! loses all that Prometheus has not seen by then.
//!
//! A model: of a full batch the requests that arrived last are dropped, upstream those that were completed last.

use std::collections::BTreeMap;

use crate::sim::clock::{Nanos, Tick, moment};

/// `MAX_BATCH_SIZE` of monitor.lua.
pub(crate) const BATCH_LIMIT: u32 = 10_000;

/// Flushes of a worker whose size is remembered.
const REMEMBERED: usize = 512;

/// What is lost of one controller's records.
#[derive(Clone, Debug)]
pub(super) struct Losses {
    reloads: Vec<Tick>,
    restarts: Vec<Restart>,
    limit: Option<u32>,
    /// By worker: records in each flush, by its number.
    batches: Vec<BTreeMap<i64, u32>>,
}

/// A controller's process ends, and another begins to count.
#[derive(Clone, Copy, Debug)]
pub(super) struct Restart {
    /// When.
    pub(super) at: Tick,
    /// The last scrape before.
    pub(super) seen: Nanos,
}

impl Losses {
    /// `None` where nothing can be lost. `limit` is that of a batch, where requests are so many that it may count.
    pub(super) fn new(
        reloads: &[Tick],
        restarts: Vec<Restart>,
        limit: Option<u32>,
        workers: u32,
    ) -> Option<Self> {
        (limit.is_some() || !reloads.is_empty() || !restarts.is_empty()).then(|| Losses {
            reloads: reloads.to_vec(),
            restarts,
            limit,
            batches: vec![BTreeMap::new(); workers as usize],
        })
    }

    /// Whether the record of a request is lost, whose worker flushes at `phase` and every `interval` after.
    pub(super) fn takes(
        &mut self,
        (worker, phase, interval): (u32, Nanos, Nanos),
        arrival: Tick,
        completion: Tick,
    ) -> bool {
        let flush = |at: Tick| (moment(at) - phase).div_euclid(interval);
        let by_reload = self.reloads.iter().any(|&reload| {
            arrival <= reload && (completion > reload || flush(completion) == flush(reload))
        });
        let by_restart = self.restarts.iter().any(|restart| {
            let last_seen = restart.seen - (restart.seen - phase).rem_euclid(interval);
            arrival <= restart.at && moment(completion) > last_seen
        });
        by_reload || by_restart || self.beyond_the_limit(worker, flush(completion))
    }

    fn beyond_the_limit(&mut self, worker: u32, flush: i64) -> bool {
        let Some(limit) = self.limit else {
            return false;
        };
        let batches = &mut self.batches[worker as usize];
        let batch = batches.entry(flush).or_default();
        *batch += 1;
        let beyond = *batch > limit;
        if batches.len() > REMEMBERED {
            batches.pop_first();
        }
        beyond
    }
}
