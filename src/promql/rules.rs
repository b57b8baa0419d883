//! Recording rules: queries whose answers become series (`rules/group.go`, `rules/recording.go`).
//!
//! A group is evaluated on a grid of its own, its rules one after the other, each seeing what those before it recorded. As
//! upstream, a series that a rule no longer answers with becomes stale, and a rule that fails leaves its series alone.
//! Left out: alerting rules, concurrent evaluation, query offsets, limits, restoring state after a restart.

use std::fmt;

use super::error::EvalError;
use super::eval::Evaluator;
use super::query::Query;
use super::value::Value;
use crate::time::{Span, Timestamp};
use crate::tsdb::{Labels, METRIC_NAME, Storage, TargetId};

/// A query and the name its answer is recorded under.
#[derive(Clone, Debug)]
pub struct RecordingRule {
    /// The name of the new series.
    pub record: String,
    /// What is asked.
    pub query: Query,
    /// Labels that every new series gets, over those of the answer; an empty value takes a label away.
    pub labels: Vec<(String, String)>,
}

/// Rules that are evaluated together. A clone goes its own way, with a clone of the storage.
#[derive(Clone, Debug)]
pub struct RuleGroup {
    interval: Span,
    phase: Span,
    rules: Vec<(RecordingRule, Evaluator, TargetId)>,
}

/// A rule that could not be recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleError {
    /// The name the rule records under.
    pub record: String,
    /// Why not.
    pub kind: RuleErrorKind,
}

/// Why a rule could not be recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleErrorKind {
    /// The query failed.
    Query(EvalError),
    /// The answer is of a type that cannot be recorded: a string or a range vector.
    NoVector,
    /// Two elements of the answer have equal labels once the rule's are applied.
    SameLabels(Labels),
    /// Another rule or target has a series with these labels.
    Taken(Labels),
}

impl RuleGroup {
    /// A group that is evaluated every `interval`, `phase` after the multiples of it (upstream derives the phase from the
    /// group's name). Its series live in `storage`, in which it must be evaluated from then on.
    ///
    /// # Panics
    /// When the interval is not positive.
    pub fn new(
        interval: Span,
        phase: Span,
        rules: impl IntoIterator<Item = RecordingRule>,
        storage: &mut Storage,
    ) -> Self {
        assert!(interval > Span::ZERO, "a group's interval is positive");
        let prepared = |rule: RecordingRule| {
            let evaluator = rule.query.evaluator();
            (rule, evaluator, storage.add_target())
        };
        RuleGroup {
            interval,
            phase,
            rules: rules.into_iter().map(prepared).collect(),
        }
    }

    /// When the group is due first, after `t`.
    pub fn next_after(&self, t: Timestamp) -> Timestamp {
        let (interval, phase) = (self.interval.as_millis(), self.phase.as_millis());
        let since = (t.as_millis() - phase).div_euclid(interval);
        Timestamp::from_millis((since + 1) * interval + phase)
    }

    /// Evaluates all rules and records what they answer. Must be called in time order.
    ///
    /// Rules that could not be recorded are in the answer; the others are recorded all the same.
    pub fn evaluate(&mut self, storage: &mut Storage, at: Timestamp) -> Vec<RuleError> {
        let mut errors = Vec::new();
        for (rule, evaluator, target) in &mut self.rules {
            if let Err(kind) = record(rule, evaluator, *target, storage, at) {
                errors.push(RuleError {
                    record: rule.record.clone(),
                    kind,
                });
            }
        }
        errors
    }
}

fn record(
    rule: &RecordingRule,
    evaluator: &mut Evaluator,
    target: TargetId,
    storage: &mut Storage,
    at: Timestamp,
) -> Result<(), RuleErrorKind> {
    let answer = evaluator
        .instant(storage, at)
        .map_err(RuleErrorKind::Query)?;
    let elements = match answer.value {
        Value::Scalar(value) => vec![(Labels::empty(), value)],
        Value::Vector(samples) => samples.into_iter().map(|s| (s.labels, s.value)).collect(),
        Value::String(_) | Value::Matrix(_) => return Err(RuleErrorKind::NoVector),
    };
    let mut recorded: Vec<(Labels, f64)> = Vec::with_capacity(elements.len());
    for (labels, value) in elements {
        let mut labels = labels.to_builder();
        labels.set(METRIC_NAME, &rule.record);
        for (name, value) in &rule.labels {
            labels.set(name, value);
        }
        recorded.push((labels.build(), value));
    }
    let mut sorted: Vec<&Labels> = recorded.iter().map(|(labels, _)| labels).collect();
    sorted.sort();
    if let Some(pair) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(RuleErrorKind::SameLabels(pair[0].clone()));
    }
    let mut samples = Vec::with_capacity(recorded.len());
    for (labels, value) in recorded {
        let series = storage
            .series(target, &labels)
            .map_err(|taken| RuleErrorKind::Taken(taken.labels))?;
        samples.push((series, value));
    }
    let mut scrape = storage.scrape(target, at);
    for (series, value) in samples {
        scrape.append(series, value);
    }
    scrape.commit();
    Ok(())
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "recording rule {:?}: ", self.record)?;
        match &self.kind {
            RuleErrorKind::Query(error) => write!(f, "{error}"),
            RuleErrorKind::NoVector => {
                f.write_str("the query answers with neither a vector nor a scalar")
            }
            RuleErrorKind::SameLabels(labels) => write!(
                f,
                "vector contains metrics with the same labelset after applying rule labels: {labels}"
            ),
            RuleErrorKind::Taken(labels) => write!(f, "{labels} is recorded or scraped already"),
        }
    }
}

