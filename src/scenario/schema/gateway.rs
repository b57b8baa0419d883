//! `[gateway]`: the data plane behind HTTPRoutes.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::scenario::units::{Fraction, Time};

/// `[gateway]`: the Gateway that follows the HTTPRoute under the provider `gatewayapi:v1`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::scenario) struct GatewayKeys {
    /// Longest time from a change of the HTTPRoute until the Gateway goes by it; uniform from 0. Default: "1s".
    pub(in crate::scenario) programming_delay: Option<Time>,
    /// Share of the requests that carry what the Canary's `analysis.match` asks for (an exact header or query parameter): the users of an A/B analysis. Default: 0.
    pub(in crate::scenario) matching: Option<Fraction>,
}
