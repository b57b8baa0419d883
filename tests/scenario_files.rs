//! Every scenario in the repository loads, and the runbook's drill says what the runbook says.

use std::path::{Path, PathBuf};

use rollcast::scenario::{self, Action, Attribution, Override, Scenario};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios")
}

fn load(name: &str) -> Scenario {
    let path = folder().join(name).with_extension("toml");
    scenario::load(&path, &[]).unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn every_scenario_loads_opens_with_a_comment_and_expects_something() {
    let mut seen = 0;
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "toml") {
            continue;
        }
        seen += 1;
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("# "), "{}", path.display());
        let loaded = scenario::load(&path, &[]).unwrap_or_else(|e| panic!("{e}"));
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert_eq!(loaded.name, name);
        assert!(
            loaded.expect.is_some_and(|e| e.outcome.is_some()),
            "{name} expects nothing"
        );
    }
    assert!(seen >= 23, "only {seen} scenarios");
}

#[test]
fn the_drill_is_the_runbooks() {
    let chaos = load("chaos30");
    assert_eq!(chaos.manifests.canary.metadata.namespace, "applications");
    assert_eq!(chaos.ingress.attribution, Attribution::Canary);
    assert_eq!(chaos.versions["v2"].env["FAIL_RATE"], "0.3");
    assert_eq!(chaos.versions["v2"].concurrency, 8);
    assert_eq!(chaos.initial_version, "v1");
    assert_eq!(chaos.events[0].action, Action::Push("v2".to_owned()));
    let analysis = chaos.manifests.canary.spec.analysis.unwrap();
    assert_eq!(analysis.step_weight, 10);
    assert_eq!(analysis.metrics[0].threshold_range.unwrap().min, Some(99.0));
    assert_eq!(
        chaos.manifests.deployment.spec.template.env("FAIL_RATE"),
        Some("0.0")
    );
    assert_eq!(chaos.manifests.hpas[0].spec.min_replicas, Some(10));
    assert_eq!(chaos.assumptions, Vec::<String>::new());
}

#[test]
fn a_scenario_can_rename_metrics_without_retyping_the_canary() {
    let renamed = load("chaos30-flagger-renamed").manifests.canary;
    let mut original = load("chaos30-flagger").manifests.canary;
    let metrics = &mut original.spec.analysis.as_mut().unwrap().metrics;
    metrics[0].name = "success-rate".to_owned();
    metrics[1].name = "latency-p99".to_owned();
    assert_eq!(renamed, original);
}

#[test]
fn set_changes_one_value_and_takes_bare_words_as_strings() {
    let set = |key: &str, value: &str| Override {
        key: key.to_owned(),
        value: value.to_owned(),
    };
    let changed = scenario::load(
        &folder().join("chaos30.toml"),
        &[
            set("traffic.rate", "50/s"),
            set("run.seed", "7"),
            set("versions.v2.env.FAIL_RATE", "0.05"),
            set("title", "a drill"),
            set("prometheus.version", "2.53"),
            set("events.0.at", "30s"),
            set(
                "canary.spec.analysis.metrics.request-success-rate.thresholdRange.min",
                "95",
            ),
        ],
    )
    .unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(changed.traffic.rate[0].per_second, 50.0);
    assert_eq!(changed.run.seed, 7);
    assert_eq!(changed.title, "a drill");
    assert_eq!(changed.prometheus.version, "2.53");
    assert_eq!(changed.versions["v2"].env["FAIL_RATE"], "0.05");
    assert_eq!(changed.events[0].at.as_millis(), 30_000);
    let analysis = changed.manifests.canary.spec.analysis.unwrap();
    assert_eq!(analysis.metrics[0].threshold_range.unwrap().min, Some(95.0));
}

#[test]
fn the_queries_are_the_runbooks_to_the_letter() {
    let success_rate = r#"sum(
  rate(
    nginx_ingress_controller_requests{
      exported_namespace="applications",
      ingress="load-harness",
      status!~"5.."
    }[1m]
  )
)
/
sum(
  rate(
    nginx_ingress_controller_requests{
      exported_namespace="applications",
      ingress="load-harness"
    }[1m]
  )
) * 100
"#;
    let duration = r#"histogram_quantile(0.99,
  sum(
    rate(
      nginx_ingress_controller_request_duration_seconds_bucket{
        exported_namespace="applications",
        ingress="load-harness"
      }[1m]
    )
  ) by (le)
) * 1000
"#;
    let templates = load("chaos30").manifests.metric_templates;
    let query = |name: &str| {
        let found = templates.iter().find(|t| t.metadata.name == name);
        found.unwrap().spec.query.as_str()
    };
    assert_eq!(query("nginx-request-success-rate"), success_rate);
    assert_eq!(query("nginx-request-duration"), duration);
}

