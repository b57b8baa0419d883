//! Turns what a driver of the engine sees, tick by tick, into the parts of a [`Record`](super::Record).
//!
//! Times arrive on the driver's clock and leave counted from the tick that detected the new revision.

use super::{
    CheckRow, EventRecord, Outcome, QueryRecord, Replicas, RequestTotals, TickRecord, TimelineRow,
};
use crate::canary::{CanaryStatus, Phase};
use crate::engine::{Decision, Event, Ticked};
use crate::time::Timestamp;

/// What has been seen so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recorder {
    ticks: Vec<TickRecord>,
    events: Vec<EventRecord>,
    rows: Vec<TimelineRow>,
    /// Requests served when the last row was set.
    row_base: RequestTotals,
    /// The tick that saw the new revision.
    detected_at: Option<Timestamp>,
    decided_at: Option<Timestamp>,
    finished_at: Option<Timestamp>,
    outcome: Option<Outcome>,
    states: Vec<State>,
}

/// The control plane from `at` on, as the per-second table shows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) at: Timestamp,
    pub(crate) canary_weight: i64,
    pub(crate) primary: Replicas,
    pub(crate) canary: Replicas,
}

/// The world after a tick, as far as it is recorded.
pub(crate) struct AfterTick<'a> {
    pub(crate) at: Timestamp,
    /// When it ended, webhooks included: its weights and decisions are of that moment.
    pub(crate) ended: Timestamp,
    pub(crate) status: &'a CanaryStatus,
    /// Percent for primary and canary.
    pub(crate) weights: (i64, i64),
    pub(crate) primary_replicas: Replicas,
    pub(crate) canary_replicas: Replicas,
    pub(crate) queries: Vec<QueryRecord>,
    /// Requests served since the run began.
    pub(crate) served: RequestTotals,
}

/// What a finished recording hands over, with times counted from the detecting tick.
pub(crate) struct Recording {
    pub(crate) zero: Timestamp,
    pub(crate) ticks: Vec<TickRecord>,
    pub(crate) events: Vec<EventRecord>,
    pub(crate) timeline: Vec<TimelineRow>,
    pub(crate) decided_at: Option<Timestamp>,
    pub(crate) finished_at: Option<Timestamp>,
    pub(crate) outcome: Outcome,
    /// On the driver's clock.
    pub(crate) states: Vec<State>,
}

/// How the first rollout ended, as far as it has; times on the scenario's clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ending {
    pub(crate) detected_at: Option<Timestamp>,
    pub(crate) decided_at: Option<Timestamp>,
    pub(crate) finished_at: Option<Timestamp>,
    pub(crate) outcome: Outcome,
}

impl Recorder {
    /// How it ended, if it were over now.
    pub(crate) fn ending(&self) -> Ending {
        let undecided = if self.detected_at.is_some() {
            Outcome::Undecided
        } else {
            Outcome::NotStarted
        };
        Ending {
            detected_at: self.detected_at,
            decided_at: self.decided_at,
            finished_at: self.finished_at,
            outcome: self.outcome.unwrap_or(undecided),
        }
    }

    /// When the new revision was detected.
    pub(crate) fn detected_at(&self) -> Option<Timestamp> {
        self.detected_at
    }

    /// Takes the control plane's state down, if it differs from the last.
    pub(crate) fn state(&mut self, state: State) {
        let before = self.states.last().copied().unwrap_or_default();
        if (State {
            at: before.at,
            ..state
        }) != before
        {
            self.states.push(state);
        }
    }

    /// Takes an event down.
    pub(crate) fn event(&mut self, at: Timestamp, event: Event) {
        self.events.push(EventRecord {
            at,
            kind: event.kind,
            message: event.message,
        });
    }

