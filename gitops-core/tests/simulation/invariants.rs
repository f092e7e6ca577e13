//! What must hold at every step of the engine.

use std::collections::{BTreeMap, BTreeSet};

use gitops_core::{
    Action, Adoption, Cx, End, Expect, Health, Observation, Observe, Prune, ResourceId, Step, Target,
};
use serde_json::Value;

use crate::ledger::{
    Book, contents, holds, is_applied_by, is_dying, is_kept, is_precious, member_of, uid, version,
};
use crate::repo::Stated;
use crate::shared::Shared;

/// What is known of a session from its beginning.
#[derive(Debug, Clone)]
pub(crate) struct SessionBook {
    pub(crate) app: String,
    pub(crate) cluster: usize,
    pub(crate) repo: usize,
    /// The revision that is brought in force.
    pub(crate) revision: Option<String>,
    /// Revisions that were in force later than what it falls back to. One that could not be read yet is not among them.
    pub(crate) newer: Vec<String>,
    /// Something that is desired could not be applied.
    pub(crate) failed: Option<ResourceId>,
    pub(crate) pruned: BTreeSet<(ResourceId, String)>,
}

/// Deletions up to this number need no approval.
const ALWAYS_FINE: usize = 10;

/// Whether a step may be sent at all.
pub(crate) async fn check_reach(shared: &Shared, book: &SessionBook, target: &dyn Target, step: &Step) {
    if step.action == Action::Prune {
        return;
    }
    let cx = Cx::with_timeout(std::time::Duration::from_secs(60));
    let Ok(record) = target.recall(&cx, &book.app.parse().unwrap()).await else { return };
    let is_wide = record.is_some_and(|record| record.reach.0.iter().any(|entry| entry.holds(&step.id)));
    if !is_wide {
        shared.violation(format!("{}: {} {} outside of the recorded reach", book.app, step.action, step.id));
    }
}

/// Takes in what the engine is told of objects.
pub(crate) fn note_told(
    told: &mut BTreeMap<ResourceId, Option<Health>>,
    asked: &Observe,
    answer: &Observation,
) {
    let (Observe::Everything { also: ids } | Observe::Objects(ids) | Observe::Anew(ids)) = asked else {
        return;
    };
    let live = answer.live.iter().map(|live| (live.id.clone(), Some(live.health.health)));
    told.extend(ids.iter().map(|id| (id.clone(), None)));
    told.extend(live);
}

/// What is recorded as Healthy was last told to be so, all of it.
pub(crate) fn check_healthy(shared: &Shared, book: &SessionBook, end: &End) {
    let Some(revision) = &end.healthy else { return };
    let Some(stated) = shared.repos[book.repo].stated(&revision.id, &book.app) else { return };
    shared.count("a revision is Healthy");
    let told = shared.ledger().app(&book.app).told.clone();
    for id in stated.keys() {
        let health = told.get(id).copied().flatten();
        if health != Some(Health::Healthy) {
            let app = &book.app;
            shared.violation(format!(
                "{app}: {revision} is recorded as Healthy, and of {id} it saw {health:?}"
            ));
        }
    }
}

/// Takes in what a step did to the cluster, and says what of it must not be. Nothing else ran since it was done.
pub(crate) fn check_written(shared: &Shared, book: &mut SessionBook, step: &Step, failed: bool) {
    let cluster = &shared.clusters[book.cluster];
    let mut ledger = shared.ledger();
    let Book { policy, marked, .. } = ledger.app(&book.app).clone();
    let mirror = &ledger.mirrors[book.cluster];
    let before = mirror.get(&step.id).cloned();
    let after = cluster.get(&step.id);
    let ids: BTreeSet<ResourceId> = cluster.ids().into_iter().collect();
    // What is gone now, or is going since.
    let vanished: Vec<(ResourceId, Value)> = mirror
        .iter()
        .filter(|(id, _)| **id != step.id)
        .filter(|(id, before)| {
            cluster.get(id).is_none_or(|now| is_dying(&now) && version(&now) != version(before))
        })
        .map(|(id, before)| (id.clone(), before.clone()))
        .collect();
    let appeared: Vec<&ResourceId> =
        ids.iter().filter(|id| !mirror.contains_key(id) && **id != step.id).collect();
    let app = &book.app.clone();
    let mut broken: Vec<String> = Vec::new();
    if let Some(other) = appeared.first() {
        broken.push(format!("{app}: {} {} also created {other}", step.action, step.id));
    }
    for (other, object) in &vanished {
        let goes_along = step.action == Action::Prune && goes_along(&step.id, other, object);
        let stays = || {
            // What is being deleted goes anyway.
            if is_dying(object) {
                return None;
            }
            let stated = shared.repos[book.repo].stated(book.revision.as_ref()?, app)?;
            let is_marked = member_of(object) == Some(app) && marked.contains(other) && is_kept(object);
            if stated.contains_key(other) {
                Some("which Git states")
            } else {
                is_marked.then_some("which is marked to stay")
            }
        };
        if let Some(why) = if goes_along { stays() } else { Some("too") } {
            broken.push(format!("{app}: {} {} deleted {other}, {why}", step.action, step.id));
        }
    }
    let is_same = match (&before, &after) {
        (Some(before), Some(after)) => uid(before) == uid(after) && version(before) == version(after),
        (None, None) => true,
        _ => false,
    };
    if !is_same {
        broken.extend(
            match (&before, step.action) {
                (Some(before), Action::Prune) => may_delete(shared, book, step, before, &mut ledger),
                (None, Action::Create) => None,
                (Some(before), _) => may_write(app, before, policy.adoption, step),
                (None, action) => Some(format!("{action} created it")),
            }
            .map(|why| format!("{app}: {} {}: {why}", step.action, step.id)),
        );
    }
    if step.action != Action::Prune && failed {
        book.failed.get_or_insert_with(|| step.id.clone());
    }
    if vanished.is_empty() && appeared.is_empty() {
        let mirror = &mut ledger.mirrors[book.cluster];
        match after {
            Some(after) => mirror.insert(step.id.clone(), after),
            None => mirror.remove(&step.id),
        };
    } else {
        ledger.refresh(book.cluster, cluster);
    }
    drop(ledger);
    for why in broken {
        shared.violation(why);
    }
    if !is_same {
        shared.count(&format!("write: {}", step.action));
        shared.changed(book.cluster);
    }
}

