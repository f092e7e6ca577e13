//! The three-way merge over field ownership: the API server remembers what was last applied.

use serde_json::Value;

use super::{PatchType, ThreeWay, ThreeWayCause, ThreeWayField};
use crate::path_index::PathIndex;
use crate::redact::Masker;
use crate::schema::{Schema, Type};
use crate::typed::{Comparison, Hidden, compare_hiding};
use crate::write::without_managed_fields;
use crate::{
    Applied, ApplyError, FieldPath, FieldSet, ManagedFields, Operation, Redaction, Shown, TypeRef,
    WriteOptions, apply, merge_patch,
};

/// The three-way merge of what a field manager last applied (its entry in `metadata.managedFields`), what is desired, and
/// what is live: server-side apply, with an account of every field.
///
/// Conflicts are told and overruled; what others own besides stays. The patch is a JSON merge patch that says nothing about
/// `metadata.managedFields`: the API server sees to these itself. The merged object has them.
///
/// Ownership is all that is known about what was last applied. A field that the manager still owns has the value that it
/// last applied: whoever writes another one takes the field over. So what differs and is owned was changed in Git
/// ([`Stated`](ThreeWayCause::Stated), [`Removed`](ThreeWayCause::Removed)), and what somebody else owns was changed in
/// the live object ([`Drifted`](ThreeWayCause::Drifted)), or is his anyway; what was last applied is then shown as absent.
///
/// Sources: `merge/update.go` of structured-merge-diff; see [`apply`].
///
/// ```
/// use gitops_diff::schema::BuiltIn;
/// use gitops_diff::{Redaction, WriteOptions, apply, three_way, update};
/// use serde_json::json;
///
/// let config = |data| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": data});
/// let gitops = WriteOptions::new("gitops");
/// let live = apply(None, &config(json!({"a": "1", "b": "1", "c": "1"})), &BuiltIn, &gitops)?.object;
/// let mut edited = live.clone().into_owned();
/// edited["data"]["b"] = json!("by hand");
/// let live = update(Some(&live), &edited, &BuiltIn, &WriteOptions::new("kubectl-edit"))?.object;
///
/// let desired = config(json!({"a": "2", "b": "1"}));
/// let merge = three_way::structured(&desired, &live, &BuiltIn, &gitops, &Redaction::default())?;
/// assert_eq!(merge.patch, json!({"data": {"a": "2", "b": "1", "c": null}}));
/// let told: Vec<_> = merge.fields.iter().map(|field| field.to_string()).collect();
/// assert_eq!(told, [
///     r#".data.a  last applied "1", Git "2", live "1": changed in Git"#,
///     r#".data.b  last applied absent, Git "1", live "by hand": changed in the live object"#,
///     r#".data.c  last applied "1", Git absent, live "1": given up in Git"#,
/// ]);
/// assert_eq!(merge.conflicts, [".data.b".parse()?]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn structured(
    desired: &Value,
    live: &Value,
    schema: &(impl Schema + ?Sized),
    options: &WriteOptions,
    redact: &Redaction,
) -> Result<ThreeWay, ApplyError> {
    let options = options.clone().with_clean(true).with_redaction(redact.clone());
    let (applied, conflicts) = overruled(desired, live, schema, &options)?;
    let mut fields = Vec::new();
    let mut patch = Value::Object(serde_json::Map::new());
    if applied.values_changed {
        let ty = schema.type_or_deduced(&TypeRef::of(desired));
        let (before, after) = (without_managed_fields(live), without_managed_fields(&applied.object));
        patch = merge_patch::create(&before, &after);
        fields = account([desired, &before], &after, ty, &Owned::read(live, &options), redact);
    }
    Ok(ThreeWay {
        patch,
        patch_type: PatchType::JsonMerge,
        changes_live: applied.values_changed,
        merged: applied.object.into_owned(),
        conflicts,
        fields,
    })
}

/// Applies by force, and says what was in the way.
fn overruled<'l>(
    desired: &Value,
    live: &'l Value,
    schema: &(impl Schema + ?Sized),
    options: &WriteOptions,
) -> Result<(Applied<'l>, Vec<FieldPath>), ApplyError> {
    match apply(Some(live), desired, schema, &options.clone().with_force(false)) {
        Ok(applied) => Ok((applied, Vec::new())),
        Err(ApplyError::Conflicts(conflicts)) => {
            let applied = apply(Some(live), desired, schema, &options.clone().with_force(true))?;
            let mut paths: Vec<FieldPath> = conflicts.into_iter().map(|conflict| conflict.path).collect();
            paths.sort();
            paths.dedup();
            Ok((applied, paths))
        }
        Err(error) => Err(error),
    }
}

/// Who owns the fields of the live object.
struct Owned {
    ours: FieldSet,
    others: Vec<FieldSet>,
}

impl Owned {
    /// Entries that cannot be read own nothing.
    fn read(live: &Value, options: &WriteOptions) -> Self {
        let managed = ManagedFields::of(live).unwrap_or_default();
        let mut owned = Self { ours: FieldSet::new(), others: Vec::new() };
        for entry in managed.into_entries() {
            let is_ours = entry.manager == options.manager
                && entry.operation == Operation::Apply
                && entry.subresource == options.subresource;
            if is_ours {
                owned.ours = entry.fields;
            } else {
                owned.others.push(entry.fields);
            }
        }
        owned
    }

