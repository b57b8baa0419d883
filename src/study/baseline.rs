//! The baseline that `check` compares with: of each scenario, what many runs came to, and what was run. One JSON file, made
//! to be committed: no clock, no host, no folder is in it, keys are sorted, and what many scenarios share stands there once.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::scenario::configuration::Configuration;

use super::check::Story;
use super::sample::Sample;

/// Version of the file's shape.
pub const BASELINE_VERSION: u32 = 1;

/// Recorded runs of some scenarios.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Baseline {
    /// Version of rollcast that recorded them.
    pub rollcast_version: String,
    /// By the scenario's path below the baseline's folder, parts separated by `/`.
    pub scenarios: BTreeMap<String, Recorded>,
}

/// One scenario, as it was recorded.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// What was run.
    pub configuration: Configuration,
    /// What came of it.
    pub sample: Sample,
    /// The run with the first seed.
    pub story: Story,
}

/// Why a text is no baseline.
#[derive(Debug, thiserror::Error)]
pub enum BaselineError {
    /// Not JSON of this shape.
    #[error("it is no baseline of rollcast: {0}")]
    Unreadable(#[from] serde_json::Error),
    /// Written by a program that writes it in another way.
    #[error("its version is {found}, and {BASELINE_VERSION} is read")]
    Version {
        /// The version found.
        found: u32,
    },
    /// A scenario names an object that is not there.
    #[error("`{scenario}` refers to the object `{object}`, which it does not hold")]
    Missing {
        /// The scenario.
        scenario: String,
        /// The object.
        object: String,
    },
}

/// The file. An object that several scenarios have alike is kept once, under its name and a digest.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    baseline_version: u32,
    rollcast_version: String,
    objects: BTreeMap<String, BTreeMap<String, Value>>,
    scenarios: BTreeMap<String, FileEntry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileEntry {
    objects: BTreeSet<String>,
    scenario: BTreeMap<String, Value>,
    story: Story,
    runs: Sample,
}

/// The part of a configuration that is the scenario's own.
const OWN: &str = "scenario";

impl Baseline {
    /// Reads what [`to_json`](Self::to_json) wrote.
    pub fn from_json(text: &str) -> Result<Baseline, BaselineError> {
        /// The version alone, so that another shape is told as such.
        #[derive(Deserialize)]
        struct Versioned {
            baseline_version: u32,
        }
        let Versioned { baseline_version } = serde_json::from_str(text)?;
        if baseline_version != BASELINE_VERSION {
            return Err(BaselineError::Version {
                found: baseline_version,
            });
        }
        let file: File = serde_json::from_str(text)?;
        let mut scenarios = BTreeMap::new();
        for (name, entry) in file.scenarios {
            let mut parts = BTreeMap::from([(OWN.to_owned(), entry.scenario)]);
            for object in entry.objects {
                let Some(values) = file.objects.get(&object) else {
                    return Err(BaselineError::Missing {
                        scenario: name,
                        object,
                    });
                };
                let part = object.rsplit_once('#').map_or(&*object, |(part, _)| part);
                parts.insert(part.to_owned(), values.clone());
            }
            let recorded = Recorded {
                configuration: Configuration(parts),
                sample: entry.runs,
                story: entry.story,
            };
            scenarios.insert(name, recorded);
        }
        Ok(Baseline {
            rollcast_version: file.rollcast_version,
            scenarios,
        })
    }

    /// As it is committed: indented, a line break at the end.
    pub fn to_json(&self) -> serde_json::Result<String> {
        let mut objects = BTreeMap::new();
        let mut scenarios = BTreeMap::new();
        for (name, recorded) in &self.scenarios {
            let mut entry = FileEntry {
                objects: BTreeSet::new(),
                scenario: BTreeMap::new(),
                story: recorded.story.clone(),
                runs: recorded.sample.clone(),
            };
            for (part, values) in &recorded.configuration.0 {
                if part == OWN {
                    entry.scenario = values.clone();
                } else {
                    let key = format!("{part}#{}", digest(values)?);
                    objects.insert(key.clone(), values.clone());
                    entry.objects.insert(key);
                }
            }
            scenarios.insert(name.clone(), entry);
        }
        let file = File {
            baseline_version: BASELINE_VERSION,
            rollcast_version: self.rollcast_version.clone(),
            objects,
            scenarios,
        };
        let mut text = serde_json::to_string_pretty(&file)?;
        text.push('\n');
        Ok(text)
    }
}

fn digest(values: &BTreeMap<String, Value>) -> serde_json::Result<String> {
    let digest = Sha256::digest(serde_json::to_string(values)?.as_bytes());
    Ok(digest
        .iter()
        .take(4)
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn recorded(threshold: i64) -> Recorded {
        let canary = BTreeMap::from([("spec.analysis.threshold".to_owned(), json!(threshold))]);
        let own = BTreeMap::from([("traffic.rate".to_owned(), json!("200/s"))]);
        let parts = [("Canary web".to_owned(), canary), (OWN.to_owned(), own)];
        Recorded {
            configuration: Configuration(parts.into()),
            sample: Sample::default(),
            story: Story::default(),
        }
    }

    #[test]
    fn what_is_written_is_read_and_what_is_shared_stands_once() {
        let baseline = Baseline {
            rollcast_version: "0.1.0".to_owned(),
            scenarios: [("a.toml", 3), ("b.toml", 3), ("c.toml", 5)]
                .map(|(name, threshold)| (name.to_owned(), recorded(threshold)))
                .into(),
        };
        let text = baseline.to_json().unwrap();
        assert_eq!(Baseline::from_json(&text).unwrap(), baseline);
        assert_eq!(text.matches("\"spec.analysis.threshold\"").count(), 2);
        let changes = baseline.scenarios["a.toml"]
            .configuration
            .changes(&baseline.scenarios["c.toml"].configuration);
        assert_eq!(changes.len(), 1);
        assert_eq!(changes[0].path, "spec.analysis.threshold");
    }

    #[test]
    fn what_is_no_baseline_is_refused_with_the_reason() {
        for (text, said) in [
            ("{}", "baseline_version"),
            ("{\"baseline_version\": 99}", "its version is 99"),
            ("[1", "no baseline of rollcast"),
            (
                r#"{"baseline_version": 1, "rollcast_version": "0", "objects": {}, "scenarios": {"a": {"objects": ["Canary b#1"],
                "scenario": {}, "story": {"outcome": "promoted", "decided_at_ms": null, "weights": ""}, "runs": {"first_seed": 1,
                "runs": 0, "outcomes": {}, "decided_at_ms": "", "finished_at_ms": "", "failed_requests": "",
                "canary_requests": "", "latency_p99_us": ""}}}}"#,
                "`a` refers to the object `Canary b#1`",
            ),
        ] {
            let error = Baseline::from_json(text).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }
}
