//! Requests one by one, in the order of everything that happens to them.
//!
//! What a block cannot have: attempts that follow on others within the second, users who wait for their answers, pods
//! chosen by how they are doing, kinds of requests. It costs several times as much and is taken only where one of these is
//! present, or while a pod that is killed or cannot be reached still gets requests.

use super::RequestPath;
use super::attempts::{Attempt, Origin};
use super::clients::{ClientIx, ClosedLoop};
use crate::sim::clock::{NEVER, Tick};
use crate::sim::ingress::{Record, Status};

impl RequestPath {
    /// Serves everything that happens before `until`.
    pub(super) fn serve_in_order(&mut self, until: Tick) {
        loop {
            let arrival = self.block.next_arrival();
            let retry = self.attempts.next();
            let client = self.clients.as_mut().map_or(NEVER, ClosedLoop::next);
            let next = arrival.min(retry).min(client);
            if next >= until {
                return;
            }
            if next == retry {
                self.retry(next);
            } else if next == client {
                let sent = self.clients.as_mut().and_then(ClosedLoop::send);
                if let Some((client, words)) = sent {
                    self.arrive(next, words, Some(client));
                }
            } else {
                let request = self.block.take_one();
                let block = &self.block;
                let words = [
                    block.routing[request],
                    block.service[request],
                    block.fault[request],
                ];
                self.arrive(arrival, words, None);
            }
        }
    }

    /// A request arrives, with its draws for routing, service and fault.
    fn arrive(
        &mut self,
        arrival: Tick,
        [routing, service, fault]: [u64; 3],
        client: Option<ClientIx>,
    ) {
        let (class, sender) = self.classes.of(routing);
        let (worker, endpoint) = if self.router.is_closed() {
            (self.router.worker(routing), None)
        } else {
            self.router.choose(routing, sender, arrival)
        };
        let Some(endpoint) = endpoint else {
            let counted = self.classes.group(class, 0).filter(|_| self.counts_users);
            if let Some(group) = counted {
                self.recorders
                    .record_one(&unanswered(worker, group, arrival));
            }
            self.seconds.refuse(1);
            if let (Some(clients), Some(client)) = (&mut self.clients, client) {
                clients.answered(client, arrival);
            }
            return;
        };
        self.begin(Attempt {
            arrival,
            at: arrival,
            number: 1,
            worker,
            endpoint,
            service,
            fault,
            side: endpoint.side,
            seen: None,
            class,
            client,
            origin: Origin::User,
        });
    }
}

/// The record of a request for which there is no pod: 503 at once.
pub(super) fn unanswered(worker: u32, group: u8, arrival: Tick) -> Record {
    Record {
        worker,
        group,
        status: Status::Unavailable,
        arrival,
        completion: arrival,
        upstream: false,
    }
}
