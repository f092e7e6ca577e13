//! Field ownership against the vectors of the reference implementations: `GITOPS_REFERENCE` names the directory beside
//! which they lie, in `vectors`.

#![allow(clippy::expect_used, clippy::unwrap_used)] // It is a test, helpers and all.

use std::path::PathBuf;

use gitops_diff::schema::{Schema, Type, UnknownFields};
use gitops_diff::{ApplyError, Conflict, FieldSet, TypeRef, WriteOptions, apply, typed, update};
use serde_json::{Value, json};

#[path = "../examples/conformance/schemas.rs"]
#[expect(dead_code, reason = "the example reads more")]
mod schemas;

/// One type for every object.
#[derive(Debug)]
struct Only<'s>(Type<'s>);

impl Schema for Only<'_> {
    fn type_of(&self, _: &TypeRef<'_>) -> Option<Type<'_>> {
        Some(self.0)
    }
}

fn vectors() -> PathBuf {
    let reference = std::env::var_os("GITOPS_REFERENCE").expect("GITOPS_REFERENCE names a directory");
    PathBuf::from(reference).parent().expect("a parent").join("vectors")
}

fn run(file: &str, check: impl Fn(&Value, Type<'_>) -> Result<(), String>) {
    let read = |name: &str| std::fs::read_to_string(vectors().join(name)).unwrap();
    let smd = schemas::merge_diff(&read("schema/schema_smd.yaml")).unwrap();
    let custom = schemas::merge_diff(&read("schema/schema_custom_smd.yaml")).unwrap();
    let document: Value = serde_json::from_str(&read(file)).unwrap();
    let cases = document["cases"].as_array().unwrap();
    let mut failed = Vec::new();
    for case in cases {
        let name = case["schema"]["type"].as_str().unwrap();
        let ty = match case["schema"]["file"].as_str().unwrap() {
            "deduced" => Type::deduced(),
            "schema_smd.yaml" => smd.get(name).unwrap(),
            _ => custom.get(name).unwrap(),
        };
        if let Err(why) = check(case, ty) {
            failed.push(format!("{}: {why}", case["name"].as_str().unwrap()));
        }
    }
    assert!(failed.is_empty(), "{} of {} failed\n{}", failed.len(), cases.len(), failed.join("\n"));
    assert!(cases.len() > 100);
}

fn same(what: &str, found: &Value, expected: &Value) -> Result<(), String> {
    if numbers(found) == numbers(expected) {
        return Ok(());
    }
    Err(format!("{what}\n   found    {found}\n   expected {expected}"))
}

/// Whole floats as integers: Go writes them alike.
fn numbers(value: &Value) -> Value {
    match value {
        Value::Number(n) if n.is_f64() && n.as_f64().is_some_and(|f| f.fract() == 0.0 && f.abs() < 1e15) =>
        {
            #[expect(clippy::cast_possible_truncation, reason = "whole and small")]
            n.as_f64().map_or(Value::Null, |f| json!(f as i64))
        }
        Value::Array(items) => items.iter().map(numbers).collect(),
        Value::Object(map) => Value::Object(map.iter().map(|(k, v)| (k.clone(), numbers(v))).collect()),
        _ => value.clone(),
    }
}

#[test]
#[ignore = "needs GITOPS_REFERENCE"]
fn typed_operations() {
    run("smd_ops.json", |case, ty| {
        let (lhs, rhs) = (&case["lhs"], &case["rhs"]);
        let options = typed::ValidateOptions::default()
            .with_duplicates(true)
            .with_unknown_fields(UnknownFields::Refuse);
        let valid = typed::validate(lhs, ty, options).and_then(|()| typed::validate(rhs, ty, options));
        if case.get("error").is_some() {
            return if valid.is_err() { Ok(()) } else { Err("no error".to_owned()) };
        }
        valid.map_err(|error| error.to_string())?;
        let fields = |set: &FieldSet| set.to_fields_v1();
        let change = typed::compare(lhs, rhs, ty).map_err(|error| error.to_string())?;
        same("added", &fields(&change.added), &case["compare"]["added"])?;
        same("modified", &fields(&change.modified), &case["compare"]["modified"])?;
        same("removed", &fields(&change.removed), &case["compare"]["removed"])?;
        match (typed::merge(lhs, rhs, ty), case.get("merge_error")) {
            (Ok(merged), None) => same("merge", &merged, &case["merge"])?,
            (Err(_), Some(_)) => {}
            (merged, _) => return Err(format!("merge {merged:?}")),
        }
        let stated = typed::field_set(rhs, ty);
        same("field_set", &fields(&stated), &case["field_set"])?;
        same("remove", &typed::remove(lhs, &stated, ty), &case["remove"])?;
        same("extract", &typed::extract(lhs, &stated.leaves(), ty, true), &case["extract"])
    });
}

fn options(case: &Value) -> WriteOptions {
    WriteOptions::new(case["manager"].as_str().unwrap())
        .with_subresource(case["subresource"].as_str().unwrap_or_default())
        .with_force(case["force"] == true)
        .with_unknown_fields(UnknownFields::Refuse)
}

fn outcome(case: &Value, object: &Value) -> Result<(), String> {
    let (mut object, mut expected) = (object.clone(), case["expected_object"].clone());
    let mut owners = json!([]);
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        owners = metadata.remove("managedFields").unwrap_or(owners);
    }
    for entry in owners.as_array_mut().unwrap() {
        entry.as_object_mut().unwrap().remove("time");
    }
    let of_vector = case["expected_managedFields"].as_array().cloned().unwrap_or_default();
    same("owners", &owners, &Value::from(of_vector))?;
    for tree in [&mut object, &mut expected] {
        if tree["metadata"].as_object().is_some_and(serde_json::Map::is_empty) {
            tree.as_object_mut().unwrap().remove("metadata");
        }
    }
    same("object", &object, &expected)
}

