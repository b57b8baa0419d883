//! From a folder of manifests to a first forecast: `simulate -f`, and the scenario that `import` writes.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const CANARY: &str = "
apiVersion: flagger.app/v1beta1
kind: Canary
metadata: {name: shop, namespace: web}
spec:
  provider: nginx
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: shop}
  ingressRef: {apiVersion: networking.k8s.io/v1, kind: Ingress, name: shop}
  service: {port: 80, retries: {attempts: 3}}
  analysis:
    interval: 30s
    threshold: 2
    stepWeight: 10
    maxWeight: 50
    metrics:
    - {name: request-success-rate, interval: 1m, thresholdRange: {min: 99}}
    - {name: latency, templateRef: {name: latency, namespace: flagger}, thresholdRange: {max: 500}}
---
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata: {name: ingress-nginx-controller, namespace: ingress-nginx}
spec:
  selector: {matchLabels: {app.kubernetes.io/name: ingress-nginx}}
  endpoints: [{port: metrics, interval: 5s, honorLabels: true}]
";

fn rollcast(folder: &Path, args: &[&str], stdin: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_rollcast"))
        .args(args)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Whoever does not read it closes it.
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A folder with manifests and files that are none.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("k8s/base")).unwrap();
    fs::write(folder.path().join("k8s/base/canary.yaml"), CANARY).unwrap();
    fs::write(folder.path().join("k8s/values.yaml"), "replicas: 3\n").unwrap();
    fs::write(folder.path().join("k8s/notes.txt"), "no: yaml: at: all").unwrap();
    folder
}

#[test]
fn a_folder_is_enough_for_a_forecast_and_every_assumption_is_told() {
    let folder = folder();
    let out = rollcast(
        folder.path(),
        &[
            "simulate",
            "-f",
            "k8s",
            "--push",
            "fail-rate=0.3",
            "--rate",
            "200/s",
            "--no-out",
        ],
        "",
    );
    let shown = text(&out.stdout);
    assert!(out.status.success(), "{}", text(&out.stderr));
    let flat = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in [
        "Rolled back",
        "interval 30s",
        "The Deployment `shop`, which is not given",
        "The Ingress `shop`, which is not given, sends shop.example.com",
        "The metric `latency` always passes, since its MetricTemplate `flagger/latency` is not given",
        "`spec.service.retries` plays no part",
        "k8s/values.yaml holds no Kubernetes object",
        "`versions.v1.service_time`",
    ] {
        assert!(flat.contains(part), "{part}:\n{shown}");
    }
    // Both were said: by the flag, by the ServiceMonitor.
    for part in [
        "`traffic.rate`",
        "`prometheus.scrape_interval`",
        "honorLabels",
    ] {
        assert!(!flat.contains(part), "{part}:\n{shown}");
    }
}

/// What stands for a template that is not given passes, and does not end the rollout.
#[test]
fn a_release_is_promoted_past_templates_that_are_not_given() {
    let folder = tempfile::tempdir().unwrap();
    let out = rollcast(folder.path(), &["simulate", "-f", "-", "--no-out"], CANARY);
    assert!(
        text(&out.stdout).contains("Promoted: "),
        "{}",
        text(&out.stdout)
    );
}

#[test]
fn what_import_writes_runs_as_f_does_to_the_byte() {
    let folder = folder();
    let here = folder.path();
    let wishes = ["-f", "k8s", "--push", "fail-rate=0.3", "--rate", "50/s"];
    let direct = rollcast(
        here,
        &[&["simulate"], &wishes[..], &["--out", "a"]].concat(),
        "",
    );
    assert!(direct.status.success(), "{}", text(&direct.stderr));
    let import = [&["import"], &wishes[..], &["-o", "scenarios/shop.toml"]].concat();
    let imported = rollcast(here, &import, "");
    assert!(imported.status.success(), "{}", text(&imported.stderr));
    let scenario = fs::read_to_string(here.join("scenarios/shop.toml")).unwrap();
    assert!(
        scenario.contains("\"../k8s/base/canary.yaml\""),
        "{scenario}"
    );
    assert!(
        scenario.contains("# Assumed: the Deployment is not among the manifests."),
        "{scenario}"
    );
    assert!(
        scenario.contains("(`versions.v1.service_time`)"),
        "{scenario}"
    );
    let run = rollcast(here, &["simulate", "scenarios/shop.toml", "--out", "b"], "");
    assert!(run.status.success(), "{}", text(&run.stderr));
    for file in ["timeline.csv", "checks.csv", "traffic.csv", "events.log"] {
        let read = |folder: &str| fs::read(here.join(folder).join(file)).unwrap();
        assert!(read("a") == read("b"), "{file} differs");
    }
    let record = |folder: &str| {
        let text = fs::read_to_string(here.join(folder).join("run.json")).unwrap();
        // The way to the manifests is all that differs.
        text.replace("scenarios/../k8s", "k8s")
    };
    assert!(record("a") == record("b"), "run.json differs");
    let again = rollcast(here, &import, "");
    assert_eq!(again.status.code(), Some(2));
    assert!(
        text(&again.stderr).contains("--force"),
        "{}",
        text(&again.stderr)
    );
}

