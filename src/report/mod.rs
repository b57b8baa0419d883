//! What people and programs get to see of a run: the terminal's text, the JSON summary, the files of an output directory.
//!
//! Everything here is a plain function of a [`Record`](crate::record::Record); nothing is measured or decided again.
//! [`mod@write`] alone touches the file system.

pub mod check;
pub mod checks;
pub mod csv;
pub mod diff;
pub mod difference;
pub mod explain;
pub mod files;
pub mod forecast;
pub mod json;
pub mod kubectl;
pub mod lint;
pub mod plots;
pub mod power;
pub mod providers;
pub mod replay;
pub mod text;
pub mod tune;
pub mod verdict;
pub mod words;
pub mod write;
