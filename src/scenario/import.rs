//! A scenario from manifests alone: what a first forecast needs, each assumption with a comment that says so.
//!
//! The scenario is written as text and then read like any other, so that what `rollcast simulate -f` runs is exactly what
//! `rollcast import` writes down. Objects that the Canary names and that were not given are made up here; an assumption about
//! a value that has a default is left to the default, and told where the text is read. Left out: what a service mesh would do
//! (refused, with `--as nginx` offered).

mod monitoring;
mod push;

use std::sync::Arc;

use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, Value, value};

use super::helm_release;
use super::objects::{namespace_of, typed};
use crate::canary::{Canary, Course, Provider, Rules};
use crate::diagnostic::{Diagnostic, SourceText, nearest};
use crate::k8s::manifest::{self, Document};
use crate::k8s::{Deployment, PodTemplate};
use crate::time::Span;

/// What the user wants besides what the manifests say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// Which Canary, as `NAMESPACE/NAME` or `NAME`; needed where there are several.
    pub canary: Option<String>,
    /// What is different about the release: `fail-rate=0.3`, `service-time=80ms`, `env.MODE=x`.
    pub push: Vec<(String, String)>,
    /// Requests of users, `200/s`.
    pub rate: Option<String>,
    /// What realises weights instead of the Canary's own provider.
    pub provider: Option<Provider>,
}

/// A scenario as it would be written by hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// The Canary's name.
    pub name: String,
    /// The TOML.
    pub text: String,
    /// What was made up, one sentence each, with what changes it.
    pub assumed: Vec<String>,
}

/// Shortest horizon that is written; the default one.
const SHORTEST: Span = Span::from_secs(15 * 60);
/// Longest horizon that can be run.
const LONGEST: Span = Span::from_secs(24 * 3600);

/// Writes the scenario of a folder of manifests. `paths` are how the scenario is to name the `sources`, one for each.
///
/// # Errors
/// When a manifest cannot be read, when there is no Canary or it is not said which of several, when a wish makes no sense.
pub fn import(
    sources: &[Arc<SourceText>],
    paths: &[String],
    wishes: &Wishes,
) -> Result<Imported, Diagnostic> {
    let mut documents = Vec::new();
    for source in sources {
        documents.extend(manifest::read(source)?);
    }
    let several = canaries(&documents).count() > 1;
    let document = chosen(&documents, wishes.canary.as_deref())?;
    let mut canary: Canary = typed(document)?;
    canary.metadata.namespace = namespace_of(document).to_owned();
    let mut draft = Draft {
        documents: &documents,
        document,
        canary,
        toml: DocumentMut::new(),
        assumed: Vec::new(),
    };
    draft.head(paths, several);
    let provider = draft.provider(wishes)?;
    draft.deployment();
    draft.autoscaler();
    draft.ingress(provider);
    draft.templates();
    draft.prometheus(provider);
    draft.traffic(wishes);
    draft.versions(wishes)?;
    draft.horizon(provider);
    Ok(Imported {
        name: draft.canary.metadata.name.clone(),
        text: draft.toml.to_string(),
        assumed: draft.assumed,
    })
}

/// Every Canary among the documents, as `NAMESPACE/NAME`.
pub fn canary_names(documents: &[Document]) -> Vec<String> {
    canaries(documents).map(full_name).collect()
}

fn canaries(documents: &[Document]) -> impl Iterator<Item = &Document> {
    documents.iter().filter(|d| d.kind == "Canary")
}

fn full_name(document: &Document) -> String {
    format!("{}/{}", namespace_of(document), document.name)
}

