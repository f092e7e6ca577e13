//! JSON values as Go sees them: two types of numbers, `==` and `reflect.DeepEqual` by type, and the text of `%v`.
//!
//! Kubernetes parses with `sigs.k8s.io/json`: whole literals that fit are `int64`, all other numbers `float64`.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde_json::{Map, Number, Value};

use super::error::Reason;
use crate::canonical::sorted;

/// The dynamic type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Null,
    Bool,
    Int,
    Float,
    Text,
    List,
    Map,
}

impl Kind {
    pub(crate) fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(_) => Self::Bool,
            Value::Number(number) if number.as_i64().is_some() => Self::Int,
            Value::Number(_) => Self::Float,
            Value::String(_) => Self::Text,
            Value::Array(_) => Self::List,
            Value::Object(_) => Self::Map,
        }
    }
}

/// A number as `float64`.
pub(crate) fn float(number: &Number) -> f64 {
    number.as_f64().unwrap_or(f64::INFINITY)
}

/// `reflect.DeepEqual`.
pub(crate) fn deep_equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::String(a), Value::String(b)) => a == b,
        (Value::Number(a), Value::Number(b)) => numbers_equal(a, b),
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Null, Value::Null) => true,
        (Value::Array(a), Value::Array(b)) => lists_equal(a, b),
        (Value::Object(a), Value::Object(b)) => maps_equal(a, b),
        _ => false,
    }
}

/// `reflect.DeepEqual` of lists.
pub(crate) fn lists_equal(a: &[Value], b: &[Value]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| deep_equal(a, b))
}

/// `reflect.DeepEqual` of maps.
pub(crate) fn maps_equal(a: &Map<String, Value>, b: &Map<String, Value>) -> bool {
    // Two maps with the same keys mostly have them in the same order: then nothing need be searched.
    a.len() == b.len()
        && a.iter().zip(b).all(|((key, a), (other, at))| {
            let b = if key == other { Some(at) } else { b.get(key) };
            b.is_some_and(|b| deep_equal(a, b))
        })
}

#[expect(clippy::float_cmp, reason = "equal floats are what Go means by equal")]
fn numbers_equal(a: &Number, b: &Number) -> bool {
    match (a.as_i64(), b.as_i64()) {
        (Some(a), Some(b)) => a == b,
        (None, None) => float(a) == float(b),
        _ => false,
    }
}

/// A value that can be compared with `==`, and be a key of a Go map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Key<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Float(u64),
    Text(&'a str),
}

impl<'a> Key<'a> {
    /// `None` for maps and lists.
    pub(super) fn of(value: &'a Value) -> Option<Self> {
        Some(match value {
            Value::Null => Self::Null,
            Value::Bool(flag) => Self::Bool(*flag),
            // Adding zero makes one zero of the two.
            Value::Number(number) => {
                number.as_i64().map_or_else(|| Self::Float((float(number) + 0.0).to_bits()), Self::Int)
            }
            Value::String(text) => Self::Text(text),
            Value::Array(_) | Value::Object(_) => return None,
        })
    }

    /// As a key of a Go map, which must not be a map or list.
    pub(super) fn hashable(value: &'a Value) -> Result<Self, Reason> {
        Self::of(value).ok_or(Reason::Uncomparable)
    }
}

/// Go's `==` between two interface values: two maps, or two lists, cannot be compared.
pub(super) fn equal(a: &Value, b: &Value) -> Result<bool, Reason> {
    match (Key::of(a), Key::of(b)) {
        (Some(a), Some(b)) => Ok(a == b),
        (None, None) if Kind::of(a) == Kind::of(b) => Err(Reason::Uncomparable),
        _ => Ok(false),
    }
}

/// The type that all items of the lists have.
///
/// Upstream: `sliceElementType`.
pub(super) fn item_kind<'a>(items: impl IntoIterator<Item = &'a Value>) -> Result<Kind, Reason> {
    let mut items = items.into_iter().map(Kind::of);
    let first = match items.next() {
        None => return Err(Reason::NoItems),
        Some(Kind::Null) => return Err(Reason::NullItem),
        Some(Kind::List) => return Err(Reason::ListOfLists),
        Some(first) => first,
    };
    if items.all(|kind| kind == first) { Ok(first) } else { Err(Reason::MixedItems) }
}

