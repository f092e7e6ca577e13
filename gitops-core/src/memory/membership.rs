//! Whose an object is, and what is known of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use gitops_diff::{FieldPath, FieldSet, Fingerprint, ManagedFields, Operation};
use serde_json::Value;

use super::kinds::defined_by;
use super::store::token;
use crate::{AppId, HealthRule, Holds, Live, Memo, Owner, Placed, ResourceId, Timestamp, assess};

/// How the names of our labels and annotations begin.
pub(super) const MARKS: &str = "gitops.memory/";
/// The label that marks a member, with the application's name.
pub(super) const LABEL: &str = "gitops.memory/part-of";
/// The annotation that marks a member to stay: `keep`.
const PRUNE: &str = "gitops.memory/prune";

/// The field manager of an application.
pub(super) fn manager(app: &AppId) -> String {
    format!("gitops/{app}")
}

/// The application that an object is marked for.
pub(super) fn marked_for(object: &Value) -> Option<AppId> {
    object["metadata"]["labels"][LABEL].as_str()?.parse().ok()
}

/// The application that an object is marked for, if that one made the mark.
pub(super) fn proven_for(object: &Value) -> Option<AppId> {
    marked_for(object).filter(|app| is_proven(object, app))
}

fn is_proven(object: &Value, by: &AppId) -> bool {
    let label = FieldPath::of_fields(["metadata", "labels", LABEL]);
    owned_fields(object, by).is_some_and(|owned| owned.contains(&label))
}

/// Whose an object is. One that is wanted and bears our signature, but not (any more) our mark, is ours to mend; it is no
/// member, so that nobody's change of a label makes us delete anything.
pub(super) fn owner(object: &Value, app: &AppId, is_wanted: bool) -> Owner {
    let marked = marked_for(object);
    let is_controlled = object["metadata"]["ownerReferences"]
        .as_array()
        .is_some_and(|owners| owners.iter().any(|owner| owner["controller"] == true));
    match marked {
        Some(marked) if !is_controlled && is_proven(object, &marked) => {
            if marked == *app {
                Owner::This
            } else {
                Owner::Other(marked)
            }
        }
        _ if is_wanted && !is_controlled && owned_fields(object, app).is_some() => Owner::This,
        Some(_) => Owner::Unproven,
        None => Owner::Nobody,
    }
}

fn owned_fields(object: &Value, app: &AppId) -> Option<FieldSet> {
    let managed = ManagedFields::of(object).ok()?;
    managed.by_manager(&manager(app), Operation::Apply).map(|entry| entry.fields.clone())
}

/// What we own of an object, as it is.
pub(super) fn fingerprint(object: &Value, app: &AppId) -> Option<Fingerprint> {
    Some(owned_fields(object, app)?.fingerprint(object))
}

/// What is remembered of the last apply of each object.
#[derive(Debug, Default)]
pub(super) struct Memos(BTreeMap<(AppId, ResourceId), Memo>);

impl Memos {
    pub(super) fn remember(
        &mut self,
        app: &AppId,
        placed: &Placed,
        stored: &Value,
        overruled: Vec<gitops_diff::Difference>,
    ) {
        if let Some(applied) = fingerprint(stored, app) {
            let memo = Memo { desired: placed.digest, applied, now: applied, overruled };
            self.0.insert((app.clone(), placed.id.clone()), memo);
        }
    }

    pub(super) fn forget(&mut self, app: &AppId, id: &ResourceId) {
        self.0.remove(&(app.clone(), id.clone()));
    }

    /// Forgets the objects of an application that do not exist any more.
    pub(super) fn retain(&mut self, app: &AppId, exists: impl Fn(&ResourceId) -> bool) {
        self.0.retain(|(of, id), _| of != app || exists(id));
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    fn recall(&self, app: &AppId, id: &ResourceId, object: &Value) -> Option<Arc<Memo>> {
        let memo = self.0.get(&(app.clone(), id.clone()))?;
        let now = fingerprint(object, app)?;
        Some(Arc::new(Memo { now, ..memo.clone() }))
    }
}

/// What planning needs to know of an object.
pub(super) fn live(
    id: &ResourceId,
    object: &Arc<Value>,
    app: &AppId,
    memos: &Memos,
    rules: &[Arc<dyn HealthRule>],
    now: Timestamp,
    is_wanted: bool,
) -> Live {
    let mut live = Live::new(id.clone(), token(object));
    live.owner = owner(object, app, is_wanted);
    live.health = assess(rules, object, now);
    live.memo = memos.recall(app, id, object);
    live.keep = keeps(object);
    live.precious = is_precious(id);
    live.holds = holds(id, object);
    live.terminating = object["metadata"].get("deletionTimestamp").is_some();
    live.rank = rank(id, object);
    live.object = Some(object.clone());
    live
}

/// Whether somebody marked an object to stay.
pub(super) fn keeps(object: &Value) -> bool {
    object["metadata"]["annotations"][PRUNE] == "keep"
}

/// What is deleted with an object: by the same rules as in the [store](super::store).
fn holds(id: &ResourceId, object: &Value) -> Option<Holds> {
    if id.kind == "Namespace" && id.group.is_empty() {
        return Some(Holds::Namespace(id.name.clone()));
    }
    defined_by(object).map(|(kind, _)| Holds::Kind(kind))
}

fn is_precious(id: &ResourceId) -> bool {
    matches!(id.kind.as_str(), "Namespace" | "CustomResourceDefinition" | "PersistentVolumeClaim")
}

/// Namespaces and definitions first, what they hold after.
pub(super) fn rank(id: &ResourceId, object: &Value) -> i32 {
    let holds_others = id.kind == "Namespace" || defined_by(object).is_some();
    i32::from(!holds_others)
}
