//! The types of what nothing is known about.

use std::sync::LazyLock;

use super::{
    FieldSpec, Format, KeyField, ListSpec, MapSpec, Patch, Scalar, Schema, Type, TypeGraph, TypeGraphBuilder,
    TypeId, TypeSpec,
};
use crate::TypeRef;

/// A [`Schema`] that knows no kind: everything is [deduced](Type::unknown_object).
#[derive(Clone, Copy, Debug, Default)]
pub struct Deduced;

impl Schema for Deduced {
    fn type_of(&self, _: &TypeRef<'_>) -> Option<Type<'_>> {
        None
    }
}

struct Known {
    graph: TypeGraph,
    atomic: TypeId,
    deduced: TypeId,
    object: TypeId,
}

static KNOWN: LazyLock<Known> = LazyLock::new(|| {
    let mut builder = TypeGraph::builder();
    let (atomic, deduced) = add_untyped(&mut builder);
    let object = object(&mut builder, deduced);
    // Every number is defined above.
    let graph = builder.build().unwrap_or_default();
    Known { graph, atomic, deduced, object }
});

/// Adds the types of any value at all: as one, and [deduced](Type::deduced).
pub(super) fn add_untyped(builder: &mut TypeGraphBuilder) -> (TypeId, TypeId) {
    let any = |list: TypeId, map: TypeId, whole: bool| TypeSpec {
        scalar: Some(Scalar::Untyped),
        list: Some(ListSpec::Atomic(list)),
        map: Some(MapSpec { element: Some(map), atomic: whole, ..MapSpec::default() }),
        ..TypeSpec::default()
    };
    let atomic = builder.reserve();
    builder.define(atomic, any(atomic, atomic, true));
    let deduced = builder.reserve();
    builder.define(deduced, any(atomic, deduced, false));
    (atomic, deduced)
}

/// An object of which only `metadata` is known, which all objects have.
fn object(builder: &mut TypeGraphBuilder, deduced: TypeId) -> TypeId {
    let text = builder.add(TypeSpec::scalar(Scalar::String));
    let number = builder.add(TypeSpec::scalar(Scalar::Number));
    let flag = builder.add(TypeSpec::scalar(Scalar::Boolean));
    let time = builder.add(TypeSpec::formatted(Scalar::Untyped, Format::Time));
    let texts = builder.add(TypeSpec::map(MapSpec { element: Some(text), ..MapSpec::default() }));
    let fields = |pairs: &[(&str, TypeId)]| -> Vec<FieldSpec> {
        pairs.iter().map(|(name, ty)| FieldSpec::new(*name, *ty)).collect()
    };
    let owner = builder.add(TypeSpec::map(MapSpec {
        fields: fields(&[
            ("apiVersion", text),
            ("blockOwnerDeletion", flag),
            ("controller", flag),
            ("kind", text),
            ("name", text),
            ("uid", text),
        ]),
        atomic: true,
        ..MapSpec::default()
    }));
    let uid = KeyField { name: "uid".into(), default: None };
    let owners = builder.add(TypeSpec::list(ListSpec::Map(owner, vec![uid])));
    let finalizers = builder.add(TypeSpec::list(ListSpec::Set(text)));
    let managed = builder.add(TypeSpec::list(ListSpec::Atomic(deduced)));
    let mut metadata = fields(&[
        ("annotations", texts),
        ("creationTimestamp", time),
        ("deletionGracePeriodSeconds", number),
        ("deletionTimestamp", time),
        ("generateName", text),
        ("generation", number),
        ("labels", texts),
        ("managedFields", managed),
        ("name", text),
        ("namespace", text),
        ("resourceVersion", text),
        ("selfLink", text),
        ("uid", text),
    ]);
    let merge = |key: Option<&str>| Patch { merge: true, merge_key: key.map(Into::into), ..Patch::default() };
    metadata.push(FieldSpec { patch: merge(None), ..FieldSpec::new("finalizers", finalizers) });
    metadata.push(FieldSpec { patch: merge(Some("uid")), ..FieldSpec::new("ownerReferences", owners) });
    let metadata = builder.add(TypeSpec::map(MapSpec { fields: metadata, ..MapSpec::default() }));
    builder.add(TypeSpec::map(MapSpec {
        fields: fields(&[("apiVersion", text), ("kind", text), ("metadata", metadata)]),
        element: Some(deduced),
        atomic: false,
    }))
}

impl Type<'_> {
    /// Any value at all: maps are merged key by key, lists are one value. What the API server takes for granted where it
    /// has no schema (`__untyped_deduced_` of structured-merge-diff).
    pub fn deduced() -> Self {
        Self::of_graph(&KNOWN.graph, KNOWN.deduced)
    }

    /// Any value at all, as one: the items of a list of [deduced](Self::deduced) type (`__untyped_atomic_`).
    pub fn untyped_atomic() -> Self {
        Self::of_graph(&KNOWN.graph, KNOWN.atomic)
    }

    /// An object of an unknown kind: `metadata` as all objects have it, the rest [deduced](Self::deduced).
    pub fn unknown_object() -> Self {
        Self::of_graph(&KNOWN.graph, KNOWN.object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::ListKind;

    #[test]
    fn all_objects_have_metadata() {
        let object = Deduced.type_or_deduced(&TypeRef::default());
        let metadata = object.child_or_deduced("metadata");
        assert_eq!(metadata.child_or_deduced("finalizers").list_kind(), ListKind::Set);
        assert!(metadata.child_or_deduced("ownerReferences").item_or_deduced().is_atomic_map());
        assert!(metadata.map().unwrap().child("surprise").is_none());
        assert_eq!(object.child_or_deduced("spec"), Type::deduced());
        assert_eq!(Type::deduced().child_or_deduced("any"), Type::deduced());
        assert_eq!(Type::deduced().item_or_deduced(), Type::untyped_atomic());
        assert!(Type::untyped_atomic().is_atomic_map() && Type::untyped_atomic().is_untyped());
    }
}