    /// Takes a tick down.
    pub(crate) fn tick(&mut self, ticked: &Ticked, after: AfterTick<'_>) {
        let at = after.at;
        if let Some(row) = self.rows.last_mut() {
            row.checks
                .extend(ticked.checks.iter().map(|check| CheckRow {
                    at,
                    metric: check.metric.clone(),
                    source: check.source,
                    value: check.value,
                    bound: check.bound,
                    passed: check.passed,
                }));
        }
        if ticked.decision == Decision::Detected && self.detected_at.is_none() {
            self.detected_at = Some(at);
        }
        if self.detected_at.is_some() {
            if let Some(note) = row_note(ticked) {
                self.close_row(after.served);
                self.rows.push(TimelineRow {
                    at: after.ended,
                    phase: ticked.phase_after,
                    primary_weight: after.weights.0,
                    canary_weight: after.weights.1,
                    canary_share: None,
                    note,
                    checks: Vec::new(),
                });
            }
            self.follow(ticked, after.ended);
        }
        self.ticks.push(TickRecord {
            at,
            phase: ticked.phase_after,
            decision: ticked.decision.as_str().to_owned(),
            primary_weight: after.weights.0,
            canary_weight: after.weights.1,
            failed_checks: after.status.failed_checks,
            iterations: after.status.iterations,
            primary_replicas: after.primary_replicas,
            canary_replicas: after.canary_replicas,
            queries: after.queries,
        });
    }

    /// Ends the recording.
    pub(crate) fn finish(mut self, served: RequestTotals, zero: Timestamp) -> Recording {
        self.close_row(served);
        let zero = self.detected_at.unwrap_or(zero);
        let shift = zero - Timestamp::ZERO;
        let since = |at: Timestamp| at - shift;
        for tick in &mut self.ticks {
            tick.at = since(tick.at);
            for query in &mut tick.queries {
                query.evaluated_at = since(query.evaluated_at);
                for series in query
                    .selectors
                    .iter_mut()
                    .flat_map(|selector| &mut selector.series)
                {
                    series
                        .samples
                        .iter_mut()
                        .for_each(|(at, _)| *at = since(*at));
                }
            }
        }
        self.events
            .iter_mut()
            .for_each(|event| event.at = since(event.at));
        for row in &mut self.rows {
            row.at = since(row.at);
            row.checks
                .iter_mut()
                .for_each(|check| check.at = since(check.at));
        }
        let outcome = self.ending().outcome;
        Recording {
            zero,
            ticks: self.ticks,
            events: self.events,
            timeline: self.rows,
            decided_at: self.decided_at.map(since),
            finished_at: self.finished_at.map(since),
            outcome,
            states: self.states,
        }
    }

    /// Follows the first rollout to its end; what comes after it is recorded but decides nothing.
    fn follow(&mut self, ticked: &Ticked, at: Timestamp) {
        if self.finished_at.is_some() {
            return;
        }
        match ticked.decision {
            Decision::Promoting => self.decided_at = Some(at),
            Decision::Restarted => self.decided_at = None,
            Decision::RolledBack => {
                self.decided_at = Some(at);
                self.outcome = Some(Outcome::RolledBack);
            }
            // Decided when the canary was copied to a primary that then did not get ready.
            Decision::PromotionFailed => {
                self.decided_at.get_or_insert(at);
                self.outcome = Some(Outcome::PromotionFailed);
            }
            Decision::Succeeded => {
                self.decided_at.get_or_insert(at);
                self.outcome = Some(Outcome::Promoted);
            }
            _ => {}
        }
        if matches!(ticked.phase_after, Phase::Succeeded | Phase::Failed) && self.outcome.is_some()
        {
            self.finished_at = Some(at);
        }
    }

    /// Gives the last row the share that its weight came to.
    fn close_row(&mut self, served: RequestTotals) {
        if let Some(row) = self.rows.last_mut() {
            let total = served.total - self.row_base.total;
            let canary = served.canary - self.row_base.canary;
            row.canary_share = (total > 0).then(|| canary as f64 / total as f64);
        }
        self.row_base = served;
    }
}

/// Whether a tick sets a weight or ends something, and the words for it. The outer `None`: no row.
fn row_note(ticked: &Ticked) -> Option<Option<String>> {
    let note = match ticked.decision {
        Decision::Detected => Some("new revision detected"),
        Decision::Restarted => Some("another revision: analysis restarts"),
        Decision::Advanced => None,
        Decision::Promoting => Some("promotion decided"),
        Decision::ShiftedToPrimary => Some("traffic to the new primary"),
        Decision::Succeeded => Some("promoted"),
        Decision::RolledBack => Some("rolled back"),
        Decision::PromotionFailed => Some("promotion failed"),
        _ => return None,
    };
    Some(note.map(str::to_owned))
}
