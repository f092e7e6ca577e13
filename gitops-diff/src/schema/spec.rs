//! What types are, said to a [`TypeGraphBuilder`](super::TypeGraphBuilder).

use std::sync::Arc;

use serde_json::Value;

use super::{Format, KeyField, Patch, Scalar, TypeId};

/// What a type is, for a [`TypeGraphBuilder`](super::TypeGraphBuilder).
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct TypeSpec {
    /// The scalars it allows.
    pub scalar: Option<Scalar>,
    /// What they mean.
    pub format: Format,
    /// Whether null is a value of its own (`nullable`), and not the same as no value.
    pub nullable: bool,
    /// The lists it allows.
    pub list: Option<ListSpec>,
    /// The maps it allows.
    pub map: Option<MapSpec>,
}

/// The lists of a type.
#[derive(Clone, Debug)]
pub enum ListSpec {
    /// One value.
    Atomic(TypeId),
    /// A set of scalars.
    Set(TypeId),
    /// Maps with these key fields. A key field without a default takes that of the items' field.
    Map(TypeId, Vec<KeyField>),
}

/// The maps of a type.
#[derive(Clone, Debug, Default)]
pub struct MapSpec {
    /// Named fields.
    pub fields: Vec<FieldSpec>,
    /// The type of the values under other keys, where such are allowed.
    pub element: Option<TypeId>,
    /// Whether a map is one value.
    pub atomic: bool,
}

/// A named field.
#[derive(Clone, Debug)]
pub struct FieldSpec {
    /// Its name.
    pub name: Arc<str>,
    /// Its type.
    pub ty: TypeId,
    /// The value that it has when it is absent, as OpenAPI says.
    pub default: Option<Value>,
    /// The value that the API server puts into it when it is absent, where that is another one.
    pub server_default: Option<Value>,
    /// Whether a zero value (`""`, `0`, `false`, an empty list or map) is the same as none.
    pub zero_is_absent: bool,
    /// How strategic merge treats it.
    pub patch: Patch,
}

impl TypeSpec {
    /// A scalar.
    pub fn scalar(scalar: Scalar) -> Self {
        Self { scalar: Some(scalar), ..Self::default() }
    }

    /// A scalar that means something.
    pub fn formatted(scalar: Scalar, format: Format) -> Self {
        Self { scalar: Some(scalar), format, ..Self::default() }
    }

    /// A list.
    pub fn list(list: ListSpec) -> Self {
        Self { list: Some(list), ..Self::default() }
    }

    /// A map.
    pub fn map(map: MapSpec) -> Self {
        Self { map: Some(map), ..Self::default() }
    }
}

impl FieldSpec {
    /// A field without a default or a patch strategy.
    pub fn new(name: impl Into<Arc<str>>, ty: TypeId) -> Self {
        Self {
            name: name.into(),
            ty,
            default: None,
            server_default: None,
            zero_is_absent: false,
            patch: Patch::default(),
        }
    }
}
