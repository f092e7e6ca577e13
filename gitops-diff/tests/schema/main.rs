//! The schemas against what upstream says.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

mod comparison;
mod hostile;
#[path = "../../examples/conformance/schemas.rs"]
mod schemas;

use std::path::PathBuf;

use comparison::{Comparison, Facts};
use gitops_diff::TypeRef;
use gitops_diff::schema::{BuiltIn, Schema, TypeGraph};
use serde_json::{Value, json};

/// A file beside the reference vectors. Where the project is developed, they lie beside it.
fn reference(name: &str) -> String {
    let beside = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/reference"));
    let directory = std::env::var_os("GITOPS_REFERENCE").map_or_else(beside, PathBuf::from);
    let path = directory.join("../vectors/schema").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn parse(api_version_and_kind: &str) -> TypeRef<'_> {
    let (api, kind) = api_version_and_kind.rsplit_once('/').unwrap();
    let (group, version) = api.split_once('/').unwrap_or(("", api));
    TypeRef { group, version, kind }
}

#[test]
#[ignore = "needs GITOPS_REFERENCE"]
fn built_in_kinds_are_owned_as_upstream_says() {
    let theirs = schemas::merge_diff(&reference("schema_smd.yaml")).unwrap();
    let kinds: Value = serde_json::from_str(&reference("schema_smd_kinds.json")).unwrap();
    let facts = Facts { ownership: true, defaults: true, ..Facts::default() };
    let mut comparison = Comparison::new(facts);
    for (name, ty) in kinds["kinds"].as_object().unwrap() {
        let ours = BuiltIn.type_of(&parse(name)).unwrap_or_else(|| panic!("{name} is unknown"));
        comparison.compare(name, ours, theirs.get(ty.as_str().unwrap()).unwrap());
    }
    comparison.must_agree_but_for(&[]);
}

#[test]
#[ignore = "needs GITOPS_REFERENCE"]
fn built_in_kinds_are_patched_as_upstream_says() {
    let theirs = schemas::strategic(&reference("schema_smp_types.json")).unwrap();
    let kinds: Value = serde_json::from_str(&reference("schema_smp_types.json")).unwrap();
    let facts = Facts { strategy: true, ..Facts::default() };
    let mut comparison = Comparison::new(facts);
    for name in kinds["kinds"].as_object().unwrap().keys().filter(|name| !name.starts_with("smp.test/")) {
        let kind = parse(name);
        let ours = BuiltIn.type_of(&kind).unwrap_or_else(|| panic!("{name} is unknown"));
        comparison.compare(name, ours, theirs.type_of(&kind).unwrap());
    }
    // To Go's reflection it is a struct without fields; it is in an atomic list, where no patch comes.
    comparison.must_agree_but_for(&[".metadata.managedFields[].fieldsV1: shape"]);
}

#[test]
#[ignore = "needs GITOPS_REFERENCE"]
fn every_patch_strategy_is_where_upstream_has_it() {
    let strategies: Value = serde_json::from_str(&reference("schema_smp.json")).unwrap();
    let mut count = 0;
    for (name, paths) in strategies["kinds"].as_object().unwrap() {
        // A kind of upstream's tests is not built in.
        let Some(object) = BuiltIn.type_of(&parse(name)) else { continue };
        for (path, strategy) in paths.as_object().unwrap() {
            let mut ty = object;
            let mut patch = None;
            for step in path.replace("{}", ".{}").replace("[]", ".[]").split('.') {
                ty = match step {
                    "[]" => ty.list().unwrap().item(),
                    "{}" => ty.map().unwrap().element().unwrap(),
                    _ => {
                        let field = ty.map().unwrap().field(step).unwrap();
                        patch = Some(field.patch());
                        field.ty()
                    }
                };
            }
            let patch = patch.unwrap();
            let has = |word: &str| {
                strategy["strategy"].as_str().is_some_and(|all| all.split(',').any(|s| s == word))
            };
            assert_eq!(patch.merge_key.as_deref(), strategy["key"].as_str(), "{name} {path}");
            assert_eq!(
                (patch.merge, patch.replace, patch.retain_keys),
                (has("merge"), has("replace"), has("retainKeys")),
                "{name} {path}"
            );
            count += 1;
        }
    }
    println!("{count} strategies");
    assert!(count > 500);
}

const GADGET: TypeRef<'_> = TypeRef { group: "example.com", version: "v1", kind: "Gadget" };

