//! Whatever comes in, nothing panics, and nothing comes out that is much larger than what went in.

#![allow(clippy::expect_used, reason = "it is a test")]

use gitops_diff::merge_patch;
use gitops_diff::patch::{self, JsonPatch};
use gitops_diff::schema::{BuiltIn, Deduced, Schema, Type, UnknownFields};
use gitops_diff::strategic::{self, StrategicOptions};
use gitops_diff::{
    FieldPath, FieldSet, ManagedFields, Quantity, TypeRef, WriteOptions, apply, typed, update,
};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

const DEPLOYMENT: TypeRef<'_> = TypeRef { group: "apps", version: "v1", kind: "Deployment" };

/// Names that mean something to one of the merges, in places where they may not belong.
const NAMES: [&str; 18] = [
    "metadata",
    "spec",
    "template",
    "containers",
    "ports",
    "name",
    "containerPort",
    "protocol",
    "finalizers",
    "strategy",
    "$patch",
    "$retainKeys",
    "$setElementOrder/containers",
    "$setElementOrder/finalizers",
    "$deleteFromPrimitiveList/finalizers",
    "$setElementOrder",
    "managedFields",
    "",
];

fn tree() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (0_u8..3).prop_map(Value::from),
        proptest::sample::select(vec!["replace", "delete", "merge", "web", "a", ""]).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 60, 6, |inner| {
        let name = prop_oneof![9 => proptest::sample::select(&NAMES[..]).prop_map(str::to_owned), 1 => any::<String>()];
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            vec((name, inner), 0..6).prop_map(|entries| entries.into_iter().collect::<Map<_, _>>().into()),
        ]
    })
}

/// An object with managed fields that may be anything.
fn object() -> impl Strategy<Value = Value> {
    (tree(), tree(), tree(), vec(entry(), 0..4), any::<bool>()).prop_map(|(meta, spec, status, entries, valid)| {
        let mut metadata = meta.as_object().cloned().unwrap_or_default();
        if valid {
            metadata.insert("managedFields".to_owned(), json!(entries));
        }
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec, "status": status})
    })
}

fn entry() -> impl Strategy<Value = Value> {
    let element = prop_oneof![
        proptest::sample::select(vec![
            ".",
            "f:spec",
            "f:template",
            "k:{\"name\":\"a\"}",
            "v:1",
            "i:0",
            "k:{",
            "v:",
            "i:x",
            "f:"
        ])
        .prop_map(str::to_owned),
        any::<String>(),
    ];
    let fields = Just(json!({})).prop_recursive(5, 20, 4, move |inner| {
        vec((element.clone(), inner), 0..4)
            .prop_map(|entries| entries.into_iter().collect::<Map<_, _>>().into())
    });
    let text = |words: &'static [&'static str]| proptest::sample::select(words);
    (text(&["Apply", "Update", ""]), text(&["a", "b"]), text(&["apps/v1", "v0", ""]), fields).prop_map(
        |(operation, manager, version, fields)| {
            json!({"operation": operation, "manager": manager, "apiVersion": version,
                   "fieldsType": "FieldsV1", "fieldsV1": fields})
        },
    )
}

/// How many values and bytes of text there are.
fn size(value: &Value) -> usize {
    1 + match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(size).sum(),
        Value::Object(map) => map.iter().map(|(name, value)| name.len() + size(value)).sum(),
        _ => 0,
    }
}

