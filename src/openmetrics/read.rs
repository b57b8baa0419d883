//! From text to the store, line by line.

use std::collections::HashMap;
use std::fmt;
use std::io::{self, BufRead, Read};

use super::line::{self, BadLine, Line, Rules};
use crate::time::Timestamp;
use crate::tsdb::{Labels, Queryable, STALE, ScrapeLabels, SeriesId, Storage};

/// No exporter writes lines that long; a file that has one is no metrics.
const MAX_LINE: u64 = 1 << 20;

/// Which of the two formats.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// OpenMetrics 1.0: timestamps in seconds, `# EOF` at the end.
    #[default]
    OpenMetrics,
    /// Prometheus' exposition format 0.0.4: timestamps in milliseconds, comments as one likes.
    Prometheus,
}

/// How a text is to be read.
#[derive(Clone, Debug, Default)]
pub struct ReadOptions {
    /// The format it is in.
    pub format: Format,
    /// The time of samples that have none, as when the text is one scrape.
    pub default_time: Option<Timestamp>,
    /// The moment that the text's time zero stands for.
    pub zero: Timestamp,
    /// What happens to the labels, as when the text is one scrape. By default they stay as they are.
    pub labels: ScrapeLabels,
    /// Takes a NaN for a stale marker, except of a quantile, which is NaN while nothing was observed. Neither format can write
    /// the marker, and what dumps a database writes NaN for it; counters and histograms are never NaN otherwise.
    pub nan_is_stale: bool,
}

/// Which samples of a text are kept.
pub struct Wanted<'a> {
    /// Asked once for each series (again where its lines do not stand together).
    pub series: &'a mut dyn FnMut(&Labels) -> bool,
    /// The oldest moment that matters.
    pub from: Timestamp,
    /// The newest.
    pub to: Timestamp,
}

/// What was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadSummary {
    /// Lines, comments among them.
    pub lines: usize,
    /// Samples put into the store.
    pub samples: usize,
    /// The oldest and the newest of the series that are kept, whether they were put into the store or not.
    pub span: Option<(Timestamp, Timestamp)>,
}

/// Why a text was refused.
#[derive(Debug)]
pub enum ReadError {
    /// It could not be read.
    Io(io::Error),
    /// A line is wrong.
    Line {
        /// The line, from 1.
        line: usize,
        /// The byte in it, from 1.
        column: usize,
        /// What is wrong with it.
        message: String,
        /// The line, cut short.
        text: String,
    },
}

/// Which of the formats a text is in, by how it begins: exposition format counts milliseconds since 1970, which as seconds
/// would lie thousands of years ahead.
pub fn sniff(head: &[u8]) -> Format {
    let text = String::from_utf8_lossy(head);
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    let time = samples
        .filter_map(|line| line.rsplit_once(' ').map(|(_, last)| last.trim()))
        .find(|last| last.len() >= 10 && last.bytes().all(|byte| byte.is_ascii_digit()));
    match time.and_then(|time| time.parse::<u64>().ok()) {
        Some(time) if time > 100_000_000_000 => Format::Prometheus,
        _ => Format::OpenMetrics,
    }
}

/// Reads samples into a store, in which each series gets a target of its own. The samples of a series must come in time order.
///
/// Memory does not grow with the text beyond what the store keeps.
///
/// # Errors
/// When the text cannot be read or is in the wrong format; the samples before the place are in the store then.
pub fn read(
    input: impl BufRead,
    storage: &mut Storage,
    options: &ReadOptions,
) -> Result<ReadSummary, ReadError> {
    let all = Wanted {
        series: &mut |_| true,
        from: Timestamp::from_millis(i64::MIN),
        to: Timestamp::from_millis(i64::MAX),
    };
    read_wanted(input, storage, options, all)
}

/// As [`read`], of the series and the time that are wanted: memory grows with these alone, however long the text is.
///
/// # Errors
/// As [`read`]; the order of samples is looked at in wanted series alone, there also outside the wanted time.
pub fn read_wanted(
    input: impl BufRead,
    storage: &mut Storage,
    options: &ReadOptions,
    wanted: Wanted<'_>,
) -> Result<ReadSummary, ReadError> {
    let mut reader = Reader {
        input,
        storage,
        wanted,
        passed_over: HashMap::new(),
        options,
        summary: ReadSummary::default(),
        text: String::new(),
        last: None,
    };
    let mut ended = false;
    while reader.next_line()? {
        if ended {
            return reader.refuse(0, "nothing may follow `# EOF`");
        }
        ended = reader.take_line()?;
    }
    if !ended && options.format == Format::OpenMetrics {
        reader.text.clear();
        reader.summary.lines += 1;
        return reader.refuse(0, "the text ends without `# EOF`: it may be cut off");
    }
    Ok(reader.summary)
}

