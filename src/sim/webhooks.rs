//! Webhooks as the scenario scripts them: attempts, waits between them, and what the answer means.
//!
//! What a status means and how long to wait is the engine's to say ([`crate::engine::hooks`]); here are the clock and the
//! other end. Left out: `Retry-After`, redirects, TLS.

use crate::engine::hooks::{HookOutcome, gave_up, hook_outcome, retry_wait};
use crate::engine::{HookCall, HookError};
use crate::scenario::{HookAnswer, HookResult, WebhookScript};
use crate::time::{Span, Timestamp};

/// What a call at `at` comes to, and how long it takes. Without a script the hook answers 200 at once.
pub(super) fn call(
    script: Option<&WebhookScript>,
    hook: &HookCall,
    at: Timestamp,
) -> (Result<(), HookError>, Span) {
    let Some(script) = script else {
        return (Ok(()), Span::ZERO);
    };
    let mut took = Span::ZERO;
    for attempt in 0..=hook.retries {
        let (outcome, cause) = attempt_at(answer(script, at + took), hook, &mut took);
        match outcome {
            HookOutcome::Passed => return (Ok(()), took),
            HookOutcome::Failed(error) => return (Err(error), took),
            HookOutcome::Retry if attempt < hook.retries => took = took + retry_wait(attempt),
            HookOutcome::Retry => {
                let error = gave_up(&hook.url, hook.retries.saturating_add(1), cause.as_deref());
                return (Err(error), took);
            }
        }
    }
    unreachable!("the last attempt decides")
}

/// The answer in force.
fn answer(script: &WebhookScript, at: Timestamp) -> &HookAnswer {
    let since = at - Timestamp::ZERO;
    let later = script.answers.iter().skip(1);
    later
        .take_while(|answer| answer.from <= since)
        .last()
        .unwrap_or(&script.answers[0])
}

/// One attempt: its outcome, and what the transport says where there is no answer.
fn attempt_at(
    answer: &HookAnswer,
    hook: &HookCall,
    took: &mut Span,
) -> (HookOutcome, Option<String>) {
    let late = answer.latency >= hook.timeout && answer.latency > Span::ZERO;
    if late || answer.result == HookResult::TimesOut {
        *took = *took + hook.timeout;
        let cause = format!("Post {:?}: context deadline exceeded", hook.url);
        return (HookOutcome::Retry, Some(cause));
    }
    *took = *took + answer.latency;
    match &answer.result {
        HookResult::Answer { status, body } => (hook_outcome(*status, body), None),
        HookResult::Unreachable | HookResult::TimesOut => {
            let cause = format!("Post {:?}: connect: connection refused", hook.url);
            (HookOutcome::Retry, Some(cause))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(status: u16, latency_ms: i64, from_s: i64) -> HookAnswer {
        HookAnswer {
            from: Span::from_secs(from_s),
            result: HookResult::Answer {
                status,
                body: format!("{status}"),
            },
            latency: Span::from_millis(latency_ms),
        }
    }

    fn called(answers: Vec<HookAnswer>, retries: u32) -> (Result<(), String>, i64) {
        let script = WebhookScript { answers };
        let hook = HookCall {
            kind: "rollout".to_owned(),
            name: "test".to_owned(),
            url: "http://test/".to_owned(),
            timeout: Span::from_secs(2),
            retries,
            disable_tls: false,
            payload: serde_json::Value::Null,
        };
        let (result, took) = call(Some(&script), &hook, Timestamp::from_millis(10_000));
        (result.map_err(|error| error.0), took.as_millis())
    }

    #[test]
    fn answers_take_their_latency() {
        assert_eq!(called(vec![answers(200, 300, 0)], 0), (Ok(()), 300));
        let refused = called(vec![answers(403, 300, 0)], 3);
        assert_eq!(refused, (Err("403".to_owned()), 300), "403 is final");
    }

    #[test]
    fn retries_wait_longer_each_time_and_meet_what_has_changed() {
        let gave_up = |n| Err(format!("POST http://test/ giving up after {n} attempt(s)"));
        assert_eq!(called(vec![answers(500, 100, 0)], 0), (gave_up(1), 100));
        // Three attempts of 100 ms, waits of 1 s and 2 s.
        assert_eq!(called(vec![answers(500, 100, 0)], 2), (gave_up(3), 3_300));
        let recovers = vec![answers(500, 100, 0), answers(200, 50, 12)];
        assert_eq!(called(recovers, 2), (Ok(()), 3_250));
    }

    #[test]
    fn an_answer_as_late_as_the_timeout_is_none() {
        let (error, took) = called(vec![answers(200, 2_000, 0)], 1);
        let text = "POST http://test/ giving up after 2 attempt(s): Post \"http://test/\": context deadline exceeded";
        assert_eq!((error, took), (Err(text.to_owned()), 5_000));
    }

    #[test]
    fn the_first_answer_holds_before_zero_too() {
        let script = WebhookScript {
            answers: vec![answers(200, 0, 0), answers(403, 0, 30)],
        };
        for (ms, status) in [(-60_000, "200"), (29_999, "200"), (30_000, "403")] {
            let HookResult::Answer { body, .. } =
                &answer(&script, Timestamp::from_millis(ms)).result
            else {
                panic!("an answer");
            };
            assert_eq!(body, status, "{ms}");
        }
    }
}
