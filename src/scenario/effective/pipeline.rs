//! `[pipeline]`: what each stage from a commit to the cluster takes.

use super::Reading;
use crate::diagnostic::Diagnostic;
use crate::scenario::model::{Distribution, Pipeline, Stage};
use crate::scenario::schema::{DistributionKeys, File, StageKeys};
use crate::time::Span;

const BUILD: Stage = Stage::Takes(Distribution::Lognormal {
    median_ns: 180_000_000_000,
    sigma: 0.3,
});
const LOOP: Stage = Stage::Every(Span::from_secs(60));
const REACTION: Stage = Stage::Takes(Distribution::Uniform {
    min_ns: 1_000_000_000,
    max_ns: 5_000_000_000,
});

impl Reading<'_> {
    /// The pipeline, where the scenario has one.
    pub(super) fn pipeline(&mut self, file: &File) -> Result<Option<Pipeline>, Diagnostic> {
        let Some(keys) = &file.pipeline else {
            return Ok(None);
        };
        let mut unsaid = Vec::new();
        let mut stage =
            |key: &'static str, keys: &Option<StageKeys>, default: Stage, what: &str| match keys {
                Some(keys) => self.stage(key, keys),
                None => {
                    unsaid.push(format!("{what} (`pipeline.{key}`)"));
                    Ok(default)
                }
            };
        let pipeline = Pipeline {
            build: stage(
                "build",
                &keys.build,
                BUILD,
                "CI builds for 3m (median; lognormal, sigma 0.3)",
            )?,
            image_scan: stage(
                "image_scan",
                &keys.image_scan,
                LOOP,
                "Flux scans for images every 1m",
            )?,
            image_automation: stage(
                "image_automation",
                &keys.image_automation,
                REACTION,
                "commits a new one after 1s to 5s",
            )?,
            git_poll: stage("git_poll", &keys.git_poll, LOOP, "fetches Git every 1m")?,
            kustomization: stage(
                "kustomization",
                &keys.kustomization,
                REACTION,
                "applies what it fetched after 1s to 5s",
            )?,
            reapply_interval: keys
                .reapply_interval
                .map(|_| self.period("pipeline.reapply_interval", keys.reapply_interval, 0))
                .transpose()?,
        };
        if !unsaid.is_empty() {
            self.assume(format!("From a commit on: {}.", unsaid.join(", ")));
        }
        Ok(Some(pipeline))
    }

    fn stage(&self, key: &str, keys: &StageKeys) -> Result<Stage, Diagnostic> {
        let pointer = format!("/pipeline/{key}");
        let named = format!("pipeline.{key}");
        let distribution = match keys {
            StageKeys::Constant(time) => DistributionKeys::Constant(*time),
            StageKeys::Shape(shape) => {
                let (every, distribution) = shape.as_ref().clone().split();
                match every {
                    Some(_) if distribution.is_empty() => {
                        return self
                            .period(&format!("{named}.every"), every, 0)
                            .map(Stage::Every);
                    }
                    Some(_) => {
                        return Err(self
                            .refuse(&pointer, format!("`{named}` must have exactly one shape"))
                            .help("give a time, a distribution, or `every`"));
                    }
                    None => DistributionKeys::Shape(Box::new(distribution)),
                }
            }
        };
        self.distribution(&pointer, &named, &distribution)
            .map(Stage::Takes)
    }
}
