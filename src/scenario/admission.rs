//! What would not get past the API server, and what is not simulated: refused here, with the place in the manifest.
//!
//! The Canary's rules are those of its CRD (`artifacts/flagger/crd.yaml` of Flagger v1.44.0). Two more are rollcast's: weights
//! that are no percents, and objects that name others which were not given.

use crate::canary::{Analysis, Canary, CanarySpec, Provider};
use crate::diagnostic::{Diagnostic, nearest};
use crate::k8s::manifest::Document;
use crate::k8s::{Deployment, HorizontalPodAutoscaler};

use super::effective::is_fraction;
use super::model::Manifests;
use super::objects::missing;

/// Kinds that have a part, with the API versions that are read.
const KINDS: [(&str, &[&str]); 13] = [
    ("Canary", &["flagger.app/v1beta1"]),
    ("MetricTemplate", &["flagger.app/v1beta1"]),
    ("AlertProvider", &["flagger.app/v1beta1"]),
    ("Deployment", &["apps/v1"]),
    (
        "HorizontalPodAutoscaler",
        &["autoscaling/v2", "autoscaling/v2beta2", "autoscaling/v1"],
    ),
    ("Service", &["v1"]),
    ("Ingress", &["networking.k8s.io/v1"]),
    (
        "HTTPRoute",
        &[
            "gateway.networking.k8s.io/v1",
            "gateway.networking.k8s.io/v1beta1",
        ],
    ),
    ("ConfigMap", &["v1"]),
    ("Secret", &["v1"]),
    ("PrometheusRule", &["monitoring.coreos.com/v1"]),
    ("ServiceMonitor", &["monitoring.coreos.com/v1"]),
    (
        "HelmRelease",
        &[
            "helm.toolkit.fluxcd.io/v2",
            "helm.toolkit.fluxcd.io/v2beta2",
            "helm.toolkit.fluxcd.io/v2beta1",
        ],
    ),
];

/// Providers of Flagger that rollcast does not simulate.
const OTHER_PROVIDERS: [&str; 14] = [
    "apisix",
    "appmesh",
    "appmesh:v1beta2",
    "contour",
    "gatewayapi:v1beta1",
    "gloo",
    "istio",
    "knative",
    "kuma",
    "linkerd",
    "osm",
    "skipper",
    "smi:v1alpha1",
    "traefik",
];

/// Types of webhooks; none means `rollout`.
const WEBHOOK_TYPES: [&str; 9] = [
    "",
    "confirm-rollout",
    "pre-rollout",
    "rollout",
    "confirm-promotion",
    "post-rollout",
    "event",
    "rollback",
    "confirm-traffic-increase",
];

/// Whether a document has a part in a simulation, else why not. A known kind in an unknown version is an error: it was meant.
pub(super) fn known(document: &Document) -> Result<Result<(), String>, Diagnostic> {
    let Some((kind, versions)) = KINDS.iter().find(|(kind, _)| *kind == document.kind) else {
        return Ok(Err(format!("{} is not simulated", document.kind)));
    };
    if versions.contains(&document.api_version.as_str()) {
        return Ok(Ok(()));
    }
    let group = |version: &str| {
        version
            .split_once('/')
            .map_or("", |(group, _)| group)
            .to_owned()
    };
    // The same word in another group is another thing: a Knative Service, an Istio Gateway.
    let same = versions
        .iter()
        .any(|v| group(v) == group(&document.api_version))
        || *kind == "Ingress" && group(&document.api_version) == "extensions";
    if !same {
        return Ok(Err(format!(
            "{} of {} is not simulated",
            document.kind, document.api_version
        )));
    }
    Err(Diagnostic::new(format!(
        "{kind} `{}` has the API version `{}`, which is not read",
        document.name, document.api_version
    ))
    .at_place(&document.place_of("/apiVersion"))
    .help(format!("convert it to {}", versions[0])))
}

