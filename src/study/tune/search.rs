//! Successive halving (Karnin, Koren and Somekh 2013; Jamieson and Talwalkar 2016): all candidates get a few runs, the better
//! half of them twice as many, and so on; the finalists get all. What surely misses a target (the lower end of its interval
//! is above it) is dropped at once.
//!
//! Better is what is more likely to meet all targets, and among candidates of like likelihood what is preferred. The
//! recommendation is made of the finalists' runs, and then held against seeds that had no part in choosing it.

use std::ops::Range;

use super::score::{self, Trials};
use super::sensitivity::{Sensitivity, sensitivity};
use super::space::Effort;
use super::{Candidate, Confirmation, Fate, Kind, Merits, Prefer, Round, Setting, Target, Verdict};
use crate::study::forecast::Objective;

/// Distance of fresh seeds from the first, for each attempt to confirm a recommendation.
const FRESH: u64 = 1 << 32;
/// Attempts at the most.
const ATTEMPTS: usize = 3;
/// Chances of one class, as shares of the best: within a class the preference decides.
const CLASSES: [f64; 3] = [0.5, 0.1, 0.01];

/// Up to this times the best, a preferred merit is as good as the best.
const LIKE: f64 = 1.05;

/// Runs candidates.
pub trait Bench {
    /// Why it could not.
    type Error;

    /// Runs of these candidates with every release, on the seeds of these indices: by candidate, then release, then index.
    fn trials(
        &mut self,
        stage: Stage,
        candidates: &[usize],
        indices: Range<u64>,
    ) -> Result<Vec<Trials>, Self::Error>;
}

/// What runs are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// To drop candidates.
    Screening,
    /// To judge those that are left.
    Finals,
}

/// What is asked.
#[derive(Clone, Debug)]
pub struct Question<'a> {
    /// By release, whether it ought to be promoted.
    pub kinds: &'a [Kind],
    /// What is to be achieved.
    pub targets: &'a [Target],
    /// What decides among candidates that achieve it.
    pub prefer: Prefer,
    /// What the error budget is counted against.
    pub objective: Objective,
    /// How much is run.
    pub effort: Effort,
    /// By candidate, its settings; that of number 0, the scenario as it stands, has none.
    pub settings: &'a [Vec<Setting>],
    /// By candidate, the place of its value in each knob.
    pub levels: &'a [Vec<usize>],
    /// Names of the knobs.
    pub knobs: &'a [String],
    /// Whether the screening's runs are as good as those of the finals.
    pub one_stage: bool,
    /// Seed of the run of index 0.
    pub first_seed: u64,
}

/// What was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// The rounds, in order.
    pub rounds: Vec<Round>,
    /// All candidates.
    pub candidates: Vec<Candidate>,
    /// Finalists that no other finalist beats in every respect.
    pub front: Vec<usize>,
    /// The candidate that is recommended.
    pub recommended: Option<usize>,
    /// Attempts to confirm a recommendation.
    pub confirmations: Vec<Confirmation>,
    /// What the knobs do.
    pub sensitivity: Vec<Sensitivity>,
}

/// Searches.
pub fn search<B: Bench>(question: &Question<'_>, bench: &mut B) -> Result<Found, B::Error> {
    let count = question.settings.len();
    let mut state = State {
        question,
        trials: vec![vec![Vec::new(); question.kinds.len()]; count],
        fates: vec![Fate::Finalist; count],
        rounds: Vec::new(),
    };
    let effort = question.effort;
    let mut alive: Vec<usize> = (1..count).collect();
    let mut runs = effort.first_runs;
    let everybody: Vec<usize> = (0..count).collect();
    state.run(bench, Stage::Screening, &everybody, 0..runs)?;
    let screened: Vec<Merits> = everybody.iter().map(|one| state.merits(*one)).collect();
    while alive.len() > effort.finalists && runs < effort.runs {
        let took_part = alive.len();
        alive = state.halve(&alive);
        state.rounds.push(Round {
            runs,
            candidates: took_part,
            kept: alive.len(),
        });
        if alive.len() > effort.finalists {
            let next = (2 * runs).min(effort.runs);
            state.run(bench, Stage::Screening, &alive, runs..next)?;
            runs = next;
        }
    }
    let finalists: Vec<usize> = std::iter::once(0).chain(alive).collect();
    state.finals(bench, &finalists)?;
    state.rounds.push(Round {
        runs: effort.runs,
        candidates: finalists.len() - 1,
        kept: finalists.len() - 1,
    });

    let front = state.front(&finalists);
    let (recommended, confirmations) = state.recommend(bench, &finalists)?;
    let points = |knob: usize| {
        let candidates = (1..count).map(|one| (question.levels[one][knob], screened[one]));
        candidates.collect::<Vec<_>>()
    };
    let knobs = question.knobs.iter().enumerate();
    let sensitivity = knobs.map(|(at, name)| sensitivity(name, &points(at)));
    Ok(Found {
        sensitivity: sensitivity.collect(),
        candidates: state.candidates(&screened),
        rounds: state.rounds,
        front,
        recommended,
        confirmations,
    })
}

