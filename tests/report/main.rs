//! What reports say about records: text, JSON, tables, files, pictures.

mod fixture;
mod json;
mod tables;
mod text;
mod verdict;
mod write;
