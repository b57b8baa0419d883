//! To come.

pub mod promql;
