//! Kinds of requests: which one a request is of, under which labels it counts, whether nginx may repeat it, and the
//! cookies that its users keep.

use std::sync::Arc;

use crate::scenario::RequestClass;
use crate::seed::split_mix;
use crate::sim::ingress::{Bound, GROUPS, Group, Sender};

/// Methods that nginx does not repeat once it has sent them (`ngx_http_proxy_module`, `non_idempotent`).
const NOT_REPEATABLE: [&str; 3] = ["POST", "LOCK", "PATCH"];

/// A class by its number; of no class is 0, which then nobody looks at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ClassIx(u8);

/// Classes, compiled.
#[derive(Clone, Debug, Default)]
pub struct ClassPlan {
    classes: Arc<[Class]>,
}

/// A class and what follows from it.
#[derive(Clone, Debug)]
struct Class {
    class: RequestClass,
    /// A request whose draw is below is of this class or one before it.
    below: u64,
    repeatable: bool,
    /// Number of its set of labels; `None`: it is not counted.
    labels: Option<u8>,
}

impl ClassPlan {
    /// Compiles classes; `labels` is the number of each one's set of labels, or `None` where it is not counted.
    pub fn new(classes: &[RequestClass], labels: &[Option<u8>]) -> Self {
        let mut share = 0.0;
        let last = classes.len().saturating_sub(1);
        let compiled = classes.iter().zip(labels).enumerate();
        let compiled = compiled.map(|(index, (class, &labels))| {
            share += class.weight;
            Class {
                class: class.clone(),
                below: if index == last {
                    u64::MAX
                } else {
                    (share * (1u64 << 53) as f64) as u64
                },
                repeatable: !NOT_REPEATABLE.contains(&class.method.as_str()),
                labels,
            }
        });
        ClassPlan {
            classes: compiled.collect(),
        }
    }
}

/// The classes of a run, and their users.
#[derive(Clone, Debug)]
pub(super) struct Classes {
    plan: ClassPlan,
    /// By class and user: what their cookies stand for.
    cookies: Vec<Vec<Option<Bound>>>,
}

impl Classes {
    pub(super) fn new(plan: ClassPlan) -> Self {
        let users = |class: &Class| vec![None; class.class.users.unwrap_or(0) as usize];
        Classes {
            cookies: plan.classes.iter().map(users).collect(),
            plan,
        }
    }

    /// Whether there are any.
    pub(super) fn are_some(&self) -> bool {
        !self.plan.classes.is_empty()
    }

    /// The class of a request with this routing draw, and whose request it is.
    pub(super) fn of(&mut self, routing: u64) -> (ClassIx, Option<Sender<'_>>) {
        // Other words than the coin's and the worker's, from the same draw.
        let word = split_mix(routing);
        let place = self
            .plan
            .classes
            .iter()
            .position(|class| word >> 11 < class.below);
        let Some(place) = place else {
            return (ClassIx::default(), None);
        };
        let cookies = &mut self.cookies[place];
        let user = ((u128::from(split_mix(word)) * cookies.len() as u128) >> 64) as usize;
        let sender = Sender {
            class: &self.plan.classes[place].class,
            cookie: cookies.get_mut(user),
        };
        (ClassIx(place as u8), Some(sender))
    }

    /// The number of a class, if there are any.
    pub(super) fn named(&self, class: ClassIx) -> Option<usize> {
        self.are_some().then_some(usize::from(class.0))
    }

    /// Whether nginx may send a request again that it has sent.
    pub(super) fn is_repeatable(&self, class: ClassIx) -> bool {
        self.get(class).is_none_or(|class| class.repeatable)
    }

    /// The group that a request counts in, given that of its pod; `None`: it is not counted.
    pub(super) fn group(&self, class: ClassIx, group: Group) -> Option<Group> {
        match self.get(class) {
            None => Some(group),
            Some(class) => Some(class.labels? * GROUPS as u8 + group),
        }
    }

    fn get(&self, class: ClassIx) -> Option<&Class> {
        self.plan.classes.get(usize::from(class.0))
    }
}
