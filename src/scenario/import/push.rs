//! `--push KEY=VALUE`: what is different about the release.

use toml_edit::{Item, value};

use crate::diagnostic::{Diagnostic, SourceText, nearest};

/// What can be pushed, the key of `[versions.v2]` each stands for, and how its value is written.
const KEYS: [(&str, &str, Kind); 8] = [
    ("fail-rate", "base_failure_rate", Kind::Number),
    ("service-time", "service_time", Kind::Text),
    ("startup", "startup", Kind::Text),
    ("concurrency", "concurrency", Kind::Number),
    ("cpu-per-request", "cpu_per_request", Kind::Text),
    ("image", "image", Kind::Text),
    ("never-ready", "never_ready", Kind::Bool),
    ("crash-after", "crash_after", Kind::Text),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Number,
    Text,
    Bool,
}

/// A setting of the release: its key of `[versions.v2]`, and the value in its type.
pub(super) fn setting(key: &str, given: &str) -> Result<(&'static str, Item), Diagnostic> {
    let (_, name, kind) = KEYS
        .iter()
        .find(|(known, ..)| *known == key)
        .ok_or_else(|| unknown(key))?;
    Ok((name, typed(key, given, *kind)?))
}

fn typed(key: &str, given: &str, kind: Kind) -> Result<Item, Diagnostic> {
    let wrong = |wanted: &str| {
        let source = SourceText::new("--push", format!("{key}={given}"));
        Diagnostic::new(format!("`{key}` must be {wanted}"))
            .at(&source, key.len() + 1..key.len() + 1 + given.len())
            .help(format!("write --push {key}={}", example(key)))
    };
    Ok(match kind {
        Kind::Text => value(given),
        Kind::Bool => value(given.parse::<bool>().map_err(|_| wrong("true or false"))?),
        Kind::Number => match given.parse::<i64>() {
            Ok(whole) => value(whole),
            Err(_) => {
                let number: f64 = given.parse().map_err(|_| wrong("a number"))?;
                if !number.is_finite() {
                    return Err(wrong("a number"));
                }
                value(number)
            }
        },
    })
}

fn example(key: &str) -> &'static str {
    match key {
        "fail-rate" => "0.3",
        "concurrency" => "8",
        "never-ready" => "true",
        _ => "20ms",
    }
}

fn unknown(key: &str) -> Diagnostic {
    let known = KEYS.map(|(key, ..)| key);
    let source = SourceText::new("--push", key);
    let help = match nearest::nearest(key, known) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!(
            "there are {}, and env.NAME for a variable",
            nearest::listed(&known)
        ),
    };
    Diagnostic::new(format!(
        "`{}` is nothing that can be pushed",
        key.escape_debug()
    ))
    .at(&source, 0..key.len())
    .help(help)
}
