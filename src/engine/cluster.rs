//! A cluster's objects in memory, with the API server's bookkeeping: not-found errors, generations, the status subresource.
//!
//! Simulation, replay and the trace verifier keep their objects here. Left out: resource versions and conflicts
//! (nothing here writes between a read and a write), admission, defaulting.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::object::{Kind, Object, ObjectRef};
use super::{Write, WriteError};

/// The objects. A clone shares those that neither has changed since.
#[derive(Clone, Debug, Default)]
pub struct Cluster {
    objects: BTreeMap<ObjectRef, Arc<Object>>,
}

impl Cluster {
    /// The object, if it exists.
    pub fn get(&self, reference: &ObjectRef) -> Option<&Object> {
        self.objects.get(reference).map(Arc::as_ref)
    }

    /// The object, to change without any bookkeeping (what its own controller does to its status).
    pub fn get_mut(&mut self, reference: &ObjectRef) -> Option<&mut Object> {
        self.objects.get_mut(reference).map(Arc::make_mut)
    }

    /// All objects, by kind, namespace and name.
    pub fn iter(&self) -> impl Iterator<Item = &Object> {
        self.objects.values().map(Arc::as_ref)
    }

    /// The objects of one kind, by namespace and name.
    pub fn of_kind(&self, kind: Kind) -> impl Iterator<Item = &ObjectRef> {
        let references = self.objects.keys();
        references.filter(move |reference| reference.kind == kind)
    }

    /// Creates or replaces an object as `kubectl apply` would: a changed spec counts the generation up, the status stays.
    pub fn apply(&mut self, object: Object) {
        match self.objects.contains_key(&object.reference()) {
            true => self.update(object).expect("the object exists"),
            false => self.create(object).expect("the object does not exist"),
        }
    }

    /// Removes an object; says whether it was there.
    pub fn delete(&mut self, reference: &ObjectRef) -> bool {
        self.objects.remove(reference).is_some()
    }

    /// Carries a write of the engine's out.
    pub fn write(&mut self, write: Write) -> Result<(), WriteError> {
        match write {
            Write::Create(object) => self.create(object),
            Write::Update(object) => self.update(object),
            Write::Scale {
                deployment,
                replicas,
            } => match self.get_mut(&deployment) {
                Some(Object::Deployment(d)) => {
                    if d.spec.replicas != Some(replicas) {
                        d.spec.replicas = Some(replicas);
                        d.metadata.generation += 1;
                    }
                    Ok(())
                }
                _ => Err(WriteError::Other(deployment.not_found())),
            },
            Write::CanaryStatus { canary, status } => match self.get_mut(&canary) {
                Some(Object::Canary(c)) => {
                    c.status = status;
                    Ok(())
                }
                _ => Err(WriteError::Other(canary.not_found())),
            },
            Write::Finalizers { canary, finalizers } => match self.get_mut(&canary) {
                Some(Object::Canary(c)) => {
                    c.metadata.finalizers = finalizers;
                    Ok(())
                }
                _ => Err(WriteError::Other(canary.not_found())),
            },
        }
    }

    fn create(&mut self, mut object: Object) -> Result<(), WriteError> {
        let reference = object.reference();
        if self.objects.contains_key(&reference) {
            let text = format!(
                "{} {:?} already exists",
                reference.kind.resource(),
                reference.name
            );
            return Err(WriteError::Other(text));
        }
        object.metadata_mut().generation = 1;
        self.objects.insert(reference, Arc::new(object));
        Ok(())
    }

    fn update(&mut self, mut object: Object) -> Result<(), WriteError> {
        let reference = object.reference();
        let Some(old) = self.objects.get_mut(&reference) else {
            return Err(WriteError::Other(reference.not_found()));
        };
        keep_status(old, &mut object);
        let generation = old.metadata().generation;
        object.metadata_mut().generation = if same_spec(old, &object) {
            generation
        } else {
            generation + 1
        };
        *old = Arc::new(object);
        Ok(())
    }
}

fn keep_status(old: &Object, new: &mut Object) {
    match (old, new) {
        (Object::Canary(old), Object::Canary(new)) => new.status = old.status.clone(),
        (Object::Deployment(old), Object::Deployment(new)) => new.status = old.status.clone(),
        (Object::HorizontalPodAutoscaler(old), Object::HorizontalPodAutoscaler(new)) => {
            new.status = old.status.clone()
        }
        (Object::HttpRoute(old), Object::HttpRoute(new)) => new.status = old.status.clone(),
        _ => {}
    }
}

fn same_spec(old: &Object, new: &Object) -> bool {
    match (old, new) {
        (Object::Canary(old), Object::Canary(new)) => old.spec == new.spec,
        (Object::Deployment(old), Object::Deployment(new)) => old.spec == new.spec,
        (Object::HorizontalPodAutoscaler(old), Object::HorizontalPodAutoscaler(new)) => {
            old.spec == new.spec
        }
        (Object::HttpRoute(old), Object::HttpRoute(new)) => old.spec == new.spec,
        (Object::Service(old), Object::Service(new)) => old.spec == new.spec,
        (Object::Ingress(old), Object::Ingress(new)) => old.spec == new.spec,
        (Object::MetricTemplate(old), Object::MetricTemplate(new)) => old.spec == new.spec,
        (Object::AlertProvider(old), Object::AlertProvider(new)) => old.spec == new.spec,
        _ => true,
    }
}
