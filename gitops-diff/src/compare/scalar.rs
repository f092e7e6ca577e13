//! When two values mean the same although they are written differently.

use serde_json::Value;

use super::time::{duration, time};
use super::trail::Trail;
use crate::schema::{Format, Type};
use crate::{Quantity, base64, canonical};

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
/// does, by being there (`emptyDir: {}`), unless it is one that is always there.
pub(super) fn says_something(value: &Value, ty: Type<'_>, name: &str) -> bool {
    match value {
        Value::Null => false,
        Value::Array(items) => !items.is_empty(),
        Value::Object(map) if map.is_empty() => is_structure(ty) && !is_always_there(name),
        Value::Object(map) => map.iter().any(|(name, child)| match child {
            Value::Null => false,
            child => says_something(child, ty.child_or_deduced(name), name),
        }),
        _ => true,
    }
}

fn is_structure(ty: Type<'_>) -> bool {
    ty.is_untyped() || ty.map().is_some_and(|map| map.fields().len() > 0)
}

/// Structures that Kubernetes' Go types hold by value: they are written even when they are empty.
fn is_always_there(name: &str) -> bool {
    matches!(
        name,
        "conditions"
            | "metadata"
            | "port"
            | "resources"
            | "spec"
            | "status"
            | "strategy"
            | "template"
            | "updateStrategy"
    )
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
