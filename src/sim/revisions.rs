//! Which version of the workload runs behind a pod template.
//!
//! A scenario names versions; a cluster knows templates only. Pushing a version writes its template into the target
//! Deployment; whoever copies that template (Flagger, into the primary) carries the version along. A template is told by
//! its image and by the environment variables that versions set.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::pods::Revision;
use crate::k8s::PodTemplate;
use crate::scenario::Scenario;

/// The variable that makes the load-harness fail requests.
pub(super) const FAIL_RATE: &str = "FAIL_RATE";

/// The versions of a scenario and their templates.
#[derive(Clone, Debug)]
pub(super) struct Revisions {
    /// In the order of the scenario's version names.
    known: Arc<[Known]>,
    /// Variables that tell versions apart.
    variables: Arc<BTreeSet<String>>,
    /// ReplicaSets that were asked about.
    met: Vec<(Arc<Revision>, Behind)>,
}

/// What the pods of a ReplicaSet run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Behind {
    /// Number of the version, counted in the order of version names; the first where none fits.
    pub(super) version: usize,
    /// Share of requests that the template's `FAIL_RATE` makes fail; what does not read as a share from 0 to 1 fails none.
    pub(super) fail_rate: f64,
}

#[derive(Clone, Debug)]
struct Known {
    name: String,
    template: PodTemplate,
}

impl Revisions {
    /// Makes the template of every version from the Deployment's own.
    pub(super) fn new(scenario: &Scenario) -> Self {
        let base = &scenario.manifests.deployment.spec.template;
        let mut known: Vec<Known> = Vec::new();
        // The initial version first: a later one that looks the same gets another image tag, so that a push is a change.
        let initial = scenario.versions.get_key_value(&scenario.initial_version);
        let others = scenario
            .versions
            .iter()
            .filter(|(name, _)| **name != scenario.initial_version);
        for (name, version) in initial.into_iter().chain(others) {
            let mut template = base.clone();
            if let Some(image) = &version.image {
                template.set_image(image);
            }
            for (variable, value) in &version.env {
                template.set_env(variable, value);
            }
            if known.iter().any(|other| other.template == template) {
                let image = retagged(template.image().unwrap_or_default(), name);
                template.set_image(&image);
            }
            known.push(Known {
                name: name.clone(),
                template,
            });
        }
        known.sort_by(|a, b| a.name.cmp(&b.name));
        let variables = scenario
            .versions
            .values()
            .flat_map(|version| version.env.keys().cloned())
            .collect();
        Revisions {
            known: known.into(),
            variables: Arc::new(variables),
            met: Vec::new(),
        }
    }

    /// The template that a push of this version writes.
    pub(super) fn template(&self, version: &str) -> Option<&PodTemplate> {
        self.known
            .iter()
            .find(|known| known.name == version)
            .map(|known| &known.template)
    }

    /// What runs behind a ReplicaSet's template.
    pub(super) fn behind(&mut self, revision: &Arc<Revision>) -> Behind {
        let mut met = self.met.iter();
        if let Some((_, behind)) = met.find(|(known, _)| Arc::ptr_eq(known, revision)) {
            return *behind;
        }
        let behind = Behind {
            version: self.version_of(&revision.template),
            fail_rate: fail_rate(&revision.template),
        };
        self.met.push((Arc::clone(revision), behind));
        behind
    }

    fn version_of(&self, template: &PodTemplate) -> usize {
        let same = |known: &Known| {
            known.template.image() == template.image()
                && self
                    .variables
                    .iter()
                    .all(|name| known.template.env(name) == template.env(name))
        };
        self.known.iter().position(same).unwrap_or(0)
    }
}

fn fail_rate(template: &PodTemplate) -> f64 {
    let given = template
        .env(FAIL_RATE)
        .and_then(|value| value.trim().parse::<f64>().ok());
    given
        .filter(|rate| (0.0..=1.0).contains(rate))
        .unwrap_or(0.0)
}

/// An image with another tag.
fn retagged(image: &str, tag: &str) -> String {
    let image = image.split_once('@').map_or(image, |(name, _digest)| name);
    // A colon before the last slash belongs to the registry's port.
    let name = match image.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => name,
        _ => image,
    };
    format!("{name}:{tag}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_tag_replaces_the_old_one_and_spares_the_registry() {
        for (image, expected) in [
            ("app", "app:v2"),
            ("app:v1", "app:v2"),
            ("localhost:5000/app", "localhost:5000/app:v2"),
            ("localhost:5000/app:v1", "localhost:5000/app:v2"),
            ("app:v1@sha256:00", "app:v2"),
        ] {
            assert_eq!(retagged(image, "v2"), expected);
        }
    }

    #[test]
    fn fail_rates_are_shares() {
        for (value, expected) in [
            ("0.3", 0.3),
            (" 1 ", 1.0),
            ("0.0", 0.0),
            ("30%", 0.0),
            ("1.5", 0.0),
            ("NaN", 0.0),
        ] {
            let template = PodTemplate::from(serde_json::json!({
                "spec": { "containers": [{ "env": [{ "name": "FAIL_RATE", "value": value }] }] }
            }));
            assert_eq!(fail_rate(&template), expected, "{value}");
        }
    }
}
