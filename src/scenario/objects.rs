//! From documents to the objects of a scenario: which Canary, what belongs to it, what the scenario lays over them, and
//! the defaults that the API server would fill in.
//!
//! Follows the API types' own defaulting (`pkg/apis/apps/v1/defaults.go`, `pkg/apis/autoscaling/v2/defaults.go` of Kubernetes),
//! as far as some modelled controller reads the field.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::model::{LeftOut, Manifests};
use super::{admission, crd, helm_release, old_api, service_monitor};
use crate::diagnostic::{Content, Diagnostic, Key, Node, Place, nearest};
use crate::k8s::manifest::Document;
use crate::k8s::{Deployment, HorizontalPodAutoscaler, ObjectMeta};

/// Finds the Canary among the documents and everything it names, with the scenario's own fields laid over.
///
/// Beside them stands what is to be said of objects that had to be converted.
pub(super) fn join(
    scenario: &Node,
    documents: Vec<Document>,
) -> Result<(Manifests, Vec<String>), Diagnostic> {
    let mut known = Vec::new();
    let mut converted = Vec::new();
    let mut manifests = Manifests::default();
    for mut document in documents {
        if let Some(said) = old_api::converted(&mut document) {
            converted.push((document.kind.clone(), document.name.clone(), said));
        }
        match admission::known(&document)? {
            Ok(()) => known.push(document),
            Err(reason) => manifests.left_out.push(left_out(&document, reason)),
        }
    }

    given_once(&known)?;

    let canary = pick_canary(scenario, &mut known)?;
    manifests.left_out.extend(crd::dropped_keys(&canary)?);
    manifests.left_out.extend(crd::unmodelled_keys(&canary));
    manifests.canary = typed(&canary)?;
    default_namespace(&mut manifests.canary.metadata);
    admission::canary(&canary, &manifests.canary)?;
    let namespace = manifests.canary.metadata.namespace.clone();
    let spec = &manifests.canary.spec;

    let target = named(
        scenario.get("deployment"),
        "deployment",
        &mut known,
        Wanted {
            canary: &canary,
            pointer: "/spec/targetRef",
            kind: "Deployment",
            api_version: "apps/v1",
            name: &spec.target_ref.name,
            namespace: &namespace,
        },
    )?;
    admission::deployment(&target)?;
    manifests.deployment = typed(&target)?;
    default_deployment(&mut manifests.deployment);

    if let Some(autoscaler) = &spec.autoscaler_ref {
        let hpa = named(
            scenario.get("hpa"),
            "hpa",
            &mut known,
            Wanted {
                canary: &canary,
                pointer: "/spec/autoscalerRef",
                kind: "HorizontalPodAutoscaler",
                api_version: "autoscaling/v2",
                name: &autoscaler.name,
                namespace: &namespace,
            },
        )?;
        let typed = read_hpa(&hpa)?;
        admission::hpa(&hpa, &typed, &manifests.deployment)?;
        manifests.hpas.push(typed);
        manifests.documents.push(hpa);
    } else if let Some(patch) = scenario.get("hpa") {
        return Err(at(
            patch,
            "`hpa` changes an autoscaler, but the Canary names none",
        )
        .help("add `autoscalerRef` to the Canary's spec, or leave `hpa` out"));
    }

    for (table, kind, api_version) in [
        ("metric_templates", "MetricTemplate", "flagger.app/v1beta1"),
        ("ingresses", "Ingress", "networking.k8s.io/v1"),
        ("services", "Service", "v1"),
    ] {
        for (key, patch) in scenario.get(table).map_or(&[][..], Node::entries) {
            overlay(&mut known, kind, api_version, key, patch, &namespace)?;
        }
    }

    for document in known {
        match document.kind.as_str() {
            "MetricTemplate" => manifests.metric_templates.push(typed(&document)?),
            "AlertProvider" => manifests.alert_providers.push(typed(&document)?),
            "Ingress" => manifests.ingresses.push(typed(&document)?),
            "HTTPRoute" => manifests.http_routes.push(typed(&document)?),
            "Service" => manifests.services.push(typed(&document)?),
            "ConfigMap" => manifests.config_maps.push(typed(&document)?),
            "Secret" => manifests.secrets.push(typed(&document)?),
            // Read where the version of Prometheus is known, and what the scenario says of it.
            "PrometheusRule" => {}
            "ServiceMonitor" if service_monitor::of_ingress(&document)?.is_some() => {}
            "ServiceMonitor" => {
                let reason = "it is not the ingress controller's".to_owned();
                manifests.left_out.push(left_out(&document, reason));
                continue;
            }
            "HelmRelease" => match helm_release::flagger(
                &document,
                &namespace,
                scenario.get("provider").is_some(),
            )? {
                Some(_) if manifests.flagger.is_some() => {
                    return Err(Diagnostic::new("Flagger is installed twice")
                        .at_place(&document.place_of("/metadata/name"))
                        .label("the second HelmRelease of its chart")
                        .help("name one of the files in `manifests`"));
                }
                Some(release) => manifests.flagger = Some(release),
                None => {
                    let reason = "only the HelmRelease of Flagger's own chart is read".to_owned();
                    manifests.left_out.push(left_out(&document, reason));
                    continue;
                }
            },
            _ => {
                let reason = "the Canary does not name it".to_owned();
                manifests.left_out.push(left_out(&document, reason));
                continue;
            }
        }
        manifests.documents.push(document);
    }
    for meta in manifests.metadata_mut() {
        default_namespace(meta);
    }
    admission::references(&canary, &manifests)?;
    manifests.documents.extend([canary, target]);
    converted.retain(|(kind, name, _)| {
        let mut used = manifests.documents.iter();
        used.any(|d| d.kind == *kind && d.name == *name)
    });
    let said = converted.into_iter().map(|(.., said)| said).collect();
    Ok((manifests, said))
}

