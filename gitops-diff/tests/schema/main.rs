//! The schemas against what upstream says.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, missing_docs)]

mod comparison;
#[path = "../../examples/conformance/schemas.rs"]
mod schemas;

use std::path::PathBuf;

use comparison::{Comparison, Facts};
use gitops_diff::TypeRef;
use gitops_diff::schema::{BuiltIn, Schema};
use serde_json::Value;

/// A file beside the reference vectors.
fn reference(name: &str) -> String {
    let directory =
        std::env::var_os("GITOPS_REFERENCE").expect("GITOPS_REFERENCE names the reference directory");
    let path = PathBuf::from(directory).join("../vectors/schema").join(name);
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
    let facts = Facts { ownership: true, strategy: false, defaults: true, formats: false };
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
    let facts = Facts { ownership: false, strategy: true, defaults: false, formats: false };
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
