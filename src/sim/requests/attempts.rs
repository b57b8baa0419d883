//! Requests that do not simply get an answer: they outlast a limit, or their pod is killed or cannot be reached.
//!
//! nginx waits `proxy-connect-timeout` for a connection and `proxy-read-timeout` for an answer; then, or when the connection
//! breaks, it tries the next pod of the same backend, at most three times in all (`proxy_next_upstream error timeout`;
//! ingress-nginx defaults in `internal/ingress/controller/config/config.go`); after that it answers 504 or 502. What it has
//! sent and must not repeat (POST, LOCK, PATCH) it does not try again. Users may go away before (499).
//! A pod goes on with a request that nobody waits for any more.
//!
//! Nothing here is on the way of a request that is answered in time: the hot loop looks at the longest latency of a
//! batch, and hands the batch over when that is too long.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::collections::BinaryHeap;
use std::collections::VecDeque;

use super::clients::ClientIx;
use super::load::Sent;
use super::plan::PathPlan;
use super::seconds::Seen;
use super::{ClassIx, RequestPath};
use crate::scenario::NextUpstream;
use crate::sim::clock::{NEVER, Nanos, SECOND, Tick};
use crate::sim::ingress::{Endpoint, Record, Status};
use crate::sim::service::{PodIx, Reach, Side};

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
    /// What kind of request it is.
    pub(super) class: ClassIx,
    /// Who waits for the answer before sending another request.
    pub(super) client: Option<ClientIx>,
    /// Who sent it.
    pub(super) origin: Origin,
}

/// Who sent a request.
#[derive(Clone, Copy, Debug)]
pub(super) enum Origin {
    User,
    Load(Sent),
}

/// How long a connection past the ingress is tried for: six retries of a SYN (`tcp_syn_retries`).
const SYN_RETRIES: u64 = 127 * SECOND as u64;

/// Why an attempt came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// Nobody listens.
    Refused,
    /// The pod ended.
    Broken,
    /// No connection within `proxy-connect-timeout`.
    NoConnection,
    /// No answer within `proxy-read-timeout`.
    NoAnswer,
    /// The pod answers 500.
    Failed,
}

impl Cause {
    /// What the user gets if there is no other attempt.
    fn status(self) -> Status {
        match self {
            Cause::Refused | Cause::Broken => Status::BadGateway,
            Cause::NoConnection | Cause::NoAnswer => Status::GatewayTimeout,
            Cause::Failed => Status::InternalError,
        }
    }

    /// Whether the pod may have got the request.
    fn after_sending(self) -> bool {
        matches!(self, Cause::Broken | Cause::NoAnswer | Cause::Failed)
    }

