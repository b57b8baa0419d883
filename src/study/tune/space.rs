//! A space: which settings are tried, on which releases, and what they are to achieve.

use serde::Deserialize;

use crate::diagnostic::{Diagnostic, Place, nearest};
use crate::scenario::Override;
use crate::study::forecast::Objective;

pub use super::space_file::read;
use super::{Kind, Prefer, Setting, Target};

/// A space file, read and checked.
#[derive(Clone, Debug)]
pub struct Space {
    /// One line for people; may be empty.
    pub title: String,
    /// Laid over the scenario for every candidate.
    pub base: Vec<Assigned>,
    /// How candidates are chosen.
    pub method: Method,
    /// How many of them, where the method does not say.
    pub candidates: u64,
    /// What a Latin hypercube is drawn from.
    pub seed: u64,
    /// How much is run.
    pub effort: Effort,
    /// What is varied.
    pub knobs: Vec<Knob>,
    /// What is rolled out.
    pub releases: Vec<Release>,
    /// What is to be achieved.
    pub targets: Vec<Target>,
    /// What decides among those that achieve it.
    pub prefer: Prefer,
    /// What the error budget is counted against.
    pub objective: Objective,
    /// Where the knobs are written.
    pub place: Place,
}

/// How much is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort {
    /// Of each candidate on each release in the first round.
    pub first_runs: u64,
    /// Of each finalist on each release.
    pub runs: u64,
    /// Candidates that are run so often.
    pub finalists: usize,
    /// Of the recommended candidate on each release, on seeds that chose nothing.
    pub confirm: u64,
}

/// How candidates are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Every combination of values.
    Grid,
    /// A sample of them in which every value of every knob is equally frequent.
    LatinHypercube,
}

/// A setting that is varied.
#[derive(Clone, Debug)]
pub struct Knob {
    /// What it is called.
    pub name: String,
    /// Keys of the scenario that get its value.
    pub keys: Vec<String>,
    /// The values, as `--set` takes them, and as people read them.
    pub values: Vec<Assigned>,
}

/// A release that is rolled out under every candidate.
#[derive(Clone, Debug)]
pub struct Release {
    /// What it is called.
    pub name: String,
    /// Whether it ought to be promoted.
    pub kind: Kind,
    /// Laid over the scenario.
    pub set: Vec<Assigned>,
}

/// A value that is set, and where it is written.
#[derive(Clone, Debug)]
pub struct Assigned {
    /// The key; empty in a knob's value, whose keys are the knob's.
    pub key: String,
    /// As `--set` takes it.
    pub value: String,
    /// As people read it.
    pub shown: String,
    /// Where it is written.
    pub place: Place,
}

impl Space {
    /// Combinations of values.
    pub fn combinations(&self) -> u64 {
        let sizes = self.knobs.iter().map(|knob| knob.values.len() as u64);
        sizes.fold(1, u64::saturating_mul)
    }

    /// What a candidate's values are, knob by knob.
    pub fn settings(&self, levels: &[usize]) -> Vec<Setting> {
        let chosen = self.knobs.iter().zip(levels);
        chosen
            .map(|(knob, level)| Setting {
                knob: knob.name.clone(),
                keys: knob.keys.clone(),
                value: knob.values[*level].shown.clone(),
            })
            .collect()
    }

    /// What is set over the scenario for a candidate and a release, in order. Levels of the scenario as it stands: none.
    pub fn assigned(&self, levels: &[usize], release: &Release) -> Vec<Assigned> {
        let knobs = self.knobs.iter().zip(levels).flat_map(|(knob, level)| {
            let value = &knob.values[*level];
            knob.keys.iter().map(|key| Assigned {
                key: key.clone(),
                ..value.clone()
            })
        });
        let all = self.base.iter().cloned().chain(knobs);
        all.chain(release.set.iter().cloned()).collect()
    }
}

impl Assigned {
    /// As the scenario takes it.
    pub fn as_override(&self) -> Override {
        Override {
            key: self.key.clone(),
            value: self.value.clone(),
        }
    }
}

/// A mistake in a scenario that was made of a space, told at the place of the space file that made it, where one did.
pub fn told_in_space(
    diagnostic: Diagnostic,
    assigned: &[Assigned],
    who: &str,
    space: &Space,
) -> Diagnostic {
    let guilty = diagnostic.place.as_ref().and_then(|(source, _)| {
        let by = |one: &&Assigned| source.text == format!("{}={}", one.key, one.value);
        assigned.iter().rev().find(by)
    });
    if let Some(guilty) = guilty {
        let told = Diagnostic {
            message: format!("{}, set as `{}`", diagnostic.message, guilty.key),
            ..diagnostic
        };
        return told.at_place(&guilty.place);
    }
    let set: Vec<String> = assigned
        .iter()
        .map(|one| format!("{}={}", one.key, one.shown))
        .collect();
    let mut told = Diagnostic::new(format!(
        "{who} cannot be simulated: {} (set: {})",
        diagnostic.message,
        set.join(", ")
    ))
    .at_place(&space.place);
    told.help = Some(diagnostic.help.unwrap_or_else(|| {
        "take the value that makes it so out of its knob, or set what it needs under `set`"
            .to_owned()
    }));
    told
}

/// The knob of this name, or who it might have been.
pub fn knob(space: &Space, name: &str) -> Result<usize, String> {
    let names: Vec<&str> = space.knobs.iter().map(|knob| &*knob.name).collect();
    if let Some(at) = names.iter().position(|known| *known == name) {
        return Ok(at);
    }
    Err(match nearest::nearest(name, names.iter().copied()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("the knobs are {}", nearest::listed(&names)),
    })
}
