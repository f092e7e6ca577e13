//! Equality of values as field ownership sees it.

use serde_json::{Number, Value};

/// Whether two values are equal: integers exactly, an integer and a float as floats (`value/value.go`, `EqualsUsing`).
pub(crate) fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || equal_numbers(a, b),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(x, y)| equal(x, y)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(name, x)| b.get(name).is_some_and(|y| equal(x, y)))
        }
        _ => a == b,
    }
}

#[expect(clippy::float_cmp, reason = "equality of floats is what is asked for")]
fn equal_numbers(a: &Number, b: &Number) -> bool {
    let is_integer = |n: &Number| n.is_i64() || n.is_u64();
    if is_integer(a) && is_integer(b) {
        return a.as_i64() == b.as_i64() && a.as_u64() == b.as_u64();
    }
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => a == b,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_are_equal_by_value() {
        assert!(equal(&json!({"a": [1]}), &json!({"a": [1.0]})));
        assert!(equal(&json!(0.0), &json!(-0.0)));
        assert!(!equal(&json!(9_007_199_254_740_992_i64), &json!(9_007_199_254_740_993_i64)));
        assert!(equal(&json!(9_007_199_254_740_993_i64), &json!(9_007_199_254_740_992.0)));
        assert!(!equal(&json!(u64::MAX), &json!(-1)));
        assert!(!equal(&json!(1), &json!("1")) && !equal(&json!(null), &json!({})));
        assert!(!equal(&json!({"a": 1}), &json!({"b": 1})));
    }
}
