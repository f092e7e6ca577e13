//! Faults on order: what a cluster does wrong, to which requests, how often.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::{GroupKind, ResourceId};

/// Faults that a [`super::MemoryCluster`] makes on order.
#[derive(Debug, Default)]
pub struct Faults(Mutex<Vec<FaultRule>>);

/// One fault on order. A selector that is not given matches everything.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct FaultRule {
    /// What happens.
    pub effect: Effect,
    /// To which requests.
    pub operation: Option<Operation>,
    /// For objects of which kind.
    pub kind: Option<GroupKind>,
    /// For objects of which name.
    pub name: Option<String>,
    /// How many requests pass before the first is hit.
    pub after: u32,
    /// How many are hit; none for all.
    pub times: Option<u32>,
}

/// A kind of request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// Reading objects.
    Read,
    /// Creating, updating, adopting or releasing an object.
    Apply,
    /// Deleting an object.
    Delete,
    /// Writing an application's record.
    Record,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Effect {
    /// Not allowed.
    Deny,
    /// Too many requests: come back later.
    Throttle(Duration),
    /// The object changed meanwhile.
    Conflict,
    /// No answer, and nothing happened.
    TimeOut,
    /// No answer, but the write landed.
    TimeOutAfter,
    /// The process dies before the request is sent: the call never returns.
    CrashBefore,
    /// The process dies after the write landed: the call never returns.
    CrashAfter,
}

impl FaultRule {
    /// A fault that hits every request, until it is limited.
    pub fn new(effect: Effect) -> Self {
        Self { effect, operation: None, kind: None, name: None, after: 0, times: None }
    }

    /// Hits only this kind of request.
    #[must_use]
    pub fn on(mut self, operation: Operation) -> Self {
        self.operation = Some(operation);
        self
    }

    /// Hits only requests for this kind of object.
    #[must_use]
    pub fn of_kind(mut self, group: &str, kind: &str) -> Self {
        self.kind = Some(GroupKind::new(group, kind));
        self
    }

    /// Hits only requests for objects of this name.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    /// Lets so many requests pass first.
    #[must_use]
    pub fn after(mut self, requests: u32) -> Self {
        self.after = requests;
        self
    }

    /// Hits so many requests, and then no more.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    fn matches(&self, operation: Operation, kind: Option<&GroupKind>, name: Option<&str>) -> bool {
        self.operation.is_none_or(|want| want == operation)
            && self.kind.as_ref().is_none_or(|want| kind == Some(want))
            && self.name.as_deref().is_none_or(|want| name == Some(want))
    }
}

impl Faults {
    /// Orders a fault.
    pub fn inject(&self, rule: FaultRule) {
        self.rules().push(rule);
    }

    /// Takes all orders back.
    pub fn clear(&self) {
        self.rules().clear();
    }

    /// What goes wrong with a request for one object.
    pub(super) fn hit(&self, operation: Operation, id: &ResourceId) -> Option<Effect> {
        self.find(operation, Some(&id.group_kind()), Some(&id.name))
    }

    /// What goes wrong with a request for all objects of a kind.
    pub(super) fn hit_kind(&self, operation: Operation, kind: &GroupKind) -> Option<Effect> {
        self.find(operation, Some(kind), None)
    }

    /// What goes wrong with a request that is for no object.
    pub(super) fn hit_any(&self, operation: Operation) -> Option<Effect> {
        self.find(operation, None, None)
    }

    fn find(&self, operation: Operation, kind: Option<&GroupKind>, name: Option<&str>) -> Option<Effect> {
        let mut rules = self.rules();
        let rule =
            rules.iter_mut().find(|rule| rule.times != Some(0) && rule.matches(operation, kind, name))?;
        if rule.after > 0 {
            rule.after -= 1;
            return None;
        }
        rule.times = rule.times.map(|times| times - 1);
        Some(rule.effect)
    }

    fn rules(&self) -> std::sync::MutexGuard<'_, Vec<FaultRule>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
