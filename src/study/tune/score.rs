//! What runs come to: merits to compare candidates by, and targets held against them.

use crate::record::Outcome;
use crate::sim::Brief;
use crate::study::forecast::{self, Objective, QUANTILES};
use crate::study::stats::{Z95, binomial, wilson};
use crate::time::Timestamp;

use super::{Evidence, Kind, Merits, Prefer, Spread, Target, Verdict};

/// Share of the runs in which a time or a number may be above its target.
const BEYOND: f64 = 0.05;

/// Runs of one candidate, release by release.
pub type Trials = Vec<Vec<Brief>>;

/// What a candidate comes to.
pub fn merits(kinds: &[Kind], trials: &Trials, objective: Objective) -> Merits {
    let share = |runs: &[Brief], of: &dyn Fn(&Brief) -> bool| {
        runs.iter().filter(|run| of(run)).count() as f64 / runs.len().max(1) as f64
    };
    let mut merits = Merits::default();
    let (mut rollouts, mut detections, mut undetected) = (Vec::new(), Vec::new(), false);
    for (kind, runs) in kinds.iter().zip(trials) {
        let mean = |value: &dyn Fn(&Brief) -> f64| {
            runs.iter().map(value).sum::<f64>() / runs.len().max(1) as f64
        };
        match kind {
            Kind::Good => {
                let rolled_back = share(runs, &|run| run.outcome == Outcome::RolledBack);
                merits.false_rollback = merits.false_rollback.max(rolled_back);
                rollouts.extend(median(runs.iter().filter_map(promoted_at)));
            }
            Kind::Bad => {
                let missed = share(runs, &|run| run.outcome != Outcome::RolledBack);
                merits.missed_regression = merits.missed_regression.max(missed);
                merits.failed_requests += mean(&|run| run.requests.failed as f64);
                merits.error_budget += mean(&|run| budget(run, objective).unwrap_or(0.0));
                let detected = median(runs.iter().filter_map(rolled_back_at));
                undetected |= detected.is_none();
                detections.extend(detected);
            }
        }
    }
    let longest = |times: Vec<f64>| times.into_iter().max_by(f64::total_cmp);
    merits.rollout_s = longest(rollouts);
    merits.detection_s = longest(detections).filter(|_| !undetected);
    merits
}

/// One release's runs in numbers.
pub fn evidence(runs: &[Brief], objective: Objective) -> Evidence {
    let count = |outcome| runs.iter().filter(|run| run.outcome == outcome).count() as u64;
    Evidence {
        runs: runs.len() as u64,
        promoted: count(Outcome::Promoted),
        rolled_back: count(Outcome::RolledBack),
        rolled_back_s: spread(runs.iter().filter_map(rolled_back_at)),
        promoted_s: spread(runs.iter().filter_map(promoted_at)),
        failed_requests: spread(runs.iter().map(|run| run.requests.failed as f64)),
        error_budget: spread(runs.iter().filter_map(|run| budget(run, objective))),
    }
}

/// A target held against the runs: it is met where the upper end of the interval of the share that breaks it meets it.
pub fn verdict(target: Target, trials: &Trials, objective: Objective) -> Verdict {
    let (count, of, most) = broken(target, trials, objective);
    let share = wilson::interval(count, of, Z95);
    Verdict {
        count,
        of,
        p: share.p,
        lo: share.lo,
        hi: share.hi,
        most,
        met: share.hi <= most,
    }
}

/// How likely a target holds, after these runs and knowing nothing before: P(share <= most) under a Beta(k + 1, n - k + 1),
/// which is P(Binomial(n + 1, most) > k).
pub fn chance(verdict: &Verdict) -> f64 {
    1.0 - binomial::cdf(verdict.count, verdict.of + 1, verdict.most)
}

