//! Recorded Flagger traces, replayed through the engine and compared tick by tick, to the letter.
//!
//! A trace lists what Flagger v1.44.0's own controller code did in a scripted world. The engine is put into the same world;
//! what it does, asks and tells must be the same. What the recorders left out is not compared: times, checksums beyond
//! their equality, Services, owner references.

mod compare;
mod format;
mod world;

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use serde_json::Value;

use self::format::Trace;
use self::world::TraceWorld;
use crate::canary::Analysis;
use crate::diagnostic::Diagnostic;
use crate::engine::tick;

/// What a replay came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    /// Traces replayed.
    pub traces: usize,
    /// Ticks replayed.
    pub ticks: usize,
    /// Where the engine did something else, in order.
    pub mismatches: Vec<Mismatch>,
}

impl Tally {
    /// Adds another replay's results.
    pub fn add(&mut self, other: Tally) {
        self.traces += other.traces;
        self.ticks += other.ticks;
        self.mismatches.extend(other.mismatches);
    }
}

/// `N traces, T ticks, M mismatches`.
impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} traces, {} ticks, {} mismatches",
            self.traces,
            self.ticks,
            self.mismatches.len()
        )
    }
}

/// One field of one tick that differs.
#[derive(Clone, Debug, PartialEq)]
pub struct Mismatch {
    /// The trace's id.
    pub trace: String,
    /// The tick's index; 0 is the one that first sees the new revision.
    pub tick: i64,
    /// A key of `expect`, `prometheus` or `webhooks`.
    pub field: &'static str,
    /// What Flagger did.
    pub expected: Value,
    /// What the engine did.
    pub got: Value,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Mismatch {
            trace,
            tick,
            field,
            expected,
            got,
        } = self;
        write!(
            f,
            "{trace}, tick {tick}, {field}:\n  expected {expected}\n  got      {got}"
        )
    }
}

/// No line is read further; far longer than any trace, and less than fills a memory.
const LONGEST_LINE: u64 = 256 << 20;

/// Replays a trace file, `.jsonl` or gzipped. The error names the file, and the line where there is one.
pub fn replay_file(path: &Path) -> Result<Tally, Diagnostic> {
    let name = path.display().to_string();
    let file = File::open(path).map_err(|e| unreadable(&name, &e))?;
    replay(&name, BufReader::new(file))
}

/// Replays traces from a reader; `name` stands for it in errors.
pub fn replay(name: &str, mut reader: impl BufRead) -> Result<Tally, Diagnostic> {
    let head = reader.fill_buf().map_err(|e| unreadable(name, &e))?;
    if head.starts_with(&[0x1f, 0x8b]) {
        let unzipped = BufReader::new(MultiGzDecoder::new(reader));
        replay_lines(name, unzipped)
    } else {
        replay_lines(name, reader)
    }
}

fn replay_lines(name: &str, mut reader: impl BufRead) -> Result<Tally, Diagnostic> {
    let mut tally = Tally::default();
    let mut line = Vec::new();
    for number in 1.. {
        let malformed = |what: String| {
            Diagnostic::new(format!("{name}:{number}: {what}"))
                .help("each line of a trace file is one Flagger trace as a JSON object")
        };
        line.clear();
        let mut bounded = reader.by_ref().take(LONGEST_LINE);
        let length = bounded.read_until(b'\n', &mut line).map_err(|error| {
            malformed(format!("cut off or damaged, it cannot be read on: {error}"))
        })?;
        if length == 0 {
            break;
        }
        if length as u64 == LONGEST_LINE {
            return Err(malformed(format!("longer than {LONGEST_LINE} bytes")));
        }
        let text = line.trim_ascii();
        if text.is_empty() {
            continue;
        }
        let text = str::from_utf8(text).map_err(|e| malformed(format!("not a trace: {e}")))?;
        let trace: Trace = serde_json::from_str(text).map_err(|e| malformed(not_a_trace(&e)))?;
        tally.add(replay_trace(&trace).map_err(malformed)?);
    }
    if tally.traces == 0 {
        let message = format!("{name}: there is no trace in it");
        return Err(
            Diagnostic::new(message).help("an empty file would pass whatever the engine does")
        );
    }
    Ok(tally)
}

/// What is wrong with a line. It is one line to serde too, so only the column is told.
fn not_a_trace(error: &serde_json::Error) -> String {
    let (text, column) = (error.to_string(), error.column());
    let what = text.split(" at line ").next().unwrap_or_default();
    if error.is_eof() {
        return format!("the trace is cut off after {column} bytes: {what}");
    }
    format!("not a trace: {what} at column {column}")
}

/// Replays one trace; the error says what in it cannot be replayed.
fn replay_trace(trace: &Trace) -> Result<Tally, String> {
    if trace.flagger != "1.44.0" {
        return Err(format!(
            "recorded from Flagger {}, not 1.44.0",
            trace.flagger
        ));
    }
    let settings = world::settings(trace);
    let mut world = TraceWorld::new(trace)?;
    let interval = trace.canary.pointer("/spec/analysis/interval");
    let interval = Analysis {
        interval: interval
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned(),
        ..Analysis::default()
    }
    .interval();
    let mut tally = Tally {
        traces: 1,
        ..Tally::default()
    };
    for recorded in &trace.ticks {
        world.begin(&recorded.metrics_world, &recorded.webhooks_world, interval);
        for change in &recorded.before {
            world
                .apply(change)
                .map_err(|e| format!("tick {}: {e}", recorded.k))?;
        }
        let (canary, now) = (world.canary.clone(), world.now);
        tick(&canary, &settings, now, &mut world);
        tally.ticks += 1;
        for difference in compare::differences(recorded, &mut world, &settings) {
            tally.mismatches.push(Mismatch {
                trace: trace.id.clone(),
                tick: recorded.k,
                field: difference.field,
                expected: difference.expected,
                got: difference.got,
            });
        }
    }
    Ok(tally)
}

fn unreadable(name: &str, error: &io::Error) -> Diagnostic {
    Diagnostic::new(format!("{name}: {error}")).help("trace files are .jsonl or .jsonl.gz")
}
