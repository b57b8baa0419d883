//! Records as the simulator might leave them, small and made by hand, for tests of what reads records.

use rollcast::canary::{Phase, Provider, Rules};
use rollcast::engine::{Bound, EventType, QuerySource};
use rollcast::record::{
    CheckRow, EventRecord, Finding, Latency, Outcome, QueryRecord, Record, Replicas, RequestTotals,
    SCHEMA_VERSION, SelectorSeen, SeriesSeen, TickRecord, TimelineRow, TrafficSecond,
};
use rollcast::time::{Span, Timestamp};
use serde_json::json;

pub(crate) const SUCCESS: &str = "request-success-rate";
pub(crate) const DURATION: &str = "request-duration";

/// The runbook's first timeline: every check passes.
pub(crate) fn healthy() -> Record {
    let mut story = Story::new("healthy", "a good release", Rules::Runbook);
    story.warm_up();
    story.weight(0, Phase::Progressing, 0, Some("new revision detected"));
    story.normal(
        0,
        "New revision detected! Scaling up load-harness.applications",
    );
    story.normal(30, "Starting canary analysis for load-harness.applications");
    for step in 1..=5 {
        let at = 30 * step;
        story.weight(at, Phase::Progressing, 10 * step, None);
        story.normal(
            at,
            &format!(
                "Advance load-harness.applications canary weight {}",
                10 * step
            ),
        );
        story.check(at + 30, SUCCESS, Some(100.0), Bound::Min(99.0));
        story.check(at + 30, DURATION, Some(64.25), Bound::Max(500.0));
    }
    story.weight(180, Phase::Promoting, 100, Some("promotion decided"));
    story.normal(
        180,
        "Copying load-harness.applications template spec to load-harness-primary.applications",
    );
    story.normal(210, "Routing all traffic to primary");
    story.weight(
        210,
        Phase::Finalising,
        0,
        Some("all traffic to the primary"),
    );
    story.normal(
        240,
        "Promotion completed! Scaling down load-harness.applications",
    );
    story.end(
        Outcome::Promoted,
        Phase::Succeeded,
        Some(180),
        Some(240),
        0.0,
    )
}

/// The runbook's second timeline: FAIL_RATE=0.3, rolled back on the first failed check.
pub(crate) fn chaos30() -> Record {
    let mut story = Story::new("chaos30", "FAIL_RATE=0.3 drill", Rules::Runbook);
    story.warm_up();
    story.weight(0, Phase::Progressing, 0, Some("new revision detected"));
    story.normal(
        0,
        "New revision detected! Scaling up load-harness.applications",
    );
    story.normal(30, "Starting canary analysis for load-harness.applications");
    story.weight(30, Phase::Progressing, 10, None);
    story.normal(30, "Advance load-harness.applications canary weight 10");
    story.check(60, SUCCESS, Some(70.2074), Bound::Min(99.0));
    story.truth(70.0);
    story.warning(
        60,
        "Halt advancement load-harness.applications request-success-rate 70.21 < 99",
    );
    story.warning(
        60,
        "Rolling back load-harness.applications failed checks threshold reached 1",
    );
    story.warning(60, "Canary failed! Scaling down load-harness.applications");
    story.weight(60, Phase::Failed, 0, Some("rolled back"));
    story.end(Outcome::RolledBack, Phase::Failed, Some(60), Some(60), 0.3)
}

/// The drill under Flagger's own rules: three builtin checks without values.
pub(crate) fn chaos30_flagger() -> Record {
    let mut story = Story::new("chaos30", "FAIL_RATE=0.3 drill", Rules::Flagger);
    story.record.provider = Some(Provider::Kubernetes);
    story.warm_up();
    story.weight(0, Phase::Progressing, 0, Some("new revision detected"));
    story.normal(
        0,
        "New revision detected! Scaling up load-harness.applications",
    );
    story.normal(30, "Starting canary analysis for load-harness.applications");
    story.warning(
        30,
        "Progressive traffic is not supported when using the kubernetes provider",
    );
    story.warning(30, "Setting canaryAnalysis.iterations: 10");
    story.normal(
        30,
        "Advance load-harness.applications canary iteration 1/10",
    );
    for at in [60, 90, 120] {
        story.builtin_without_value(at);
        story.warning(
            at,
            "Halt advancement no values found for kubernetes metric request-success-rate probably \
             load-harness.applications is not receiving traffic: running query failed: no values found",
        );
    }
    story.warning(
        150,
        "Rolling back load-harness.applications failed checks threshold reached 3",
    );
    story.warning(150, "Canary failed! Scaling down load-harness.applications");
    story.weight(150, Phase::Failed, 0, Some("rolled back"));
    story.finding(
        "builtin-shadows-template",
        "The metric entry request-success-rate has a templateRef, and Flagger checks it by its own query as well, which finds \
         nothing without a mesh. Rename the entry, as in `name: success-rate`.",
    );
    story.end(
        Outcome::RolledBack,
        Phase::Failed,
        Some(150),
        Some(150),
        0.3,
    )
}