/// The Canary's own rules.
pub(super) fn canary(document: &Document, canary: &Canary) -> Result<(), Diagnostic> {
    let refuse = |pointer: &str, message: String| {
        Diagnostic::new(format!("Canary `{}`: {message}", document.name))
            .at_place(&document.place_of(pointer))
    };
    let spec = &canary.spec;
    if document.name.is_empty() {
        return Err(
            refuse("", "`metadata.name` is missing".into()).help("every object needs a name")
        );
    }
    provider(document, spec)?;
    for (pointer, key, value) in [
        (
            "/spec/targetRef/kind",
            "spec.targetRef.kind",
            &spec.target_ref.kind,
        ),
        (
            "/spec/targetRef/name",
            "spec.targetRef.name",
            &spec.target_ref.name,
        ),
    ] {
        if value.is_empty() {
            return Err(refuse(pointer, format!("`{key}` is missing"))
                .help("the Canary must name the Deployment it rolls out"));
        }
    }
    if spec.target_ref.kind != "Deployment" {
        let kind = &spec.target_ref.kind;
        let message = match kind.as_str() {
            "DaemonSet" | "Service" => format!("a target of kind `{kind}` is not simulated"),
            _ => format!("`spec.targetRef.kind` must be `Deployment`, not `{kind}`"),
        };
        return Err(refuse("/spec/targetRef/kind", message).help("rollcast simulates Deployments"));
    }
    if let Some(autoscaler) = &spec.autoscaler_ref
        && autoscaler.kind != "HorizontalPodAutoscaler"
    {
        return Err(refuse(
            "/spec/autoscalerRef/kind",
            format!(
                "an autoscaler of kind `{}` is not simulated",
                autoscaler.kind
            ),
        )
        .help("rollcast simulates the HorizontalPodAutoscaler"));
    }
    if !(1..=65535).contains(&spec.service.port) {
        let message = match document.node.pointer("/spec/service/port") {
            None => "`spec.service.port` is missing".to_owned(),
            Some(_) => format!(
                "`spec.service.port` must be from 1 to 65535, not {}",
                spec.service.port
            ),
        };
        return Err(refuse("/spec/service/port", message)
            .help("it is the port of the Services that Flagger makes"));
    }
    match &spec.analysis {
        None => Err(refuse("/spec", "`spec.analysis` is missing".into()).help(
            "the CRD requires it; to promote without an analysis set `skipAnalysis: true` beside it",
        )),
        Some(found) => analysis(document, found),
    }
}

fn provider(document: &Document, spec: &CanarySpec) -> Result<(), Diagnostic> {
    if spec.provider.is_empty() || Provider::parse(&spec.provider).is_some() {
        return Ok(());
    }
    let known = ["nginx", "kubernetes", "gatewayapi:v1", "pod-scaling"];
    let diagnostic = if OTHER_PROVIDERS.contains(&spec.provider.as_str()) {
        Diagnostic::new(format!(
            "Canary `{}`: the provider `{}` is not simulated",
            document.name, spec.provider
        ))
    } else {
        Diagnostic::new(format!(
            "Canary `{}`: Flagger has no provider `{}`",
            document.name, spec.provider
        ))
    };
    let help = match nearest::nearest(&spec.provider, known) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!(
            "simulated are {}; with -f, --as nginx tries the same analysis on ingress-nginx",
            nearest::listed(&known)
        ),
    };
    Err(diagnostic
        .at_place(&document.place_of("/spec/provider"))
        .help(help))
}

fn analysis(document: &Document, analysis: &Analysis) -> Result<(), Diagnostic> {
    let refuse = |pointer: &str, message: &str| {
        Diagnostic::new(format!("Canary `{}`: {message}", document.name))
            .at_place(&document.place_of(&format!("/spec/analysis{pointer}")))
    };
    let given = |key: &str| {
        document
            .node
            .pointer(&format!("/spec/analysis/{key}"))
            .is_some()
    };
    for key in ["interval", "threshold"] {
        if !given(key) {
            return Err(refuse("", &format!("`spec.analysis.{key}` is missing"))
                .help("Flagger's CRD requires it"));
        }
    }
    interval(document, "/spec/analysis/interval", &analysis.interval)?;
    let strategies: Vec<&str> = ["iterations", "stepWeight", "stepWeights"]
        .into_iter()
        .filter(|key| given(key))
        .collect();
    match strategies.as_slice() {
        [_] => {}
        [] => {
            return Err(refuse(
                "",
                "`spec.analysis` says neither how weights rise nor how often to look",
            )
            .help("give one of `stepWeight`, `stepWeights` and `iterations`"));
        }
        several => {
            return Err(refuse(
                &format!("/{}", several[1]),
                &format!("`spec.analysis` has {}", nearest::listed(several)),
            )
            .help("Flagger's CRD admits exactly one of them"));
        }
    }
    for (key, weight) in [
        ("stepWeight", analysis.step_weight),
        ("stepWeightPromotion", analysis.step_weight_promotion),
    ] {
        self::weight(document, &format!("/spec/analysis/{key}"), key, weight, 100)?;
    }
    // More than 100 is admitted and never reached: lint says so (`max-weight-out-of-reach`).
    let pointer = "/spec/analysis/maxWeight";
    self::weight(document, pointer, "maxWeight", analysis.max_weight, 1000)?;
    for (index, weight) in analysis.step_weights.iter().enumerate() {
        let pointer = format!("/spec/analysis/stepWeights/{index}");
        self::weight(document, &pointer, "stepWeights", *weight, 100)?;
    }
    for (index, webhook) in analysis.webhooks.iter().enumerate() {
        let pointer = format!("/webhooks/{index}");
        if webhook.name.is_empty() || webhook.url.is_empty() {
            return Err(refuse(&pointer, "a webhook needs `name` and `url`")
                .help("Flagger's CRD requires them"));
        }
        if !WEBHOOK_TYPES.contains(&webhook.kind.as_str()) {
            let help = match nearest::nearest(&webhook.kind, WEBHOOK_TYPES) {
                Some(meant) if !meant.is_empty() => format!("did you mean `{meant}`?"),
                _ => format!("Flagger has {}", nearest::listed(&WEBHOOK_TYPES[1..])),
            };
            return Err(refuse(
                &format!("{pointer}/type"),
                &format!(
                    "Flagger has no webhooks of type `{}`",
                    webhook.kind.escape_debug()
                ),
            )
            .help(help));
        }
        if !webhook.timeout.is_empty() {
            interval(
                document,
                &format!("/spec/analysis{pointer}/timeout"),
                &webhook.timeout,
            )?;
        }
    }
    for (index, metric) in analysis.metrics.iter().enumerate() {
        if metric.name.is_empty() {
            return Err(
                refuse(&format!("/metrics/{index}"), "a metric has no `name`")
                    .help("Flagger's CRD requires it"),
            );
        }
        if !metric.interval.is_empty() {
            interval(
                document,
                &format!("/spec/analysis/metrics/{index}/interval"),
                &metric.interval,
            )?;
        }
    }
    Ok(())
}