struct State<'a> {
    question: &'a Question<'a>,
    trials: Vec<Trials>,
    fates: Vec<Fate>,
    rounds: Vec<Round>,
}

impl State<'_> {
    fn run<B: Bench>(
        &mut self,
        bench: &mut B,
        stage: Stage,
        candidates: &[usize],
        indices: Range<u64>,
    ) -> Result<(), B::Error> {
        let found = bench.trials(stage, candidates, indices)?;
        for (candidate, trials) in candidates.iter().zip(found) {
            for (known, more) in self.trials[*candidate].iter_mut().zip(trials) {
                known.extend(more);
            }
        }
        Ok(())
    }

    /// Gives the finalists all their runs.
    fn finals<B: Bench>(&mut self, bench: &mut B, finalists: &[usize]) -> Result<(), B::Error> {
        if !self.question.one_stage {
            for finalist in finalists {
                self.trials[*finalist].iter_mut().for_each(Vec::clear);
            }
        }
        // Candidates that have equally many runs go together.
        let all = self.question.effort.runs;
        let done = |state: &Self, one: usize| state.trials[one][0].len() as u64;
        let mut counts: Vec<u64> = finalists.iter().map(|one| done(self, *one)).collect();
        counts.sort_unstable();
        counts.dedup();
        for (at, count) in counts.iter().enumerate() {
            let upto = counts.get(at + 1).copied().unwrap_or(all);
            let behind = finalists.iter().copied();
            let behind: Vec<usize> = behind.filter(|one| done(self, *one) == *count).collect();
            self.run(bench, Stage::Finals, &behind, *count..upto)?;
        }
        Ok(())
    }

    /// The better half of the candidates, at least as many as there are to be finalists; writes down what became of the
    /// others.
    fn halve(&mut self, alive: &[usize]) -> Vec<usize> {
        let round = self.rounds.len() + 1;
        let least = self.question.effort.finalists;
        let ranked = self.ranked(alive);
        let keep = least.max(alive.len().div_ceil(2));
        let hopeless = |one: &usize| self.hopeless(*one);
        let mut kept: Vec<usize> = ranked
            .iter()
            .copied()
            .filter(|one| hopeless(one).is_none())
            .collect();
        kept.truncate(keep);
        // Where next to nothing can meet the targets, what comes nearest is still worth knowing.
        let nearest = ranked.iter().copied().filter(|one| hopeless(one).is_some());
        let missing = least.min(2).saturating_sub(kept.len());
        kept.extend(nearest.take(missing));
        for (place, one) in ranked.iter().enumerate() {
            if kept.contains(one) {
                continue;
            }
            self.fates[*one] = match self.hopeless(*one) {
                Some(target) => Fate::Hopeless { round, target },
                None => Fate::Outranked {
                    round,
                    place: place + 1,
                    of: ranked.len(),
                },
            };
        }
        kept.sort_unstable();
        kept
    }

    /// The target that a candidate surely misses, if it does.
    fn hopeless(&self, candidate: usize) -> Option<usize> {
        let verdicts = self.verdicts(candidate);
        verdicts
            .iter()
            .position(|verdict| verdict.lo > verdict.most)
    }

    /// Candidates in the order in which they promise to meet the targets.
    fn ranked(&self, candidates: &[usize]) -> Vec<usize> {
        let chance = |one: usize| -> f64 { self.verdicts(one).iter().map(score::chance).product() };
        let chances: Vec<(usize, f64)> =
            candidates.iter().map(|one| (*one, chance(*one))).collect();
        let best = chances
            .iter()
            .map(|(_, chance)| *chance)
            .fold(0.0, f64::max);
        let mut ranked: Vec<(usize, f64, [f64; 2], usize)> = chances
            .into_iter()
            .map(|(one, chance)| {
                let class = CLASSES.iter().position(|share| chance >= share * best);
                let class = class.unwrap_or(CLASSES.len());
                // Beyond the last class chances differ by orders of magnitude.
                let chance = if class == CLASSES.len() { -chance } else { 0.0 };
                let preferred = score::preferred(self.question.prefer, &self.merits(one));
                (class, chance, preferred, one)
            })
            .collect();
        ranked.sort_by(|a, b| {
            (a.0.cmp(&b.0))
                .then(a.1.total_cmp(&b.1))
                .then(a.2[0].total_cmp(&b.2[0]))
                .then(a.2[1].total_cmp(&b.2[1]))
                .then(a.3.cmp(&b.3))
        });
        ranked.into_iter().map(|(.., one)| one).collect()
    }

    fn front(&self, finalists: &[usize]) -> Vec<usize> {
        let merits: Vec<Merits> = finalists.iter().map(|one| self.merits(*one)).collect();
        let beaten = |of: &Merits| merits.iter().any(|other| score::dominates(other, of));
        let both = finalists.iter().zip(&merits);
        let unbeaten = both.filter(|(_, merits)| !beaten(merits));
        unbeaten.map(|(one, _)| *one).collect()
    }

    /// The preferred finalist that meets all targets, and again on fresh seeds.
    fn recommend<B: Bench>(
        &self,
        bench: &mut B,
        finalists: &[usize],
    ) -> Result<(Option<usize>, Vec<Confirmation>), B::Error> {
        let question = self.question;
        if question.targets.is_empty() {
            return Ok((None, Vec::new()));
        }
        let meets = |one: &usize| self.verdicts(*one).iter().all(|verdict| verdict.met);
        let able = finalists.iter().copied().filter(meets);
        let able = able.map(|one| (score::preferred(question.prefer, &self.merits(one)), one));
        let able = by_preference(able.collect());
        let runs = question.effort.confirm;
        if runs == 0 {
            return Ok((able.first().copied(), Vec::new()));
        }
        let mut confirmations = Vec::new();
        for (attempt, candidate) in able.into_iter().take(ATTEMPTS).enumerate() {
            let first = FRESH * (attempt as u64 + 1);
            let trials = bench.trials(Stage::Finals, &[candidate], first..first + runs)?;
            let trials = &trials[0];
            let confirmation = Confirmation {
                candidate,
                first_seed: question.first_seed.wrapping_add(first),
                runs,
                verdicts: verdicts(question, trials),
                evidence: evidence(question, trials),
            };
            let holds = confirmation.holds();
            confirmations.push(confirmation);
            if holds {
                return Ok((Some(candidate), confirmations));
            }
        }
        Ok((None, confirmations))
    }

    fn candidates(&self, screened: &[Merits]) -> Vec<Candidate> {
        (self.question.settings.iter().enumerate())
            .map(|(number, settings)| Candidate {
                settings: settings.clone(),
                fate: self.fates[number].clone(),
                screened: screened[number],
                merits: self.merits(number),
                verdicts: self.verdicts(number),
                evidence: evidence(self.question, &self.trials[number]),
            })
            .collect()
    }

    fn merits(&self, candidate: usize) -> Merits {
        let question = self.question;
        score::merits(question.kinds, &self.trials[candidate], question.objective)
    }

    fn verdicts(&self, candidate: usize) -> Vec<Verdict> {
        verdicts(self.question, &self.trials[candidate])
    }
}