#[test]
#[ignore = "needs GITOPS_REFERENCE"]
fn openapi_is_read_as_upstream_reads_it() {
    let theirs = schemas::merge_diff(&reference("schema_custom_smd.yaml")).unwrap();
    let document: Value = serde_json::from_str(&reference("schema_custom_openapi.json")).unwrap();
    let ours = TypeGraph::from_openapi([&document]).unwrap();
    let mut comparison = Comparison::new(Facts { ownership: true, defaults: true, ..Facts::default() });
    comparison.compare(
        "Gadget",
        ours.type_of(&GADGET).unwrap(),
        theirs.get("com.example.v1.Gadget").unwrap(),
    );
    comparison.must_agree_but_for(&[]);
}

/// A definition of `Gadget` with the schemas of the document in place of the references to them.
fn definition(document: &Value) -> Value {
    fn inline(value: &Value, document: &Value) -> Value {
        if let Some(reference) = value["$ref"].as_str().or_else(|| value["allOf"][0]["$ref"].as_str()) {
            let mut target = inline(document.pointer(&reference[1..]).unwrap(), document);
            let beside =
                value.as_object().unwrap().iter().filter(|(name, _)| !["$ref", "allOf"].contains(&&***name));
            target.as_object_mut().unwrap().extend(beside.map(|(name, value)| (name.clone(), value.clone())));
            return target;
        }
        match value {
            Value::Array(items) => items.iter().map(|item| inline(item, document)).collect(),
            Value::Object(map) => {
                map.iter().map(|(name, value)| (name.clone(), inline(value, document))).collect()
            }
            scalar => scalar.clone(),
        }
    }
    let mut schema = document.pointer("/components/schemas/com.example.v1.Gadget").unwrap().clone();
    schema["properties"].as_object_mut().unwrap().remove("metadata");
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "gadgets.example.com"},
        "spec": {
            "group": "example.com",
            "names": {"kind": "Gadget", "plural": "gadgets"},
            "scope": "Namespaced",
            "versions": [{
                "name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": inline(&schema, document)},
            }],
        },
    })
}

#[test]
#[ignore = "needs GITOPS_REFERENCE"]
fn a_definition_is_read_as_the_document_made_of_it() {
    let document: Value = serde_json::from_str(&reference("schema_custom_openapi.json")).unwrap();
    let theirs = TypeGraph::from_openapi([&document]).unwrap();
    let definition = definition(&document);
    let ours = TypeGraph::from_crds([&definition]).unwrap();
    let mut comparison = Comparison::new(Facts::all());
    comparison.compare("Gadget", ours.type_of(&GADGET).unwrap(), theirs.type_of(&GADGET).unwrap());
    comparison.must_agree_but_for(&[]);
}

fn documents_of_the_module() -> PathBuf {
    let output = std::process::Command::new("go")
        .args(["list", "-m", "-f", "{{.Dir}}", "k8s.io/kubernetes"])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../hack/schema"))
        .output()
        .expect("KUBERNETES_OPENAPI names a directory, or there is Go to fetch one");
    PathBuf::from(String::from_utf8(output.stdout).unwrap().trim()).join("api/openapi-spec/v3")
}

/// The documents of `api/openapi-spec/v3` in the Go module `k8s.io/kubernetes`, of the version that the built-in table is
/// made from.
#[test]
#[ignore = "needs KUBERNETES_OPENAPI, the directory of the documents, or Go"]
fn an_api_server_serves_what_is_built_in() {
    let directory =
        std::env::var_os("KUBERNETES_OPENAPI").map_or_else(documents_of_the_module, PathBuf::from);
    let mut files: Vec<_> =
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let documents: Vec<Value> =
        files.iter().map(|file| serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()).collect();
    let theirs = TypeGraph::from_openapi(&documents).unwrap();
    let mut comparison = Comparison::new(Facts::all());
    let mut kinds = 0;
    for (kind, ty) in theirs.kinds() {
        let has_metadata =
            ty.child_or_deduced("metadata").map().is_some_and(|map| map.field("uid").is_some());
        if has_metadata {
            let name = format!("{}/{}/{}", kind.group, kind.version, kind.kind);
            let ours = BuiltIn.type_of(&kind).unwrap_or_else(|| panic!("{name} is unknown"));
            comparison.compare(&name, ours, ty);
            kinds += 1;
        }
    }
    println!("{} documents, {kinds} kinds", documents.len());
    comparison.must_agree_but_for(&[]);
}
