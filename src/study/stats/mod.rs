//! Statistics that know nothing of runs: intervals for a share and for a quantile, both exact or with a known error.

pub mod binomial;
pub mod quantile;
pub mod wilson;

/// Standard normal quantile of a two-sided 95 % interval.
pub const Z95: f64 = 1.959_963_984_540_054;
