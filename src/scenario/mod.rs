//! The scenario: what is simulated, as effective values with every default filled in.
//!
//! [`Scenario`] is what the simulator reads and what a record keeps. `schema` reads the TOML a user wrote,
//! `load` joins it with the manifests it points at; both answer mistakes with a place in the file.

pub mod model;

pub use model::*;
