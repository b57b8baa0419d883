//! What becomes of requests beyond the ordinary: how the ingress times out, tries again and counts, and who the users are.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Distribution;
use crate::time::Span;

/// How ingress-nginx handles requests; the default is the controller's own
/// (`internal/ingress/controller/config/config.go`, `pkg/flags/flags.go`).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Proxy {
    /// Controller pods; each has its workers, its own series and its own scrape.
    pub controllers: u32,
    /// `proxy-connect-timeout`.
    pub connect_timeout: Span,
    /// `proxy-read-timeout`.
    pub read_timeout: Span,
    /// `proxy-next-upstream`: what is tried again at the next pod.
    pub next_upstream: BTreeSet<NextUpstream>,
    /// `proxy-next-upstream-tries`: attempts in all, the first included.
    pub tries: u32,
    /// `load-balance`.
    pub load_balance: LoadBalance,
    /// `--metrics-per-host`: whether series carry the host; without it requests for unknown hosts are counted too.
    pub metrics_per_host: bool,
    /// `--report-status-classes`: 2xx and so on instead of the status.
    pub report_status_classes: bool,
}

impl Default for Proxy {
    fn default() -> Self {
        Proxy {
            controllers: 1,
            connect_timeout: Span::from_secs(5),
            read_timeout: Span::from_secs(60),
            next_upstream: BTreeSet::from([NextUpstream::Error, NextUpstream::Timeout]),
            tries: 3,
            load_balance: LoadBalance::RoundRobin,
            metrics_per_host: true,
            report_status_classes: false,
        }
    }
}

impl Proxy {
    /// Whether nothing was said.
    pub fn is_default(&self) -> bool {
        *self == Proxy::default()
    }
}

/// What nginx tries again at the next pod (`proxy_next_upstream`).
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum NextUpstream {
    /// The connection is refused or breaks.
    Error,
    /// Connecting or the answer takes too long.
    Timeout,
    /// The pod answers 500.
    #[serde(rename = "http_500")]
    Http500,
    /// Also requests that are not safe to repeat: POST, LOCK, PATCH.
    NonIdempotent,
}

/// How a controller chooses among the pods of a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LoadBalance {
    /// One after the other, each worker on its own.
    RoundRobin,
    /// The better of two, by an average of the answers' times that forgets (`ewma.lua`).
    Ewma,
    /// The one that works on the fewest requests; not ingress-nginx', but other proxies'.
    LeastConnections,
}

/// Users who wait for an answer, think, and send the next request.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Clients {
    /// How many.
    pub count: u32,
    /// From an answer to the next request.
    pub think_time: Distribution,
}

/// A kind of request.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RequestClass {
    /// Its name.
    pub name: String,
    /// Its part of all requests, as the others' weights have it.
    pub weight: f64,
    /// HTTP method.
    pub method: String,
    /// Path of the URL; the metrics have the Ingress' path instead.
    pub path: String,
    /// `Host` header; `None` is that of all traffic.
    pub host: Option<String>,
    /// Headers, by name in lower case.
    pub headers: BTreeMap<String, String>,
    /// Cookies.
    pub cookies: BTreeMap<String, String>,
    /// So many users keep the affinity cookie that the Ingress gives them; `None`: no one keeps cookies.
    pub users: Option<u32>,
}

/// How a version's pods behave besides: what changes with their age, their CPU limit, and the class of a request.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Behaviour {
    /// A pod is slower at first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warm_up: Option<WarmUp>,
    /// A pod gets slower by so many nanoseconds a request with every minute it serves.
    pub leak_ns_per_minute: u64,
    /// Whether the container's CPU limit slows requests down.
    pub cpu_throttling: bool,
    /// What is different for a class of requests.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub classes: BTreeMap<String, ClassBehaviour>,
}

impl Behaviour {
    /// Whether nothing was said.
    pub fn is_plain(&self) -> bool {
        *self == Behaviour::default()
    }
}

/// A pod that is slower at first.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct WarmUp {
    /// How many times slower the first requests are.
    pub factor: f64,
    /// How long until it is as fast as it gets.
    pub lasts: Span,
}

/// What a version does with a class of requests where it differs.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ClassBehaviour {
    /// How long a request is worked on.
    pub service_time: Option<Distribution>,
    /// How long a failing request is worked on.
    pub failure_time: Option<Distribution>,
    /// Share of requests that fail whatever `FAIL_RATE` says.
    pub base_failure_rate: Option<f64>,
}
