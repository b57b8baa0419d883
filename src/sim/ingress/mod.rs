//! The NGINX ingress: which pod a request goes to, and what the controller's exporter says about it.
//!
//! `router` tosses the canary coin and picks a pod as `rootfs/etc/nginx/lua/balancer.lua` does, `recorder` counts as
//! `rootfs/etc/nginx/lua/monitor.lua` and `internal/ingress/metric/collectors/socket.go` do (kubernetes/ingress-nginx).
//! Left out: headers, cookies and session affinity, the batch limit of 10 000 records per worker and flush, reloads
//! (which lose up to a second of a worker's records).

mod counters;
mod recorder;
mod router;

pub use counters::{BUCKET_BOUNDS, BUCKETS, Cell, Counters, Histogram};
pub(crate) use recorder::{Record, Recorder};
pub(crate) use router::{Endpoint, Router};

use crate::scenario::IngressController;
use crate::scenario::Via;
use crate::sim::clock::{MILLISECOND, Nanos, SECOND};

/// The ingress controller's settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IngressPlan {
    /// nginx workers.
    pub workers: u32,
    /// How often a worker hands its records to the exporter.
    pub flush_interval: Nanos,
    /// Whether requests pass it; else it does nothing.
    pub via: Via,
    /// Whether it counts those that pass: not those for a host it does not know.
    pub records: bool,
    /// How long it waits for a pod's answer (`proxy-read-timeout`), at least a second; `None` is for ever.
    pub read_timeout: Option<Nanos>,
    /// Attempts in all, the first included (`proxy-next-upstream-tries`).
    pub tries: u32,
    /// Whether requests for a backend without endpoints go to the main one, as under nginx, or are refused.
    pub falls_back: bool,
}

impl IngressPlan {
    /// The settings of a scenario, and ingress-nginx's defaults (`internal/ingress/controller/config/config.go`).
    /// Requests that go straight to the Service are neither counted nor timed out.
    pub fn new(controller: &IngressController, via: Via, records: bool) -> Self {
        let passed = via == Via::Ingress;
        IngressPlan {
            workers: controller.workers.max(1),
            flush_interval: (controller.flush_interval.as_millis() * MILLISECOND).max(1),
            via,
            records: records && passed,
            read_timeout: passed.then_some(60 * SECOND),
            tries: if passed { 3 } else { 1 },
            falls_back: true,
        }
    }

    /// A Gateway in its place: one proxy, which counts nothing that a check asks for, waits as long as it takes and tries
    /// nothing twice.
    pub fn gateway(via: Via) -> Self {
        IngressPlan {
            workers: 1,
            flush_interval: SECOND,
            via,
            records: false,
            read_timeout: None,
            tries: 1,
            falls_back: via == Via::Service,
        }
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

/// The set of labels that a request is counted under: 0 or 1. What they are is the world's business.
pub type Group = u8;

/// Number of [`Group`]s.
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
