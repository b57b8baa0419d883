//! The terminal's text.

use rollcast::report::text::{Palette, WIDTH, compare, render};

use crate::fixture;

#[test]
fn a_good_release_reads_as_the_runbooks_first_timeline() {
    insta::assert_snapshot!(render(&fixture::healthy(), Palette::Plain), @r#"
    healthy: a good release
    load-harness.applications, rules runbook, provider pod-scaling, interval 30s, seed 1

    ────────────────────────────────────────────────────────────────────────────────────────────────────
    0:00   │ Primary: 100%  │ Canary: 0%    │ got 0.0%    │ (new revision detected)
    0:30   │ Primary: 90%   │ Canary: 10%   │ got 9.7%    │ metrics check at 1:00: PASS
           │                │               │             │   request-success-rate 100.00 ≥ 99 ✓
           │                │               │             │   request-duration 64.25 ≤ 500 ✓
    1:00   │ Primary: 80%   │ Canary: 20%   │ got 19.8%   │ metrics check at 1:30: PASS
           │                │               │             │   request-success-rate 100.00 ≥ 99 ✓
           │                │               │             │   request-duration 64.25 ≤ 500 ✓
    1:30   │ Primary: 70%   │ Canary: 30%   │ got 29.7%   │ metrics check at 2:00: PASS
           │                │               │             │   request-success-rate 100.00 ≥ 99 ✓
           │                │               │             │   request-duration 64.25 ≤ 500 ✓
    2:00   │ Primary: 60%   │ Canary: 40%   │ got 39.7%   │ metrics check at 2:30: PASS
           │                │               │             │   request-success-rate 100.00 ≥ 99 ✓
           │                │               │             │   request-duration 64.25 ≤ 500 ✓
    2:30   │ Primary: 50%   │ Canary: 50%   │ got 49.9%   │ metrics check at 3:00: PASS
           │                │               │             │   request-success-rate 100.00 ≥ 99 ✓
           │                │               │             │   request-duration 64.25 ≤ 500 ✓
    3:00   │ Primary: 0%    │ Canary: 100%  │ got 100.0%  │ (PROMOTED)
    3:30   │ Primary: 100%  │ Canary: 0%    │ got 0.0%    │ (all traffic to the primary)
    ────────────────────────────────────────────────────────────────────────────────────────────────────

    Flagger logs:
    New revision detected! Scaling up load-harness.applications
    Starting canary analysis for load-harness.applications
    Advance load-harness.applications canary weight 10
    Advance load-harness.applications canary weight 20
    Advance load-harness.applications canary weight 30
    Advance load-harness.applications canary weight 40
    Advance load-harness.applications canary weight 50
    Copying load-harness.applications template spec to load-harness-primary.applications
    Routing all traffic to primary
    Promotion completed! Scaling down load-harness.applications
    (before 0:00: "Initialization done! load-harness.applications")

    Promoted: decided at 3:00 after 5 metrics checks, all passed; the promotion was finished at 4:00.
    Until it was over at 4:00 none of 48,043 user requests failed. The canary served 14,958 requests
    (8.31% of all), none of which failed. 99% of the run's requests took at most 64 ms.
    "#);
}

#[test]
fn the_drill_reads_as_the_runbooks_second_timeline() {
    insta::assert_snapshot!(render(&fixture::chaos30(), Palette::Plain), @r#"
    chaos30: FAIL_RATE=0.3 drill
    load-harness.applications, rules runbook, provider pod-scaling, interval 30s, seed 1

    ────────────────────────────────────────────────────────────────────────────────────────────────────
    0:00   │ Primary: 100%  │ Canary: 0%    │ got 0.0%    │ (new revision detected)
    0:30   │ Primary: 90%   │ Canary: 10%   │ got 9.7%    │ metrics check at 1:00: FAIL
           │                │               │             │   request-success-rate 70.21 < 99 ✗
    1:00   │ Primary: 100%  │ Canary: 0%    │ got 0.0%    │ (ROLLBACK)
    ────────────────────────────────────────────────────────────────────────────────────────────────────

    Flagger logs:
    New revision detected! Scaling up load-harness.applications
    Starting canary analysis for load-harness.applications
    Advance load-harness.applications canary weight 10
    Halt advancement load-harness.applications request-success-rate 70.21 < 99
    Rolling back load-harness.applications failed checks threshold reached 1
    Canary failed! Scaling down load-harness.applications
    (before 0:00: "Initialization done! load-harness.applications")

    Rolled back: decided at 1:00 after 1 failed metrics check: request-success-rate was 70.21 < 99 (what
    the canary's users really got: 70.00). Until it was over at 1:00 users got 160 failed requests out
    of 11,970 (1.34%). The canary served 575 requests (0.32% of all), 160 of which failed (27.8%). 99%
    of the run's requests took at most 64 ms.
    "#);
}

#[test]
fn checks_without_values_name_the_builtin_query_and_the_finding() {
    insta::assert_snapshot!(render(&fixture::chaos30_flagger(), Palette::Plain), @r#"
    chaos30: FAIL_RATE=0.3 drill
    load-harness.applications, rules flagger, provider kubernetes, interval 30s, seed 1

    ────────────────────────────────────────────────────────────────────────────────────────────────────
    0:00   │ Primary: 100%  │ Canary: 0%    │ got 0.0%    │ (new revision detected)
           │                │               │             │ metrics check at 1:00: FAIL
           │                │               │             │   request-success-rate (builtin) no value ✗
           │                │               │             │ metrics check at 1:30: FAIL
           │                │               │             │   request-success-rate (builtin) no value ✗
           │                │               │             │ metrics check at 2:00: FAIL
           │                │               │             │   request-success-rate (builtin) no value ✗
    2:30   │ Primary: 100%  │ Canary: 0%    │ got 0.0%    │ (ROLLBACK)
    ────────────────────────────────────────────────────────────────────────────────────────────────────

    Flagger logs:
    New revision detected! Scaling up load-harness.applications
    Starting canary analysis for load-harness.applications
    Progressive traffic is not supported when using the kubernetes provider
    Setting canaryAnalysis.iterations: 10
    Advance load-harness.applications canary iteration 1/10
    Halt advancement no values found for kubernetes metric request-success-rate probably load-harness.applications is not receiving traffic: running query failed: no values found
      (the same 2 more times until 2:00)
    Rolling back load-harness.applications failed checks threshold reached 3
    Canary failed! Scaling down load-harness.applications
    (before 0:00: "Initialization done! load-harness.applications")

    Rolled back: decided at 2:30 after 3 failed metrics checks, the last at 2:00: request-success-rate
    (builtin) had no value. Until it was over at 2:30 none of 29,912 user requests failed. The canary
    served no user request. 99% of the run's requests took at most 64 ms.

    The metric entry request-success-rate has a templateRef, and Flagger checks it by its own query as
    well, which finds nothing without a mesh. Rename the entry, as in `name: success-rate`.
    "#);
}

#[test]
fn many_rounds_on_one_weight_show_their_first_and_last() {
    insta::assert_snapshot!(render(&fixture::undecided(), Palette::Plain), @r#"
    never-promotes: 1/s and a bound of 99 %
    load-harness.applications, rules flagger, provider nginx, interval 30s, seed 1

    ────────────────────────────────────────────────────────────────────────────────────────────────────
    0:00   │ Primary: 100%  │ Canary: 0%    │ got 0.0%    │ (new revision detected)
    0:30   │ Primary: 90%   │ Canary: 10%   │ got 9.8%    │ metrics check at 1:00: PASS
           │                │               │             │   request-success-rate 100.00 ≥ 99 ✓
           │                │               │             │ metrics check at 1:30: PASS
           │                │               │             │   request-success-rate 100.00 ≥ 99 ✓
           │                │               │             │ metrics check at 2:00: FAIL
           │                │               │             │   request-success-rate 98.33 < 99 ✗
           │                │               │             │ ... 14 more, 4 of them failed
           │                │               │             │ metrics check at 9:30: FAIL
           │                │               │             │   request-success-rate 98.33 < 99 ✗
           │                │               │             │ metrics check at 10:00: PASS
           │                │               │             │   request-success-rate 100.00 ≥ 99 ✓
           │                │               │             │ metrics check at 10:30: PASS
           │                │               │             │   request-success-rate 100.00 ≥ 99 ✓
    ────────────────────────────────────────────────────────────────────────────────────────────────────

    Flagger logs:
    Halt load-harness.applications advancement success rate 98.33% < 99%
      (the same 5 more times until 9:30)

    Undecided: at the horizon (15:00) the canary was still Progressing at weight 10%, after 20 metrics
    checks, 6 of them failed; the last failure at 9:30: request-success-rate was 98.33 < 99. In the
    whole run none of 180,081 user requests failed. The canary served 16,983 requests (9.43% of all),
    none of which failed. 99% of the run's requests took at most 64 ms.
    "#);
}

#[test]
fn a_run_that_never_started_says_so() {
    insta::assert_snapshot!(render(&fixture::not_started(), Palette::Plain), @r#"
    stuck-initialized
    load-harness.applications, rules flagger, provider pod-scaling, interval 30s, seed 1

    ────────────────────────────────────────────────────────────────────────────────────────────────────
    (no weight was ever set)
    ────────────────────────────────────────────────────────────────────────────────────────────────────

    Flagger logs:
    (nothing from 0:00 on)
    (before 0:00: "Initialization done! load-harness.applications")

    Not started: no new revision was seen until 15:00, so nothing was analysed and the phase stays
    Initialized. In the whole run none of 179,872 user requests failed. The canary served no user
    request. 99% of the run's requests took at most 64 ms.
    "#);
}

#[test]
fn two_readings_stand_side_by_side() {
    let (first, second) = (fixture::chaos30_flagger(), fixture::chaos30());
    insta::assert_snapshot!(compare(&first, &second, Palette::Plain), @r#"
    chaos30: FAIL_RATE=0.3 drill
    load-harness.applications, one world under two readings, seed 1

    ────────────────────────────────────────────────────────────────────────────────────────────────────
           │ rules flagger, provider kubernetes          │ rules runbook, provider pod-scaling
    0:00   │ 100/0 (new revision detected)               │ 100/0 (new revision detected)
           │   1:00 FAIL request-success-rate (builtin)  │
           │     no value                                │
           │   1:30 FAIL request-success-rate (builtin)  │
           │     no value                                │
           │   2:00 FAIL request-success-rate (builtin)  │
           │     no value                                │
    0:30   │                                             │ 90/10
           │                                             │   1:00 FAIL request-success-rate 70.21 < 99
    1:00   │                                             │ 100/0 (ROLLBACK)
    2:30   │ 100/0 (ROLLBACK)                            │
    ────────────────────────────────────────────────────────────────────────────────────────────────────

    Flagger counts failed checks up to the threshold and rolls back on the tick after the last of them,
    and checks a metric called request-success-rate or request-duration by its own query as well; the
    runbook rolls back on the first failed check, at once, and takes the threshold as the passed checks
    that a promotion needs. Either way the release is rolled back: at 1:00 under runbook rules, 1m30s
    later under flagger rules. They part at 1:00: Progressing 100/0 under flagger rules, Failed 100/0
    under runbook rules. Users get 0 failed requests and the canary serves 0 requests under flagger
    rules; 160 and 575 under runbook rules.

    flagger rules. Rolled back: decided at 2:30 after 3 failed metrics checks, the last at 2:00:
    request-success-rate (builtin) had no value. Until it was over at 2:30 none of 29,912 user requests
    failed. The canary served no user request. 99% of the run's requests took at most 64 ms. The metric
    entry request-success-rate has a templateRef, and Flagger checks it by its own query as well, which
    finds nothing without a mesh. Rename the entry, as in `name: success-rate`.

    runbook rules. Rolled back: decided at 1:00 after 1 failed metrics check: request-success-rate was
    70.21 < 99 (what the canary's users really got: 70.00). Until it was over at 1:00 users got 160
    failed requests out of 11,970 (1.34%). The canary served 575 requests (0.32% of all), 160 of which
    failed (27.8%). 99% of the run's requests took at most 64 ms.
    "#);
}

#[test]
fn everything_but_log_lines_fits_its_width() {
    let mut records = fixture::all();
    for record in &mut records {
        for row in &mut record.timeline {
            for check in &mut row.checks {
                check.metric =
                    "a-metric-with-a-name-that-somebody-must-have-been-proud-of".to_owned();
            }
            row.note = Some(
                "a note of so many words that it needs more than the one line it would like"
                    .to_owned(),
            );
        }
    }
    records.extend(fixture::all());
    for record in &records {
        for text in [
            render(record, Palette::Plain),
            compare(record, record, Palette::Plain),
        ] {
            for line in text
                .lines()
                .filter(|line| !line.starts_with("Halt advancement"))
            {
                assert!(line.chars().count() <= WIDTH, "{line}");
            }
        }
    }
}

#[test]
fn colours_change_nothing_but_escape_codes() {
    for record in fixture::all() {
        let coloured = render(&record, Palette::Ansi);
        let mut plain = String::new();
        let mut rest = coloured.as_str();
        while let Some((before, after)) = rest.split_once('\u{1b}') {
            plain += before;
            rest = after.split_once('m').unwrap().1;
        }
        plain += rest;
        assert!(plain.len() < coloured.len());
        assert_eq!(plain, render(&record, Palette::Plain));
    }
}

#[test]
fn assumptions_are_listed_and_long_lists_point_to_the_record() {
    let mut record = fixture::healthy();
    record.scenario["assumptions"] = serde_json::json!(["one", "two", "three", "four", "five"]);
    let text = render(&record, Palette::Plain);
    assert!(text.ends_with(
        "\nAssumed, since the scenario does not say:\n- one\n- two\n- three\n\
         - and 2 more, listed in run.json under scenario.assumptions\n"
    ));
}
