//! `[versions.NAME]`: what each says, what it inherits, what nobody said.

use std::collections::{BTreeMap, BTreeSet};

use super::{Reading, escaped};
use crate::diagnostic::{Diagnostic, nearest};
use crate::k8s::{PodTemplate, Quantity};
use crate::scenario::model::{
    Behaviour, ClassBehaviour, Distribution, ImagePull, Memory, PodCourse, Version, WarmUp,
};
use crate::scenario::schema::{
    ClassTimesKeys, DistributionKeys, File, ImagePullKeys, PullTime, VersionKeys, WarmUpKeys,
};
use crate::scenario::units::Time;
use crate::time::{Span, Timestamp};

const SERVICE_TIME: Distribution = Distribution::Lognormal {
    median_ns: 20_000_000,
    sigma: 0.5,
};
const CONCURRENCY: u32 = 8;
const CPU_PER_REQUEST_NS: u64 = 5_000_000;
/// Working set of a version that says only what it leaks.
const MEMORY_BYTES: u64 = 64 << 20;
const STARTUP: Distribution = Distribution::Lognormal {
    median_ns: 4_000_000_000,
    sigma: 0.4,
};

/// What a version says, checked.
#[derive(Clone, Default)]
struct Said {
    inherits: Option<String>,
    service_time: Option<Distribution>,
    failure_time: Option<Distribution>,
    concurrency: Option<u32>,
    cpu_per_request_ns: Option<u64>,
    startup: Option<Distribution>,
    base_failure_rate: Option<f64>,
    image: Option<String>,
    env: BTreeMap<String, String>,
    image_pull: Option<ImagePull>,
    image_pull_fails_until: Option<Timestamp>,
    memory_bytes: Option<u64>,
    memory_leak_bytes: Option<u64>,
    boot: Option<Distribution>,
    never_ready: Option<bool>,
    crash_after: Option<Distribution>,
    shutdown: Option<Distribution>,
    warm_up: Option<WarmUp>,
    leak_ns_per_minute: Option<u64>,
    cpu_throttling: Option<bool>,
    classes: BTreeMap<String, ClassBehaviour>,
}

