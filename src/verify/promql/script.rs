//! Scripts: blocks of lines that load, clear and ask (`test.parse` in `promql/promqltest/test.go`).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::expectation::Expectation;
use super::series::parse_series;
use crate::diagnostic::{Diagnostic, SourceText};
use crate::time::Timestamp;
use crate::tsdb::Labels;

/// A command of a script.
#[derive(Clone, Debug)]
pub(super) enum Command {
    Clear,
    Load(Load),
    Eval(Eval),
}

/// Series to put into the store.
#[derive(Clone, Debug)]
pub(super) struct Load {
    pub(super) series: Vec<(Labels, Vec<(Timestamp, f64)>)>,
}

/// A query, and the lines that say what it must answer.
#[derive(Clone, Debug)]
pub(super) struct Eval {
    /// Counted from 1.
    pub(super) line: usize,
    pub(super) query: String,
    pub(super) start_ms: i64,
    pub(super) end_ms: i64,
    /// `None` for an instant query.
    pub(super) step_ms: Option<i64>,
    /// The old spelling: `eval_fail`, `eval_warn`, ...
    modifier: Option<String>,
    /// Numbered as `line` is.
    expectations: Vec<(usize, String)>,
}

/// Reads a script.
pub(super) fn parse(source: &Arc<SourceText>) -> Result<Vec<Command>, Diagnostic> {
    let mut commands = Vec::new();
    let mut lines = (1..).zip(source.text.lines().map(cleaned)).peekable();
    while let Some((number, line)) = lines.next() {
        if line.is_empty() {
            continue;
        }
        let word = line
            .split([' ', '\t'])
            .next()
            .unwrap_or_default()
            .to_ascii_lowercase();
        let mut block = Vec::new();
        if word != "clear" {
            while let Some(next) = lines.next_if(|(_, line)| !line.is_empty()) {
                // A lone number ends the block it belongs to.
                let last =
                    word.starts_with("eval") && super::series::parse_scalar(next.1).is_some();
                block.push(next);
                if last {
                    break;
                }
            }
        }
        let command = match word.as_str() {
            "clear" => Command::Clear,
            word if word.starts_with("load") => {
                Command::Load(parse_load(source, number, line, &block)?)
            }
            word if word.starts_with("eval") => {
                Command::Eval(parse_eval(source, number, line, &block)?)
            }
            _ => {
                return Err(at_line(source, number, format!("invalid command {line:?}"))
                    .help("a block begins with `load`, `clear` or `eval`"));
            }
        };
        commands.push(command);
    }
    Ok(commands)
}

/// A line without blanks around it; a comment is an empty line.
fn cleaned(line: &str) -> &str {
    let line = line.trim();
    if line.starts_with('#') { "" } else { line }
}

fn parse_load(
    source: &Arc<SourceText>,
    number: usize,
    line: &str,
    block: &[(usize, &str)],
) -> Result<Load, Diagnostic> {
    let step = match line.split_once([' ', '\t']) {
        Some(("load" | "load_with_nhcb", step)) => parse_duration(step.trim()),
        _ => None,
    };
    let Some(step) = step else {
        return Err(at_line(source, number, "invalid load command").help("write `load 5m`"));
    };
    // Of two lines for one series in a block the later counts.
    let mut series = BTreeMap::new();
    for (number, line) in block {
        let head = line.split([' ', '\t']).next().unwrap_or_default();
        if head.ends_with("@st") {
            continue;
        }
        let parsed = parse_series(line).map_err(|problem| at_line(source, *number, problem))?;
        let times = (0..).map(|i: i64| Timestamp::from_millis(i.saturating_mul(step)));
        let samples = times
            .zip(parsed.values)
            .filter_map(|(at, value)| Some((at, value?)));
        series.insert(parsed.labels, samples.collect());
    }
    Ok(Load {
        series: series.into_iter().collect(),
    })
}

fn parse_eval(
    source: &Arc<SourceText>,
    number: usize,
    line: &str,
    block: &[(usize, &str)],
) -> Result<Eval, Diagnostic> {
    let invalid = || {
        at_line(source, number, "invalid eval command")
            .help("write `eval instant at 5m QUERY` or `eval range from 0 to 10m step 1m QUERY`")
    };
    let (command, rest) = line.split_once([' ', '\t']).ok_or_else(invalid)?;
    let (kind, rest) = rest.trim().split_once([' ', '\t']).ok_or_else(invalid)?;
    let rest = rest.trim();
    let modifier = command
        .split_once('_')
        .map(|(_, modifier)| modifier.to_owned());
    let expectations = block
        .iter()
        .map(|(number, line)| (*number, (*line).to_owned()))
        .collect();
    let mut eval = Eval {
        line: number,
        query: String::new(),
        start_ms: 0,
        end_ms: 0,
        step_ms: None,
        modifier,
        expectations,
    };
    match kind {
        "instant" => {
            let (at, query) = instant_parts(rest).ok_or_else(invalid)?;
            eval.start_ms = at;
            eval.end_ms = at;
            eval.query = query.to_owned();
        }
        "range" => {
            let ([from, to, step], query) = range_parts(rest).ok_or_else(invalid)?;
            if from > to {
                return Err(at_line(source, number, "the range ends before it begins"));
            }
            eval.start_ms = from;
            eval.end_ms = to;
            eval.step_ms = Some(step);
            eval.query = query.to_owned();
        }
        _ => return Err(invalid()),
    }
    Ok(eval)
}

