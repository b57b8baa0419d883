//! One tick in progress: the Canary as it was read, typed reads of everything else, and what is told on the way.
//!
//! The Canary is read once, at the start (`advanceCanary` in `pkg/controller/scheduler.go`), and that snapshot is what the tick
//! judges by even after it has written a new status. Events follow `pkg/controller/events.go`.

use std::fmt;
use std::rc::Rc;

use super::dialect::{DialectRules, Provider};
use super::event::{Event, EventType, Gauge, Notice};
use super::object::{Kind, Object, ObjectRef};
use super::strategy::Strategy;
use super::weights::Routes;
use super::{Check, HookError, Settings, World, Write, WriteError, hooks};
use crate::canary::{Analysis, Canary, CanarySpec, CanaryStatus, Phase, Webhook};
use crate::k8s::{Deployment, ObjectReference};
use crate::time::Timestamp;

/// Why a step failed. What it means for the tick is for the caller to say; most often a Warning and the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// In Flagger's words.
    pub(crate) message: String,
    /// Whether the next tick may do better.
    pub(crate) retriable: bool,
}

impl Failure {
    /// A failure that the next tick may not meet again.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Failure {
            message: message.into(),
            retriable: true,
        }
    }

    /// Puts words before the message.
    pub(crate) fn context(mut self, words: fmt::Arguments<'_>) -> Self {
        self.message = format!("{words}: {}", self.message);
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// An object that could not be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum GetError {
    /// It does not exist; the API server's words.
    NotFound(String),
    /// The read failed; the API client's words.
    Failed(String),
}

impl fmt::Display for GetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (GetError::NotFound(text) | GetError::Failed(text)) = self;
        f.write_str(text)
    }
}

/// The tick.
pub(crate) struct Context<'w> {
    world: &'w mut dyn World,
    pub(crate) settings: &'w Settings,
    pub(crate) now: Timestamp,
    pub(crate) name: String,
    pub(crate) namespace: String,
    /// The spec; its analysis is [`Context::analysis`].
    pub(crate) spec: Rc<CanarySpec>,
    /// The analysis, as the provider may have changed it for this tick.
    pub(crate) analysis: Rc<Analysis>,
    /// No analysis is wanted, or there is none in the spec.
    pub(crate) skip_analysis: bool,
    /// The status as it was read; what the tick writes goes past it.
    pub(crate) status: CanaryStatus,
    pub(crate) rules: DialectRules,
    /// Checks made so far.
    pub(crate) checks: Vec<Check>,
    /// The phase as last written.
    pub(crate) phase_written: Phase,
    /// The status in the API is newer than the snapshot.
    pub(crate) outdated: bool,
}

impl<'w> Context<'w> {
    pub(crate) fn new(
        canary: Canary,
        settings: &'w Settings,
        now: Timestamp,
        world: &'w mut dyn World,
    ) -> Self {
        let Canary {
            metadata,
            mut spec,
            status,
        } = canary;
        let skip_analysis = spec.skip_analysis || spec.analysis.is_none();
        let analysis = spec.analysis.take().unwrap_or_default();
        Context {
            world,
            settings,
            now,
            name: metadata.name,
            namespace: metadata.namespace,
            rules: settings.rules.parameters(&analysis),
            spec: Rc::new(spec),
            analysis: Rc::new(analysis),
            skip_analysis,
            phase_written: status.phase,
            status,
            checks: Vec::new(),
            outdated: false,
        }
    }

    /// The provider in force: the scenario's, the Canary's, or the controller's flag.
    pub(crate) fn provider(&self) -> Result<Provider, Failure> {
        let kind = &*self.spec.target_ref.kind;
        if matches!(kind, "DaemonSet" | "Service") {
            return Err(Failure::new(format!(
                "targets of kind {kind} are not modelled"
            )));
        }
        if let Some(provider) = self.settings.provider {
            return Ok(provider);
        }
        let name = match &*self.spec.provider {
            "" => &*self.settings.mesh_provider,
            name => name,
        };
        Provider::parse(name)
            .ok_or_else(|| Failure::new(format!("provider {name} is not modelled")))
    }

