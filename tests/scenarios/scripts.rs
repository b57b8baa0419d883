//! What a scenario scripts: webhooks and their latency, new configs, suspension, edits of the Canary.

use std::path::Path;
use std::sync::Arc;

use rollcast::diagnostic::SourceText;
use rollcast::record::{Outcome, Record};
use rollcast::scenario::{Action, Files, ScenarioEvent, assemble};
use rollcast::sim;
use rollcast::time::Span;

use crate::{load, messages, run};

/// The load-harness manifests, with a ConfigMap and a Secret.
struct Manifests;

impl Files for Manifests {
    fn matching(&self, pattern: &str) -> Result<Vec<Arc<SourceText>>, String> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/load-harness");
        if pattern == "configs" {
            return Ok(vec![SourceText::new("configs.yaml", CONFIGS)]);
        }
        let names = [
            "canary",
            "deployment",
            "hpa",
            "ingress",
            "metrictemplate",
            "service",
        ];
        let read = |name: &&str| {
            let path = folder.join(format!("{name}.yaml"));
            SourceText::new(*name, std::fs::read_to_string(path).unwrap())
        };
        Ok(names.iter().map(read).collect())
    }
}

const CONFIGS: &str = r#"
apiVersion: v1
kind: ConfigMap
metadata: { name: app, namespace: applications }
data: { LEVEL: info }
---
apiVersion: v1
kind: Secret
metadata: { name: app, namespace: applications }
type: Opaque
data: { TOKEN: YQ== }
"#;

/// A run of a healthy release, three checks, 10 % a step to 30 %, with `more` in the scenario.
pub(crate) fn simulated(more: &str) -> Record {
    let text = format!(
        r#"
manifests = ["load-harness", "configs"]
provider = "nginx"
run.horizon = "12m"
traffic.rate = "20/s"
prometheus.scrape_interval = "5s"
[versions.v1]
[versions.v2]
[canary.spec]
ingressRef = {{ apiVersion = "networking.k8s.io/v1", kind = "Ingress", name = "load-harness" }}
[canary.spec.analysis]
maxWeight = 30
metrics = [{{ name = "success-rate", interval = "1m", templateRef = {{ name = "nginx-request-success-rate" }}, thresholdRange = {{ min = 99 }} }}]
{more}
"#
    );
    let source = SourceText::new("scenario.toml", text);
    let scenario = assemble("test", &source, &[], &Manifests).unwrap_or_else(|e| panic!("{e}"));
    sim::simulate(&scenario)
}

/// Times in seconds of the ticks from the detecting one on.
fn ticks(record: &Record) -> Vec<f64> {
    let times = record.ticks.iter().map(|tick| tick.at.as_secs_f64());
    times.filter(|at| *at >= 0.0).collect()
}

/// Seconds and message of each event from the detecting tick on.
fn said(record: &Record) -> Vec<(f64, &str)> {
    let events = record.events.iter();
    events
        .map(|event| (event.at.as_secs_f64(), event.message.as_str()))
        .filter(|(at, _)| *at >= 0.0)
        .collect()
}

#[test]
fn a_slow_hook_shifts_what_follows_and_one_missed_tick_is_made_up_for() {
    let record = run(&load("gated-promotion"), 1);
    assert_eq!(ticks(&record)[..5], [0.0, 30.0, 70.0, 90.0, 120.0]);
    let advances: Vec<f64> = said(&record)
        .iter()
        .filter(|(_, message)| message.starts_with("Advance"))
        .map(|(at, _)| *at)
        .collect();
    assert_eq!(advances, [70.0, 70.0, 90.0, 120.0, 150.0]);
    // While the hook is waited for, no one is sent to the canary.
    let before = record.traffic.iter().filter(|second| second.at_s < 70);
    assert_eq!(before.map(|second| second.canary).sum::<u64>(), 0);
    // Queries of a tick that waited are evaluated when they are sent.
    let late = &record
        .ticks
        .iter()
        .find(|t| t.at.as_secs_f64() == 70.0)
        .unwrap()
        .queries;
    assert!(late[0].evaluated_at.as_secs_f64() > 70.0);
}

#[test]
fn a_closed_gate_is_asked_at_every_tick_until_it_opens() {
    let record = run(&load("gated-promotion"), 1);
    let said = said(&record);
    let gate: Vec<_> = said.iter().filter(|(_, m)| m.contains("gate")).collect();
    assert_eq!(
        gate,
        [
            &(
                180.0,
                "Halt load-harness.applications advancement waiting for promotion approval gate"
            ),
            &(300.0, "Confirm-promotion check gate passed"),
        ]
    );
    let waiting = record
        .ticks
        .iter()
        .filter(|tick| tick.decision == "waiting");
    assert_eq!(waiting.count(), 4);
    assert!(record.findings.iter().all(|f| f.code != "webhooks-assumed"));
}

