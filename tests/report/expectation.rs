//! `[expect]` held against runs.

use rollcast::record::Record;
use rollcast::report::text::{Palette, expectations};
use rollcast::scenario::Expect;
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
    let (drill, open) = (fixture::chaos30(), fixture::undecided());
    let cases: [(Expect, &Record, &str); 13] = [
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
    ];
    for (expect, record, said) in cases {
        let results = evaluate(&expect, record);
        assert_eq!(results.len(), 1, "{said}");
        assert_eq!(results[0].met, said.contains('✓'), "{said}");
        let line = expectations(&results, Palette::Plain);
        assert_eq!(line, format!("expect: {said}\n"));
    }
}

#[test]
fn nothing_expected_is_nothing_said() {
    let results = evaluate(&Expect::default(), &fixture::chaos30());
    assert_eq!(expectations(&results, Palette::Plain), "");
}
