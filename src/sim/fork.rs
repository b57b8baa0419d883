//! One warm-up for several runs, and runs in brief: what studies of many runs need of a world.
//!
//! Until the first push nothing depends on what the pushed version will be like, nor on how the Canary's analysis will
//! judge it. Scenarios that differ in nothing else have, under one seed, one and the same world at time zero: it is warmed
//! up once, copied, and each copy goes on [as another scenario](World::turn_into). What comes of it is what a run from the
//! start would have been, to the bit.

use std::sync::Arc;

use serde_json::{Value, json};

use super::compiled::Compiled;
use super::world::{Detail, World};
use crate::engine::Object;
use crate::record::{Outcome, RequestTotals};
use crate::time::{Span, Timestamp};

/// How a run ended, and what it cost until then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Brief {
    /// How it ended.
    pub outcome: Outcome,
    /// When promotion (the copy) or rollback was decided, from the tick that detected the new revision.
    pub decided_at: Option<Timestamp>,
    /// When the phase became Succeeded or Failed, from the same tick.
    pub finished_at: Option<Timestamp>,
    /// Requests of users from that tick until now.
    pub requests: RequestTotals,
    /// How long that is.
    pub lasted: Span,
}

/// Keys of a Canary's analysis that are read only when a new revision is judged.
const JUDGEMENT: [&str; 6] = [
    "threshold",
    "maxWeight",
    "stepWeight",
    "stepWeights",
    "stepWeightPromotion",
    "iterations",
];
/// The same of one of its metrics.
const BOUNDS: [&str; 3] = ["threshold", "thresholdRange", "interval"];

impl Compiled {
    /// The scenario.
    pub fn scenario(&self) -> &crate::scenario::Scenario {
        &self.scenario
    }

    /// Everything that a warm-up depends on besides the seed: scenarios of one key share it.
    pub fn warm_up_key(&self) -> String {
        let mut key = serde_json::to_value(&*self.scenario).expect("a scenario has only text keys");
        for name in ["name", "title", "expect", "assumptions"] {
            key[name] = Value::Null;
        }
        key["run"]["seed"] = Value::Null;
        for (name, version) in entries(&mut key["versions"]) {
            // The variables of what is not yet there: its pods' failures among them.
            if *name != self.scenario.initial_version {
                version["env"] = Value::Null;
            }
        }
        for event in elements(&mut key["events"]) {
            for kind in ["push", "commit"] {
                if event["action"].get(kind).is_some() {
                    event["action"][kind] = json!("*");
                }
            }
        }
        let analysis = &mut key["manifests"]["canary"]["spec"]["analysis"];
        remove(analysis, &JUDGEMENT);
        for metric in elements(&mut analysis["metrics"]) {
            remove(metric, &BOUNDS);
        }
        key.to_string()
    }

    /// The world under a seed when its warm-up is over, before anything happens at time zero.
    pub fn warmed_up(&self, seed: u64) -> World {
        let mut world = self.world(seed);
        world.run_until(Timestamp::ZERO);
        world
    }
}

impl World {
    /// Goes on as the world of another scenario, of the same [key](Compiled::warm_up_key), under the same seed. To be done
    /// before time zero has begun.
    pub fn turn_into(&mut self, other: &Compiled) {
        self.scenario = Arc::clone(&other.scenario);
        self.revisions = other.revisions.clone();
        if let Some(Object::Canary(canary)) = self.cluster.get_mut(&self.canary) {
            canary.spec = self.scenario.manifests.canary.spec.clone();
        }
    }

    /// Whether the first rollout has come to its end: what follows changes neither outcome nor times.
    pub fn is_settled(&self) -> bool {
        self.recorder.ending().finished_at.is_some()
    }

    /// Runs until the rollout has ended, or to the horizon, and says what came of it.
    pub fn run_to_end(&mut self) -> Brief {
        while !self.is_settled() && self.step() {}
        self.path.settle();
        let ending = self.recorder.ending();
        let zero = ending.detected_at.unwrap_or(Timestamp::ZERO);
        let since = |at: Timestamp| Timestamp::ZERO + (at - zero);
        Brief {
            outcome: ending.outcome,
            decided_at: ending.decided_at.map(since),
            finished_at: ending.finished_at.map(since),
            requests: self.path.totals(),
            lasted: self.now() - zero,
        }
    }
}

/// The runs of scenarios of one [key](Compiled::warm_up_key) under a seed, from one warm-up, in their order.
pub fn briefs(of: &[&Compiled], seed: u64) -> Vec<Brief> {
    let Some((last, others)) = of.split_last() else {
        return Vec::new();
    };
    let mut warm = last.warmed_up(seed);
    warm.detail = Detail::Outline;
    // Queries are compiled once: they are the same in all of these worlds, or have other texts.
    let mut queries = std::mem::take(&mut warm.queries);
    let mut runs: Vec<Brief> = Vec::with_capacity(of.len());
    for other in others {
        let mut world = warm.clone();
        world.turn_into(other);
        world.queries = queries;
        runs.push(world.run_to_end());
        queries = world.queries;
    }
    warm.queries = queries;
    runs.push(warm.run_to_end());
    runs
}

fn entries(value: &mut Value) -> impl Iterator<Item = (&String, &mut Value)> {
    value.as_object_mut().into_iter().flatten()
}

fn elements(value: &mut Value) -> impl Iterator<Item = &mut Value> {
    value.as_array_mut().into_iter().flatten()
}

fn remove(object: &mut Value, keys: &[&str]) {
    if let Some(object) = object.as_object_mut() {
        for key in keys {
            object.remove(*key);
        }
    }
}