impl Manifests {
    fn metadata_mut(&mut self) -> impl Iterator<Item = &mut ObjectMeta> {
        let templates = self.metric_templates.iter_mut().map(|o| &mut o.metadata);
        let providers = self.alert_providers.iter_mut().map(|o| &mut o.metadata);
        let ingresses = self.ingresses.iter_mut().map(|o| &mut o.metadata);
        let routes = self.http_routes.iter_mut().map(|o| &mut o.metadata);
        let services = self.services.iter_mut().map(|o| &mut o.metadata);
        let config_maps = self.config_maps.iter_mut().map(|o| &mut o.metadata);
        let secrets = self.secrets.iter_mut().map(|o| &mut o.metadata);
        let hpas = self.hpas.iter_mut().map(|o| &mut o.metadata);
        templates
            .chain(providers)
            .chain(ingresses)
            .chain(routes)
            .chain(services)
            .chain(config_maps)
            .chain(secrets)
            .chain(hpas)
    }
}

/// In a cluster the later text would win; among files no one can see which is the later.
fn given_once(documents: &[Document]) -> Result<(), Diagnostic> {
    let mut seen = BTreeMap::new();
    for document in documents {
        let identity = (&document.kind, namespace_of(document), &document.name);
        if let Some((source, range)) = seen.insert(identity, document.place_of("/metadata/name")) {
            return Err(Diagnostic::new(format!(
                "the {} `{}` is given twice",
                document.kind, document.name
            ))
            .at_place(&document.place_of("/metadata/name"))
            .label("the second time")
            .help(format!(
                "the first is at {}:{}; give one of the files alone, with -f or in `manifests`",
                source.name,
                source.line_column(range.start).0
            )));
        }
    }
    Ok(())
}

