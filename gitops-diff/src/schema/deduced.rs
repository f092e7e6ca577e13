//! The types of what nothing is known about.

use std::sync::LazyLock;

use super::graph::{TypeGraph, TypeGraphBuilder, TypeId};
use super::spec::{FieldSpec, ListSpec, MapSpec, TypeSpec};
use super::{Scalar, Schema, Type, table};
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
    let metadata = add_metadata(builder, deduced);
    let fields = [("apiVersion", text), ("kind", text), ("metadata", metadata)];
    builder.add(TypeSpec::map(MapSpec {
        fields: fields.map(|(name, ty)| FieldSpec::new(name, ty)).into(),
        element: Some(deduced),
        atomic: false,
    }))
}

/// What all objects have, in the grammar of the built-in table and as it stands there.
const METADATA: &str = "\
package meta/v1
FieldsV1 = {}any
ManagedFieldsEntry apiVersion:str fieldsType:str fieldsV1:*FieldsV1 manager:str operation:str subresource:str time:*time
ObjectMeta annotations:{}str creationTimestamp:time deletionGracePeriodSeconds:*num deletionTimestamp:*time \
finalizers:[*]str~merge generateName:str generation:num labels:{}str managedFields:[]ManagedFieldsEntry name:str \
namespace:str ownerReferences:[uid]OwnerReference~merge:uid resourceVersion:str selfLink:str uid:str
!OwnerReference apiVersion:str=\"\" blockOwnerDeletion:*bool controller:*bool kind:str=\"\" name:str=\"\" uid:str=\"\"
";

/// Adds the type of `metadata`.
pub(super) fn add_metadata(builder: &mut TypeGraphBuilder, deduced: TypeId) -> TypeId {
    // A test reads the table, and so there is no error.
    let known = table::add(builder, METADATA).ok();
    known.and_then(|known| known.get(&("meta/v1", "ObjectMeta")).copied()).unwrap_or(deduced)
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
    fn metadata_is_as_the_built_in_kinds_have_it() {
        let built_in: Vec<_> = include_str!("builtin.txt").lines().collect();
        for line in METADATA.lines() {
            assert!(built_in.contains(&line), "{line}");
        }
        assert!(table::graph(METADATA).is_ok());
    }

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
