//! Distributions of times, checked.

use std::sync::Arc;

use super::Reading;
use crate::diagnostic::{Diagnostic, SourceText};
use crate::scenario::model::{Distribution, Part};
use crate::scenario::schema::{
    DistributionKeys, DistributionShape, Exponential, Gamma, Lognormal, MixturePart, Uniform,
};
use crate::scenario::units::FineTime;

/// Longest time that a distribution may be centred on, in nanoseconds.
const MAX_TIME_NS: u64 = 3600 * 1_000_000_000;
/// Most recorded times of an empirical distribution.
const MAX_VALUES: usize = 10_000;
/// Most parts of a mixture.
const MAX_PARTS: usize = 20;

impl Reading<'_> {
    /// A distribution that was written at `pointer` as `key`.
    pub(super) fn distribution(
        &self,
        pointer: &str,
        key: &str,
        keys: &DistributionKeys,
    ) -> Result<Distribution, Diagnostic> {
        match keys {
            DistributionKeys::Constant(FineTime(ns)) => {
                self.within_an_hour(pointer, key, *ns)?;
                Ok(Distribution::Constant { ns: *ns })
            }
            DistributionKeys::Shape(shape) => self.shaped(pointer, key, shape),
        }
    }

    fn shaped(
        &self,
        pointer: &str,
        key: &str,
        shape: &DistributionShape,
    ) -> Result<Distribution, Diagnostic> {
        let DistributionShape {
            constant,
            lognormal,
            exponential,
            uniform,
            gamma,
            empirical,
            mixture,
        } = shape;
        let given: Vec<Result<Distribution, Diagnostic>> = [
            constant.map(|FineTime(ns)| Ok(Distribution::Constant { ns })),
            lognormal
                .as_ref()
                .map(|keys| self.lognormal(pointer, key, keys)),
            exponential
                .as_ref()
                .map(|Exponential { mean }| Ok(Distribution::Exponential { mean_ns: mean.0 })),
            uniform
                .as_ref()
                .map(|keys| self.uniform(pointer, key, keys)),
            gamma.as_ref().map(|keys| self.gamma(pointer, key, keys)),
            empirical
                .as_ref()
                .map(|path| self.empirical(pointer, key, path)),
            mixture
                .as_ref()
                .map(|parts| self.mixture(pointer, key, parts)),
        ]
        .into_iter()
        .flatten()
        .collect();
        let Ok([found]) = <[_; 1]>::try_from(given) else {
            return Err(self
                .refuse(pointer, format!("`{key}` must have exactly one shape"))
                .help("give one of `constant`, `lognormal`, `exponential`, `uniform`, `gamma`, `empirical` and `mixture`"));
        };
        let found = found?;
        let centre = match &found {
            Distribution::Constant { ns } => *ns,
            Distribution::Lognormal { median_ns, .. } => *median_ns,
            Distribution::Exponential { mean_ns } | Distribution::Gamma { mean_ns, .. } => *mean_ns,
            Distribution::Uniform { max_ns, .. } => *max_ns,
            Distribution::Empirical { values_ns } => values_ns.last().copied().unwrap_or(0),
            Distribution::Mixture { .. } => 0,
        };
        self.within_an_hour(pointer, key, centre)?;
        Ok(found)
    }

    fn within_an_hour(&self, pointer: &str, key: &str, ns: u64) -> Result<(), Diagnostic> {
        if ns <= MAX_TIME_NS {
            return Ok(());
        }
        Err(self
            .refuse(pointer, format!("`{key}` must be at most 1h"))
            .help("it is the time of one request or of one pod's start"))
    }

    fn lognormal(
        &self,
        pointer: &str,
        key: &str,
        &Lognormal { median, sigma }: &Lognormal,
    ) -> Result<Distribution, Diagnostic> {
        if (0.0..=4.0).contains(&sigma) {
            return Ok(Distribution::Lognormal {
                median_ns: median.0,
                sigma,
            });
        }
        Err(self
            .refuse(
                &format!("{pointer}/lognormal/sigma"),
                format!("`{key}.lognormal.sigma` must be from 0 to 4, not {sigma}"),
            )
            .help(
                "it is the standard deviation of the logarithm: 0.5 puts p99 at 3.2 times the median",
            ))
    }

    fn uniform(
        &self,
        pointer: &str,
        key: &str,
        Uniform { min, max }: &Uniform,
    ) -> Result<Distribution, Diagnostic> {
        if min.0 <= max.0 {
            return Ok(Distribution::Uniform {
                min_ns: min.0,
                max_ns: max.0,
            });
        }
        Err(self
            .refuse(
                &format!("{pointer}/uniform/max"),
                format!("`{key}.uniform.max` must not be below `min`"),
            )
            .help("swap them"))
    }

    fn gamma(
        &self,
        pointer: &str,
        key: &str,
        &Gamma { mean, shape }: &Gamma,
    ) -> Result<Distribution, Diagnostic> {
        if (0.1..=1000.0).contains(&shape) {
            return Ok(Distribution::Gamma {
                mean_ns: mean.0,
                shape,
            });
        }
        Err(self
            .refuse(
                &format!("{pointer}/gamma/shape"),
                format!("`{key}.gamma.shape` must be from 0.1 to 1000, not {shape}"),
            )
            .help("1 is exponential; 4 is half as spread"))
    }

    fn mixture(
        &self,
        pointer: &str,
        key: &str,
        parts: &[MixturePart],
    ) -> Result<Distribution, Diagnostic> {
        let pointer = format!("{pointer}/mixture");
        let total: f64 = parts.iter().map(|part| part.weight).sum();
        let weighted = parts.iter().all(|part| part.weight >= 0.0) && total > 0.0;
        if parts.len() > MAX_PARTS || !(weighted && total.is_finite()) {
            return Err(self
                .refuse(
                    &pointer,
                    format!("`{key}.mixture` must have from 1 to {MAX_PARTS} parts, each with a `weight`"),
                )
                .help("[{ weight = 9, constant = \"5ms\" }, { weight = 1, exponential = { mean = \"200ms\" } }]"));
        }
        let part = |(index, part): (usize, &MixturePart)| {
            let (pointer, key) = (
                format!("{pointer}/{index}"),
                format!("{key}.mixture[{index}]"),
            );
            Ok(Part {
                weight: part.weight / total,
                of: self.shaped(&pointer, &key, &part.shape())?,
            })
        };
        let parts: Result<Vec<Part>, Diagnostic> = parts.iter().enumerate().map(part).collect();
        Ok(Distribution::Mixture { parts: parts? })
    }

    fn empirical(&self, pointer: &str, key: &str, path: &str) -> Result<Distribution, Diagnostic> {
        let pointer = format!("{pointer}/empirical");
        let source = self.one_file(&pointer, &format!("{key}.empirical"), path)?;
        let mut values_ns = recorded(&source)?;
        values_ns.sort_unstable();
        match values_ns.len() {
            1..=MAX_VALUES => Ok(Distribution::Empirical { values_ns }),
            count => Err(self
                .refuse(
                    &pointer,
                    format!(
                        "`{}` must have from 1 to {MAX_VALUES} times, not {count}",
                        source.name
                    ),
                )
                .help("take a sample: a few thousand times are as good")),
        }
    }

    /// The one file that a key names, relative to the scenario.
    pub(super) fn one_file(
        &self,
        pointer: &str,
        key: &str,
        path: &str,
    ) -> Result<Arc<SourceText>, Diagnostic> {
        let refuse = |message: String| self.refuse(pointer, message);
        let found = self
            .files
            .matching(path)
            .map_err(|why| refuse(format!("`{key}`: {why}")))?;
        match found.as_slice() {
            [source] => Ok(Arc::clone(source)),
            _ => Err(
                refuse(format!("`{key}` must name one file; {} match", found.len()))
                    .help("the path is relative to the scenario's folder"),
            ),
        }
    }
}

/// Recorded times: a header `ms`, then a number on each line.
fn recorded(source: &Arc<SourceText>) -> Result<Vec<u64>, Diagnostic> {
    let mut values = Vec::new();
    let mut start = 0;
    for (number, line) in source.text.split_inclusive('\n').enumerate() {
        let text = line.trim();
        let value = text
            .parse::<f64>()
            .ok()
            .filter(|ms| (0.0..=3.6e6).contains(ms));
        match value {
            _ if number == 0 && text == "ms" => {}
            _ if text.is_empty() && number > 0 => {}
            Some(ms) if number > 0 => values.push((ms * 1e6).round() as u64),
            _ => {
                let fault = format!("`{}` has a line that is no time", source.name);
                return Err(Diagnostic::new(fault)
                    .at(source, start..start + line.trim_end().len())
                    .help("the first line is `ms`; every other is a time in milliseconds, from 0 to an hour"));
            }
        }
        start += line.len();
    }
    Ok(values)
}
