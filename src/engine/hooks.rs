//! Webhooks as values: what is sent, and what an answer means.
//!
//! Follows `pkg/controller/webhook.go` and the retry policy of hashicorp/go-retryablehttp. The driver makes the attempts
//! and waits between them; it asks [`hook_outcome`] after each.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::event::Event;
use super::go;
use super::{HookCall, HookError};
use crate::canary::{CanaryStatus, Phase, Webhook};
use crate::engine::revision;
use crate::time::{Span, Timestamp};

/// What one attempt came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HookOutcome {
    /// Passed.
    Passed,
    /// Failed for good.
    Failed(HookError),
    /// May be tried again while attempts are left; after the last, see [`gave_up`].
    Retry,
}

/// Reads an answer: statuses up to 202 pass, 429 and the 5xx but 501 may be tried again, everything else fails with
/// the body as its text (204 and its empty body included).
pub fn hook_outcome(status: u16, body: &str) -> HookOutcome {
    match status {
        429 | 500 | 502.. => HookOutcome::Retry,
        0..=202 => HookOutcome::Passed,
        _ => HookOutcome::Failed(HookError(body.to_owned())),
    }
}

/// The error after the last attempt; `cause` is what the transport said, where there was no answer at all.
pub fn gave_up(url: &str, attempts: u32, cause: Option<&str>) -> HookError {
    let cause = cause.map_or_else(String::new, |cause| format!(": {cause}"));
    HookError(format!(
        "POST {url} giving up after {attempts} attempt(s){cause}"
    ))
}

/// The wait before another attempt, `attempt` counting from 0: 1 s, 2 s, 4 s ... at most 30 s.
/// (An answer's `Retry-After` wins on 429 and 503.)
pub fn retry_wait(attempt: u32) -> Span {
    Span::from_secs(1 << attempt.min(5)).min(Span::from_secs(30))
}

/// The call of a hook that takes part in the rollout.
pub(crate) fn rollout_call(
    name: &str,
    namespace: &str,
    status: &CanaryStatus,
    phase: Phase,
    hook: &Webhook,
) -> Result<HookCall, HookError> {
    // Shorter strings than two bytes count as absent, here but not for event hooks.
    let timeout = match hook.timeout.as_str() {
        short if short.len() < 2 => "10s",
        timeout => timeout,
    };
    let metadata = hook.metadata.clone().unwrap_or_default();
    let payload = payload(name, namespace, status, phase, metadata);
    call(hook, timeout, payload)
}

/// The call that carries an event to an event hook.
pub(crate) fn event_call(
    name: &str,
    namespace: &str,
    status: &CanaryStatus,
    event: &Event,
    hook: &Webhook,
    now: Timestamp,
) -> Result<HookCall, HookError> {
    let timeout = match hook.timeout.as_str() {
        "" => "10s",
        timeout => timeout,
    };
    let mut metadata = hook.metadata.clone().unwrap_or_default();
    for (key, value) in [
        ("eventMessage", event.message.clone()),
        ("eventType", event.kind.as_str().to_owned()),
        ("timestamp", now.as_millis().to_string()),
    ] {
        metadata.insert(key.to_owned(), value);
    }
    let payload = payload(name, namespace, status, status.phase, metadata);
    call(hook, timeout, payload)
}

fn call(hook: &Webhook, timeout: &str, payload: Value) -> Result<HookCall, HookError> {
    Ok(HookCall {
        kind: hook.kind.clone(),
        name: hook.name.clone(),
        url: hook.url.clone(),
        timeout: go::parse_duration(timeout).map_err(HookError)?,
        retries: u32::try_from(hook.retries).unwrap_or(0),
        disable_tls: hook.disable_tls,
        payload,
    })
}

fn payload(
    name: &str,
    namespace: &str,
    status: &CanaryStatus,
    phase: Phase,
    metadata: BTreeMap<String, String>,
) -> Value {
    let mut fields = Map::new();
    for (key, value) in [
        ("name", name.to_owned()),
        ("namespace", namespace.to_owned()),
        ("phase", phase.as_str().to_owned()),
        ("checksum", revision::payload_checksum(status)),
    ] {
        fields.insert(key.to_owned(), Value::from(value));
    }
    if !metadata.is_empty() {
        let metadata = metadata.into_iter().map(|(k, v)| (k, Value::from(v)));
        fields.insert("metadata".to_owned(), Value::Object(metadata.collect()));
    }
    Value::Object(fields)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::EventType;

    #[test]
    fn only_statuses_up_to_202_pass() {
        for (status, outcome) in [
            (200, HookOutcome::Passed),
            (202, HookOutcome::Passed),
            (203, HookOutcome::Failed(HookError("body".to_owned()))),
            (204, HookOutcome::Failed(HookError("body".to_owned()))),
            (302, HookOutcome::Failed(HookError("body".to_owned()))),
            (403, HookOutcome::Failed(HookError("body".to_owned()))),
            (429, HookOutcome::Retry),
            (500, HookOutcome::Retry),
            (501, HookOutcome::Failed(HookError("body".to_owned()))),
            (503, HookOutcome::Retry),
        ] {
            assert_eq!(hook_outcome(status, "body"), outcome, "{status}");
        }
    }

    #[test]
    fn giving_up_names_the_attempts_and_what_the_transport_said() {
        assert_eq!(
            gave_up("http://h/", 1, None).0,
            "POST http://h/ giving up after 1 attempt(s)"
        );
        assert_eq!(
            gave_up("http://h/", 3, Some("EOF")).0,
            "POST http://h/ giving up after 3 attempt(s): EOF"
        );
        let waits: Vec<i64> = (0..7).map(|n| retry_wait(n).as_millis() / 1000).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30]);
    }

    #[test]
    fn reserved_metadata_of_events_wins_and_a_short_timeout_fails_event_hooks_alone() {
        let status = CanaryStatus::default();
        let event = Event {
            kind: EventType::Warning,
            message: "oh".to_owned(),
        };
        let mut hook = Webhook {
            metadata: Some(BTreeMap::from([
                ("eventType".to_owned(), "mine".to_owned()),
                ("team".to_owned(), "a".to_owned()),
            ])),
            ..Webhook::default()
        };
        let now = Timestamp::from_secs(1);
        let call = event_call("c", "ns", &status, &event, &hook, now).unwrap();
        assert_eq!(
            call.payload["metadata"],
            serde_json::json!({ "eventMessage": "oh", "eventType": "Warning", "team": "a", "timestamp": "1000" })
        );
        assert_eq!(call.timeout, Span::from_secs(10));
        hook.timeout = "5".to_owned();
        assert!(rollout_call("c", "ns", &status, Phase::Progressing, &hook).is_ok());
        assert_eq!(
            event_call("c", "ns", &status, &event, &hook, now),
            Err(HookError("time: missing unit in duration \"5\"".to_owned()))
        );
    }
}