impl std::error::Error for RuleError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::promql::Options;

    fn rule(record: &str, query: &str, labels: &[(&str, &str)]) -> RecordingRule {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        RecordingRule {
            record: record.to_owned(),
            query: Query::compile(query, &Options::default()).unwrap(),
            labels: labels.iter().map(owned).collect(),
        }
    }

    fn value(storage: &Storage, query: &str, secs: i64) -> String {
        let query = Query::compile(query, &Options::default()).unwrap();
        query
            .instant(storage, Timestamp::from_secs(secs))
            .unwrap()
            .value
            .to_string()
    }

    /// A store in which `x{a="1"}` has a sample each 15 s and `x{a="2"}` ends with the third.
    fn store() -> Storage {
        let mut storage = Storage::new();
        let target = storage.add_target();
        let x = ["1", "2"].map(|a| {
            storage
                .series(target, &Labels::new([("__name__", "x"), ("a", a)]))
                .unwrap()
        });
        for i in 0..8 {
            let mut scrape = storage.scrape(target, Timestamp::from_secs(i * 15));
            scrape.append(x[0], i as f64);
            if i < 3 {
                scrape.append(x[1], 10.0 * i as f64);
            }
            scrape.commit();
        }
        storage
    }

    #[test]
    fn rules_see_what_those_before_them_recorded() {
        let mut storage = store();
        let rules = [
            rule("x:sum", "sum(x)", &[("by", "rule")]),
            rule("x:twice", "2 * x:sum", &[]),
        ];
        let mut group =
            RuleGroup::new(Span::from_secs(30), Span::from_secs(7), rules, &mut storage);
        assert_eq!(
            group.next_after(Timestamp::from_secs(0)),
            Timestamp::from_secs(7)
        );
        assert_eq!(
            group.next_after(Timestamp::from_secs(7)),
            Timestamp::from_secs(37)
        );
        assert!(
            group
                .evaluate(&mut storage, Timestamp::from_secs(37))
                .is_empty()
        );
        assert_eq!(value(&storage, "x:sum", 40), "x:sum{by=\"rule\"} 22");
        assert_eq!(value(&storage, "x:twice", 40), "x:twice{by=\"rule\"} 44");
    }

    #[test]
    fn a_series_that_a_rule_no_longer_answers_with_is_stale() {
        let mut storage = store();
        let rules = [rule("x:each", "x", &[])];
        let mut group = RuleGroup::new(Span::from_secs(30), Span::ZERO, rules, &mut storage);
        group.evaluate(&mut storage, Timestamp::from_secs(30));
        assert_eq!(value(&storage, "count(x:each)", 31), "{} 2");
        group.evaluate(&mut storage, Timestamp::from_secs(60));
        assert_eq!(value(&storage, "x:each", 61), "x:each{a=\"1\"} 4");
    }

    #[test]
    fn a_rule_that_fails_leaves_its_series_alone_and_the_others_run() {
        let mut storage = store();
        let rules = [
            rule("a", "x + on() x", &[]),
            rule("b", "x", &[("a", "")]),
            rule("c", "\"text\"", &[]),
            rule("x", "vector(1)", &[("a", "1")]),
            rule("d", "7", &[]),
        ];
        let mut group = RuleGroup::new(Span::from_secs(30), Span::ZERO, rules, &mut storage);
        let errors = group.evaluate(&mut storage, Timestamp::from_secs(30));
        let shown: Vec<String> = errors.iter().map(RuleError::to_string).collect();
        assert!(shown[0].contains("found duplicate series"), "{shown:?}");
        assert!(
            shown[1].contains("same labelset after applying rule labels: b"),
            "{shown:?}"
        );
        assert!(
            shown[2].contains("neither a vector nor a scalar"),
            "{shown:?}"
        );
        assert!(
            shown[3].contains("x{a=\"1\"} is recorded or scraped already"),
            "{shown:?}"
        );
        assert_eq!(value(&storage, "d", 30), "d 7");
    }
}
