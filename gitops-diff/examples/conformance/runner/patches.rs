//! Merge patches and three-way merges.

use gitops_diff::schema::Type;
use gitops_diff::strategic::TypeSource;
use gitops_diff::{FieldPath, TypeRef};
use serde_json::{Map, Value};

use super::Folder;
use super::compare::{as_go_writes, equal_in_go, expect};
use super::engines::{self, Failure, Merged, ThreeWay};
use super::vectors::{Case, Document, document};

/// RFC 7386, and what Kubernetes does otherwise.
pub(crate) fn json_merge_patch(case: &Case) -> Result<(), String> {
    let original = plain(case.document("original")).map_err(|f| f.message)?;
    let patch = plain(case.document("patch")).map_err(|f| f.message)?;
    if let Some(expected) = case.get("expected") {
        expect("the merge", Some(expected), Some(&engines::json_merge(&original, &patch)))?;
    }
    // Only where it differs is it said what Kubernetes does.
    let merged = engines::kubernetes_json_merge(&original, &patch);
    match case.get("kubernetes") {
        Some(theirs) if theirs.get("error").is_some() => {
            if let Ok(merged) = merged {
                return Err(format!("Kubernetes refuses this, and we make {merged} of it"));
            }
        }
        Some(theirs) => outcome("the merge of Kubernetes", theirs, "expected", merged)?,
        None if original.is_object() => {
            outcome("the merge of Kubernetes", &json_of(case), "expected", merged)?;
        }
        None => {}
    }
    let Some(create) = case.get("create").and_then(Value::as_object) else { return Ok(()) };
    let original = plain(document(create, "original")).map_err(|f| f.message)?;
    let modified = plain(document(create, "modified")).map_err(|f| f.message)?;
    let made = engines::create_json_merge(&original, &modified);
    outcome("the patch", &Value::Object(create.clone()), "expected_patch", made)
}

/// Kubernetes' strategic merge patch.
pub(crate) fn strategic_merge(case: &Case, folder: &Folder) -> Result<(), String> {
    let run = |source| {
        let ty = kind(case, folder)?;
        let (original, patch) = (object(case.document("original"))?, object(case.document("patch"))?);
        engines::strategic_merge(ty, source, &original, &patch)
    };
    let expected = json_of(case);
    outcome("the merge", &expected, "expected", run(TypeSource::GoTypes))?;
    if case.text("source") == Some("go") {
        return Ok(());
    }
    let by_openapi = case.get("openapi_v3").unwrap_or(&expected);
    outcome("the merge by OpenAPI", by_openapi, "expected", run(TypeSource::OpenApi))
}

/// Making a strategic merge patch.
pub(crate) fn two_way(case: &Case, folder: &Folder) -> Result<(), String> {
    let run = || {
        let ty = kind(case, folder)?;
        let (original, modified) = (object(case.document("original"))?, object(case.document("modified"))?);
        let patch = engines::two_way(ty, &original, &modified)?;
        let merged = engines::strategic_merge(ty, TypeSource::GoTypes, &original, &as_go_writes(&patch));
        let round_trips = merged.is_ok_and(|merged| equal_in_go(&as_go_writes(&merged), &modified));
        Ok((patch, round_trips))
    };
    let made = run();
    let round_trips = made.as_ref().ok().map(|made| Value::Bool(made.1));
    outcome("the patch", &json_of(case), "expected_patch", made.map(|made| made.0))?;
    expect("round_trips", case.get("round_trips"), round_trips.as_ref())
}

/// The three-way strategic merge.
pub(crate) fn three_way(case: &Case, folder: &Folder) -> Result<(), String> {
    let run = || {
        let ty = kind(case, folder)?;
        with_input(case, object, |input| engines::three_way(ty, input))
    };
    merged(case, run())
}

/// The three-way JSON merge, as kubectl does it for custom kinds.
pub(crate) fn three_way_json(case: &Case) -> Result<(), String> {
    merged(case, with_input(case, plain_or_empty, engines::three_way_json))
}

