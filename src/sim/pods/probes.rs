//! Startup, readiness and liveness probes: when they try, and what a run of results means.
//!
//! One [`ProbeWorker`] per container and probe, as in the kubelet. Its ticker starts when the pod is admitted, before
//! the container exists, so in relation to the container's start its phase is whatever it happens to be. Follows
//! `pkg/kubelet/prober/worker.go` of Kubernetes v1.36. Left out: the random first sleep after a restart of the kubelet.

use serde_json::Value;

use crate::k8s::PodTemplate;
use crate::time::{Span, Timestamp};

/// The timing of a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// `initialDelaySeconds`: no try before the container has run so long, in whole seconds.
    pub initial_delay: Span,
    /// `periodSeconds`.
    pub period: Span,
    /// `timeoutSeconds`: a try without an answer fails after this.
    pub timeout: Span,
    /// `successThreshold`: successes in a row until the result turns.
    pub success_threshold: u32,
    /// `failureThreshold`: failures in a row until the result turns.
    pub failure_threshold: u32,
}

impl Default for Probe {
    /// `pkg/apis/core/v1/defaults.go`, `SetDefaults_Probe`.
    fn default() -> Self {
        Probe {
            initial_delay: Span::ZERO,
            period: Span::from_secs(10),
            timeout: Span::from_secs(1),
            success_threshold: 1,
            failure_threshold: 3,
        }
    }
}

/// What a probe decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeKind {
    /// Whether the container has started; until then the others wait. Failing kills it.
    Startup,
    /// Whether the pod gets requests.
    Readiness,
    /// Whether the container lives. Failing kills it.
    Liveness,
}

/// The probes of a pod's first container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PodProbes {
    /// `startupProbe`.
    pub startup: Option<Probe>,
    /// `readinessProbe`; without one a pod is ready as soon as its container has started.
    pub readiness: Option<Probe>,
    /// `livenessProbe`.
    pub liveness: Option<Probe>,
}

/// How a container's start ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Started {
    /// The pod is ready.
    Ready(Timestamp),
    /// The startup or the liveness probe has failed: the container is killed and starts again.
    Killed(Timestamp),
}

impl PodProbes {
    /// As the template has them.
    pub fn of_template(template: &PodTemplate) -> Self {
        let container = &template.json()["spec"]["containers"][0];
        let probe = |key: &str| {
            Some(&container[key])
                .filter(|v| v.is_object())
                .map(Probe::read)
        };
        PodProbes {
            startup: probe("startupProbe"),
            readiness: probe("readinessProbe"),
            liveness: probe("livenessProbe"),
        }
    }

    /// How the start of a container ends that runs since `running` in a pod admitted at `admitted`, and answers its
    /// probes from `answers` on and never before.
    ///
    /// The readiness probe is tried out of turn whenever the kubelet notices that the container runs or has started.
    pub fn start(&self, admitted: Timestamp, running: Timestamp, answers: Timestamp) -> Started {
        let started = match self.startup {
            None => running,
            Some(probe) => {
                let mut worker = ProbeWorker::new(ProbeKind::Startup, probe, admitted);
                let mut at = worker.first_try(running);
                loop {
                    match worker.tried(at >= answers) {
                        Some(true) => break at,
                        Some(false) => return Started::Killed(at),
                        None => at = worker.tick_after(at),
                    }
                }
            }
        };
        if let Some(at) = self.killed_before(admitted, running.max(started), answers) {
            return Started::Killed(at);
        }
        let Some(probe) = self.readiness else {
            return Started::Ready(started);
        };
        let mut worker = ProbeWorker::new(ProbeKind::Readiness, probe, admitted);
        let eligible = worker.eligible(running);
        let may_be_poked = started >= eligible && started >= answers;
        // Failures before the first success change nothing.
        let mut at = if may_be_poked {
            started
        } else {
            worker.tick_at_or_after(eligible.max(answers).max(started))
        };
        while worker.tried(true).is_none() {
            at = worker.tick_after(at);
        }
        Started::Ready(at)
    }

