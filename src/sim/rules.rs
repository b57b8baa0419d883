//! The recording rules of the simulated Prometheus.
//!
//! Each group runs on a grid of its own, whose phase is drawn: upstream derives it from a hash of the group's file and name
//! (`Group.EvalTimestamp` in `rules/group.go`), which no scenario knows.

use std::collections::BTreeMap;

use rand::RngExt;

use super::event::Event;
use super::queue::Queue;
use crate::promql::rules::{RecordingRule, RuleGroup};
use crate::promql::{Options, Query};
use crate::scenario;
use crate::seed::{Purpose, RunSeed};
use crate::time::{Span, Timestamp};
use crate::tsdb::Storage;

/// The first of the streams that phases are drawn from, one a group.
const PHASES: u64 = 1 << 32;

/// Rule groups, and what went wrong with them.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    groups: Vec<RuleGroup>,
    /// How far back their queries look.
    reach: Span,
    /// By the name a rule records under: when it first could not, and why.
    failed: BTreeMap<String, (Timestamp, String)>,
}

impl Rules {
    /// Groups whose series live in `storage`.
    pub(super) fn new(
        groups: &[scenario::RuleGroup],
        options: &Options,
        seed: RunSeed,
        storage: &mut Storage,
    ) -> Rules {
        let mut reach = Span::ZERO;
        let mut compiled = |rule: &scenario::RecordingRule| {
            let query = Query::compile(&rule.expr, options).expect("loading checked the query");
            reach = reach.max(query.longest_reach().unwrap_or(Span::ZERO));
            let labels = rule.labels.iter();
            RecordingRule {
                record: rule.record.clone(),
                query,
                labels: labels
                    .map(|(name, value)| (name.clone(), value.clone()))
                    .collect(),
            }
        };
        let groups = groups.iter().zip(PHASES..).map(|(group, entity)| {
            let rules: Vec<RecordingRule> = group.rules.iter().map(&mut compiled).collect();
            let phase = seed
                .stream(Purpose::Phases, entity)
                .random_range(0..group.interval.as_millis());
            RuleGroup::new(group.interval, Span::from_millis(phase), rules, storage)
        });
        Rules {
            groups: groups.collect(),
            reach,
            failed: BTreeMap::new(),
        }
    }

    /// How far back their queries look.
    pub(super) fn reach(&self) -> Span {
        self.reach
    }

    /// Puts the first evaluation of each group in.
    pub(super) fn start(&self, now: Timestamp, queue: &mut Queue<Event>) {
        for (index, group) in self.groups.iter().enumerate() {
            queue.push(group.next_after(now), Event::Rules(index));
        }
    }

    /// Evaluates a group, and puts its next evaluation in.
    pub(super) fn evaluate(
        &mut self,
        index: usize,
        storage: &mut Storage,
        now: Timestamp,
        queue: &mut Queue<Event>,
    ) {
        let group = &mut self.groups[index];
        for error in group.evaluate(storage, now) {
            let why = error.to_string();
            self.failed.entry(error.record).or_insert((now, why));
        }
        queue.push(group.next_after(now), Event::Rules(index));
    }

    /// Leaves an evaluation out, and puts the next one in.
    pub(super) fn skip(&mut self, index: usize, now: Timestamp, queue: &mut Queue<Event>) {
        queue.push(self.groups[index].next_after(now), Event::Rules(index));
    }

    /// By the name a rule records under: when it first could not be recorded, and why.
    pub(super) fn failed(&self) -> &BTreeMap<String, (Timestamp, String)> {
        &self.failed
    }
}