fn chosen<'d>(documents: &'d [Document], wanted: Option<&str>) -> Result<&'d Document, Diagnostic> {
    let names = canary_names(documents);
    let listed = || nearest::listed(&names);
    let matches = |document: &&Document| {
        wanted.is_none_or(|wanted| wanted == document.name || wanted == full_name(document))
    };
    let found: Vec<&Document> = canaries(documents).filter(matches).collect();
    match (found.as_slice(), wanted) {
        ([one], _) => Ok(one),
        ([], None) => Err(Diagnostic::new("there is no Canary among the manifests")
            .help("give the file or the folder that has it with -f")),
        ([], Some(wanted)) => Err(Diagnostic::new(format!(
            "there is no Canary `{}` among the manifests",
            wanted.escape_debug()
        ))
        .help(match names.len() {
            0 => "there is none at all: give the file or the folder that has it with -f".to_owned(),
            _ => format!("there is {}", listed()),
        })),
        (several, _) => Err(Diagnostic::new(format!(
            "there are {} Canaries: {}",
            several.len(),
            listed()
        ))
        .help(match alike(several) {
            Some(files) => format!("they have one name, in {files}: give one of the files with -f"),
            None => format!("choose one: --canary {}", full_name(several[0])),
        })),
    }
}

/// The files of Canaries that no name can tell apart.
fn alike(canaries: &[&Document]) -> Option<String> {
    let first = full_name(canaries[0]);
    let same = canaries.iter().all(|canary| full_name(canary) == first);
    let files = canaries.iter().map(|canary| &*canary.node.place.0.name);
    same.then(|| nearest::listed(&files.collect::<Vec<_>>()))
}

/// A scenario in the making.
struct Draft<'a> {
    documents: &'a [Document],
    /// The Canary as written.
    document: &'a Document,
    canary: Canary,
    toml: DocumentMut,
    assumed: Vec<String>,
}