/// A strict bound on little traffic: the horizon comes first.
pub(crate) fn undecided() -> Record {
    let mut story = Story::new("never-promotes", "1/s and a bound of 99 %", Rules::Flagger);
    story.record.provider = Some(Provider::Nginx);
    story.weight(0, Phase::Progressing, 0, Some("new revision detected"));
    story.weight(30, Phase::Progressing, 10, None);
    for k in 0..20 {
        let value = if k % 3 == 2 { 98.33 } else { 100.0 };
        story.check(60 + 30 * k, SUCCESS, Some(value), Bound::Min(99.0));
        if k % 3 == 2 {
            story.warning(
                60 + 30 * k,
                "Halt load-harness.applications advancement success rate 98.33% < 99%",
            );
        }
    }
    story.end(Outcome::Undecided, Phase::Progressing, None, None, 0.005)
}

/// Nothing was pushed.
pub(crate) fn not_started() -> Record {
    let mut story = Story::new("stuck-initialized", "", Rules::Flagger);
    story.warm_up();
    story.end(Outcome::NotStarted, Phase::Initialized, None, None, 0.0)
}

/// One of each kind.
pub(crate) fn all() -> Vec<Record> {
    vec![
        healthy(),
        chaos30(),
        chaos30_flagger(),
        undecided(),
        not_started(),
    ]
}

/// What came to pass, told in order.
pub(crate) struct Story {
    pub(crate) record: Record,
}

impl Story {
    pub(crate) fn new(name: &str, title: &str, rules: Rules) -> Self {
        Story {
            record: Record {
                schema_version: SCHEMA_VERSION,
                rollcast_version: "0.0.0".to_owned(),
                scenario_name: name.to_owned(),
                scenario: json!({ "title": title, "assumptions": [] }),
                seed: 1,
                rules,
                provider: Some(Provider::PodScaling),
                canary: "load-harness.applications".to_owned(),
                interval: Span::from_secs(30),
                outcome: Outcome::Undecided,
                phase: Phase::Progressing,
                decided_at: None,
                finished_at: None,
                ended_at: Timestamp::from_secs(900),
                timeline: Vec::new(),
                ticks: Vec::new(),
                events: Vec::new(),
                traffic: Vec::new(),
                requests: RequestTotals::default(),
                latency: Latency::default(),
                load_tests: Vec::new(),
                findings: Vec::new(),
                replay: None,
                delivery: None,
            },
        }
    }

    pub(crate) fn warm_up(&mut self) {
        self.normal(-90, "Initialization done! load-harness.applications");
    }

    pub(crate) fn normal(&mut self, at: i64, message: &str) {
        self.event(at, EventType::Normal, message);
    }

    pub(crate) fn warning(&mut self, at: i64, message: &str) {
        self.event(at, EventType::Warning, message);
    }

    fn event(&mut self, at: i64, kind: EventType, message: &str) {
        self.record.events.push(EventRecord {
            at: Timestamp::from_secs(at),
            kind,
            message: message.to_owned(),
        });
    }

    pub(crate) fn weight(&mut self, at: i64, phase: Phase, canary: i64, note: Option<&str>) {
        let at = Timestamp::from_secs(at);
        self.record.timeline.push(TimelineRow {
            at,
            phase,
            primary_weight: 100 - canary,
            canary_weight: canary,
            canary_share: None,
            note: note.map(str::to_owned),
            checks: Vec::new(),
        });
        let tick = self.tick(at);
        (tick.phase, tick.primary_weight, tick.canary_weight) = (phase, 100 - canary, canary);
    }

    pub(crate) fn check(&mut self, at: i64, metric: &str, value: Option<f64>, bound: Bound) {
        let passed = value.is_some_and(|v| match bound {
            Bound::Min(min) => v >= min,
            Bound::Max(max) => v <= max,
        });
        self.push_check(
            at,
            metric,
            QuerySource::Template,
            value,
            Some(bound),
            passed,
        );
    }

    pub(crate) fn builtin_without_value(&mut self, at: i64) {
        self.push_check(at, SUCCESS, QuerySource::Builtin, None, None, false);
    }

    /// What the canary's users really got, for the check made last.
    pub(crate) fn truth(&mut self, truth: f64) {
        let query = self.record.ticks.last_mut().unwrap().queries.last_mut();
        query.unwrap().truth = Some(truth);
    }