/// Candidates in the order in which they are preferred. What lies within [`LIKE`] of the best is as good, and the second
/// merit decides: differences of that size are chance, or nobody's concern.
fn by_preference(mut candidates: Vec<([f64; 2], usize)>) -> Vec<usize> {
    let mut order = Vec::new();
    candidates.sort_by_key(|(_, number)| *number);
    while !candidates.is_empty() {
        let best = candidates.iter().map(|(merits, _)| merits[0]);
        let best = best.fold(f64::INFINITY, f64::min);
        let like = |merits: &[f64; 2]| merits[0] <= best * LIKE;
        let chosen = candidates
            .iter()
            .enumerate()
            .filter(|(_, (merits, _))| like(merits))
            .min_by(|(_, (a, _)), (_, (b, _))| a[1].total_cmp(&b[1]))
            .map_or(0, |(at, _)| at);
        order.push(candidates.remove(chosen).1);
    }
    order
}

fn verdicts(question: &Question<'_>, trials: &Trials) -> Vec<Verdict> {
    let targets = question.targets.iter();
    targets
        .map(|target| score::verdict(*target, trials, question.objective))
        .collect()
}

fn evidence(question: &Question<'_>, trials: &Trials) -> Vec<super::Evidence> {
    let releases = trials.iter();
    releases
        .map(|runs| score::evidence(runs, question.objective))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Outcome, RequestTotals};
    use crate::sim::Brief;
    use crate::time::{Span, Timestamp};

    /// Candidates that roll back with known probabilities, whatever is run of them counted.
    struct Laws {
        /// By candidate: of the good release, and of the bad one; seconds to the end.
        of: Vec<(f64, f64, i64)>,
        runs: u64,
    }

    impl Bench for Laws {
        type Error = std::convert::Infallible;

        fn trials(
            &mut self,
            _: Stage,
            candidates: &[usize],
            indices: Range<u64>,
        ) -> Result<Vec<Trials>, Self::Error> {
            self.runs += candidates.len() as u64 * (indices.end - indices.start) * 2;
            let run = |share: f64, seconds: i64, index: u64| {
                // A low-discrepancy sequence: shares come out as they are.
                let draw = (index as f64 * 0.618_033_988_749_894_9).fract();
                let outcome = if draw < share {
                    Outcome::RolledBack
                } else {
                    Outcome::Promoted
                };
                Brief {
                    outcome,
                    decided_at: Some(Timestamp::from_secs(seconds)),
                    finished_at: Some(Timestamp::from_secs(seconds)),
                    requests: RequestTotals {
                        total: 10_000,
                        failed: seconds as u64,
                        ..RequestTotals::default()
                    },
                    lasted: Span::from_secs(seconds),
                }
            };
            let of = |candidate: &usize| {
                let (good, bad, seconds) = self.of[*candidate];
                let runs = |share: f64| {
                    let indices = indices.clone();
                    indices.map(|index| run(share, seconds, index)).collect()
                };
                vec![runs(good), runs(bad)]
            };
            Ok(candidates.iter().map(of).collect())
        }
    }

    fn found(of: Vec<(f64, f64, i64)>) -> (Found, u64) {
        let settings = vec![Vec::new(); of.len()];
        let levels: Vec<Vec<usize>> = (0..of.len()).map(|one| vec![one % 3]).collect();
        let question = Question {
            kinds: &[Kind::Good, Kind::Bad],
            targets: &[
                Target::FalseRollback {
                    release: 0,
                    most: 0.01,
                },
                Target::MissedRegression {
                    release: 1,
                    most: 0.05,
                },
            ],
            prefer: Prefer::FailedRequests,
            objective: Objective {
                failures_per_million: 1000,
                period: Span::from_secs(1000),
            },
            effort: Effort {
                first_runs: 20,
                runs: 2000,
                finalists: 4,
                confirm: 2000,
            },
            settings: &settings,
            levels: &levels,
            knobs: &["a".to_owned()],
            one_stage: true,
            first_seed: 1,
        };
        let mut laws = Laws { of, runs: 0 };
        let Ok(found) = search(&question, &mut laws);
        (found, laws.runs)
    }

    #[test]
    fn the_best_of_many_is_found_at_a_fraction_of_the_runs() {
        // Number 0 false alarms; of the others, one in ten is sound, and number 37 the fastest of these.
        let mut of: Vec<(f64, f64, i64)> = (0..=60)
            .map(|one| match one % 10 {
                7 => (0.002, 0.99, 300 + one),
                3 => (0.001, 0.6, 100),
                _ => (0.3, 1.0, 60 + one),
            })
            .collect();
        of[37].2 = 200;
        let (found, runs) = found(of);
        assert_eq!(found.recommended, Some(37));
        assert!(found.front.contains(&37));
        assert!(found.confirmations[0].holds());
        // 61 candidates with 2,000 runs on two releases would be 244,000.
        assert!(runs < 40_000, "{runs}");
        for (number, candidate) in found.candidates.iter().enumerate().skip(1) {
            let right = match number % 10 {
                7 => candidate.is_finalist() || matches!(candidate.fate, Fate::Outranked { .. }),
                _ => matches!(candidate.fate, Fate::Hopeless { round: 1, .. }),
            };
            assert!(right, "{number}: {:?}", candidate.fate);
        }
    }

    #[test]
    fn a_difference_of_nothing_does_not_decide() {
        let candidates = vec![
            ([103.0, 900.0], 1),
            ([105.0, 300.0], 2),
            ([100.0, 600.0], 3),
        ];
        assert_eq!(by_preference(candidates), [2, 3, 1]);
        assert_eq!(
            by_preference(vec![([0.0, 2.0], 1), ([0.0, 1.0], 2)]),
            [2, 1]
        );
    }

    #[test]
    fn where_nothing_can_meet_the_targets_the_nearest_are_still_run() {
        let (found, _) = found(vec![(0.3, 0.5, 60); 20]);
        assert_eq!(found.recommended, None);
        let finalists = found.candidates.iter().filter(|one| one.is_finalist());
        assert_eq!(finalists.count(), 3);
        assert!(found.confirmations.is_empty());
    }
}
