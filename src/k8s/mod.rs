//! The Kubernetes objects that are read and written, as data.
//!
//! What Flagger copies whole (pod templates, Ingress specs, HPA metrics) stays opaque JSON with typed views on top,
//! so nothing a user wrote is lost between reading and writing. No behaviour lives here: Flagger's is in `engine`,
//! the controllers' in `sim`.

pub mod config;
pub mod deployment;
pub mod hpa;
pub mod http_route;
pub mod ingress;
pub mod manifest;
pub mod meta;
pub mod pod_template;
pub mod quantity;
pub mod service;
pub mod strategy;

pub use config::{ConfigMap, Secret};
pub use deployment::{Condition, Deployment, DeploymentSpec, DeploymentStatus};
pub use hpa::{HorizontalPodAutoscaler, HpaSpec, HpaStatus};
pub use http_route::HttpRoute;
pub use ingress::Ingress;
pub use meta::{ObjectMeta, ObjectReference, api_time};
pub use pod_template::PodTemplate;
pub use quantity::Quantity;
pub use service::{Service, ServicePort, ServiceSpec};
pub use strategy::{IntOrPercent, Strategy};