impl Draft<'_> {
    fn head(&mut self, paths: &[String], several: bool) {
        let (name, namespace) = (
            self.canary.metadata.name.clone(),
            self.canary.metadata.namespace.clone(),
        );
        self.toml["title"] = value(format!("{namespace}/{name}, a first forecast"));
        self.toml["manifests"] = value(paths.iter().collect::<Array>());
        if let Some(mut key) = self.toml.key_mut("title") {
            key.leaf_decor_mut().set_prefix(format!(
                "# A first forecast of the Canary {}/{}, made of its manifests. Comments say what was assumed; every key is in\n\
                 # the scenario's JSON Schema (`rollcast schema`).\n",
                one_line(&namespace),
                one_line(&name)
            ));
        }
        if several {
            let comment = "Which of the Canaries among the manifests.";
            let metadata = self.table(&["canary", "metadata"], comment);
            metadata["name"] = value(name);
            metadata["namespace"] = value(namespace);
        }
    }

    /// What realises weights: as wished, as said, or as the Canary's own references suggest.
    fn provider(&mut self, wishes: &Wishes) -> Result<Option<Provider>, Diagnostic> {
        let said = self.canary.spec.provider.clone();
        if let Some(wished) = wishes.provider {
            self.toml["provider"] = value(wished.as_str());
            if !said.is_empty() && Provider::parse(&said).is_none() {
                let comment = "The Canary's own provider is not simulated.";
                let spec = self.table(&["canary", "spec"], comment);
                spec["provider"] = value(wished.as_str());
                self.assume(
                    format!("The analysis runs on {} instead of {said}", wished.as_str()),
                    "--as",
                );
            }
            return Ok(Some(wished));
        }
        if !said.is_empty() {
            return Ok(Provider::parse(&said));
        }
        let namespace = self.canary.metadata.namespace.clone();
        for document in self.documents.iter().filter(|d| d.kind == "HelmRelease") {
            if let Some(release) = helm_release::flagger(document, &namespace, false)? {
                return Ok(release.mesh_provider);
            }
        }
        let istio = ["gateways", "trafficPolicy", "delegation", "meshName"];
        let service = self.document.node.pointer("/spec/service");
        if let Some(key) = istio
            .iter()
            .find(|key| service.is_some_and(|s| s.get(key).is_some()))
        {
            return Err(Diagnostic::new(format!(
                "Canary `{}`: `spec.service.{key}` is a service mesh's, and none is simulated",
                self.canary.metadata.name
            ))
            .at_place(&self.document.place_of(&format!("/spec/service/{key}")))
            .help("--as nginx tries the same analysis on ingress-nginx; --as kubernetes or `spec.provider` says that it is none"));
        }
        let (guess, why) = if self.canary.spec.ingress_ref.is_some() {
            (Provider::Nginx, "since the Canary has an ingressRef")
        } else if self.canary.spec.service.gateway_refs != serde_json::Value::Null {
            (Provider::GatewayApiV1, "since the Canary has gatewayRefs")
        } else {
            return Ok(None);
        };
        let comment = format!("Assumed, {why}; the flag -mesh-provider of your Flagger.");
        self.table(&["flagger"], &comment)["mesh_provider"] = value(guess.as_str());
        self.assume(
            format!("Flagger runs with the provider {}, {why}", guess.as_str()),
            "--as, or `flagger.mesh_provider`",
        );
        Ok(Some(guess))
    }

    /// The target, where it is not given.
    fn deployment(&mut self) {
        let target = self.canary.spec.target_ref.clone();
        if target.kind != "Deployment"
            || target.name.is_empty()
            || self.given(&target.kind, &target.name)
        {
            return;
        }
        let port = target_port(&self.canary);
        let comment = "Assumed: the Deployment is not among the manifests.";
        let name = target.name.as_str();
        let spec = self.table(&["deployment", "spec"], comment);
        spec["replicas"] = value(2);
        let labels = inline([("app", name.into())]);
        spec["selector"] = value(inline([("matchLabels", labels.clone().into())]));
        let mut ports = InlineTable::new();
        match port {
            Port::Number(number) => ports.insert("containerPort", number.into()),
            Port::Named(named) => {
                ports.insert("name", named.into());
                ports.insert("containerPort", 8080.into())
            }
        };
        let requests = inline([("cpu", "500m".into())]);
        let container = inline([
            ("name", name.into()),
            ("image", format!("{name}:1").into()),
            ("ports", Array::from_iter([Value::from(ports)]).into()),
            ("resources", inline([("requests", requests.into())]).into()),
        ]);
        let containers = Array::from_iter([Value::from(container)]);
        spec["template"] = value(inline([
            ("metadata", inline([("labels", labels.into())]).into()),
            ("spec", inline([("containers", containers.into())]).into()),
        ]));
        self.assume(
            format!("The Deployment `{name}`, which is not given, has 2 replicas that request 500m CPU each"),
            "its file with -f, or `deployment`",
        );
    }

    fn autoscaler(&mut self) {
        let Some(autoscaler) = self.canary.spec.autoscaler_ref.clone() else {
            return;
        };
        if autoscaler.kind != "HorizontalPodAutoscaler"
            || self.given(&autoscaler.kind, &autoscaler.name)
        {
            return;
        }
        let target = self.canary.spec.target_ref.name.clone();
        let comment = "Assumed: the HorizontalPodAutoscaler is not among the manifests.";
        let spec = self.table(&["hpa", "spec"], comment);
        spec["minReplicas"] = value(2);
        spec["maxReplicas"] = value(10);
        spec["scaleTargetRef"] = value(inline([
            ("apiVersion", "apps/v1".into()),
            ("kind", "Deployment".into()),
            ("name", target.into()),
        ]));
        self.assume(
            format!(
                "The HorizontalPodAutoscaler `{}`, which is not given, keeps 2 to 10 pods at 80 % of their CPU request",
                autoscaler.name
            ),
            "its file with -f, or `hpa`",
        );
    }

    /// The Ingress that nginx needs, where it is not given; without any the users come by the Service.
    fn ingress(&mut self, provider: Option<Provider>) {
        let named = self
            .canary
            .spec
            .ingress_ref
            .as_ref()
            .map(|r| r.name.clone());
        let nginx = provider == Some(Provider::Nginx);
        let name = match named {
            Some(name) if self.given("Ingress", &name) => return,
            Some(name) => name,
            None if nginx => {
                let name = self.canary.spec.target_ref.name.clone();
                let comment = "The provider nginx needs an Ingress, and the Canary names none.";
                let reference = self.table(&["canary", "spec", "ingressRef"], comment);
                reference["apiVersion"] = value("networking.k8s.io/v1");
                reference["kind"] = value("Ingress");
                reference["name"] = value(name.as_str());
                name
            }
            None => {
                if self.documents.iter().all(|d| d.kind != "Ingress") {
                    let comment = "Assumed: there is no Ingress among the manifests.";
                    self.table(&["traffic"], comment)["via"] = value("service");
                    self.assume(
                        "Users come by the Service, since no Ingress is given; nothing counts their requests",
                        "the Ingress' file with -f, or `traffic.via`",
                    );
                }
                return;
            }
        };
        let spec = &self.canary.spec;
        let host = match spec.service.hosts.iter().find(|host| !host.contains('*')) {
            Some(host) => host.clone(),
            None => format!("{name}.example.com"),
        };
        let backend = inline([(
            "service",
            inline([
                ("name", spec.apex_service().into()),
                (
                    "port",
                    inline([("number", i64::from(spec.service.port).into())]).into(),
                ),
            ])
            .into(),
        )]);
        let path = inline([
            ("path", "/".into()),
            ("pathType", "Prefix".into()),
            ("backend", backend.into()),
        ]);
        let paths = Array::from_iter([Value::from(path)]);
        let rule = inline([
            ("host", host.as_str().into()),
            ("http", inline([("paths", paths.into())]).into()),
        ]);
        let comment = "Assumed: the Ingress is not among the manifests.";
        self.table(&["ingresses", &name, "spec"], comment)["rules"] =
            value(Array::from_iter([Value::from(rule)]));
        self.assume(
            format!(
                "The Ingress `{name}`, which is not given, sends {host} to the Canary's Service"
            ),
            &format!("its file with -f, or `ingresses.{name}`"),
        );
    }

    /// Templates that metrics name and that are not given: a constant stands for each, so that the rest can be forecast.
    fn templates(&mut self) {
        let metrics = self
            .canary
            .spec
            .analysis
            .iter()
            .flat_map(|a| a.metrics.clone());
        for metric in metrics.collect::<Vec<_>>() {
            let Some(reference) = &metric.template_ref else {
                continue;
            };
            let namespace = match reference.namespace.as_str() {
                "" => self.canary.metadata.namespace.clone(),
                given => given.to_owned(),
            };
            let given = self.documents.iter().any(|d| {
                d.kind == "MetricTemplate"
                    && d.name == reference.name
                    && namespace_of(d) == namespace
            });
            if given || reference.name.is_empty() {
                continue;
            }
            let range = metric.threshold_range.unwrap_or_default();
            let passes = range.min.or(range.max).or(metric.threshold).unwrap_or(0.0);
            let comment = "Assumed: the MetricTemplate is not among the manifests. A constant that passes stands for it.";
            let name = reference.name.as_str();
            let spec = self.table(&["metric_templates", name, "spec"], comment);
            spec["provider"] = value(inline([
                ("type", "prometheus".into()),
                ("address", "http://prometheus:9090".into()),
            ]));
            spec["query"] = value(format!("vector({passes})"));
            let comment = "Where the Canary looks for it.";
            self.table(&["metric_templates", name, "metadata"], comment)["namespace"] =
                value(&namespace);
            self.assume(
                format!(
                    "The metric `{}` always passes, since its MetricTemplate `{namespace}/{name}` is not given",
                    metric.name
                ),
                &format!("its file with -f, or `metric_templates.{name}`"),
            );
        }
    }

    fn traffic(&mut self, wishes: &Wishes) {
        if let Some(rate) = &wishes.rate {
            self.table(&["traffic"], "What users send.")["rate"] = value(rate);
        }
    }

    /// The release: another image, so that Flagger sees a revision, and what was wished.
    fn versions(&mut self, wishes: &Wishes) -> Result<(), Diagnostic> {
        let template = self.template();
        self.table(
            &["versions", "v1"],
            "What runs now. Service times and start-up have defaults.",
        );
        let image = template
            .as_ref()
            .and_then(PodTemplate::image)
            .unwrap_or("app:1");
        let next = match image.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => {
                format!("{}:next", name.split('@').next().unwrap_or(name))
            }
            _ => format!("{image}:next"),
        };
        let release = self.table(
            &["versions", "v2"],
            "The release. Its image stands for whatever you push.",
        );
        release["inherits"] = value("v1");
        release["image"] = value(next);
        for (key, given) in &wishes.push {
            if let Some(variable) = key.strip_prefix("env.") {
                release["env"][variable] = value(given);
                continue;
            }
            let carries = template
                .as_ref()
                .is_some_and(|t| t.env("FAIL_RATE").is_some());
            if key == "fail-rate" && carries {
                // The variable that the Deployment has for this.
                release["env"]["FAIL_RATE"] = value(given);
                continue;
            }
            let (name, item) = push::setting(key, given)?;
            release[name] = item;
        }
        let event = inline([("at", "0s".into()), ("push", "v2".into())]);
        self.toml["events"] = value(Array::from_iter([Value::from(event)]));
        Ok(())
    }

    /// Long enough for the slowest end that the analysis has.
    fn horizon(&mut self, provider: Option<Provider>) {
        let Some(analysis) = &self.canary.spec.analysis else {
            return;
        };
        let course = Course::of(
            analysis,
            provider.unwrap_or(Provider::Kubernetes),
            Rules::Flagger,
        );
        let ticks = [
            course.finished.unwrap_or(0),
            course.latest_rollback.unwrap_or(0),
        ];
        let most = ticks.into_iter().max().unwrap_or(0).clamp(0, 100_000);
        let long = (analysis.interval() * (most + 4) + Span::from_secs(300)).min(LONGEST);
        if long > SHORTEST {
            let minutes = long.as_millis() / 60_000;
            self.table(
                &["run"],
                "Long enough for every step, and for the slowest rollback.",
            )["horizon"] = value(format!("{minutes}m"));
        }
    }

    fn template(&self) -> Option<PodTemplate> {
        let target = &self.canary.spec.target_ref.name;
        let document = self.find("Deployment", target)?;
        let deployment: Deployment = typed(document).ok()?;
        Some(deployment.spec.template)
    }

    fn given(&self, kind: &str, name: &str) -> bool {
        self.find(kind, name).is_some()
    }

    fn find(&self, kind: &str, name: &str) -> Option<&Document> {
        let namespace = self.canary.metadata.namespace.as_str();
        self.documents
            .iter()
            .find(|d| d.kind == kind && d.name == name && namespace_of(d) == namespace)
    }

    fn assume(&mut self, sentence: impl AsRef<str>, change: &str) {
        self.assumed
            .push(format!("{} ({change}).", sentence.as_ref()));
    }

    /// The table of this path, made with a comment above it where there is none.
    fn table(&mut self, path: &[&str], comment: &str) -> &mut Table {
        let mut table = self.toml.as_table_mut();
        for (depth, name) in path.iter().enumerate() {
            let last = depth + 1 == path.len();
            let item = table.entry(name).or_insert_with(|| {
                let mut fresh = Table::new();
                fresh.set_implicit(!last);
                Item::Table(fresh)
            });
            table = item
                .as_table_mut()
                .expect("only tables are made on the way");
            if last && table.decor().prefix().is_none() {
                table.set_implicit(false);
                table.decor_mut().set_prefix(format!("\n# {comment}\n"));
            }
        }
        table
    }
}

enum Port {
    Number(i64),
    Named(String),
}

/// The container's port, as the Canary's Service names it.
fn target_port(canary: &Canary) -> Port {
    let service = &canary.spec.service;
    match &service.target_port {
        serde_json::Value::String(name) if !name.is_empty() => match name.parse() {
            Ok(number) => Port::Number(number),
            Err(_) => Port::Named(name.clone()),
        },
        serde_json::Value::Number(number) if number.as_i64() != Some(0) => {
            Port::Number(number.as_i64().unwrap_or(8080))
        }
        _ => Port::Number(i64::from(service.port)),
    }
}

fn inline<const N: usize>(entries: [(&str, Value); N]) -> InlineTable {
    let mut table = InlineTable::new();
    for (key, value) in entries {
        table.insert(key, value);
    }
    table
}

/// A name as it can stand in a comment.
fn one_line(name: &str) -> String {
    name.escape_debug().to_string()
}