/// The text of `%v`.
pub(super) fn text(value: &Value) -> Cow<'_, str> {
    if let Value::String(text) = value {
        return Cow::Borrowed(text);
    }
    let mut text = String::new();
    write_text(value, Verb::V, &mut text);
    Cow::Owned(text)
}

/// The text of `%s`, which names the type of what is no text.
pub(super) fn text_of_key(value: &Value) -> String {
    let mut text = String::new();
    write_text(value, Verb::S, &mut text);
    text
}

#[derive(Clone, Copy, PartialEq)]
enum Verb {
    V,
    S,
}

fn write_text(value: &Value, verb: Verb, out: &mut String) {
    let typed = |name: &str, out: &mut String| {
        if verb == Verb::S {
            out.push_str("%!s(");
            out.push_str(name);
        }
    };
    match value {
        Value::String(text) => return out.push_str(text),
        Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(' ');
                }
                write_text(item, verb, out);
            }
            return out.push(']');
        }
        Value::Object(map) => {
            out.push_str("map[");
            for (at, (key, item)) in sorted(map).into_iter().enumerate() {
                if at > 0 {
                    out.push(' ');
                }
                out.push_str(key);
                out.push(':');
                write_text(item, verb, out);
            }
            return out.push(']');
        }
        Value::Null => {
            typed("", out);
            out.push_str("<nil>");
        }
        Value::Bool(flag) => {
            typed("bool=", out);
            out.push_str(if *flag { "true" } else { "false" });
        }
        Value::Number(number) => {
            if let Some(number) = number.as_i64() {
                typed("int64=", out);
                // Writing into a text cannot fail.
                let _ = write!(out, "{number}");
            } else {
                typed("float64=", out);
                write_float(float(number), out);
            }
        }
    }
    if verb == Verb::S {
        out.push(')');
    }
}

/// `%g` with the fewest digits: with an exponent below -4 and from 6 on.
fn write_float(number: f64, out: &mut String) {
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    // Writing into a text cannot fail.
    let _ = if (-4..6).contains(&exponent) {
        write!(out, "{number}")
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        write!(out, "{digits}e{sign}{:02}", exponent.abs())
    };
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn integers_are_no_floats() {
        assert!(!deep_equal(&json!(1), &json!(1.0)));
        assert!(deep_equal(&json!({"a": [1.5, null]}), &json!({"a": [1.5, null]})));
        assert!(!deep_equal(&json!(9_007_199_254_740_992_i64), &json!(9_007_199_254_740_993_i64)));
        // Beyond `int64`, there are floats only.
        assert!(deep_equal(&json!(u64::MAX), &json!(u64::MAX - 1)));
        assert_eq!(equal(&json!("1"), &json!(1)), Ok(false));
        assert_eq!(equal(&json!({}), &json!({})), Err(Reason::Uncomparable));
        assert_eq!(equal(&json!({}), &json!([])), Ok(false));
        assert_eq!(Key::of(&json!(0.0)), Key::of(&json!(-0.0)));
    }

    #[test]
    fn texts_are_those_of_go() {
        for (value, expected) in [
            (json!(1), "1"),
            (json!(100_000.0), "100000"),
            (json!(1e6), "1e+06"),
            (json!(1_234_567.5), "1.2345675e+06"),
            (json!(123_456.5), "123456.5"),
            (json!(1e20), "1e+20"),
            (json!(0.0001), "0.0001"),
            (json!(0.00001), "1e-05"),
            (json!(1.5e300), "1.5e+300"),
            (json!(null), "<nil>"),
            (json!({"b": [1, null, true], "a": "x"}), "map[a:x b:[1 <nil> true]]"),
        ] {
            assert_eq!(text(&value), expected);
        }
        assert_eq!(text_of_key(&json!({"a": 1, "b": "x"})), "map[a:%!s(int64=1) b:x]");
        assert_eq!(text_of_key(&json!(null)), "%!s(<nil>)");
    }
}