/// A weight is a percentage.
fn weight(
    document: &Document,
    pointer: &str,
    key: &str,
    weight: i64,
    most: i64,
) -> Result<(), Diagnostic> {
    if (0..=most).contains(&weight) {
        return Ok(());
    }
    Err(Diagnostic::new(format!(
        "Canary `{}`: `spec.analysis.{key}` must be from 0 to {most}, not {weight}",
        document.name
    ))
    .at_place(&document.place_of(pointer))
    .help("weights are whole percents of the traffic"))
}

/// The CRD's pattern for intervals: `^[0-9]+(m|s)`, without an end.
fn interval(document: &Document, pointer: &str, text: &str) -> Result<(), Diagnostic> {
    let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
    if rest.len() < text.len() && rest.starts_with(['m', 's']) {
        return Ok(());
    }
    let key = pointer[1..].replace('/', ".");
    Err(Diagnostic::new(format!(
        "Canary `{}`: `{key}` is not an interval that Flagger's CRD admits: \"{}\"",
        document.name,
        text.escape_debug()
    ))
    .at_place(&document.place_of(pointer))
    .help("write whole seconds or minutes, such as 30s, 90s or 1m"))
}

/// The pod template must be one that can run.
pub(super) fn deployment(document: &Document) -> Result<(), Diagnostic> {
    let refuse = |pointer: &str, message: String| {
        Diagnostic::new(format!("Deployment `{}`: {message}", document.name))
            .at_place(&document.place_of(pointer))
    };
    let pointer = "/spec/template/spec/containers";
    let containers = document
        .node
        .pointer(pointer)
        .map_or(&[][..], |c| c.elements());
    if containers.is_empty() {
        return Err(refuse(pointer, "the pod template has no containers".into())
            .help("give a list under `spec.template.spec.containers`"));
    }
    for (index, container) in containers.iter().enumerate() {
        for (at, variable) in container
            .get("env")
            .map_or(&[][..], |e| e.elements())
            .iter()
            .enumerate()
        {
            let place = format!("{pointer}/{index}/env/{at}");
            let Some(name) = variable.get("name").and_then(|n| n.as_str()) else {
                return Err(refuse(&place, "an environment variable has no name".into())
                    .help("each needs `name`, and `value` or `valueFrom`"));
            };
            if let Some(value) = variable.get("value")
                && value.as_str().is_none()
            {
                let shown = value.to_json()?;
                return Err(refuse(
                    &format!("{place}/value"),
                    format!("the environment variable `{name}` must be a string"),
                )
                .help(format!("put it in quotes: value: \"{shown}\"")));
            }
            if let Some(rate) = variable.get("value").and_then(|v| v.as_str())
                && name == "FAIL_RATE"
                && !is_fraction(rate)
            {
                return Err(refuse(
                    &format!("{place}/value"),
                    format!(
                        "FAIL_RATE must be a fraction from 0 to 1, not \"{}\"",
                        rate.escape_debug()
                    ),
                )
                .help("write \"0.3\" for 30 %"));
            }
        }
    }
    let labels = "/spec/template/metadata/labels";
    for (key, value) in document
        .node
        .pointer("/spec/selector/matchLabels")
        .map_or(&[][..], |l| l.entries())
    {
        let label = document.node.pointer(labels).and_then(|l| l.get(&key.name));
        if label.and_then(|l| l.as_str()) != value.as_str() {
            return Err(refuse(
                labels,
                format!(
                    "the selector wants the label `{}: {}`, which the pod template does not have",
                    key.name.escape_debug(),
                    value.as_str().unwrap_or("?").escape_debug()
                ),
            )
            .help("the API server refuses a Deployment whose selector does not match its pods"));
        }
    }
    Ok(())
}

