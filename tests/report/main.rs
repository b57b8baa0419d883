//! What reports say about records: text, JSON, tables, files, pictures.

mod fixture;
mod text;
