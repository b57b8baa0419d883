//! The NGINX ingress: which pod a request goes to, and what the controller's exporter says about it.
//!
//! `router` tosses the canary coin and picks a pod as `rootfs/etc/nginx/lua/balancer.lua` does, `recorder` counts as
//! `rootfs/etc/nginx/lua/monitor.lua` and `internal/ingress/metric/collectors/socket.go` do (kubernetes/ingress-nginx).
//! `choice` has the order of header, cookie and weight, `balance` the ways of choosing a pod that look at how it is doing,
//! `losses` the records that never arrive, `recorders` the controllers where there are several.
//! Left out: new workers after a reload flush when the old ones did, upstream a whole number of seconds after their start.

mod balance;
mod choice;
mod counters;
mod losses;
mod recorder;
mod recorders;
mod router;

pub use choice::{Asked, Conditions, Rule, backend};
pub use counters::{BUCKET_BOUNDS, BUCKETS, Cell, Counters, Histogram};
pub(crate) use losses::BATCH_LIMIT;
pub(crate) use recorder::{Record, Recorder};
pub(crate) use recorders::Recorders;
pub(crate) use router::{Bound, Endpoint, Router, Sender};

use std::collections::BTreeSet;

use crate::scenario::{IngressController, LoadBalance, NextUpstream, Via};
use crate::sim::clock::{MILLISECOND, Nanos, SECOND};
use crate::time::Span;

/// The ingress controller's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IngressPlan {
    /// Controller pods.
    pub controllers: u32,
    /// nginx workers of each; they are counted through all controllers.
    pub workers: u32,
    /// How often a worker hands its records to the exporter.
    pub flush_interval: Nanos,
    /// Whether requests pass it; else it does nothing.
    pub via: Via,
    /// Whether it counts those that pass: not those for a host it does not know.
    pub records: bool,
    /// Sets of labels that it counts under, two for each class of requests that differs in its labels.
    pub groups: u8,
    /// Whether statuses are counted by their class.
    pub status_classes: bool,
    /// How long it waits for a connection (`proxy-connect-timeout`).
    pub connect_timeout: Nanos,
    /// How long it waits for a pod's answer (`proxy-read-timeout`); `None` is for ever.
    pub read_timeout: Option<Nanos>,
    /// Attempts in all, the first included (`proxy-next-upstream-tries`).
    pub tries: u32,
    /// Whether requests for a backend without endpoints go to the main one, as under nginx, or are refused.
    pub falls_back: bool,
    /// What is tried again (`proxy-next-upstream`).
    pub next_upstream: BTreeSet<NextUpstream>,
    /// How pods are chosen.
    pub balance: LoadBalance,
    /// Whether users keep the cookie that binds them to a pod, and how the canary's pods are bound.
    pub affinity: Affinity,
    /// Reloads of nginx, in order.
    pub reloads: Vec<Nanos>,
    /// Moments at which the controllers' processes end and others begin to count, in order.
    pub restarts: Vec<Nanos>,
    /// Records that a worker keeps between two flushes, where requests are so many that this counts.
    pub batch_limit: Option<u32>,
}

/// Session affinity of an Ingress (`nginx.ingress.kubernetes.io/affinity` and `affinity-canary-behavior`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Affinity {
    /// None.
    #[default]
    None,
    /// Users stay with the backend and the pod that they have got.
    Sticky,
    /// The canary's pods bind nobody.
    Legacy,
}

impl IngressPlan {
    /// The settings of a scenario. Requests that go straight to the Service are neither counted nor timed out.
    pub fn new(controller: &IngressController, via: Via, records: bool) -> Self {
        let passed = via == Via::Ingress;
        let proxy = &controller.proxy;
        let nanos = |span: Span| (span.as_millis() * MILLISECOND).max(1);
        IngressPlan {
            controllers: proxy.controllers.max(1),
            workers: controller.workers.max(1),
            flush_interval: nanos(controller.flush_interval),
            via,
            records: records && passed,
            groups: GROUPS as u8,
            status_classes: proxy.report_status_classes,
            connect_timeout: nanos(proxy.connect_timeout),
            read_timeout: passed.then_some(nanos(proxy.read_timeout)),
            tries: if passed { proxy.tries } else { 1 },
            next_upstream: proxy.next_upstream.clone(),
            balance: proxy.load_balance,
            affinity: Affinity::None,
            reloads: Vec::new(),
            restarts: Vec::new(),
            batch_limit: None,
            falls_back: true,
        }
    }

    /// A Gateway in its place: one proxy, which counts nothing that a check asks for, waits as long as it takes and tries
    /// nothing twice. Users enter as before.
    pub fn behind_gateway(self) -> Self {
        IngressPlan {
            controllers: 1,
            workers: 1,
            flush_interval: SECOND,
            records: false,
            // As long as the kernel tries (`tcp_syn_retries`).
            connect_timeout: 127 * SECOND,
            read_timeout: None,
            tries: 1,
            next_upstream: BTreeSet::new(),
            balance: LoadBalance::RoundRobin,
            affinity: Affinity::None,
            reloads: Vec::new(),
            restarts: Vec::new(),
            batch_limit: None,
            falls_back: self.via == Via::Service,
            ..self
        }
    }

    /// Workers of all controllers.
    pub fn all_workers(&self) -> u32 {
        self.controllers * self.workers
    }
}

/// When the ingress controller is scraped: `first`, and every `interval` after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScrapeGrid {
    /// The first scrape.
    pub first: Nanos,
    /// Time between scrapes.
    pub interval: Nanos,
}

/// Who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// The Service of the primary Ingress.
    Main = 0,
    /// The Service of the canary Ingress.
    Alternative = 1,
}

/// The set of labels that a request is counted under. What they are is the world's business: 0 and 1, and as many again
/// for each class of requests that differs in its labels.
pub type Group = u8;

/// Number of [`Group`]s of requests of one class.
pub const GROUPS: usize = 2;

/// The statuses that a request can end with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// 200.
    Ok = 0,
    /// 500: the pod failed it.
    InternalError = 1,
    /// 502: the pod went away.
    BadGateway = 2,
    /// 503: there was no pod.
    Unavailable = 3,
    /// 504: the pod took too long.
    GatewayTimeout = 4,
    /// 499: the user went away.
    ClientClosed = 5,
}

impl Status {
    /// All of them, in order of their counters.
    pub const ALL: [Status; 6] = [
        Status::Ok,
        Status::InternalError,
        Status::BadGateway,
        Status::Unavailable,
        Status::GatewayTimeout,
        Status::ClientClosed,
    ];

    /// Whether it is a 5xx.
    pub const fn is_server_error(self) -> bool {
        self.code() >= 500
    }

    /// The class that it counts under with `--report-status-classes`, as the first of its statuses.
    pub const fn class(self) -> Status {
        match self {
            Status::Ok => Status::Ok,
            Status::ClientClosed => Status::ClientClosed,
            _ => Status::InternalError,
        }
    }

    /// As the `status` label says it.
    pub const fn code(self) -> u16 {
        match self {
            Status::Ok => 200,
            Status::InternalError => 500,
            Status::BadGateway => 502,
            Status::Unavailable => 503,
            Status::GatewayTimeout => 504,
            Status::ClientClosed => 499,
        }
    }
}
