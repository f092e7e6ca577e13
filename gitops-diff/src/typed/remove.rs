//! A value without, or only with, the fields of a set (`typed/remove.go`).

use serde_json::{Map, Value};

use super::items::Id;
use super::{Shape, Shapes, associative, child_of, field_set};
use crate::field_set::Node;
use crate::schema::{MapType, Type};
use crate::{FieldPath, FieldSet, PathElement};

/// The value without the fields of a set, and without what is below them.
///
/// A map or list that loses all it has becomes null, the value itself as well. The set is taken literally: a map goes
/// only if the set has it, not if the set has everything in it.
#[must_use]
pub fn remove(value: &Value, fields: &FieldSet, ty: Type<'_>) -> Value {
    Walk { extract: false }.value(value, fields, ty).unwrap_or_default()
}

/// The value with the fields of a set only; null if it has none of them.
///
/// The set should have only [leaves](FieldSet::leaves): a member that is a map comes without what is in it. With
/// `with_keys`, items of keyed lists come with their key fields, also where the set does not have these.
#[must_use]
pub fn extract(value: &Value, fields: &FieldSet, ty: Type<'_>, with_keys: bool) -> Value {
    let walk = Walk { extract: true };
    if !with_keys {
        return walk.value(value, fields, ty).unwrap_or_default();
    }
    let mut keys = Vec::new();
    collect_keys(fields, &field_set(value, ty), &mut FieldPath::root(), &mut keys);
    let fields = fields.union(&keys.into_iter().collect());
    walk.value(value, &fields, ty).unwrap_or_default()
}

/// The paths of the key fields of all items on the way to members that the value has.
fn collect_keys(
    fields: &FieldSet,
    stated: &FieldSet,
    path: &mut FieldPath,
    keys: &mut Vec<FieldPath>,
) -> bool {
    let mut has_any = false;
    for node in fields.nodes() {
        let Some(there) = stated.node_at(&node.element) else { continue };
        path.push(node.element.clone());
        let is_below = collect_keys(&node.children, &there.children, path, keys);
        let is_there = is_below || (node.member && there.member);
        if let PathElement::Key(key) = &node.element
            && is_there
        {
            keys.extend(key.keys().map(|name| path.field(name)));
        }
        path.pop();
        has_any |= is_there;
    }
    has_any
}

#[derive(Clone, Copy)]
struct Walk {
    extract: bool,
}

impl Walk {
    /// `None` if nothing is left.
    fn value(self, value: &Value, fields: &FieldSet, ty: Type<'_>) -> Option<Value> {
        let whole = || self.extract.then(|| value.clone());
        match (Shapes::of(ty, value).handled(), value) {
            (Shape::Scalar, _) => Some(value.clone()),
            (Shape::Map, Value::Object(map)) => match ty.map() {
                Some(ty) if !ty.is_atomic() && !map.is_empty() => self.map(map, fields, ty),
                _ => whole(),
            },
            (Shape::List, Value::Array(items)) if associative(ty).is_some() && !items.is_empty() => {
                self.list(items, fields, ty)
            }
            (_, Value::Null) => None,
            // One value, or not one of its type.
            _ => whole(),
        }
    }

    fn map(self, map: &Map<String, Value>, fields: &FieldSet, ty: MapType<'_>) -> Option<Value> {
        let mut left = Map::new();
        for (name, value) in map {
            let node = fields.node_of_field(name);
            let (_, child) = child_of(ty, name);
            let value = match (node, self.extract) {
                (Some(node), false) if node.member => continue,
                // Upstream goes on with the set of this level: a map that is a leaf of the set is empty, or
                // keeps what happens to have the names of its siblings.
                (Some(node), true) if node.member => self.value(value, fields, child),
                (Some(node), _) => self.value(value, &node.children, child),
                (None, true) => continue,
                (None, false) => Some(value.clone()),
            };
            left.insert(name.clone(), value.unwrap_or_default());
        }
        (!left.is_empty()).then_some(Value::Object(left))
    }

    fn list(self, items: &[Value], fields: &FieldSet, ty: Type<'_>) -> Option<Value> {
        let kind = associative(ty)?;
        let item_type = ty.item_or_deduced();
        let mut left = Vec::with_capacity(items.len());
        for item in items {
            let node: Option<&Node> =
                Id::of(item, kind).ok().and_then(|id| fields.node_at(&id.element(kind)));
            match (node, self.extract) {
                (None, true) => {}
                (None, false) => left.push(item.clone()),
                (Some(node), false) if node.member => {}
                (Some(node), _) if node.children.is_empty() => left.push(item.clone()),
                (Some(node), _) => {
                    left.push(self.value(item, &node.children, item_type).unwrap_or_default());
                }
            }
        }
        (!left.is_empty()).then_some(Value::Array(left))
    }
}
