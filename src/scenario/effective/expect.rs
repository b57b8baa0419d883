//! `[expect]`: what is expected, checked for what no run could meet.

use super::{Reading, escaped};
use crate::canary::Phase;
use crate::diagnostic::{Diagnostic, nearest};
use crate::scenario::model::{EventPattern, Expect, ProbabilityBound, Side, WeightAt};
use crate::scenario::schema::{ExpectKeys, File};
use crate::scenario::units::{Time, shown};
use crate::time::Span;

/// Most runs of one bound on a share.
const MAX_RUNS: u64 = 10_000;

const OUTCOMES: [&str; 5] = [
    "promoted",
    "rolled-back",
    "promotion-failed",
    "undecided",
    "not-started",
];

/// Those that a tick can end with.
const PHASES: [Phase; 10] = [
    Phase::Initializing,
    Phase::Initialized,
    Phase::Waiting,
    Phase::Progressing,
    Phase::WaitingPromotion,
    Phase::Promoting,
    Phase::Finalising,
    Phase::Succeeded,
    Phase::Failed,
    Phase::Terminating,
];

const EXAMPLE: &str = "write it as \"P(rolled-back) >= 0.99 of 200 runs\" or \"P(rolled-back by 1m30s) >= 0.95 of 200 runs\"";

impl Reading<'_> {
    pub(super) fn expect(&self, file: &File, horizon: Span) -> Result<Option<Expect>, Diagnostic> {
        let Some(keys) = &file.expect else {
            return Ok(None);
        };
        if let (Some(Time(before)), Some(Time(by))) = (keys.not_before, keys.decided_by)
            && before > by
        {
            return Err(self
                .refuse(
                    "/expect/not_before",
                    format!(
                        "`expect.not_before` is {}, after `expect.decided_by` at {}",
                        shown(before),
                        shown(by)
                    ),
                )
                .help("no run can meet both"));
        }
        let probabilities = keys.probabilities.iter().enumerate();
        Ok(Some(Expect {
            outcome: keys.outcome.map(|o| o.as_str().to_owned()),
            decided_by: keys.decided_by.map(|t| t.0),
            not_before: keys.not_before.map(|t| t.0),
            max_failed_requests: keys.max_failed_requests,
            max_p99: keys.max_p99.map(|t| t.0),
            phases: self.phases(keys)?,
            weights: self.weights(keys, horizon)?,
            events: self.patterns("events", &keys.events)?,
            no_events: self.patterns("no_events", &keys.no_events)?,
            probabilities: probabilities
                .map(|(index, text)| {
                    probability(text).map_err(|why| {
                        let pointer = format!("/expect/probabilities/{index}");
                        let message = format!("`expect.probabilities[{index}]` {}", why.what);
                        self.refuse(&pointer, message).help(why.help)
                    })
                })
                .collect::<Result<_, _>>()?,
        }))
    }

    fn phases(&self, keys: &ExpectKeys) -> Result<Vec<Phase>, Diagnostic> {
        let names = PHASES.map(Phase::as_str);
        let phases = keys.phases.iter().enumerate();
        phases
            .map(|(index, name)| {
                let known = PHASES.into_iter().find(|phase| phase.as_str() == name);
                known.ok_or_else(|| {
                    let message = format!(
                        "`expect.phases[{index}]` is no phase of a Canary: \"{}\"",
                        name.escape_debug()
                    );
                    let help = match nearest::nearest(name, names) {
                        Some(meant) => format!("did you mean `{meant}`?"),
                        None => format!("phases are {}", nearest::listed(&names)),
                    };
                    self.refuse(&format!("/expect/phases/{index}"), message)
                        .help(help)
                })
            })
            .collect()
    }

    fn weights(&self, keys: &ExpectKeys, horizon: Span) -> Result<Vec<WeightAt>, Diagnostic> {
        let mut weights = Vec::new();
        for (time, weight) in &keys.weights {
            let pointer = format!("/expect/weights/{}", escaped(time));
            let key = format!("expect.weights.\"{}\"", time.escape_debug());
            let at = Span::parse_go(time).filter(|at| *at >= Span::ZERO).ok_or_else(|| {
                self.refuse(&pointer, format!("`{key}` is not a time"))
                    .help("the key is a time and the value a weight: weights = { \"30s\" = 10, \"1m\" = 20 }")
            })?;
            self.within_run(&pointer, &key, at, horizon)?;
            if !(0..=100).contains(weight) {
                return Err(self
                    .refuse(
                        &pointer,
                        format!("`{key}` must be from 0 to 100, not {weight}"),
                    )
                    .help("it is the canary's weight in percent"));
            }
            weights.push(WeightAt {
                at,
                canary: *weight,
            });
        }
        weights.sort_by_key(|weight| weight.at);
        Ok(weights)
    }

    fn patterns(&self, key: &str, texts: &[String]) -> Result<Vec<EventPattern>, Diagnostic> {
        let blank = |text: &String| text.chars().all(|c| c == '*' || c.is_whitespace());
        if let Some(index) = texts.iter().position(blank) {
            return Err(self
                .refuse(
                    &format!("/expect/{key}/{index}"),
                    format!("`expect.{key}[{index}]` is in every message"),
                )
                .help("write a part of the event's message, such as \"Halt advancement\""));
        }
        Ok(texts.iter().cloned().map(EventPattern).collect())
    }
}

