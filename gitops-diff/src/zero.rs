//! What Go begins with.

use serde_json::Value;

/// Whether a value is what a variable of its type begins with in Go: null, false, 0, an empty text, list or map.
///
/// The API server leaves such values out of what it stores wherever the Go field says `omitempty`
/// ([`Field::zero_is_absent`](crate::schema::Field::zero_is_absent)).
///
/// ```
/// use gitops_diff::is_zero;
/// use serde_json::json;
///
/// assert!([json!(null), json!(false), json!(0.0), json!(""), json!([]), json!({})].iter().all(is_zero));
/// assert!(![json!(true), json!(1), json!("0"), json!([null]), json!({"a": null})].iter().any(is_zero));
/// ```
pub fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(flag) => !flag,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
    }
}
