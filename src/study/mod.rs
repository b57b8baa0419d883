//! What is asked of runs: whether one met what its scenario expects.

pub mod expectation;