/// What is wrong with a bound, as a predicate of its key, and what to write instead.
struct Wrong {
    what: String,
    help: String,
}

/// Reads `P(OUTCOME [by TIME]) >= SHARE of N runs`.
fn probability(text: &str) -> Result<ProbabilityBound, Wrong> {
    let wrong = |what: String| Wrong {
        what,
        help: EXAMPLE.to_owned(),
    };
    let unreadable = || {
        wrong(format!(
            "is no bound on a probability: \"{}\"",
            text.escape_debug()
        ))
    };
    let inside = text.trim().strip_prefix("P(").ok_or_else(unreadable)?;
    let (counted, rest) = inside.split_once(')').ok_or_else(unreadable)?;
    let (outcome, by) = match counted.split_once(" by ") {
        None => (counted.trim(), None),
        Some((outcome, time)) => {
            let by = Span::parse_go(time.trim()).filter(|by| *by >= Span::ZERO);
            let by = by.ok_or_else(|| {
                wrong(format!(
                    "has no time after `by`: \"{}\"",
                    time.trim().escape_debug()
                ))
            })?;
            (outcome.trim(), Some(by))
        }
    };
    if !OUTCOMES.contains(&outcome) {
        return Err(Wrong {
            what: format!("names no outcome: \"{}\"", outcome.escape_debug()),
            help: match nearest::nearest(outcome, OUTCOMES) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("outcomes are {}", nearest::listed(&OUTCOMES)),
            },
        });
    }
    let rest = rest.trim_start();
    let (side, rest) = match (rest.strip_prefix(">="), rest.strip_prefix("<=")) {
        (Some(rest), _) => (Side::AtLeast, rest),
        (_, Some(rest)) => (Side::AtMost, rest),
        _ => return Err(wrong("needs `>=` or `<=` after the probability".to_owned())),
    };
    let words: Vec<&str> = rest.split_whitespace().collect();
    let [share, "of", runs, "runs"] = words[..] else {
        return Err(wrong("does not say of how many runs".to_owned()));
    };
    let share = share
        .parse()
        .ok()
        .filter(|share| (0.0..=1.0).contains(share));
    let runs = runs
        .parse()
        .ok()
        .filter(|runs| (1..=MAX_RUNS).contains(runs));
    Ok(ProbabilityBound {
        outcome: outcome.to_owned(),
        by,
        side,
        share: share.ok_or_else(|| wrong("needs a fraction from 0 to 1".to_owned()))?,
        runs: runs.ok_or_else(|| wrong(format!("needs 1 to {MAX_RUNS} runs")))?,
    })
}