/// What a preference goes by, the smaller the better.
pub fn preferred(prefer: Prefer, merits: &Merits) -> [f64; 2] {
    let time = |seconds: Option<f64>| seconds.unwrap_or(f64::INFINITY);
    let (failed, rollout) = (merits.failed_requests, time(merits.rollout_s));
    match prefer {
        Prefer::FailedRequests => [failed, rollout],
        Prefer::RolloutTime => [rollout, failed],
        Prefer::DetectionTime => [time(merits.detection_s), rollout],
    }
}

/// Whether one candidate is nowhere worse than another and somewhere better.
pub fn dominates(a: &Merits, b: &Merits) -> bool {
    let (a, b) = (objectives(a), objectives(b));
    let mut pairs = a.iter().zip(b);
    pairs.clone().all(|(a, b)| *a <= b) && pairs.any(|(a, b)| *a < b)
}

fn objectives(merits: &Merits) -> [f64; 4] {
    [
        merits.false_rollback,
        merits.missed_regression,
        merits.failed_requests,
        merits.rollout_s.unwrap_or(f64::INFINITY),
    ]
}

/// Runs that break a target, of how many it is about, and the share that may.
fn broken(target: Target, trials: &Trials, objective: Objective) -> (u64, u64, f64) {
    let runs = &trials[target.release()];
    let rolled_back = |run: &Brief| run.outcome == Outcome::RolledBack;
    let count = |about: &dyn Fn(&Brief) -> bool, breaks: &dyn Fn(&Brief) -> bool| {
        let about: Vec<&Brief> = runs.iter().filter(|run| about(run)).collect();
        let broken = about.iter().filter(|run| breaks(run)).count();
        (broken as u64, about.len() as u64)
    };
    let later = |at: Option<f64>, than: f64| at.is_none_or(|at| at > than);
    let ((broken, of), most) = match target {
        Target::FalseRollback { most, .. } => (count(&|_| true, &rolled_back), most),
        Target::MissedRegression { most, .. } => (count(&|_| true, &|run| !rolled_back(run)), most),
        Target::DoneIn { within, .. } => {
            let within = within.as_secs_f64();
            let late = |run: &Brief| later(promoted_at(run), within);
            (count(&|run| !rolled_back(run), &late), BEYOND)
        }
        Target::DetectedIn { within, .. } => {
            let within = within.as_secs_f64();
            let late = |run: &Brief| later(rolled_back_at(run), within);
            (count(&rolled_back, &late), BEYOND)
        }
        Target::FailedRequests { most, .. } => {
            (count(&|_| true, &|run| run.requests.failed > most), BEYOND)
        }
        Target::ErrorBudget { most, .. } => {
            let above = |run: &Brief| budget(run, objective).is_some_and(|used| used > most);
            (count(&|_| true, &above), BEYOND)
        }
    };
    (broken, of, most)
}

fn rolled_back_at(run: &Brief) -> Option<f64> {
    let decided = run.decided_at.map(Timestamp::as_secs_f64);
    decided.filter(|_| run.outcome == Outcome::RolledBack)
}

fn promoted_at(run: &Brief) -> Option<f64> {
    let finished = run.finished_at.map(Timestamp::as_secs_f64);
    finished.filter(|_| run.outcome == Outcome::Promoted)
}

fn budget(run: &Brief, objective: Objective) -> Option<f64> {
    forecast::budget_of(run.requests, run.lasted, objective)
}

fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    Some(spread(values)?.p50)
}

