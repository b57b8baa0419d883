//! What is asked of runs: whether one met what its scenario expects, what many of them come to, and whether that is still what
//! it was.

pub mod arithmetic;
pub mod baseline;
pub mod check;
pub mod difference;
pub mod expectation;
pub mod flip;
pub mod forecast;
pub mod monte_carlo;
pub mod power;
pub mod sample;
pub mod shard;
pub mod shift;
pub mod stats;
pub mod tune;