    /// `<name>.<namespace>` of the Canary.
    pub(crate) fn canary(&self) -> String {
        format!("{}.{}", self.name, self.namespace)
    }

    /// `<name>.<namespace>` of the target.
    pub(crate) fn target(&self) -> String {
        format!("{}.{}", self.spec.target_ref.name, self.namespace)
    }

    /// Name of the primary workload.
    pub(crate) fn primary_name(&self) -> String {
        format!("{}-primary", self.spec.target_ref.name)
    }

    /// In the runbook's reading a weights analysis keeps the number of its passed checks in `iterations`.
    pub(crate) fn iterations_are_passes(&self) -> bool {
        self.rules.counts_passes && Strategy::of(&self.analysis) == Strategy::Canary
    }

    /// The Canary itself, as the owner of what is made for it.
    pub(crate) fn as_owner(&self) -> ObjectReference {
        ObjectReference {
            api_version: "flagger.app/v1beta1".to_owned(),
            kind: Kind::Canary.as_str().to_owned(),
            name: self.name.clone(),
            namespace: String::new(),
        }
    }

    /// An object of the Canary's namespace, by kind and name.
    pub(crate) fn local(&self, kind: Kind, name: impl Into<String>) -> ObjectRef {
        ObjectRef::new(kind, &*self.namespace, name)
    }

    /// Reads an object that should exist.
    pub(crate) fn get<T: TryFrom<Object>>(&mut self, reference: &ObjectRef) -> Result<T, GetError> {
        match self.world.read(reference) {
            Ok(Some(object)) => T::try_from(object).map_err(|_| wrong_kind(reference)),
            Ok(None) => Err(GetError::NotFound(reference.not_found())),
            Err(error) => Err(GetError::Failed(error.0)),
        }
    }

    /// Looks at an object that should exist.
    pub(crate) fn look<T, R>(
        &mut self,
        reference: &ObjectRef,
        see: impl FnOnce(&T) -> R,
    ) -> Result<R, GetError>
    where
        for<'a> &'a T: TryFrom<&'a Object>,
    {
        let mut see = Some(see);
        let mut seen = None;
        let looked = self.world.look(reference, &mut |object| {
            seen = match (object.map(<&T>::try_from), see.take()) {
                (Some(Ok(object)), Some(see)) => Some(Ok(see(object))),
                (Some(_), _) => Some(Err(wrong_kind(reference))),
                (None, _) => None,
            };
        });
        match looked {
            Ok(()) => seen.unwrap_or_else(|| Err(GetError::NotFound(reference.not_found()))),
            Err(error) => Err(GetError::Failed(error.0)),
        }
    }

    /// Reads a Deployment of the Canary's namespace.
    pub(crate) fn deployment(&mut self, name: &str) -> Result<Deployment, Failure> {
        let reference = self.local(Kind::Deployment, name);
        self.get(&reference)
            .map_err(|e| deployment_error(&reference, &e))
    }

    /// Looks at a Deployment of the Canary's namespace.
    pub(crate) fn look_at_deployment<R>(
        &mut self,
        name: &str,
        see: impl FnOnce(&Deployment) -> R,
    ) -> Result<R, Failure> {
        let reference = self.local(Kind::Deployment, name);
        self.look(&reference, see)
            .map_err(|e| deployment_error(&reference, &e))
    }

    /// Looks at the target.
    pub(crate) fn look_at_target<R>(
        &mut self,
        see: impl FnOnce(&Deployment) -> R,
    ) -> Result<R, Failure> {
        let spec = Rc::clone(&self.spec);
        self.look_at_deployment(&spec.target_ref.name, see)
    }

    /// Reads the target.
    pub(crate) fn target_deployment(&mut self) -> Result<Deployment, Failure> {
        let spec = Rc::clone(&self.spec);
        self.deployment(&spec.target_ref.name)
    }

