//! The cases of Argo CD's comparison: modified, or not. They are no part of this project: `GITOPS_REFERENCE` names the
//! directory that holds them, as `argo-diff/`.
//!
//! `GITOPS_REFERENCE=… cargo test -p gitops-diff --all-features --test argo -- --ignored`
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

use std::path::PathBuf;

use gitops_diff::schema::{BuiltIn, FieldSpec, Format, MapSpec, Scalar, Schema, Type, TypeGraph, TypeSpec};
use gitops_diff::{
    Applier, DiffOptions, Difference, FieldPath, IgnoreRule, IgnoreRules, Redaction, SERVER_METADATA,
    TypeRef, Verdict, compare, diff, judge,
};
use serde_json::Value;

/// What differs from Argo CD: nothing.
const EXCEPTIONS: [&str; 0] = [];

#[test]
#[ignore = "needs the reference cases"]
fn the_cases_of_argo_cd() {
    let cases = Cases::open();
    let mut unlisted = Vec::new();
    let mut passed = 0;
    for case in &cases.all {
        let name = case["name"].as_str().unwrap();
        let outcome = cases.run(case);
        match (outcome, EXCEPTIONS.contains(&name)) {
            (Ok(()), false) => passed += 1,
            (Ok(()), true) => unlisted.push(format!("{name}: passes, and is listed as an exception")),
            (Err(problem), false) => unlisted.push(format!("{name}: {problem}")),
            (Err(_), true) => {}
        }
    }
    assert!(unlisted.is_empty(), "{passed} passed; {} did not:\n{}", unlisted.len(), unlisted.join("\n"));
    assert_eq!((passed, cases.all.len()), (76 - EXCEPTIONS.len(), 76));
}

struct Cases {
    directory: PathBuf,
    all: Vec<Value>,
}

impl Cases {
    fn open() -> Self {
        // Where the project is developed, they lie beside it.
        let beside = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/reference"));
        let reference = std::env::var_os("GITOPS_REFERENCE").map_or_else(beside, PathBuf::from);
        let directory = reference.join("argo-diff");
        let text = std::fs::read_to_string(directory.join("argo_diff_cases.json")).unwrap();
        Self { directory: directory.join("testdata"), all: serde_json::from_str(&text).unwrap() }
    }

    fn object(&self, file: &Value) -> Value {
        let Some(file) = file.as_str() else { return Value::Null };
        let text = std::fs::read_to_string(self.directory.join(file)).unwrap();
        if PathBuf::from(file).extension().is_some_and(|extension| extension == "json") {
            serde_json::from_str(&text).unwrap()
        } else {
            serde_saphyr::from_str(&text).unwrap()
        }
    }

    fn run(&self, case: &Value) -> Result<(), String> {
        let mode = case["mode"].as_str().unwrap();
        let (config, live) = (self.object(&case["config"]), self.object(&case["live"]));
        match mode {
            "legacy" | "legacy+ignoreDifferences" | "structured_merge" => modified(case, &config, &live),
            "server_side" => answered(case, &live, &self.object(&case["dry_run_predicted"])),
            "known_types_normalize" | "remarshal" => respelt(case, &config),
            "managedfields_normalize" => left_alone(case, &config, &live),
            "hide_secret" => masked(case),
            other => Err(format!("mode {other}")),
        }
    }
}

/// Argo's options as ours.
fn options(options: &Value) -> DiffOptions {
    let texts = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    let mut rules = Vec::new();
    let mut rule = IgnoreRule::default();
    for pointer in texts(&options["ignore_json_pointers"]) {
        rule = rule.with_pointer(pointer.parse().unwrap());
    }
    rules.push(rule);
    for ignore in options["ignoreDifferences"].as_array().into_iter().flatten() {
        let text = |field: &str| ignore[field].as_str().unwrap();
        let mut rule = IgnoreRule::default().with_kind(text("group"), text("kind"));
        for pointer in texts(&ignore["jsonPointers"]) {
            rule = rule.with_pointer(pointer.parse().unwrap());
        }
        for expression in texts(&ignore["jqPathExpressions"]) {
            rule = rule.with_jq(expression.parse().unwrap());
        }
        for manager in texts(&ignore["managedFieldsManagers"]) {
            rule = rule.with_manager(manager);
        }
        rules.push(rule);
    }
    let aggregated = options["ignoreAggregatedRoles"] == false;
    DiffOptions::default().with_rules(IgnoreRules::new(rules)).with_aggregated_rules(aggregated)
}

fn modified(case: &Value, config: &Value, live: &Value) -> Result<(), String> {
    let expected = case["expected"]["modified"].as_bool().unwrap();
    let options = options(&case["options"]);
    let found = match case["options"]["manager"].as_str() {
        // Without managedFields Argo goes by kubectl's annotation.
        None => compare(config, live, &BuiltIn, &options.with_last_applied(true)),
        Some(manager) => match judge(config, live, Applier::new(manager), &BuiltIn, &options) {
            Verdict::Differs(found) | Verdict::Overruled(found) => found,
            Verdict::InSync | Verdict::Unsure => Vec::new(),
        },
    };
    agrees(&found, expected)
}