fn conflict(conflict: &Conflict) -> Value {
    let elements: Vec<_> =
        conflict.path.elements().iter().map(gitops_diff::PathElement::to_managed).collect();
    let mut found = json!({
        "manager": conflict.manager, "operation": conflict.operation.as_str(), "path_elements": elements,
    });
    if let Some(version) = &conflict.api_version {
        found["apiVersion"] = json!(version);
    }
    if !conflict.subresource.is_empty() {
        found["subresource"] = json!(conflict.subresource);
    }
    found
}

#[test]
#[ignore = "needs GITOPS_REFERENCE"]
fn server_side_apply() {
    run("ssa.json", |case, ty| {
        let mut expected = case["conflicts"].as_array().cloned().unwrap_or_default();
        match apply(Some(&case["live"]), &case["applied"], &Only(ty), &options(case)) {
            Ok(_) if case.get("error").is_some() => Err("no error".to_owned()),
            Ok(_) if !expected.is_empty() && case["force"] != true => Err("no conflict".to_owned()),
            Ok(applied) => {
                outcome(case, &applied.object)?;
                same("no_op", &json!(!applied.values_changed), &case["no_op"])
            }
            Err(ApplyError::Conflicts(conflicts)) => {
                let mut found: Vec<Value> = conflicts.iter().map(conflict).collect();
                for conflict in &mut expected {
                    conflict.as_object_mut().unwrap().remove("path");
                }
                found.sort_by_key(ToString::to_string);
                expected.sort_by_key(ToString::to_string);
                same("conflicts", &Value::from(found), &Value::from(expected))
            }
            Err(_) if case.get("error").is_some() => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    });
}

#[test]
#[ignore = "needs GITOPS_REFERENCE"]
fn update_tracking() {
    run("ssa_update.json", |case, ty| {
        match update(Some(&case["live"]), &case["updated"], &Only(ty), &options(case)) {
            Ok(_) if case.get("error").is_some() => Err("no error".to_owned()),
            Ok(applied) => outcome(case, &applied.object),
            Err(_) if case.get("error").is_some() => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    });
}