/// The one Canary, with the scenario's `[canary]` laid over.
fn pick_canary(scenario: &Node, known: &mut Vec<Document>) -> Result<Document, Diagnostic> {
    let patch = scenario.get("canary");
    let chosen = patch.and_then(|p| p.pointer("/metadata/name"));
    let chosen_namespace = patch.and_then(|p| p.pointer("/metadata/namespace"));
    let canaries: Vec<usize> = (0..known.len())
        .filter(|&i| known[i].kind == "Canary")
        .collect();
    let matching: Vec<usize> = canaries
        .iter()
        .copied()
        .filter(|&i| {
            let named = chosen.is_some_and(|c| c.as_str() == Some(&known[i].name));
            let there = chosen_namespace
                .is_none_or(|namespace| namespace.as_str() == Some(namespace_of(&known[i])));
            canaries.len() == 1 || named && there
        })
        .collect();
    match (matching.as_slice(), canaries.as_slice(), patch) {
        ([one], _, None) => Ok(known.remove(*one)),
        ([one], _, Some(patch)) => {
            let mut canary = known.remove(*one);
            canary.node.patch(patch)?;
            Document::new(canary.node)
        }
        (_, [], Some(patch)) => {
            let mut node = envelope(patch, "Canary", "flagger.app/v1beta1", None);
            node.patch(patch)?;
            Document::new(node)
        }
        (_, [], None) => Err(Diagnostic::new("there is no Canary")
            .at_place(&scenario.place_of("/manifests"))
            .help("add the Canary's file to `manifests`, or write the Canary under `[canary]`")),
        (_, several, _) => {
            let names: Vec<&str> = several.iter().map(|&i| known[i].name.as_str()).collect();
            Err(Diagnostic::new(format!(
                "there are {} Canaries: {}",
                names.len(),
                nearest::listed(&names)
            ))
            .at_place(&known[several[1]].place_of("/metadata/name"))
            .label("a second one")
            .help(format!(
                "a scenario simulates one rollout: choose with `canary.metadata.name = \"{}\"`, or name fewer files in `manifests`",
                names[0]
            )))
        }
    }
}

/// An object that the Canary names.
struct Wanted<'a> {
    canary: &'a Document,
    /// The reference within the Canary.
    pointer: &'a str,
    kind: &'a str,
    api_version: &'a str,
    name: &'a str,
    namespace: &'a str,
}

/// Takes the object that the Canary names out of the documents and lays the scenario's fields over it.
fn named(
    patch: Option<&Node>,
    key: &str,
    known: &mut Vec<Document>,
    wanted: Wanted<'_>,
) -> Result<Document, Diagnostic> {
    let found = known.iter().position(|d| {
        d.kind == wanted.kind && d.name == wanted.name && namespace_of(d) == wanted.namespace
    });
    let mut node = match (found, patch) {
        (Some(index), _) => known.remove(index).node,
        (None, Some(patch)) => envelope(
            patch,
            wanted.kind,
            wanted.api_version,
            Some((wanted.name, wanted.namespace)),
        ),
        (None, None) => {
            let same_kind: Vec<ObjectMeta> = known
                .iter()
                .filter(|d| d.kind == wanted.kind)
                .map(|d| ObjectMeta {
                    name: d.name.clone(),
                    namespace: namespace_of(d).to_owned(),
                    ..ObjectMeta::default()
                })
                .collect();
            return Err(missing(
                same_kind.iter(),
                &wanted.canary.place_of(&format!("{}/name", wanted.pointer)),
                &wanted.pointer[1..].replace('/', "."),
                (wanted.kind, wanted.name, wanted.namespace),
                &format!("or write it under `[{key}]`"),
            ));
        }
    };
    if let Some(patch) = patch {
        node.patch(patch)?;
    }
    Document::new(node)
}

/// A reference to an object (kind, name, namespace) that was not given, among those of its kind that were.
pub(super) fn missing<'a>(
    given: impl Iterator<Item = &'a ObjectMeta>,
    place: &Place,
    reference: &str,
    (kind, name, namespace): (&str, &str, &str),
    otherwise: &str,
) -> Diagnostic {
    let given: Vec<&ObjectMeta> = given.collect();
    let elsewhere = given.iter().find(|o| o.name == name);
    let nearest = nearest::nearest(name, given.iter().map(|o| o.name.as_str()));
    let help = match (elsewhere, nearest) {
        (Some(other), _) => {
            format!(
                "the {kind} of that name is in namespace `{}`",
                other.namespace
            )
        }
        (None, Some(meant)) => format!("did you mean `{meant}`?"),
        (None, None) => format!("add its file to `manifests`, {otherwise}"),
    };
    Diagnostic::new(format!(
        "`{reference}` names the {kind} `{name}` in namespace `{namespace}`, which is not given"
    ))
    .at_place(place)
    .help(help)
}

/// Lays `[metric_templates.NAME]` and the like over the object of that name, or makes it.
fn overlay(
    known: &mut Vec<Document>,
    kind: &str,
    api_version: &str,
    key: &Key,
    patch: &Node,
    namespace: &str,
) -> Result<(), Diagnostic> {
    let found = known
        .iter_mut()
        .find(|d| d.kind == kind && d.name == key.name);
    match found {
        Some(document) => {
            document.node.patch(patch)?;
            *document = Document::new(document.node.clone())?;
        }
        None => {
            let mut node = envelope(patch, kind, api_version, Some((&key.name, namespace)));
            node.patch(patch)?;
            known.push(Document::new(node)?);
        }
    }
    Ok(())
}

