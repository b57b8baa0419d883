//! How manifests become the objects of a scenario: what is chosen, changed, filled in, converted and left out.

use std::collections::BTreeMap;
use std::sync::Arc;

use rollcast::diagnostic::SourceText;
use rollcast::scenario::{Files, Scenario, assemble};
use serde_json::json;

struct Texts(BTreeMap<&'static str, String>);

impl Files for Texts {
    fn matching(&self, pattern: &str) -> Result<Vec<Arc<SourceText>>, String> {
        let found = self.0.get_key_value(pattern);
        Ok(found
            .map(|(name, text)| SourceText::new(*name, text))
            .into_iter()
            .collect())
    }
}

fn load(scenario: &str, yaml: &str) -> Result<Scenario, String> {
    let source = SourceText::new(
        "scenario.toml",
        format!("manifests = [\"all.yaml\"]\n{scenario}"),
    );
    let files = Texts(BTreeMap::from([("all.yaml", yaml.to_owned())]));
    assemble("case", &source, &[], &files).map_err(|e| e.render())
}

const CANARY: &str = "
apiVersion: flagger.app/v1beta1
kind: Canary
metadata: {name: shop}
spec:
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: shop}
  service: {port: 80}
  analysis: {interval: 1m, threshold: 5, stepWeight: 20}
status: {phase: Succeeded, lastTransitionTime: '2026-01-01T00:00:00Z'}
";

const DEPLOYMENT: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop, creationTimestamp: null}
spec:
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec:
      containers:
      - {name: shop, image: shop:1, resources: {requests: {cpu: 100m}}}
status: {observedGeneration: 3, conditions: [{type: Available, lastUpdateTime: '2026-01-01T00:00:00Z'}]}
";

fn hpa(api_version: &str, spec: &str) -> String {
    format!(
        "apiVersion: {api_version}
kind: HorizontalPodAutoscaler
metadata: {{name: shop}}
spec: {{scaleTargetRef: {{apiVersion: apps/v1, kind: Deployment, name: shop}}, maxReplicas: 4{spec}}}
"
    )
}

const WITH_HPA: &str = "
[canary.spec.autoscalerRef]
apiVersion = \"autoscaling/v2\"
kind = \"HorizontalPodAutoscaler\"
name = \"shop\"
";

#[test]
fn what_the_api_server_would_fill_in_is_filled_in() {
    let loaded = load("", &format!("{CANARY}---{DEPLOYMENT}")).unwrap();
    let deployment = &loaded.manifests.deployment;
    assert_eq!(deployment.metadata.namespace, "default");
    assert_eq!(deployment.spec.replicas, Some(1));
    assert_eq!(deployment.spec.progress_deadline_seconds, Some(600));
    assert_eq!(
        deployment.spec.strategy,
        json!({
            "type": "RollingUpdate",
            "rollingUpdate": { "maxSurge": "25%", "maxUnavailable": "25%" },
        })
    );
    assert_eq!(loaded.manifests.canary.metadata.namespace, "default");
    assert!(loaded.manifests.hpas.is_empty());
}

#[test]
fn a_status_is_the_clusters_word_and_not_read() {
    let loaded = load("", &format!("{CANARY}---{DEPLOYMENT}")).unwrap();
    assert_eq!(loaded.manifests.canary.status, Default::default());
    assert_eq!(loaded.manifests.deployment.status, Default::default());
}

#[test]
fn a_strategy_keeps_what_it_says() {
    let loaded = load(
        "[deployment.spec.strategy.rollingUpdate]\nmaxSurge = 0\nmaxUnavailable = 1",
        &format!("{CANARY}---{DEPLOYMENT}"),
    )
    .unwrap();
    let strategy = &loaded.manifests.deployment.spec.strategy;
    assert_eq!(
        strategy["rollingUpdate"],
        json!({ "maxSurge": 0, "maxUnavailable": 1 })
    );
    let recreate = load(
        "[deployment.spec.strategy]\ntype = \"Recreate\"",
        &format!("{CANARY}---{DEPLOYMENT}"),
    )
    .unwrap();
    assert_eq!(
        recreate.manifests.deployment.spec.strategy,
        json!({ "type": "Recreate" })
    );
}