/// `at 5m QUERY`
fn instant_parts(text: &str) -> Option<(i64, &str)> {
    let rest = text.strip_prefix("at")?.trim_start();
    let (at, query) = rest.split_once([' ', '\t'])?;
    Some((parse_duration(at)?, query.trim()))
}

/// `from 0 to 10m step 1m QUERY`
fn range_parts(text: &str) -> Option<([i64; 3], &str)> {
    let mut rest = text;
    let mut values = [0; 3];
    for (value, word) in values.iter_mut().zip(["from", "to", "step"]) {
        let after = rest.strip_prefix(word)?.trim_start();
        let (duration, tail) = after.split_once([' ', '\t'])?;
        *value = parse_duration(duration)?;
        rest = tail.trim_start();
    }
    Some((values, rest))
}

/// `from 10s to 1m step 10s`
pub(super) fn range_vector_parts(text: &str) -> Option<[i64; 3]> {
    // The query that `range_parts` wants last is not there.
    let with_query = format!("{text} ");
    range_parts(&with_query).map(|(values, _)| values)
}

/// A duration as Prometheus writes it (`1h30m`, `0`), in milliseconds (`model.ParseDuration`).
fn parse_duration(text: &str) -> Option<i64> {
    if text == "0" {
        return Some(0);
    }
    let mut rest = text;
    let mut total: i64 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, after) = rest.split_at(digits);
        let letters = after
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        let unit_ms = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "w" => 604_800_000,
            "y" => 31_536_000_000,
            _ => return None,
        };
        let part = number.parse::<i64>().ok()?.checked_mul(unit_ms)?;
        total = total.checked_add(part)?;
        rest = after;
    }
    (!text.is_empty()).then_some(total)
}

impl Eval {
    /// What the case expects.
    ///
    /// # Errors
    /// When its lines are no valid expectations.
    pub(super) fn expectation(&self, source: &Arc<SourceText>) -> Result<Expectation, Diagnostic> {
        let mut expectation = Expectation::new(self.modifier.as_deref());
        for (number, line) in &self.expectations {
            expectation
                .add_line(line)
                .map_err(|problem| at_line(source, *number, problem))?;
        }
        Ok(expectation)
    }
}

/// A message about a whole line, counted from 1.
fn at_line(source: &Arc<SourceText>, number: usize, message: impl Into<String>) -> Diagnostic {
    let start: usize = source
        .text
        .split_inclusive('\n')
        .take(number - 1)
        .map(str::len)
        .sum();
    let line = source.text[start..].lines().next().unwrap_or_default();
    let indent = line.len() - line.trim_start().len();
    Diagnostic::new(message).at(source, start + indent..start + line.trim_end().len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_a_list_of_blocks() {
        let source = SourceText::new(
            "a.test",
            "# comment\nload 5m\n\ta 1 2\n  b{c=\"d\"} _ 3\n\neval instant at 50m a + 1\n\t{} 3\neval range from 0 to 5m step 1m b\n  5\nclear\n",
        );
        let commands = parse(&source).unwrap();
        let [Command::Load(load), Command::Eval(instant), ..] = commands.as_slice() else {
            panic!("{commands:?}");
        };
        assert_eq!(load.series.len(), 2);
        assert_eq!(load.series[1].1, [(Timestamp::from_secs(300), 3.0)]);
        assert_eq!(
            (instant.line, instant.query.as_str(), instant.start_ms),
            (6, "a + 1", 3_000_000)
        );
        // What follows an eval without a blank line between belongs to it.
        assert_eq!(instant.expectations.len(), 3);
        assert!(matches!(commands[2], Command::Clear));
    }

    #[test]
    fn a_bad_script_is_refused_with_its_line() {
        for (text, line) in [
            ("load x\n", 1),
            ("load 1m\n a 1..2\n", 2),
            ("\nfrobnicate\n", 2),
            ("eval instant 5m a\n", 1),
            ("eval range from 5m to 1m step 1m a\n", 1),
        ] {
            let error = parse(&SourceText::new("a.test", text)).unwrap_err();
            assert!(
                error.render().contains(&format!("a.test:{line}:")),
                "{error}"
            );
        }
    }
}
