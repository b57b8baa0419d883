//! The sentences of a verdict, case by case.

use rollcast::canary::{Phase, Rules};
use rollcast::engine::{Bound, EventType};
use rollcast::record::{EventRecord, Outcome, Record};
use rollcast::report::difference::difference;
use rollcast::report::verdict::verdict;
use rollcast::time::Timestamp;

use crate::fixture::{self, SUCCESS, Story};

#[test]
fn the_outcome_says_when_it_was_decided_and_why() {
    for (record, sentence) in [
        (
            fixture::healthy(),
            "Promoted: decided at 3:00 after 5 metrics checks, all passed; the promotion was finished at 4:00.",
        ),
        (
            without_checks(fixture::healthy()),
            "Promoted: decided at 3:00 without a single metrics check; the promotion was finished at 4:00.",
        ),
        (
            unfinished(fixture::healthy()),
            "Promoted: decided at 3:00 after 5 metrics checks, all passed; the promotion was not finished when the run ended \
             at 15:00.",
        ),
        (
            fixture::chaos30(),
            "Rolled back: decided at 1:00 after 1 failed metrics check: request-success-rate was 70.21 < 99 (what the \
             canary's users really got: 70.00).",
        ),
        (
            fixture::chaos30_flagger(),
            "Rolled back: decided at 2:30 after 3 failed metrics checks, the last at 2:00: request-success-rate (builtin) had \
             no value.",
        ),
        (
            stuck_rollout(),
            "Rolled back: decided at 10:00 without a failed metrics check; Flagger said: canary deployment \
             load-harness.applications not ready: deadline exceeded.",
        ),
        (
            failed_promotion(),
            "Promotion failed at 13:00: the canary passed, but the primary did not get ready with the new version \
             (Promotion of load-harness.applications failed, primary not ready: deadline exceeded).",
        ),
        (
            fixture::undecided(),
            "Undecided: at the horizon (15:00) the canary was still Progressing at weight 10%, after 20 metrics checks, 6 of \
             them failed; the last failure at 9:30: request-success-rate was 98.33 < 99.",
        ),
        (
            fixture::not_started(),
            "Not started: no new revision was seen until 15:00, so nothing was analysed and the phase stays Initialized.",
        ),
    ] {
        assert_eq!(verdict(&record).outcome, sentence);
    }
}

#[test]
fn a_release_that_fails_after_its_promotion_is_not_passed_over_in_silence() {
    let mut story = Story::new("renamed", "", Rules::Flagger);
    story.weight(0, Phase::Progressing, 0, None);
    let mut record = story.end(
        Outcome::Promoted,
        Phase::Succeeded,
        Some(330),
        Some(390),
        0.0,
    );
    for second in &mut record.traffic {
        if second.at_s >= 360 {
            second.failed = second.requests * 3 / 10;
            record.requests.failed += second.failed;
        }
    }
    let verdict = verdict(&record);
    assert!(
        verdict.harm.contains("The canary served no user request."),
        "{}",
        verdict.harm
    );
    let aftermath = verdict.aftermath.unwrap();
    assert!(
        aftermath.starts_with("After that 30,")
            && aftermath.ends_with("user requests failed (29.8%)."),
        "{aftermath}"
    );
}

#[test]
fn a_run_whose_requests_reach_nothing_says_so() {
    let mut record = fixture::healthy();
    record.requests = Default::default();
    assert_eq!(verdict(&record).harm, "No user request reached a pod.");
}

#[test]
fn the_difference_between_two_readings_names_outcome_time_and_harm() {
    let (flagger, runbook) = (fixture::chaos30_flagger(), fixture::chaos30());
    let text = difference(&flagger, &runbook);
    assert!(
        text.contains("at 1:00 under runbook rules, 1m30s later under flagger rules."),
        "{text}"
    );
    let mut same = runbook.clone();
    same.rules = Rules::Flagger;
    let text = difference(&same, &runbook);
    assert!(
        text.contains("Here it makes no difference: the release is rolled back at 1:00"),
        "{text}"
    );
    let text = difference(&fixture::healthy(), &flagger);
    assert!(
        text.contains("So the release is promoted at 3:00 under runbook rules, and is rolled back at 2:30 under flagger"),
        "{text}"
    );
}

fn without_checks(mut record: Record) -> Record {
    record
        .timeline
        .iter_mut()
        .for_each(|row| row.checks.clear());
    record
}

fn unfinished(mut record: Record) -> Record {
    record.finished_at = None;
    record
}

fn stuck_rollout() -> Record {
    let mut story = Story::new("stuck", "", Rules::Flagger);
    story.weight(0, Phase::Progressing, 0, None);
    story.warning(
        600,
        "canary deployment load-harness.applications not ready: deadline exceeded",
    );
    story.warning(600, "Canary failed! Scaling down load-harness.applications");
    story.end(
        Outcome::RolledBack,
        Phase::Failed,
        Some(600),
        Some(600),
        0.0,
    )
}

fn failed_promotion() -> Record {
    let mut story = Story::new("stuck", "", Rules::Flagger);
    story.weight(0, Phase::Progressing, 50, None);
    story.check(30, SUCCESS, Some(100.0), Bound::Min(99.0));
    let mut record = story.end(
        Outcome::PromotionFailed,
        Phase::Failed,
        Some(180),
        Some(780),
        0.0,
    );
    record.events.push(EventRecord {
        at: Timestamp::from_secs(780),
        kind: EventType::Warning,
        message:
            "Promotion of load-harness.applications failed, primary not ready: deadline exceeded"
                .to_owned(),
    });
    record
}