/// The autoscaler must scale the target.
pub(super) fn hpa(
    document: &Document,
    hpa: &HorizontalPodAutoscaler,
    deployment: &Deployment,
) -> Result<(), Diagnostic> {
    let refuse = |pointer: &str, message: String| {
        Diagnostic::new(format!(
            "HorizontalPodAutoscaler `{}`: {message}",
            document.name
        ))
        .at_place(&document.place_of(pointer))
    };
    let target = &hpa.spec.scale_target_ref;
    if target.name != deployment.metadata.name || target.kind != "Deployment" {
        return Err(refuse(
            "/spec/scaleTargetRef/name",
            format!(
                "it scales the {} `{}`, not the Canary's target `{}`",
                target.kind, target.name, deployment.metadata.name
            ),
        )
        .help("the Canary's `autoscalerRef` must name the autoscaler of its target"));
    }
    let (min, max) = (hpa.spec.min_replicas.unwrap_or(1), hpa.spec.max_replicas);
    if min < 1 {
        return Err(refuse(
            "/spec/minReplicas",
            format!("`minReplicas` must be 1 or more, not {min}"),
        )
        .help("scaling to zero needs a feature gate that is not simulated"));
    }
    if max < min {
        let message = match document.node.pointer("/spec/maxReplicas") {
            None => "`spec.maxReplicas` is missing".to_owned(),
            Some(_) => format!("`maxReplicas` ({max}) is below `minReplicas` ({min})"),
        };
        return Err(refuse("/spec/maxReplicas", message)
            .help("the autoscaler needs an upper bound, not below the lower one"));
    }
    Ok(())
}

/// What the Canary names must be there.
pub(super) fn references(document: &Document, manifests: &Manifests) -> Result<(), Diagnostic> {
    let canary = &manifests.canary;
    let namespace = canary.metadata.namespace.as_str();
    let metrics = canary.spec.analysis.iter().flat_map(|a| &a.metrics);
    for (index, metric) in metrics.enumerate() {
        let Some(template) = &metric.template_ref else {
            continue;
        };
        let wanted = match template.namespace.as_str() {
            "" => namespace,
            other => other,
        };
        let found = manifests
            .metric_templates
            .iter()
            .find(|t| t.metadata.name == template.name && t.metadata.namespace == wanted);
        if let Some(found) = found {
            let kind = found.spec.provider.kind.as_str();
            if kind != "prometheus" {
                let place = manifests
                    .documents
                    .iter()
                    .find(|d| d.kind == "MetricTemplate" && d.name == template.name)
                    .map_or_else(
                        || document.place_of(""),
                        |d| d.place_of("/spec/provider/type"),
                    );
                return Err(Diagnostic::new(format!(
                    "MetricTemplate `{}`: metrics of the provider `{}` are not simulated",
                    template.name,
                    kind.escape_debug()
                ))
                .at_place(&place)
                .help("rollcast evaluates Prometheus queries: give the query that measures the same with `type: prometheus`"));
            }
        } else {
            let names = manifests.metric_templates.iter().map(|t| &t.metadata);
            return Err(missing(
                names,
                &document.place_of(&format!("/spec/analysis/metrics/{index}/templateRef/name")),
                &format!("spec.analysis.metrics[{index}].templateRef"),
                ("MetricTemplate", &template.name, wanted),
                &format!("or write it under `[metric_templates.{}]`", template.name),
            ));
        }
    }
    if let Some(ingress) = &canary.spec.ingress_ref {
        let found = manifests
            .ingresses
            .iter()
            .any(|i| i.metadata.name == ingress.name && i.metadata.namespace == namespace);
        if !found {
            return Err(missing(
                manifests.ingresses.iter().map(|i| &i.metadata),
                &document.place_of("/spec/ingressRef/name"),
                "spec.ingressRef",
                ("Ingress", &ingress.name, namespace),
                &format!("or write it under `[ingresses.{}]`", ingress.name),
            ));
        }
    }
    Ok(())
}
