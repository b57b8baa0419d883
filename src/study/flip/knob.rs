//! What can be turned to flip a check, and the settings to try.

use crate::canary::Metric;
use crate::engine::{Bound, QuerySource};
use crate::record::QueryRecord;
use crate::scenario::{Action, Override, Scenario};
use crate::time::Span;

/// Something of a scenario that a check depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Knob {
    /// The metric's bound.
    Bound,
    /// Requests a second.
    Traffic,
    /// How far back the query looks.
    Window,
    /// The analysis interval.
    Interval,
    /// The scrape interval.
    Scrapes,
    /// How often the release fails.
    Failures,
}

/// Windows and intervals to try, in seconds.
const SPANS: [i64; 16] = [
    1, 2, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600, 900, 1800,
];
/// Flagger takes no shorter interval (`canary_types.go: GetAnalysisInterval`).
const SHORTEST_INTERVAL: f64 = 10.0;
/// Doublings of a rate, up and down.
const DOUBLINGS: i32 = 5;
/// The highest rate tried, in requests a second.
const MOST: f64 = 5_000.0;
/// Rates tried where there are no requests.
const FROM_NOTHING: [f64; 10] = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0];

impl Knob {
    /// All of them.
    pub const ALL: [Knob; 6] = [
        Knob::Bound,
        Knob::Traffic,
        Knob::Window,
        Knob::Interval,
        Knob::Scrapes,
        Knob::Failures,
    ];

    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Knob::Bound => "the bound",
            Knob::Traffic => "traffic",
            Knob::Window => "the window",
            Knob::Interval => "the analysis interval",
            Knob::Scrapes => "the scrape interval",
            Knob::Failures => "the release's failures",
        }
    }

    /// This knob of a scenario, for a check made `at` so long after the scenario's zero; `None` where it has none.
    pub(super) fn dial(
        self,
        scenario: &Scenario,
        query: &QueryRecord,
        interval: Span,
        at: Span,
    ) -> Option<Dial> {
        match self {
            Knob::Bound => bound(scenario, query),
            Knob::Traffic => traffic(scenario),
            Knob::Window => window(scenario, query),
            Knob::Interval => Some(Dial::spans(
                self,
                interval,
                SHORTEST_INTERVAL,
                Target::Key("canary.spec.analysis.interval".to_owned()),
            )),
            Knob::Scrapes => {
                longest_range(&query.text)?;
                let now = scenario.prometheus.scrape_interval;
                let key = "prometheus.scrape_interval".to_owned();
                Some(Dial::spans(self, now, 1.0, Target::Key(key)))
            }
            Knob::Failures => failures(scenario, query, at),
        }
    }
}

/// A knob with its settings.
pub(super) struct Dial {
    pub(super) knob: Knob,
    pub(super) from: f64,
    settings: Vec<f64>,
    target: Target,
}

/// Where a setting is written.
enum Target {
    /// At a key.
    Key(String),
    /// In the text at a key, in the place of a range.
    Range {
        key: String,
        text: String,
        written: String,
    },
}

impl Dial {
    /// A dial of times, whole seconds from `shortest` on.
    fn spans(knob: Knob, now: Span, shortest: f64, target: Target) -> Dial {
        let from = now.as_secs_f64();
        let settings = SPANS.iter().map(|s| *s as f64);
        let mut settings: Vec<f64> = settings.filter(|s| *s >= shortest && *s != from).collect();
        settings.sort_by(|a, b| apart(*a, from).total_cmp(&apart(*b, from)));
        Dial {
            knob,
            from,
            settings,
            target,
        }
    }

