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

/// Compares one part of a result.
pub(crate) fn expect(what: &str, expected: Option<&Value>, got: Option<&Value>) -> Result<(), String> {
    let equal = match (expected, got) {
        (Some(expected), Some(got)) => same(expected, got),
        (None, None) => true,
        _ => false,
    };
    let shown = |value: Option<&Value>| value.map_or_else(|| "nothing".to_owned(), Value::to_string);
    if equal { Ok(()) } else { Err(format!("{what} is {}, expected {}", shown(got), shown(expected))) }
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
