//! From a world that has run to its record.

use super::clock::{SECOND, nanos};
use super::findings::{Case, findings};
use super::recorder::State;
use super::routing::entry;
use super::world::{Detail, World, interval};
use crate::record::{Delivery, Outcome, Record, SCHEMA_VERSION, TrafficSecond};
use crate::time::{Span, Timestamp};

impl World {
    /// Ends the run and gives its record.
    pub fn finish(mut self) -> Record {
        let scenario = std::sync::Arc::clone(&self.scenario);
        self.path.settle();
        let recording =
            std::mem::take(&mut self.recorder).finish(self.path.totals(), Timestamp::ZERO);
        let canary = &scenario.manifests.canary;
        let mut record = Record {
            schema_version: SCHEMA_VERSION,
            rollcast_version: env!("CARGO_PKG_VERSION").to_owned(),
            scenario_name: scenario.name.clone(),
            scenario: match self.detail {
                Detail::Story => {
                    serde_json::to_value(&*scenario).expect("a scenario has only text keys")
                }
                Detail::Outline => serde_json::Value::Null,
            },
            seed: self.seed,
            rules: scenario.rules,
            provider: Some(self.provider),
            canary: format!("{}.{}", canary.metadata.name, canary.metadata.namespace),
            interval: interval(canary),
            outcome: recording.outcome,
            phase: self.phase(),
            decided_at: recording.decided_at,
            finished_at: recording.finished_at,
            delivery: None,
            ended_at: Timestamp::ZERO + (self.now() - recording.zero),
            timeline: recording.timeline,
            ticks: recording.ticks,
            events: recording.events,
            traffic: self.traffic(recording.zero, &recording.states),
            requests: self.path.totals(),
            latency: self.path.latency(),
            load_tests: self.load_tests(recording.zero),
            findings: Vec::new(),
            replay: None,
        };
        if self.detail == Detail::Outline {
            return record;
        }
        record.delivery = self.delivery(&record, recording.zero);
        record.findings = findings(&Case {
            scenario: &scenario,
            record: &record,
            provider: self.provider,
            entry: entry(&scenario),
            troubles: &self.kubelets.troubles(),
            rules: &self.rules,
        });
        record
    }

    /// The way of the detected commit, if it was one.
    fn delivery(&self, record: &Record, zero: Timestamp) -> Option<Delivery> {
        if record.outcome == Outcome::NotStarted {
            return None;
        }
        let mut delivery = self.pipeline.as_ref()?.delivery(zero)?;
        let decided = record.decided_at;
        delivery.detected_to_decided = decided.map(|at| at - Timestamp::ZERO);
        delivery.decided_to_finished = match (decided, record.finished_at) {
            (Some(decided), Some(finished)) => Some(finished - decided),
            _ => None,
        };
        Some(delivery)
    }

    /// The seconds from `zero` on, each with the state of the control plane at its end.
    fn traffic(&self, zero: Timestamp, states: &[State]) -> Vec<TrafficSecond> {
        let mut states = states.iter().peekable();
        let mut state = State::default();
        let row = |second: super::requests::SecondStats| {
            let at_s = (second.start - nanos(zero)).div_euclid(SECOND);
            let end = zero + Span::from_secs(at_s + 1);
            while let Some(next) = states.next_if(|next| next.at < end) {
                state = *next;
            }
            TrafficSecond {
                at_s,
                requests: second.requests,
                failed: second.failed,
                canary: second.canary,
                canary_failed: second.canary_failed,
                p50_ms: second.p50_ms,
                p99_ms: second.p99_ms,
                canary_weight: state.canary_weight,
                primary_wanted: state.primary.wanted,
                primary_ready: state.primary.ready,
                canary_wanted: state.canary.wanted,
                canary_ready: state.canary.ready,
            }
        };
        self.path
            .seconds(nanos(zero))
            .into_iter()
            .map(row)
            .collect()
    }
}
