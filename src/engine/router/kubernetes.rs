//! Provider `kubernetes`: no routing at all.
//!
//! Follows `pkg/router/nop.go`. Users reach the primary until it is itself the new version; what is read back only tells whether
//! an analysis by iterations has begun.

use super::{Router, Routes};
use crate::engine::context::{Context, Failure};

pub(crate) struct Kubernetes;

impl Router for Kubernetes {
    fn reconcile(&self, _: &mut Context<'_>) -> Result<(), Failure> {
        Ok(())
    }

    fn routes(&self, cx: &mut Context<'_>) -> Result<Routes, Failure> {
        Ok(if cx.status.iterations > 0 {
            Routes::CANARY
        } else {
            Routes::PRIMARY
        })
    }

    fn set_routes(&self, _: &mut Context<'_>, _: Routes) -> Result<(), Failure> {
        Ok(())
    }
}
