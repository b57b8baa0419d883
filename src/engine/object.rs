//! The objects a tick reads and writes, under one roof.

use std::fmt;

use crate::canary::{AlertProvider, Canary, MetricTemplate};
use crate::k8s::{
    ConfigMap, Deployment, HorizontalPodAutoscaler, HttpRoute, Ingress, ObjectMeta, Secret, Service,
};

/// The kind of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `flagger.app/v1beta1`
    Canary,
    /// `flagger.app/v1beta1`
    MetricTemplate,
    /// `flagger.app/v1beta1`
    AlertProvider,
    /// `apps/v1`
    Deployment,
    /// `autoscaling/v2`
    HorizontalPodAutoscaler,
    /// `v1`
    Service,
    /// `networking.k8s.io/v1`
    Ingress,
    /// `gateway.networking.k8s.io/v1`
    HttpRoute,
    /// `v1`
    ConfigMap,
    /// `v1`
    Secret,
}

impl Kind {
    /// As manifests write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Canary => "Canary",
            Kind::MetricTemplate => "MetricTemplate",
            Kind::AlertProvider => "AlertProvider",
            Kind::Deployment => "Deployment",
            Kind::HorizontalPodAutoscaler => "HorizontalPodAutoscaler",
            Kind::Service => "Service",
            Kind::Ingress => "Ingress",
            Kind::HttpRoute => "HTTPRoute",
            Kind::ConfigMap => "ConfigMap",
            Kind::Secret => "Secret",
        }
    }

    /// The resource as errors name it: `ingresses.networking.k8s.io`. MetricTemplates and AlertProviders are read
    /// from Flagger's own cache, whose errors use the singular.
    pub fn resource(self) -> &'static str {
        match self {
            Kind::Canary => "canaries.flagger.app",
            Kind::MetricTemplate => "metrictemplate.flagger.app",
            Kind::AlertProvider => "alertprovider.flagger.app",
            Kind::Deployment => "deployments.apps",
            Kind::HorizontalPodAutoscaler => "horizontalpodautoscalers.autoscaling",
            Kind::Service => "services",
            Kind::Ingress => "ingresses.networking.k8s.io",
            Kind::HttpRoute => "httproutes.gateway.networking.k8s.io",
            Kind::ConfigMap => "configmaps",
            Kind::Secret => "secrets",
        }
    }
}

/// An object by kind, namespace and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectRef {
    /// Kind.
    pub kind: Kind,
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
}

impl ObjectRef {
    /// The object of this kind, namespace and name.
    pub fn new(kind: Kind, namespace: impl Into<String>, name: impl Into<String>) -> Self {
        ObjectRef {
            kind,
            namespace: namespace.into(),
            name: name.into(),
        }
    }

    /// What the API server says of it when it does not exist.
    pub fn not_found(&self) -> String {
        format!("{} {:?} not found", self.kind.resource(), self.name)
    }
}

/// `<name>.<namespace>`, as Flagger prints objects.
impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.name, self.namespace)
    }
}

/// Any object.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the variants are the kinds")]
#[allow(
    clippy::large_enum_variant,
    reason = "there are few objects, and they are moved rarely"
)]
pub enum Object {
    Canary(Canary),
    MetricTemplate(MetricTemplate),
    AlertProvider(AlertProvider),
    Deployment(Deployment),
    HorizontalPodAutoscaler(HorizontalPodAutoscaler),
    Service(Service),
    Ingress(Ingress),
    HttpRoute(HttpRoute),
    ConfigMap(ConfigMap),
    Secret(Secret),
}

impl Object {
    /// Its kind.
    pub fn kind(&self) -> Kind {
        match self {
            Object::Canary(_) => Kind::Canary,
            Object::MetricTemplate(_) => Kind::MetricTemplate,
            Object::AlertProvider(_) => Kind::AlertProvider,
            Object::Deployment(_) => Kind::Deployment,
            Object::HorizontalPodAutoscaler(_) => Kind::HorizontalPodAutoscaler,
            Object::Service(_) => Kind::Service,
            Object::Ingress(_) => Kind::Ingress,
            Object::HttpRoute(_) => Kind::HttpRoute,
            Object::ConfigMap(_) => Kind::ConfigMap,
            Object::Secret(_) => Kind::Secret,
        }
    }

    /// Its metadata.
    pub fn metadata(&self) -> &ObjectMeta {
        match self {
            Object::Canary(o) => &o.metadata,
            Object::MetricTemplate(o) => &o.metadata,
            Object::AlertProvider(o) => &o.metadata,
            Object::Deployment(o) => &o.metadata,
            Object::HorizontalPodAutoscaler(o) => &o.metadata,
            Object::Service(o) => &o.metadata,
            Object::Ingress(o) => &o.metadata,
            Object::HttpRoute(o) => &o.metadata,
            Object::ConfigMap(o) => &o.metadata,
            Object::Secret(o) => &o.metadata,
        }
    }

    /// Its metadata, to change.
    pub fn metadata_mut(&mut self) -> &mut ObjectMeta {
        match self {
            Object::Canary(o) => &mut o.metadata,
            Object::MetricTemplate(o) => &mut o.metadata,
            Object::AlertProvider(o) => &mut o.metadata,
            Object::Deployment(o) => &mut o.metadata,
            Object::HorizontalPodAutoscaler(o) => &mut o.metadata,
            Object::Service(o) => &mut o.metadata,
            Object::Ingress(o) => &mut o.metadata,
            Object::HttpRoute(o) => &mut o.metadata,
            Object::ConfigMap(o) => &mut o.metadata,
            Object::Secret(o) => &mut o.metadata,
        }
    }

    /// Kind, namespace and name.
    pub fn reference(&self) -> ObjectRef {
        let meta = self.metadata();
        ObjectRef::new(self.kind(), meta.namespace.clone(), meta.name.clone())
    }
}

macro_rules! object_from {
    ($($kind:ident),*) => {$(
        impl From<$kind> for Object {
            fn from(object: $kind) -> Object {
                Object::$kind(object)
            }
        }
        impl<'a> TryFrom<&'a Object> for &'a $kind {
            type Error = &'a Object;
            fn try_from(object: &'a Object) -> Result<&'a $kind, &'a Object> {
                match object {
                    Object::$kind(o) => Ok(o),
                    other => Err(other),
                }
            }
        }
        impl TryFrom<Object> for $kind {
            type Error = Object;
            fn try_from(object: Object) -> Result<$kind, Object> {
                match object {
                    Object::$kind(o) => Ok(o),
                    other => Err(other),
                }
            }
        }
    )*};
}
object_from!(
    Canary,
    MetricTemplate,
    AlertProvider,
    Deployment,
    HorizontalPodAutoscaler,
    Service,
    Ingress,
    HttpRoute,
    ConfigMap,
    Secret
);