/// A folder with the runbook's manifests under `manifests/apps/shop` and a scenario under `drills`.
fn elsewhere(scenario: &str) -> (tempfile::TempDir, PathBuf) {
    let root = tempfile::tempdir().unwrap();
    let manifests = root.path().join("manifests/apps/shop");
    std::fs::create_dir_all(&manifests).unwrap();
    for entry in std::fs::read_dir(folder().join("load-harness")).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, manifests.join(path.file_name().unwrap())).unwrap();
    }
    let path = root.path().join("drills/one.toml");
    std::fs::create_dir(root.path().join("drills")).unwrap();
    std::fs::write(&path, scenario).unwrap();
    (root, path)
}

#[test]
fn manifests_are_found_relative_to_the_scenario() {
    for pattern in [
        "../manifests/apps/shop/*.yaml",
        "../manifests/**/*.yaml",
        "./../manifests/a*s/????/*.y*ml",
    ] {
        let (_root, path) = elsewhere(&format!("manifests = [\"{pattern}\"]"));
        let loaded = scenario::load(&path, &[]).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(loaded.name, "one");
        assert_eq!(loaded.manifests.metric_templates.len(), 2);
    }
}

#[test]
fn a_file_that_two_patterns_match_counts_once() {
    let (_root, path) = elsewhere(
        "manifests = [\"../manifests/**/*.yaml\", \"../manifests/apps/shop/canary.yaml\"]",
    );
    scenario::load(&path, &[]).unwrap_or_else(|e| panic!("{e}"));
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let message = |path: &Path| scenario::load(path, &[]).unwrap_err().message;
    let root = tempfile::tempdir().unwrap();
    let missing = root.path().join("missing.toml");
    assert_eq!(
        message(&missing),
        format!(
            "the scenario `{}` cannot be read: there is no such file",
            missing.display()
        )
    );
    assert!(message(root.path()).ends_with("it is not a file"));
    let binary = root.path().join("binary.toml");
    std::fs::write(&binary, b"title = \"\xff\"").unwrap();
    assert!(message(&binary).ends_with("it is not UTF-8 text from byte 9 on"));
    let (_root, path) = elsewhere("manifests = [\"../manifests/apps/shop/gone.yaml\"]");
    let shown = scenario::load(&path, &[]).unwrap_err().render();
    assert!(shown.contains("one.toml:1:14"), "{shown}");
    assert!(
        shown.contains("no file matches `../manifests/apps/shop/gone.yaml`"),
        "{shown}"
    );
}

#[test]
fn flaggers_own_helm_release_gives_its_flags_and_the_scenario_wins() {
    let release = "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata:\n  name: flagger\n  namespace: flagger-system\n\
                   spec:\n  chart:\n    spec:\n      chart: flagger\n  values:\n    meshProvider: kubernetes\n    \
                   metricsServer: http://prometheus.observability:9090\n";
    let given = "manifests = [\"../manifests/**/*.yaml\"]\n";
    let (root, path) = elsewhere(given);
    std::fs::write(root.path().join("manifests/apps/flagger.yaml"), release).unwrap();
    let loaded = scenario::load(&path, &[]).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(loaded.flagger.mesh_provider, "kubernetes");
    assert_eq!(
        loaded.flagger.metrics_server,
        "http://prometheus.observability:9090"
    );
    let about_provider = |text: &String| text.contains("flagger.mesh_provider");
    assert!(
        !loaded.assumptions.iter().any(about_provider),
        "the provider is given: {:?}",
        loaded.assumptions
    );
    let said = format!("{given}[flagger]\nmetrics_server = \"http://elsewhere:9090\"\n");
    std::fs::write(&path, said).unwrap();
    let loaded = scenario::load(&path, &[]).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(loaded.flagger.metrics_server, "http://elsewhere:9090");
}