/// Argo compares the answer of a dry run with the live object; so do we, where nothing else can tell.
fn answered(case: &Value, live: &Value, answer: &Value) -> Result<(), String> {
    let mut options = options(&case["options"]);
    for field in SERVER_METADATA {
        options = options.with_ignored(FieldPath::of_fields(["metadata", field]));
    }
    let annotation = "kubectl.kubernetes.io/last-applied-configuration";
    options = options.with_ignored(FieldPath::of_fields(["metadata", "annotations", annotation]));
    agrees(&diff(live, answer, &BuiltIn, &options), case["expected"]["modified"].as_bool().unwrap())
}

fn agrees(found: &[Difference], expected: bool) -> Result<(), String> {
    if found.is_empty() != expected {
        return Ok(());
    }
    let lines: Vec<_> = found.iter().map(|d| format!("    {d}")).collect();
    Err(format!("modified: {}, expected {expected}\n{}", !expected, lines.join("\n")))
}

/// What Argo normalises away is no difference here.
fn respelt(case: &Value, config: &Value) -> Result<(), String> {
    let mut config = config.clone();
    for (pointer, value) in case["options"]["set"].as_object().into_iter().flatten() {
        *config.pointer_mut(pointer).unwrap() = value.clone();
    }
    let mut live = config.clone();
    for assert in case["expected"]["asserts"].as_array().unwrap() {
        let path = FieldPath::from_json_pointer(assert["path"].as_str().unwrap()).unwrap();
        match assert["op"].as_str().unwrap() {
            "eq" => drop(path.set(&mut live, assert["value"].clone())),
            "absent" => drop(path.remove(&mut live)),
            // That the server adds it is not asserted, and would be no difference.
            _ => {}
        }
    }
    let field = case["options"]["field"].as_str().unwrap_or_default();
    let typed = Typed::new(&config, field, case["options"]["type"].as_str().unwrap_or_default());
    let schema: &dyn Schema = typed.as_ref().map_or(&BuiltIn, |typed| typed);
    let (config, live) = match case["options"]["type"].as_str() {
        // Argo is told that a field of a custom kind is the specification of a pod: it is compared as one.
        Some("core/v1/PodSpec") => (as_pod(&config), as_pod(&live)),
        _ => (config, live),
    };
    let found = compare(&config, &live, schema, &DiffOptions::default());
    if found.is_empty() { Ok(()) } else { Err(format!("{found:?}")) }
}

fn as_pod(object: &Value) -> Value {
    serde_json::json!({"apiVersion": "v1", "kind": "Pod", "spec": object["spec"]["template"]["spec"]})
}

/// A custom kind of which Argo is told that a field has a known type: here a schema says so.
#[derive(Debug)]
struct Typed(TypeGraph);

impl Schema for Typed {
    fn type_of(&self, kind: &TypeRef<'_>) -> Option<Type<'_>> {
        self.0.type_of(kind)
    }
}

impl Typed {
    fn new(object: &Value, field: &str, ty: &str) -> Option<Self> {
        let format = match ty {
            "core/Quantity" => Format::Quantity,
            "meta/v1/Duration" => Format::Duration,
            _ => return None,
        };
        let mut builder = TypeGraph::builder();
        let mut id = builder.add(TypeSpec::formatted(Scalar::Untyped, format));
        for name in field.rsplit('.') {
            id = builder
                .add(TypeSpec::map(MapSpec { fields: vec![FieldSpec::new(name, id)], ..MapSpec::default() }));
        }
        builder.kind(&TypeRef::of(object), id);
        Some(Self(builder.build().unwrap()))
    }
}

fn left_alone(case: &Value, config: &Value, live: &Value) -> Result<(), String> {
    let mut rule = IgnoreRule::default();
    for manager in case["options"]["trusted"].as_array().unwrap() {
        rule = rule.with_manager(manager.as_str().unwrap());
    }
    let rules = IgnoreRules::new([rule]);
    for assert in case["expected"]["asserts"].as_array().unwrap() {
        let object = if assert["on"] == "config" { config } else { live };
        let stripped = rules.strip(object, Some(live), &BuiltIn).unwrap_or_else(|| object.clone());
        let value = stripped.pointer(assert["path"].as_str().unwrap());
        let holds = match assert["op"].as_str().unwrap() {
            "absent" => value.is_none(),
            "eq" => value == Some(&assert["value"]),
            "len" => {
                value.and_then(Value::as_array).map(Vec::len)
                    == assert["value"].as_u64().and_then(|n| n.try_into().ok())
            }
            other => return Err(format!("op {other}")),
        };
        if !holds {
            return Err(format!("{assert}: {value:?}"));
        }
    }
    Ok(())
}

/// Masks are other texts than Argo's; they must be equal where Argo's are.
fn masked(case: &Value) -> Result<(), String> {
    let secret = |data: &Value| serde_json::json!({"apiVersion": "v1", "kind": "Secret", "stringData": data});
    let (target, live) =
        Redaction::default().redact_pair(&secret(&case["target_data"]), &secret(&case["live_data"]));
    for (key, mask) in case["expected"]["target_data"].as_object().unwrap() {
        let ours = [&target, &live].map(|side| side.as_value()["stringData"].get(key));
        let other = case["expected"]["live_data"].get(key);
        if other.is_some_and(|other| (other == mask) != (ours[0] == ours[1])) {
            return Err(format!("{key}: {ours:?}"));
        }
        if ours[0] == case["target_data"].get(key) {
            return Err(format!("{key} is not masked"));
        }
    }
    Ok(())
}
