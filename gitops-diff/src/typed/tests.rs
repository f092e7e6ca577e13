use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::schema::{BuiltIn, Schema, UnknownFields};
use crate::testing::{any_value, deployment, small_value};
use crate::{FieldSet, TypeRef};

fn pod() -> Type<'static> {
    BuiltIn.type_of(&TypeRef { group: "", version: "v1", kind: "Pod" }).unwrap()
}

fn deployments() -> Type<'static> {
    BuiltIn.type_of(&TypeRef { group: "apps", version: "v1", kind: "Deployment" }).unwrap()
}

fn containers(names: &str) -> Value {
    let items: Vec<_> = names.chars().map(|c| json!({"name": c.to_string()})).collect();
    json!({"spec": {"containers": items}})
}

#[test]
fn lists_merge_in_the_order_of_the_configuration() {
    for (live, config, expected) in [
        ("abc", "b", "abc"),
        ("abc", "ca", "bca"),
        ("abc", "xa", "xabc"),
        ("abc", "ax", "abcx"),
        ("", "ab", "ab"),
        ("xay", "a", "xay"),
        ("abcd", "dcba", "dcba"),
        ("abcdefghijkl", "lka", "bcdefghijlka"),
    ] {
        let merged = merge(&containers(live), &containers(config), pod()).unwrap().into_owned();
        assert_eq!(merged, containers(expected), "{live} + {config}");
    }
}

#[test]
fn what_is_left_as_it_is_is_not_copied() {
    let live = json!({"spec": {"containers": [{"name": "a", "image": "i"}]}, "status": {}});
    assert!(matches!(merge(&live, &containers("a"), pod()), Ok(std::borrow::Cow::Borrowed(_))));
    assert!(matches!(merge(&live, &json!({"spec": null}), pod()), Ok(std::borrow::Cow::Borrowed(_))));
    assert_eq!(*merge(&json!({"x": 1}), &json!({"x": 1.0}), Type::deduced()).unwrap(), json!({"x": 1.0}));
}

#[test]
fn what_does_not_fit_is_told_with_its_place() {
    let strict = ValidateOptions::default().with_unknown_fields(UnknownFields::Refuse);
    let text = |value: &Value, options| validate(value, pod(), options).unwrap_err().to_string();
    let bad = json!({"spec": {
        "containers": [{"name": "a", "tty": "yes", "what": 1}, {"name": "a"}, {"name": "b", "ports": [{}, {}]}],
        "volumes": [{}],
        "hostNetwork": 1,
        "nodeSelector": ["x"],
    }});
    assert_eq!(
        text(&bad, strict),
        r#".spec.containers: the item [name="a"] is there twice; .spec.containers[name="a"].tty: expected true or false; .spec.containers[name="a"].what: the schema has no such field; .spec.containers[name="b"].ports: the item [containerPort=0,protocol="TCP"] is there twice; .spec.hostNetwork: expected true or false; …"#
    );
    assert_eq!(validate(&bad, pod(), strict).unwrap_err().violations.len(), 6);
    let lenient = ValidateOptions::default().with_duplicates(true);
    assert_eq!(validate(&bad, pod(), lenient).unwrap_err().violations.len(), 3);
    assert_eq!(validate(&Value::Null, pod(), strict), Ok(()));
}

#[test]
fn errors_of_merges_have_a_place() {
    let twice = json!({"metadata": {"finalizers": ["x", "x"]}});
    let expected = r#".metadata.finalizers: the item [="x"] is there twice"#;
    assert_eq!(merge(&json!({}), &twice, pod()).unwrap_err().to_string(), expected);
    assert_eq!(
        merge(&json!({"metadata": {"finalizers": ["y"]}}), &twice, pod()).unwrap_err().to_string(),
        expected
    );
    // It may be there twice in the live object, and is replaced.
    let merged = merge(&twice, &json!({"metadata": {"finalizers": ["x"]}}), pod()).unwrap().into_owned();
    assert_eq!(merged, json!({"metadata": {"finalizers": ["x"]}}));
}

#[test]
fn added_modified_removed() {
    let from = json!({"spec": {"a": 1, "gone": {"x": 1}, "n": 1.0, "e": {}, "was": {"x": 1}}});
    let to = json!({"spec": {"a": 2, "new": {"x": 1}, "n": 1, "e": {"f": 1}, "was": 1}});
    let change = compare(&from, &to, Type::deduced()).unwrap();
    assert_eq!(
        change.added.to_fields_v1(),
        json!({"f:spec": {"f:e": {"f:f": {}}, "f:new": {".": {}, "f:x": {}}}})
    );
    assert_eq!(change.modified.to_fields_v1(), json!({"f:spec": {"f:a": {}, "f:was": {}}}));
    assert_eq!(
        change.removed.to_fields_v1(),
        json!({"f:spec": {"f:gone": {".": {}, "f:x": {}}, "f:was": {"f:x": {}}}})
    );
}

