//! What a graph finds, and what it refuses.

use super::*;
use crate::schema::ListKind;
use crate::schema::spec::{FieldSpec, ListSpec, MapSpec, TypeSpec};

const GADGET: TypeRef<'_> = TypeRef { group: "example.com", version: "v1", kind: "Gadget" };

#[test]
fn types_may_refer_to_themselves() {
    let mut builder = TypeGraph::builder();
    let text = builder.add(TypeSpec::scalar(Scalar::String));
    let node = builder.reserve();
    let key = KeyField { name: "name".into(), default: None };
    let children = builder.add(TypeSpec::list(ListSpec::Map(node, vec![key])));
    let fields = vec![FieldSpec::new("name", text), FieldSpec::new("children", children)];
    builder.define(node, TypeSpec::map(MapSpec { fields, ..MapSpec::default() }));
    builder.kind(&GADGET, text);
    builder.kind(&GADGET, node);
    let graph = builder.build().unwrap();

    let object = graph.type_of(&GADGET).unwrap();
    let children = object.map().unwrap().field("children").unwrap();
    assert_eq!(&**children.name(), "children");
    assert_eq!(children.ty().list().unwrap().item(), object);
    assert!(matches!(children.ty().list_kind(), ListKind::Map(keys) if &*keys[0].name == "name"));
    assert!(object.map().unwrap().child("other").is_none());
    assert!(object.child_or_deduced("other").is_untyped());
    assert_eq!(graph.kinds().len(), 1);
    assert!(graph.type_of(&TypeRef { version: "v2", ..GADGET }).is_none());
}

#[test]
fn heads_are_in_the_order_of_names() {
    let mut names =
        ["", "a", "aa", "ab", "abc", "abcd", "abcde", "abcdef", "abcdefg", "abcdefgh", "abd", "b", "é"];
    names.sort_unstable();
    assert!(names.is_sorted_by(|a, b| head(a) < head(b)));
    assert_eq!(head("abcdefgh"), head("abcdefghi"));
    assert_eq!(head("abcdefg"), u64::from_be_bytes(*b"abcdefg\0"));
}

#[test]
fn every_field_is_found() {
    let names = ["a", "a\0", "abcdefgh", "abcdefgh\0", "abcdefghi", "abcdefghj", "", "spec"];
    let mut builder = TypeGraph::builder();
    let text = builder.add(TypeSpec::scalar(Scalar::String));
    let fields = names.iter().map(|name| FieldSpec::new(*name, text)).collect();
    let map = builder.add(TypeSpec::map(MapSpec { fields, ..MapSpec::default() }));
    let graph = builder.build().unwrap();
    let map = graph.get(map).unwrap().map().unwrap();
    for name in names {
        assert_eq!(&**map.field(name).unwrap().name(), name);
    }
    for name in ["abcdefg", "abcdefghk", "abcdefghii", "zzz", "\0", "spe", "specs"] {
        assert!(map.field(name).is_none(), "{name}");
    }
}

#[test]
fn what_is_missing_is_told() {
    let mut builder = TypeGraph::builder();
    let nothing = builder.reserve();
    assert_eq!(builder.build().unwrap_err(), GraphError(nothing));
    let mut builder = TypeGraph::builder();
    builder.add(TypeSpec::list(ListSpec::Atomic(TypeId(9))));
    assert_eq!(builder.build().unwrap_err(), GraphError(TypeId(9)));
}
