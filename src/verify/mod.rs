//! Recorded truth held against ours.

pub mod hpa;
pub mod recording;
