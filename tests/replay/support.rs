//! A recording made by a simulation, and the program asked about it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

/// Flagger's own rules over ingress-nginx as it labels requests.
pub(crate) const NGINX: [&str; 5] = [
    "rules=flagger",
    "provider=nginx",
    "canary.spec.ingressRef={apiVersion='networking.k8s.io/v1',kind='Ingress',name='load-harness'}",
    "prometheus.honor_labels=true",
    "canary.spec.analysis.metrics=[{name='request-success-rate',thresholdRange={min=99},interval='1m'}]",
];

/// The load-harness' Canary with the settings of [`NGINX`], as a cluster would have it.
pub(crate) const CANARY: &str = "\
apiVersion: flagger.app/v1beta1
kind: Canary
metadata:
  name: load-harness
  namespace: applications
spec:
  provider: nginx
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: load-harness}
  ingressRef: {apiVersion: networking.k8s.io/v1, kind: Ingress, name: load-harness}
  service: {port: 80, targetPort: 8080}
  analysis:
    interval: 30s
    threshold: 3
    maxWeight: 50
    stepWeight: 10
    metrics:
    - name: request-success-rate
      thresholdRange: {min: 99}
      interval: 1m
";

/// A directory with `series.om`, `ticks`, `weights` of a simulated rollout, and its record.
pub(crate) struct Recorded {
    directory: TempDir,
    pub(crate) record: Value,
    /// The time of the detecting tick in the series, in seconds.
    pub(crate) start: f64,
}

impl Recorded {
    /// Simulates a release that fails so many of its requests.
    pub(crate) fn new(fail_rate: &str, set: &[&str]) -> Recorded {
        let directory = tempfile::tempdir().unwrap();
        let mut args = vec!["simulate", "scenarios/healthy.toml", "--series", "--out"];
        let out = directory.path().to_str().unwrap().to_owned();
        args.push(&out);
        let fail = format!("versions.v2.env.FAIL_RATE={fail_rate}");
        let all = NGINX.iter().chain(set).copied();
        for key in all.chain(["ingress.attribution=shared", &fail]) {
            args.extend(["--set", key]);
        }
        told(&args);
        let record: Value =
            serde_json::from_str(&fs::read_to_string(directory.path().join("run.json")).unwrap())
                .unwrap();
        // The zero of the run's clock stands a day after the epoch.
        let horizon = number(&record["scenario"]["run"]["horizon"]) / 1000.0;
        let start = 86_400.0 + horizon - number(&record["ended_at_s"]);
        let recorded = Recorded {
            directory,
            record,
            start,
        };
        recorded.write_ticks_and_weights();
        recorded
    }

    /// A tick stands for the moment at which its queries were evaluated.
    fn write_ticks_and_weights(&self) {
        let (mut ticks, mut weights) = (String::new(), String::new());
        for tick in self.record["ticks"].as_array().unwrap() {
            let at = number(&tick["at_s"]);
            if at < 0.0 {
                continue;
            }
            let asked = tick["queries"][0]["evaluated_at_s"].as_f64().unwrap_or(at);
            ticks += &format!("{:.3}\n", self.start + asked);
            weights += &format!("{:.3} {}\n", self.start + at, tick["canary_weight"]);
        }
        fs::write(self.path("ticks"), ticks).unwrap();
        fs::write(self.path("weights"), weights).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// The arguments of a replay of these series, ticks and weights included.
    pub(crate) fn replay(&self, more: &[&str]) -> Output {
        let ticks = self.path("ticks").display().to_string();
        let weights = self.path("weights").display().to_string();
        let given = ["--ticks", &ticks, "--weights", &weights];
        self.replay_with(&[&given[..], more].concat())
    }

    /// The same without ticks and weights.
    pub(crate) fn replay_with(&self, more: &[&str]) -> Output {
        let series = self.path("series.om").display().to_string();
        replay_of(Path::new(&series), more)
    }

    /// The summary of a replay.
    pub(crate) fn summary(&self, more: &[&str]) -> Value {
        let output = self.replay(&[more, &["--format", "json"]].concat());
        assert!(output.status.success(), "{}", stderr(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

/// A replay of a file of series with [`CANARY`].
pub(crate) fn replay_of(series: &Path, more: &[&str]) -> Output {
    let directory = tempfile::tempdir().unwrap();
    let canary = directory.path().join("canary.yaml");
    fs::write(&canary, CANARY).unwrap();
    let (series, canary) = (series.display().to_string(), canary.display().to_string());
    let args = ["replay", "--openmetrics", &series, "--canary", &canary];
    rollcast(&[&args[..], more].concat())
}

pub(crate) fn number(value: &Value) -> f64 {
    value
        .as_f64()
        .unwrap_or_else(|| panic!("{value} is no number"))
}

pub(crate) fn rollcast(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rollcast"))
        .args(args)
        .output()
        .unwrap()
}

/// What a command that works prints.
pub(crate) fn told(args: &[&str]) -> String {
    let output = rollcast(args);
    // Other releases than a scenario expects are simulated here.
    assert!(
        matches!(output.status.code(), Some(0 | 1)),
        "{args:?}: {}",
        stderr(&output)
    );
    String::from_utf8(output.stdout).unwrap()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
