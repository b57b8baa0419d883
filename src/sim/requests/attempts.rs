//! Requests that do not simply get an answer: they outlast a limit, or their pod is killed.
//!
//! nginx waits `proxy-read-timeout` for an answer and then, or when the connection breaks, tries the next pod of the same
//! backend, at most three times in all (`proxy_next_upstream error timeout`; ingress-nginx defaults in
//! `internal/ingress/controller/config/config.go`); after that it answers 504 or 502. Users may go away before (499).
//! A pod goes on with a request that nobody waits for any more. All requests are taken to be repeatable (GET).
//!
//! Nothing here is on the way of a request that is answered in time: the hot loop looks at the longest latency of a
//! batch, and hands the batch over when that is too long.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::VecDeque;

use super::RequestPath;
use super::seconds::Seen;
use crate::sim::clock::{NEVER, Nanos, Tick};
use crate::sim::ingress::{Endpoint, Record, Status};
use crate::sim::service::{PodIx, Side};

/// One attempt of a request at a pod.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attempt {
    /// When the request arrived.
    pub(super) arrival: Tick,
    /// When this attempt starts.
    pub(super) at: Tick,
    /// Its number, from 1.
    pub(super) number: u32,
    pub(super) worker: u32,
    pub(super) endpoint: Endpoint,
    pub(super) service: u64,
    pub(super) fault: u64,
    /// Whose users the request is counted among.
    pub(super) side: Side,
    /// How it stands in its second, if it does.
    pub(super) seen: Option<Seen>,
}

impl Attempt {
    fn record(&self, status: Status, completion: Tick) -> Record {
        Record {
            worker: self.worker,
            group: self.endpoint.group,
            status,
            arrival: self.arrival,
            completion,
            // After a retry nginx reports a list of upstream times, which the exporter does not take for a number.
            upstream: self.number == 1,
        }
    }
}

/// An attempt that will be answered, unless its pod is killed.
#[derive(Clone, Copy, Debug)]
struct Flight {
    attempt: Attempt,
    completion: Tick,
    failed: bool,
}

/// An attempt that nginx gives up at `until`.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    until: Tick,
    sequence: u64,
    attempt: Attempt,
}

/// The limits, and the requests that have met them.
#[derive(Clone, Debug)]
pub(super) struct Attempts {
    read_timeout: u64,
    patience: u64,
    tries: u32,
    waiting: BinaryHeap<Reverse<Waiting>>,
    sequence: u64,
    /// In order of their start; `None` if pods are never killed.
    flights: Option<VecDeque<Flight>>,
    /// Whether a killed pod still gets requests.
    pub(super) dead_endpoints: bool,
}

impl Attempts {
    /// `read_timeout` and `patience` are at least a second.
    pub(super) fn new(
        read_timeout: Option<Nanos>,
        tries: u32,
        patience: Option<Nanos>,
        kills: bool,
    ) -> Self {
        let limit = |limit: Option<Nanos>| limit.map_or(NEVER, |limit| limit as u64);
        Attempts {
            read_timeout: limit(read_timeout),
            patience: limit(patience),
            tries: tries.max(1),
            waiting: BinaryHeap::new(),
            sequence: 0,
            flights: kills.then(VecDeque::new),
            dead_endpoints: false,
        }
    }

    /// A request that takes no longer is simply answered.
    pub(super) fn limit(&self) -> u64 {
        self.read_timeout.min(self.patience)
    }

    /// When the next attempt is given up.
    pub(super) fn next(&self) -> Tick {
        self.waiting.peek().map_or(NEVER, |next| next.0.until)
    }

    /// Whether answered requests must be remembered until they are done.
    pub(super) fn remembers(&self) -> bool {
        self.flights.is_some()
    }

    /// Forgets what is done by `now`.
    pub(super) fn forget(&mut self, now: Tick) {
        if let Some(flights) = &mut self.flights {
            while flights
                .front()
                .is_some_and(|flight| flight.completion <= now)
            {
                flights.pop_front();
            }
        }
    }

    fn wait(&mut self, attempt: Attempt, until: Tick) {
        self.sequence += 1;
        self.waiting.push(Reverse(Waiting {
            until,
            sequence: self.sequence,
            attempt,
        }));
    }

    /// Takes out everything that a killed pod will not answer.
    fn cut(&mut self, pod: PodIx, now: Tick) -> (VecDeque<Flight>, Vec<Attempt>) {
        let on_pod = |attempt: &Attempt| attempt.endpoint.pod == pod;
        let flights = self.flights.take().unwrap_or_default();
        let (cut, left): (VecDeque<_>, VecDeque<_>) = flights
            .into_iter()
            .partition(|flight| on_pod(&flight.attempt) && flight.completion > now);
        self.flights = Some(left);
        let mut waiting = std::mem::take(&mut self.waiting).into_sorted_vec();
        // Sorted by what is reversed: the latest first.
        waiting.reverse();
        let mut cut_waiting = Vec::new();
        for Reverse(entry) in waiting {
            if on_pod(&entry.attempt) {
                cut_waiting.push(entry.attempt);
            } else {
                self.waiting.push(Reverse(entry));
            }
        }
        (cut, cut_waiting)
    }
}

impl RequestPath {
    /// Serves requests one by one: all that arrive before `until`.
    pub(super) fn serve_singly(&mut self, until: Tick) {
        loop {
            let taken = self.block.take(until);
            for request in taken.clone() {
                match self.router.route_one(self.block.routing[request]) {
                    (worker, Some(endpoint)) => {
                        self.begin(self.first_attempt(request, worker, endpoint));
                    }
                    (worker, None) => self.refuse_one(worker, self.block.arrival[request]),
                }
            }
            if taken.end < super::block::LENGTH {
                return;
            }
        }
    }

