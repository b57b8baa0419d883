//! Recorded truth held against ours.

pub mod traces;
