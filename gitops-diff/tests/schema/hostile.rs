//! Whatever a document says, reading it ends, and ends with a graph or an error that has a place.

use gitops_diff::TypeRef;
use gitops_diff::schema::{Schema, SchemaProblem, TypeGraph};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

const GADGET: TypeRef<'_> = TypeRef { group: "example.com", version: "v1", kind: "Gadget" };

fn document(schemas: &Value) -> Value {
    json!({"components": {"schemas": schemas}})
}

fn definition(schema: &Value) -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "gadgets.example.com"},
        "spec": {
            "group": "example.com",
            "names": {"kind": "Gadget"},
            "versions": [{"name": "v1", "schema": {"openAPIV3Schema": schema}}],
        },
    })
}

#[test]
fn errors_have_a_place() {
    let gadget =
        |property: Value| document(&json!({"a/b": {"type": "object", "properties": {"c": property}}}));
    let list = |extension: &str, value: Value| {
        gadget(json!({"type": "array", "items": {"type": "string"}, extension: value}))
    };
    let name = |text: &str| text.to_owned();
    for (document, problem) in [
        (gadget(json!({"type": "text"})), SchemaProblem::UnknownType(name("text"))),
        (gadget(json!({"type": 1})), SchemaProblem::Not("a text")),
        (gadget(json!([])), SchemaProblem::Not("an object")),
        (gadget(json!({"nullable": "yes"})), SchemaProblem::Not("a boolean")),
        (gadget(json!({"type": "array"})), SchemaProblem::NoItems),
        (list("x-kubernetes-list-type", json!("map")), SchemaProblem::NoMapKeys),
        (list("x-kubernetes-list-type", json!("bag")), SchemaProblem::UnknownListType(name("bag"))),
        (list("x-kubernetes-patch-strategy", json!("x")), SchemaProblem::UnknownPatchStrategy(name("x"))),
        (
            gadget(json!({"type": "object", "x-kubernetes-map-type": "x"})),
            SchemaProblem::UnknownMapType(name("x")),
        ),
        (gadget(json!({"$ref": "#/x/y"})), SchemaProblem::DanglingReference(name("#/x/y"))),
    ] {
        let error = TypeGraph::from_openapi([&document]).unwrap_err();
        assert_eq!(*error.problem(), problem);
        assert!(error.place().starts_with("/components/schemas/a~1b/properties/c"), "{error}");
    }
    let error = TypeGraph::from_crds([&definition(&json!({"type": "array"}))]).unwrap_err();
    let place = "/gadgets.example.com/spec/versions/0/schema/openAPIV3Schema";
    assert_eq!(error.to_string(), format!("{place}: an array needs `items`"));
}

#[test]
fn references_may_lead_in_a_circle() {
    let reference = |name: &str| json!({"$ref": format!("#/components/schemas/{name}")});
    // Through fields it is how recursive types are written.
    let list = document(&json!({
        "List": {
            "type": "object",
            "properties": {"next": reference("List"), "alias": reference("Alias")},
            "x-kubernetes-group-version-kind": [{"group": "example.com", "version": "v1", "kind": "Gadget"}],
        },
        "Alias": reference("List"),
    }));
    let graph = TypeGraph::from_openapi([&list]).unwrap();
    let gadget = graph.type_of(&GADGET).unwrap();
    assert_eq!(gadget.child_or_deduced("next"), gadget);
    assert_eq!(gadget.child_or_deduced("alias"), gadget);
    // Without a type in between it says nothing.
    let circle = document(&json!({"A": reference("B"), "B": reference("A")}));
    let error = TypeGraph::from_openapi([&circle]).unwrap_err();
    assert_eq!(*error.problem(), SchemaProblem::ReferenceCycle);
}

#[test]
fn nesting_has_an_end() {
    let mut schema = json!({"type": "string"});
    for _ in 0..1000 {
        schema = json!({"type": "array", "items": schema});
    }
    for error in [
        TypeGraph::from_crds([&definition(&schema)]).unwrap_err(),
        TypeGraph::from_openapi([&document(&json!({"Gadget": schema}))]).unwrap_err(),
    ] {
        assert_eq!(*error.problem(), SchemaProblem::TooDeep);
    }
}

