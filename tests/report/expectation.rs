//! `[expect]` held against runs.

use rollcast::canary::Phase;
use rollcast::record::Record;
use rollcast::report::text::{Palette, expectations};
use rollcast::scenario::{EventPattern, Expect, WeightAt};
use rollcast::study::expectation::evaluate;
use rollcast::time::Span;

use crate::fixture;

#[test]
fn each_key_holds_or_not_by_its_own_rule() {
    let outcome = |outcome: &str| Expect {
        outcome: Some(outcome.to_owned()),
        ..Expect::default()
    };
    let decided_by = |s| Expect {
        decided_by: Some(Span::from_secs(s)),
        ..Expect::default()
    };
    let not_before = |s| Expect {
        not_before: Some(Span::from_secs(s)),
        ..Expect::default()
    };
    let failed = |n| Expect {
        max_failed_requests: Some(n),
        ..Expect::default()
    };
    let p99 = |ms| Expect {
        max_p99: Some(Span::from_millis(ms)),
        ..Expect::default()
    };
    let phases = |phases: &[Phase]| Expect {
        phases: phases.to_vec(),
        ..Expect::default()
    };
    let weight = |s, canary| Expect {
        weights: vec![WeightAt {
            at: Span::from_secs(s),
            canary,
        }],
        ..Expect::default()
    };
    let event = |text: &str| Expect {
        events: vec![EventPattern(text.to_owned())],
        ..Expect::default()
    };
    let no_event = |text: &str| Expect {
        no_events: vec![EventPattern(text.to_owned())],
        ..Expect::default()
    };
    let (progressing, failed_phase) = (Phase::Progressing, Phase::Failed);
    let (drill, open) = (fixture::chaos30(), fixture::undecided());
    let cases: [(Expect, &Record, &str); 24] = [
        (outcome("rolled-back"), &drill, "outcome rolled-back ✓"),
        (
            outcome("promoted"),
            &drill,
            "outcome promoted ✗ (rolled-back)",
        ),
        // Inclusive: decided at 1:00.
        (decided_by(60), &drill, "decided by 1:00 ✓"),
        (decided_by(59), &drill, "decided by 0:59 ✗ (1:00)"),
        (decided_by(900), &open, "decided by 15:00 ✗ (undecided)"),
        (not_before(60), &drill, "not before 1:00 ✓"),
        (not_before(61), &drill, "not before 1:01 ✗ (1:00)"),
        (not_before(60), &open, "not before 1:00 ✓"),
        (failed(160), &drill, "max failed requests 160 ✓"),
        (failed(159), &drill, "max failed requests 159 ✗ (160)"),
        (p99(65), &drill, "max p99 65ms ✓"),
        (p99(64), &drill, "max p99 64ms ✗ (64.5ms)"),
        (p99(500), &open, "max p99 500ms ✓"),
        (phases(&[failed_phase]), &drill, "phases Failed ✓"),
        (
            phases(&[progressing, failed_phase]),
            &drill,
            "phases Progressing, Failed ✓",
        ),
        (
            phases(&[failed_phase, progressing]),
            &drill,
            "phases Failed, Progressing ✗ (Progressing, Failed)",
        ),
        (weight(30, 10), &drill, "weights 10 % at 0:30 ✓"),
        // A weight holds until the next; what the tick at that time sets counts.
        (weight(59, 10), &drill, "weights 10 % at 0:59 ✓"),
        (weight(60, 10), &drill, "weights 10 % at 1:00 ✗ (0 %)"),
        (
            event("Halt advancement * 70.21 < 99"),
            &drill,
            "events \"Halt advancement * 70.21 < 99\" ✓",
        ),
        (
            event("Promotion completed"),
            &drill,
            "events \"Promotion completed\" ✗ (no such event)",
        ),
        // Initialised before the new revision came.
        (
            event("Initialization done"),
            &drill,
            "events \"Initialization done\" ✗ (no such event)",
        ),
        (
            no_event("Promotion completed"),
            &drill,
            "no events \"Promotion completed\" ✓",
        ),
        (
            no_event("Canary failed!"),
            &drill,
            "no events \"Canary failed!\" ✗ (\"Canary failed! Scaling down load-harness.applications\" at 1:00)",
        ),
    ];
    for (expect, record, said) in cases {
        let results = evaluate(&expect, record);
        assert_eq!(results.len(), 1, "{said}");
        assert_eq!(results[0].met, said.contains('✓'), "{said}");
        let line = expectations(&results, Palette::Plain);
        let one_line = line.replace("\n  ", " ");
        assert_eq!(one_line, format!("expect: {said}\n"));
    }
}

#[test]
fn nothing_expected_is_nothing_said() {
    let results = evaluate(&Expect::default(), &fixture::chaos30());
    assert_eq!(expectations(&results, Palette::Plain), "");
}
