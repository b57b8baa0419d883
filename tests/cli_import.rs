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

/// A Canary of this provider and with this metric, and other objects behind it.
fn canary(provider: &str, metric: &str, others: &str) -> String {
    format!(
        "apiVersion: flagger.app/v1beta1\nkind: Canary\nmetadata: {{name: shop, namespace: web}}\nspec:\n  provider: \"{provider}\"\n  \
         targetRef: {{apiVersion: apps/v1, kind: Deployment, name: shop}}\n  \
         ingressRef: {{apiVersion: networking.k8s.io/v1, kind: Ingress, name: shop}}\n  service: {{port: 80}}\n  analysis:\n    \
         interval: 10s\n    threshold: 2\n    stepWeight: 25\n    maxWeight: 50\n    metrics:\n    - {metric}\n{others}"
    )
}

const SUCCESS_RATE: &str = "{name: request-success-rate, interval: 1m, thresholdRange: {min: 99}}";

fn shown(yaml: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let out = rollcast(folder.path(), &["simulate", "-f", "-", "--no-out"], yaml);
    assert!(out.status.success(), "{}", text(&out.stderr));
    let shown = text(&out.stdout);
    shown.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What Flagger's own documentation has people install keeps the labels that its builtin checks ask by.
#[test]
fn builtin_checks_are_forecast_as_with_the_prometheus_that_flagger_brings() {
    let flat = shown(&canary("nginx", SUCCESS_RATE, ""));
    assert!(flat.contains("Promoted: "), "{flat}");
    assert!(
        flat.contains("Prometheus is the one that Flagger's chart brings"),
        "{flat}"
    );
    let renamed = "---\napiVersion: monitoring.coreos.com/v1\nkind: ServiceMonitor\nmetadata: {name: ingress-nginx-controller}\n\
                   spec:\n  selector: {matchLabels: {app.kubernetes.io/name: ingress-nginx}}\n  endpoints: [{port: metrics}]\n";
    let flat = shown(&canary("nginx", SUCCESS_RATE, renamed));
    assert!(flat.contains("Rolled back: "), "{flat}");
    assert!(flat.contains("rename to `exported_namespace`"), "{flat}");
}

#[test]
fn pods_export_what_checks_ask_of_them_under_the_labels_they_ask_by() {
    let template = |query: &str| {
        format!(
            "---\napiVersion: flagger.app/v1beta1\nkind: MetricTemplate\nmetadata: {{name: success, namespace: web}}\n\
             spec:\n  provider: {{type: prometheus, address: \"http://prometheus:9090\"}}\n  query: |\n    {query}\n"
        )
    };
    let metric =
        "{name: success, interval: 1m, thresholdRange: {min: 99}, templateRef: {name: success}}";
    let by_pod = "sum(rate(http_requests_total{namespace=\"{{ namespace }}\", pod=~\"{{ target }}-[0-9a-zA-Z]+(-[0-9a-zA-Z]+)\", code!~\"5..\"}[{{ interval }}]))\n    \
                  / sum(rate(http_requests_total{namespace=\"{{ namespace }}\", pod=~\"{{ target }}-[0-9a-zA-Z]+(-[0-9a-zA-Z]+)\"}[{{ interval }}])) * 100";
    let set = canary("nginx", metric, &template(by_pod)).replace("interval: 10s", "interval: 60s");
    let flat = shown(&set);
    assert!(flat.contains("Promoted: "), "{flat}");
    assert!(flat.contains("by a PodMonitor"), "{flat}");
    let flat = shown(&canary("kubernetes", SUCCESS_RATE, ""));
    assert!(
        flat.contains(
            "no request had reached the canary's pods. Provider kubernetes leads no user to it"
        ),
        "{flat}"
    );
    let unknown = set.replace("http_requests_total", "grpc_server_handled_total");
    let flat = shown(&unknown);
    assert!(
        flat.contains("`grpc_server_handled_total`, which nothing in the simulated world exports"),
        "{flat}"
    );
    let unknown = set
        .replace("namespace=", "kubernetes_namespace=")
        .replace("interval: 60s", "interval: 90s");
    let flat = shown(&unknown);
    assert!(
        flat.contains("Promoted: ") || flat.contains("by `pod`, which no series of it carries"),
        "{flat}"
    );
}

#[test]
fn a_canary_on_the_gateway_api_is_forecast_from_its_own_manifests() {
    let yaml = canary("gatewayapi:v1", SUCCESS_RATE, "").replace(
        "  service: {port: 80}",
        "  service: {port: 80, gatewayRefs: [{name: gateway, namespace: infra}]}",
    );
    let flat = shown(&yaml);
    assert!(flat.contains("Promoted: "), "{flat}");
    assert!(!flat.contains("no request follows them"), "{flat}");
}

#[test]
fn old_api_versions_are_read_and_said_to_be_gone() {
    let old = "---\napiVersion: extensions/v1beta1\nkind: Ingress\nmetadata: {name: shop, namespace: web}\nspec:\n  rules:\n  \
               - host: shop.example.com\n    http: {paths: [{backend: {serviceName: shop, servicePort: 80}}]}\n";
    let flat = shown(&canary("nginx", SUCCESS_RATE, old));
    assert!(flat.contains("Promoted: "), "{flat}");
    assert!(
        flat.contains("Ingress `shop` of extensions/v1beta1 is read as networking.k8s.io/v1"),
        "{flat}"
    );
}

#[test]
fn a_chart_beside_manifests_is_passed_over_and_alone_it_is_to_be_rendered() {
    let folder = folder();
    let chart = folder.path().join("k8s/templates");
    fs::create_dir_all(&chart).unwrap();
    fs::write(
        chart.join("hpa.yaml"),
        "{{- if .Values.hpa }}\nkind: HorizontalPodAutoscaler\n{{- end }}\n",
    )
    .unwrap();
    let out = rollcast(folder.path(), &["simulate", "-f", "k8s", "--no-out"], "");
    let flat = text(&out.stdout)
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    assert!(out.status.success(), "{}", text(&out.stderr));
    assert!(
        flat.contains("k8s/templates/hpa.yaml is a Helm template"),
        "{flat}"
    );
    let out = rollcast(
        folder.path(),
        &["simulate", "-f", "k8s/templates", "--no-out"],
        "",
    );
    assert_eq!(out.status.code(), Some(2));
    assert!(
        text(&out.stderr).contains("helm template CHART"),
        "{}",
        text(&out.stderr)
    );
}

#[test]
fn two_canaries_of_one_name_are_told_apart_by_their_files() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["steps.yaml", "blue-green.yaml"] {
        fs::write(folder.path().join(name), CANARY).unwrap();
    }
    let out = rollcast(folder.path(), &["simulate", "-f", ".", "--no-out"], "");
    assert_eq!(out.status.code(), Some(2));
    let told = text(&out.stderr);
    assert!(
        told.contains("./blue-green.yaml` and `./steps.yaml`: give one of the files with -f"),
        "{told}"
    );
}