#[test]
fn autoscalers_of_other_api_versions_become_v2() {
    let utilization = |percent: i64| {
        json!([{
            "type": "Resource",
            "resource": { "name": "cpu", "target": { "type": "Utilization", "averageUtilization": percent } },
        }])
    };
    for (api_version, spec, expected) in [
        (
            "autoscaling/v1",
            ", targetCPUUtilizationPercentage: 60",
            utilization(60),
        ),
        ("autoscaling/v1", "", utilization(80)),
        ("autoscaling/v2", "", utilization(80)),
        (
            "autoscaling/v2beta2",
            ", metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 55}}}]",
            utilization(55),
        ),
    ] {
        let yaml = format!("{CANARY}---{DEPLOYMENT}---\n{}", hpa(api_version, spec));
        let loaded = load(WITH_HPA, &yaml).unwrap();
        assert_eq!(
            loaded.manifests.hpas[0].spec.metrics, expected,
            "{api_version} {spec}"
        );
        assert_eq!(loaded.manifests.hpas[0].spec.min_replicas, Some(1));
    }
}

#[test]
fn what_plays_no_part_is_named_with_its_place_and_reason() {
    let yaml = format!(
        "{CANARY}---{DEPLOYMENT}---\n{}---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: database}}
---
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata: {{name: shop}}
---
apiVersion: serving.knative.dev/v1
kind: Service
metadata: {{name: shop}}
",
        hpa("autoscaling/v2", "")
    );
    let loaded = load("[canary.spec.analysis]\nquux = 1", &yaml).unwrap();
    let left_out: Vec<String> = loaded
        .manifests
        .left_out
        .iter()
        .map(|o| format!("{} {} {}: {}", o.place, o.kind, o.name, o.reason))
        .collect();
    assert_eq!(
        left_out,
        [
            "all.yaml:37 Service shop: Service of serving.knative.dev/v1 is not simulated",
            "scenario.toml:3 Canary shop: `spec.analysis.quux` is not a key of Flagger's CRD; the API server drops it",
            "all.yaml:24 HorizontalPodAutoscaler shop: the Canary does not name it",
            "all.yaml:29 Deployment database: the Canary does not name it",
            "all.yaml:33 ServiceMonitor shop: it is not the ingress controller's",
        ]
    );
}

#[test]
fn a_name_chooses_among_several_canaries() {
    let other = CANARY.replace("name: shop}\nspec", "name: other}\nspec");
    let yaml = format!("{CANARY}---{other}---{DEPLOYMENT}");
    let refused = load("", &yaml).unwrap_err();
    assert!(
        refused.contains("there are 2 Canaries: `shop` and `other`"),
        "{refused}"
    );
    let loaded = load("[canary.metadata]\nname = \"other\"", &yaml).unwrap();
    assert_eq!(loaded.manifests.canary.metadata.name, "other");
    assert_eq!(loaded.manifests.left_out[0].name, "shop");
}

#[test]
fn objects_can_be_written_in_the_scenario_alone() {
    let source = SourceText::new(
        "scenario.toml",
        r#"
[canary.metadata]
name = "shop"
namespace = "prod"

[canary.spec]
provider = "nginx"
targetRef = { apiVersion = "apps/v1", kind = "Deployment", name = "shop" }
autoscalerRef = { apiVersion = "autoscaling/v2", kind = "HorizontalPodAutoscaler", name = "shop" }
ingressRef = { apiVersion = "networking.k8s.io/v1", kind = "Ingress", name = "shop" }
service.port = 80

[canary.spec.analysis]
interval = "30s"
threshold = 2
stepWeights = [5, 20, 50]
metrics = [{ name = "errors", templateRef = { name = "errors" }, thresholdRange = { max = 1 } }]

[deployment.spec]
selector.matchLabels.app = "shop"
template.metadata.labels.app = "shop"
template.spec.containers = [{ name = "shop", image = "shop:1" }]

[hpa.spec]
scaleTargetRef = { apiVersion = "apps/v1", kind = "Deployment", name = "shop" }
minReplicas = 2
maxReplicas = 6

[metric_templates.errors.spec]
provider.type = "prometheus"
query = "vector(0)"

[ingresses.shop.spec]
rules = [{ host = "shop.example.com" }]

[services.shop.spec]
ports = [{ port = 80 }]
"#,
    );
    let loaded =
        assemble("inline", &source, &[], &Texts(BTreeMap::new())).unwrap_or_else(|e| panic!("{e}"));
    let manifests = &loaded.manifests;
    assert_eq!(manifests.deployment.metadata.name, "shop");
    assert_eq!(manifests.deployment.metadata.namespace, "prod");
    assert_eq!(manifests.hpas[0].spec.max_replicas, 6);
    assert_eq!(manifests.metric_templates[0].spec.query, "vector(0)");
    assert_eq!(manifests.metric_templates[0].metadata.namespace, "prod");
    assert_eq!(manifests.ingresses[0].hosts(), [Some("shop.example.com")]);
    assert_eq!(manifests.services[0].spec.ports[0].port, 80);
    assert!(manifests.left_out.is_empty());
}

