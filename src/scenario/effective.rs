//! From what a scenario says to what is simulated: defaults, inheritance, limits, and a sentence for each assumption.

use std::collections::BTreeMap;

use super::model::{
    Action, Arrivals, Attribution, ClusterTiming, Distribution, Expect, Flagger, IngressController,
    Manifests, Prometheus, RatePoint, Run, Scenario, ScenarioEvent, Traffic, Version, Via,
};
use super::schema::{
    self, DistributionKeys, DistributionShape, File, PrometheusVersion, RateKeys, RateShape,
    VersionKeys,
};
use super::units::{FineTime, Rate, Time};
use crate::canary::Provider;
use crate::diagnostic::{Diagnostic, Node, nearest};
use crate::time::Span;

/// Longest run.
const MAX_HORIZON: Span = Span::from_secs(24 * 3600);
/// Most requests that a run may be expected to have.
const MAX_REQUESTS: f64 = 2e9;
/// Most requests a pod may work on at once, and most nginx workers.
const MAX_SLOTS: u32 = 10_000;
/// Longest service or start-up time that a distribution may be centred on, in nanoseconds.
const MAX_TIME_NS: u64 = 3600 * 1_000_000_000;

const DEFAULT_RATE: f64 = 100.0;
const DEFAULT_SCRAPE: Span = Span::from_secs(30);

/// Everything there is to say about one scenario, with the texts for places.
struct Reading<'a> {
    text: &'a Node,
    assumptions: Vec<String>,
}

/// Fills in what was not said.
pub(super) fn effective(
    text: &Node,
    file: File,
    manifests: Manifests,
    name: String,
) -> Result<Scenario, Diagnostic> {
    let mut reading = Reading {
        text,
        assumptions: Vec::new(),
    };
    let provider = reading.provider(&file, &manifests)?;
    let run = reading.run(&file, &manifests)?;
    let traffic = reading.traffic(&file, &run)?;
    let prometheus = reading.prometheus(&file)?;
    let ingress = reading.ingress(&file)?;
    let cluster = reading.cluster(&file)?;
    let versions = reading.versions(&file)?;
    let initial_version = reading.initial_version(&file, &versions)?;
    let events = reading.events(&file, &versions, run.horizon)?;
    let expect = reading.expect(&file)?;
    Ok(Scenario {
        title: file.title.unwrap_or_else(|| name.clone()),
        name,
        rules: file.rules.unwrap_or_default(),
        provider: file.provider,
        run,
        flagger: Flagger {
            mesh_provider: provider.as_str().to_owned(),
            metrics_server: file
                .flagger
                .metrics_server
                .unwrap_or_else(|| "http://prometheus:9090".to_owned()),
        },
        traffic,
        ingress,
        prometheus,
        cluster,
        versions,
        initial_version,
        events,
        expect,
        manifests,
        assumptions: reading.assumptions,
    })
}

