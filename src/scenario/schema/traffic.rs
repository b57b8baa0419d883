//! `[traffic]`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::shapes::{DistributionKeys, constant_or_shape};
use crate::scenario::model::{Arrivals, Via};
use crate::scenario::units::{Rate, Time};

/// `[traffic]`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::scenario) struct TrafficKeys {
    /// Requests over time. Default: "100/s".
    pub(in crate::scenario) rate: Option<RateKeys>,
    /// How arrivals are spaced: `poisson` (default, independent users) or `deterministic` (evenly).
    pub(in crate::scenario) arrivals: Option<Arrivals>,
    /// The `Host` header of requests. Default: a host of the Ingress.
    pub(in crate::scenario) host: Option<String>,
    /// Where requests enter: `ingress` (default) or `service`, past the ingress, which then counts nothing.
    pub(in crate::scenario) via: Option<Via>,
    /// After how long a user who has no answer goes away, which nginx logs as 499. Default: never.
    pub(in crate::scenario) timeout: Option<Time>,
    /// So many users who wait for each answer, think, and send the next request, besides those of `rate` (whose default is then none).
    #[schemars(range(min = 1, max = 10_000))]
    pub(in crate::scenario) clients: Option<u32>,
    /// From an answer to that user's next request. Default: exponential, mean "1s".
    pub(in crate::scenario) think_time: Option<DistributionKeys>,
    /// Kinds of requests. Default: all are `GET /` without headers.
    pub(in crate::scenario) classes: Vec<ClassKeys>,
}

/// `[[traffic.classes]]`: a kind of request.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct ClassKeys {
    /// Its name, by which `versions.NAME.classes` refers to it.
    pub(in crate::scenario) name: String,
    /// Its part of all requests, as the others' weights have it. Default: 1.
    #[serde(default)]
    pub(in crate::scenario) weight: Option<f64>,
    /// HTTP method; nginx does not repeat a POST, LOCK or PATCH that it has sent. Default: "GET".
    #[serde(default)]
    pub(in crate::scenario) method: Option<String>,
    /// Path of the URL. Default: "/".
    #[serde(default)]
    pub(in crate::scenario) path: Option<String>,
    /// `Host` header. Default: that of all traffic.
    #[serde(default)]
    pub(in crate::scenario) host: Option<String>,
    /// Headers, which `canary-by-header` looks at.
    #[serde(default)]
    pub(in crate::scenario) headers: BTreeMap<String, String>,
    /// Cookies, which `canary-by-cookie` looks at.
    #[serde(default)]
    pub(in crate::scenario) cookies: BTreeMap<String, String>,
    /// These requests are of so many users, each of whom keeps the affinity cookie that an Ingress with `affinity: cookie` sets. Default: nobody keeps cookies.
    #[serde(default)]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub(in crate::scenario) users: Option<u32>,
}

/// A rate that stays ("200/s") or changes.
#[derive(Debug, JsonSchema)]
#[schemars(untagged)]
pub(in crate::scenario) enum RateKeys {
    /// Always the same.
    Constant(Rate),
    /// Changing.
    Shape(Box<RateShape>),
}

/// A rate that changes: exactly one of these.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
pub(in crate::scenario) struct RateShape {
    /// From one rate to another, evenly.
    pub(in crate::scenario) ramp: Option<Ramp>,
    /// Rates at times; in between the rate changes evenly, before the first and after the last it stays.
    pub(in crate::scenario) points: Option<Vec<Point>>,
    /// A rate with one burst in it.
    pub(in crate::scenario) burst: Option<Burst>,
    /// A rate that swings between two values, day by day.
    pub(in crate::scenario) diurnal: Option<Diurnal>,
    /// A rate that comes and goes in turns.
    pub(in crate::scenario) on_off: Option<OnOff>,
    /// Recorded rates: a file, relative to this one, with the header `at_s,per_second` and a line for each point.
    pub(in crate::scenario) csv: Option<String>,
}

/// `rate.ramp`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct Ramp {
    /// The rate until `start`.
    pub(in crate::scenario) from: Rate,
    /// The rate from `end` on.
    pub(in crate::scenario) to: Rate,
    /// When it starts to change.
    pub(in crate::scenario) start: Time,
    /// When it stops.
    pub(in crate::scenario) end: Time,
}

/// An element of `rate.points`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct Point {
    /// When.
    pub(in crate::scenario) at: Time,
    /// The rate then.
    pub(in crate::scenario) rate: Rate,
}

/// `rate.burst`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct Burst {
    /// The rate before and after.
    pub(in crate::scenario) base: Rate,
    /// The rate during the burst.
    pub(in crate::scenario) peak: Rate,
    /// When the burst starts.
    pub(in crate::scenario) start: Time,
    /// When it ends.
    pub(in crate::scenario) end: Time,
}

/// `rate.on_off`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct OnOff {
    /// The rate while it is on.
    pub(in crate::scenario) rate: Rate,
    /// The rate while it is off. Default: "0/s".
    #[serde(default)]
    pub(in crate::scenario) off_rate: Option<Rate>,
    /// How long it is on.
    pub(in crate::scenario) on: Time,
    /// How long it is off.
    pub(in crate::scenario) off: Time,
}

/// `rate.diurnal`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct Diurnal {
    /// The lowest rate.
    pub(in crate::scenario) low: Rate,
    /// The highest rate.
    pub(in crate::scenario) high: Rate,
    /// When the rate is highest, from the scenario's zero.
    pub(in crate::scenario) peak: Time,
    /// Time from one peak to the next. Default: "24h".
    pub(in crate::scenario) period: Option<Time>,
}

constant_or_shape!(
    RateKeys,
    Rate,
    RateShape,
    "a rate such as \"200/s\", or a table with one of `ramp`, `points`, `burst`, `diurnal`, `on_off` and `csv`"
);