    /// Decides for each request of a batch, all of which have a slot, what becomes of it.
    pub(super) fn answer_singly(&mut self, taken: std::ops::Range<usize>) {
        for (place, request) in taken.enumerate() {
            let batch = &self.batch;
            let (worker, endpoint) = (batch.worker[place], batch.endpoint[place]);
            let (completion, failed) = (batch.time[place], batch.failed[place]);
            let attempt = self.first_attempt(request, worker, endpoint);
            self.expect(attempt, completion, failed);
        }
    }

    /// Goes on with the requests whose attempt is given up at `now`.
    pub(super) fn retry(&mut self, now: Tick) {
        while self.attempts.next() <= now {
            let Some(Reverse(Waiting { mut attempt, .. })) = self.attempts.waiting.pop() else {
                return;
            };
            attempt.at = now;
            self.try_next(attempt);
        }
    }

    /// Breaks everything that a pod has not answered by now.
    pub(super) fn cut(&mut self, pod: PodIx) {
        let now = self.now;
        let (flights, waiting) = self.attempts.cut(pod, now);
        for flight in flights {
            let mut attempt = flight.attempt;
            let status = answer(flight.failed);
            self.recorder
                .forget(&attempt.record(status, flight.completion));
            attempt.seen = Some(Seen {
                failed: flight.failed,
                latency_ns: flight.completion - attempt.arrival,
            });
            attempt.at = now;
            self.try_next(attempt);
        }
        for mut attempt in waiting {
            attempt.at = now;
            self.try_next(attempt);
        }
    }

    fn first_attempt(&self, request: usize, worker: u32, endpoint: Endpoint) -> Attempt {
        let arrival = self.block.arrival[request];
        Attempt {
            arrival,
            at: arrival,
            number: 1,
            worker,
            endpoint,
            service: self.block.service[request],
            fault: self.block.fault[request],
            side: endpoint.side,
            seen: None,
        }
    }

    /// Goes to the next pod, if there may be another attempt.
    fn try_next(&mut self, attempt: Attempt) {
        let endpoint = self.router.again(attempt.worker, attempt.endpoint.backend);
        match endpoint {
            Some(endpoint) if attempt.number < self.attempts.tries => self.begin(Attempt {
                number: attempt.number + 1,
                endpoint,
                // The same words turned: other draws, and none taken from the streams.
                service: attempt.service.rotate_left(21),
                fault: attempt.fault.rotate_left(21),
                ..attempt
            }),
            _ => self.conclude(attempt, Status::BadGateway, attempt.at),
        }
    }

    /// Starts an attempt.
    fn begin(&mut self, attempt: Attempt) {
        if self.pods.is_dead(attempt.endpoint.pod) {
            // Nobody listens.
            return self.try_next(attempt);
        }
        let (mut failed, mut time) = ([false], [0]);
        let endpoint = [attempt.endpoint];
        self.pods.work(
            &endpoint,
            &[attempt.service],
            &[attempt.fault],
            &mut failed,
            &mut time,
        );
        self.pods.queue(&endpoint, &[attempt.at], &mut time);
        self.applications
            .count(&endpoint, &failed, &[attempt.at], &time);
        self.expect(attempt, time[0], failed[0]);
    }

    /// Decides what becomes of an attempt that its pod will have answered at `completion`.
    fn expect(&mut self, attempt: Attempt, completion: Tick, failed: bool) {
        let given_up = attempt.at.saturating_add(self.attempts.read_timeout);
        let left = attempt.arrival.saturating_add(self.attempts.patience);
        if completion <= given_up.min(left) {
            self.remember(attempt, completion, failed);
            self.conclude(attempt, answer(failed), completion);
        } else if left <= given_up {
            self.conclude(attempt, Status::ClientClosed, left);
        } else if attempt.number < self.attempts.tries {
            let mut attempt = attempt;
            self.see(&mut attempt, false, given_up);
            self.attempts.wait(attempt, given_up);
        } else {
            self.conclude(attempt, Status::GatewayTimeout, given_up);
        }
    }

    /// Keeps in mind that a killed pod would break this attempt.
    fn remember(&mut self, attempt: Attempt, completion: Tick, failed: bool) {
        if let Some(flights) = &mut self.attempts.flights {
            flights.push_back(Flight {
                attempt,
                completion,
                failed,
            });
        }
    }

    /// Ends a request.
    fn conclude(&mut self, mut attempt: Attempt, status: Status, completion: Tick) {
        self.recorder
            .record_one(&attempt.record(status, completion));
        self.see(&mut attempt, status.is_server_error(), completion);
    }

    /// Counts a request in the second of its arrival, or corrects how it stands there.
    fn see(&mut self, attempt: &mut Attempt, failed: bool, completion: Tick) {
        let seen = Seen {
            failed,
            latency_ns: completion - attempt.arrival,
        };
        self.seconds
            .correct(attempt.arrival, attempt.side, attempt.seen, seen);
        attempt.seen = Some(seen);
    }
}

/// The status that a pod answers with.
fn answer(failed: bool) -> Status {
    if failed {
        Status::InternalError
    } else {
        Status::Ok
    }
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.until, self.sequence).cmp(&(other.until, other.sequence))
    }
}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Eq for Waiting {}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}
