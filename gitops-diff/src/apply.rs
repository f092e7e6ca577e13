//! Server-side apply and update tracking, offline: what an API server does with a write, as far as fields and their
//! owners go. No defaulting, no validation.

use std::fmt;

use serde_json::Value;

use crate::change::Changes;
use crate::field_set::{Context, FieldSet};
use crate::list_keys::{self, ListKeys, ListKind, TypeRef};
use crate::managed_fields::{ManagedFields, ManagedFieldsEntry, ManagedFieldsError, Operation};
use crate::merge::without_nulls;
use crate::text::json_text;
use crate::{FieldPath, PathElement};

/// What came of an apply.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Applied {
    /// The object with the configuration in it and its `metadata.managedFields` brought up to date.
    pub object: Value,
    /// Whether it is another than the live one. If not, it is the live one to the letter, times included.
    pub changed: bool,
}

/// A field that somebody else owns with another value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Conflict {
    /// Who.
    pub manager: String,
    /// Which field.
    pub path: FieldPath,
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is owned by {}", self.path, json_text(&Value::from(self.manager.as_str())))
    }
}

/// An apply that is refused. The live object stays as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ApplyError {
    /// Fields belong to others, with other values: take them over by force, or stop stating them.
    #[error("{} conflict(s) with other field managers: {}", .0.len(), list(.0))]
    Conflicts(Vec<Conflict>),
    /// The configuration is no map.
    #[error("the configuration is no object")]
    NotAnObject,
    /// A keyed list of the configuration has an item without a key, or two with one key; a set has one value twice.
    #[error("{0}: the items of this list cannot be told apart: each needs a key of its own")]
    Items(FieldPath),
    /// The live object's managedFields cannot be read.
    #[error("the live object: {0}")]
    ManagedFields(#[from] ManagedFieldsError),
}

fn list(conflicts: &[Conflict]) -> String {
    let shown: Vec<_> = conflicts.iter().take(5).map(ToString::to_string).collect();
    let more = if conflicts.len() > shown.len() { ", …" } else { "" };
    format!("{}{more}", shown.join(", "))
}

/// Applies a configuration for a field manager, as server-side apply does: `PATCH` with `application/apply-patch+yaml`.
///
/// What the configuration states is laid over the live object. Fields that the manager applied before and no longer
/// states are removed, unless somebody else owns them. Fields that somebody else owns with another value are conflicts,
/// unless `force` takes them over. Nulls in the configuration state nothing. `time` is what new managedFields entries are
/// stamped with, in RFC 3339.
///
/// Applying the same configuration again changes nothing at all.
///
/// ```
/// use gitops_diff::{KnownLists, apply, update};
/// use serde_json::json;
///
/// let config = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "1"}});
/// let applied = apply(None, &config, "gitops", false, &KnownLists, "2026-01-01T00:00:00Z")?;
/// let mut edited = applied.object.clone();
/// edited["data"]["a"] = json!("2");
/// let edited = update(Some(&applied.object), &edited, "kubectl-edit", &KnownLists, "2026-01-02T00:00:00Z");
/// assert!(apply(Some(&edited), &config, "gitops", false, &KnownLists, "2026-01-03T00:00:00Z").is_err());
/// let healed = apply(Some(&edited), &config, "gitops", true, &KnownLists, "2026-01-03T00:00:00Z")?;
/// assert_eq!(healed.object["data"], json!({"a": "1"}));
/// # Ok::<(), gitops_diff::ApplyError>(())
/// ```
pub fn apply(
    live: Option<&Value>,
    config: &Value,
    manager: &str,
    force: bool,
    lists: &dyn ListKeys,
    time: &str,
) -> Result<Applied, ApplyError> {
    if !config.is_object() {
        return Err(ApplyError::NotAnObject);
    }
    let mut config = without_nulls(config);
    FieldPath::of_fields(["metadata", "managedFields"]).remove(&mut config);
    let context = Context { object: TypeRef::of(&config), lists };
    context.check(&config, &mut FieldPath::root())?;

    let empty = Value::Object(serde_json::Map::new());
    let mut owners = ManagedFields::of(live.unwrap_or(&empty))?;
    let mut before = live.cloned().unwrap_or(empty);
    FieldPath::of_fields(["metadata", "managedFields"]).remove(&mut before);

    let is_ours = |e: &ManagedFieldsEntry| {
        e.manager == manager && e.operation == Operation::Apply && e.subresource.is_empty()
    };
    let mut object = context.merge(&before, &config, &mut FieldPath::root());
    let mut ours = FieldSet::with_identity(&config, lists);
    if let Some(previous) = owners.by_manager(manager, Operation::Apply) {
        let mut owned = ours.clone();
        for entry in owners.entries().iter().filter(|e| !is_ours(e)) {
            owned = owned.union(&entry.fields);
        }
        previous.fields.remove_from(&mut object, &owned);
    }
    ours.strip_identity();

    let changes = Changes::between(&before, &object, lists);
    let conflicts = take_over(&mut owners, &changes, is_ours);
    if !force && !conflicts.is_empty() {
        return Err(ApplyError::Conflicts(conflicts));
    }
    let entry = ManagedFieldsEntry {
        manager: manager.to_owned(),
        operation: Operation::Apply,
        api_version: config.get("apiVersion").and_then(Value::as_str).unwrap_or_default().to_owned(),
        subresource: String::new(),
        time: Some(time.to_owned()),
        fields: ours,
    };
    let entries = owners.entries_mut();
    match entries.iter_mut().find(|e| is_ours(e)) {
        // The time tells when the entry or the object changed last.
        Some(old)
            if old.fields == entry.fields && old.api_version == entry.api_version && before == object => {}
        Some(old) => *old = entry,
        None => entries.push(entry),
    }
    entries.retain(|e| !e.fields.is_empty());
    if let Some(live) = live
        && before == object
        && ManagedFields::of(live)? == owners
    {
        return Ok(Applied { object: live.clone(), changed: false });
    }
    owners.write_to(&mut object);
    Ok(Applied { object, changed: true })
}

