//! The Canary's deletion: at once, or with `revertOnDeletion` after Flagger has given back what it took.
//!
//! What the Canary owns goes with it, as Kubernetes' garbage collector has it: the Services that Flagger made and the canary
//! Ingress. The primary loses its pods; its Deployment and HPA stay in the simulated cluster, at zero.

use super::driver::Desk;
use super::event::Event;
use super::world::{World, interval};
use crate::canary::Canary;
use crate::engine::{Kind, Object, ObjectRef, Write, finalizer};
use crate::time::Span;

/// Tries for the target to become ready, before the informer's resync has to begin anew.
const TRIES: u32 = 4;

/// From the first try to the second; then twice as long each time.
const BACKOFF: Span = Span::from_secs(3);

/// The informer's resync.
const RESYNC: Span = Span::from_secs(30);

impl World {
    /// The user deletes the Canary.
    pub(super) fn delete_canary(&mut self) {
        let Some(Object::Canary(canary)) = self.cluster.get(&self.canary) else {
            return;
        };
        if canary.spec.revert_on_deletion {
            self.terminate(0);
        } else {
            self.canary_is_gone();
        }
    }

    /// Flagger finalises a Canary that is being deleted: its `tries`-th look for a ready target, from 0.
    pub(super) fn terminate(&mut self, tries: u32) {
        let (canary, settings, now) = (self.canary.clone(), self.settings.clone(), self.now());
        let (done, said) = Desk::new(self).act(|desk| {
            if tries == 0 {
                finalizer::begin(&canary, &settings, now, desk)?;
            }
            finalizer::complete(&canary, &settings, now, desk)
        });
        for (at, event) in said.events {
            self.recorder.event(at, event);
        }
        if done.is_ok() {
            return self.canary_is_gone();
        }
        let Some(Object::Canary(canary)) = self.cluster.get(&self.canary) else {
            return;
        };
        let (next, wait) = if tries + 1 < TRIES {
            let wait = BACKOFF * (1 << tries);
            (tries + 1, wait.min(interval(canary)))
        } else {
            (0, RESYNC)
        };
        self.queue.push(now + wait, Event::Terminate(next));
    }

    fn canary_is_gone(&mut self) {
        let owned = |object: &&Object| match object {
            Object::Service(_) | Object::Ingress(_) => {
                let owner = &object.metadata().owner;
                owner
                    .as_ref()
                    .is_some_and(|o| o.kind == Kind::Canary.as_str())
            }
            _ => false,
        };
        let gone: Vec<ObjectRef> = self
            .cluster
            .iter()
            .filter(owned)
            .map(Object::reference)
            .collect();
        for object in gone.iter().chain([&self.canary.clone()]) {
            self.cluster.delete(object);
        }
        let deployment = self.routing.primary().clone();
        // Where there is no primary yet there is nothing to take down.
        _ = self.cluster.write(Write::Scale {
            deployment,
            replicas: 0,
        });
        self.react();
    }

    /// Whether there is still a Canary to look at.
    pub(super) fn has_canary(&self) -> bool {
        matches!(
            self.cluster.get(&self.canary),
            Some(Object::Canary(Canary { .. }))
        )
    }
}
