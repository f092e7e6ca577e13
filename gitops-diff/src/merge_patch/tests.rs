//! Laws of the merge patches, and the ways of the reference.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::testing::{any_value, small_value};

#[test]
fn the_standard_is_followed() {
    // RFC 7386, appendix A.
    for (original, patch, expected) in [
        (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
        (json!({"a": "b"}), json!({"a": null}), json!({})),
        (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
        (json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}})),
        (json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
        (json!({"a": "foo"}), json!(null), json!(null)),
        (json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
        (json!([1, 2]), json!({"a": "b", "c": null}), json!({"a": "b"})),
        (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
    ] {
        assert_eq!(apply(&original, &patch), expected);
    }
}

#[test]
fn kubernetes_has_its_own_ways() {
    let patch = json!({"a": [{"b": null, "c": [null]}]});
    assert_eq!(apply_as_kubernetes(&json!({"a": 1}), &patch), Ok(json!({"a": [{"c": [null]}]})));
    // What replaces a map stays as it is.
    assert_eq!(apply_as_kubernetes(&json!({"a": {}}), &patch), Ok(patch));
    assert_eq!(apply_as_kubernetes(&json!({}), &json!(1)), Err(MergePatchError::BadPatch));
    assert_eq!(apply_as_kubernetes(&json!(null), &json!({})), Err(MergePatchError::BadDocument));
    let list = json!([{"a": 1}]);
    assert_eq!(create_as_kubernetes(&list, &json!([{}])), Ok(json!([{"a": null}])));
    assert_eq!(create_as_kubernetes(&list, &json!([])), Err(MergePatchError::BadDocument));
    assert_eq!(create_as_kubernetes(&list, &json!({})), Err(MergePatchError::Mismatched));
}

#[test]
fn kubernetes_rounds_numbers() {
    let (a, b) = (json!({"n": 9_007_199_254_740_992_i64}), json!({"n": 9_007_199_254_740_993_i64}));
    assert_eq!(create_as_kubernetes(&a, &b), Ok(json!({})));
    assert_eq!(create_as_kubernetes(&json!({}), &b), Ok(a.clone()));
    assert_eq!(create_as_kubernetes(&json!({}), &json!({"n": 1.0})), Ok(json!({"n": 1})));
    assert_eq!(create(&a, &b), b);
}

#[test]
fn three_ways_keep_what_others_added() {
    let none: &[FieldPath] = &[];
    let merge = |last: &Value, desired: &Value, live: &Value| three_way(last, desired, live, none).unwrap();
    let live = json!({"a": 1, "b": 2, "other": {"x": 1}});
    assert_eq!(merge(&json!({"a": 1, "b": 2}), &json!({"a": 3}), &live), json!({"a": 3, "b": null}));
    // A null on both sides is none; an empty map is a value.
    assert_eq!(merge(&json!({"a": null}), &json!({"a": null}), &live), json!({}));
    assert_eq!(merge(&json!({}), &json!({"new": {}}), &live), json!({"new": {}}));
    assert_eq!(merge(&json!({}), &json!({"new": {"x": null}}), &live), json!({"new": {"x": null}}));
    assert_eq!(three_way(&json!({}), &json!([]), &live, none), Err(MergePatchError::Mismatched));
    let name = FieldPath::of_fields(["metadata", "name"]);
    let named = |name| json!({"metadata": {"name": name}});
    assert_eq!(
        three_way(&named("a"), &named("b"), &named("a"), std::slice::from_ref(&name)),
        Err(MergePatchError::Precondition(name))
    );
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(map) => map
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| (key, without_nulls(value)))
            .collect(),
        other => other,
    }
}

proptest! {
    #[test]
    fn what_a_patch_was_made_from_comes_back(a in small_value(), b in small_value()) {
        let b = without_nulls(b);
        prop_assert_eq!(apply(&a, &create(&a, &b)), b);
        if a.is_object() {
            prop_assert_eq!(create(&a, &a), json!({}));
        }
    }

    #[test]
    fn applying_twice_is_applying_once(a in small_value(), patch in small_value()) {
        let once = apply(&a, &patch);
        prop_assert_eq!(apply(&once, &patch), once);
    }

    #[test]
    fn nothing_panics(a in any_value(), b in any_value(), c in any_value()) {
        let _ = apply(&a, &create(&b, &c));
        let _ = apply_as_kubernetes(&a, &b);
        let _ = create_as_kubernetes(&a, &b);
        let _ = three_way(&a, &b, &c, &[FieldPath::root(), FieldPath::of_fields(["a", "b"])]);
    }
}
