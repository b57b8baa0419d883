//! Which `rollcast explain` shows the check that a paragraph of the verdict speaks of.

use crate::record::Record;
use crate::report::checks::all_rounds;
use crate::time::Timestamp;

/// The command for the check that decided the run: the last that failed by then, else the last made.
pub(super) fn deciding(record: &Record, directory: &str) -> Option<String> {
    let until = record.decided_at.unwrap_or(record.ended_at);
    let rounds: Vec<_> = all_rounds(record)
        .filter(|round| round.at <= until)
        .collect();
    let failed = rounds.iter().rev().find_map(|round| round.failure());
    match failed {
        Some(check) => Some(command(directory, check.at, Some(&check.metric))),
        None => rounds
            .last()
            .map(|round| command(directory, round.at, None)),
    }
}

/// The command for the first check whose time a finding names, else for the one that decided.
pub(super) fn named(record: &Record, finding: &str, directory: &str) -> Option<String> {
    let ticks = record.ticks.iter();
    let asked = ticks.filter(|tick| tick.at >= Timestamp::ZERO && !tick.queries.is_empty());
    let place = |tick: &Timestamp| {
        let clock = tick.clock();
        let at = finding.find(&clock)?;
        let digit = |c: char| c.is_ascii_digit() || c == ':';
        let alone =
            !finding[..at].ends_with(digit) && !finding[at + clock.len()..].starts_with(digit);
        alone.then_some(at)
    };
    let first = asked
        .filter_map(|tick| Some((place(&tick.at)?, tick.at)))
        .min();
    match first {
        Some((_, at)) => Some(command(directory, at, None)),
        None => deciding(record, directory),
    }
}

fn command(directory: &str, at: Timestamp, metric: Option<&str>) -> String {
    let mut command = format!("rollcast explain {} --at {}", word(directory), at.clock());
    if let Some(metric) = metric {
        command += &format!(" --check {}", word(metric));
    }
    command
}

/// A word of a command line, quoted where a shell would split it.
fn word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-:+".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_where_a_shell_would_split_them() {
        assert_eq!(word("output/chaos30"), "output/chaos30");
        assert_eq!(word("my runs/x"), "'my runs/x'");
        assert_eq!(word("it's"), "'it'\\''s'");
    }
}
