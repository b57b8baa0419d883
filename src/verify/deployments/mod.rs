//! Recorded Deployments held against [`sim::deployment`](crate::sim::deployment).
//!
//! A file holds traces of a real control plane, one JSON object a line (`.jsonl`, `.jsonl.gz`): an action, the state in
//! which the controllers settled, the sizes the ReplicaSets went through. Each step is a case. The recorder played
//! scheduler and kubelet; here the replay does.

mod replay;
mod trace;

use std::path::Path;

use crate::diagnostic::Diagnostic;
use crate::verify::recording::{self, Tally};

/// Replays the recording in a file.
pub fn verify_file(path: &Path) -> Result<Tally, Diagnostic> {
    recording::read(path, verify)
}

/// Replays the recording in `bytes`, read from a file called `name`.
pub fn verify(name: &str, bytes: &[u8]) -> Result<Tally, Diagnostic> {
    let text = recording::text(name, bytes)?;
    let mut tally = Tally::default();
    for record in recording::lines(name, &text) {
        let (_, trace) = record?;
        replay::replay(&trace, &mut tally);
    }
    Ok(tally)
}