    /// The settings to try, the nearest first.
    pub(super) fn settings(&self) -> impl Iterator<Item = f64> + '_ {
        self.settings.iter().copied()
    }

    /// A setting between two, as far as there is one that people would write.
    pub(super) fn between(&self, short: f64, flips: f64) -> Option<f64> {
        let middle = match self.knob {
            Knob::Bound => ((short + flips) * 50.0).round() / 100.0,
            Knob::Traffic | Knob::Failures => two_digits(match short.min(flips) {
                low if low > 0.0 => (short * flips).sqrt(),
                _ => (short + flips) / 2.0,
            }),
            Knob::Window | Knob::Interval | Knob::Scrapes => {
                let unit = if short.min(flips) < 10.0 { 1.0 } else { 5.0 };
                ((short + flips) / 2.0 / unit).round() * unit
            }
        };
        (middle != short && middle != flips).then_some(middle)
    }

    /// A setting as a scenario writes it.
    pub(super) fn write(&self, setting: f64) -> String {
        match self.knob {
            Knob::Bound | Knob::Failures => setting.to_string(),
            Knob::Traffic => format!("{setting}/s"),
            Knob::Window | Knob::Interval | Knob::Scrapes => {
                let text = Span::from_millis((setting * 1000.0) as i64).to_string();
                match text.strip_suffix("m0s") {
                    Some(minutes) => format!("{minutes}m"),
                    None => text,
                }
            }
        }
    }

    /// A setting, to be laid over the scenario.
    pub(super) fn set(&self, setting: f64) -> Override {
        let written = self.write(setting);
        let (key, value) = match &self.target {
            Target::Key(key) => (key, written),
            Target::Range {
                key,
                text,
                written: old,
            } => {
                let changed = text.replace(&format!("[{old}"), &format!("[{written}"));
                // A JSON string is a TOML string.
                (key, serde_json::Value::from(changed).to_string())
            }
        };
        Override {
            key: key.clone(),
            value,
        }
    }

    /// How far a setting is from what is set.
    pub(super) fn distance(&self, setting: f64) -> f64 {
        match self.knob {
            // What a bound in percent allows is what is below 100.
            Knob::Bound if self.from < 100.0 && setting < 100.0 && self.from > 50.0 => {
                apart(100.0 - setting, 100.0 - self.from)
            }
            _ => apart(setting, self.from),
        }
    }

    /// How many times later the check comes.
    pub(super) fn stretch(&self, setting: f64) -> f64 {
        match self.knob {
            Knob::Interval => setting / self.from,
            _ => 1.0,
        }
    }
}

/// How many times one is the other, as a logarithm; of nothing, something far away.
fn apart(a: f64, b: f64) -> f64 {
    const NOTHING: f64 = 1e-3;
    libm::log(a.abs().max(NOTHING) / b.abs().max(NOTHING)).abs()
}

/// Rounded to two digits.
fn two_digits(x: f64) -> f64 {
    if x == 0.0 {
        return 0.0;
    }
    let scale = libm::pow(10.0, libm::floor(libm::log10(x.abs())) - 1.0);
    let digits = (x / scale).round();
    // By the digits, for `digits * scale` need not be the number that they spell.
    format!("{digits}e{}", libm::log10(scale).round())
        .parse()
        .unwrap_or(x)
}

/// The metric entry that a query is of, with its index.
fn entry<'a>(scenario: &'a Scenario, query: &QueryRecord) -> Option<(usize, &'a Metric)> {
    let analysis = scenario.manifests.canary.spec.analysis.as_ref()?;
    let metrics = analysis.metrics.iter().enumerate();
    metrics
        .into_iter()
        .find(|(_, metric)| metric.name == query.metric)
}

fn bound(scenario: &Scenario, query: &QueryRecord) -> Option<Dial> {
    let (index, _) = entry(scenario, query)?;
    let value = query.value.filter(|value| value.is_finite())?;
    let down = libm::floor(value * 100.0) / 100.0;
    let up = libm::ceil(value * 100.0) / 100.0;
    let (side, from, first, away) = match (query.bound?, query.passed) {
        (Bound::Min(min), false) => ("min", min, down, -1.0),
        (Bound::Min(min), true) => ("min", min, down + 0.01, 1.0),
        (Bound::Max(max), false) => ("max", max, up, 1.0),
        (Bound::Max(max), true) => ("max", max, up - 0.01, -1.0),
    };
    let farther = [0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0];
    let settings = farther.map(|share| {
        let setting = first + away * share * first.abs();
        (setting * 100.0).round() / 100.0
    });
    Some(Dial {
        knob: Knob::Bound,
        from,
        settings: settings.to_vec(),
        target: Target::Key(format!(
            "canary.spec.analysis.metrics.{index}.thresholdRange.{side}"
        )),
    })
}

fn traffic(scenario: &Scenario) -> Option<Dial> {
    let traffic = &scenario.traffic;
    let [only] = traffic.rate.as_slice() else {
        return None;
    };
    if traffic.clients.is_some() {
        return None;
    }
    let from = only.per_second;
    let settings = if from > 0.0 {
        let doublings = (1..=DOUBLINGS).flat_map(|n| [n, -n]);
        let rates = doublings.map(|n| two_digits(from * libm::pow(2.0, f64::from(n))));
        rates.filter(|rate| *rate <= MOST).collect()
    } else {
        FROM_NOTHING.to_vec()
    };
    Some(Dial {
        knob: Knob::Traffic,
        from,
        settings,
        target: Target::Key("traffic.rate".to_owned()),
    })
}

