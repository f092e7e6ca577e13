//! Engines and targets that break a promise on purpose: the simulation must notice each of them.

use gitops_core::{Action, Expect, MemoryCluster, ResourceId, Step};

use crate::ledger::member_of;

/// What is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mutant {
    /// Others' objects are taken for members.
    EverythingIsOurs,
    /// The reach is not recorded before the first write.
    NeverWidens,
    /// The recorded reach shrinks to nothing with every session.
    NarrowsTooMuch,
    /// Deletions lose their condition on the version.
    DeletesBlindly,
    /// Each deletion hits a bystander too.
    DeletesMore,
    /// Deleting something takes nothing along, as far as the target says.
    HoldsNothing,
    /// Directories are listed by half.
    HalfATree,
    /// The guard is off, and nobody knows.
    NoGuard,
    /// Nothing ever differs.
    AlwaysInSync,
    /// The watch tells nothing.
    SilentWatch,
    /// The watch always tells something.
    SpinningWatch,
    /// Whatever was attempted is recorded as Healthy.
    AlwaysHealthy,
    /// Health tells what is in Secrets.
    TellsSecrets,
}

pub(crate) const ALL: [Mutant; 13] = [
    Mutant::EverythingIsOurs,
    Mutant::NeverWidens,
    Mutant::NarrowsTooMuch,
    Mutant::DeletesBlindly,
    Mutant::DeletesMore,
    Mutant::HoldsNothing,
    Mutant::HalfATree,
    Mutant::NoGuard,
    Mutant::AlwaysInSync,
    Mutant::SilentWatch,
    Mutant::SpinningWatch,
    Mutant::AlwaysHealthy,
    Mutant::TellsSecrets,
];

impl Mutant {
    pub(crate) fn step(self, step: &Step) -> Step {
        let mut step = step.clone();
        if let (Self::DeletesBlindly, Action::Prune, Expect::Exactly(token)) =
            (self, step.action, &step.expect)
        {
            step.expect = Expect::Same(token.incarnation.clone());
        }
        step
    }
}

/// Deletes an object that is nobody's.
pub(crate) fn delete_another(cluster: &MemoryCluster, than: &ResourceId) {
    let is_foreign = |id: &ResourceId| {
        id.kind == "ConfigMap"
            && id != than
            && cluster.get(id).is_some_and(|object| member_of(&object).is_none())
    };
    if let Some(id) = cluster.ids().into_iter().find(is_foreign) {
        let _ = cluster.delete("mutant", &id);
    }
}

/// Tells what is in Secrets.
#[derive(Debug)]
pub(crate) struct Telltale;

impl gitops_core::HealthRule for Telltale {
    fn assess(
        &self,
        object: &serde_json::Value,
        _now: gitops_core::Timestamp,
    ) -> Option<gitops_core::Assessment> {
        (object["kind"] == "Secret").then(|| {
            gitops_core::Assessment::new(gitops_core::Health::Degraded)
                .because("Bad", object["data"].to_string())
        })
    }
}
