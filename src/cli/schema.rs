//! `rollcast schema`: the JSON Schema of scenario files, for editors.

use std::io::Write;
use std::process::ExitCode;

use crate::scenario;

/// Runs the command.
pub(super) fn run(out: &mut impl Write) -> anyhow::Result<ExitCode> {
    out.write_all(scenario::json_schema().as_bytes())?;
    Ok(ExitCode::SUCCESS)
}
