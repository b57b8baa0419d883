//! The weights under which recorded series were made.

use crate::diagnostic::{Diagnostic, SourceText};
use crate::time::{Span, Timestamp};
use crate::tsdb::{Matcher, Queryable, Storage};

use super::ticks::unix_seconds;

/// The canary's weight over time, in percent.
#[derive(Clone, Debug, PartialEq)]
pub struct Weights {
    source: String,
    /// Ascending; a weight holds until the next.
    known: Vec<(Timestamp, i64)>,
    /// How long before a tick a weight may be noted and still be that tick's: clocks and files are not exact, scrapes are.
    early: Span,
}

/// A written weight belongs to the tick it is noted at, even where the note is so much too early.
const EARLY: Span = Span::from_millis(500);

impl Weights {
    /// Where they are from, in words.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The first moment with a weight above 0.
    pub fn first_step(&self) -> Option<Timestamp> {
        let above = self.known.iter().find(|(_, weight)| *weight > 0);
        above.map(|(at, _)| *at)
    }

    /// The weight that the recorded tick at `at` left behind, as known before the `next` one; `None` where it is not known.
    pub(super) fn after(&self, at: Timestamp, next: Timestamp) -> Option<i64> {
        let known = self.known.iter();
        let before_next = known.take_while(|(noted, _)| *noted + self.early < next);
        let (noted, weight) = before_next.last()?;
        // A scrape from before the tick says nothing of it.
        let scraped = self.early == Span::ZERO;
        (!scraped || *noted > at).then_some(*weight)
    }
}

/// Reads weights, one a line, either `TIME WEIGHT` (Unix seconds; each holds until the next) or `WEIGHT` alone, then the line's
/// number is the tick's. Blanks, commas and semicolons separate; a heading may stand first, whose words say which column is
/// which (`time` or `at...`, `canary...` or `weight`).
///
/// # Errors
/// A line that is neither; times that do not ascend.
pub fn parse_weights(name: &str, text: &str, ticks: &[Timestamp]) -> Result<Weights, Diagnostic> {
    let mut weights = Weights {
        source: name.to_owned(),
        known: Vec::new(),
        early: EARLY,
    };
    let mut columns: Option<(Option<usize>, usize)> = None;
    let mut start = 0;
    let mut rows = 0;
    for line in text.split_inclusive('\n') {
        let range = start..start + line.trim_end().len();
        start += line.len();
        let written = line.split('#').next().unwrap_or_default();
        let words: Vec<&str> = written
            .split([',', ';', ' ', '\t', '\r', '\n'])
            .filter(|word| !word.is_empty())
            .collect();
        if words.is_empty() {
            continue;
        }
        let refuse = |what: &str| {
            Diagnostic::new(what)
                .at(&SourceText::new(name, text), range.clone())
                .help("write a line a weight: Unix seconds and the canary's percent, as in `1767225610.2 10`")
        };
        let heading = words.iter().all(|word| word.parse::<f64>().is_err());
        if columns.is_none() && heading {
            columns = Some(
                named_columns(&words)
                    .ok_or_else(|| refuse("no column of the heading is the canary's weight"))?,
            );
            continue;
        }
        let (time, weight) = *columns.get_or_insert(match words.len() {
            1 => (None, 0),
            2 => (Some(0), 1),
            // Time, primary, canary.
            _ => (Some(0), 2),
        });
        let percent = words.get(weight).and_then(|word| percent(word));
        let percent = percent.ok_or_else(|| refuse("the line has no weight from 0 to 100"))?;
        let at = match time {
            Some(time) => words.get(time).and_then(|word| unix_seconds(word)),
            None => ticks.get(rows).copied(),
        };
        rows += 1;
        let Some(at) = at else {
            if time.is_none() {
                // More weights than ticks: those after the last tick are not asked for.
                continue;
            }
            return Err(refuse("the line has no time"));
        };
        if weights.known.last().is_some_and(|(before, _)| *before > at) {
            return Err(refuse("the line is earlier than the one before it"));
        }
        weights.known.push((at, percent));
    }
    if weights.known.is_empty() {
        return Err(Diagnostic::new(format!("there is no weight in {name}"))
            .help("write a line a weight: Unix seconds and the canary's percent"));
    }
    Ok(weights)
}