/// Whether deleting one object takes another along: what is in a namespace or of a defined kind, or the dying namespace
/// that it was the last of.
fn goes_along(id: &ResourceId, other: &ResourceId, object: &Value) -> bool {
    holds(id, other) || (other.kind == "Namespace" && is_dying(object))
}

fn may_write(app: &str, before: &Value, adoption: Adoption, step: &Step) -> Option<String> {
    let owner = member_of(before);
    if owner == Some(app) || (owner.is_none() && is_applied_by(before, app)) {
        return None;
    }
    let is_marked = before["metadata"]["labels"].get(crate::ledger::LABEL).is_some();
    let may_adopt = match adoption {
        Adoption::Any => true,
        Adoption::Unowned => owner.is_none() && !is_marked,
        _ => false,
    };
    if !may_adopt {
        return Some(format!("it is not ours, but {}'s", owner.unwrap_or("nobody")));
    }
    (!matches!(step.expect, Expect::Exactly(_))).then(|| "it was taken over blindly".to_owned())
}

fn may_delete(
    shared: &Shared,
    book: &mut SessionBook,
    step: &Step,
    before: &Value,
    ledger: &mut crate::ledger::Ledger,
) -> Option<String> {
    let app = &book.app;
    let known = ledger.app(app).clone();
    let stated = |revision: &str| -> Stated { shared.repos[book.repo].stated(revision, app) };
    let Expect::Exactly(token) = &step.expect else {
        return Some("it was deleted without a condition on its version".to_owned());
    };
    if *token.incarnation != *uid(before) || *token.version != *version(before) {
        return Some("it changed since it was seen".to_owned());
    }
    if member_of(before) != Some(app) {
        return Some("it is no member".to_owned());
    }
    if is_kept(before) {
        return Some("it is marked to stay".to_owned());
    }
    if known.policy.prune == Prune::Never {
        return Some("pruning is off".to_owned());
    }
    if is_precious(&step.id) && !known.policy.prune_kinds.contains(&step.id.group_kind()) {
        return Some("the policy does not name its kind".to_owned());
    }
    let Some(revision) = &book.revision else { return Some("no revision".to_owned()) };
    let Some(desired) = stated(revision) else {
        return Some(format!("nothing can be rendered at {revision:.7}"));
    };
    if desired.contains_key(&step.id) {
        return Some(format!("Git states it at {revision:.7}"));
    }
    let is_stated = |newer: &&String| stated(newer).is_some_and(|stated| stated.contains_key(&step.id));
    if let Some(newer) = book.newer.iter().find(is_stated) {
        return Some(format!("Git states it at {newer:.7}, which is newer than {revision:.7}"));
    }
    if let Some(failed) = &book.failed {
        return Some(format!("{failed} could not be applied before"));
    }
    book.pruned.insert((step.id.clone(), uid(before)));
    if let Prune::Guarded { max_percent } = known.policy.prune {
        let limit = (known.members * usize::from(max_percent) / 100).max(ALWAYS_FINE);
        let is_approved = known
            .approved
            .iter()
            .any(|(approved, doomed)| approved == revision && book.pruned.is_subset(doomed));
        if (book.pruned.len() > limit || desired.is_empty()) && !is_approved {
            let count = book.pruned.len();
            return Some(format!("nobody approved the deletion of {count} of {}", known.members));
        }
    }
    None
}

/// What must hold between two steps: nothing changed behind the world's back, and each member lies where its
/// application will look for it.
pub(crate) async fn sweep(shared: &Shared, targets: &[gitops_core::MemoryTarget], apps: &[(String, usize)]) {
    for (index, cluster) in shared.clusters.iter().enumerate() {
        let now = contents(cluster);
        let mut broken = Vec::new();
        {
            let ledger = shared.ledger();
            let mirror = &ledger.mirrors[index];
            let ids: BTreeSet<&ResourceId> = mirror.keys().chain(now.keys()).collect();
            for id in ids {
                let (then, now) = (mirror.get(id), now.get(id));
                if then.map(|object| (uid(object), version(object)))
                    != now.map(|object| (uid(object), version(object)))
                {
                    broken.push(format!("{id} changed and nobody did it"));
                }
            }
        }
        for (app, _) in apps.iter().filter(|(_, cluster)| *cluster == index) {
            let cx = Cx::with_timeout(std::time::Duration::from_secs(60));
            let record = targets[index].recall(&cx, &app.parse().unwrap()).await.unwrap();
            let members = shared.ledger().mirrors[index].clone();
            let members = members.iter().filter(|(_, object)| member_of(object) == Some(app));
            for (id, _) in members {
                let is_known =
                    record.as_ref().is_some_and(|record| record.reach.0.iter().any(|entry| entry.holds(id)));
                if !is_known {
                    broken.push(format!("{app}: its member {id} lies where it does not look"));
                }
            }
        }
        for why in broken {
            shared.violation(why);
        }
    }
    let minute = shared.minute();
    let hot = shared.ledger().hot_minutes(minute);
    for why in hot {
        shared.violation(why);
    }
}
