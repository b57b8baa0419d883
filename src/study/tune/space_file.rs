//! The space file, read and checked; every mistake is answered with its place and what to do.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use crate::diagnostic::{Diagnostic, Node, SourceText};
use crate::scenario;
use crate::study::forecast::Objective;
use crate::time::Span;

use super::space::{Assigned, Effort, Knob, Method, Release, Space};
use super::{Kind, Prefer, Target};

/// Values of a knob at the most, and candidates.
const MOST_VALUES: usize = 1000;
const MOST_CANDIDATES: u64 = 100_000;
/// The largest numbers of runs that are taken.
const MOST_RUNS: u64 = 1_000_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    title: String,
    #[serde(default)]
    set: Vec<String>,
    #[serde(default)]
    search: SearchKeys,
    #[serde(default)]
    knobs: Vec<KnobKeys>,
    #[serde(default)]
    releases: Vec<ReleaseKeys>,
    #[serde(default)]
    targets: TargetKeys,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct SearchKeys {
    method: Option<Method>,
    candidates: Option<u64>,
    seed: Option<u64>,
    first_runs: Option<u64>,
    runs: Option<u64>,
    finalists: Option<u64>,
    confirm: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KnobKeys {
    name: Option<String>,
    key: Option<String>,
    #[serde(default)]
    keys: Vec<String>,
    values: Option<Vec<Value>>,
    from: Option<Value>,
    to: Option<Value>,
    step: Option<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReleaseKeys {
    name: String,
    kind: Kind,
    #[serde(default)]
    set: Vec<String>,
    false_rollback: Option<f64>,
    missed_regression: Option<f64>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct TargetKeys {
    false_rollback: Option<f64>,
    missed_regression: Option<f64>,
    done_in: Option<String>,
    detected_in: Option<String>,
    failed_requests: Option<u64>,
    error_budget: Option<f64>,
    slo: Option<f64>,
    slo_period: Option<String>,
    prefer: Option<Prefer>,
}

/// Reads a space file.
///
/// # Errors
/// The first mistake in it, with its place; whether the scenario takes the values is seen when a candidate is made.
pub fn read(source: &Arc<SourceText>) -> Result<Space, Diagnostic> {
    let node = scenario::read_toml(source)?;
    let file: File = node.read()?;
    let reading = Reading { node: &node };
    let base = reading.assignments("/set", &file.set)?;
    let knobs = reading.knobs(&file.knobs)?;
    let releases = reading.releases(&file.releases)?;
    let targets = reading.targets(&file.targets, &file.releases, &releases)?;
    let search = &file.search;
    let effort = Effort {
        first_runs: reading.runs("first_runs", search.first_runs, 20)?,
        runs: reading.runs("runs", search.runs, 2000)?,
        finalists: reading.runs("finalists", search.finalists, 6)? as usize,
        confirm: match search.confirm {
            Some(0) => 0,
            confirm => reading.runs("confirm", confirm, 2000)?,
        },
    };
    if effort.first_runs > effort.runs {
        return Err(reading
            .refuse(
                "/search/first_runs",
                format!(
                    "`search.first_runs` is more than `search.runs`, {} against {}",
                    effort.first_runs, effort.runs
                ),
            )
            .help("the first round is the cheap one: a hundredth of `runs` is usual"));
    }
    let space = Space {
        title: file.title,
        base,
        method: search.method.unwrap_or(Method::LatinHypercube),
        candidates: search.candidates.unwrap_or(200),
        seed: search.seed.unwrap_or(1),
        effort,
        targets,
        prefer: file.targets.prefer.unwrap_or_default(),
        objective: reading.objective(&file.targets)?,
        releases,
        place: node.place_of("/knobs"),
        knobs,
    };
    reading.size(&space, search)?;
    Ok(space)
}

struct Reading<'a> {
    node: &'a Node,
}

impl Reading<'_> {
    fn refuse(&self, pointer: &str, message: String) -> Diagnostic {
        Diagnostic::new(message).at_place(&self.node.place_of(pointer))
    }

    fn runs(&self, key: &str, given: Option<u64>, default: u64) -> Result<u64, Diagnostic> {
        let runs = given.unwrap_or(default);
        if (1..=MOST_RUNS).contains(&runs) {
            return Ok(runs);
        }
        let pointer = format!("/search/{key}");
        Err(self
            .refuse(
                &pointer,
                format!("`search.{key}` must be from 1 to {MOST_RUNS}, not {runs}"),
            )
            .help(format!("{default} is the default")))
    }

    fn size(&self, space: &Space, search: &SearchKeys) -> Result<(), Diagnostic> {
        let all = space.combinations();
        match space.method {
            Method::Grid => {
                if search.candidates.is_some() {
                    return Err(self
                        .refuse(
                            "/search/candidates",
                            format!(
                                "a grid tries every combination, here {all}: `search.candidates` has no meaning"
                            ),
                        )
                        .help("take it out, or set `method = \"latin-hypercube\"`"));
                }
                if all > MOST_CANDIDATES {
                    return Err(self
                        .refuse("/knobs", format!("the grid has {all} combinations"))
                        .help("give fewer values, or set `method = \"latin-hypercube\"`"));
                }
            }
            Method::LatinHypercube => {
                if space.candidates > all {
                    return Err(self
                        .refuse(
                            "/search/candidates",
                            format!(
                                "there are {all} combinations and not the {} of `search.candidates`",
                                space.candidates
                            ),
                        )
                        .help("set `method = \"grid\"`, which tries them all, or give more values"));
                }
                if !(1..=MOST_CANDIDATES).contains(&space.candidates) {
                    return Err(self
                        .refuse(
                            "/search/candidates",
                            format!("`search.candidates` must be from 1 to {MOST_CANDIDATES}"),
                        )
                        .help("200 is the default"));
                }
            }
        }
        Ok(())
    }

    fn knobs(&self, given: &[KnobKeys]) -> Result<Vec<Knob>, Diagnostic> {
        if given.is_empty() {
            return Err(self
                .refuse("", "there is no `[[knobs]]`: nothing is varied".to_owned())
                .help("add one: key = \"canary.spec.analysis.threshold\", values = [1, 2, 3]"));
        }
        let mut knobs: Vec<Knob> = Vec::new();
        for (index, keys) in given.iter().enumerate() {
            let at = format!("/knobs/{index}");
            let knob = self.knob(&at, keys)?;
            if let Some(same) = knobs
                .iter()
                .flat_map(|other| &other.keys)
                .find(|key| knob.keys.contains(key))
            {
                return Err(self
                    .refuse(&at, format!("`{same}` is varied by two knobs"))
                    .help("take the key out of one of them"));
            }
            if knobs.iter().any(|other| other.name == knob.name) {
                return Err(self
                    .refuse(&at, format!("two knobs are called `{}`", knob.name))
                    .help("give one of them another `name`"));
            }
            knobs.push(knob);
        }
        Ok(knobs)
    }

    fn knob(&self, at: &str, keys: &KnobKeys) -> Result<Knob, Diagnostic> {
        let names: Vec<String> = keys.key.iter().chain(&keys.keys).cloned().collect();
        let Some(first) = names.first() else {
            return Err(self.refuse(at, "the knob has no `key`".to_owned()).help(
                "give the scenario's key, as --set takes it: key = \"prometheus.scrape_interval\"",
            ));
        };
        let name = keys.name.clone().unwrap_or_else(|| {
            let last = first.rsplit('.').next().unwrap_or(first);
            last.trim_matches('"').to_owned()
        });
        let range = [&keys.from, &keys.to, &keys.step];
        let values = match (&keys.values, range) {
            (Some(_), [None, None, None]) => self.values(&format!("{at}/values"))?,
            (None, [Some(from), Some(to), Some(step)]) => {
                self.range(at, &name, [from, to, step])?
            }
            (Some(_), _) => {
                return Err(self
                    .refuse(at, format!("the knob `{name}` has `values` and a range"))
                    .help("give `values`, or `from`, `to` and `step`"));
            }
            (None, _) => {
                return Err(self
                    .refuse(at, format!("the knob `{name}` has no values"))
                    .help("give `values = [...]`, or `from`, `to` and `step`"));
            }
        };
        if values.len() < 2 {
            return Err(self
                .refuse(at, format!("the knob `{name}` has fewer than two values"))
                .help("what does not vary belongs into `set`"));
        }
        if let Some(twice) = (1..values.len()).find(|i| {
            values[..*i]
                .iter()
                .any(|other| other.value == values[*i].value)
        }) {
            return Err(Diagnostic::new(format!(
                "the knob `{name}` has the value {} twice",
                values[twice].shown
            ))
            .at_place(&values[twice].place)
            .help("give each value once"));
        }
        Ok(Knob {
            name,
            keys: names,
            values,
        })
    }

    fn values(&self, pointer: &str) -> Result<Vec<Assigned>, Diagnostic> {
        let list = self.node.pointer(pointer).map_or(&[][..], Node::elements);
        if list.len() > MOST_VALUES {
            return Err(self
                .refuse(pointer, format!("more than {MOST_VALUES} values"))
                .help("give fewer: neighbours can hardly be told apart"));
        }
        list.iter()
            .map(|node| {
                let value = node.to_json()?;
                Ok(Assigned {
                    key: String::new(),
                    value: toml_text(&value),
                    shown: shown(&value),
                    place: node.place.clone(),
                })
            })
            .collect()
    }

    /// `from` to `to` by `step`: numbers, or times.
    fn range(&self, at: &str, name: &str, range: [&Value; 3]) -> Result<Vec<Assigned>, Diagnostic> {
        let numbers = range.map(Value::as_f64);
        let times = range.map(|value| value.as_str().and_then(Span::parse_go));
        let place = self.node.place_of(at);
        let assigned = |text: String, shown: String| Assigned {
            key: String::new(),
            value: text,
            shown,
            place: place.clone(),
        };
        let wrong = |what: String| {
            self.refuse(at, what)
                .help("`from` and `to` are the ends, both included, and `step` is above 0: from = 1, to = 5, step = 1, or from = \"15s\", to = \"1m\", step = \"15s\"")
        };
        let steps = |from: f64, to: f64, step: f64| {
            let count = (to - from) / step;
            let sound = step > 0.0 && count >= 0.0 && count < MOST_VALUES as f64;
            sound.then_some((count + 1e-9).floor() as i64)
        };
        match (numbers, times) {
            ([Some(from), Some(to), Some(step)], _) => {
                let last = steps(from, to, step)
                    .ok_or_else(|| wrong(format!("the range of the knob `{name}` is no range")))?;
                let value = |i: i64| {
                    // Sums of tenths are no tenths: nine digits are what anybody means.
                    let value = ((from + i as f64 * step) * 1e9).round() / 1e9;
                    let text = format!("{value}");
                    assigned(text.clone(), text)
                };
                Ok((0..=last).map(value).collect())
            }
            (_, [Some(from), Some(to), Some(step)]) => {
                let [from, to, step] = [from, to, step].map(|span| span.as_millis());
                let last = steps(from as f64, to as f64, step as f64)
                    .ok_or_else(|| wrong(format!("the range of the knob `{name}` is no range")))?;
                let value = |i: i64| {
                    let text = Span::from_millis(from + i * step).to_string();
                    assigned(format!("\"{text}\""), text)
                };
                Ok((0..=last).map(value).collect())
            }
            _ => Err(wrong(format!(
                "the range of the knob `{name}` is neither of numbers nor of times"
            ))),
        }
    }

    fn assignments(&self, pointer: &str, given: &[String]) -> Result<Vec<Assigned>, Diagnostic> {
        let assignment = |(index, text): (usize, &String)| match text.split_once('=') {
            Some((key, value)) if !key.trim().is_empty() => Ok(Assigned {
                key: key.trim().to_owned(),
                value: value.trim().to_owned(),
                shown: value.trim().to_owned(),
                place: self.node.place_of(&format!("{pointer}/{index}")),
            }),
            _ => Err(self
                .refuse(
                    &format!("{pointer}/{index}"),
                    "a key and a value are needed".to_owned(),
                )
                .help("write it as --set takes it: \"versions.v2.env.FAIL_RATE=0.02\"")),
        };
        given.iter().enumerate().map(assignment).collect()
    }

    fn releases(&self, given: &[ReleaseKeys]) -> Result<Vec<Release>, Diagnostic> {
        let mut releases: Vec<Release> = Vec::new();
        for (index, keys) in given.iter().enumerate() {
            let at = format!("/releases/{index}");
            if releases.iter().any(|other| other.name == keys.name) {
                return Err(self
                    .refuse(&at, format!("two releases are called `{}`", keys.name))
                    .help("give one of them another name"));
            }
            releases.push(Release {
                name: keys.name.clone(),
                kind: keys.kind,
                set: self.assignments(&format!("{at}/set"), &keys.set)?,
            });
        }
        for kind in [Kind::Good, Kind::Bad] {
            if !releases.iter().any(|release| release.kind == kind) {
                let (word, what) = match kind {
                    Kind::Good => ("good", "a false rollback"),
                    Kind::Bad => ("bad", "a missed regression"),
                };
                return Err(self
                    .refuse(
                        "/releases",
                        format!("there is no {word} release: {what} could not be seen"),
                    )
                    .help(format!(
                        "add `[[releases]]` with name, kind = \"{word}\" and set = [\"versions.v2.env.FAIL_RATE=...\"]"
                    )));
            }
        }
        Ok(releases)
    }

    fn targets(
        &self,
        keys: &TargetKeys,
        given: &[ReleaseKeys],
        releases: &[Release],
    ) -> Result<Vec<Target>, Diagnostic> {
        let mut targets = Vec::new();
        for (index, (own, release)) in given.iter().zip(releases).enumerate() {
            let (key, own_share, other, all) = match release.kind {
                Kind::Good => (
                    "false_rollback",
                    own.false_rollback,
                    own.missed_regression,
                    keys.false_rollback,
                ),
                Kind::Bad => (
                    "missed_regression",
                    own.missed_regression,
                    own.false_rollback,
                    keys.missed_regression,
                ),
            };
            if other.is_some() {
                return Err(self
                    .refuse(
                        &format!("/releases/{index}"),
                        format!("`{}` cannot have that target", release.name),
                    )
                    .help(format!("what it can have is `{key}`")));
            }
            let pointer = match own_share {
                Some(_) => format!("/releases/{index}/{key}"),
                None => format!("/targets/{key}"),
            };
            if let Some(share) = own_share.or(all) {
                let most = self.share(&pointer, key, share)?;
                targets.push(match release.kind {
                    Kind::Good => Target::FalseRollback {
                        release: index,
                        most,
                    },
                    Kind::Bad => Target::MissedRegression {
                        release: index,
                        most,
                    },
                });
            }
            let named = |key: &str| format!("/targets/{key}");
            match release.kind {
                Kind::Good => {
                    if let Some(text) = &keys.done_in {
                        let within = self.time(&named("done_in"), text)?;
                        targets.push(Target::DoneIn {
                            release: index,
                            within,
                        });
                    }
                }
                Kind::Bad => {
                    if let Some(text) = &keys.detected_in {
                        let within = self.time(&named("detected_in"), text)?;
                        targets.push(Target::DetectedIn {
                            release: index,
                            within,
                        });
                    }
                    if let Some(most) = keys.failed_requests {
                        targets.push(Target::FailedRequests {
                            release: index,
                            most,
                        });
                    }
                    if let Some(most) = keys.error_budget {
                        if most.is_nan() || most <= 0.0 {
                            return Err(self
                                .refuse(&named("error_budget"), "`targets.error_budget` must be above 0".to_owned())
                                .help("it is a share of the whole budget: 0.1 is a tenth of it in one rollout"));
                        }
                        targets.push(Target::ErrorBudget {
                            release: index,
                            most,
                        });
                    }
                }
            }
        }
        Ok(targets)
    }

    fn share(&self, pointer: &str, key: &str, share: f64) -> Result<f64, Diagnostic> {
        if share > 0.0 && share < 1.0 {
            return Ok(share);
        }
        let help = if (1.0..=100.0).contains(&share) {
            format!("shares are fractions: {share} % is {}", share / 100.0)
        } else {
            "0.01 is one in a hundred; no number of runs shows that something never happens"
                .to_owned()
        };
        Err(self
            .refuse(
                pointer,
                format!("`{key}` must be above 0 and below 1, not {share}"),
            )
            .help(help))
    }

    fn time(&self, pointer: &str, text: &str) -> Result<Span, Diagnostic> {
        let span = Span::parse_go(text).filter(|span| *span > Span::ZERO);
        span.ok_or_else(|| {
            self.refuse(pointer, format!("\"{}\" is no time", text.escape_debug()))
                .help("write it with its unit: \"15m\", \"90s\"")
        })
    }

    fn objective(&self, keys: &TargetKeys) -> Result<Objective, Diagnostic> {
        let slo = keys.slo.unwrap_or(0.999);
        if !(slo > 0.0 && slo < 1.0) {
            return Err(self
                .refuse(
                    "/targets/slo",
                    format!("`targets.slo` must be above 0 and below 1, not {slo}"),
                )
                .help("it is a fraction: 0.999 for 99.9 %"));
        }
        let period = match &keys.slo_period {
            None => Span::from_secs(30 * 86_400),
            Some(text) => {
                let days = text.strip_suffix('d').and_then(|d| d.parse::<i64>().ok());
                match days {
                    Some(days) if (1..=3650).contains(&days) => Span::from_secs(days * 86_400),
                    _ => self.time("/targets/slo_period", text)?,
                }
            }
        };
        Ok(Objective {
            failures_per_million: (((1.0 - slo) * 1e6).round() as u32).max(1),
            period,
        })
    }
}

/// A value as TOML writes it, strings in quotes.
fn toml_text(value: &Value) -> String {
    match value {
        Value::String(text) => toml::Value::String(text.clone()).to_string(),
        Value::Array(elements) => {
            let elements: Vec<String> = elements.iter().map(toml_text).collect();
            format!("[{}]", elements.join(", "))
        }
        Value::Object(entries) => {
            let entries = entries.iter().map(|(key, value)| {
                let key = toml::Value::String(key.clone());
                format!("{key} = {}", toml_text(value))
            });
            format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(elements) => {
            let elements: Vec<String> = elements.iter().map(shown).collect();
            format!("[{}]", elements.join(", "))
        }
        other => other.to_string(),
    }
}
