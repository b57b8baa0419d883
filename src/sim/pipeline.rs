//! From a commit to a new pod template: CI builds an image, Flux sees it, writes it into Git, fetches that and applies it.
//!
//! Each stage takes a time, or is a loop with a period and a phase of its own that gets to the change at its next round.
//! Follows the controllers of Flux 2 as their documentation has them: ImageRepository (`spec.interval`, scan),
//! ImageUpdateAutomation (commit), GitRepository (`spec.interval`, poll), Kustomization (applies a new revision when it is
//! fetched, and everything again every `spec.interval`). Left out: failures of any stage, image policies other than
//! "the newest", several commits in one image commit.

use rand::{Rng, RngExt};

use super::event::Event;
use super::routing::next_on_grid;
use super::sampling::{TableIx, Tables};
use super::world::World;
use crate::engine::Object;
use crate::record::Delivery;
use crate::scenario::{self, Distribution, Scenario};
use crate::seed::{Purpose, RunSeed, Stream};
use crate::time::{Span, Timestamp};

/// Entity of the pipeline's streams.
const PIPELINE: u64 = 40;

/// The pipeline of a scenario, and what it has carried.
#[derive(Clone, Debug)]
pub(super) struct Pipeline {
    stages: [Stage; 5],
    tables: Tables,
    draws: Stream,
    reapply: Option<Span>,
    commits: Vec<Commit>,
    /// The version that Git asks for in the cluster, as last fetched.
    in_git: String,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    Takes(TableIx),
    Every { period: Span, phase: Span },
}

#[derive(Clone, Debug)]
struct Commit {
    version: String,
    committed: Timestamp,
    /// The ends of the five stages.
    ends: [Timestamp; 5],
    applied: bool,
}

impl Pipeline {
    /// The pipeline of a scenario that has one.
    pub(super) fn new(scenario: &Scenario, seed: RunSeed) -> Option<Self> {
        let pipeline = scenario.pipeline.as_ref()?;
        let stages = [
            &pipeline.build,
            &pipeline.image_scan,
            &pipeline.image_automation,
            &pipeline.git_poll,
            &pipeline.kustomization,
        ];
        let mut phases = seed.stream(Purpose::Phases, PIPELINE);
        let nothing = Distribution::Constant { ns: 1 };
        let times = stages.map(|stage| match stage {
            scenario::Stage::Takes(distribution) => distribution.clone(),
            scenario::Stage::Every(_) => nothing.clone(),
        });
        let (tables, compiled) = Tables::compile(&times);
        let mut compiled = compiled.into_iter();
        let stages = stages.map(|stage| {
            let table = compiled.next().expect("a table for each");
            // Each stage takes a phase, so that one loop more or less shifts no other.
            let phase = phases.next_u64() >> 1;
            match stage {
                scenario::Stage::Takes(_) => Stage::Takes(table),
                scenario::Stage::Every(period) => Stage::Every {
                    period: *period,
                    phase: Span::from_millis(phase as i64 % period.as_millis()),
                },
            }
        });
        Some(Pipeline {
            stages,
            tables,
            draws: seed.stream(Purpose::ControlPlane, PIPELINE),
            reapply: pipeline.reapply_interval,
            commits: Vec::new(),
            in_git: scenario.initial_version.clone(),
        })
    }

    /// When the Kustomization first applies everything again, if it does.
    pub(super) fn first_reapply(&mut self, now: Timestamp) -> Option<Timestamp> {
        let interval = self.reapply?;
        let phase = self.draws.random_range(1..=interval.as_millis());
        Some(now + Span::from_millis(phase))
    }

    /// Sends a commit on its way. Says which it is and when it is applied.
    fn commit(&mut self, version: &str, now: Timestamp) -> (usize, Timestamp) {
        let mut at = now;
        let ends = self.stages.map(|stage| {
            let word = self.draws.next_u64();
            at = match stage {
                Stage::Takes(table) => {
                    let ns = self.tables.value(table, word) as i64;
                    at + Span::from_millis(ns / 1_000_000)
                }
                Stage::Every { period, phase } => next_on_grid(at, period, phase),
            };
            at
        });
        self.commits.push(Commit {
            version: version.to_owned(),
            committed: now,
            ends,
            applied: false,
        });
        (self.commits.len() - 1, at)
    }

    /// The Kustomization applies a commit; `None` if Git has a newer one by now.
    fn apply(&mut self, index: usize) -> Option<String> {
        if self.commits[index + 1..].iter().any(|newer| newer.applied) {
            return None;
        }
        let commit = &mut self.commits[index];
        commit.applied = true;
        self.in_git.clone_from(&commit.version);
        Some(commit.version.clone())
    }

    /// The commit that a tick at `detected` has seen, counted from that tick.
    pub(super) fn delivery(&self, detected: Timestamp) -> Option<Delivery> {
        let seen = |commit: &&Commit| commit.applied && commit.ends[4] <= detected;
        let commit = self.commits.iter().rev().find(seen)?;
        let since = |at: Timestamp| Timestamp::ZERO + (at - detected);
        let [built, scanned, written, fetched, applied] = commit.ends.map(since);
        Some(Delivery {
            version: commit.version.clone(),
            committed_at: since(commit.committed),
            built_at: built,
            scanned_at: scanned,
            image_committed_at: written,
            fetched_at: fetched,
            applied_at: applied,
            commit_to_detected: detected - commit.committed,
            detected_to_decided: None,
            decided_to_finished: None,
        })
    }
}

impl World {
    /// Someone commits a version.
    pub(super) fn commit(&mut self, version: &str) {
        let pipeline = self.pipeline.as_mut().expect("loading checked it is there");
        let (index, applied) = pipeline.commit(version, self.now);
        self.queue.push(applied, Event::CommitApplied(index));
    }

    /// The Kustomization applies a commit.
    pub(super) fn commit_applied(&mut self, index: usize) {
        let pipeline = self.pipeline.as_mut().expect("it carried the commit");
        if let Some(version) = pipeline.apply(index) {
            self.push_version(&version);
        }
    }

    /// The Kustomization applies everything again: what was changed by hand is undone.
    pub(super) fn reapply(&mut self) {
        let pipeline = self.pipeline.as_ref().expect("it applies");
        let version = pipeline.in_git.clone();
        if let Some(interval) = pipeline.reapply {
            self.queue.push(self.now + interval, Event::Reapply);
        }
        let target = self.cluster.get(self.routing.target());
        let drifted = match target {
            Some(Object::Deployment(deployment)) => self
                .revisions
                .template(&version)
                .is_some_and(|template| *template != deployment.spec.template),
            _ => false,
        };
        if drifted {
            self.push_version(&version);
        }
    }

    /// The target Deployment gets this version's pod template.
    pub(super) fn push_version(&mut self, version: &str) {
        let target = self.routing.target().clone();
        let template = self
            .revisions
            .template(version)
            .expect("loading checked the version's name")
            .clone();
        if let Some(Object::Deployment(deployment)) = self.cluster.get(&target) {
            let mut deployment = deployment.clone();
            deployment.spec.template = template;
            self.cluster.apply(deployment.into());
            self.react();
        }
    }
}
