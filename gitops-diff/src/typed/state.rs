//! The fields that a value states (`typed/tofieldset.go`).

use serde_json::{Map, Value};

use super::items::Items;
use super::{Shape, Shapes, associative, child_of, element_of};
use crate::FieldSet;
use crate::field_set::Node;
use crate::schema::{MapType, Type};

/// The fields that a value states when it is applied: its leaves, and the items of keyed lists and sets besides.
///
/// An empty map is one field, so is an atomic map or list and a null; an empty list that is not atomic is none. An item
/// that is there twice is one field, whatever is in it. A list whose items cannot be told apart is one field as well.
pub fn field_set(value: &Value, ty: Type<'_>) -> FieldSet {
    state(value, ty).1
}

/// Whether the value itself is a field, and what is stated below it.
fn state(value: &Value, ty: Type<'_>) -> (bool, FieldSet) {
    match Shapes::of(ty, value).handled() {
        Shape::Scalar => (true, FieldSet::new()),
        Shape::Map => match (ty.map(), value) {
            (Some(map), _) if map.is_atomic() => (true, FieldSet::new()),
            (Some(ty), Value::Object(map)) => (false, of_map(map, ty)),
            // Not even a value of its type.
            _ => (!value.is_null(), FieldSet::new()),
        },
        Shape::List => match (associative(ty), value) {
            (None, _) => (true, FieldSet::new()),
            (Some(_), Value::Array(items)) => of_list(items, ty),
            _ => (!value.is_null(), FieldSet::new()),
        },
    }
}

fn of_map(map: &Map<String, Value>, ty: MapType<'_>) -> FieldSet {
    let mut nodes = Vec::with_capacity(map.len());
    for (name, value) in map {
        let (field, child_type) = child_of(ty, name);
        let (mut member, children) = state(value, child_type);
        member |= field.is_none() || is_empty(value);
        if member || !children.is_empty() {
            nodes.push(Node { element: element_of(field, name), member, children });
        }
    }
    FieldSet::of_nodes(nodes)
}

/// Null, or an empty map.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(map) => map.is_empty(),
        _ => false,
    }
}

fn of_list(items: &[Value], ty: Type<'_>) -> (bool, FieldSet) {
    let Some((kind, named)) = associative(ty).and_then(|kind| Some((kind, Items::of(items, kind).ok()?)))
    else {
        return (true, FieldSet::new());
    };
    let item_type = ty.item_or_deduced();
    let mut nodes = Vec::with_capacity(items.len());
    for (at, (id, item)) in named.ids.iter().zip(items).enumerate() {
        let children = if named.is_duplicate(at) { FieldSet::new() } else { state(item, item_type).1 };
        nodes.push(Node { element: id.element(kind), member: true, children });
    }
    (false, FieldSet::of_nodes(nodes))
}