fn spread(values: impl Iterator<Item = f64>) -> Option<Spread> {
    let spread = forecast::Spread::of(values)?;
    let at = |q: f64| QUANTILES.iter().position(|known| *known == q);
    let p95 = spread.quantiles[at(0.95)?];
    Some(Spread {
        mean: spread.mean,
        p50: spread.median(),
        p95: p95.value,
        p95_hi: p95.hi,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::RequestTotals;
    use crate::time::Span;

    const OBJECTIVE: Objective = Objective {
        failures_per_million: 1000,
        period: Span::from_secs(1000),
    };

    fn run(outcome: Outcome, at_s: i64, failed: u64) -> Brief {
        Brief {
            outcome,
            decided_at: Some(Timestamp::from_secs(at_s)),
            finished_at: Some(Timestamp::from_secs(at_s + 30)),
            requests: RequestTotals {
                total: 1000,
                failed,
                canary: 0,
                canary_failed: 0,
            },
            lasted: Span::from_secs(100),
        }
    }

    #[test]
    fn merits_are_those_of_the_worst_release_of_a_kind() {
        let (promoted, back) = (Outcome::Promoted, Outcome::RolledBack);
        let trials = vec![
            vec![run(promoted, 100, 0), run(promoted, 120, 0)],
            vec![run(promoted, 200, 0), run(back, 60, 2)],
            vec![run(back, 60, 10), run(back, 90, 30)],
        ];
        let kinds = [Kind::Good, Kind::Good, Kind::Bad];
        let merits = merits(&kinds, &trials, OBJECTIVE);
        assert_eq!(
            (merits.false_rollback, merits.missed_regression),
            (0.5, 0.0)
        );
        assert_eq!(merits.rollout_s, Some(230.0));
        assert_eq!(merits.detection_s, Some(60.0));
        assert_eq!(merits.failed_requests, 20.0);
        // 10 requests a second for 1000 s, of which a thousandth may fail: 10; 20 of them is twice that.
        assert!((merits.error_budget - 2.0).abs() < 1e-12);
    }

    #[test]
    fn a_target_is_met_where_the_upper_end_meets_it() {
        let target = Target::MissedRegression {
            release: 0,
            most: 0.05,
        };
        let of = |missed: usize, all: usize| {
            let missed = vec![run(Outcome::Promoted, 90, 0); missed];
            let back = vec![run(Outcome::RolledBack, 90, 0); all - missed.len()];
            verdict(target, &vec![[missed, back].concat()], OBJECTIVE)
        };
        // Wilson's upper end for 0 of n is z² / (n + z²): 5 % at n = 73.
        assert!(!of(0, 72).met);
        assert!(of(0, 73).met);
        assert!(!of(40, 1000).met && of(40, 1000).p < 0.05);
        assert!(of(30, 1000).met);
    }

    #[test]
    fn times_are_asked_only_of_the_runs_they_are_about() {
        let within = Span::from_secs(100);
        let trials = vec![vec![
            run(Outcome::Promoted, 60, 0),
            run(Outcome::Promoted, 90, 0),
            run(Outcome::RolledBack, 200, 0),
            run(Outcome::Undecided, 0, 0),
        ]];
        let done = verdict(Target::DoneIn { release: 0, within }, &trials, OBJECTIVE);
        // 0:90 + 30 s is too late, undecided never comes; the rollback is another target's.
        assert_eq!((done.count, done.of), (2, 3));
        let detected = verdict(
            Target::DetectedIn { release: 0, within },
            &trials,
            OBJECTIVE,
        );
        assert_eq!((detected.count, detected.of), (1, 1));
    }

    #[test]
    fn chances_are_those_of_a_beta_distribution() {
        let of = |count, of, most| Verdict {
            count,
            of,
            p: 0.0,
            lo: 0.0,
            hi: 0.0,
            most,
            met: false,
        };
        // Beta(1, 11) at 0.1: 1 - 0.9^11.
        assert!((chance(&of(0, 10, 0.1)) - 0.686_189_403_9).abs() < 1e-9);
        // Beta(1, 1) is uniform.
        assert!((chance(&of(0, 0, 0.3)) - 0.3).abs() < 1e-12);
        assert!(chance(&of(5, 10, 0.1)) < 1e-3);
    }

    #[test]
    fn dominance_needs_a_difference() {
        let merits = Merits {
            false_rollback: 0.1,
            rollout_s: Some(100.0),
            ..Merits::default()
        };
        let never = Merits {
            rollout_s: None,
            ..merits
        };
        assert!(!dominates(&merits, &merits));
        assert!(dominates(&merits, &never));
        assert!(!dominates(&never, &merits));
    }
}
