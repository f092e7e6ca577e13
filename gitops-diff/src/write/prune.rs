//! Removing what an applier gave up (`merge/update.go`, `prune`).

use serde_json::Value;

use crate::FieldSet;
use crate::nulls::drop_nulls;
use crate::schema::Type;
use crate::typed::{field_set, remove};

/// The merged object without what its applier owned and no longer states, unless somebody else owns it.
///
/// A map or list goes with all that nobody owns in it, once nothing in it is owned any more. Where all that was owned is
/// stated again, nothing goes, unless an empty map is stated that is not empty: then it goes if it holds nothing but empty
/// lists.
///
/// `last` is what the applier owned, `stated` what it states now, `others` what the others own.
pub(super) fn prune(
    merged: &Value,
    last: &FieldSet,
    stated: &FieldSet,
    others: &FieldSet,
    ty: Type<'_>,
) -> Value {
    let named = |set: &FieldSet| set.with_named_ancestors(Some(ty));
    let last = named(last);
    let all = named(&field_set(merged, ty));
    let owned = named(&stated.union(others));
    // Without anything that was owned; then with what is owned now (`addBackOwnedItems`) …
    let without = identified(remove(merged, &last, ty));
    let kept = named(&field_set(&without, ty)).union(&owned);
    let with_owned = identified(remove(merged, &all.difference(&kept), ty));
    // … and with what its applier never owned (`addBackDanglingItems`).
    let left = named(&field_set(&with_owned, ty));
    remove(merged, &all.difference(&left).intersection(&last), ty)
}

/// The tree without items that became null by losing all they had, so that those beside them are still told apart.
fn identified(mut tree: Value) -> Value {
    fn walk(value: &mut Value) {
        match value {
            Value::Object(map) => map.values_mut().for_each(walk),
            Value::Array(items) => {
                if !items.iter().all(Value::is_null) {
                    items.retain(|item| !item.is_null());
                }
                items.iter_mut().for_each(walk);
            }
            _ => {}
        }
    }
    walk(&mut tree);
    tree
}

/// Takes out what became null by losing all it had, and maps that thereby become empty.
pub(super) fn without_residue(pruned: &mut Value, before: &Value) {
    match (pruned, before) {
        (Value::Object(pruned), Value::Object(before)) => {
            pruned.retain(|name, value| match before.get(name) {
                Some(old) if value.is_null() => old.is_null(),
                Some(old) => {
                    without_residue(value, old);
                    !is_emptied(value, old)
                }
                None => true,
            });
        }
        // Items keep their order, but some may be gone.
        (Value::Array(pruned), Value::Array(before)) if pruned.len() == before.len() => {
            for (value, old) in pruned.iter_mut().zip(before) {
                without_residue(value, old);
            }
        }
        (Value::Array(pruned), Value::Array(_)) => pruned.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

fn is_emptied(value: &Value, old: &Value) -> bool {
    matches!((value, old), (Value::Object(value), Value::Object(old)) if value.is_empty() && !old.is_empty())
}