struct Reader<'a, 'w, R> {
    input: R,
    storage: &'a mut Storage,
    wanted: Wanted<'w>,
    /// The newest sample of each series that was outside the wanted time; for look-ups only.
    passed_over: HashMap<SeriesId, Timestamp>,
    options: &'a ReadOptions,
    summary: ReadSummary,
    /// The line at hand.
    text: String,
    /// The series of a line before, as it was written there: files are mostly series by series.
    last: Option<(String, Option<SeriesId>)>,
}

impl<R: BufRead> Reader<'_, '_, R> {
    /// Reads the next line; false after the last.
    fn next_line(&mut self) -> Result<bool, ReadError> {
        self.text.clear();
        let mut bytes = std::mem::take(&mut self.text).into_bytes();
        let mut limited = self.input.by_ref().take(MAX_LINE + 1);
        let read = limited
            .read_until(b'\n', &mut bytes)
            .map_err(ReadError::Io)?;
        if read == 0 {
            return Ok(false);
        }
        self.summary.lines += 1;
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
        } else if read as u64 > MAX_LINE {
            return self.refuse(0, format!("the line has more than {MAX_LINE} bytes"));
        }
        match String::from_utf8(bytes) {
            Ok(text) => {
                self.text = text;
                Ok(true)
            }
            Err(error) => {
                let at = error.utf8_error().valid_up_to();
                self.text = String::from_utf8_lossy(error.as_bytes()).into_owned();
                self.refuse(at, "the line is not UTF-8")
            }
        }
    }

    /// Puts what the line at hand says into the store; true at `# EOF`.
    fn take_line(&mut self) -> Result<bool, ReadError> {
        let text = std::mem::take(&mut self.text);
        let taken = self.take(&text);
        self.text = text;
        taken.or_else(|bad| self.refuse(bad.at, bad.message))
    }

    fn take(&mut self, text: &str) -> Result<bool, BadLine> {
        let rules = Rules {
            open_metrics: self.options.format == Format::OpenMetrics,
        };
        let (series, end) = match &self.last {
            Some((same, series))
                if text
                    .strip_prefix(&**same)
                    .is_some_and(|rest| rest.starts_with(' ')) =>
            {
                (*series, same.len())
            }
            _ => match line::parse(text, rules)? {
                Line::Nothing => return Ok(false),
                Line::End => return Ok(true),
                Line::Sample { labels, end } => {
                    let exposed = labels.iter().map(|(name, value)| (&**name, &**value));
                    let labels = self.options.labels.resolve(exposed);
                    let series = match (self.wanted.series)(&labels) {
                        true => Some(self.kept(&labels)?),
                        false => None,
                    };
                    self.last = Some((text[..end].to_owned(), series));
                    (series, end)
                }
            },
        };
        let (value, time) = line::parse_sample(text, end, rules)?;
        let Some(series) = series else {
            return Ok(false);
        };
        let bad = |message: String| BadLine { message, at: end };
        let stated = time.map(|time| self.options.zero + (time - Timestamp::ZERO));
        let Some(at) = stated.or(self.options.default_time) else {
            return Err(bad("the sample has no timestamp".to_owned()));
        };
        let stale = self.options.nan_is_stale
            && value.is_nan()
            && self.storage.labels(series).get("quantile").is_empty();
        let value = if stale { STALE } else { value };
        let taken = match self.passed_over.get(&series) {
            Some(newest) if *newest >= at => Err(*newest),
            _ if at < self.wanted.from || at > self.wanted.to => {
                self.passed_over.insert(series, at);
                Ok(())
            }
            _ => self
                .storage
                .extend(series, at, value)
                .inspect(|()| self.summary.samples += 1),
        };
        taken.map_err(|newest| {
            let known = newest.as_secs_f64();
            bad(if newest == at {
                format!(
                    "the series has a sample at {known} s already: each moment may be there once"
                )
            } else {
                format!(
                    "the series has a sample at {known} s already; samples must come in time order"
                )
            })
        })?;
        let (oldest, newest) = self.summary.span.unwrap_or((at, at));
        self.summary.span = Some((oldest.min(at), newest.max(at)));
        Ok(false)
    }

    fn kept(&mut self, labels: &Labels) -> Result<SeriesId, BadLine> {
        self.storage.own_series(labels).map_err(|taken| BadLine {
            message: taken.to_string(),
            at: 0,
        })
    }

    fn refuse<T>(&self, at: usize, message: impl Into<String>) -> Result<T, ReadError> {
        Err(ReadError::Line {
            line: self.summary.lines,
            column: at + 1,
            message: message.into(),
            text: self.text.chars().take(200).collect(),
        })
    }
}