fn window(scenario: &Scenario, query: &QueryRecord) -> Option<Dial> {
    let (written, now) = longest_range(&query.text)?;
    let (index, metric) = entry(scenario, query)?;
    let at = |field: &str| format!("canary.spec.analysis.metrics.{index}.{field}");
    let (key, text) = match query.source {
        QuerySource::Builtin => (String::new(), ""),
        QuerySource::Inline => (at("query"), metric.query.as_str()),
        QuerySource::Template | QuerySource::Availability => {
            let name = &metric.template_ref.as_ref()?.name;
            let mut templates = scenario.manifests.metric_templates.iter();
            let template = templates.find(|template| template.metadata.name == *name)?;
            let key = format!("metric_templates.{}.spec.query", key_part(name));
            (key, template.spec.query.as_str())
        }
    };
    let by_variable = text.is_empty() || (text.contains("{{") && text.contains("interval"));
    let target = if by_variable {
        Target::Key(at("interval"))
    } else {
        Target::Range {
            key,
            text: text.to_owned(),
            written: written.to_owned(),
        }
    };
    Some(Dial::spans(Knob::Window, now, 1.0, target))
}

fn failures(scenario: &Scenario, query: &QueryRecord, at: Span) -> Option<Dial> {
    let events = scenario.events.iter().filter(|event| event.at <= at);
    let mut pushed = events.filter_map(|event| match &event.action {
        Action::Push(version) | Action::Commit(version) => Some(version),
        _ => None,
    });
    let name = pushed.next_back()?;
    let version = scenario.versions.get(name)?;
    let quoted = key_part(name);
    let by_variable = version.env.get("FAIL_RATE");
    let by_variable = by_variable
        .and_then(|rate| rate.parse::<f64>().ok())
        .filter(|rate| *rate > 0.0);
    let (from, key) = match by_variable {
        Some(rate) => (rate, format!("versions.{quoted}.env.FAIL_RATE")),
        None => (
            version.base_failure_rate,
            format!("versions.{quoted}.base_failure_rate"),
        ),
    };
    if from <= 0.0 {
        return None;
    }
    let settings = if query.passed {
        let more = (1..=8).map(|n| two_digits(from * libm::pow(2.0, f64::from(n))));
        more.filter(|rate| *rate < 1.0).chain([1.0]).collect()
    } else {
        let less = (1..=8).map(|n| two_digits(from / libm::pow(2.0, f64::from(n))));
        less.chain([0.0]).collect()
    };
    Some(Dial {
        knob: Knob::Failures,
        from,
        settings,
        target: Target::Key(key),
    })
}

/// A name as a part of a key: bare where TOML has it so.
fn key_part(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !name.is_empty() && name.chars().all(bare) {
        name.to_owned()
    } else {
        serde_json::Value::from(name).to_string()
    }
}

/// The longest range of a query, `[1m]`, as written and as a span.
fn longest_range(query: &str) -> Option<(&str, Span)> {
    let ranges = query
        .split('[')
        .skip(1)
        .filter_map(|rest| rest.split([']', ':']).next());
    ranges
        .filter_map(|range| Some((range, Span::parse_go(range)?)))
        .max_by_key(|(_, span)| *span)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_two_digits_and_no_noise() {
        for (x, rounded) in [(0.0, 0.0), (141.42, 140.0), (0.0123, 0.012), (9.96, 10.0)] {
            assert_eq!(two_digits(x), rounded);
        }
        assert_eq!(two_digits(0.3 / 4.0).to_string(), "0.075");
    }

    #[test]
    fn times_are_tried_the_nearest_first_and_written_as_people_write_them() {
        let key = Target::Key("k".to_owned());
        let dial = Dial::spans(Knob::Interval, Span::from_secs(30), SHORTEST_INTERVAL, key);
        let tried: Vec<String> = dial.settings().take(4).map(|s| dial.write(s)).collect();
        assert_eq!(tried, ["45s", "20s", "15s", "1m"]);
        assert_eq!(dial.write(90.0), "1m30s");
        assert_eq!(dial.between(30.0, 60.0), Some(45.0));
        assert_eq!(dial.between(30.0, 35.0), None);
    }

    #[test]
    fn a_range_in_a_text_is_changed_in_place() {
        let target = Target::Range {
            key: "k".to_owned(),
            text: "rate(a{b=\"c\"}[1m]) / rate(d[1m])".to_owned(),
            written: "1m".to_owned(),
        };
        let dial = Dial::spans(Knob::Window, Span::from_secs(60), 1.0, target);
        assert_eq!(
            dial.set(90.0).value,
            r#""rate(a{b=\"c\"}[1m30s]) / rate(d[1m30s])""#
        );
    }
}
