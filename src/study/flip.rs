//! The nearest change that would have flipped a check, found by running the scenario again on the same seed.
//!
//! Each knob is turned by itself: the check's bound, the requests a second, the metric window, the analysis interval, the
//! scrape interval, and how often the release fails. It is turned step by step away from what it is, both ways, nearest
//! first; the first setting that flips the check is then drawn towards the last that did not. What is answered has been
//! run, and so has the rollout that it leads to. A run is a run of one seed: another seed's flip may lie elsewhere.
//!
//! The check is known by its number among those of its metric, for a change can move it in time. Left out: changes of two
//! knobs at once, and rates that change over time.

mod knob;

pub use knob::Knob;

use rayon::prelude::*;

use crate::engine::QuerySource;
use crate::record::{Outcome, QueryRecord, Record};
use crate::scenario::{Inputs, Override, Scenario};
use crate::sim;
use crate::time::{Span, Timestamp};

/// Runs that the search for one knob may take when it draws the setting nearer.
const ROUNDS: usize = 8;

/// A check of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The metric's name.
    pub metric: String,
    /// Which of the entry's checks it is.
    pub source: QuerySource,
    /// How many checks of it were made before.
    pub before: usize,
}

impl Asked {
    /// The check that `query` is in the tick at `at`.
    pub fn of(record: &Record, at: Timestamp, query: &QueryRecord) -> Asked {
        let same = |other: &QueryRecord| is_of(other, &query.metric, query.source);
        let ticks = record.ticks.iter().filter(|tick| tick.at < at);
        Asked {
            metric: query.metric.clone(),
            source: query.source,
            before: ticks
                .flat_map(|tick| &tick.queries)
                .filter(|q| same(q))
                .count(),
        }
    }

    /// The same check in another run.
    fn find<'a>(&self, record: &'a Record) -> Option<&'a QueryRecord> {
        let queries = record.ticks.iter().flat_map(|tick| &tick.queries);
        queries
            .filter(|query| is_of(query, &self.metric, self.source))
            .nth(self.before)
    }
}

fn is_of(query: &QueryRecord, metric: &str, source: QuerySource) -> bool {
    query.metric == metric && query.source == source
}

/// A change that flips the check.
#[derive(Clone, Debug, PartialEq)]
pub struct Flip {
    /// What is changed.
    pub knob: Knob,
    /// From what, as a scenario writes it.
    pub from: String,
    /// To what.
    pub to: String,
    /// The change, as `--set` has it.
    pub set: Override,
    /// How far it is: the logarithm of the ratio.
    pub distance: f64,
    /// What the check reads then.
    pub value: Option<f64>,
    /// How the whole run ends with it.
    pub outcome: Outcome,
    /// When that is decided.
    pub decided_at: Option<Timestamp>,
}

/// A knob that was turned in vain.
#[derive(Clone, Debug, PartialEq)]
pub struct InVain {
    /// Which.
    pub knob: Knob,
    /// What it is.
    pub from: String,
    /// The lowest and the highest setting that were run.
    pub tried: (String, String),
}

/// What the search came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Search {
    /// Whether the check failed.
    pub failed: bool,
    /// A flip a knob, the nearest first.
    pub flips: Vec<Flip>,
    /// The others.
    pub in_vain: Vec<InVain>,
}

/// Turns every knob until the check flips.
pub fn search(inputs: &Inputs, record: &Record, at: Timestamp, query: &QueryRecord) -> Search {
    let mut search = Search {
        failed: !query.passed,
        ..Search::default()
    };
    let Ok(scenario) = inputs.scenario(&[]) else {
        return search;
    };
    let zero = scenario.run.horizon - (record.ended_at - Timestamp::ZERO);
    let bench = Bench {
        inputs,
        asked: Asked::of(record, at, query),
        failed: !query.passed,
        // Some ticks later, for a change can hold the check up.
        until: at - Timestamp::ZERO + zero + record.interval * 4,
    };
    let moment = at - Timestamp::ZERO + zero;
    let turned = Knob::ALL.par_iter().filter_map(|knob| {
        let dial = knob.dial(&scenario, query, record.interval, moment)?;
        Some(bench.turn(&dial))
    });
    for turned in turned.collect::<Vec<_>>() {
        match turned {
            Ok(flip) => search.flips.push(flip),
            Err(in_vain) => search.in_vain.extend(in_vain),
        }
    }
    let near = |a: &Flip, b: &Flip| a.distance.total_cmp(&b.distance);
    search.flips.sort_by(near);
    search
}

/// Where one check is tried.
struct Bench<'a> {
    inputs: &'a Inputs,
    asked: Asked,
    failed: bool,
    /// How long the check can take to come, on the scenario's clock.
    until: Span,
}

/// What came of a setting.
struct Tried {
    flipped: bool,
    value: Option<f64>,
}

impl Bench<'_> {
    fn turn(&self, dial: &knob::Dial) -> Result<Flip, Option<InVain>> {
        let mut tried: Vec<f64> = Vec::new();
        let mut found = None;
        for setting in dial.settings() {
            let Some(result) = self.run(dial, setting) else {
                continue;
            };
            if result.flipped {
                found = Some((setting, result));
                break;
            }
            tried.push(setting);
        }
        let Some((mut setting, mut result)) = found else {
            let lowest = tried.iter().copied().reduce(f64::min);
            let ends = lowest.zip(tried.iter().copied().reduce(f64::max));
            return Err(ends.map(|(lowest, highest)| InVain {
                knob: dial.knob,
                from: dial.write(dial.from),
                tried: (dial.write(lowest), dial.write(highest)),
            }));
        };
        // The last setting on the way there that did not flip it.
        let on_the_way = |other: &f64| (*other > dial.from) == (setting > dial.from);
        let mut short = tried.iter().copied().rfind(on_the_way).unwrap_or(dial.from);
        for _ in 0..ROUNDS {
            let Some(middle) = dial.between(short, setting) else {
                break;
            };
            match self.run(dial, middle) {
                Some(nearer) if nearer.flipped => (setting, result) = (middle, nearer),
                _ => short = middle,
            }
        }
        let set = dial.set(setting);
        let whole = self.inputs.scenario(std::slice::from_ref(&set));
        let whole = sim::simulate(&whole.map_err(|_| None)?);
        Ok(Flip {
            knob: dial.knob,
            from: dial.write(dial.from),
            to: dial.write(setting),
            distance: dial.distance(setting),
            set,
            value: result.value,
            outcome: whole.outcome,
            decided_at: whole.decided_at,
        })
    }

    /// The check under a setting; `None` where there is no such scenario or no such check.
    fn run(&self, dial: &knob::Dial, setting: f64) -> Option<Tried> {
        let mut scenario: Scenario = self.inputs.scenario(&[dial.set(setting)]).ok()?;
        let longer = dial.stretch(setting).max(1.0);
        let until = self.until.as_millis() as f64 * longer;
        let until = Span::from_millis(until as i64);
        scenario.run.horizon = scenario.run.horizon.min(until);
        let record = sim::simulate(&scenario);
        let query = self.asked.find(&record)?;
        Some(Tried {
            flipped: query.passed == self.failed,
            value: query.value,
        })
    }
}