/// `line:column: message`, and the line.
impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReadError::Io(error) => write!(f, "{error}"),
            ReadError::Line {
                line,
                column,
                message,
                text,
            } => write!(f, "{line}:{column}: {message}\n  {text}"),
        }
    }
}

impl std::error::Error for ReadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ReadError::Io(error) => Some(error),
            ReadError::Line { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tsdb::Labels;

    fn read_as(format: Format, text: &str) -> Result<(Storage, ReadSummary), String> {
        let mut storage = Storage::new();
        let options = ReadOptions {
            format,
            ..ReadOptions::default()
        };
        let summary =
            read(text.as_bytes(), &mut storage, &options).map_err(|error| error.to_string())?;
        Ok((storage, summary))
    }

    /// The series of a store with their samples, in storage order.
    fn shown(storage: &Storage) -> String {
        use crate::tsdb::Queryable;
        let series = |id| {
            let samples = storage
                .samples(id)
                .map(|(at, value)| format!(" {value}@{}", at.as_millis()));
            format!("{}{}", storage.labels(id), samples.collect::<String>())
        };
        storage
            .all_series()
            .map(series)
            .collect::<Vec<_>>()
            .join("; ")
    }

    #[test]
    fn open_metrics_is_read_with_all_it_may_hold() {
        let text = "# TYPE a counter\n# HELP a Some help.\n# UNIT a seconds\na_total{x=\"1\\n\\\"\",} 5 1.5 # {id=\"7\"} 0.5 1.2\na_total{x=\"1\\n\\\"\",} 6 2\n{\"b.c\",\"d e\"=\"f\"} NaN -1\n# EOF\n";
        let (storage, summary) = read_as(Format::OpenMetrics, text).unwrap();
        assert_eq!(
            shown(&storage),
            "a_total{x=\"1\\n\\\"\"} 5@1500 6@2000; b.c{d e=\"f\"} NaN@-1000"
        );
        assert_eq!((summary.lines, summary.samples), (7, 3));
        assert_eq!(
            summary.span,
            Some((Timestamp::from_secs(-1), Timestamp::from_secs(2)))
        );
    }

    #[test]
    fn the_exposition_format_counts_milliseconds_and_comments_as_it_likes() {
        let text = "\n# anything\n  a 1 1500\na\t2 3000\nb{} +Inf 1\n";
        let (storage, _) = read_as(Format::Prometheus, text).unwrap();
        assert_eq!(shown(&storage), "a 1@1500 2@3000; b inf@1");
    }

    #[test]
    fn one_scrape_takes_its_time_and_labels_from_outside() {
        let options = ReadOptions {
            default_time: Some(Timestamp::from_secs(60)),
            zero: Timestamp::ZERO,
            labels: ScrapeLabels {
                target: Labels::new([("job", "web")]),
                normalise_bounds: true,
                ..ScrapeLabels::default()
            },
            format: Format::Prometheus,
            ..ReadOptions::default()
        };
        let mut storage = Storage::new();
        read(
            "a_bucket{le=\"1\",job=\"x\"} 3\n".as_bytes(),
            &mut storage,
            &options,
        )
        .unwrap();
        assert_eq!(
            shown(&storage),
            "a_bucket{exported_job=\"x\", job=\"web\", le=\"1.0\"} 3@60000"
        );
    }

    #[test]
    fn only_what_is_wanted_is_kept_and_its_order_is_looked_at_throughout() {
        let text = "a 1 1\na 2 2\na 3 3\nb 1 9\nb 1 8\n# EOF\n";
        let read_named = |name: &'static str, text: &str| {
            let mut storage = Storage::new();
            let wanted = Wanted {
                series: &mut |labels| labels.metric_name() == name,
                from: Timestamp::from_secs(2),
                to: Timestamp::from_secs(2),
            };
            read_wanted(
                text.as_bytes(),
                &mut storage,
                &ReadOptions::default(),
                wanted,
            )
            .map(|summary| (shown(&storage), summary.samples))
            .map_err(|error| error.to_string())
        };
        assert_eq!(read_named("a", text), Ok(("a 2@2000".to_owned(), 1)));
        let error = read_named("b", text).unwrap_err();
        assert!(
            error.starts_with("5:2: the series has a sample at 9 s already"),
            "{error}"
        );
    }

    #[test]
    fn nan_stands_for_a_stale_marker_where_asked_but_of_a_quantile() {
        let text = "a 1 1\na NaN 2\nb{quantile=\"0.5\"} NaN 2\n# EOF\n";
        let mut storage = Storage::new();
        let options = ReadOptions {
            nan_is_stale: true,
            ..ReadOptions::default()
        };
        read(text.as_bytes(), &mut storage, &options).unwrap();
        let stale = |name: &str| {
            let series = storage
                .all_series()
                .find(|series| storage.labels(*series).metric_name() == name);
            let (_, value) = storage.samples(series.unwrap()).last().unwrap();
            crate::tsdb::is_stale(value)
        };
        assert!(stale("a") && !stale("b"));
    }

    #[test]
    fn the_format_is_told_by_its_times() {
        assert_eq!(
            sniff(b"# TYPE a gauge\na 1 1767225600123\n"),
            Format::Prometheus
        );
        assert_eq!(
            sniff(b"a 1 1767225600.123\na 1 1767225601\n"),
            Format::OpenMetrics
        );
        assert_eq!(sniff(b""), Format::OpenMetrics);
    }

    #[test]
    fn bad_text_is_refused_with_its_place() {
        for (text, place) in [
            ("a 1 1\n", "2:1: the text ends without `# EOF`"),
            ("# EOF\na 1 1\n", "2:1: nothing may follow"),
            ("a 1 1\n\n# EOF\n", "2:1: an empty line"),
            ("# hello\n", "1:1: expected `# TYPE`"),
            ("# TYPE a colour\n", "1:1: expected `# TYPE name type`"),
            ("a 1\n# EOF\n", "1:2: the sample has no timestamp"),
            ("a x 1\n", "1:3: \"x\" is no number"),
            ("a 1 x\n", "1:5: \"x\" is no timestamp"),
            ("a 1 1e99\n", "1:5: \"1e99\" is no timestamp"),
            ("a 1 1 1\n", "1:7: expected the end of the line"),
            ("a{b} 1 1\n", "1:4: expected \"=\""),
            ("a{b=\"c} 1 1\n", "1:6: the quoted text does not end"),
            ("a{b=\"c\" d=\"e\"} 1 1\n", "1:9: expected \",\" or \"}\""),
            (
                "a{b=\"1\",b=\"2\"} 1 1\n",
                "1:9: the label \"b\" is there twice",
            ),
            ("5 1 1\n", "1:1: expected a metric's name"),
            ("a{b=\"1\"}1 1\n", "1:9: expected a blank"),
            (
                "a 1 2\na 1 2\n",
                "2:2: the series has a sample at 2 s already: each moment may be there once",
            ),
            (
                "a 1 2\na 1 1\n",
                "2:2: the series has a sample at 2 s already",
            ),
            ("a 1 1 # 5\n", "1:9: expected an exemplar's labels"),
        ] {
            let error = read_as(Format::OpenMetrics, text).map(|_| ()).unwrap_err();
            assert!(error.starts_with(place), "{text:?}: {error}");
        }
        let mut storage = Storage::new();
        let error = read(&b"a\xff 1 1\n"[..], &mut storage, &ReadOptions::default()).unwrap_err();
        assert!(
            error.to_string().starts_with("1:2: the line is not UTF-8"),
            "{error}"
        );
        let long = "a".repeat(2 << 20);
        assert!(read_as(Format::OpenMetrics, &long).is_err());
    }
}
