//! `[[chaos]]`: faults, checked against what there is.

use std::collections::BTreeMap;

use super::Reading;
use crate::diagnostic::Diagnostic;
use crate::scenario::model::{Fault, FaultKind, Version};
use crate::scenario::schema::{ChaosKeys, File};
use crate::scenario::units::{FineTime, Time, shown};
use crate::time::Span;

/// Longest time that a fault may add to a request, in nanoseconds.
const MAX_ADDED_NS: u64 = 3600 * 1_000_000_000;

impl Reading<'_> {
    /// All faults in order of their start.
    pub(super) fn chaos(
        &self,
        file: &File,
        versions: &BTreeMap<String, Version>,
        horizon: Span,
    ) -> Result<Vec<Fault>, Diagnostic> {
        let mut faults = Vec::new();
        for (index, keys) in file.chaos.iter().enumerate() {
            faults.push(self.fault(index, keys, versions, horizon)?);
        }
        faults.sort_by_key(|fault| fault.start);
        Ok(faults)
    }

    fn fault(
        &self,
        index: usize,
        keys: &ChaosKeys,
        versions: &BTreeMap<String, Version>,
        horizon: Span,
    ) -> Result<Fault, Diagnostic> {
        let pointer = format!("/chaos/{index}");
        let named = format!("chaos[{index}]");
        let Time(start) = keys.start;
        self.within_run(
            &format!("{pointer}/start"),
            &format!("{named}.start"),
            start,
            horizon,
        )?;
        if let Some(Time(end)) = keys.end
            && end <= start
        {
            return Err(self
                .refuse(
                    &format!("{pointer}/end"),
                    format!(
                        "`{named}.end` must be later than `start`, but {} is not later than {}",
                        shown(end),
                        shown(start)
                    ),
                )
                .help("times count from the scenario's zero; without `end` it lasts as long as the run"));
        }
        if let Some(version) = &keys.version
            && !versions.contains_key(version)
        {
            return Err(self.unknown_version(
                &format!("{pointer}/version"),
                version,
                versions.keys(),
            ));
        }
        let kind = self.fault_kind(&pointer, &named, keys)?;
        self.aimed(&pointer, &named, keys, &kind)?;
        Ok(Fault {
            start,
            end: keys.end.map(|end| end.0),
            version: keys.version.clone(),
            workload: keys.workload,
            kind,
        })
    }

    fn fault_kind(
        &self,
        pointer: &str,
        named: &str,
        keys: &ChaosKeys,
    ) -> Result<FaultKind, Diagnostic> {
        let at = |key: &str| (format!("{pointer}/{key}"), format!("{named}.{key}"));
        let time = |key: &str, given: Option<FineTime>| {
            let (pointer, named) = at(key);
            given
                .map(|time| self.short(&pointer, &named, time))
                .transpose()
        };
        let factor = |key: &str, given: Option<f64>| {
            let (pointer, named) = at(key);
            given
                .map(|factor| self.factor(&pointer, &named, factor))
                .transpose()
        };
        let delay = |key: &str, given: Option<Time>| {
            let (_, named) = at(key);
            given
                .map(|_| self.delay_at(&format!("{pointer}/{key}"), &named, given, 0))
                .transpose()
        };
        let flag = |given: Option<bool>, kind: FaultKind| given.filter(|on| *on).map(|_| kind);
        let (fail_time_at, fail_time) = at("fail_time");
        let fail_time = (keys.fail_time.as_ref())
            .map(|keys| self.distribution(&fail_time_at, &fail_time, keys))
            .transpose()?;
        let kill = keys
            .kill_pods
            .map(|count| {
                let (pointer, named) = at("kill_pods");
                self.count(&pointer, &named, count)
            })
            .transpose()?;
        let given: Vec<FaultKind> = [
            keys.fail_rate.map(|share| FaultKind::Failures {
                share: share.0,
                time: fail_time.clone(),
            }),
            time("latency", keys.latency)?.map(FaultKind::Latency),
            factor("slowdown", keys.slowdown)?.map(FaultKind::Slowdown),
            time("leak", keys.leak)?.map(FaultKind::Leak),
            kill.map(FaultKind::PodKill),
            delay("crash_after", keys.crash_after)?.map(FaultKind::CrashLoop),
            delay("slow_start", keys.slow_start)?.map(FaultKind::SlowStart),
            flag(keys.unreachable, FaultKind::Unreachable),
            flag(keys.scrape_gap, FaultKind::ScrapeGap),
            flag(keys.prometheus_down, FaultKind::PrometheusDown),
            factor("burst", keys.burst)?.map(FaultKind::Burst),
            flag(keys.reload, FaultKind::Reload),
            flag(keys.ingress_restart, FaultKind::IngressRestart),
            flag(keys.flagger_down, FaultKind::FlaggerDown),
        ]
        .into_iter()
        .flatten()
        .collect();
        if fail_time.is_some() && keys.fail_rate.is_none() {
            return Err(self
                .refuse(
                    &fail_time_at,
                    format!("`{named}.fail_time` belongs to `fail_rate`, which is not given"),
                )
                .help("`fail_rate = 1.0` fails all requests"));
        }
        let [kind] = given.as_slice() else {
            let what = match given.as_slice() {
                [] => format!("`{named}` says when, but not what"),
                [first, second, ..] => {
                    format!(
                        "`{named}` has both `{}` and `{}`",
                        first.key(),
                        second.key()
                    )
                }
                [_] => unreachable!("one kind is what is wanted"),
            };
            return Err(self.refuse(pointer, what).help(
                "give one of `fail_rate`, `latency`, `slowdown`, `leak`, `kill_pods`, `crash_after`, `slow_start`, \
                 `unreachable`, `scrape_gap`, `prometheus_down`, `burst`, `reload`, `ingress_restart` and `flagger_down`; write another [[chaos]] for the next",
            ));
        };
        Ok(kind.clone())
    }

    /// Refuses a target for what strikes no pods, and an end for what happens once.
    fn aimed(
        &self,
        pointer: &str,
        named: &str,
        keys: &ChaosKeys,
        kind: &FaultKind,
    ) -> Result<(), Diagnostic> {
        let strikes_pods = !matches!(
            kind,
            FaultKind::ScrapeGap
                | FaultKind::PrometheusDown
                | FaultKind::Burst(_)
                | FaultKind::Reload
                | FaultKind::IngressRestart
                | FaultKind::FlaggerDown
        );
        if !strikes_pods && (keys.version.is_some() || keys.workload.is_some()) {
            return Err(self
                .refuse(
                    pointer,
                    format!("`{named}`: `{}` strikes no pods", kind.key()),
                )
                .help("take `version` and `workload` out"));
        }
        let happens_once = matches!(
            kind,
            FaultKind::PodKill(_) | FaultKind::Reload | FaultKind::IngressRestart
        );
        if happens_once && keys.end.is_some() {
            return Err(self
                .refuse(
                    &format!("{pointer}/end"),
                    format!("`{named}`: `{}` happens once, at `start`", kind.key()),
                )
                .help("take `end` out; write another [[chaos]] for the next time"));
        }
        Ok(())
    }

    /// A time that a request may take longer.
    pub(super) fn short(
        &self,
        pointer: &str,
        key: &str,
        FineTime(ns): FineTime,
    ) -> Result<u64, Diagnostic> {
        if ns <= MAX_ADDED_NS {
            return Ok(ns);
        }
        Err(self
            .refuse(pointer, format!("`{key}` must be at most 1h"))
            .help("it is the time of one request"))
    }

    /// How many times as much.
    pub(super) fn factor(&self, pointer: &str, key: &str, factor: f64) -> Result<f64, Diagnostic> {
        if (0.0..=1000.0).contains(&factor) {
            return Ok(factor);
        }
        Err(self
            .refuse(
                pointer,
                format!("`{key}` must be from 0 to 1000, not {factor}"),
            )
            .help("2.0 is twice as much"))
    }
}