impl Reading<'_> {
    /// All versions, whole. Where the scenario has none there is one, `v1`, as the manifest has it.
    pub(super) fn versions(
        &mut self,
        file: &File,
    ) -> Result<BTreeMap<String, Version>, Diagnostic> {
        let mut said = BTreeMap::new();
        for (name, keys) in &file.versions {
            said.insert(name.clone(), self.said(name, keys)?);
        }
        if said.is_empty() {
            said.insert("v1".to_owned(), Said::default());
        }
        let mut whole = BTreeMap::new();
        for name in said.keys() {
            whole.insert(name.clone(), self.inherited(&said, name)?);
        }
        self.assume_workload(&whole);
        Ok(whole
            .into_iter()
            .map(|(name, said)| (name, filled(said)))
            .collect())
    }

    fn said(&self, name: &str, keys: &VersionKeys) -> Result<Said, Diagnostic> {
        let at = |key: &str| format!("/versions/{}/{key}", escaped(name));
        let named = |key: &str| format!("versions.{name}.{key}");
        if let Some(rate) = keys.env.get("FAIL_RATE")
            && !is_fraction(rate)
        {
            return Err(self
                .refuse(
                    &at("env/FAIL_RATE"),
                    format!(
                        "`{}` must be a fraction from 0 to 1, not \"{}\"",
                        named("env.FAIL_RATE"),
                        rate.escape_debug()
                    ),
                )
                .help("write \"0.3\" for 30 %"));
        }
        let distribution = |key: &str, keys: &Option<DistributionKeys>| {
            keys.as_ref()
                .map(|keys| self.distribution(&at(key), &named(key), keys))
                .transpose()
        };
        let bytes = |key: &str, text: &Option<String>, example: &str| {
            let Some(text) = text else {
                return Ok(None);
            };
            match Quantity::parse(text).map(Quantity::value) {
                Some(bytes) if bytes > 0 => Ok(Some(bytes.unsigned_abs())),
                _ => Err(self
                    .refuse(
                        &at(key),
                        format!(
                            "`{}` must be a quantity above 0, not \"{}\"",
                            named(key),
                            text.escape_debug()
                        ),
                    )
                    .help(format!("write it as Kubernetes does: \"{example}\""))),
            }
        };
        Ok(Said {
            inherits: keys.inherits.clone(),
            service_time: distribution("service_time", &keys.service_time)?,
            failure_time: distribution("failure_time", &keys.failure_time)?,
            concurrency: keys
                .concurrency
                .map(|count| self.count(&at("concurrency"), &named("concurrency"), count))
                .transpose()?,
            cpu_per_request_ns: keys.cpu_per_request.map(|time| time.0),
            startup: distribution("startup", &keys.startup)?,
            base_failure_rate: keys.base_failure_rate.map(|share| share.0),
            image: keys.image.clone(),
            env: keys.env.clone(),
            image_pull: self.image_pull(&at("image_pull"), &named("image_pull"), keys)?,
            image_pull_fails_until: keys
                .image_pull_fails_until
                .map(|time| Timestamp::ZERO + time.0),
            memory_bytes: bytes("memory", &keys.memory, "64Mi")?,
            memory_leak_bytes: bytes("memory_leak", &keys.memory_leak, "512Ki")?,
            boot: distribution("boot", &keys.boot)?,
            never_ready: keys.never_ready,
            crash_after: distribution("crash_after", &keys.crash_after)?,
            shutdown: distribution("shutdown", &keys.shutdown)?,
            warm_up: (keys.warm_up.as_ref())
                .map(|keys| self.slow_at_first(&at("warm_up"), &named("warm_up"), keys))
                .transpose()?,
            leak_ns_per_minute: keys
                .leak_per_minute
                .map(|leak| self.short(&at("leak_per_minute"), &named("leak_per_minute"), leak))
                .transpose()?,
            cpu_throttling: keys.cpu_throttling,
            classes: self.class_behaviours(&at("classes"), &named("classes"), &keys.classes)?,
        })
    }

    /// What a version says, and below it what it inherits.
    fn inherited(&self, said: &BTreeMap<String, Said>, name: &str) -> Result<Said, Diagnostic> {
        let mut whole = said[name].clone();
        let mut line = vec![name.to_owned()];
        while let Some(parent) = whole.inherits.take() {
            let pointer = format!("/versions/{}/inherits", escaped(&line[line.len() - 1]));
            if line.contains(&parent) {
                let message = match line.as_slice() {
                    [_] => format!("the version `{name}` inherits itself"),
                    [_, between @ ..] => format!(
                        "the version `{parent}` inherits itself by way of {}",
                        nearest::listed(between)
                    ),
                    [] => unreachable!("the line starts with the version itself"),
                };
                return Err(self
                    .refuse(&pointer, message)
                    .help("take one `inherits` out"));
            }
            let Some(below) = said.get(&parent) else {
                return Err(self.unknown_version(&pointer, &parent, said.keys()));
            };
            let below = below.clone();
            whole = Said {
                inherits: below.inherits,
                service_time: whole.service_time.or(below.service_time),
                failure_time: whole.failure_time.or(below.failure_time),
                concurrency: whole.concurrency.or(below.concurrency),
                cpu_per_request_ns: whole.cpu_per_request_ns.or(below.cpu_per_request_ns),
                startup: whole.startup.or(below.startup),
                base_failure_rate: whole.base_failure_rate.or(below.base_failure_rate),
                image: whole.image.or(below.image),
                image_pull: whole.image_pull.or(below.image_pull),
                image_pull_fails_until: whole
                    .image_pull_fails_until
                    .or(below.image_pull_fails_until),
                memory_bytes: whole.memory_bytes.or(below.memory_bytes),
                memory_leak_bytes: whole.memory_leak_bytes.or(below.memory_leak_bytes),
                boot: whole.boot.or(below.boot),
                never_ready: whole.never_ready.or(below.never_ready),
                crash_after: whole.crash_after.or(below.crash_after),
                shutdown: whole.shutdown.or(below.shutdown),
                warm_up: whole.warm_up.or(below.warm_up),
                leak_ns_per_minute: whole.leak_ns_per_minute.or(below.leak_ns_per_minute),
                cpu_throttling: whole.cpu_throttling.or(below.cpu_throttling),
                classes: below.classes.into_iter().chain(whole.classes).collect(),
                env: below.env.into_iter().chain(whole.env).collect(),
            };
            line.push(parent);
        }
        Ok(whole)
    }

    fn slow_at_first(
        &self,
        pointer: &str,
        key: &str,
        keys: &WarmUpKeys,
    ) -> Result<WarmUp, Diagnostic> {
        let factor = self.factor(
            &format!("{pointer}/factor"),
            &format!("{key}.factor"),
            keys.factor,
        )?;
        let Time(lasts) = keys.lasts;
        if factor < 1.0 || lasts <= Span::ZERO || lasts > Span::from_secs(3600) {
            return Err(self
                .refuse(
                    pointer,
                    format!("`{key}` must slow a pod down (a factor of at least 1) for a time of at most 1h"),
                )
                .help("{ factor = 3.0, lasts = \"30s\" } is three times slower at first"));
        }
        Ok(WarmUp { factor, lasts })
    }

    fn class_behaviours(
        &self,
        pointer: &str,
        key: &str,
        classes: &BTreeMap<String, ClassTimesKeys>,
    ) -> Result<BTreeMap<String, ClassBehaviour>, Diagnostic> {
        let behaviour = |(name, keys): (&String, &ClassTimesKeys)| {
            let pointer = format!("{pointer}/{}", escaped(name));
            let distribution = |what: &str, keys: &Option<DistributionKeys>| {
                let (pointer, key) = (format!("{pointer}/{what}"), format!("{key}.{name}.{what}"));
                keys.as_ref()
                    .map(|keys| self.distribution(&pointer, &key, keys))
                    .transpose()
            };
            let behaviour = ClassBehaviour {
                service_time: distribution("service_time", &keys.service_time)?,
                failure_time: distribution("failure_time", &keys.failure_time)?,
                base_failure_rate: keys.base_failure_rate.map(|share| share.0),
            };
            Ok((name.clone(), behaviour))
        };
        classes.iter().map(behaviour).collect()
    }

    fn image_pull(
        &self,
        pointer: &str,
        key: &str,
        keys: &VersionKeys,
    ) -> Result<Option<ImagePull>, Diagnostic> {
        let takes = match &keys.image_pull {
            None => return Ok(None),
            Some(ImagePullKeys::Constant(PullTime::Fails(_))) => {
                return Ok(Some(ImagePull::Fails));
            }
            Some(ImagePullKeys::Constant(PullTime::Time(time))) => {
                DistributionKeys::Constant(*time)
            }
            Some(ImagePullKeys::Shape(shape)) => DistributionKeys::Shape(shape.clone()),
        };
        let takes = self.distribution(pointer, key, &takes)?;
        Ok(Some(ImagePull::Takes(takes)))
    }

    /// Versions that run must differ in their pod template, or nothing could tell which of them a pod is.
    pub(super) fn distinct(
        &self,
        used: &BTreeSet<&String>,
        versions: &BTreeMap<String, Version>,
        manifest: &PodTemplate,
    ) -> Result<(), Diagnostic> {
        let mut seen: Vec<(&str, PodTemplate)> = Vec::new();
        for name in used {
            let version = &versions[*name];
            let mut template = manifest.clone();
            if let Some(image) = &version.image {
                template.set_image(image);
            }
            for (variable, value) in &version.env {
                template.set_env(variable, value);
            }
            let twin = seen
                .iter()
                .find(|(other, same)| *same == template && versions[*other] != *version);
            if let Some((other, _)) = twin {
                return Err(self
                    .refuse(
                        &format!("/versions/{}", escaped(name)),
                        format!("the versions `{other}` and `{name}` have the same pod template"),
                    )
                    .help(format!(
                        "Flagger compares templates and would see no new revision: give `{name}` another `image` or `env`"
                    )));
            }
            seen.push((name, template));
        }
        Ok(())
    }

    /// One sentence for each workload value that some version leaves unsaid.
    fn assume_workload(&mut self, whole: &BTreeMap<String, Said>) {
        type Unsaid = fn(&Said) -> bool;
        let values: [(&str, &str, Unsaid); 4] = [
            (
                "service_time",
                "takes 20ms for a request (median; lognormal, sigma 0.5)",
                |said| said.service_time.is_none(),
            ),
            (
                "concurrency",
                "works on 8 requests at once per pod",
                |said| said.concurrency.is_none(),
            ),
            (
                "cpu_per_request",
                "spends 5ms of CPU time on a request",
                |said| said.cpu_per_request_ns.is_none(),
            ),
            (
                "startup",
                "is ready 4s after a pod's creation (median; lognormal, sigma 0.4)",
                |said| said.startup.is_none() && said.boot.is_none(),
            ),
        ];
        for (key, what, unsaid) in values {
            let names: Vec<&String> = whole
                .iter()
                .filter_map(|(name, said)| unsaid(said).then_some(name))
                .collect();
            if let Some(first) = names.first() {
                self.assume(format!(
                    "Version {} {what} (`versions.{first}.{key}`).",
                    nearest::listed(&names)
                ));
            }
        }
    }

    /// The version that runs before the first push.
    pub(super) fn initial_version(
        &self,
        file: &File,
        versions: &BTreeMap<String, Version>,
    ) -> Result<String, Diagnostic> {
        let mut names = versions.keys();
        match (&file.initial_version, names.next(), names.next()) {
            (Some(name), _, _) if versions.contains_key(name) => Ok(name.clone()),
            (Some(name), _, _) => {
                Err(self.unknown_version("/initial_version", name, versions.keys()))
            }
            (None, Some(only), None) => Ok(only.clone()),
            (None, _, _) if versions.contains_key("v1") => Ok("v1".to_owned()),
            (None, _, _) => Err(self
                .refuse("/versions", "it is not said which version runs first")
                .help("set `initial_version`, or call that version `v1`")),
        }
    }

    pub(super) fn unknown_version<'v>(
        &self,
        pointer: &str,
        name: &str,
        known: impl Iterator<Item = &'v String>,
    ) -> Diagnostic {
        let known: Vec<&str> = known.map(String::as_str).collect();
        let help = match nearest::nearest(name, known.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!(
                "there is {}; another needs its table `[versions.{}]`",
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
}

/// Whether a variable's text is a share, as FAIL_RATE must be.
pub(in crate::scenario) fn is_fraction(text: &str) -> bool {
    text.trim()
        .parse::<f64>()
        .is_ok_and(|share| (0.0..=1.0).contains(&share))
}

fn filled(said: Said) -> Version {
    Version {
        service_time: said.service_time.unwrap_or(SERVICE_TIME),
        failure_time: said.failure_time,
        concurrency: said.concurrency.unwrap_or(CONCURRENCY),
        cpu_per_request_ns: said.cpu_per_request_ns.unwrap_or(CPU_PER_REQUEST_NS),
        startup: said.startup.unwrap_or(STARTUP),
        base_failure_rate: said.base_failure_rate.unwrap_or(0.0),
        image: said.image,
        env: said.env,
        course: PodCourse {
            image_pull: said.image_pull,
            image_pull_fails_until: said.image_pull_fails_until,
            memory: (said.memory_bytes.is_some() || said.memory_leak_bytes.is_some()).then(|| {
                Memory {
                    base_bytes: said.memory_bytes.unwrap_or(MEMORY_BYTES),
                    leak_bytes_per_second: said.memory_leak_bytes.unwrap_or(0),
                }
            }),
            boot: said.boot,
            never_ready: said.never_ready.unwrap_or(false),
            crash_after: said.crash_after,
            shutdown: said.shutdown,
        },
        behaviour: Behaviour {
            warm_up: said.warm_up,
            leak_ns_per_minute: said.leak_ns_per_minute.unwrap_or(0),
            cpu_throttling: said.cpu_throttling.unwrap_or(false),
            classes: said.classes,
        },
    }
}
