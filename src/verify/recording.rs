//! Recordings and verdicts on them: what the parts of `verify` that replay Kubernetes' controllers share.

use std::borrow::Cow;
use std::fmt;
use std::io::Read;
use std::path::Path;

use flate2::read::MultiGzDecoder;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::diagnostic::Diagnostic;
use crate::time::{Span, Timestamp};

/// A recording is cut off here: far more than any real one, and less than fills a memory.
const MAX_BYTES: u64 = 2 << 30;

/// What came of replaying a recording.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Cases replayed and compared.
    pub cases: usize,
    /// Of these, the ones that came out differently.
    pub mismatched: usize,
    /// Cases that the recording itself marks as undecidable; not among `cases`.
    pub ambiguous: usize,
    /// Every difference found; a case may have several.
    pub mismatches: Vec<Mismatch>,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The trace's or row's name.
    pub id: String,
    /// Which step of it, in words.
    pub step: String,
    /// What differs.
    pub field: String,
    /// What the recording says.
    pub expected: String,
    /// What we say.
    pub got: String,
}

impl Tally {
    /// Adds what came of another recording.
    pub fn add(&mut self, other: Tally) {
        self.cases += other.cases;
        self.mismatched += other.mismatched;
        self.ambiguous += other.ambiguous;
        self.mismatches.extend(other.mismatches);
    }

    /// Counts one case, with the differences found in it.
    pub(super) fn count(&mut self, case: Case) {
        self.cases += 1;
        self.mismatched += usize::from(!case.mismatches.is_empty());
        self.mismatches.extend(case.mismatches);
    }
}

/// `N cases, M mismatches, A ambiguous`; M counts cases.
impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tally {
            cases,
            mismatched,
            ambiguous,
            ..
        } = self;
        write!(
            f,
            "{cases} cases, {mismatched} mismatches, {ambiguous} ambiguous"
        )
    }
}

/// `ID, STEP: FIELD: expected X, got Y`.
impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Mismatch {
            id,
            step,
            field,
            expected,
            got,
        } = self;
        write!(f, "{id}, {step}: {field}: expected {expected}, got {got}")
    }
}

/// One case under comparison.
pub(super) struct Case {
    id: String,
    step: String,
    mismatches: Vec<Mismatch>,
}

impl Case {
    pub(super) fn new(id: &str, step: impl Into<String>) -> Self {
        Case {
            id: id.to_owned(),
            step: step.into(),
            mismatches: Vec::new(),
        }
    }

    /// Notes a difference where there is one.
    pub(super) fn compare<T: PartialEq + fmt::Debug>(
        &mut self,
        field: &str,
        expected: &T,
        got: &T,
    ) {
        if expected != got {
            self.differs(field, format!("{expected:?}"), format!("{got:?}"));
        }
    }

    /// Notes a difference.
    pub(super) fn differs(&mut self, field: &str, expected: String, got: String) {
        self.mismatches.push(Mismatch {
            id: self.id.clone(),
            step: self.step.clone(),
            field: field.to_owned(),
            expected,
            got,
        });
    }
}

/// A moment in a recording: within some decades of zero, so that no sum with a span overflows.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "i64")]
pub(super) struct Moment(pub(super) Timestamp);

impl TryFrom<i64> for Moment {
    type Error = String;
    fn try_from(ms: i64) -> Result<Self, String> {
        const DECADES: i64 = 1 << 40;
        if (-DECADES..DECADES).contains(&ms) {
            Ok(Moment(Timestamp::from_millis(ms)))
        } else {
            Err(format!("{ms} ms is no moment of a recording"))
        }
    }
}

/// A length of time in a recording, in whole seconds.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(from = "i32")]
pub(super) struct Seconds(pub(super) Span);

impl From<i32> for Seconds {
    fn from(seconds: i32) -> Self {
        Seconds(Span::from_secs(i64::from(seconds)))
    }
}