/// JSON that often is a schema.
fn schemas() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        prop::sample::select(vec![
            "object",
            "array",
            "string",
            "integer",
            "boolean",
            "atomic",
            "set",
            "map",
            "granular",
            "merge",
            "retainKeys,replace",
            "int-or-string",
            "date-time",
            "byte",
            "#/components/schemas/A",
            "#/components/schemas/B",
            "a",
            "",
        ])
        .prop_map(Value::from),
    ];
    let key = prop::sample::select(vec![
        "type",
        "format",
        "properties",
        "items",
        "additionalProperties",
        "$ref",
        "allOf",
        "default",
        "nullable",
        "pattern",
        "x-kubernetes-list-type",
        "x-kubernetes-list-map-keys",
        "x-kubernetes-map-type",
        "x-kubernetes-preserve-unknown-fields",
        "x-kubernetes-int-or-string",
        "x-kubernetes-embedded-resource",
        "x-kubernetes-patch-strategy",
        "x-kubernetes-patch-merge-key",
        "x-kubernetes-group-version-kind",
        "group",
        "version",
        "kind",
        "metadata",
        "a",
    ]);
    leaf.prop_recursive(6, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::vec((key.clone(), inner), 0..6).prop_map(|entries| {
                Value::Object(
                    entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect::<Map<_, _>>(),
                )
            }),
        ]
    })
}

/// A schema that is right more often than not: at each level, its type fits its other fields.
fn likely() -> impl Strategy<Value = Value> {
    let leaf = prop::sample::select(vec![
        json!({"type": "string"}),
        json!({"type": "integer", "default": 1}),
        json!({}),
        json!({"$ref": "#/components/schemas/A"}),
        json!({"allOf": [{"$ref": "#/components/schemas/B"}], "x-kubernetes-map-type": "atomic", "nullable": true}),
    ]);
    leaf.prop_recursive(5, 32, 4, |inner| {
        prop_oneof![
            inner
                .clone()
                .prop_map(|items| json!({"type": "array", "items": items, "x-kubernetes-list-type": "set"})),
            inner.clone().prop_map(|items| json!({
                "type": "array", "items": items,
                "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["a", "b"],
            })),
            inner.clone().prop_map(|any| json!({"type": "object", "additionalProperties": any})),
            prop::collection::btree_map("[a-c]", inner, 0..4).prop_map(|properties| {
                json!({"type": "object", "properties": properties, "x-kubernetes-embedded-resource": true})
            }),
        ]
    })
}

/// Whether every type that is reached within a few steps can be asked everything.
fn walk(graph: &TypeGraph) {
    for (kind, ty) in graph.kinds() {
        let mut waiting = vec![(ty, 4)];
        while let Some((ty, left)) = waiting.pop() {
            let _ = (format!("{ty:?}"), ty.format(), ty.is_nullable(), ty.list_kind());
            if left > 0 {
                waiting.push((ty.item_or_deduced(), left - 1));
                if let Some(map) = ty.map() {
                    waiting.extend(map.fields().map(|field| (field.ty(), left - 1)));
                }
            }
        }
        assert_eq!(graph.type_of(&kind), Some(ty));
    }
}

proptest! {
    #[test]
    fn any_document_is_read_or_refused(a in schemas(), b in schemas(), whole in schemas()) {
        for document in [document(&json!({"A": a, "B": b})), document(&whole), whole] {
            if let Ok(graph) = TypeGraph::from_openapi([&document]) {
                walk(&graph);
            }
        }
    }

    #[test]
    fn any_definition_is_read_or_refused(schema in schemas(), spec in schemas()) {
        let mut odd = definition(&schema);
        odd["spec"] = spec;
        for manifest in [definition(&schema), odd, schema] {
            if let Ok(graph) = TypeGraph::from_crds([&manifest]) {
                walk(&graph);
            }
        }
    }

    #[test]
    fn what_is_right_is_read(a in likely(), b in likely()) {
        let kind = json!([{"group": "example.com", "version": "v1", "kind": "Gadget"}]);
        let object = |field: Value| json!({
            "type": "object", "properties": {"field": field}, "x-kubernetes-group-version-kind": kind,
        });
        let document = document(&json!({"A": object(a), "B": object(b)}));
        let graph = TypeGraph::from_openapi([&document]).unwrap();
        prop_assert!(graph.type_of(&GADGET).is_some());
        walk(&graph);
    }
}
