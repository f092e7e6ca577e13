//! Comparing a manifest with a live object by field ownership: for targets whose objects carry `managedFields`.

use gitops_diff::{
    DiffOptions, Difference, DifferenceKind, FieldPath, FieldSet, KnownLists, ManagedFields, Operation,
    PathElement, Redaction, Shown, stated,
};
use serde_json::Value;

use crate::{Comparison, IgnoreRules, Live, Placed, ResourceId};

/// Who writes an application's objects, and what a target adds to each of them by itself.
#[derive(Debug, Clone, Copy)]
pub struct FieldOwner<'a> {
    /// The field manager under which the application applies.
    pub manager: &'a str,
    /// Beginnings of the names of labels and annotations that the target adds to mark members: they are owned, and no
    /// manifest states them.
    pub marks: &'a [&'a str],
}

/// Compares a manifest with a live object, for [`crate::Target::compare`] of targets whose objects carry `managedFields`.
///
/// What was remembered of our last apply decides first: if neither the manifest nor the fields we own have changed since,
/// nothing has, whatever else happened to the object. Otherwise, with the object at hand: a field that is stated and is
/// live otherwise is a difference, and so is a field that we own and no longer state. If all values are right but not all
/// stated fields are ours, only an apply can tell ([`Comparison::Unsure`]).
pub fn compare_owned(
    desired: &Placed,
    live: &Live,
    owner: FieldOwner<'_>,
    rules: &IgnoreRules,
) -> Comparison {
    if let Some(memo) = &live.memo
        && memo.desired == desired.digest
        && memo.applied == memo.now
        && rules.is_empty()
    {
        return match memo.overruled.as_slice() {
            [] => Comparison::InSync,
            overruled => Comparison::Overruled(overruled.to_vec()),
        };
    }
    let Some(object) = &live.object else { return Comparison::Unsure };
    let stripped = rules.strip(&live.id, &desired.manifest.object);
    let wanted = stripped.as_ref().unwrap_or(&desired.manifest.object);
    let managed = ManagedFields::of(object).unwrap_or_default();
    let owned = managed
        .by_manager(owner.manager, Operation::Apply)
        .map(|entry| entry.fields.clone())
        .unwrap_or_default();
    let mut differences = stated(wanted, object, &DiffOptions::default().with_manager(owner.manager));
    let stated_set = FieldSet::of(wanted, &KnownLists);
    differences.extend(given_up(&live.id, &owned, &stated_set, object, owner.marks, rules));
    if !differences.is_empty() {
        // Nothing moved since the apply that was answered with these values: it is the target that insists on them.
        let is_overruled = live.memo.as_ref().is_some_and(|memo| {
            memo.desired == desired.digest
                && memo.applied == memo.now
                && memo.overruled.len() == differences.len()
        });
        return if is_overruled {
            Comparison::Overruled(differences)
        } else {
            Comparison::Differs(differences)
        };
    }
    if stated_set.is_subset(&owned) { Comparison::InSync } else { Comparison::Unsure }
}

/// Fields that we own, are live, and are not stated any more.
fn given_up(
    id: &ResourceId,
    owned: &FieldSet,
    stated: &FieldSet,
    object: &Value,
    marks: &[&str],
    rules: &IgnoreRules,
) -> Vec<Difference> {
    let mut gone: Vec<FieldPath> = owned
        .difference(stated)
        .iter()
        .filter(|path| !is_mark(path, marks) && path.get(object).is_some() && !rules.covers(id, path))
        .collect();
    gone.sort();
    // A list item that is given up is one difference, not one for each field of it.
    let mut kept: Vec<FieldPath> = Vec::new();
    for path in gone {
        if !kept.iter().any(|above| path.starts_with(above)) {
            kept.push(path);
        }
    }
    let redacted = Redaction::default().redact(object);
    let shown = |path: &FieldPath| match (path.get(object), path.get(&redacted)) {
        (Some(value), Some(shown)) if value == shown => Shown::Value(value.clone()),
        _ => Shown::Redacted,
    };
    kept.into_iter()
        .map(|path| {
            let live = shown(&path);
            Difference::new(path, DifferenceKind::Removed, Shown::Absent, live)
        })
        .collect()
}

fn is_mark(path: &FieldPath, marks: &[&str]) -> bool {
    let Some(PathElement::Field(name)) = path.last() else { return false };
    marks.iter().any(|mark| name.starts_with(mark))
        && ["labels", "annotations"]
            .iter()
            .any(|map| path.starts_with(&FieldPath::of_fields(["metadata", map])))
}
