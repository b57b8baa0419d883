//! One line of either format.

use std::borrow::Cow;

use crate::time::Timestamp;

/// The last millisecond of the year 9999: up to here seconds in a float are exact to the millisecond, so that what is written
/// reads back as the same.
const LATEST_MS: u64 = 253_402_300_799_999;

/// What a line says.
#[derive(Debug, PartialEq)]
pub(super) enum Line<'a> {
    /// Nothing, or a comment without a meaning.
    Nothing,
    /// `# EOF`
    End,
    /// A sample; its series ends at this byte.
    Sample { labels: Pairs<'a>, end: usize },
}

/// Labels as they stand there, unescaped, `__name__` among them.
pub(super) type Pairs<'a> = Vec<(Cow<'a, str>, String)>;

/// What is wrong with a line, and at which byte.
#[derive(Debug, PartialEq)]
pub(super) struct BadLine {
    pub(super) message: String,
    pub(super) at: usize,
}

/// What of the formats' differences a line shows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    /// Timestamps are seconds with a fraction, exemplars are allowed, comments must mean something.
    pub(super) open_metrics: bool,
}

/// Reads a line, without its line feed; of a sample only the series.
pub(super) fn parse(text: &str, rules: Rules) -> Result<Line<'_>, BadLine> {
    let mut cursor = Cursor { text, at: 0 };
    if !rules.open_metrics {
        cursor.skip_blanks();
    }
    if cursor.rest().starts_with('#') {
        return comment(text, rules);
    }
    if cursor.rest().is_empty() {
        return if rules.open_metrics {
            cursor.fail("an empty line, which OpenMetrics does not allow")
        } else {
            Ok(Line::Nothing)
        };
    }
    let labels = cursor.labels()?;
    let end = cursor.at;
    Ok(Line::Sample { labels, end })
}

/// Reads what follows the series of a sample, which ends at byte `at`: the value and, if it has one, its time.
pub(super) fn parse_sample(
    text: &str,
    at: usize,
    rules: Rules,
) -> Result<(f64, Option<Timestamp>), BadLine> {
    let mut cursor = Cursor { text, at };
    cursor.blank()?;
    let value = cursor.value()?;
    let mut time = None;
    cursor.skip_blanks();
    if !cursor.rest().is_empty() && !cursor.rest().starts_with('#') {
        time = Some(cursor.timestamp(rules)?);
        cursor.skip_blanks();
    }
    if rules.open_metrics && cursor.rest().starts_with('#') {
        cursor.exemplar()?;
    }
    if !cursor.rest().is_empty() {
        return cursor.fail("expected the end of the line");
    }
    Ok((value, time))
}

fn comment(text: &str, rules: Rules) -> Result<Line<'_>, BadLine> {
    if !rules.open_metrics {
        return Ok(Line::Nothing);
    }
    if text == "# EOF" {
        return Ok(Line::End);
    }
    let words: Vec<&str> = text.splitn(4, ' ').collect();
    let types = [
        "counter",
        "gauge",
        "histogram",
        "gaugehistogram",
        "stateset",
        "info",
        "summary",
        "unknown",
    ];
    let bad = |message: &str| {
        Err(BadLine {
            message: message.to_owned(),
            at: 0,
        })
    };
    match words.as_slice() {
        ["#", "TYPE", _, kind] if types.contains(kind) => Ok(Line::Nothing),
        ["#", "TYPE", ..] => bad("expected `# TYPE name type` with a type of OpenMetrics"),
        ["#", "HELP" | "UNIT", _, ..] => Ok(Line::Nothing),
        _ => bad(
            "expected `# TYPE`, `# HELP`, `# UNIT` or `# EOF`; OpenMetrics knows no other comments",
        ),
    }
}

struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn fail<T>(&self, message: impl Into<String>) -> Result<T, BadLine> {
        Err(BadLine {
            message: message.into(),
            at: self.at,
        })
    }

    fn skip_blanks(&mut self) {
        self.at = self.text.len() - self.rest().trim_start_matches([' ', '\t']).len();
    }

    /// Skips blanks; whether there were any.
    fn try_blank(&mut self) -> bool {
        let before = self.at;
        self.skip_blanks();
        self.at > before
    }

    fn blank(&mut self) -> Result<(), BadLine> {
        if self.try_blank() {
            return Ok(());
        }
        self.fail("expected a blank")
    }

    fn eat(&mut self, c: char) -> bool {
        let found = self.rest().starts_with(c);
        if found {
            self.at += c.len_utf8();
        }
        found
    }

    /// A name and `{...}`, one of which may be missing.
    fn labels(&mut self) -> Result<Pairs<'a>, BadLine> {
        let mut labels = Vec::new();
        let name = self.word(true);
        if !name.is_empty() {
            labels.push(("__name__".into(), name.to_owned()));
        } else if !self.rest().starts_with('{') {
            return self.fail("expected a metric's name");
        }
        if !self.eat('{') {
            return Ok(labels);
        }
        loop {
            self.skip_blanks();
            if self.eat('}') {
                return Ok(labels);
            }
            let start = self.at;
            let quoted = self.rest().starts_with('"');
            let label = if quoted {
                Cow::Owned(self.quoted()?)
            } else {
                self.word(false).into()
            };
            if label.is_empty() {
                return self.fail("expected a label's name or \"}\"");
            }
            self.skip_blanks();
            if self.eat('=') {
                self.skip_blanks();
                let value = self.quoted()?;
                if labels.iter().any(|(known, _)| *known == label) {
                    self.at = start;
                    return self.fail(format!("the label {label:?} is there twice"));
                }
                labels.push((label, value));
            } else if quoted && !labels.iter().any(|(known, _)| known == "__name__") {
                labels.push(("__name__".into(), label.into_owned()));
            } else {
                return self.fail("expected \"=\"");
            }
            self.skip_blanks();
            if !self.eat(',') && !self.rest().starts_with('}') {
                return self.fail("expected \",\" or \"}\"");
            }
        }
    }

    /// Letters, digits, underscores, and colons where these are allowed; empty where none stands here.
    fn word(&mut self, colons: bool) -> &'a str {
        let letter = |c: char| c.is_ascii_alphabetic() || c == '_' || colons && c == ':';
        let rest = self.rest();
        if !rest.starts_with(letter) {
            return "";
        }
        let end = rest
            .find(|c: char| !letter(c) && !c.is_ascii_digit())
            .unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn quoted(&mut self) -> Result<String, BadLine> {
        if !self.eat('"') {
            return self.fail("expected a quoted text");
        }
        let mut text = String::new();
        loop {
            let rest = self.rest();
            let Some(stop) = rest.find(['"', '\\']) else {
                return self.fail("the quoted text does not end");
            };
            text.push_str(&rest[..stop]);
            self.at += stop;
            if self.eat('"') {
                return Ok(text);
            }
            // Any other escape stands for itself, backslash included.
            let escaped = rest[stop + 1..].chars().next();
            let (length, meant) = match escaped {
                Some('n') => (2, "\n"),
                Some('"') => (2, "\""),
                Some('\\') => (2, "\\"),
                _ => (1, "\\"),
            };
            text.push_str(meant);
            self.at += length;
        }
    }

    /// The text up to the next blank.
    fn token(&self) -> &'a str {
        let rest = self.rest();
        &rest[..rest.find([' ', '\t']).unwrap_or(rest.len())]
    }

    fn value(&mut self) -> Result<f64, BadLine> {
        let token = self.token();
        match token.parse() {
            Ok(value) => {
                self.at += token.len();
                Ok(value)
            }
            Err(_) => self.fail(format!("{token:?} is no number")),
        }
    }

    fn timestamp(&mut self, rules: Rules) -> Result<Timestamp, BadLine> {
        let token = self.token();
        let ms = if rules.open_metrics {
            let seconds: Option<f64> = token.parse().ok();
            seconds
                .map(|seconds| (seconds * 1000.0).round())
                .filter(|ms| ms.abs() <= LATEST_MS as f64)
                .map(|ms| ms as i64)
        } else {
            token.parse().ok()
        };
        match ms.filter(|ms: &i64| ms.unsigned_abs() <= LATEST_MS) {
            Some(ms) => {
                self.at += token.len();
                Ok(Timestamp::from_millis(ms))
            }
            None => self.fail(format!("{token:?} is no timestamp")),
        }
    }

    /// `# {trace="x"} 0.5 12.3`, of which nothing is kept.
    fn exemplar(&mut self) -> Result<(), BadLine> {
        self.at += 1;
        self.blank()?;
        if !self.rest().starts_with('{') {
            return self.fail("expected an exemplar's labels");
        }
        self.labels()?;
        self.blank()?;
        self.value()?;
        if self.try_blank() && !self.rest().is_empty() {
            self.timestamp(Rules { open_metrics: true })?;
        }
        Ok(())
    }
}
