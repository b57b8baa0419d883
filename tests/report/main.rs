//! What reports say about records: text, JSON, tables, files, pictures.

mod expectation;
mod fixture;
mod json;
mod plots;
mod tables;
mod text;
mod verdict;
mod write;
