//! Which settings would do better: candidates from a space of settings, each rolled out with good releases and with bad ones.
//!
//! [`space`] reads what is varied, [`design`] chooses the candidates, [`trial`] runs them side by side, [`score`] says what
//! the runs come to, [`search`] which candidates are worth more of them, and [`mod@patch`] writes one down. All candidates meet the same seeds (common
//! random numbers), so what differs between two of them is their settings' doing. [`Tuned`] is what a search leaves: whole,
//! so that a later `--explain` needs no run.
//!
//! What is not known here: whether the scenario is like the cluster. A recommendation is as good as the faults that the
//! space names.

pub mod design;
pub mod patch;
pub mod score;
pub mod search;
mod sensitivity;
pub mod space;
mod space_file;
pub mod trial;

pub use sensitivity::Sensitivity;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::seconds;
use crate::time::Span;

/// Version of the shape of [`Tuned`].
pub const TUNED_VERSION: u32 = 1;

/// A search and what came of it. Times (keys ending in `_s`) are seconds, shares fractions; what no run has is null.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "rollcast tune")]
pub struct Tuned {
    /// Version of this shape.
    pub tune_version: u32,
    /// Version of rollcast.
    pub rollcast_version: String,
    /// Name of the scenario.
    pub scenario: String,
    /// `<canary>.<namespace>`.
    pub canary: String,
    /// SHA-256 of what was asked: scenario, space and options.
    pub digest: String,
    /// Title of the space.
    pub title: String,
    /// How the candidates were chosen.
    pub method: String,
    /// Combinations of values in the space.
    pub combinations: u64,
    /// Seed of the first run; each other has the next one, the same for all candidates and releases.
    pub first_seed: u64,
    /// How requests were simulated.
    pub traffic: Traffic,
    /// What is set for all candidates.
    pub base: Vec<String>,
    /// What is varied.
    pub knobs: Vec<KnobValues>,
    /// What was rolled out.
    pub releases: Vec<ReleaseTried>,
    /// What is to be achieved.
    pub targets: Vec<Target>,
    /// What decides among those that achieve it.
    pub prefer: Prefer,
    /// The share of requests that must not fail, and the seconds over which that is counted, of the error budget.
    pub objective: (f64, f64),
    /// The rounds of the search, in order.
    pub rounds: Vec<Round>,
    /// All candidates, by number. Number 0 is the scenario as it stands.
    pub candidates: Vec<Candidate>,
    /// Numbers of the finalists that no other finalist beats in every respect.
    pub front: Vec<usize>,
    /// The candidate that is recommended; null where none meets the targets.
    pub recommended: Option<usize>,
    /// The recommended candidates on fresh seeds, in the order in which they were tried.
    pub confirmations: Vec<Confirmation>,
    /// How much of the difference between the candidates each knob makes.
    pub sensitivity: Vec<Sensitivity>,
    /// The recommended candidate as a patch of its objects, in YAML.
    pub patch: Option<String>,
    /// What it sets besides, which no object holds, as `--set` takes it.
    pub besides: Vec<String>,
    /// What simulates the scenario as it stands.
    pub command: String,
}

/// How requests were simulated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Traffic {
    /// `aggregate` or `requests`, in the rounds that drop candidates.
    pub screening: String,
    /// The same, in the runs of the finalists and on fresh seeds.
    pub finals: String,
    /// Why requests are followed one by one, where they have to be.
    pub reason: Option<String>,
}

/// A knob.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KnobValues {
    /// Its name.
    pub name: String,
    /// The keys it sets.
    pub keys: Vec<String>,
    /// Its values.
    pub values: Vec<String>,
}

/// A release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReleaseTried {
    /// Its name.
    pub name: String,
    /// Whether it ought to be promoted.
    pub kind: Kind,
    /// What it sets.
    pub set: Vec<String>,
}

/// Whether a release ought to be promoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// It ought to be; a rollback is a false one.
    Good,
    /// It ought to be rolled back; a promotion is a missed regression.
    Bad,
}

/// What decides among candidates that meet all targets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Prefer {
    /// The fewest failed requests of users under bad releases.
    #[default]
    FailedRequests,
    /// The shortest rollout of good releases.
    RolloutTime,
    /// The fastest detection of bad releases.
    DetectionTime,
}

/// What is to be achieved with one release (its place in the list). Times and numbers are to hold in 95 % of the runs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "target")]
pub enum Target {
    /// A good release is rolled back at most so often.
    FalseRollback {
        /// The release.
        release: usize,
        /// The share.
        most: f64,
    },
    /// A bad release is not rolled back, promoted or still undecided at the horizon, at most so often.
    MissedRegression {
        /// The release.
        release: usize,
        /// The share.
        most: f64,
    },
    /// A good release that is not rolled back has been promoted by then.
    DoneIn {
        /// The release.
        release: usize,
        /// From detection to the end of the promotion.
        #[serde(rename = "within_s", with = "seconds::span")]
        #[schemars(with = "f64")]
        within: Span,
    },
    /// A bad release that is rolled back is so by then.
    DetectedIn {
        /// The release.
        release: usize,
        /// From detection of the revision to the decision.
        #[serde(rename = "within_s", with = "seconds::span")]
        #[schemars(with = "f64")]
        within: Span,
    },
    /// Users get at most so many failed requests under a bad release.
    FailedRequests {
        /// The release.
        release: usize,
        /// The number.
        most: u64,
    },
    /// A bad release uses up at most this share of the error budget.
    ErrorBudget {
        /// The release.
        release: usize,
        /// The share.
        most: f64,
    },
}

