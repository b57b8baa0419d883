//! Routers: which writes a weight means for a provider, and how a weight is read back.
//!
//! Follows the `Interface` in `pkg/router/router.go`. The truth about a weight is with the routing objects, not in the
//! Canary's status: what someone else writes there is continued from.

mod kubernetes;
mod nginx;
pub mod pod_scaling;

use super::context::{Context, Failure};
use super::dialect::Provider;

pub use super::weights::Routes;

/// What a tick asks of a provider.
pub(crate) trait Router {
    /// Makes or repairs the routing objects.
    fn reconcile(&self, cx: &mut Context<'_>) -> Result<(), Failure>;
    /// Reads the weights.
    fn routes(&self, cx: &mut Context<'_>) -> Result<Routes, Failure>;
    /// Writes the weights.
    fn set_routes(&self, cx: &mut Context<'_>, routes: Routes) -> Result<(), Failure>;
}

/// The router of a provider.
pub(crate) fn of(provider: Provider) -> &'static dyn Router {
    match provider {
        Provider::Nginx => &nginx::Nginx,
        Provider::Kubernetes | Provider::GatewayApiV1 => &kubernetes::Kubernetes,
        Provider::PodScaling => &pod_scaling::PodScaling,
    }
}