fn deployment() -> Type<'static> {
    BuiltIn.type_of(&DEPLOYMENT).expect("Deployments are known")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn merge_patches(document in tree(), patch in tree(), other in tree()) {
        let room = size(&document) + size(&patch);
        prop_assert!(size(&merge_patch::apply(&document, &patch)) <= room);
        if let Ok(merged) = merge_patch::apply_as_kubernetes(&document, &patch) {
            prop_assert!(size(&merged) <= room);
        }
        let made = merge_patch::create(&document, &patch);
        prop_assert!(size(&made) <= room + 1);
        let _ = merge_patch::create_as_kubernetes(&document, &patch);
        let name: FieldPath = ".metadata.name".parse().expect("a path");
        let _ = merge_patch::three_way(&document, &patch, &other, &[name]);
    }

    #[test]
    fn strategic_merge_patches(document in object(), patch in object(), other in object(), refuse in any::<bool>()) {
        let unknown = if refuse { UnknownFields::Refuse } else { UnknownFields::Deduce };
        for (clean, overwrite) in [(false, true), (true, false)] {
            let options = StrategicOptions::default()
                .with_unknown_fields(unknown)
                .with_clean(clean)
                .with_overwrite(overwrite);
            if let Ok(merged) = strategic::apply(&document, &patch, deployment(), &options) {
                prop_assert!(size(&merged) <= size(&document) + size(&patch));
            }
            if let Ok(made) = strategic::create(&document, &patch, deployment(), &options) {
                // Lists are named again in the orders of their items, and what goes is named by its key.
                prop_assert!(size(&made) <= 4 * (size(&document) + size(&patch)) + 100);
            }
            let _ = strategic::three_way(&document, &patch, &other, deployment(), &options);
        }
    }

    #[test]
    fn json_patches(document in tree(), operations in vec(operation(), 0..8)) {
        let Ok(patch) = serde_json::from_value::<JsonPatch>(json!(operations)) else { return Ok(()) };
        let mut changed = document.clone();
        let applied = patch::apply(&patch, &mut changed);
        prop_assert!(applied.is_ok() || changed == document);
        // What is copied is limited, and weighed in another way there.
        prop_assert!(size(&changed) <= size(&document) + size(&json!(operations)) + (4 << 20));
    }

    #[test]
    fn writes(live in object(), object in object(), force in any::<bool>(), clean in any::<bool>()) {
        let options = WriteOptions::new("a").with_force(force).with_clean(clean);
        for schema in [&BuiltIn as &dyn Schema, &Deduced] {
            let mut applied = object.clone();
            if let Some(metadata) = applied["metadata"].as_object_mut() {
                metadata.remove("managedFields");
            }
            if let Ok(written) = apply(Some(&live), &applied, schema, &options) {
                prop_assert!(size(&written.object) <= 8 * (size(&live) + size(&applied)) + 1_000);
            }
            let _ = update(Some(&live), &object, schema, &options);
        }
    }

    #[test]
    fn typed_operations(lhs in object(), rhs in object()) {
        for ty in [deployment(), Type::deduced()] {
            let _ = typed::compare(&lhs, &rhs, ty);
            if let Ok(merged) = typed::merge(&lhs, &rhs, ty) {
                prop_assert!(size(&merged) <= size(&lhs) + size(&rhs));
            }
            let stated = typed::field_set(&rhs, ty);
            prop_assert!(size(&typed::remove(&lhs, &stated, ty)) <= size(&lhs));
            // Items come with their keys, those of the schema's defaults too.
            prop_assert!(size(&typed::extract(&lhs, &stated.leaves(), ty, true)) <= size(&lhs));
        }
    }

    /// What is read from bytes that were managed fields before somebody damaged them.
    #[test]
    fn managed_fields_from_bytes(
        entries in vec(entry(), 0..4),
        damage in vec((any::<proptest::sample::Index>(), any::<u8>()), 0..6),
        noise in vec(any::<u8>(), 0..200),
    ) {
        let mut text = json!({"metadata": {"managedFields": entries}}).to_string().into_bytes();
        for (at, byte) in damage {
            let at = at.index(text.len());
            text[at] = byte;
        }
        for bytes in [text, noise] {
            let Ok(value) = serde_json::from_slice::<Value>(&bytes) else { continue };
            if let Ok(managed) = ManagedFields::of(&value) {
                prop_assert!(size(&managed.to_value()) <= 4 * size(&value) + 100);
            }
            if let Ok(fields) = FieldSet::from_fields_v1(&value) {
                prop_assert_eq!(FieldSet::from_fields_v1(&fields.to_fields_v1()), Ok(fields));
            }
        }
    }

    #[test]
    fn quantities_from_bytes(bytes in vec(any::<u8>(), 0..40), near in "[+-]?[0-9.]{0,30}([eE][+-]?[0-9]{0,12}|[numkKMGTPE]?i?)") {
        for text in [String::from_utf8_lossy(&bytes).into_owned(), near] {
            let Ok(quantity) = text.parse::<Quantity>() else { continue };
            for quantity in [quantity.stored(), quantity.stored_as_resource(), quantity] {
                let written = quantity.to_string();
                prop_assert!(written.len() <= text.len() + 100, "{text} is written {written}");
            }
        }
    }
}

fn operation() -> impl Strategy<Value = Value> {
    let pointer = || "(/(a|b|spec|metadata|0|1|-|~0|~1)){0,4}";
    let op = proptest::sample::select(vec!["add", "remove", "replace", "move", "copy", "test"]);
    (op, pointer(), pointer(), tree())
        .prop_map(|(op, path, from, value)| json!({"op": op, "path": path, "from": from, "value": value}))
}

#[test]
fn an_exponent_takes_no_room() {
    for text in
        ["1e999999999", "1e-999999999", "-9E", "0.0000000000000000000000000001", "9223372036854775807Ei"]
    {
        if let Ok(quantity) = text.parse::<Quantity>() {
            assert!(quantity.to_string().len() < 200, "{text}");
        }
    }
}