    pub(crate) fn finding(&mut self, code: &str, text: &str) {
        self.record.findings.push(Finding {
            code: code.to_owned(),
            text: text.to_owned(),
        });
    }

    fn push_check(
        &mut self,
        at: i64,
        metric: &str,
        source: QuerySource,
        value: Option<f64>,
        bound: Option<Bound>,
        passed: bool,
    ) {
        let at = Timestamp::from_secs(at);
        self.record
            .timeline
            .last_mut()
            .unwrap()
            .checks
            .push(CheckRow {
                at,
                metric: metric.to_owned(),
                source,
                value,
                bound,
                passed,
            });
        self.tick(at).queries.push(QueryRecord {
            metric: metric.to_owned(),
            source,
            text: "sum(rate(m[1m]))".to_owned(),
            evaluated_at: at + Span::from_millis(12),
            selectors: vec![SelectorSeen {
                selector: "m[1m]".to_owned(),
                series: vec![SeriesSeen {
                    labels: "m{status=\"200\"}".to_owned(),
                    samples: vec![(at - Span::from_millis(3500), 41.0)],
                }],
            }],
            value,
            bound,
            passed,
            message: (!passed).then(|| "Halt advancement".to_owned()),
            truth: None,
        });
    }

    fn tick(&mut self, at: Timestamp) -> &mut TickRecord {
        if self.record.ticks.last().is_none_or(|tick| tick.at != at) {
            let before = self.record.timeline.last();
            self.record.ticks.push(TickRecord {
                at,
                phase: before.map_or(Phase::Progressing, |row| row.phase),
                decision: "advanced".to_owned(),
                primary_weight: before.map_or(100, |row| row.primary_weight),
                canary_weight: before.map_or(0, |row| row.canary_weight),
                failed_checks: 0,
                iterations: 0,
                primary_replicas: Replicas::default(),
                canary_replicas: Replicas::default(),
                queries: Vec::new(),
            });
        }
        self.record.ticks.last_mut().unwrap()
    }

    /// Ends the story and adds the traffic that its weights make, `failing` being the canary's share of 5xx.
    pub(crate) fn end(
        mut self,
        outcome: Outcome,
        phase: Phase,
        decided_at: Option<i64>,
        finished_at: Option<i64>,
        failing: f64,
    ) -> Record {
        let record = &mut self.record;
        (record.outcome, record.phase) = (outcome, phase);
        record.decided_at = decided_at.map(Timestamp::from_secs);
        record.finished_at = finished_at.map(Timestamp::from_secs);
        add_traffic(record, failing);
        self.record
    }
}

fn add_traffic(record: &mut Record, failing: f64) {
    let mut noise = Noise(7);
    for at_s in 0..record.ended_at.as_millis() / 1000 {
        let row = record
            .timeline
            .iter()
            .rev()
            .find(|row| row.at <= Timestamp::from_secs(at_s));
        let weight = row.map_or(0, |row| row.canary_weight);
        let requests = 200 + noise.below(29) - 14;
        let canary = match weight {
            0 => 0,
            100 => requests,
            weight => (requests * weight as u64 / 100 + noise.below(7)).saturating_sub(3),
        };
        let canary_failed = (canary as f64 * failing) as u64;
        let second = TrafficSecond {
            at_s,
            requests,
            failed: canary_failed,
            canary,
            canary_failed,
            p50_ms: 20.5,
            p99_ms: 60.0 + noise.below(12) as f64,
            canary_weight: weight,
            primary_wanted: (100 - weight as i32) / 10,
            primary_ready: (100 - weight as i32) / 10,
            canary_wanted: weight as i32 / 10,
            canary_ready: weight as i32 / 10,
        };
        record.requests.total += second.requests;
        record.requests.failed += second.failed;
        record.requests.canary += second.canary;
        record.requests.canary_failed += second.canary_failed;
        record.traffic.push(second);
    }
    record.latency = Latency {
        p50_ms: 20.5,
        p90_ms: 41.0,
        p99_ms: 64.5,
        max_ms: 212.0,
    };
    let ends: Vec<i64> = (record
        .timeline
        .iter()
        .skip(1)
        .map(|row| row.at.as_millis() / 1000))
    .chain([record.ended_at.as_millis() / 1000])
    .collect();
    for (row, end) in record.timeline.iter_mut().zip(ends) {
        let start = row.at.as_millis() / 1000;
        let (mut canary, mut all) = (0, 0);
        for second in &record.traffic[start as usize..end as usize] {
            canary += second.canary;
            all += second.requests;
        }
        row.canary_share = (all > 0).then(|| canary as f64 / all as f64);
    }
}

/// A small generator of equal steps, so that the fixture needs no crate.
struct Noise(u64);

impl Noise {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}