/// The outside of an object that a scenario writes inline.
fn envelope(patch: &Node, kind: &str, api_version: &str, name: Option<(&str, &str)>) -> Node {
    let place = &patch.place;
    let text = |text: &str| Node {
        content: Content::Text(text.to_owned()),
        place: place.clone(),
    };
    let entry = |key: &str, node: Node| {
        let key = Key {
            name: key.to_owned(),
            place: place.clone(),
        };
        (key, node)
    };
    let mut entries = vec![
        entry("apiVersion", text(api_version)),
        entry("kind", text(kind)),
    ];
    if let Some((name, namespace)) = name {
        let metadata = Node {
            content: Content::Table(vec![
                entry("name", text(name)),
                entry("namespace", text(namespace)),
            ]),
            place: place.clone(),
        };
        entries.push(entry("metadata", metadata));
    }
    Node {
        content: Content::Table(entries),
        place: place.clone(),
    }
}

/// Reads a document as its type. `status` is the cluster's word, not the user's: it is left out.
pub(super) fn typed<T: DeserializeOwned>(document: &Document) -> Result<T, Diagnostic> {
    let mut node = document.node.clone();
    if let Content::Table(entries) = &mut node.content {
        entries.retain(|(key, _)| key.name != "status");
    }
    node.read().map_err(|mut diagnostic: Diagnostic| {
        diagnostic.message = format!(
            "{} `{}`: {}",
            document.kind, document.name, diagnostic.message
        );
        diagnostic
    })
}

fn read_hpa(document: &Document) -> Result<HorizontalPodAutoscaler, Diagnostic> {
    let mut hpa: HorizontalPodAutoscaler = typed(document)?;
    default_namespace(&mut hpa.metadata);
    hpa.spec.min_replicas.get_or_insert(1);
    // autoscaling/v1 knows one metric, and v2 has the same default for an HPA without any (`SetDefaults_HorizontalPodAutoscaler`).
    let percent = document
        .node
        .pointer("/spec/targetCPUUtilizationPercentage");
    if hpa.spec.metrics.as_array().is_none_or(Vec::is_empty) {
        let percent = percent.map_or(Ok(json!(80)), Node::to_json)?;
        hpa.spec.metrics = json!([{
            "type": "Resource",
            "resource": { "name": "cpu", "target": { "type": "Utilization", "averageUtilization": percent } },
        }]);
    }
    Ok(hpa)
}

/// `SetDefaults_Deployment`.
fn default_deployment(deployment: &mut Deployment) {
    default_namespace(&mut deployment.metadata);
    let spec = &mut deployment.spec;
    spec.replicas.get_or_insert(1);
    spec.progress_deadline_seconds.get_or_insert(600);
    spec.revision_history_limit.get_or_insert(10);
    if !spec.strategy.is_object() {
        spec.strategy = json!({});
    }
    if spec.strategy["type"].is_null() {
        spec.strategy["type"] = "RollingUpdate".into();
    }
    if spec.strategy["type"] == "RollingUpdate" {
        for bound in ["maxSurge", "maxUnavailable"] {
            if spec.strategy["rollingUpdate"][bound].is_null() {
                spec.strategy["rollingUpdate"][bound] = Value::from("25%");
            }
        }
    }
}

fn default_namespace(meta: &mut ObjectMeta) {
    if meta.namespace.is_empty() {
        meta.namespace = "default".to_owned();
    }
}

pub(super) fn namespace_of(document: &Document) -> &str {
    document
        .node
        .pointer("/metadata/namespace")
        .and_then(Node::as_str)
        .unwrap_or("default")
}

fn left_out(document: &Document, reason: String) -> LeftOut {
    let (source, range) = document.place_of("/kind");
    LeftOut {
        kind: document.kind.clone(),
        name: document.name.clone(),
        place: format!("{}:{}", source.name, source.line_column(range.start).0),
        reason,
    }
}

fn at(node: &Node, message: impl Into<String>) -> Diagnostic {
    Diagnostic::new(message).at_place(&node.place)
}