/// A round of the search.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Round {
    /// Runs that each candidate had on each release at its end.
    pub runs: u64,
    /// Candidates that took part, the scenario as it stands not counted.
    pub candidates: usize,
    /// Candidates that went on.
    pub kept: usize,
}

/// A setting of a candidate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Setting {
    /// The knob.
    pub knob: String,
    /// The keys that it sets.
    pub keys: Vec<String>,
    /// To what.
    pub value: String,
}

/// A candidate, and what is known of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Candidate {
    /// Its settings; none is the scenario as it stands.
    pub settings: Vec<Setting>,
    /// How far it got.
    pub fate: Fate,
    /// What it came to after the first round, where all candidates had the same runs.
    pub screened: Merits,
    /// What it came to in all its runs.
    pub merits: Merits,
    /// The targets, in their order.
    pub verdicts: Vec<Verdict>,
    /// Its runs, release by release.
    pub evidence: Vec<Evidence>,
}

/// How far a candidate got.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "fate")]
pub enum Fate {
    /// It was run to the end.
    Finalist,
    /// It surely misses a target.
    Hopeless {
        /// The round, from 1.
        round: usize,
        /// Which target.
        target: usize,
    },
    /// Others promised more.
    Outranked {
        /// The round, from 1.
        round: usize,
        /// Its place among those that took part, from 1.
        place: usize,
        /// How many took part.
        of: usize,
    },
}

/// What a candidate comes to, the worst release of each kind deciding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Merits {
    /// Share of the runs of a good release that were rolled back.
    pub false_rollback: f64,
    /// Share of the runs of a bad release that were not.
    pub missed_regression: f64,
    /// Mean number of failed requests under bad releases, all of them together.
    pub failed_requests: f64,
    /// Median time from detection to the end of the promotion; null where nothing was promoted.
    pub rollout_s: Option<f64>,
    /// Median time to the rollback of a bad release; null where one was never rolled back.
    pub detection_s: Option<f64>,
    /// Mean share of the error budget that bad releases used up, all of them together.
    pub error_budget: f64,
}

/// A target held against a candidate's runs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// Runs that break it.
    pub count: u64,
    /// Of how many.
    pub of: u64,
    /// Their share.
    pub p: f64,
    /// Lower end of its 95 % interval (Wilson's).
    pub lo: f64,
    /// Upper end.
    pub hi: f64,
    /// The share that is allowed.
    pub most: f64,
    /// Whether the upper end meets it.
    pub met: bool,
}

/// Runs of one candidate with one release.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// Runs.
    pub runs: u64,
    /// Of these, promoted.
    pub promoted: u64,
    /// Of these, rolled back.
    pub rolled_back: u64,
    /// Time to the rollback.
    pub rolled_back_s: Option<Spread>,
    /// Time to the end of the promotion.
    pub promoted_s: Option<Spread>,
    /// Failed requests of users, from the detection until it was over.
    pub failed_requests: Option<Spread>,
    /// Share of the error budget that a run used up.
    pub error_budget: Option<Spread>,
}

/// A number of each run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Spread {
    /// Mean.
    pub mean: f64,
    /// Half are at most this.
    pub p50: f64,
    /// 95 % are at most this.
    pub p95: f64,
    /// Upper end of the 95 % interval of that quantile; null where there are too few runs for one.
    pub p95_hi: Option<f64>,
}

/// A candidate on fresh seeds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Confirmation {
    /// Its number.
    pub candidate: usize,
    /// Seed of its first run.
    pub first_seed: u64,
    /// Runs on each release.
    pub runs: u64,
    /// The targets, in their order.
    pub verdicts: Vec<Verdict>,
    /// Its runs, release by release.
    pub evidence: Vec<Evidence>,
}

impl Target {
    /// The release it is of.
    pub fn release(self) -> usize {
        match self {
            Target::FalseRollback { release, .. }
            | Target::MissedRegression { release, .. }
            | Target::DoneIn { release, .. }
            | Target::DetectedIn { release, .. }
            | Target::FailedRequests { release, .. }
            | Target::ErrorBudget { release, .. } => release,
        }
    }
}

impl Confirmation {
    /// Whether all targets were met again.
    pub fn holds(&self) -> bool {
        self.verdicts.iter().all(|verdict| verdict.met)
    }
}

impl Candidate {
    /// Whether it was run to the end.
    pub fn is_finalist(&self) -> bool {
        self.fate == Fate::Finalist
    }

    /// Whether it meets all targets.
    pub fn meets_all(&self) -> bool {
        self.verdicts.iter().all(|verdict| verdict.met)
    }
}