#[test]
fn manifests_come_from_standard_input_too() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let direct = rollcast(here, &["simulate", "-f", "-", "--out", "a"], CANARY);
    assert!(direct.status.success(), "{}", text(&direct.stderr));
    let imported = rollcast(here, &["import", "-f", "-", "-o", "shop.toml"], CANARY);
    assert!(imported.status.success(), "{}", text(&imported.stderr));
    assert_eq!(fs::read_to_string(here.join("shop.yaml")).unwrap(), CANARY);
    let run = rollcast(here, &["simulate", "shop.toml", "--out", "b"], "");
    assert!(run.status.success(), "{}", text(&run.stderr));
    let read = |folder: &str| fs::read(here.join(folder).join("timeline.csv")).unwrap();
    assert!(read("a") == read("b"));
}

#[test]
fn of_several_canaries_one_is_chosen() {
    let several = [
        CANARY,
        &CANARY
            .replace("namespace: web", "namespace: staging")
            .replace("kind: ServiceMonitor", "kind: Other"),
    ]
    .join("---");
    let folder = tempfile::tempdir().unwrap();
    let simulate = |canary: &[&str]| {
        let args = [&["simulate", "-f", "-", "--no-out"], canary].concat();
        rollcast(folder.path(), &args, &several)
    };
    let refused = text(&simulate(&[]).stderr);
    assert!(
        refused.contains("2 Canaries: `web/shop` and `staging/shop`"),
        "{refused}"
    );
    assert!(refused.contains("--canary web/shop"), "{refused}");
    let chosen = simulate(&["--canary", "staging/shop"]);
    assert!(
        text(&chosen.stdout).contains("staging"),
        "{}",
        text(&chosen.stderr)
    );
}

#[test]
fn what_is_not_simulated_is_refused_and_the_way_out_is_told() {
    for (change, message, way_out) in [
        (
            ("provider: nginx", "provider: istio"),
            "the provider `istio` is not simulated",
            "--as nginx",
        ),
        (
            ("kind: Deployment", "kind: DaemonSet"),
            "a target of kind `DaemonSet` is not simulated",
            "Deployments",
        ),
        (("{port: 80, ", "{port: 80, gateways: [public], "), "", ""),
        (
            ("kind: ServiceMonitor", "kind: Service\nx: {{ y }}"),
            "not readable as YAML",
            "helm template",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let text_given = CANARY.replace(change.0, change.1);
        let out = rollcast(
            folder.path(),
            &["simulate", "-f", "-", "--no-out"],
            &text_given,
        );
        let error = text(&out.stderr);
        if message.is_empty() {
            assert!(out.status.success(), "{error}");
            continue;
        }
        assert_eq!(out.status.code(), Some(2), "{error}");
        assert!(
            error.contains(message) && error.contains(way_out),
            "{error}"
        );
    }
    // A Canary without a provider whose service is a mesh's; and the same with another provider in its place.
    let mesh = CANARY
        .replace("  provider: nginx\n", "")
        .replace("{port: 80, ", "{port: 80, gateways: [public], ");
    let folder = tempfile::tempdir().unwrap();
    let out = rollcast(folder.path(), &["simulate", "-f", "-", "--no-out"], &mesh);
    assert!(
        text(&out.stderr).contains("`spec.service.gateways` is a service mesh's"),
        "{}",
        text(&out.stderr)
    );
    let out = rollcast(
        folder.path(),
        &["simulate", "-f", "-", "--no-out", "--as", "nginx"],
        &mesh,
    );
    assert!(out.status.success(), "{}", text(&out.stderr));
    assert!(text(&out.stdout).contains("`spec.service.gateways` plays no part"));
}

#[test]
fn a_wish_that_makes_no_sense_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (wish, message) in [
        ("fail-rat=0.3", "did you mean `fail-rate`?"),
        ("fail-rate=many", "`fail-rate` must be a number"),
        ("fail-rate=3", "from 0 to 1"),
    ] {
        let out = rollcast(
            folder.path(),
            &["simulate", "-f", "-", "--no-out", "--push", wish],
            CANARY,
        );
        assert_eq!(out.status.code(), Some(2));
        assert!(
            text(&out.stderr).contains(message),
            "{wish}: {}",
            text(&out.stderr)
        );
    }
}