/// Reads a recording's file and replays it with `verify`, which gets the file's name and bytes.
pub(super) fn read(
    path: &Path,
    verify: impl FnOnce(&str, &[u8]) -> Result<Tally, Diagnostic>,
) -> Result<Tally, Diagnostic> {
    let name = path.display().to_string();
    let bytes = std::fs::read(path)
        .map_err(|error| Diagnostic::new(format!("{name} cannot be read: {error}")))?;
    verify(&name, &bytes)
}

/// The text of a recording, unpacked where it is gzip.
pub(super) fn text<'a>(name: &str, bytes: &'a [u8]) -> Result<Cow<'a, str>, Diagnostic> {
    let packed = bytes.starts_with(&[0x1f, 0x8b]);
    if name.ends_with(".gz") && !packed {
        return Err(Diagnostic::new(format!("{name} is not a gzip file"))
            .help("rename it, or fetch the recording again"));
    }
    let bytes = if packed {
        let mut unpacked = Vec::new();
        let read = MultiGzDecoder::new(bytes)
            .take(MAX_BYTES)
            .read_to_end(&mut unpacked);
        if let Err(error) = read {
            let line = line_after(&unpacked);
            return Err(Diagnostic::new(format!(
                "{name}:{line}: the gzip data are broken: {error}"
            ))
            .help("fetch the recording again"));
        }
        Cow::Owned(unpacked)
    } else {
        Cow::Borrowed(bytes)
    };
    let not_utf8 = |good: &[u8]| {
        let line = line_after(good);
        Diagnostic::new(format!("{name}:{line}: the text is not UTF-8"))
    };
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(Diagnostic::new(format!("{name} holds no recording")));
    }
    match bytes {
        Cow::Borrowed(bytes) => std::str::from_utf8(bytes)
            .map(Cow::Borrowed)
            .map_err(|e| not_utf8(&bytes[..e.valid_up_to()])),
        Cow::Owned(bytes) => String::from_utf8(bytes)
            .map(Cow::Owned)
            .map_err(|e| not_utf8(&e.as_bytes()[..e.utf8_error().valid_up_to()])),
    }
}

/// The records of a JSON-lines text, each with its line number; blank lines are skipped.
pub(super) fn lines<'a, T: DeserializeOwned>(
    name: &'a str,
    text: &'a str,
) -> impl Iterator<Item = Result<(usize, T), Diagnostic>> + 'a {
    text.lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
        .map(move |(index, line)| {
            let number = index + 1;
            let record = serde_json::from_str(line);
            record.map(|r| (number, r)).map_err(|error| {
                let what = if error.is_data() {
                    "not a record of this kind"
                } else {
                    "not JSON"
                };
                Diagnostic::new(format!("{name}:{number}: {what}: {}", within_line(&error)))
            })
        })
}

/// serde_json's message with the column alone: it takes a record for a text of its own, of one line.
fn within_line(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    match message.strip_suffix(&place) {
        Some(message) => format!("{message} (column {})", error.column()),
        None => message,
    }
}

fn line_after(good: &[u8]) -> usize {
    good.iter().filter(|byte| **byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_files_are_refused_with_file_and_line() {
        let broken = [
            ("a.jsonl.gz", &b"{}"[..], "a.jsonl.gz is not a gzip file"),
            (
                "a.jsonl.gz",
                &[0x1f, 0x8b, 8, 0, 1][..],
                "a.jsonl.gz:1: the gzip data are broken",
            ),
            ("a.jsonl", &b" \n"[..], "a.jsonl holds no recording"),
            (
                "a.jsonl",
                &b"{}\n\xff"[..],
                "a.jsonl:2: the text is not UTF-8",
            ),
        ];
        for (name, bytes, message) in broken {
            let error = text(name, bytes).unwrap_err();
            assert!(error.message.starts_with(message), "{}", error.message);
        }
        let records: Result<Vec<(usize, u8)>, _> = lines("a.jsonl", "1\n\n2\nx").collect();
        let message = records.unwrap_err().message;
        assert!(message.starts_with("a.jsonl:4: not JSON"), "{message}");
        let records: Result<Vec<(usize, u8)>, _> = lines("a.jsonl", "\"x\"").collect();
        let message = records.unwrap_err().message;
        assert!(
            message.starts_with("a.jsonl:1: not a record of this kind"),
            "{message}"
        );
    }
}
