//! What Flagger gives back before a Canary with `revertOnDeletion` goes: the target its replicas, the apex Service its pods.
//!
//! Follows `pkg/controller/finalizer.go`. The driver owns the waiting between [`begin`] and [`complete`]: four tries, 3 s
//! apart and twice as long each time, then the informer's resync every 30 s. Without the finalizer a Canary just goes, and
//! Flagger does nothing. Left out: KEDA's scalers; the routers have nothing to finalise for the providers here.

use super::context::{Context, Failure};
use super::object::{Kind, ObjectRef};
use super::{Settings, World, Write, primary, scaling, services, status, tick};
use crate::canary::{Canary, Phase};
use crate::time::Timestamp;

/// The finalizer that a Canary with `revertOnDeletion` carries.
pub const FINALIZER: &str = "finalizer.flagger.app";

/// The Canary is being deleted: its phase becomes Terminating, and the target gets the primary's replicas, or its own
/// where the primary is gone. The error is what Flagger logs before it tries again.
pub fn begin(
    canary: &ObjectRef,
    settings: &Settings,
    now: Timestamp,
    world: &mut impl World,
) -> Result<(), String> {
    with_context(canary, settings, now, world, |cx| {
        if cx.status.phase != Phase::Terminating {
            status::set_phase(cx, Phase::Terminating)?;
            let said = format!("Terminating canary {}", cx.canary());
            cx.in_phase(Phase::Terminating, |cx| cx.normal(said));
        }
        let name = cx.primary_name();
        match cx.deployment(&name) {
            Ok(primary) => scaling::target_to(cx, primary.spec.replicas.unwrap_or(1)),
            Err(_) => scaling::from_zero(cx),
        }
    })
}

/// Once the target is ready, an apex Service that Flagger has taken over leads to it again, and the finalizer goes. The
/// error is why not yet.
pub fn complete(
    canary: &ObjectRef,
    settings: &Settings,
    now: Timestamp,
    world: &mut impl World,
) -> Result<(), String> {
    with_context(canary, settings, now, world, |cx| {
        tick::check_canary_ready(cx)?;
        let (settings, spec) = (cx.settings, std::rc::Rc::clone(&cx.spec));
        let (label, ports) = cx.look_at_target(|target| {
            let label = primary::selector_label(target, settings);
            (label, services::ports(&spec, target))
        })?;
        services::return_apex(cx, &label?, &ports)?;
        let canary = cx.local(Kind::Canary, &*cx.name);
        cx.write(Write::Finalizers {
            canary,
            finalizers: Vec::new(),
        })
        .map_err(|error| Failure::new(error.to_string()))?;
        let said = format!("Terminated canary {}", cx.canary());
        cx.in_phase(Phase::Terminating, |cx| cx.normal(said));
        Ok(())
    })
}

fn with_context(
    canary: &ObjectRef,
    settings: &Settings,
    now: Timestamp,
    world: &mut impl World,
    act: impl FnOnce(&mut Context<'_>) -> Result<(), Failure>,
) -> Result<(), String> {
    let found = world.read(canary).map_err(|error| error.to_string())?;
    let Some(Ok(snapshot)) = found.map(Canary::try_from) else {
        return Err(format!("Canary {canary} not found"));
    };
    let mut cx = Context::new(snapshot, settings, now, world);
    act(&mut cx).map_err(|failure| failure.message.to_string())
}