fn with_input(
    case: &Case,
    read: fn(Document<'_>) -> Result<Value, Failure>,
    run: impl FnOnce(&ThreeWay) -> Result<Merged, Failure>,
) -> Result<Merged, Failure> {
    run(&ThreeWay {
        original: read(case.document("original"))?,
        modified: read(case.document("modified"))?,
        current: read(case.document("current"))?,
        overwrite: case.flag("overwrite"),
        preconditions: preconditions(case)?,
    })
}

/// The fields that must not change.
fn preconditions(case: &Case) -> Result<Vec<FieldPath>, Failure> {
    let paths = case.get("preconditions").and_then(Value::as_array).into_iter().flatten();
    let read = |path: &Value| {
        let read: Result<FieldPath, _> = format!(".{}", path.as_str().unwrap_or_default()).parse();
        read.map_err(|error| Failure { class: "preconditions", message: error.to_string() })
    };
    paths.map(read).collect()
}

fn merged(case: &Case, result: Result<Merged, Failure>) -> Result<(), String> {
    let expected = json_of(case);
    let (patch, result) = match result {
        Ok(Merged { patch, result }) => (Ok(patch), Some(result)),
        Err(failure) => (Err(failure), None),
    };
    outcome("the patch", &expected, "expected_patch", patch)?;
    match (result, case.get("result_error")) {
        (Some(result), None) => outcome("the result", &expected, "expected_result", result),
        (Some(result), Some(error)) => refused("the result", error, result),
        (None, _) => Ok(()),
    }
}

/// Compares with what a case expects: a document, or an error of a class.
pub(crate) fn outcome(
    what: &str,
    expected: &Value,
    field: &str,
    got: Result<Value, Failure>,
) -> Result<(), String> {
    match expected.get("error") {
        Some(error) => refused(what, error, got),
        None => match got {
            Ok(got) => {
                let fields = expected.as_object().cloned().unwrap_or_default();
                let Document::Is(expected) = document(&fields, field) else {
                    return Err(format!("the case does not say what is expected of {what}"));
                };
                expect(what, Some(&expected), Some(&got))
            }
            Err(failure) => Err(format!("{what}: {} ({})", failure.message, failure.class)),
        },
    }
}

/// Compares with an expected error.
pub(crate) fn refused(what: &str, error: &Value, got: Result<Value, Failure>) -> Result<(), String> {
    let class = error["class"].as_str().unwrap_or_default();
    match got {
        Ok(got) => Err(format!("{what} is {got}, expected the error {error}")),
        Err(failure) if failure.class == class || class == "panic" => Ok(()),
        Err(failure) => {
            Err(format!("{what}: {} ({}), expected the error {error}", failure.message, failure.class))
        }
    }
}

pub(crate) fn json_of(case: &Case) -> Value {
    Value::Object(case.fields.clone())
}

fn kind<'f>(case: &Case, folder: &'f Folder) -> Result<Type<'f>, Failure> {
    let kind = case.get("kind").map(TypeRef::of).unwrap_or_default();
    let found = folder.strategic(&kind).map_err(|message| Failure { class: "schema file", message })?;
    found.ok_or_else(|| Failure { class: "unregistered_kind", message: format!("no kind {kind:?}") })
}

/// A document that must be an object, as Go's maps are: `null` is an empty one.
fn object(document: Document<'_>) -> Result<Value, Failure> {
    let bad = |message: &str| Failure { class: "bad_json", message: message.to_owned() };
    match document {
        Document::Nothing => Ok(Value::Object(Map::new())),
        Document::Bad => Err(bad("this is no JSON")),
        Document::Is(value) => match value.into_owned() {
            Value::Null => Ok(Value::Object(Map::new())),
            value @ Value::Object(_) => Ok(value),
            _ => Err(bad("this is no object")),
        },
    }
}

fn plain_or_empty(document: Document<'_>) -> Result<Value, Failure> {
    match document {
        Document::Nothing => Ok(Value::Object(Map::new())),
        document => plain(document),
    }
}

fn plain(document: Document<'_>) -> Result<Value, Failure> {
    match document {
        Document::Is(value) => Ok(value.into_owned()),
        Document::Nothing => Err(Failure { class: "bad_json", message: "there is no document".to_owned() }),
        Document::Bad => Err(Failure { class: "bad_json", message: "this is no JSON".to_owned() }),
    }
}