    fn cause(&self, path: &FieldPath, is_gone: bool) -> ThreeWayCause {
        if is_gone {
            ThreeWayCause::Removed
        } else if self.ours.touches(path) || !self.others.iter().any(|other| other.touches(path)) {
            ThreeWayCause::Stated
        } else {
            ThreeWayCause::Drifted
        }
    }
}

/// The fields that change, of what is new or gone the outermost.
fn account(
    [desired, live]: [&Value; 2],
    merged: &Value,
    ty: Type<'_>,
    owned: &Owned,
    redact: &Redaction,
) -> Vec<ThreeWayField> {
    let Comparison { added, modified, removed } = compare_hiding(live, merged, ty, Hidden::default());
    let mut masker = Masker::new(redact, &[desired, live, merged]);
    let [mut desired, mut live] = [desired, live].map(PathIndex::new);
    let mut fields: Vec<ThreeWayField> = Vec::new();
    for path in added.union(&modified).union(&removed).iter() {
        if fields.last().is_some_and(|outer| path.starts_with(&outer.path)) {
            continue;
        }
        let is_gone = removed.contains(&path) && !modified.contains(&path);
        let told = masker.way_to(path.clone());
        if fields.last().is_some_and(|outer| told.starts_with(&outer.path)) {
            continue;
        }
        let shown_live = masker.shown_at(&mut live, &path);
        fields.push(ThreeWayField {
            last_applied: if owned.ours.touches(&path) { shown_live.clone() } else { Shown::Absent },
            desired: masker.shown_at(&mut desired, &path),
            live: shown_live,
            cause: owned.cause(&path, is_gone),
            path: told,
        });
    }
    fields
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::schema::BuiltIn;
    use crate::testing::{assert_no_square, deployment, pod_of};
    use crate::update;

    fn merge(desired: &Value, live: &Value) -> ThreeWay {
        structured(desired, live, &BuiltIn, &WriteOptions::new("ours"), &Redaction::default()).unwrap()
    }

    #[test]
    fn secrets_stay_secret() {
        let secret = |data: Value| json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": data});
        let live = apply(None, &secret(json!({"a": "b25l"})), &BuiltIn, &WriteOptions::new("ours")).unwrap();
        let merge = merge(&secret(json!({"a": "dHdv"})), &live.object);
        assert_eq!(merge.fields.len(), 1);
        assert!(!format!("{merge:?} {}", merge.fields[0]).contains("dHdv"));
        assert_eq!(merge.patch, json!({"data": {"a": "dHdv"}}));
    }

    #[test]
    fn paths_say_nothing_of_what_is_masked() {
        let config = |finalizer: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "finalizers": [finalizer]}});
        let options = WriteOptions::new("ours");
        let live = apply(None, &config("hunter2"), &BuiltIn, &options).unwrap().object;
        let redaction = Redaction::default().with_path(".metadata.finalizers".parse().unwrap());
        let merge = structured(&config("hunter3"), &live, &BuiltIn, &options, &redaction).unwrap();
        let told: Vec<_> = merge.fields.iter().map(|field| field.path.to_string()).collect();
        assert_eq!(told, [".metadata.finalizers"]);
    }

    #[test]
    fn lists_are_not_walked_for_each_field() {
        let live = |n| {
            apply(None, &pod_of(n, "i:1"), &BuiltIn, &WriteOptions::new("ours")).unwrap().object.into_owned()
        };
        assert_no_square(
            "all images changed",
            |n| (pod_of(n, "i:2"), live(n), n),
            |(git, live, n)| {
                assert_eq!(merge(git, live).fields.len(), *n);
            },
        );
    }

    proptest! {
        #[test]
        fn the_patch_makes_the_merged_object(a in deployment(), b in deployment(), desired in deployment()) {
            let live = apply(None, &a, &BuiltIn, &WriteOptions::new("ours")).unwrap().object;
            let live = update(Some(&live), &b, &BuiltIn, &WriteOptions::new("human")).unwrap().object;
            let merge = merge(&desired, &live);
            let patched = merge_patch::apply(&without_managed_fields(&live), &merge.patch);
            prop_assert_eq!(&patched, &without_managed_fields(&merge.merged));
            prop_assert_eq!(merge.changes_live, merge.patch != json!({}));
            for conflict in &merge.conflicts {
                let covered = |field: &ThreeWayField| conflict.starts_with(&field.path) || field.path.starts_with(conflict);
                prop_assert!(merge.fields.iter().any(covered), "{}", conflict);
            }
            // What is merged once needs no merging.
            let again = super::tests::merge(&desired, &merge.merged);
            prop_assert!(!again.changes_live && again.fields.is_empty() && again.conflicts.is_empty());
        }

        #[test]
        fn live_as_last_applied_becomes_what_is_desired(a in deployment(), desired in deployment()) {
            let live = apply(None, &a, &BuiltIn, &WriteOptions::new("ours")).unwrap().object;
            let merge = merge(&desired, &live);
            let difference = crate::compare(&desired, &merge.merged, &BuiltIn, &crate::DiffOptions::default());
            prop_assert!(difference.is_empty());
            prop_assert!(merge.conflicts.is_empty());
            prop_assert!(merge.fields.iter().all(|field| matches!(field.cause, ThreeWayCause::Stated | ThreeWayCause::Removed)));
        }
    }
}
