//! When a result is the expected one.

use serde_json::{Number, Value};

/// Whether two documents are the same: the order of keys never counts, that of lists always does, and numbers are compared
/// as numbers.
pub(crate) fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => same_number(a, b),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}

/// What Go reads as an int64 is exact; everything else is a float64 there, and written without an exponent.
fn same_number(a: &Number, b: &Number) -> bool {
    match (a.as_i64(), b.as_i64()) {
        (Some(a), Some(b)) => a == b,
        _ => a.as_f64() == b.as_f64(),
    }
}

/// A document as it is after Go has written and read it: whole floats are written as integers.
pub(crate) fn as_go_writes(value: &Value) -> Value {
    match value {
        Value::Number(number) => match number.as_f64() {
            #[allow(clippy::cast_possible_truncation)] // It is whole, and no larger than an i64.
            Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() < 9e18 => {
                Value::from(float as i64)
            }
            _ => value.clone(),
        },
        Value::Array(items) => items.iter().map(as_go_writes).collect(),
        Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), as_go_writes(value))).collect(),
        _ => value.clone(),
    }
}

/// Equality in which an integer is no float (`reflect.DeepEqual`).
pub(crate) fn equal_in_go(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(x), Value::Number(y)) => x.is_i64() == y.is_i64() && same_number(x, y),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal_in_go(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| equal_in_go(a, b)))
        }
        _ => a == b,
    }
}

/// Compares one part of a result.
pub(crate) fn expect(what: &str, expected: Option<&Value>, got: Option<&Value>) -> Result<(), String> {
    match (expected, got) {
        (None, None) => Ok(()),
        (Some(expected), Some(got)) => match difference(expected, got) {
            None => Ok(()),
            Some(place) => Err(format!("{what} differs{place}")),
        },
        (Some(expected), None) => Err(format!("{what} is missing, expected {expected}")),
        (None, Some(got)) => Err(format!("{what} is {got}, expected none")),
    }
}

/// Where two documents differ first, and how.
fn difference(expected: &Value, got: &Value) -> Option<String> {
    if same(expected, got) {
        return None;
    }
    let nothing = Value::String("nothing".to_owned());
    let inner = match (expected, got) {
        (Value::Object(expected), Value::Object(got)) => expected.keys().chain(got.keys()).find_map(|key| {
            let (expected, got) = (expected.get(key), got.get(key));
            let inner = difference(expected.unwrap_or(&nothing), got.unwrap_or(&nothing))?;
            Some(format!("/{key}{inner}"))
        }),
        (Value::Array(expected), Value::Array(got)) if expected.len() == got.len() => expected
            .iter()
            .zip(got)
            .enumerate()
            .find_map(|(at, (expected, got))| Some(format!("/{at}{}", difference(expected, got)?))),
        _ => None,
    };
    Some(inner.unwrap_or_else(|| format!(": {got}, expected {expected}")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_and_order() {
        assert!(same(&json!({"a": 1, "b": 2.0}), &json!({"b": 2, "a": 1.0})));
        assert!(same(&json!(18_446_744_073_709_551_615_u64), &json!(18_446_744_073_709_552_000.0)));
        assert!(!same(&json!(9_007_199_254_740_993_i64), &json!(9_007_199_254_740_992_i64)));
        assert!(!same(&json!([1, 2]), &json!([2, 1])));
        assert!(!same(&json!({"a": null}), &json!({})));
        assert!(expect("x", None, Some(&Value::Null)).is_err());
    }
}
