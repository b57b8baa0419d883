//! When a recorded rollout ticked.

use std::iter;

use crate::diagnostic::{Diagnostic, SourceText};
use crate::time::{Span, Timestamp};

/// The ticks of a replay; the first is the one that detects the new revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ticks {
    /// From here on, an analysis interval apart, as long as there are samples.
    Grid(Timestamp),
    /// At these moments, ascending; never empty.
    At(Vec<Timestamp>),
}

impl Ticks {
    /// The tick that detects the new revision.
    pub fn start(&self) -> Timestamp {
        match self {
            Ticks::Grid(start) => *start,
            Ticks::At(ticks) => ticks[0],
        }
    }

    /// All of them; those of a grid up to `end`, the first whatever `end` is.
    pub(super) fn iter(
        &self,
        interval: Span,
        end: Timestamp,
    ) -> Box<dyn Iterator<Item = Timestamp> + '_> {
        match self {
            Ticks::Grid(start) => {
                let next = move |at: &Timestamp| Some(*at + interval).filter(|at| *at <= end);
                Box::new(iter::successors(Some(*start), next))
            }
            Ticks::At(ticks) => Box::new(ticks.iter().copied()),
        }
    }
}

/// Reads ticks, one a line: Unix seconds, decimals allowed, ascending. Empty lines and what follows a `#` do not count.
///
/// # Errors
/// A line that is no time, or not later than the one before; no line at all.
pub fn parse_ticks(name: &str, text: &str) -> Result<Vec<Timestamp>, Diagnostic> {
    let mut ticks: Vec<Timestamp> = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let range = start..start + line.trim_end().len();
        start += line.len();
        let written = line.split('#').next().unwrap_or_default().trim();
        if written.is_empty() {
            continue;
        }
        let refuse =
            |what: String| Diagnostic::new(what).at(&SourceText::new(name, text), range.clone());
        let at = unix_seconds(written).ok_or_else(|| {
            refuse(format!("`{}` is no time of a tick", written.escape_debug()))
                .help("write Unix seconds, one tick a line: 1767225600.25")
        })?;
        if let Some(before) = ticks.last().filter(|before| **before >= at) {
            let before = before.as_secs_f64();
            return Err(refuse(format!(
                "the tick is not later than the one before it ({before})"
            ))
            .help("ticks must come in time order, each once"));
        }
        ticks.push(at);
    }
    if ticks.is_empty() {
        return Err(Diagnostic::new(format!("there is no tick in {name}"))
            .help("write Unix seconds, one tick a line; the first is the tick that detects the new revision"));
    }
    Ok(ticks)
}

/// Unix seconds with or without decimals, to the nearest millisecond, as the HTTP API reads `time`.
pub(super) fn unix_seconds(text: &str) -> Option<Timestamp> {
    let seconds: f64 = text.parse().ok()?;
    let within = seconds.is_finite() && seconds.abs() < 253_402_300_800.0;
    within.then(|| Timestamp::from_millis((seconds * 1000.0).round() as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_unix_seconds_to_the_millisecond() {
        let ticks = parse_ticks(
            "ticks",
            "# detecting\n1767225600\n\n1767225610.0005 # first step\r\n",
        );
        let expected = [1_767_225_600_000, 1_767_225_610_001].map(Timestamp::from_millis);
        assert_eq!(ticks.unwrap(), expected);
    }

    #[test]
    fn what_is_no_tick_is_refused_with_its_line() {
        for (text, said) in [
            ("1\nsoon\n", "`soon` is no time of a tick"),
            ("2\n1\n", "not later than the one before it (2)"),
            ("1\n1\n", "not later"),
            ("1e99\n", "no time"),
            ("NaN\n", "no time"),
            ("\n# nothing\n", "there is no tick in ticks"),
        ] {
            let error = parse_ticks("ticks", text).unwrap_err();
            assert!(
                error.render().contains(said),
                "{text:?}: {}",
                error.render()
            );
        }
    }

    #[test]
    fn a_grid_ends_with_the_samples_and_has_its_first_tick_anyway() {
        let grid = Ticks::Grid(Timestamp::from_secs(100));
        let ticks = |end| {
            let end = Timestamp::from_secs(end);
            grid.iter(Span::from_secs(10), end).count()
        };
        assert_eq!((ticks(120), ticks(129), ticks(0)), (3, 3, 1));
    }
}
