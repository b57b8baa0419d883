//! `[traffic]`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::shapes::constant_or_shape;
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
    "a rate such as \"200/s\", or a table with one of `ramp`, `points`, `burst`, `diurnal` and `csv`"
);
