//! One total order, equality and hash over JSON values.
//!
//! Numbers compare by their exact mathematical value, so that `1` and `1.0` are one list key, and
//! `9007199254740992` and `9007199254740993` are two. The order of the types is the one that managedFields
//! entries are sorted by: numbers, text, booleans, lists, maps, null.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

use serde_json::{Number, Value};

/// Whether two values are the same, integers and floats being compared by value.
pub(crate) fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(x), Value::Number(y)) => cmp_numbers(x, y) == Ordering::Equal,
        (Value::Array(x), Value::Array(y)) => x.len() == y.len() && x.iter().zip(y).all(|(i, j)| same(i, j)),
        (Value::Object(x), Value::Object(y)) => {
            x.len() == y.len() && x.iter().all(|(k, v)| y.get(k).is_some_and(|w| same(v, w)))
        }
        _ => a == b,
    }
}

/// A total order in which [`same`] values are equal.
pub(crate) fn cmp(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Number(x), Value::Number(y)) => cmp_numbers(x, y),
        (Value::String(x), Value::String(y)) => x.cmp(y),
        (Value::Bool(x), Value::Bool(y)) => x.cmp(y),
        (Value::Array(x), Value::Array(y)) => {
            for (i, j) in x.iter().zip(y) {
                match cmp(i, j) {
                    Ordering::Equal => {}
                    other => return other,
                }
            }
            x.len().cmp(&y.len())
        }
        (Value::Object(x), Value::Object(y)) => {
            let (x, y) = (sorted(x), sorted(y));
            for ((k, v), (l, w)) in x.iter().zip(&y) {
                match k.cmp(l).then_with(|| cmp(v, w)) {
                    Ordering::Equal => {}
                    other => return other,
                }
            }
            x.len().cmp(&y.len())
        }
        _ => rank(a).cmp(&rank(b)),
    }
}

/// A hash under which [`same`] values are equal.
pub(crate) fn hash<H: Hasher>(value: &Value, state: &mut H) {
    state.write_u8(rank(value));
    match value {
        Value::Null => {}
        Value::Bool(b) => b.hash(state),
        Value::Number(n) => hash_number(n, state),
        Value::String(s) => s.hash(state),
        Value::Array(items) => {
            state.write_usize(items.len());
            for item in items {
                hash(item, state);
            }
        }
        Value::Object(map) => {
            state.write_usize(map.len());
            for (key, item) in sorted(map) {
                key.hash(state);
                hash(item, state);
            }
        }
    }
}

/// A value as a key of a map or set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Canonical<'a>(pub(crate) &'a Value);

impl PartialEq for Canonical<'_> {
    fn eq(&self, other: &Self) -> bool {
        same(self.0, other.0)
    }
}

impl Eq for Canonical<'_> {}

impl Hash for Canonical<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        hash(self.0, state);
    }
}

/// The entries of a map by key: `serde_json` keeps insertion order when another crate of the build asks it to.
pub(crate) fn sorted(map: &serde_json::Map<String, Value>) -> Vec<(&String, &Value)> {
    let mut entries: Vec<_> = map.iter().collect();
    if !entries.is_sorted_by(|a, b| a.0 <= b.0) {
        entries.sort_by(|a, b| a.0.cmp(b.0));
    }
    entries
}

fn rank(value: &Value) -> u8 {
    match value {
        Value::Number(_) => 0,
        Value::String(_) => 1,
        Value::Bool(_) => 2,
        Value::Array(_) => 3,
        Value::Object(_) => 4,
        Value::Null => 5,
    }
}

/// What a number is, once its spelling is taken away.
enum Exact {
    Integer(i128),
    Float(f64),
    /// Beyond every machine number; only seen when another crate turns on `serde_json`'s arbitrary precision.
    Text(String),
}

fn exact(n: &Number) -> Exact {
    if let Some(i) = n.as_i64() {
        return Exact::Integer(i.into());
    }
    if let Some(u) = n.as_u64() {
        return Exact::Integer(u.into());
    }
    match n.as_f64() {
        Some(f) if f.is_finite() => whole(f).map_or(Exact::Float(f), Exact::Integer),
        _ => Exact::Text(n.to_string()),
    }
}