/// The weights that Flagger exports itself, `flagger_canary_weight{workload="<target>"}`, where they are among the series.
pub fn parse_weights_gauge(storage: &Storage, target: &str, namespace: &str) -> Option<Weights> {
    let matchers = [
        Matcher::equal("__name__", "flagger_canary_weight"),
        Matcher::equal("workload", target),
    ];
    let of_namespace = |series: &_| {
        let labels = storage.labels(*series);
        ["namespace", "exported_namespace"]
            .iter()
            .any(|label| labels.get(label) == namespace)
    };
    let found = storage.select(&matchers);
    let series = found
        .iter()
        .find(|series| of_namespace(series))
        .or(match found.as_slice() {
            [one] => Some(one),
            _ => None,
        })?;
    let samples = storage.samples(*series);
    let known: Vec<(Timestamp, i64)> = samples
        .filter(|(_, weight)| (0.0..=100.0).contains(weight))
        .map(|(at, weight)| (at, weight.round() as i64))
        .collect();
    (!known.is_empty()).then(|| Weights {
        source: "flagger_canary_weight".to_owned(),
        known,
        early: Span::ZERO,
    })
}

/// Which columns are the time and the canary's weight.
fn named_columns(words: &[&str]) -> Option<(Option<usize>, usize)> {
    let words: Vec<String> = words.iter().map(|word| word.to_ascii_lowercase()).collect();
    let time = words.iter().position(|word| {
        word.starts_with("at") || word.starts_with('t') && word != "tick" || word.contains("time")
    });
    let weight = words
        .iter()
        .position(|word| word.contains("canary"))
        .or_else(|| words.iter().position(|word| word.contains("weight")))?;
    Some((time.filter(|time| *time != weight), weight))
}

fn percent(word: &str) -> Option<i64> {
    let percent: f64 = word.trim_end_matches('%').parse().ok()?;
    (0.0..=100.0)
        .contains(&percent)
        .then(|| percent.round() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    #[test]
    fn weights_with_times_hold_until_the_next() {
        let text = "time,canary\n9.8,0\n20.01,10\n40,30\n";
        let weights = parse_weights("w", text, &[]).unwrap();
        let after = |tick| weights.after(at(tick), at(tick + 10));
        assert_eq!(
            [0, 10, 20, 30, 40, 50].map(after),
            [None, Some(0), Some(10), Some(10), Some(30), Some(30)]
        );
        assert_eq!(weights.first_step(), Some(Timestamp::from_millis(20_010)));
    }

    #[test]
    fn weights_alone_are_one_a_tick() {
        let ticks = [at(5), at(15), at(25)];
        let weights = parse_weights("w", "0\n10%\n20\n20\n", &ticks).unwrap();
        assert_eq!(weights.after(at(15), at(25)), Some(10));
        assert_eq!(weights.after(at(25), at(35)), Some(20));
    }

    #[test]
    fn a_scrape_from_before_a_tick_says_nothing_of_it() {
        let mut storage = Storage::new();
        let labels = crate::tsdb::Labels::new([
            ("__name__", "flagger_canary_weight"),
            ("workload", "app"),
            ("namespace", "test"),
        ]);
        let samples = [(at(8), 0.0), (at(23), 10.0)];
        storage.insert(&labels, samples).unwrap();
        let weights = parse_weights_gauge(&storage, "app", "test").unwrap();
        assert_eq!(weights.after(at(10), at(20)), None);
        assert_eq!(weights.after(at(20), at(30)), Some(10));
        assert!(parse_weights_gauge(&storage, "app-primary", "test").is_none());
    }

    #[test]
    fn what_is_no_weight_is_refused_with_its_line() {
        for (text, said) in [
            ("1 ten\n", "no weight from 0 to 100"),
            ("1 101\n", "no weight"),
            ("5 10\n1 20\n", "earlier than the one before"),
            ("x 10\n", "no time"),
            ("a b\n", "no column of the heading"),
            ("\n", "there is no weight in w"),
        ] {
            let error = parse_weights("w", text, &[]).unwrap_err().render();
            assert!(error.contains(said), "{text:?}: {error}");
        }
    }
}
