//! What the stages of the hot loop hand on.

use super::block::LENGTH;
use crate::sim::clock::Tick;
use crate::sim::ingress::{Endpoint, Record, Status};

/// What is found out about the requests of a block, by request.
#[derive(Clone, Debug)]
pub(super) struct Batch {
    /// The nginx worker it falls on.
    pub(super) worker: Box<[u32; LENGTH]>,
    /// The pod it goes to.
    pub(super) endpoint: Box<[Endpoint; LENGTH]>,
    /// Whether the pod fails it.
    pub(super) failed: Box<[bool; LENGTH]>,
    /// How long it is worked on; once it has got a slot, when it is done.
    pub(super) time: Box<[u64; LENGTH]>,
}

impl Batch {
    pub(super) fn new() -> Self {
        Batch {
            worker: Box::new([0; LENGTH]),
            endpoint: Box::new([Endpoint::NONE; LENGTH]),
            failed: Box::new([false; LENGTH]),
            time: Box::new([0; LENGTH]),
        }
    }

    /// The requests that arrived at `arrivals`, all of which are done.
    pub(super) fn answered<'a>(&'a self, arrivals: &'a [Tick]) -> Answered<'a> {
        let n = arrivals.len();
        Answered {
            workers: &self.worker[..n],
            endpoints: &self.endpoint[..n],
            failed: &self.failed[..n],
            arrivals,
            completions: &self.time[..n],
        }
    }
}

/// Requests that pods have answered at the first attempt, by request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answered<'a> {
    /// The nginx worker it fell on.
    pub(crate) workers: &'a [u32],
    /// The pod it went to.
    pub(crate) endpoints: &'a [Endpoint],
    /// Whether the pod failed it.
    pub(crate) failed: &'a [bool],
    /// When it arrived.
    pub(crate) arrivals: &'a [Tick],
    /// When it was done.
    pub(crate) completions: &'a [Tick],
}

impl Answered<'_> {
    /// The requests one by one, as the ingress records them.
    pub(crate) fn records(&self) -> impl Iterator<Item = Record> {
        (0..self.arrivals.len()).map(|request| Record {
            worker: self.workers[request],
            group: self.endpoints[request].group,
            status: if self.failed[request] {
                Status::InternalError
            } else {
                Status::Ok
            },
            arrival: self.arrivals[request],
            completion: self.completions[request],
            upstream: true,
        })
    }
}
