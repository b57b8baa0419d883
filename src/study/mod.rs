//! What is asked of runs: whether one met what its scenario expects, and what many of them come to.

pub mod arithmetic;
pub mod expectation;
pub mod flip;
pub mod forecast;
pub mod monte_carlo;
pub mod shard;
pub mod stats;