#[test]
fn retries_that_fail_lengthen_the_tick_and_count_as_one_failed_check() {
    // Three attempts of 500 ms with waits of 1 s and 2 s between them: 4.5 s in every check from 1:00 on.
    let record = simulated(
        r#"
webhooks = [{ name = "test", type = "rollout", url = "http://test/", retries = 2 }]
[webhooks.test]
status = 503
latency = "500ms"
[[events]]
at = "0s"
push = "v2"
"#,
    );
    assert_eq!(record.outcome, Outcome::RolledBack);
    let failed = "Halt load-harness.applications advancement external check test failed POST http://test/ giving up after 3 attempt(s)";
    let times: Vec<f64> = said(&record)
        .iter()
        .filter(|(_, message)| *message == failed)
        .map(|(at, _)| *at)
        .collect();
    assert_eq!(times, [64.5, 94.5, 124.5], "{:?}", said(&record));
    assert_eq!(ticks(&record)[..6], [0.0, 30.0, 60.0, 90.0, 120.0, 150.0]);
}

#[test]
fn a_rollback_hook_that_starts_to_answer_rolls_back() {
    let record = simulated(
        r#"
webhooks = [{ name = "stop", type = "rollback", url = "http://test/" }]
[webhooks.stop]
outcome = "fails"
changes = [{ from = "1m30s", outcome = "passes" }]
[[events]]
at = "0s"
push = "v2"
"#,
    );
    assert_eq!(record.outcome, Outcome::RolledBack);
    assert_eq!(record.decided_at.unwrap().as_secs_f64(), 90.0);
    assert!(messages(&record).contains(&"Rollback check stop passed"));
}

#[test]
fn new_data_in_a_tracked_config_starts_a_rollout() {
    for (kind, reference) in [("config_map", "configMapRef"), ("secret", "secretRef")] {
        let record = simulated(&format!(
            r#"
[[deployment.spec.template.spec.containers]]
name = "load-harness"
image = "app:1"
envFrom = [{{ {reference} = {{ name = "app" }} }}]
[[events]]
at = "10s"
config = {{ {kind} = "app", data = {{ TOKEN = "Yg==" }} }}
"#
        ));
        assert_eq!(
            record.outcome,
            Outcome::Promoted,
            "{kind}: {:?}",
            messages(&record)
        );
    }
}

#[test]
fn a_suspended_canary_does_nothing_until_it_is_resumed() {
    let record = simulated(
        r#"
[[events]]
at = "0s"
push = "v2"
[[events]]
at = "45s"
suspend = true
[[events]]
at = "3m10s"
suspend = false
"#,
    );
    let suspended: Vec<f64> = said(&record)
        .iter()
        .filter(|(_, message)| message.contains("suspended"))
        .map(|(at, _)| *at)
        .collect();
    assert_eq!(suspended, [60.0, 90.0, 120.0, 150.0, 180.0]);
    assert_eq!(record.outcome, Outcome::Promoted);
    // 1:00 to 3:00 were skipped: 20 % at 3:30, 30 % at 4:00, promoted at 4:30.
    assert_eq!(record.decided_at.unwrap().as_secs_f64(), 270.0);
}

#[test]
fn a_new_interval_acts_at_the_control_loops_next_pass_and_other_edits_at_the_next_tick() {
    let record = simulated(
        r#"
[[events]]
at = "0s"
push = "v2"
[[events]]
at = "33s"
patch = { analysis = { interval = "15s", maxWeight = 20 } }
"#,
    );
    assert_eq!(ticks(&record)[..6], [0.0, 30.0, 40.0, 55.0, 70.0, 85.0]);
    // 10 % at 0:30, 20 % at 0:40, which is now the most, promoted at 0:55.
    assert_eq!(record.decided_at.unwrap().as_secs_f64(), 55.0);
}

/// What users got from 5:00 on in a run in which the Canary is deleted at 1:00, and the target's replicas then.
fn after_deletion(revert: bool) -> (Record, u64, u64, i32) {
    let mut scenario = load("gated-promotion");
    scenario.manifests.canary.spec.revert_on_deletion = revert;
    scenario.events = vec![ScenarioEvent {
        at: Span::from_secs(60),
        action: Action::Delete,
    }];
    let record = run(&scenario, 1);
    let late = record.traffic.iter().filter(|second| second.at_s >= 300);
    let (mut requests, mut failed, mut wanted) = (0, 0, -1);
    for second in late {
        requests += second.requests;
        failed += second.failed;
        wanted = second.canary_wanted;
    }
    (record, requests, failed, wanted)
}

#[test]
fn a_deleted_canary_takes_the_primary_along_and_leaves_the_target_at_zero() {
    let (record, requests, failed, wanted) = after_deletion(false);
    assert!(
        requests > 1000 && failed == requests,
        "{failed} of {requests}"
    );
    assert_eq!(wanted, 0);
    assert!(
        messages(&record)
            .iter()
            .all(|text| !text.contains("Terminat"))
    );
    let last = record.ticks.last().unwrap();
    assert!(last.at.as_millis() <= 60_000, "no tick without a Canary");
}

#[test]
fn with_revert_on_deletion_the_target_gets_its_replicas_and_its_service_back_first() {
    let (record, requests, failed, wanted) = after_deletion(true);
    assert!(requests > 1000 && failed == 0, "{failed} of {requests}");
    assert!(wanted > 0);
    let said: Vec<&str> = messages(&record)
        .into_iter()
        .filter(|text| text.contains("Terminat"))
        .collect();
    assert_eq!(
        said,
        [
            "Terminating canary load-harness.applications",
            "Terminated canary load-harness.applications",
        ]
    );
}
