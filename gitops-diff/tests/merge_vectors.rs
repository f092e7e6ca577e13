//! The vectors of the merge patches, computed with Kubernetes' own code.
//!
//! `GITOPS_REFERENCE` names the directory beside which they are.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "this is a test"
)]

use std::path::PathBuf;

use gitops_diff::merge_patch::{self, MergePatchError};
use gitops_diff::schema::{Schema, UnknownFields};
use gitops_diff::strategic::{self, StrategicError, StrategicOptions, TypeSource};
use gitops_diff::{FieldPath, TypeRef};
use serde_json::{Value, json};

#[path = "../examples/conformance/schemas.rs"]
#[expect(dead_code, reason = "the example needs more of it")]
mod schemas;

type Outcome = Result<Value, String>;

fn read(name: &str) -> String {
    let reference = std::env::var_os("GITOPS_REFERENCE").expect("GITOPS_REFERENCE: the reference directory");
    let file = PathBuf::from(reference).join("../vectors").join(name);
    std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// Runs every case of a file and tells which fail, and how.
fn run(name: &str, check: impl Fn(&Value) -> Result<(), String>) {
    let file: Value = serde_json::from_str(&read(name)).unwrap();
    let cases = file["cases"].as_array().unwrap();
    let failed: Vec<String> = cases
        .iter()
        .filter_map(|case| check(case).err().map(|why| format!("{}: {why}", case["name"])))
        .collect();
    println!("{name}: passed {}, failed {}", cases.len() - failed.len(), failed.len());
    assert!(!cases.is_empty() && failed.is_empty(), "{}", failed.join("\n"));
}

/// A document of a case: the exact text, where there is one, wins.
fn document(case: &Value, field: &str) -> Outcome {
    match case[format!("{field}_text")].as_str() {
        Some("") => Ok(json!({})),
        Some(text) => serde_json::from_str(text).map_err(|_| "bad_json".to_owned()),
        None => Ok(case[field].clone()),
    }
}

/// Equality with numbers by value; Go has those that are no `int64` as `float64`.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) if a.is_i64() && b.is_i64() => a == b,
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(k, a)| b.get(k).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}

fn compare(got: &Outcome, expected: &Outcome) -> Result<(), String> {
    match (got, expected) {
        (Ok(got), Ok(expected)) if same(got, expected) => Ok(()),
        (Err(_), Err(expected)) if expected == "panic" => Ok(()),
        (Err(got), Err(expected)) if got == expected => Ok(()),
        _ => Err(format!("got {}, expected {}", show(got), show(expected))),
    }
}

fn show(outcome: &Outcome) -> String {
    match outcome {
        Ok(value) => value.to_string(),
        Err(class) => format!("error {class}"),
    }
}

fn expected(case: &Value, field: &str, error: &str) -> Outcome {
    match case[error]["class"].as_str() {
        Some(class) => Err(class.to_owned()),
        None => Ok(case[field].clone()),
    }
}

fn class(error: &StrategicError) -> String {
    error.reason.class().to_owned()
}

fn kind<'c>(case: &'c Value, schema: &'c schemas::Named) -> Result<gitops_diff::schema::Type<'c>, String> {
    schema.type_of(&TypeRef::of(&case["kind"])).ok_or_else(|| "unregistered_kind".to_owned())
}

fn options() -> StrategicOptions {
    StrategicOptions::default().with_unknown_fields(UnknownFields::Refuse)
}

fn preconditions(case: &Value) -> Vec<FieldPath> {
    let paths = case["preconditions"].as_array().unwrap();
    paths.iter().map(|path| format!(".{}", path.as_str().unwrap()).parse().unwrap()).collect()
}

fn types() -> schemas::Named {
    schemas::strategic(&read("schema/schema_smp_types.json")).unwrap()
}