/// Takes what changed from the others, and says what they lost with its value still there: the conflicts.
fn take_over(
    owners: &mut ManagedFields,
    changes: &Changes,
    is_ours: impl Fn(&ManagedFieldsEntry) -> bool,
) -> Vec<Conflict> {
    let written = changes.added.union(&changes.modified);
    let mut conflicts = Vec::new();
    for entry in owners.entries_mut().iter_mut().filter(|e| !is_ours(e)) {
        let theirs = entry.fields.intersection(&written);
        conflicts.extend(theirs.iter().map(|path| Conflict { manager: entry.manager.clone(), path }));
        entry.fields = entry.fields.difference(&theirs).difference(&changes.removed);
    }
    conflicts.sort();
    conflicts.dedup();
    conflicts
}

/// Follows a write that is no apply (`PUT`, `PATCH` of another type, `POST`): the manager now owns what it changed or
/// added, the others no longer own what changed, and nobody owns what is gone.
///
/// The result is `new` with its `metadata.managedFields` brought up to date; those that `new` brings along are ignored,
/// as far as the live object's can be read, but an explicitly empty list clears all, as in the API server.
#[must_use]
pub fn update(live: Option<&Value>, new: &Value, manager: &str, lists: &dyn ListKeys, time: &str) -> Value {
    let path = FieldPath::of_fields(["metadata", "managedFields"]);
    let empty = Value::Object(serde_json::Map::new());
    let mut before = live.cloned().unwrap_or_else(|| empty.clone());
    let mut object = new.clone();
    path.remove(&mut before);
    let cleared = path.remove(&mut object).is_some_and(|fields| fields.as_array().is_some_and(Vec::is_empty));
    let mut owners = ManagedFields::of(live.unwrap_or(&empty)).unwrap_or_default();
    if cleared {
        return object;
    }
    let changes = Changes::between(&before, &object, lists);
    let mut written = changes.added.union(&changes.modified);
    let api_version = object.get("apiVersion").and_then(Value::as_str).unwrap_or_default().to_owned();
    let is_ours = |e: &ManagedFieldsEntry| {
        e.manager == manager
            && e.operation == Operation::Update
            && e.subresource.is_empty()
            && e.api_version == api_version
    };
    take_over(&mut owners, &changes, is_ours);
    written.strip_identity();
    let entries = owners.entries_mut();
    match entries.iter_mut().find(|e| is_ours(e)) {
        Some(entry) => {
            entry.fields = entry.fields.difference(&changes.removed).union(&written);
            if before != object {
                entry.time = Some(time.to_owned());
            }
        }
        None => entries.push(ManagedFieldsEntry {
            manager: manager.to_owned(),
            operation: Operation::Update,
            api_version: api_version.clone(),
            subresource: String::new(),
            time: Some(time.to_owned()),
            fields: written,
        }),
    }
    entries.retain(|entry| !entry.fields.is_empty());
    owners.write_to(&mut object);
    object
}

impl FieldSet {
    /// Takes the fields of this set out of an object, but not those that `keep` has.
    ///
    /// A map or list goes when nothing of it is kept any more, with whatever nobody owns in it: the rule of
    /// structured-merge-diff (`merge/update.go`, prune). What identifies the object stays.
    pub fn remove_from(&self, object: &mut Value, keep: &Self) {
        let gone = self.with_named_ancestors().difference(&keep.with_named_ancestors());
        let mut top: Option<FieldPath> = None;
        for path in gone.iter() {
            // Parents come first, and take what is below them along.
            if top.as_ref().is_some_and(|top| path.starts_with(top)) || is_identity(&path) {
                continue;
            }
            path.remove(object);
            top = Some(path);
        }
    }
}

fn is_identity(path: &FieldPath) -> bool {
    let mut one: FieldSet = [path.clone()].into_iter().collect();
    one.strip_identity();
    one.is_empty()
}

impl Context<'_> {
    /// Refuses lists that have no names for their items.
    fn check(&self, value: &Value, path: &mut FieldPath) -> Result<(), ApplyError> {
        match value {
            Value::Object(map) if path.is_root() || !self.is_atomic_map(path) => {
                for (name, child) in map {
                    path.push(PathElement::field(name.as_str()));
                    self.check(child, path)?;
                    path.pop();
                }
            }
            Value::Array(items) => {
                let kind = self.list(path);
                if kind == ListKind::Atomic {
                    return Ok(());
                }
                let elements =
                    list_keys::elements(kind, items).ok_or_else(|| ApplyError::Items(path.clone()))?;
                for (element, item) in elements.into_iter().zip(items) {
                    path.push(element);
                    self.check(item, path)?;
                    path.pop();
                }
            }
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
