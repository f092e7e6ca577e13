//! What patches say, and what they do.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::testing::{any_value, deployment, small_value};

fn lines(from: &Value, to: &Value) -> Vec<String> {
    create(from, to).to_string().lines().map(str::to_owned).collect()
}

#[test]
fn the_first_of_2000_is_one_operation() {
    let named: Vec<_> = (0..2000).map(|i| json!({"name": format!("n{i}"), "v": i})).collect();
    let plain: Vec<_> = (0..2000).map(|i| json!(i % 7)).collect();
    assert_eq!(lines(&json!(named), &json!(&named[1..])), ["remove \"/0\""]);
    assert_eq!(create(&json!(plain), &json!(&plain[1..])).len(), 1);
    assert_eq!(create(&json!(&named[1..]), &json!(named)).len(), 1);
}

#[test]
fn a_long_list_turned_round_takes_no_quadratic_time() {
    let from: Vec<_> = (0..30_000).collect();
    let to: Vec<_> = from.iter().rev().copied().collect();
    assert_eq!(create(&json!(from), &json!(to)).len(), from.len() - 1);
}

#[test]
fn moves_and_nested_changes() {
    let from = json!({"l": [{"name": "a", "v": 1}, {"name": "b"}, {"name": "c"}]});
    let to = json!({"l": [{"name": "b"}, {"name": "c"}, {"name": "a", "v": 2}]});
    assert_eq!(lines(&from, &to), ["move \"/l/2\"", "replace \"/l/2/v\""]);
    assert_eq!(lines(&json!(1), &json!({"a~/b": 1})), ["replace \"\""]);
    assert_eq!(lines(&json!({}), &json!({"a~/b": 1})), ["add \"/a~0~1b\""]);
}

#[test]
fn errors_name_the_operation_and_change_nothing() {
    let patch: JsonPatch = serde_json::from_value(json!([
        {"op": "add", "path": "/a", "value": 1},
        {"op": "test", "path": "/secret", "value": "hunter2"},
    ]))
    .unwrap();
    let mut document = json!({"secret": "other"});
    let error = apply(&patch, &mut document).unwrap_err();
    assert_eq!(error.to_string(), "operation 1 (test \"/secret\"): the value is another");
    assert_eq!(document, json!({"secret": "other"}));
    assert!(!format!("{patch:?} {patch}").contains("hunter2"));
}

#[test]
fn numbers_are_tested_by_value() {
    let patch =
        |value| serde_json::from_value::<JsonPatch>(json!([{"op": "test", "path": "/a", "value": value}]));
    let mut document = json!({"a": [1, 9_007_199_254_740_993_u64]});
    apply(&patch(json!([1.0, 9_007_199_254_740_993_u64])).unwrap(), &mut document).unwrap();
    let error = apply(&patch(json!([1, 9_007_199_254_740_992_u64])).unwrap(), &mut document).unwrap_err();
    assert_eq!(error.reason, PatchErrorReason::TestFailed);
}

#[test]
fn copies_do_not_multiply_without_end() {
    let copy = json!({"op": "copy", "from": "", "path": "/a/-"});
    let patch: JsonPatch = serde_json::from_value(json!(vec![copy; 60])).unwrap();
    let error = apply(&patch, &mut json!({"a": [], "b": "0123456789"})).unwrap_err();
    assert_eq!(error.reason, PatchErrorReason::TooMuch);
    assert!((15..20).contains(&error.operation), "{error}");
}

#[test]
fn nothing_gets_deep_without_end() {
    // Each of these puts what is under one name into what is under the other.
    let there = json!({"op": "move", "from": "/a", "path": "/b/x"});
    let back = json!({"op": "move", "from": "/b", "path": "/a"});
    let again = json!({"op": "add", "path": "/b", "value": {}});
    let round: Vec<_> = [there, back, again].into_iter().cycle().take(30_000).collect();
    let patch: JsonPatch = serde_json::from_value(json!(round)).unwrap();
    let error = apply(&patch, &mut json!({"a": {}, "b": {}})).unwrap_err();
    assert_eq!(error.reason, PatchErrorReason::TooDeep);
    assert!(error.operation > 500, "{error}");

    // What only looks like it, because it goes back and forth, may go on.
    let forth = json!({"op": "move", "from": "/a", "path": "/b/x"});
    let back = json!({"op": "move", "from": "/b/x", "path": "/a"});
    let round: Vec<_> = [forth, back].into_iter().cycle().take(10_000).collect();
    let patch: JsonPatch = serde_json::from_value(json!(round)).unwrap();
    apply(&patch, &mut json!({"a": {}, "b": {}})).unwrap();
}

fn any_patch() -> impl Strategy<Value = Value> {
    let pointer = || prop_oneof!["(/[ab01-]){0,3}", "[/~ab]{0,4}"];
    let op = (
        prop_oneof!["add", "remove", "replace", "move", "copy", "test"],
        pointer(),
        pointer(),
        small_value(),
    )
        .prop_map(|(op, path, from, value)| json!({"op": op, "path": path, "from": from, "value": value}));
    proptest::collection::vec(op, 0..4).prop_map(Value::Array)
}

fn round_trip(from: &Value, to: &Value) -> Result<(), TestCaseError> {
    let patch = create(from, to);
    let mut document = from.clone();
    apply(&patch, &mut document).map_err(|e| TestCaseError::fail(e.to_string()))?;
    prop_assert_eq!(&document, to, "{}", patch);
    prop_assert_eq!(patch.is_empty(), from == to);
    Ok(())
}

proptest! {
    #[test]
    fn makes_what_it_should(a in any_value(), b in any_value(), c in small_value(), d in small_value()) {
        round_trip(&a, &b)?;
        round_trip(&c, &d)?;
    }

    #[test]
    fn makes_lists(a in proptest::collection::vec(0_u8..6, 0..12), b in proptest::collection::vec(0_u8..6, 0..12)) {
        round_trip(&json!(a), &json!(b))?;
    }

    #[test]
    fn moves_no_more_than_needed(order in Just((0..8_u8).collect::<Vec<_>>()).prop_shuffle()) {
        let sorted: Vec<_> = (0..8_u8).collect();
        round_trip(&json!(sorted), &json!(order))?;
        let positions: Vec<_> = order.iter().map(|i| usize::from(*i)).collect();
        let stay = crate::align::longest_increasing(&positions).len();
        prop_assert!(create(&json!(sorted), &json!(order)).len() <= 8 - stay);
    }

    #[test]
    fn makes_deployments(a in deployment(), b in deployment()) {
        round_trip(&a, &b)?;
    }

    #[test]
    fn no_patch_panics(patch in any_patch(), document in small_value()) {
        if let Ok(patch) = serde_json::from_value::<JsonPatch>(patch) {
            let mut changed = document.clone();
            if apply(&patch, &mut changed).is_err() {
                prop_assert_eq!(changed, document);
            }
        }
    }
}