    /// Reads the Canary's status anew, past the snapshot.
    pub(crate) fn read_status(&mut self) -> Result<CanaryStatus, GetError> {
        let reference = self.local(Kind::Canary, &*self.name);
        self.get(&reference).map(|canary: Canary| canary.status)
    }

    /// Goes on with the status as it was read anew.
    pub(crate) fn renew(&mut self, status: CanaryStatus) {
        self.status = status;
        self.outdated = false;
    }

    pub(crate) fn write(&mut self, write: Write) -> Result<(), WriteError> {
        self.world.write(write)
    }

    pub(crate) fn world(&mut self) -> &mut dyn World {
        self.world
    }

    /// A Normal event.
    pub(crate) fn normal(&mut self, message: impl Into<String>) {
        self.event(EventType::Normal, message.into());
    }

    /// A Warning event.
    pub(crate) fn warning(&mut self, message: impl Into<String>) {
        self.event(EventType::Warning, message.into());
    }

    /// Tells something while event hooks are to see another phase than the snapshot's.
    pub(crate) fn in_phase<T>(&mut self, phase: Phase, tell: impl FnOnce(&mut Self) -> T) -> T {
        let before = std::mem::replace(&mut self.status.phase, phase);
        let told = tell(self);
        self.status.phase = before;
        told
    }

    fn event(&mut self, kind: EventType, message: String) {
        let event = Event { kind, message };
        self.world.tell(Notice::Event(event.clone()));
        self.send_to_event_hooks(&event);
    }

    /// The Canary's own event hooks replace the controller's (`sendEventToWebhook`); failures are only logged.
    fn send_to_event_hooks(&mut self, event: &Event) {
        let analysis = Rc::clone(&self.analysis);
        let mut own = analysis
            .webhooks
            .iter()
            .filter(|w| w.kind == "event")
            .peekable();
        if own.peek().is_some() {
            own.for_each(|hook| self.send_event(event, hook));
        } else if let Some(url) = &self.settings.event_webhook {
            let hook = Webhook {
                kind: "event".to_owned(),
                name: "events".to_owned(),
                url: url.clone(),
                ..Webhook::default()
            };
            self.send_event(event, &hook);
        }
    }

    fn send_event(&mut self, event: &Event, hook: &Webhook) {
        let call = hooks::event_call(
            &self.name,
            &self.namespace,
            &self.status,
            event,
            hook,
            self.now,
        );
        if let Err(error) = call.and_then(|call| self.world.call(&call)) {
            self.log(format!("error sending event to webhook: {error}"));
        }
    }

    /// Calls a hook that takes part in the rollout.
    pub(crate) fn call_hook(&mut self, hook: &Webhook, phase: Phase) -> Result<(), HookError> {
        let call = hooks::rollout_call(&self.name, &self.namespace, &self.status, phase, hook)?;
        self.world.call(&call)
    }

    pub(crate) fn log(&mut self, message: impl Into<String>) {
        self.world.tell(Notice::Log(message.into()));
    }

    pub(crate) fn gauge(&mut self, gauge: Gauge) {
        self.world.tell(Notice::Gauge(gauge));
    }

    /// `flagger_canary_status` (`SetStatus` in `pkg/metrics/recorder.go`).
    pub(crate) fn gauge_status(&mut self, phase: Phase) {
        self.gauge(Gauge::Status(match phase {
            Phase::Progressing => 0,
            Phase::Failed => 2,
            _ => 1,
        }));
    }

    /// `flagger_canary_weight`.
    pub(crate) fn gauge_weight(&mut self, routes: Routes) {
        self.gauge(Gauge::Weight {
            primary: routes.primary,
            canary: routes.canary,
        });
    }
}

fn wrong_kind(reference: &ObjectRef) -> GetError {
    GetError::Failed(format!("{reference} is not a {}", reference.kind.as_str()))
}

fn deployment_error(reference: &ObjectRef, error: &GetError) -> Failure {
    Failure::new(format!("deployment {reference} get query error: {error}"))
}
