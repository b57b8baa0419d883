//! Routers: which writes a weight means for a provider, and how a weight is read back.
//!
//! Follows the `Interface` in `pkg/router/router.go`. The truth about a weight is with the routing objects, not in the
//! Canary's status: what someone else writes there is continued from.

mod gateway_api;
mod kubernetes;
mod nginx;
pub mod pod_scaling;

use thiserror::Error;

use super::context::{Context, Failure};
use super::dialect::Provider;
use super::object::{Object, ObjectRef};
use super::{Settings, World};
use crate::time::Timestamp;

pub use super::weights::Routes;

/// What a tick asks of a provider.
pub(crate) trait Router {
    /// Makes or repairs the routing objects.
    fn reconcile(&self, cx: &mut Context<'_>) -> Result<(), Failure>;
    /// Reads the weights.
    fn routes(&self, cx: &mut Context<'_>) -> Result<Routes, Failure>;
    /// The weights as they are written, even where the provider has not taken them over.
    fn written_routes(&self, _: &mut Context<'_>) -> Option<Routes> {
        None
    }
    /// Writes the weights.
    fn set_routes(&self, cx: &mut Context<'_>, routes: Routes) -> Result<(), Failure>;
}

/// The router of a provider.
pub(crate) fn of(provider: Provider) -> &'static dyn Router {
    match provider {
        Provider::Nginx => &nginx::Nginx,
        Provider::Kubernetes => &kubernetes::Kubernetes,
        Provider::GatewayApiV1 => &gateway_api::GatewayApi,
        Provider::PodScaling => &pod_scaling::PodScaling,
    }
}

/// Routes that a router would not go by.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct UnreadableRoutes {
    /// Why, in Flagger's words.
    pub message: String,
    /// What the routing objects say all the same, where they exist.
    pub routes: Option<Routes>,
}

/// Reads how a Canary's traffic is split at present, as a tick would.
pub fn read(
    canary: &ObjectRef,
    settings: &Settings,
    now: Timestamp,
    world: &mut impl World,
) -> Result<Routes, UnreadableRoutes> {
    let unreadable = |message: String| UnreadableRoutes {
        message,
        routes: None,
    };
    let found = world.read(canary).map_err(|e| unreadable(e.0))?;
    let Some(Object::Canary(found)) = found else {
        return Err(unreadable(canary.not_found()));
    };
    let mut cx = Context::new(found, settings, now, world);
    let provider = cx.provider().map_err(|e| unreadable(e.message))?;
    let router = of(provider);
    router.routes(&mut cx).map_err(|e| UnreadableRoutes {
        message: e.message,
        routes: router.written_routes(&mut cx),
    })
}
