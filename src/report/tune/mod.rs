//! What people and programs get to see of a search for better settings: the terminal's text, why a candidate is what it
//! is, the JSON, a CSV with a row a candidate, the recommended patch, and the pictures. Plain functions of a [`Tuned`].

mod csv;
pub mod explain;
pub mod text;
mod words;

use schemars::Schema;

use crate::study::tune::Tuned;

use super::files::{File, RenderError};
use super::plots;

/// Everything a search leaves in its output directory. The heat map is of these two knobs, or of the two that matter most.
pub fn files(tuned: &Tuned, heat: Option<(usize, usize)>) -> Result<Vec<File>, RenderError> {
    let file = |path: &str, bytes: Vec<u8>| File {
        path: path.to_owned(),
        bytes,
    };
    let mut files = vec![
        file("tune.json", json(tuned)?.into_bytes()),
        file("candidates.csv", csv::candidates(tuned)?),
        file("recommendation.yaml", recommendation(tuned).into_bytes()),
    ];
    for (name, picture) in plots::tune::pictures(tuned, heat)? {
        files.push(file(name, picture.into_bytes()));
    }
    Ok(files)
}

/// The whole of it as JSON: indented, a line break at the end.
pub fn json(tuned: &Tuned) -> serde_json::Result<String> {
    let mut text = serde_json::to_string_pretty(tuned)?;
    text.push('\n');
    Ok(text)
}

/// The JSON Schema of [`Tuned`].
pub fn schema() -> Schema {
    schemars::schema_for!(Tuned)
}

/// The recommended patch with what speaks for it, or why there is none.
pub fn recommendation(tuned: &Tuned) -> String {
    let mut out = format!(
        "# {} of {}, by `rollcast tune`: {}\n",
        match tuned.recommended {
            Some(_) => "Recommended settings",
            None => "No recommendation for the settings",
        },
        tuned.canary,
        tuned.scenario
    );
    let Some(number) = tuned.recommended else {
        out += "# No candidate meets all targets; `rollcast tune --explain` says how near one comes.\n";
        return out;
    };
    out += &format!("# Candidate {number}: {}\n", words::settings(tuned, number));
    for line in words::evidence(tuned, number) {
        out += &format!("# {line}\n");
    }
    for besides in &tuned.besides {
        out += &format!("# Besides, what no object here holds: {besides}\n");
    }
    out += "# For `kubectl patch --type merge --patch-file` and `rollcast simulate --patch`.\n";
    match &tuned.patch {
        Some(patch) if number > 0 || !patch.is_empty() => out += patch,
        _ => out += "# The scenario as it stands: there is nothing to change.\n",
    }
    out
}
