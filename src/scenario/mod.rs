//! The scenario: what is simulated, as effective values with every default filled in.
//!
//! [`Scenario`] is what the simulator reads and what a record keeps. `schema` is the TOML a user wrote, [`fn@load`] reads it,
//! joins it with the manifests it points at and fills in what was not said; every mistake is answered with a place in the file.

mod admission;
mod assemble;
pub mod configuration;
mod crd;
mod effective;
mod exported;
mod glob;
mod helm_release;
mod import;
mod inputs;
mod json_schema;
mod load;
pub mod model;
mod objects;
mod old_api;
mod patch;
mod rules;
mod schema;
mod service_monitor;
mod text;
mod units;

pub use assemble::{Files, assemble, assemble_patched};
pub use exported::{Exported, exported, sanitised};
pub use import::{Imported, Wishes, canary_names, import};
pub use inputs::{InputFile, Inputs};
pub use json_schema::json_schema;
pub use load::{Found, STDIN, load, load_patched, load_with_inputs, manifests, patch, toml};
pub use model::*;
pub use text::{Override, parse as read_toml};
