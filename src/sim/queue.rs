//! The control plane's event queue: earliest time first, equal times in the order in which they were put in.
//!
//! Requests never pass through here (see `requests`).

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::time::Timestamp;

/// Events of type `E` in (time, sequence) order.
#[derive(Clone, Debug)]
pub(super) struct Queue<E> {
    heap: BinaryHeap<Reverse<Entry<E>>>,
    sequence: u64,
}

#[derive(Clone, Debug)]
struct Entry<E> {
    at: Timestamp,
    sequence: u64,
    event: E,
}

impl<E> Queue<E> {
    /// An empty queue.
    pub(super) fn new() -> Self {
        Queue {
            heap: BinaryHeap::new(),
            sequence: 0,
        }
    }

    /// Puts an event in.
    pub(super) fn push(&mut self, at: Timestamp, event: E) {
        self.sequence += 1;
        self.heap.push(Reverse(Entry {
            at,
            sequence: self.sequence,
            event,
        }));
    }

    /// When the next event is due.
    pub(super) fn next_at(&self) -> Option<Timestamp> {
        self.heap.peek().map(|Reverse(entry)| entry.at)
    }

    /// Takes the next event out.
    pub(super) fn pop(&mut self) -> Option<(Timestamp, E)> {
        self.heap
            .pop()
            .map(|Reverse(entry)| (entry.at, entry.event))
    }
}

impl<E> Default for Queue<E> {
    fn default() -> Self {
        Queue::new()
    }
}

impl<E> Ord for Entry<E> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.sequence).cmp(&(other.at, other.sequence))
    }
}

impl<E> PartialOrd for Entry<E> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> PartialEq for Entry<E> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<E> Eq for Entry<E> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_times_leave_in_the_order_they_came() {
        let mut queue = Queue::new();
        queue.push(Timestamp::from_secs(2), "late");
        queue.push(Timestamp::from_secs(1), "first");
        queue.push(Timestamp::from_secs(1), "second");
        queue.push(Timestamp::from_secs(-1), "before zero");
        let order: Vec<_> = std::iter::from_fn(|| queue.pop())
            .map(|(_, event)| event)
            .collect();
        assert_eq!(order, ["before zero", "first", "second", "late"]);
    }
}