    fn kind(self) -> NextUpstream {
        match self {
            Cause::Refused | Cause::Broken => NextUpstream::Error,
            Cause::NoConnection | Cause::NoAnswer => NextUpstream::Timeout,
            Cause::Failed => NextUpstream::Http500,
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
    cause: Cause,
}

/// The limits, and the requests that have met them.
#[derive(Clone, Debug)]
pub(super) struct Attempts {
    connect_timeout: u64,
    read_timeout: u64,
    patience: u64,
    tries: u32,
    next_upstream: BTreeSet<NextUpstream>,
    waiting: BinaryHeap<Reverse<Waiting>>,
    sequence: u64,
    /// In order of their start; `None` if pods are never killed.
    flights: Option<VecDeque<Flight>>,
    /// Whether a pod that is killed or cannot be reached still gets requests.
    pub(super) lost_endpoints: bool,
}

impl Attempts {
    pub(super) fn new(plan: &PathPlan) -> Self {
        let limit = |limit: Option<Nanos>| limit.map_or(NEVER, |limit| limit as u64);
        Attempts {
            connect_timeout: plan.ingress.connect_timeout as u64,
            read_timeout: limit(plan.ingress.read_timeout),
            patience: limit(plan.patience),
            tries: plan.ingress.tries.max(1),
            next_upstream: plan.ingress.next_upstream.clone(),
            waiting: BinaryHeap::new(),
            sequence: 0,
            flights: plan.kills.then(VecDeque::new),
            lost_endpoints: false,
        }
    }

    /// A request that takes no longer is simply answered.
    pub(super) fn limit(&self) -> u64 {
        self.read_timeout.min(self.patience)
    }

    /// Whether an attempt may follow on another within the second: then requests are served one by one, in the order of
    /// everything that happens to them.
    pub(super) fn is_quick(&self) -> bool {
        let second = SECOND as u64;
        self.limit() < second
            || self.connect_timeout < second
            || self.next_upstream.contains(&NextUpstream::Http500)
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

    /// Whether nginx may try the next pod.
    fn may_repeat(&self, attempt: &Attempt, repeatable: bool, cause: Cause) -> bool {
        attempt.number < self.tries
            && self.next_upstream.contains(&cause.kind())
            && (repeatable
                || !cause.after_sending()
                || self.next_upstream.contains(&NextUpstream::NonIdempotent))
    }

    fn wait(&mut self, attempt: Attempt, until: Tick, cause: Cause) {
        self.sequence += 1;
        self.waiting.push(Reverse(Waiting {
            until,
            sequence: self.sequence,
            attempt,
            cause,
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
    /// Decides for each request of a batch, all of which have a slot, what becomes of it.
    pub(super) fn answer_singly(&mut self, taken: std::ops::Range<usize>) {
        for (place, request) in taken.enumerate() {
            let batch = &self.batch;
            let (worker, endpoint) = (batch.worker[place], batch.endpoint[place]);
            let (completion, failed) = (batch.time[place], batch.failed[place]);
            let arrival = self.block.arrival[request];
            let attempt = Attempt {
                arrival,
                at: arrival,
                number: 1,
                worker,
                endpoint,
                service: self.block.service[request],
                fault: self.block.fault[request],
                side: endpoint.side,
                seen: None,
                class: ClassIx::default(),
                client: None,
                origin: Origin::User,
            };
            self.expect(attempt, completion, failed);
        }
    }

    /// Goes on with the requests whose attempt is given up at `now`.
    pub(super) fn retry(&mut self, now: Tick) {
        while self.attempts.next() <= now {
            let Some(Reverse(waiting)) = self.attempts.waiting.pop() else {
                return;
            };
            let mut attempt = waiting.attempt;
            attempt.at = waiting.until;
            self.fail_over(attempt, waiting.cause);
        }
    }

    /// Breaks everything that a pod has not answered by now.
    pub(super) fn cut(&mut self, pod: PodIx) {
        let now = self.now;
        let (flights, waiting) = self.attempts.cut(pod, now);
        for flight in flights {
            let mut attempt = flight.attempt;
            if let Some(record) = self.record_of(&attempt, answer(flight.failed), flight.completion)
            {
                self.recorders.forget(&record);
            }
            attempt.seen = Some(Seen {
                failed: flight.failed,
                latency_ns: flight.completion - attempt.arrival,
            });
            attempt.at = now;
            if let (Some(clients), Some(client)) = (&mut self.clients, attempt.client) {
                clients.waits_again(client);
            }
            self.fail_over(attempt, Cause::Broken);
        }
        for mut attempt in waiting {
            attempt.at = now;
            self.fail_over(attempt, Cause::Broken);
        }
    }

    /// Goes to the next pod, if there may be another attempt.
    fn fail_over(&mut self, attempt: Attempt, cause: Cause) {
        if !self.may_repeat(&attempt, cause) {
            return self.conclude(attempt, cause.status(), attempt.at);
        }
        let tried = attempt.endpoint;
        // The same words turned: other draws, and none taken from the streams.
        let (service, fault) = (
            attempt.service.rotate_left(21),
            attempt.fault.rotate_left(21),
        );
        let next = self.router.pick(
            attempt.worker,
            tried.backend,
            Some(tried.pod),
            service,
            attempt.at,
        );
        match next {
            Some(endpoint) => self.begin(Attempt {
                number: attempt.number + 1,
                endpoint,
                service,
                fault,
                ..attempt
            }),
            None => self.conclude(attempt, Status::BadGateway, attempt.at),
        }
    }

    /// Starts an attempt.
    pub(super) fn begin(&mut self, attempt: Attempt) {
        match self.pods.reach(attempt.endpoint.pod) {
            Reach::Open => {}
            Reach::Refused => return self.fail_over(attempt, Cause::Refused),
            Reach::Silent => {
                let (connect_timeout, _, _) = self.limits(&attempt);
                let given_up = attempt.at.saturating_add(connect_timeout);
                return self.give_up(attempt, given_up, Cause::NoConnection);
            }
        }
        let (completion, failed) = self.pods.serve_one(
            attempt.endpoint.pod,
            self.classes.named(attempt.class),
            attempt.at,
            attempt.service,
            attempt.fault,
        );
        self.applications.count(
            std::slice::from_ref(&attempt.endpoint),
            &[failed],
            &[attempt.at],
            &[completion],
        );
        self.expect(attempt, completion, failed);
    }

    /// Decides what becomes of an attempt that its pod will have answered at `completion`.
    fn expect(&mut self, attempt: Attempt, completion: Tick, failed: bool) {
        let (_, read_timeout, patience) = self.limits(&attempt);
        let given_up = attempt.at.saturating_add(read_timeout);
        let left = attempt.arrival.saturating_add(patience);
        if completion > given_up.min(left) {
            return self.give_up(attempt, given_up, Cause::NoAnswer);
        }
        if failed && self.may_repeat(&attempt, Cause::Failed) {
            return self.give_up(attempt, completion, Cause::Failed);
        }
        self.attempted(&attempt, completion);
        self.remember(attempt, completion, failed);
        self.conclude(attempt, answer(failed), completion);
    }

    /// An attempt that comes to nothing at `given_up`, unless its user goes away before.
    fn give_up(&mut self, mut attempt: Attempt, given_up: Tick, cause: Cause) {
        let (_, _, patience) = self.limits(&attempt);
        let left = attempt.arrival.saturating_add(patience);
        let end = given_up.min(left);
        self.attempted(&attempt, end);
        if left <= given_up {
            self.conclude(attempt, Status::ClientClosed, left);
        } else if self.may_repeat(&attempt, cause) {
            self.see(&mut attempt, false, given_up);
            self.attempts.wait(attempt, given_up, cause);
        } else {
            self.conclude(attempt, cause.status(), given_up);
        }
    }

    /// How long the connection, the answer and the sender's patience last.
    fn limits(&self, attempt: &Attempt) -> (u64, u64, u64) {
        let attempts = &self.attempts;
        let (connect, read) = (attempts.connect_timeout, attempts.read_timeout);
        match attempt.origin {
            Origin::User => (connect, read, attempts.patience),
            Origin::Load(sent) if sent.direct => (SYN_RETRIES, NEVER, sent.patience),
            Origin::Load(sent) => (connect, read, sent.patience),
        }
    }

    /// Tells the balancer how an attempt ended that it had chosen the pod for.
    fn attempted(&mut self, attempt: &Attempt, end: Tick) {
        if !matches!(attempt.origin, Origin::Load(sent) if sent.direct) {
            self.router.attempted(attempt.endpoint.pod, attempt.at, end);
        }
    }

    fn may_repeat(&self, attempt: &Attempt, cause: Cause) -> bool {
        if matches!(attempt.origin, Origin::Load(sent) if sent.direct) {
            return false;
        }
        let repeatable = self.classes.is_repeatable(attempt.class);
        self.attempts.may_repeat(attempt, repeatable, cause)
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
    pub(super) fn conclude(&mut self, mut attempt: Attempt, status: Status, completion: Tick) {
        if let Some(record) = self.record_of(&attempt, status, completion) {
            self.recorders.record_one(&record);
        }
        // A load test has no user who might have left: no answer is a failure.
        let unanswered =
            status == Status::ClientClosed && matches!(attempt.origin, Origin::Load(_));
        let failed = status.is_server_error() || unanswered;
        self.see(&mut attempt, failed, completion);
        if let Origin::Load(sent) = attempt.origin {
            self.loads.answered(sent, completion);
        }
        if let (Some(clients), Some(client)) = (&mut self.clients, attempt.client) {
            clients.answered(client, completion);
        }
    }

    /// What the ingress records of a request; nothing for a host that it does not count.
    fn record_of(&self, attempt: &Attempt, status: Status, completion: Tick) -> Option<Record> {
        let counted = match attempt.origin {
            Origin::User => self.counts_users,
            Origin::Load(sent) => sent.recorded,
        };
        counted.then_some(Record {
            worker: attempt.worker,
            group: self.classes.group(attempt.class, attempt.endpoint.group)?,
            status,
            arrival: attempt.arrival,
            completion,
            // After a retry nginx reports a list of upstream times, which the exporter does not take for a number.
            upstream: attempt.number == 1,
        })
    }

    /// Counts a request in the second of its arrival, or corrects how it stands there.
    fn see(&mut self, attempt: &mut Attempt, failed: bool, completion: Tick) {
        let seen = Seen {
            failed,
            latency_ns: completion - attempt.arrival,
        };
        let before = attempt.seen.replace(seen);
        match attempt.origin {
            Origin::User => self
                .seconds
                .correct(attempt.arrival, attempt.side, before, seen),
            Origin::Load(sent) => self.loads.count(sent, attempt.side, before, seen),
        }
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
