//! To come.

pub mod clock;
pub mod ingress;
pub mod requests;
pub mod sampling;
pub mod service;
pub mod traffic;
