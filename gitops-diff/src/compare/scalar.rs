//! When two values mean the same although they are written differently.

use serde_json::Value;

use super::time::{duration, time};
use super::trail::Trail;
use crate::schema::{Format, Type};
use crate::{Quantity, base64, canonical, is_zero};

/// Whether two scalars of one type mean the same. The first is the stated one, the second the stored one.
///
/// Numbers compare by value. Text and numbers are different things (a port `80` and `"80"`), but for quantities, which may
/// be written either way.
pub(super) fn equivalent(ty: Type<'_>, stated: &Value, stored: &Value, trail: Option<&Trail<'_>>) -> bool {
    if canonical::same(stated, stored) {
        return true;
    }
    let texts = || Some((stated.as_str()?, stored.as_str()?));
    match ty.format() {
        Format::Quantity => quantities(stated, stored, true),
        Format::Duration => texts().is_some_and(|(a, b)| duration(a).is_some_and(|a| duration(b) == Some(a))),
        // What is stored is whole seconds.
        Format::Time => texts().is_some_and(|(a, b)| {
            time(a).is_some_and(|(seconds, _)| time(b).is_some_and(|(stored, _)| stored == seconds))
        }),
        Format::MicroTime => texts().is_some_and(|(a, b)| {
            let micros = |text| time(text).map(|(seconds, nanos)| (seconds, nanos / 1_000));
            micros(a).is_some_and(|a| micros(b) == Some(a))
        }),
        Format::Bytes => {
            texts().is_some_and(|(a, b)| base64::decode(a).is_some_and(|a| base64::decode(b) == Some(a)))
        }
        _ => ty.is_untyped() && looks_like_quantity(trail) && quantities(stated, stored, false),
    }
}

fn quantities(stated: &Value, stored: &Value, resources: bool) -> bool {
    let (Some(stated), Some(stored)) = (Quantity::from_value(stated), Quantity::from_value(stored)) else {
        return false;
    };
    stated == stored || stated.stored() == stored || resources && stated.stored_as_resource() == stored
}

/// Whether what nothing is known about is a quantity, by what the fields are called: custom kinds have resource
/// requirements too.
fn looks_like_quantity(trail: Option<&Trail<'_>>) -> bool {
    let names = Trail::names(trail);
    matches!(
        names[..],
        [.., "resources", "limits" | "requests", _]
            | [.., "emptyDir", "sizeLimit"]
            | [.., "resourceFieldRef", "divisor"]
    )
}

/// Whether a value says anything. Null and an empty list do not. An empty map of any keys does not; an empty structure
/// does, by being there: `emptyDir: {}`. So does an empty map where anything may be.
pub(super) fn says_something(value: &Value, ty: Type<'_>) -> bool {
    match value {
        Value::Null => false,
        Value::Array(items) => !items.is_empty(),
        Value::Object(map) if !amounts_to_nothing(value, ty) => !map.is_empty(),
        Value::Object(map) if ty.is_untyped() => map.is_empty(),
        // An empty structure in Go is a map of anything to the schema: `subresources.status` of a CRD.
        Value::Object(_) => ty.map().is_some_and(|map| {
            map.fields().len() > 0 || map.element().is_some_and(|element| element.is_untyped())
        }),
        _ => true,
    }
}

/// Whether nothing is left of a value once what the API server drops is taken out of it.
pub(super) fn amounts_to_nothing(value: &Value, ty: Type<'_>) -> bool {
    let Value::Object(map) = value else { return is_zero(value) };
    map.iter().all(|(name, child)| match ty.map().and_then(|map| map.field(name)) {
        _ if child.is_null() => true,
        Some(field) if field.zero_is_absent() && amounts_to_nothing(child, field.ty()) => true,
        Some(field) => !says_something(child, field.ty()),
        None => !says_something(child, ty.child_or_deduced(name)),
    })
}

/// Whether anything at all is in a tree: for what only the live side has.
pub(super) fn holds_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Array(items) => !items.is_empty(),
        Value::Object(map) => map.values().any(holds_something),
        _ => true,
    }
}
