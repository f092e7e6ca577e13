//! Server-side apply, the tracking of updates, and the typed operations below them.

use gitops_diff::TypeRef;
use gitops_diff::schema::Type;
use serde_json::{Value, json};

use super::Folder;
use super::compare::{expect, same};
use super::engines::{self, Applied, Failure, Write, Written};
use super::patches::{json_of, outcome, refused};
use super::vectors::Case;

/// Server-side apply.
pub(crate) fn apply(case: &Case, folder: &Folder) -> Result<(), String> {
    let result = engines::apply(ty(case, folder)?, &write(case, "applied"));
    let conflicts = case.get("conflicts").and_then(Value::as_array).cloned().unwrap_or_default();
    match result {
        Ok(Applied::Conflicts(got)) if case.get("error").is_none() => same_conflicts(&conflicts, &got),
        Ok(Applied::Conflicts(got)) => Err(format!("conflicts {}, expected an error", json!(got))),
        Ok(Applied::Written(written)) if conflicts.is_empty() => written_as_expected(case, Ok(written)),
        Ok(Applied::Written(_)) => Err(format!("no conflicts, expected {}", json!(conflicts))),
        Err(failure) => written_as_expected(case, Err(failure)),
    }
}

/// What an update does to ownership.
pub(crate) fn update(case: &Case, folder: &Folder) -> Result<(), String> {
    written_as_expected(case, engines::update(ty(case, folder)?, &write(case, "updated")))
}

/// Compare, merge, field set, remove and extract.
pub(crate) fn typed(case: &Case, folder: &Folder) -> Result<(), String> {
    let (lhs, rhs) = (case.get("lhs").unwrap_or(&Value::Null), case.get("rhs").unwrap_or(&Value::Null));
    let typed = match (engines::typed(ty(case, folder)?, lhs, rhs), case.get("error")) {
        (Ok(typed), None) => typed,
        (Ok(_), Some(error)) => return Err(format!("no error, expected {error}")),
        (Err(failure), Some(error)) => return refused("the operations", error, Err(failure)),
        (Err(failure), None) => return Err(failure.message),
    };
    let comparison = json!({"added": typed.added, "modified": typed.modified, "removed": typed.removed});
    expect("compare", case.get("compare"), Some(&comparison))?;
    expect("field_set", case.get("field_set"), Some(&typed.field_set))?;
    expect("remove", case.get("remove"), Some(&typed.without))?;
    expect("extract", case.get("extract"), Some(&typed.extracted))?;
    match (typed.merged, case.get("merge_error")) {
        (Ok(merged), None) => expect("merge", case.get("merge"), Some(&merged)),
        (Ok(merged), Some(error)) => Err(format!("merge is {merged}, expected the error {error}")),
        (Err(_), Some(_)) => Ok(()),
        (Err(failure), None) => Err(format!("merge: {}", failure.message)),
    }
}

fn ty<'f>(case: &Case, folder: &'f Folder) -> Result<Type<'f>, String> {
    let kind = case.get("kind").map(TypeRef::of).unwrap_or_default();
    folder.merge_diff(case.get("schema").ok_or("the case names no schema")?, &kind)
}

fn write<'c>(case: &'c Case, object: &str) -> Write<'c> {
    Write {
        live: case.get("live").unwrap_or(&Value::Null),
        object: case.get(object).unwrap_or(&Value::Null),
        manager: case.text("manager").unwrap_or_default(),
        subresource: case.text("subresource"),
        force: case.flag("force"),
        before_first_apply: case.flag("before_first_apply"),
    }
}

fn written_as_expected(case: &Case, result: Result<Written, Failure>) -> Result<(), String> {
    let written = match result {
        Ok(written) => written,
        Err(failure) => return outcome("the object", &json_of(case), "expected_object", Err(failure)),
    };
    let mut expected = json_of(case);
    without_empty_metadata(&mut expected["expected_object"]);
    let mut object = written.object;
    without_empty_metadata(&mut object);
    outcome("the object", &expected, "expected_object", Ok(object))?;
    expect("managedFields", case.get("expected_managedFields"), Some(&written.managed_fields))?;
    match case.get("no_op") {
        Some(no_op) => expect("no_op", Some(no_op), Some(&Value::Bool(written.no_op))),
        None => Ok(()),
    }
}

/// Metadata may have been there for the managed fields only.
fn without_empty_metadata(object: &mut Value) {
    if let Some(map) = object.as_object_mut()
        && map.get("metadata").and_then(Value::as_object).is_some_and(serde_json::Map::is_empty)
    {
        map.remove("metadata");
    }
}

/// Conflicts come in any order. The reference tells their paths also as a text that it makes of the elements, in which a large
/// number in a key is one of floating point or not, by where the key was read: the elements count.
fn same_conflicts(expected: &[Value], got: &[Value]) -> Result<(), String> {
    let mut left: Vec<_> = got.iter().collect();
    for conflict in expected {
        let mut conflict = conflict.clone();
        conflict.as_object_mut().map(|fields| fields.remove("path"));
        let at = left.iter().position(|got| same(&conflict, got));
        let Some(at) = at else {
            return Err(format!("conflicts {}, expected {}", json!(got), json!(expected)));
        };
        left.swap_remove(at);
    }
    if left.is_empty() {
        Ok(())
    } else {
        Err(format!("conflicts {}, expected {}", json!(got), json!(expected)))
    }
}