    /// When the liveness probe, which waits for the startup probe, kills a container that has not answered yet.
    fn killed_before(
        &self,
        admitted: Timestamp,
        started: Timestamp,
        answers: Timestamp,
    ) -> Option<Timestamp> {
        let probe = self.liveness?;
        let mut worker = ProbeWorker::new(ProbeKind::Liveness, probe, admitted);
        let mut at = worker.first_try(started);
        while at < answers {
            if worker.tried(false) == Some(false) {
                return Some(at);
            }
            at = worker.tick_after(at);
        }
        None
    }
}

impl Probe {
    fn read(probe: &Value) -> Self {
        let default = Probe::default();
        let number = |key: &str| {
            let value = probe[key].as_i64().and_then(|n| i32::try_from(n).ok());
            value.filter(|n| *n > 0)
        };
        let span = |key: &str, default: Span| {
            number(key).map_or(default, |n| Span::from_secs(i64::from(n)))
        };
        let count = |key: &str, default: u32| number(key).map_or(default, i32::unsigned_abs);
        Probe {
            initial_delay: span("initialDelaySeconds", default.initial_delay),
            period: span("periodSeconds", default.period),
            timeout: span("timeoutSeconds", default.timeout),
            success_threshold: count("successThreshold", default.success_threshold),
            failure_threshold: count("failureThreshold", default.failure_threshold),
        }
    }
}

/// One probe of one container at work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProbeWorker {
    kind: ProbeKind,
    probe: Probe,
    admitted: Timestamp,
    result: Option<bool>,
    last: Option<bool>,
    in_a_row: u32,
}

impl ProbeWorker {
    /// A worker whose ticker starts at `admitted`.
    pub fn new(kind: ProbeKind, probe: Probe, admitted: Timestamp) -> Self {
        ProbeWorker {
            kind,
            probe,
            admitted,
            result: Self::initial(kind),
            last: None,
            in_a_row: 0,
        }
    }

    /// What counts at present: `None` for a startup probe that has not come to a result.
    pub fn result(&self) -> Option<bool> {
        self.result
    }

    /// The first tick from `at` on.
    pub fn tick_at_or_after(&self, at: Timestamp) -> Timestamp {
        let period = self.probe.period.as_millis().max(1);
        let since = (at - self.admitted).as_millis().max(0);
        let ticks = since.unsigned_abs().div_ceil(period.unsigned_abs());
        self.admitted + self.probe.period * ticks as i64
    }

    /// The first tick later than `at`.
    pub fn tick_after(&self, at: Timestamp) -> Timestamp {
        self.tick_at_or_after(at + Span::from_millis(1))
    }

    /// From when on a tick tries, for a container that runs since `running`.
    pub fn eligible(&self, running: Timestamp) -> Timestamp {
        running + self.probe.initial_delay
    }

    /// The first tick that tries.
    pub fn first_try(&self, running: Timestamp) -> Timestamp {
        self.tick_at_or_after(self.eligible(running))
    }

    /// Notes a try. Says the result where enough in a row have agreed, whether or not it is a new one.
    pub fn tried(&mut self, succeeded: bool) -> Option<bool> {
        if self.last == Some(succeeded) {
            self.in_a_row += 1;
        } else {
            self.last = Some(succeeded);
            self.in_a_row = 1;
        }
        let threshold = if succeeded {
            self.probe.success_threshold
        } else {
            self.probe.failure_threshold
        };
        if self.in_a_row < threshold {
            return None;
        }
        self.result = Some(succeeded);
        if !succeeded && self.kind != ProbeKind::Readiness {
            // The container is killed; the run starts over with the next one.
            self.in_a_row = 0;
        }
        self.result
    }

    /// A new container runs: results start over, a run of equal tries goes on.
    pub fn container_started(&mut self) {
        self.result = Self::initial(self.kind);
    }