#[test]
fn assumptions_name_the_key_that_changes_them() {
    let loaded = load("", &format!("{CANARY}---{DEPLOYMENT}")).unwrap();
    assert_eq!(
        loaded.assumptions,
        [
            "Users send 100 requests a second (`traffic.rate`).",
            "Prometheus scrapes every 30s, as kube-prometheus-stack does (`prometheus.scrape_interval`).",
            "Version `v1` takes 20ms for a request (median; lognormal, sigma 0.5) (`versions.v1.service_time`).",
            "Version `v1` works on 8 requests at once per pod (`versions.v1.concurrency`).",
            "Version `v1` spends 5ms of CPU time on a request (`versions.v1.cpu_per_request`).",
            "Version `v1` is ready 4s after a pod's creation (median; lognormal, sigma 0.4) (`versions.v1.startup`).",
            "Flagger runs with the provider `kubernetes`, since neither the Canary nor the scenario names one (`flagger.mesh_provider`).",
        ]
    );
}

#[test]
fn the_warm_up_is_a_whole_number_of_intervals() {
    for (interval, expected) in [
        ("30s", 300),
        ("1m", 300),
        ("7m", 1260),
        ("45s", 315),
        ("2s", 300),
    ] {
        let scenario = format!("[canary.spec.analysis]\ninterval = \"{interval}\"");
        let loaded = load(&scenario, &format!("{CANARY}---{DEPLOYMENT}")).unwrap();
        assert_eq!(
            loaded.run.warm_up.as_millis(),
            expected * 1000,
            "{interval}"
        );
    }
}

#[test]
fn rates_of_every_shape_become_points() {
    let rate = |scenario: &str| -> Vec<(i64, f64)> {
        let loaded = load(scenario, &format!("{CANARY}---{DEPLOYMENT}")).unwrap();
        let points = loaded.traffic.rate.iter();
        points.map(|p| (p.at.as_millis(), p.per_second)).collect()
    };
    assert_eq!(rate("traffic.rate = \"90/m\""), [(0, 1.5)]);
    assert_eq!(
        rate(
            "traffic.rate.ramp = { from = \"10/s\", to = \"20/s\", start = \"1m\", end = \"2m\" }"
        ),
        [(60_000, 10.0), (120_000, 20.0)]
    );
    assert_eq!(
        rate(
            "traffic.rate.burst = { base = \"10/s\", peak = \"90/s\", start = \"1m\", end = \"2m\" }"
        ),
        [
            (59_999, 10.0),
            (60_000, 90.0),
            (119_999, 90.0),
            (120_000, 10.0)
        ]
    );
    assert_eq!(
        rate(
            "traffic.rate.points = [{ at = \"0s\", rate = \"1/s\" }, { at = \"5s\", rate = \"2/s\" }]"
        ),
        [(0, 1.0), (5_000, 2.0)]
    );
    let day = rate("traffic.rate.diurnal = { low = \"10/s\", high = \"30/s\", peak = \"6h\" }");
    let at = |hours: i64| {
        day.iter()
            .find(|(ms, _)| *ms == hours * 3_600_000)
            .unwrap()
            .1
    };
    assert!((at(0) - 20.0).abs() < 1e-9, "{}", at(0));
    assert!((at(-6) - 10.0).abs() < 1e-9, "{}", at(-6));
    assert!(day.first().unwrap().0 <= -300_000 && day.last().unwrap().0 >= 900_000);
}
