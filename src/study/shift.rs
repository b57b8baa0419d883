//! Whether two samples of runs differ: in how runs end, in when, and in what users met meanwhile.
//!
//! A difference counts where it is beyond chance and beyond a size that anybody would care about. Chance is Fisher's exact
//! test of each outcome's share and Smirnov's of each figure's distribution, corrected by Holm over everything that is
//! compared at once. On the same seeds two samples are alike beyond chance, so the tests, which take them for
//! independent, claim less than they could, and never more.

use crate::record::Outcome;

use super::forecast::OUTCOMES;
use super::sample::{Sample, Sorted};
use super::stats::quantile::quantile;
use super::stats::{fisher, holm, smirnov};

/// The chance that any of the comparisons of one check claims a difference where there is none.
pub const SIGNIFICANCE: f64 = 0.001;

/// What of two samples is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Figure {
    /// Share of the runs that ended so.
    Probability(Outcome),
    /// When it was decided, in milliseconds.
    DecidedAt,
    /// When it was over, in milliseconds.
    FinishedAt,
    /// Failed requests.
    FailedRequests,
    /// Requests that the canary served.
    CanaryRequests,
    /// The slowest of the fastest 99 % of the requests, in microseconds.
    LatencyP99,
}

/// A sample in one figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Level {
    /// So many of so many runs.
    Share(u64, u64),
    /// Quantiles at 5, 50 and 95 % of the runs that have the figure; `None` where no run has.
    Spread(Option<[u64; 3]>),
}

/// Two samples in one figure.
#[derive(Clone, Debug, PartialEq)]
pub struct Shift {
    /// Which.
    pub figure: Figure,
    /// The earlier sample.
    pub before: Level,
    /// The later one.
    pub after: Level,
    /// Probability of such a difference by chance, before any correction.
    pub chance: f64,
    /// The same, corrected over all comparisons of the check.
    pub corrected: f64,
    /// Whether the difference has a size that matters.
    pub large: bool,
}

impl Shift {
    /// Whether there is a difference to be told.
    pub fn counts(&self) -> bool {
        self.large && self.corrected < SIGNIFICANCE
    }
}

/// How large a difference must be: at least so many units, and so large a share of the earlier value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Size {
    /// In the figure's unit.
    pub least: f64,
    /// Of the earlier value.
    pub share: f64,
}

impl Figure {
    /// The smallest difference that counts.
    pub fn size(self) -> Size {
        let (least, share) = match self {
            Figure::Probability(_) => (0.05, 0.0),
            Figure::DecidedAt | Figure::FinishedAt => (1000.0, 0.05),
            Figure::FailedRequests => (10.0, 0.2),
            Figure::CanaryRequests => (10.0, 0.1),
            Figure::LatencyP99 => (5000.0, 0.1),
        };
        Size { least, share }
    }

    fn is_large(self, before: f64, after: f64) -> bool {
        let size = self.size();
        (after - before).abs() >= size.least.max(size.share * before)
    }
}

/// Compares two samples in everything that either has. [`correct`] comes after, once all comparisons of a check are there.
pub fn compare(before: &Sample, after: &Sample) -> Vec<Shift> {
    let outcomes = OUTCOMES.into_iter().filter_map(|outcome| {
        let (first, second) = (before.count(outcome), after.count(outcome));
        (first + second > 0).then(|| {
            let figure = Figure::Probability(outcome);
            let share = |count: u64, of: u64| count as f64 / of.max(1) as f64;
            let chance = fisher::two_sided(first, before.runs, second, after.runs);
            Shift {
                figure,
                before: Level::Share(first, before.runs),
                after: Level::Share(second, after.runs),
                chance,
                corrected: chance,
                large: figure.is_large(share(first, before.runs), share(second, after.runs)),
            }
        })
    });
    let figures = [
        (
            Figure::DecidedAt,
            &before.decided_at_ms,
            &after.decided_at_ms,
        ),
        (
            Figure::FinishedAt,
            &before.finished_at_ms,
            &after.finished_at_ms,
        ),
        (
            Figure::FailedRequests,
            &before.failed_requests,
            &after.failed_requests,
        ),
        (
            Figure::CanaryRequests,
            &before.canary_requests,
            &after.canary_requests,
        ),
        (
            Figure::LatencyP99,
            &before.latency_p99_us,
            &after.latency_p99_us,
        ),
    ];
    let figures = figures.into_iter().filter_map(|(figure, before, after)| {
        let (first, second) = (spread(before), spread(after));
        (first.is_some() || second.is_some()).then(|| {
            let chance = smirnov::two_sided(before.values(), after.values());
            let pairs = first
                .into_iter()
                .flatten()
                .zip(second.into_iter().flatten());
            let mut pairs = pairs.map(|(before, after)| (before as f64, after as f64));
            Shift {
                figure,
                before: Level::Spread(first),
                after: Level::Spread(second),
                chance,
                corrected: chance,
                large: pairs.any(|(before, after)| figure.is_large(before, after)),
            }
        })
    });
    outcomes.chain(figures).collect()
}

/// Corrects the probabilities of all comparisons that are made at once.
pub fn correct<'a>(shifts: impl Iterator<Item = &'a mut Shift>) {
    let mut shifts: Vec<&mut Shift> = shifts.collect();
    let chances: Vec<f64> = shifts.iter().map(|shift| shift.chance).collect();
    for (shift, corrected) in shifts.iter_mut().zip(holm::corrected(&chances)) {
        shift.corrected = corrected;
    }
}

/// Quantiles at 5, 50 and 95 %.
pub fn spread(values: &Sorted) -> Option<[u64; 3]> {
    let at = |q| quantile(values.values(), q).map(|quantile| quantile.value);
    Some([at(0.05)?, at(0.5)?, at(0.95)?])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(promoted: u64, decided_at_ms: &[u64]) -> Sample {
        let runs = decided_at_ms.len() as u64;
        Sample {
            runs,
            outcomes: [
                (Outcome::Promoted, promoted),
                (Outcome::RolledBack, runs - promoted),
            ]
            .into(),
            decided_at_ms: Sorted::of(decided_at_ms.iter().copied()),
            failed_requests: Sorted::of((0..runs).map(|n| 1000 + n)),
            ..Sample::default()
        }
    }

    fn told(before: &Sample, after: &Sample) -> Vec<Figure> {
        let mut shifts = compare(before, after);
        correct(shifts.iter_mut());
        let counting = shifts.iter().filter(|shift| shift.counts());
        counting.map(|shift| shift.figure).collect()
    }

    #[test]
    fn a_difference_counts_where_it_is_beyond_chance_and_beyond_a_size() {
        let at = |ms| vec![ms; 100];
        let base = sample(100, &at(180_000));
        assert_eq!(told(&base, &base), []);
        // Every run, but half a second of three minutes.
        assert_eq!(told(&base, &sample(100, &at(180_500))), []);
        // Every run, by a tick.
        assert_eq!(told(&base, &sample(100, &at(210_000))), [Figure::DecidedAt]);
        // One run of a hundred may be chance, though it is a tick.
        let mut one = at(180_000);
        one[0] = 240_000;
        assert_eq!(told(&base, &sample(99, &one)), []);
        // A third of the runs.
        let flipped = told(&base, &sample(67, &at(180_000)));
        let promoted = Figure::Probability(Outcome::Promoted);
        let rolled_back = Figure::Probability(Outcome::RolledBack);
        assert_eq!(flipped, [promoted, rolled_back]);
    }
}
