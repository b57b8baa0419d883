//! The recorders of all controller pods: each counts the requests of its own workers.

use super::{Counters, IngressPlan, Record, Recorder, ScrapeGrid};
use crate::seed::RunSeed;
use crate::sim::clock::Nanos;
use crate::sim::requests::Answered;

/// One recorder for each controller.
#[derive(Clone, Debug)]
pub(crate) struct Recorders {
    each: Vec<Recorder>,
    /// Workers of one controller.
    workers: u32,
}

impl Recorders {
    pub(crate) fn new(plan: &IngressPlan, grids: &[ScrapeGrid], seed: RunSeed) -> Self {
        let each = (0..plan.controllers)
            .map(|number| Recorder::new(plan, number, grids.get(number as usize).copied(), seed));
        Recorders {
            each: each.collect(),
            workers: plan.workers,
        }
    }

    /// Credits requests that pods answered.
    #[inline]
    pub(crate) fn record(&mut self, answered: Answered) {
        match self.each.as_mut_slice() {
            [only] if only.loses_nothing() => only.record(answered),
            _ => answered
                .records()
                .for_each(|record| self.record_one(&record)),
        }
    }

    /// Credits one request of any kind.
    pub(crate) fn record_one(&mut self, record: &Record) {
        let (recorder, record) = self.owner(record);
        recorder.record_one(&record);
    }

    /// Takes a request back that no scrape has seen yet.
    pub(crate) fn forget(&mut self, record: &Record) {
        let (recorder, record) = self.owner(record);
        recorder.forget(&record);
    }

    /// How often a worker hands its records over, and a moment of each of them at which it does.
    pub(crate) fn flushes(&self) -> (Nanos, Vec<Nanos>) {
        let all: Vec<_> = self.each.iter().map(Recorder::flushes).collect();
        let interval = all.first().map_or(0, |(interval, _)| *interval);
        let phases = all.into_iter().flat_map(|(_, phases)| phases);
        (interval, phases.collect())
    }

    /// A controller's counters as a scrape at `at` sees them.
    pub(crate) fn scrape(&mut self, controller: usize, at: Nanos) -> &Counters {
        self.each[controller].scrape(at)
    }

    /// A controller's counters as its last scrape saw them.
    pub(crate) fn exported(&self, controller: usize) -> &Counters {
        self.each[controller].exported()
    }

    fn owner(&mut self, record: &Record) -> (&mut Recorder, Record) {
        let controller = record.worker / self.workers;
        let record = Record {
            worker: record.worker % self.workers,
            ..*record
        };
        (&mut self.each[controller as usize], record)
    }
}