#[test]
fn long_lists_take_no_longer_than_they_are() {
    let many = |step: usize| {
        let items: Vec<_> = (0..20_000).map(|n| json!({"name": format!("n{}", n * step % 20_000)})).collect();
        json!({"spec": {"containers": items}})
    };
    let (a, b) = (many(1), many(7));
    assert!(compare(&a, &b, pod()).unwrap().is_empty());
    assert_eq!(merge(&a, &b, pod()).unwrap().into_owned(), b);
    let same = json!({"metadata": {"finalizers": vec!["x"; 20_000]}});
    assert!(compare(&same, &same.clone(), pod()).unwrap().is_empty());
    assert_eq!(field_set(&same, pod()).len(), 1);
    assert!(merge(&json!({}), &same, pod()).is_err());
}

fn types() -> impl Strategy<Value = Type<'static>> {
    prop_oneof![Just(deployments()), Just(pod()), Just(Type::deduced()), Just(Type::unknown_object())]
}

proptest! {
    #[test]
    fn both_directions_agree(a in deployment(), b in deployment()) {
        let ty = deployments();
        let (there, back) = (compare(&a, &b, ty).unwrap(), compare(&b, &a, ty).unwrap());
        prop_assert!(there.added.is_disjoint(&there.modified) && there.added.is_disjoint(&there.removed));
        prop_assert_eq!(there.added, back.removed);
        prop_assert_eq!(there.removed, back.added);
        prop_assert_eq!(there.modified, back.modified);
        prop_assert!(compare(&a, &a.clone(), ty).unwrap().is_empty());
    }

    #[test]
    fn a_merge_states_both_and_is_idempotent(live in deployment(), config in deployment()) {
        let ty = deployments();
        let merged = merge(&live, &config, ty).unwrap().into_owned();
        let change = compare(&live, &merged, ty).unwrap();
        prop_assert!(change.removed.is_empty());
        let (stated, all) = (field_set(&config, ty), field_set(&merged, ty));
        prop_assert!(stated.is_subset(&all) && field_set(&live, ty).is_subset(&all));
        prop_assert_eq!(&*merge(&merged, &config, ty).unwrap(), &merged);
        prop_assert_eq!(&*merge(&live, &live.clone(), ty).unwrap(), &live);
    }

    #[test]
    fn removing_and_extracting_are_opposites(a in deployment(), b in deployment()) {
        let ty = deployments();
        let all = field_set(&a, ty);
        let some = field_set(&b, ty).leaves().intersection(&all);
        let (with, without) = (extract(&a, &some, ty, true), remove(&a, &some, ty));
        let both = all.leaves().intersection(&some);
        if with.is_null() {
            prop_assert!(all.intersection(&some).is_empty());
        } else {
            prop_assert!(field_set(&with, ty).is_subset(&all), "{} of {} is {}", some.to_fields_v1(), a, with);
        }
        prop_assert!(both.is_subset(&all));
        prop_assert!(field_set(&without, ty).intersection(&both).iter().all(|path| path.get(&without).is_none_or(Value::is_null)));
        prop_assert_eq!(remove(&a, &FieldSet::new(), ty), a.clone());
        prop_assert_eq!(extract(&a, &all.leaves(), ty, true), a);
    }

    #[test]
    fn fields_are_read_against_the_schema_as_they_are_written(a in deployment()) {
        let ty = deployments();
        let stated = field_set(&a, ty);
        let read = read_fields(&stated.to_fields_v1(), ty).unwrap();
        prop_assert!(read.is_verbatim);
        prop_assert_eq!(read.fields, stated);
    }

    #[test]
    fn no_tree_is_too_strange(a in any_value(), b in small_value(), c in small_value(), ty in types()) {
        for (x, y) in [(&a, &b), (&b, &c), (&c, &b)] {
            let _ = validate(x, ty, ValidateOptions::default());
            let _ = merge(x, y, ty);
            let _ = compare(x, y, ty);
            let set = field_set(y, ty);
            let _ = remove(x, &set, ty);
            let _ = extract(x, &set, ty, true);
            let _ = read_fields(x, ty);
        }
    }
}