    fn initial(kind: ProbeKind) -> Option<bool> {
        match kind {
            ProbeKind::Startup => None,
            ProbeKind::Readiness => Some(false),
            ProbeKind::Liveness => Some(true),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn probe(delay: i64, period: i64, success: u32, failure: u32) -> Probe {
        Probe {
            initial_delay: Span::from_secs(delay),
            period: Span::from_secs(period),
            success_threshold: success,
            failure_threshold: failure,
            ..Probe::default()
        }
    }

    fn ms(ms: i64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    #[test]
    fn a_liveness_probe_kills_a_container_that_boots_for_longer_than_it_waits() {
        let probes = PodProbes {
            liveness: Some(probe(0, 10, 1, 3)),
            readiness: Some(probe(0, 10, 1, 3)),
            ..PodProbes::default()
        };
        // Tries at 10, 20 and 30 s; an answer in time saves it.
        let start = |answers| probes.start(ms(0), ms(2500), ms(answers));
        assert_eq!(start(60_000), Started::Killed(ms(30_000)));
        assert_eq!(start(30_000), Started::Ready(ms(30_000)));
        let waits = PodProbes {
            startup: Some(probe(0, 10, 1, 30)),
            ..probes
        };
        assert_eq!(
            waits.start(ms(0), ms(2500), ms(60_000)),
            Started::Ready(ms(60_000)),
            "the liveness probe waits for the startup probe"
        );
    }

    /// The pod is admitted at 0 and its container runs from 2.5 s on.
    #[test]
    fn a_pod_is_ready_at_a_poke_or_at_the_next_tick() {
        let readiness = |probe| PodProbes {
            readiness: Some(probe),
            ..PodProbes::default()
        };
        let slow = PodProbes {
            startup: Some(probe(0, 2, 1, 5)),
            ..readiness(probe(0, 10, 1, 3))
        };
        for (what, probes, answers, expected) in [
            (
                "no probe",
                PodProbes::default(),
                9000,
                Started::Ready(ms(2500)),
            ),
            (
                "up at once",
                readiness(probe(0, 10, 1, 3)),
                2500,
                Started::Ready(ms(2500)),
            ),
            (
                "up later",
                readiness(probe(0, 10, 1, 3)),
                2600,
                Started::Ready(ms(10_000)),
            ),
            (
                "a delay",
                readiness(probe(5, 3, 1, 3)),
                0,
                Started::Ready(ms(9000)),
            ),
            (
                "twice",
                readiness(probe(0, 3, 2, 3)),
                2700,
                Started::Ready(ms(6000)),
            ),
            (
                "twice, poked",
                readiness(probe(0, 3, 2, 3)),
                0,
                Started::Ready(ms(3000)),
            ),
            ("startup, then poked", slow, 7000, Started::Ready(ms(8000))),
            (
                "startup too slow",
                slow,
                13_000,
                Started::Killed(ms(12_000)),
            ),
        ] {
            let started = probes.start(ms(0), ms(2500), ms(answers));
            assert_eq!(started, expected, "{what}");
        }
    }

    #[test]
    fn a_result_turns_after_so_many_equal_tries_in_a_row() {
        let mut worker = ProbeWorker::new(ProbeKind::Readiness, probe(0, 10, 2, 3), ms(0));
        let tries = [
            true, true, false, false, true, false, false, false, true, true,
        ];
        let results = tries.map(|t| {
            worker.tried(t);
            worker.result() == Some(true)
        });
        let expected = [
            false, true, true, true, true, true, true, false, false, true,
        ];
        assert_eq!(results, expected);
    }

    #[test]
    fn a_failed_liveness_probe_starts_over_with_the_next_container() {
        let mut worker = ProbeWorker::new(ProbeKind::Liveness, probe(0, 10, 1, 2), ms(0));
        assert_eq!(worker.result(), Some(true));
        assert_eq!(
            [worker.tried(false), worker.tried(false)],
            [None, Some(false)]
        );
        worker.container_started();
        assert_eq!(worker.result(), Some(true));
        assert_eq!(
            [worker.tried(false), worker.tried(false)],
            [None, Some(false)]
        );
    }

    #[test]
    fn probes_are_read_with_their_defaults() {
        let template = PodTemplate::from(json!({ "spec": { "containers": [{
            "readinessProbe": { "httpGet": { "port": 80 }, "periodSeconds": 3 },
        }]}}));
        let probes = PodProbes::of_template(&template);
        assert_eq!(probes.readiness, Some(probe(0, 3, 1, 3)));
        assert_eq!(probes.startup, None);
    }
}
