//! The command line of rollcast.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use rollcast::cli::{self, Args};

/// 0 when all held, 1 when an expectation failed, 2 when it could not run.
fn main() -> ExitCode {
    match cli::run(Args::parse()) {
        Ok(code) => code,
        Err(error) => {
            // A closed standard error leaves nowhere to say so.
            let _ = writeln!(std::io::stderr(), "{}", cli::message(&error));
            ExitCode::from(2)
        }
    }
}