#[test]
#[ignore = "needs GITOPS_REFERENCE"]
fn strategic_merge() {
    let schema = types();
    run("strategic_merge.json", |case| {
        let apply = |source| {
            let (original, patch) = (document(case, "original")?, document(case, "patch")?);
            let options = options().with_type_source(source);
            strategic::apply(&original, &patch, kind(case, &schema)?, &options).map_err(|error| class(&error))
        };
        compare(&apply(TypeSource::GoTypes), &expected(case, "expected", "error"))?;
        let other = case.get("openapi_v3").unwrap_or(case);
        compare(&apply(TypeSource::OpenApi), &expected(other, "expected", "error"))
    });
}

#[test]
#[ignore = "needs GITOPS_REFERENCE"]
fn two_way() {
    let schema = types();
    run("two_way.json", |case| {
        let (original, modified) = (document(case, "original")?, document(case, "modified")?);
        let ty = kind(case, &schema)?;
        let patch = strategic::create(&original, &modified, ty, &options()).map_err(|error| class(&error));
        compare(&patch, &expected(case, "expected_patch", "error"))?;
        let Ok(patch) = patch else { return Ok(()) };
        let result = strategic::apply(&original, &patch, ty, &options());
        let round_trips = result.is_ok_and(|result| result == modified);
        if Some(round_trips) == case["round_trips"].as_bool() {
            Ok(())
        } else {
            Err(format!("round trip: {round_trips}"))
        }
    });
}

#[test]
#[ignore = "needs GITOPS_REFERENCE"]
fn three_way() {
    let schema = types();
    run("three_way.json", |case| {
        let merge = || {
            let [original, modified, current] =
                ["original", "modified", "current"].map(|field| document(case, field));
            let mut options = options().with_overwrite(case["overwrite"].as_bool().unwrap());
            options.preconditions = preconditions(case);
            strategic::three_way(&original?, &modified?, &current?, kind(case, &schema)?, &options)
                .map_err(|error| class(&error))
        };
        let patch = merge();
        compare(&patch, &expected(case, "expected_patch", "error"))?;
        let Ok(patch) = patch else { return Ok(()) };
        let current = document(case, "current")?;
        let result = strategic::apply(&current, &patch, kind(case, &schema)?, &options());
        compare(&result.map_err(|error| class(&error)), &expected(case, "expected_result", "result_error"))
    });
}

#[test]
#[ignore = "needs GITOPS_REFERENCE"]
fn three_way_json() {
    run("three_way_json.json", |case| {
        let word = |error: MergePatchError| error.class().to_owned();
        let merge = || {
            let [original, modified, current] =
                ["original", "modified", "current"].map(|field| document(case, field));
            merge_patch::three_way(&original?, &modified?, &current?, &preconditions(case)).map_err(word)
        };
        let patch = merge();
        compare(&patch, &expected(case, "expected_patch", "error"))?;
        let Ok(patch) = patch else { return Ok(()) };
        let result = merge_patch::apply_as_kubernetes(&document(case, "current")?, &patch).map_err(word);
        compare(&result, &expected(case, "expected_result", "result_error"))
    });
}

#[test]
#[ignore = "needs GITOPS_REFERENCE"]
fn json_merge_patch() {
    run("json_merge_patch.json", |case| {
        let (original, patch) = (document(case, "original")?, document(case, "patch")?);
        compare(&Ok(merge_patch::apply(&original, &patch)), &Ok(case["expected"].clone()))?;
        let as_kubernetes = merge_patch::apply_as_kubernetes(&original, &patch);
        match case["kubernetes"]["error"].as_str() {
            Some(_) if as_kubernetes.is_err() => {}
            Some(error) => return Err(format!("expected the error {error}")),
            None => {
                let expected = case["kubernetes"].get("expected").unwrap_or(&case["expected"]);
                compare(&as_kubernetes.map_err(|error| error.to_string()), &Ok(expected.clone()))?;
            }
        }
        let Some(create) = case.get("create") else { return Ok(()) };
        let patch = merge_patch::create_as_kubernetes(&create["original"], &create["modified"]);
        compare(&patch.map_err(|error| error.to_string()), &Ok(create["expected_patch"].clone()))
    });
}
