//! What a change makes of rollouts, before and after on the same traffic: as text, and as Markdown for a pull request.

pub mod markdown;
pub mod text;

use crate::record::Outcome;
use crate::report::words::{latency, percent};
use crate::study::difference::{Pair, PairedFigure, What};
use crate::time::Timestamp;

/// Two sides, scenario by scenario.
#[derive(Clone, Debug)]
pub struct Report {
    /// The earlier side, as it was given.
    pub old: String,
    /// The later side.
    pub new: String,
    /// Runs of each scenario on each side.
    pub runs: u64,
    /// Scenarios of both sides.
    pub scenarios: Vec<Compared>,
    /// Scenarios of the later side alone.
    pub added: Vec<String>,
    /// Scenarios of the earlier side alone.
    pub removed: Vec<String>,
}

/// One scenario of both sides.
#[derive(Clone, Debug)]
pub struct Compared {
    /// Its name.
    pub name: String,
    /// Its title on the later side.
    pub title: String,
    /// What came of both.
    pub pair: Pair,
}

impl Report {
    fn differing(&self) -> impl Iterator<Item = &Compared> {
        self.scenarios
            .iter()
            .filter(|compared| compared.pair.differs())
    }

    fn alike(&self) -> usize {
        self.scenarios.len() - self.differing().count()
    }
}

/// What a figure is called.
fn name(what: What) -> String {
    match what {
        What::Probability(outcome) => format!("P({})", outcome.as_str()),
        What::Decided => "decided at".to_owned(),
        What::Detection => "rolled back after".to_owned(),
        What::Finished => "finished at".to_owned(),
        What::FailedRequests => "failed requests".to_owned(),
        What::CanaryRequests => "canary's requests".to_owned(),
        What::LatencyP99 => "p99 latency".to_owned(),
    }
}

/// One side's mean.
fn mean(figure: &PairedFigure, side: usize) -> String {
    let Some(mean) = figure.means[side] else {
        return "none".to_owned();
    };
    match figure.what {
        What::Probability(_) => format!("{}%", percent(mean)),
        What::Decided | What::Detection | What::Finished => {
            Timestamp::from_millis((mean * 10.0).round() as i64 * 100).clock()
        }
        What::LatencyP99 => latency(mean),
        What::FailedRequests | What::CanaryRequests => format!("{mean:.1}"),
    }
}

/// `+118.4 s (+110.2 to +126.6)`; nothing where no run has the figure on both sides.
fn difference(figure: &PairedFigure) -> String {
    let Some(found) = figure.difference else {
        return String::new();
    };
    let (factor, unit) = match figure.what {
        What::Probability(_) => (100.0, " points"),
        What::Decided | What::Detection | What::Finished => (1.0, " s"),
        What::LatencyP99 => (1.0, " ms"),
        What::FailedRequests | What::CanaryRequests => (1.0, ""),
    };
    let signed = |value: f64| match format!("{:+.1}", value * factor) {
        none if none == "-0.0" || none == "+0.0" => "0".to_owned(),
        some => some.trim_end_matches(".0").to_owned(),
    };
    let (mean, lo, hi) = (signed(found.mean), signed(found.lo), signed(found.hi));
    if lo == hi {
        format!("{mean}{unit}")
    } else {
        format!("{mean}{unit} ({lo} to {hi})")
    }
}

/// Figures worth a line: those that differ, and how it ended in any case.
fn shown(pair: &Pair) -> impl Iterator<Item = &PairedFigure> {
    pair.figures.iter().filter(|figure| {
        // A rollback's time is the decision's where every run was rolled back.
        let told = figure.what == What::Detection && all_rolled_back(pair);
        let plain = matches!(figure.what, What::Probability(_) | What::Decided);
        !told && (plain || figure.means[0] != figure.means[1])
    })
}

fn all_rolled_back(pair: &Pair) -> bool {
    let mut runs = pair.runs.iter().flatten();
    runs.all(|run| run.outcome == Outcome::RolledBack)
}

/// Whether the difference of a figure is beyond the randomness of the runs.
fn is_clear(figure: &PairedFigure) -> bool {
    match figure.difference {
        Some(difference) => difference.is_clear(),
        None => figure.means[0].is_some() != figure.means[1].is_some(),
    }
}