impl Reading<'_> {
    fn refuse(&self, pointer: &str, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(message).at_place(&self.text.place_of(pointer))
    }

    fn assume(&mut self, sentence: String) {
        self.assumptions.push(sentence);
    }

    /// The controller's flag; says so where it decides and was not given.
    fn provider(&mut self, file: &File, manifests: &Manifests) -> Result<Provider, Diagnostic> {
        let canary = &manifests.canary.spec;
        let flag = file.flagger.mesh_provider.unwrap_or(Provider::Kubernetes);
        let spoken = file.provider.or_else(|| Provider::parse(&canary.provider));
        if spoken.is_none() && file.flagger.mesh_provider.is_none() {
            self.assume(
                "Flagger runs with the provider `kubernetes`, since neither the Canary nor the scenario names one \
                 (`flagger.mesh_provider`)."
                    .to_owned(),
            );
        }
        if spoken.unwrap_or(flag) == Provider::Nginx && canary.ingress_ref.is_none() {
            let pointer = if file.provider.is_some() {
                "/provider"
            } else {
                "/flagger/mesh_provider"
            };
            return Err(self
                .refuse(
                    pointer,
                    "the provider `nginx` needs the Canary's `spec.ingressRef`, which is not given",
                )
                .help("name the Ingress under `[canary.spec.ingressRef]` with apiVersion, kind and name"));
        }
        Ok(flag)
    }

    fn run(&mut self, file: &File, manifests: &Manifests) -> Result<Run, Diagnostic> {
        let horizon = match file.run.horizon {
            None => Span::from_secs(15 * 60),
            Some(Time(horizon)) if horizon == Span::ZERO || horizon > MAX_HORIZON => {
                return Err(self
                    .refuse(
                        "/run/horizon",
                        format!(
                            "`run.horizon` must be above 0 and at most {MAX_HORIZON}, not {horizon}"
                        ),
                    )
                    .help("a rollout is decided within minutes; 15m is the default"));
            }
            Some(Time(horizon)) => horizon,
        };
        let interval = manifests
            .canary
            .spec
            .analysis
            .as_ref()
            .map_or(Span::from_secs(60), |a| a.interval());
        let step = interval.as_millis();
        let warm_up = match file.run.warm_up {
            None => {
                let intervals = ((5 * 60_000 + step - 1) / step).max(3);
                interval * intervals
            }
            Some(Time(warm_up)) if warm_up > MAX_HORIZON => {
                return Err(self.refuse(
                    "/run/warm_up",
                    format!("`run.warm_up` must be at most {MAX_HORIZON}, not {warm_up}"),
                ));
            }
            Some(Time(warm_up)) if warm_up.as_millis() % step != 0 => {
                let below = warm_up.as_millis() / step;
                return Err(self
                    .refuse(
                        "/run/warm_up",
                        format!(
                            "`run.warm_up` must be a whole number of analysis intervals of {interval}, not {warm_up}"
                        ),
                    )
                    .help(format!(
                        "write \"{}\" or \"{}\"",
                        interval * below,
                        interval * (below + 1)
                    )));
            }
            Some(Time(warm_up)) => warm_up,
        };
        Ok(Run {
            seed: file.run.seed.unwrap_or(1),
            horizon,
            warm_up,
        })
    }

    fn traffic(&mut self, file: &File, run: &Run) -> Result<Traffic, Diagnostic> {
        let keys = &file.traffic;
        let point = |at: Span, Rate(per_second): Rate| RatePoint { at, per_second };
        let rate = match &keys.rate {
            None => {
                self.assume(format!(
                    "Users send {DEFAULT_RATE} requests a second (`traffic.rate`)."
                ));
                vec![point(Span::ZERO, Rate(DEFAULT_RATE))]
            }
            Some(RateKeys::Constant(rate)) => vec![point(Span::ZERO, *rate)],
            Some(RateKeys::Shape(shape)) => self.rate_shape(shape)?,
        };
        let requests = requests(&rate, run);
        if requests > MAX_REQUESTS {
            return Err(self
                .refuse(
                    "/traffic/rate",
                    format!(
                        "`traffic.rate` means {:.1e} requests until the horizon; at most {MAX_REQUESTS:.0e} are simulated",
                        requests
                    ),
                )
                .help("lower `traffic.rate` or `run.horizon`"));
        }
        if let Some(host) = &keys.host
            && (host.is_empty() || host.contains(char::is_whitespace))
        {
            return Err(self
                .refuse("/traffic/host", "`traffic.host` is not a host name")
                .help(
                    "write the Host header that users send, such as \"load-harness.example.com\"",
                ));
        }
        Ok(Traffic {
            arrivals: keys.arrivals.unwrap_or(Arrivals::Poisson),
            rate,
            host: keys.host.clone(),
            via: keys.via.unwrap_or(Via::Ingress),
        })
    }

    fn rate_shape(&self, shape: &RateShape) -> Result<Vec<RatePoint>, Diagnostic> {
        let point = |Time(at): Time, Rate(per_second): Rate| RatePoint { at, per_second };
        let later = |pointer: &str, start: Time, end: Time| {
            if end.0 > start.0 {
                return Ok(());
            }
            Err(self.refuse(
                pointer,
                format!(
                    "`end` must be later than `start`, but {} is not later than {}",
                    end.0, start.0
                ),
            ))
        };
        match shape {
            RateShape {
                ramp: Some(ramp),
                points: None,
                burst: None,
            } => {
                later("/traffic/rate/ramp/end", ramp.start, ramp.end)?;
                Ok(vec![point(ramp.start, ramp.from), point(ramp.end, ramp.to)])
            }
            RateShape {
                ramp: None,
                points: Some(points),
                burst: None,
            } => {
                if points.is_empty() {
                    return Err(self
                        .refuse("/traffic/rate/points", "`traffic.rate.points` is empty")
                        .help("give at least one: { at = \"0s\", rate = \"200/s\" }"));
                }
                for (index, pair) in points.windows(2).enumerate() {
                    if pair[1].at.0 <= pair[0].at.0 {
                        return Err(self
                            .refuse(
                                &format!("/traffic/rate/points/{}/at", index + 1),
                                format!(
                                    "`traffic.rate.points` must be in order of time, but {} follows {}",
                                    pair[1].at.0, pair[0].at.0
                                ),
                            )
                            .help("for a jump put two points a millisecond apart"));
                    }
                }
                Ok(points.iter().map(|p| point(p.at, p.rate)).collect())
            }
            RateShape {
                ramp: None,
                points: None,
                burst: Some(burst),
            } => {
                later("/traffic/rate/burst/end", burst.start, burst.end)?;
                // A jump is a slope of one millisecond.
                let just_before = |Time(at)| Time(at - Span::from_millis(1));
                Ok(vec![
                    point(just_before(burst.start), burst.base),
                    point(burst.start, burst.peak),
                    point(just_before(burst.end), burst.peak),
                    point(burst.end, burst.base),
                ])
            }
            _ => Err(self
                .refuse(
                    "/traffic/rate",
                    "`traffic.rate` must have exactly one shape",
                )
                .help("give one of `ramp`, `points` and `burst`")),
        }
    }

    fn prometheus(&mut self, file: &File) -> Result<Prometheus, Diagnostic> {
        let keys = &file.prometheus;
        let scrape_interval = match keys.scrape_interval {
            Some(_) => self.period("prometheus", "scrape_interval", keys.scrape_interval, 0)?,
            None => {
                self.assume(format!(
                    "Prometheus scrapes every {DEFAULT_SCRAPE}, as kube-prometheus-stack does (`prometheus.scrape_interval`)."
                ));
                DEFAULT_SCRAPE
            }
        };
        Ok(Prometheus {
            version: match keys.version.unwrap_or(PrometheusVersion::V3) {
                PrometheusVersion::V3 => "3",
                PrometheusVersion::V2_53 => "2.53",
                PrometheusVersion::V2_42 => "2.42",
            }
            .to_owned(),
            scrape_interval,
            honor_labels: keys.honor_labels.unwrap_or(false),
            service_monitor: keys.service_monitor.unwrap_or(true),
            query_latency: self.delay("prometheus", "query_latency", keys.query_latency, 20)?,
        })
    }

    fn ingress(&mut self, file: &File) -> Result<IngressController, Diagnostic> {
        let keys = &file.ingress;
        Ok(IngressController {
            attribution: keys.attribution.unwrap_or(Attribution::Shared),
            workers: self.slots(
                "/ingress/workers",
                "ingress.workers",
                keys.workers.unwrap_or(2),
            )?,
            sync_delay: self.delay("ingress", "sync_delay", keys.sync_delay, 3300)?,
            worker_poll: self.period("ingress", "worker_poll", keys.worker_poll, 1000)?,
            flush_interval: self.period("ingress", "flush_interval", keys.flush_interval, 1000)?,
        })
    }

    fn cluster(&mut self, file: &File) -> Result<ClusterTiming, Diagnostic> {
        let keys = &file.cluster;
        Ok(ClusterTiming {
            endpoint_removal: self.delay(
                "cluster",
                "endpoint_removal",
                keys.endpoint_removal,
                2000,
            )?,
            endpoint_addition: self.delay(
                "cluster",
                "endpoint_addition",
                keys.endpoint_addition,
                1000,
            )?,
            hpa_sync: self.period("cluster", "hpa_sync", keys.hpa_sync, 15_000)?,
            metrics_resolution: self.period(
                "cluster",
                "metrics_resolution",
                keys.metrics_resolution,
                15_000,
            )?,
        })
    }

    /// A time that may be nothing, up to an hour.
    fn delay(
        &self,
        table: &str,
        key: &str,
        given: Option<Time>,
        default_ms: i64,
    ) -> Result<Span, Diagnostic> {
        let span = given.map_or(Span::from_millis(default_ms), |t| t.0);
        if span > Span::from_secs(3600) {
            return Err(self.refuse(
                &format!("/{table}/{key}"),
                format!("`{table}.{key}` must be at most 1h0m0s, not {span}"),
            ));
        }
        Ok(span)
    }

    /// A time between repetitions: never nothing.
    fn period(
        &self,
        table: &str,
        key: &str,
        given: Option<Time>,
        default_ms: i64,
    ) -> Result<Span, Diagnostic> {
        let span = self.delay(table, key, given, default_ms)?;
        if span < Span::from_millis(10) {
            return Err(self
                .refuse(
                    &format!("/{table}/{key}"),
                    format!("`{table}.{key}` must be at least 10ms, not {span}"),
                )
                .help("it is the time between two repetitions"));
        }
        Ok(span)
    }

    fn slots(&self, pointer: &str, key: &str, count: u32) -> Result<u32, Diagnostic> {
        if (1..=MAX_SLOTS).contains(&count) {
            return Ok(count);
        }
        Err(self.refuse(
            pointer,
            format!("`{key}` must be from 1 to {MAX_SLOTS}, not {count}"),
        ))
    }

    fn versions(&mut self, file: &File) -> Result<BTreeMap<String, Version>, Diagnostic> {
        let mut written = file.versions.clone();
        if written.is_empty() {
            written.insert("v1".to_owned(), VersionKeys::default());
        }
        let mut versions = BTreeMap::new();
        for name in written.keys() {
            let keys = self.inherited(&written, name)?;
            versions.insert(name.clone(), self.version(name, &keys)?);
        }
        self.assume_workload(&written, &file.versions)?;
        Ok(versions)
    }

    /// What a version says, with what it inherits below it.
    fn inherited(
        &self,
        written: &BTreeMap<String, VersionKeys>,
        name: &str,
    ) -> Result<VersionKeys, Diagnostic> {
        let mut keys = written[name].clone();
        let mut seen = vec![name.to_owned()];
        while let Some(parent) = keys.inherits.take() {
            let heir = &seen[seen.len() - 1];
            let pointer = format!("/versions/{}/inherits", escaped(heir));
            if seen.contains(&parent) {
                let message = if seen.len() == 1 {
                    format!("the version `{name}` inherits itself")
                } else {
                    format!(
                        "the version `{name}` inherits itself by way of {}",
                        nearest::listed(&seen[1..])
                    )
                };
                return Err(self
                    .refuse(&pointer, message)
                    .help("one version must say everything itself"));
            }
            let Some(below) = written.get(&parent) else {
                return Err(self.unknown_version(&pointer, &parent, written.keys()));
            };
            keys = VersionKeys {
                inherits: below.inherits.clone(),
                service_time: keys.service_time.or_else(|| below.service_time.clone()),
                failure_time: keys.failure_time.or_else(|| below.failure_time.clone()),
                concurrency: keys.concurrency.or(below.concurrency),
                cpu_per_request: keys.cpu_per_request.or(below.cpu_per_request),
                startup: keys.startup.or_else(|| below.startup.clone()),
                base_failure_rate: keys.base_failure_rate.or(below.base_failure_rate),
                image: keys.image.or_else(|| below.image.clone()),
                env: below.env.clone().into_iter().chain(keys.env).collect(),
            };
            seen.push(parent);
        }
        Ok(keys)
    }

    fn version(&self, name: &str, keys: &VersionKeys) -> Result<Version, Diagnostic> {
        let at = |key: &str| format!("/versions/{}/{key}", escaped(name));
        if let Some(rate) = keys.env.get("FAIL_RATE")
            && !rate
                .trim()
                .parse::<f64>()
                .is_ok_and(|r| (0.0..=1.0).contains(&r))
        {
            return Err(self
                .refuse(
                    &at("env/FAIL_RATE"),
                    format!(
                        "`versions.{name}.env.FAIL_RATE` must be a fraction from 0 to 1, not \"{}\"",
                        rate.escape_debug()
                    ),
                )
                .help("write \"0.3\" for 30 %"));
        }
        let distribution =
            |key: &str, keys: &Option<DistributionKeys>, default: Distribution| match keys {
                None => Ok(default),
                Some(keys) => self.distribution(&at(key), &format!("versions.{name}.{key}"), keys),
            };
        let FineTime(cpu) = keys.cpu_per_request.unwrap_or(FineTime(5_000_000));
        Ok(Version {
            service_time: distribution("service_time", &keys.service_time, SERVICE_TIME)?,
            failure_time: match &keys.failure_time {
                None => None,
                Some(_) => Some(distribution(
                    "failure_time",
                    &keys.failure_time,
                    SERVICE_TIME,
                )?),
            },
            concurrency: self.slots(
                &at("concurrency"),
                &format!("versions.{name}.concurrency"),
                keys.concurrency.unwrap_or(8),
            )?,
            cpu_per_request_ns: cpu,
            startup: distribution("startup", &keys.startup, STARTUP)?,
            base_failure_rate: keys.base_failure_rate.map_or(0.0, |f| f.0),
            image: keys.image.clone(),
            env: keys.env.clone(),
        })
    }

    fn distribution(
        &self,
        pointer: &str,
        key: &str,
        keys: &DistributionKeys,
    ) -> Result<Distribution, Diagnostic> {
        let found = match keys {
            DistributionKeys::Constant(FineTime(ns)) => Distribution::Constant { ns: *ns },
            DistributionKeys::Shape(shape) => match shape.as_ref() {
                DistributionShape {
                    constant: Some(FineTime(ns)),
                    lognormal: None,
                    exponential: None,
                    uniform: None,
                } => Distribution::Constant { ns: *ns },
                DistributionShape {
                    constant: None,
                    lognormal: Some(schema::Lognormal { median, sigma }),
                    exponential: None,
                    uniform: None,
                } => Distribution::Lognormal {
                    median_ns: median.0,
                    sigma: *sigma,
                },
                DistributionShape {
                    constant: None,
                    lognormal: None,
                    exponential: Some(schema::Exponential { mean }),
                    uniform: None,
                } => Distribution::Exponential { mean_ns: mean.0 },
                DistributionShape {
                    constant: None,
                    lognormal: None,
                    exponential: None,
                    uniform: Some(schema::Uniform { min, max }),
                } => Distribution::Uniform {
                    min_ns: min.0,
                    max_ns: max.0,
                },
                _ => {
                    return Err(self
                        .refuse(pointer, format!("`{key}` must have exactly one shape"))
                        .help("give one of `constant`, `lognormal`, `exponential` and `uniform`"));
                }
            },
        };
        let largest = match found {
            Distribution::Constant { ns } => ns,
            Distribution::Lognormal { median_ns, .. } => median_ns,
            Distribution::Exponential { mean_ns } => mean_ns,
            Distribution::Uniform { max_ns, .. } => max_ns,
        };
        if largest > MAX_TIME_NS {
            return Err(self.refuse(pointer, format!("`{key}` must be at most 1h")));
        }
        match found {
            Distribution::Lognormal { sigma, .. } if !(0.0..=4.0).contains(&sigma) => Err(self
                .refuse(
                    &format!("{pointer}/lognormal/sigma"),
                    format!("`{key}.lognormal.sigma` must be from 0 to 4, not {sigma}"),
                )
                .help("it is the standard deviation of the logarithm: 0.5 puts p99 at 3.2 times the median")),
            Distribution::Uniform { min_ns, max_ns } if min_ns > max_ns => Err(self.refuse(
                &format!("{pointer}/uniform/max"),
                format!("`{key}.uniform.max` must not be below `min`"),
            )),
            found => Ok(found),
        }
    }

    /// One sentence for each workload value that no version says.
    fn assume_workload(
        &mut self,
        written: &BTreeMap<String, VersionKeys>,
        said: &BTreeMap<String, VersionKeys>,
    ) -> Result<(), Diagnostic> {
        let mut silent: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for name in written.keys() {
            let keys = self.inherited(written, name)?;
            for (key, given) in [
                ("service_time", keys.service_time.is_some()),
                ("concurrency", keys.concurrency.is_some()),
                ("cpu_per_request", keys.cpu_per_request.is_some()),
                ("startup", keys.startup.is_some()),
            ] {
                if !given {
                    silent.entry(key).or_default().push(name.clone());
                }
            }
        }
        for (key, what) in [
            (
                "service_time",
                "takes 20ms for a request (median; lognormal, sigma 0.5)",
            ),
            ("concurrency", "works on 8 requests at once per pod"),
            ("cpu_per_request", "spends 5ms of CPU time on a request"),
            (
                "startup",
                "is ready 4s after a pod's creation (median; lognormal, sigma 0.4)",
            ),
        ] {
            if let Some(names) = silent.get(key) {
                self.assume(format!(
                    "Version {} {what} (`versions.{}.{key}`).",
                    nearest::listed(names),
                    names[0]
                ));
            }
        }
        if said.is_empty() {
            self.assume(
                "One version runs, `v1`, with the manifest's image and environment (`versions`)."
                    .to_owned(),
            );
        }
        Ok(())
    }

    fn unknown_version<'v>(
        &self,
        pointer: &str,
        name: &str,
        known: impl Iterator<Item = &'v String>,
    ) -> Diagnostic {
        let known: Vec<&str> = known.map(String::as_str).collect();
        let help = match nearest::nearest(name, known.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!(
                "there is {}; define it under `[versions.{}]`",
                nearest::listed(&known),
                name.escape_debug()
            ),
        };
        self.refuse(
            pointer,
            format!("there is no version `{}`", name.escape_debug()),
        )
        .help(help)
    }

    fn initial_version(
        &self,
        file: &File,
        versions: &BTreeMap<String, Version>,
    ) -> Result<String, Diagnostic> {
        let only = versions.keys().next().filter(|_| versions.len() == 1);
        match &file.initial_version {
            Some(name) if versions.contains_key(name) => Ok(name.clone()),
            Some(name) => Err(self.unknown_version("/initial_version", name, versions.keys())),
            None if versions.contains_key("v1") => Ok("v1".to_owned()),
            None => only.cloned().ok_or_else(|| {
                self.refuse("/versions", "it is not said which version runs first")
                    .help("set `initial_version`, or call that version `v1`")
            }),
        }
    }

    fn events(
        &self,
        file: &File,
        versions: &BTreeMap<String, Version>,
        horizon: Span,
    ) -> Result<Vec<ScenarioEvent>, Diagnostic> {
        let mut events = Vec::new();
        for (index, keys) in file.events.iter().enumerate() {
            let pointer = format!("/events/{index}");
            let Time(at) = keys.at;
            if at > horizon {
                return Err(self
                    .refuse(
                        &format!("{pointer}/at"),
                        format!("`events[{index}].at` is {at}, after the run's end at {horizon}"),
                    )
                    .help("raise `run.horizon` or move the event"));
            }
            let action = match (&keys.push, &keys.annotate) {
                (Some(version), None) if versions.contains_key(version) => {
                    Action::Push(version.clone())
                }
                (Some(version), None) => {
                    return Err(self.unknown_version(
                        &format!("{pointer}/push"),
                        version,
                        versions.keys(),
                    ));
                }
                (None, Some(annotations)) => Action::Annotate(annotations.clone()),
                (None, None) => {
                    return Err(self
                        .refuse(
                            &pointer,
                            format!("`events[{index}]` says when, but not what"),
                        )
                        .help("give `push = \"v2\"` or `annotate = { key = \"value\" }`"));
                }
                (Some(_), Some(_)) => {
                    return Err(self
                        .refuse(
                            &pointer,
                            format!("`events[{index}]` has both `push` and `annotate`"),
                        )
                        .help("write two events"));
                }
            };
            events.push(ScenarioEvent { at, action });
        }
        // Stable: what happens at one time happens in the order it was written.
        events.sort_by_key(|event| event.at);
        Ok(events)
    }

    fn expect(&self, file: &File) -> Result<Option<Expect>, Diagnostic> {
        let Some(keys) = &file.expect else {
            return Ok(None);
        };
        if let (Some(Time(before)), Some(Time(by))) = (keys.not_before, keys.decided_by)
            && before > by
        {
            return Err(self
                .refuse(
                    "/expect/not_before",
                    format!("`expect.not_before` is {before}, after `expect.decided_by` at {by}"),
                )
                .help("no run can meet both"));
        }
        Ok(Some(Expect {
            outcome: keys.outcome.map(|o| o.as_str().to_owned()),
            decided_by: keys.decided_by.map(|t| t.0),
            not_before: keys.not_before.map(|t| t.0),
            max_failed_requests: keys.max_failed_requests,
            max_p99: keys.max_p99.map(|t| t.0),
        }))
    }
}

const SERVICE_TIME: Distribution = Distribution::Lognormal {
    median_ns: 20_000_000,
    sigma: 0.5,
};
const STARTUP: Distribution = Distribution::Lognormal {
    median_ns: 4_000_000_000,
    sigma: 0.4,
};

/// Requests expected from the start of the warm-up to the horizon.
fn requests(rate: &[RatePoint], run: &Run) -> f64 {
    let (start, end) = (-run.warm_up.as_secs_f64(), run.horizon.as_secs_f64());
    let first = rate.first().map_or(0.0, |p| p.per_second);
    let last = rate.last().map_or(0.0, |p| p.per_second);
    let mut total = 0.0;
    let mut before = (start, first);
    for point in rate {
        let at = point.at.as_secs_f64().min(end);
        total += (at - before.0).max(0.0) * (before.1 + point.per_second) / 2.0;
        before = (at, point.per_second);
    }
    total + (end - before.0).max(0.0) * last
}

/// A name as a step of a JSON pointer.
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