/// The integer that a float stands for, where it is one and fits exactly.
fn whole(f: f64) -> Option<i128> {
    // 2^100 is far inside i128 and beyond it every float is whole: such floats compare as floats.
    const LIMIT: f64 = 1_267_650_600_228_229_401_496_703_205_376.0;
    #[expect(clippy::cast_possible_truncation, reason = "whole and below 2^100")]
    (f.fract() == 0.0 && f.abs() < LIMIT).then_some(f as i128)
}

/// The order of numbers by their exact value.
pub(crate) fn cmp_numbers(a: &Number, b: &Number) -> Ordering {
    match (exact(a), exact(b)) {
        (Exact::Integer(x), Exact::Integer(y)) => x.cmp(&y),
        (Exact::Float(x), Exact::Float(y)) => x.total_cmp(&y),
        (Exact::Integer(x), Exact::Float(y)) => cmp_mixed(x, y),
        (Exact::Float(x), Exact::Integer(y)) => cmp_mixed(y, x).reverse(),
        (Exact::Text(x), Exact::Text(y)) => x.cmp(&y),
        (Exact::Text(_), _) => Ordering::Greater,
        (_, Exact::Text(_)) => Ordering::Less,
    }
}

/// Compares an integer below 2^100 with a float that is not such an integer.
fn cmp_mixed(i: i128, f: f64) -> Ordering {
    match whole(f.floor()) {
        // `f` lies strictly between its floor and the next integer.
        Some(floor) => i.cmp(&floor).then(Ordering::Less),
        None if f > 0.0 => Ordering::Less,
        None => Ordering::Greater,
    }
}

fn hash_number<H: Hasher>(n: &Number, state: &mut H) {
    match exact(n) {
        Exact::Integer(i) => i.hash(state),
        Exact::Float(f) => f.to_bits().hash(state),
        Exact::Text(text) => text.hash(state),
    }
}

#[cfg(test)]
mod tests {
    use std::hash::{DefaultHasher, Hasher};

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::testing::{any_value, small_value};

    fn hash_of(v: &Value) -> u64 {
        let mut h = DefaultHasher::new();
        hash(v, &mut h);
        h.finish()
    }

    #[test]
    fn numbers_compare_by_value() {
        assert!(same(&json!(1), &json!(1.0)));
        assert!(same(&json!(0.0), &json!(-0.0)));
        assert!(!same(&json!(9_007_199_254_740_992_i64), &json!(9_007_199_254_740_993_i64)));
        assert!(!same(&json!(9_007_199_254_740_993_i64), &json!(9_007_199_254_740_992.0)));
        assert!(same(&json!(u64::MAX), &json!(u64::MAX)));
        assert_eq!(cmp(&json!(-1), &json!(-0.5)), Ordering::Less);
        assert_eq!(cmp(&json!(0), &json!(-0.5)), Ordering::Greater);
        assert_eq!(cmp(&json!(1), &json!(1e300)), Ordering::Less);
        assert_eq!(cmp(&json!(1), &json!(-1e300)), Ordering::Greater);
    }

    #[test]
    fn types_have_the_order_of_managed_fields() {
        let mut all = [json!(null), json!({}), json!([]), json!(true), json!("a"), json!(3)];
        all.sort_by(cmp);
        assert_eq!(all, [json!(3), json!("a"), json!(true), json!([]), json!({}), json!(null)]);
    }

    proptest! {
        #[test]
        fn equality_order_and_hash_agree(a in small_value(), b in small_value()) {
            prop_assert_eq!(same(&a, &b), cmp(&a, &b) == Ordering::Equal);
            prop_assert_eq!(cmp(&a, &b), cmp(&b, &a).reverse());
            if same(&a, &b) {
                prop_assert_eq!(hash_of(&a), hash_of(&b));
            }
        }

        #[test]
        fn the_order_is_transitive(a in any_value(), b in any_value(), c in any_value()) {
            let mut all = [a, b, c];
            all.sort_by(cmp);
            prop_assert!(cmp(&all[0], &all[2]) != Ordering::Greater);
        }
    }
}
