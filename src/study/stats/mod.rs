//! Statistics that know nothing of runs: intervals for shares, quantiles and paired differences, tests of two samples, and
//! the correction for many of them; exact or with a known error.

pub mod binomial;
pub mod fisher;
pub mod holm;
pub mod paired;
pub mod quantile;
pub mod smirnov;
pub mod wilson;

/// Standard normal quantile of a two-sided 95 % interval.
pub const Z95: f64 = 1.959_963_984_540_054;
