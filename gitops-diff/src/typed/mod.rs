//! Operations on values that have a type: the base of field ownership.
//!
//! They do what the `typed` package of structured-merge-diff does, whose files are named beside each:
//!
//! - [`validate`]: does a value fit its type?
//! - [`merge`]: lay one value over another.
//! - [`compare`]: which fields did a change add, modify and remove?
//! - [`field_set`]: which fields does a value state?
//! - [`remove`] and [`extract`]: a value without, or only with, the fields of a set.
//!
//! What a type says nothing about has the [deduced](Type::deduced) type. Nulls count: `null` fits every type.
//!
//! ```
//! use gitops_diff::{schema::Type, typed};
//! use serde_json::json;
//!
//! let (live, config) = (json!({"a": 1, "l": [1]}), json!({"a": 2, "l": [2]}));
//! let merged = typed::merge(&live, &config, Type::deduced())?;
//! assert_eq!(*merged, json!({"a": 2, "l": [2]}));
//! let change = typed::compare(&live, &merged, Type::deduced())?;
//! assert_eq!(change.modified.to_fields_v1(), json!({"f:a": {}, "f:l": {}}));
//! assert!(change.added.is_empty() && change.removed.is_empty());
//! # Ok::<(), typed::Invalid>(())
//! ```

mod compare;
mod equal;
mod items;
mod merge;
mod named;
mod read;
mod remove;
mod state;
mod validate;

use serde_json::{Map, Value};

pub use self::compare::{Comparison, compare};
pub(crate) use self::compare::{compare_hiding, everything};
pub(crate) use self::equal::equal;
pub use self::merge::merge;
pub(crate) use self::merge::{Merged, merge_hiding};
pub(crate) use self::read::{is_verbatim, read_fields};
pub use self::remove::{extract, remove};
pub use self::state::field_set;
pub(crate) use self::validate::validate_hiding;
pub use self::validate::{Invalid, ValidateOptions, Violation, ViolationKind, validate};
use crate::PathElement;
use crate::schema::{Field, ListKind, MapType, Scalar, Type};

/// The shapes that a type allows a value to have. More than one only where the value does not decide it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Shapes(u8);

impl Shapes {
    const MAP: Self = Self(1);
    const SCALAR: Self = Self(2);
    const LIST: Self = Self(4);

    fn allows(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    fn of_type(ty: Type<'_>) -> Self {
        Self(
            if ty.map().is_some() { Self::MAP.0 } else { 0 }
                | if ty.scalar().is_some() { Self::SCALAR.0 } else { 0 }
                | if ty.list().is_some() { Self::LIST.0 } else { 0 },
        )
    }

    fn of_value(value: &Value) -> Self {
        match value {
            Value::Null => Self(0),
            Value::Object(_) => Self::MAP,
            Value::Array(_) => Self::LIST,
            _ => Self::SCALAR,
        }
    }

    /// The shape of the value where the type allows it, else all that the type allows (`typed/helpers.go`,
    /// `deduceAtom`).
    fn of(ty: Type<'_>, value: &Value) -> Self {
        let (allowed, own) = (Self::of_type(ty), Self::of_value(value));
        if allowed.allows(own) { own } else { allowed }
    }

    /// As which shape a value is treated (`typed/helpers.go`, `handleAtom`).
    fn handled(self) -> Shape {
        if self.allows(Self::MAP) {
            Shape::Map
        } else if self.allows(Self::LIST) && !self.allows(Self::SCALAR) {
            Shape::List
        } else {
            Shape::Scalar
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Map,
    Scalar,
    List,
}

/// Whether a scalar is one that the type allows. Values that are no scalars are not.
fn is_scalar(scalar: Scalar, value: &Value) -> bool {
    match (scalar, value) {
        (_, Value::Object(_) | Value::Array(_)) => false,
        (Scalar::Untyped, _)
        | (_, Value::Null)
        | (Scalar::String, Value::String(_))
        | (Scalar::Number, Value::Number(_))
        | (Scalar::Boolean, Value::Bool(_)) => true,
        _ => false,
    }
}

/// One value inside a tree that a walk takes for absent: an object's `metadata.managedFields`.
#[derive(Clone, Copy, Default)]
pub(crate) struct Hidden<'a>(pub(crate) Option<&'a Value>);

impl Hidden<'_> {
    fn is(self, value: &Value) -> bool {
        self.0.is_some_and(|hidden| std::ptr::eq(hidden, value))
    }

    /// A copy of a value that may have what is hidden right below.
    fn copy(self, value: &Value) -> Value {
        match value {
            Value::Object(map) if self.0.is_some() && map.values().any(|value| self.is(value)) => {
                let shown = map.iter().filter(|(_, value)| !self.is(value));
                Value::Object(shown.map(|(name, value)| (name.clone(), value.clone())).collect())
            }
            _ => value.clone(),
        }
    }

    /// Whether a map has nothing but what is hidden.
    fn is_empty(self, map: &Map<String, Value>) -> bool {
        map.is_empty() || (map.len() == 1 && self.0.is_some() && map.values().all(|value| self.is(value)))
    }
}

/// How the items of a list are told apart; `None` for one that is one value.
fn associative(ty: Type<'_>) -> Option<ListKind<'_>> {
    match ty.list_kind() {
        ListKind::Atomic => None,
        kind => Some(kind),
    }
}

/// The named field, if it is one, and the type of what is under this name.
fn child_of<'s>(ty: MapType<'s>, name: &str) -> (Option<Field<'s>>, Type<'s>) {
    match ty.field(name) {
        Some(field) => (Some(field), field.ty()),
        None => (None, ty.element().unwrap_or_else(Type::deduced)),
    }
}

/// A name of its own is only made where the schema has none to share.
fn element_of(field: Option<Field<'_>>, name: &str) -> PathElement {
    PathElement::Field(field.map_or_else(|| name.into(), |field| field.name().clone()))
}

#[cfg(test)]
mod tests;
