//! Replays recorded Flagger traces through the engine: `cargo run --example verify_traces FILE...`.

use std::path::Path;
use std::process::ExitCode;

use rollcast::verify::traces::{Tally, replay_file};

fn main() -> ExitCode {
    let mut tally = Tally::default();
    for file in std::env::args().skip(1) {
        match replay_file(Path::new(&file)) {
            Ok(replayed) => tally.add(replayed),
            Err(error) => {
                eprintln!("{error}");
                return ExitCode::from(2);
            }
        }
    }
    for mismatch in &tally.mismatches {
        println!("{mismatch}");
    }
    println!("{tally}");
    ExitCode::from(u8::from(!tally.mismatches.is_empty()))
}
