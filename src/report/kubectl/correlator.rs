//! What the API server holds of a controller's events: client-go's event correlator (`tools/record/events_cache.go`).
//!
//! Three things stand between an event and `kubectl get events`. From the tenth different message of a type on, with never
//! more than ten minutes between two events, messages are combined into one event that shows the latest. Equal messages,
//! and combined ones, are one event with a count. And of one object's events 25 may be written at once and one every five
//! minutes after; what is over that is dropped, its count is not. The API server forgets an event an hour after it was last
//! written (`--event-ttl`). Left out: the cache's size of 4096. Which message is forgotten when ten different ones are known
//! is a matter of Go's map order upstream; here it is the oldest.

use crate::engine::EventType;
use crate::record::EventRecord;
use crate::time::{Span, Timestamp};

/// Different messages of a type from which on they are combined.
const COMBINED_FROM: usize = 10;

/// After so long without an event of a type its messages are forgotten.
const FORGOTTEN_AFTER: Span = Span::from_secs(600);

/// Events of an object that may be written at once.
const BURST: i64 = 25;

/// After how long one more may be written.
const REFILL: Span = Span::from_secs(300);

/// How long the API server keeps an event after its last writing.
const KEPT: Span = Span::from_secs(3600);

/// An event as the API server holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEvent {
    /// Normal or Warning.
    pub kind: EventType,
    /// Its message.
    pub message: String,
    /// How often it has occurred.
    pub count: u32,
    /// When it first occurred.
    pub first: Timestamp,
    /// When it last occurred and was written.
    pub last: Timestamp,
}

/// One object's events from one source.
#[derive(Debug)]
struct Correlator {
    /// Normal's and Warning's messages.
    similar: [Similar; 2],
    observed: Vec<Observed>,
    /// Millionths of a token: an event costs a million.
    tokens: i64,
    refilled: Timestamp,
}

#[derive(Debug, Default)]
struct Similar {
    messages: Vec<String>,
    last: Option<Timestamp>,
}

/// What the correlator remembers of an event, and what of it was written.
#[derive(Debug)]
struct Observed {
    kind: EventType,
    /// `None` for the combined one.
    message: Option<String>,
    count: u32,
    first: Timestamp,
    stored: Option<StoredEvent>,
}

const TOKEN: i64 = 1_000_000;

/// The events that `kubectl get events` shows at `at`, in the order in which they were last written.
pub fn stored(events: &[EventRecord], at: Timestamp) -> Vec<StoredEvent> {
    let mut correlator = Correlator {
        similar: Default::default(),
        observed: Vec::new(),
        tokens: BURST * TOKEN,
        refilled: events.first().map_or(at, |event| event.at),
    };
    for event in events.iter().take_while(|event| event.at <= at) {
        correlator.take(event);
    }
    let all = correlator.observed.into_iter();
    let mut kept: Vec<StoredEvent> = all
        .filter_map(|observed| observed.stored)
        .filter(|event| at - event.last < KEPT)
        .collect();
    // Stable: those of one moment stay in the order in which they were first seen.
    kept.sort_by_key(|event| event.last);
    kept
}

impl Correlator {
    fn take(&mut self, event: &EventRecord) {
        let combined = self.similar[event.kind as usize].combines(event);
        let key = (!combined).then(|| event.message.clone());
        let known = |observed: &Observed| observed.kind == event.kind && observed.message == key;
        let observed = match self.observed.iter().position(known) {
            Some(index) => &mut self.observed[index],
            None => {
                self.observed.push(Observed {
                    kind: event.kind,
                    message: key,
                    count: 0,
                    first: event.at,
                    stored: None,
                });
                self.observed.last_mut().expect("one was pushed")
            }
        };
        observed.count += 1;
        let prefix = if combined {
            "(combined from similar events): "
        } else {
            ""
        };
        let now = StoredEvent {
            kind: event.kind,
            message: format!("{prefix}{}", event.message),
            count: observed.count,
            first: observed.first,
            last: event.at,
        };
        // The bucket drips evenly.
        let dripped = (event.at - self.refilled).as_millis() * TOKEN / REFILL.as_millis();
        self.tokens = (self.tokens + dripped).min(BURST * TOKEN);
        self.refilled = event.at;
        if self.tokens >= TOKEN {
            self.tokens -= TOKEN;
            observed.stored = Some(now);
        }
    }
}

impl Similar {
    /// Takes an event's message down; says whether the event is combined with others.
    fn combines(&mut self, event: &EventRecord) -> bool {
        if self
            .last
            .is_none_or(|last| event.at - last > FORGOTTEN_AFTER)
        {
            self.messages.clear();
        }
        self.last = Some(event.at);
        if !self.messages.contains(&event.message) {
            self.messages.push(event.message.clone());
        }
        if self.messages.len() < COMBINED_FROM {
            return false;
        }
        self.messages.remove(0);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(list: impl IntoIterator<Item = (i64, String)>) -> Vec<EventRecord> {
        let normal = |(at, message)| EventRecord {
            at: Timestamp::from_secs(at),
            kind: EventType::Normal,
            message,
        };
        list.into_iter().map(normal).collect()
    }

    fn shown(events: &[EventRecord], at: i64) -> Vec<(u32, i64, i64, String)> {
        let stored = stored(events, Timestamp::from_secs(at));
        let row = |e: StoredEvent| {
            let seconds = |at: Timestamp| at.as_millis() / 1000;
            (e.count, seconds(e.first), seconds(e.last), e.message)
        };
        stored.into_iter().map(row).collect()
    }

    #[test]
    fn equal_messages_are_one_event_with_a_count() {
        let list = events((0..3).map(|i| (i * 30, "halt".to_owned())));
        assert_eq!(shown(&list, 45), [(2, 0, 30, "halt".to_owned())]);
        assert_eq!(shown(&list, 60), [(3, 0, 60, "halt".to_owned())]);
    }

    #[test]
    fn the_tenth_different_message_is_combined_and_so_are_the_next() {
        let list = events((0..12).map(|i| (i * 10, format!("m{i}"))));
        let rows = shown(&list, 200);
        assert_eq!(rows.len(), 10);
        assert_eq!(rows[8], (1, 80, 80, "m8".to_owned()));
        let combined = "(combined from similar events): m11".to_owned();
        assert_eq!(rows[9], (3, 90, 110, combined));
    }

    #[test]
    fn ten_minutes_without_an_event_end_the_combining() {
        for (gap, combined) in [(600, true), (601, false)] {
            let list = (0..9).map(|i| (i, format!("m{i}")));
            let list = events(list.chain([(8 + gap, "late".to_owned())]));
            let (_, _, _, message) = shown(&list, 8 + gap).pop().unwrap();
            assert_eq!(message.starts_with("(combined"), combined, "{gap}");
        }
    }

    #[test]
    fn the_twenty_sixth_event_is_dropped_and_counted() {
        let list = events((0..26).map(|i| (i, "again".to_owned())));
        assert_eq!(shown(&list, 60), [(25, 0, 24, "again".to_owned())]);
        // Five minutes on there is one token, and the count tells of the dropped one.
        let list = events((0..26).chain([330]).map(|i| (i, "again".to_owned())));
        assert_eq!(shown(&list, 330), [(27, 0, 330, "again".to_owned())]);
    }

    #[test]
    fn an_event_is_kept_for_an_hour_after_it_was_last_written() {
        let list = events([(0, "old".to_owned())]);
        assert_eq!(shown(&list, 3599).len(), 1);
        assert_eq!(shown(&list, 3600).len(), 0);
    }
}
